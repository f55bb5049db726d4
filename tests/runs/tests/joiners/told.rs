//! Failures that a joiner gives, and those that no code looks at.

use crate::{Fallible, gated, ready};
use allhome::join::{Children, first_ok, join_outcomes, race};
use allhome::{Policy, nursery};
use allhome_conformance::Gate;
use allhome_runs::{Boxed, Stepped, in_all_schedules};

/// One failure is listed once, whatever the schedule.
#[test]
fn p11_in_all_schedules_a_failure_is_reported_once() {
    for joiner in 0..3 {
        in_all_schedules(async |_| {
            let inner = nursery().run(async |n: allhome::Nursery<Boxed>| {
                let bad = n.task("bad").fork(async { Err::<u32, _>(Boxed::from("bad")) });
                let waits = n.fork(std::future::pending());
                Ok(match joiner {
                    0 => race([bad]).await?,
                    1 => first_ok([bad, waits]).await?,
                    _ => {
                        let outcomes = join_outcomes([bad, waits]).await;
                        outcomes.into_iter().collect::<Result<Vec<_>, _>>()?[0]
                    }
                })
            });
            let error = inner.await.expect_err("a child failed");
            assert_eq!(error.failures().len(), 1);
            assert_eq!(error.first().name(), Some("bad"));
            Ok(())
        });
    }
}

#[test]
fn p11_a_child_that_is_not_opened_is_one_that_no_joiner_took() {
    for opens in [false, true] {
        let stepped = Stepped::new(1);
        let builder = nursery().on(stepped.runtime()).policy(Policy::Isolate);
        let mut opened = Fallible::fallible(builder);
        let gate = Gate::new();
        let mut children = Children::from_iter([gated(&opened.n, &gate, Err::<(), _>("bad"))]);
        gate.open();
        stepped.run_until_stalled();
        let child = children.try_join_next().expect("it has ended");
        if opens {
            assert!(child.into_result().is_err());
        } else {
            drop(child);
        }
        assert_eq!(ready(opened.finish()).is_ok(), opens);
    }
}
