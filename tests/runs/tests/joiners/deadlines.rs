//! What is there at a deadline.

use crate::{kind, parked};
use allhome::cancel::ReasonKind;
use allhome::join::{first_ok, join_outcomes, quorum, race};
use allhome::time::now;
use allhome::{Nursery, Policy, cancelled, nursery, sleep};
use allhome_conformance::Counts;
use allhome_runs::{SECOND, world};

type N = Nursery<&'static str>;

fn after(n: &N, seconds: u32) -> allhome::Child<u32, &'static str> {
    n.fork(async move {
        sleep(SECOND * seconds).await;
        Ok(seconds)
    })
}

fn at_the_clock<R>(body: impl AsyncFnOnce(N) -> R) -> R {
    let (stepped, clock, runtime) = world();
    let run = nursery().policy(Policy::Isolate).on(runtime);
    let result = clock.drive(&stepped, run.run(async |n: N| Ok(body(n).await)));
    assert_eq!(clock.sleeps(), 0, "a timer was not released");
    result.expect("no failure is the nursery's")
}

#[test]
fn p08_what_is_there_is_given() {
    at_the_clock(async |n: N| {
        let start = now();
        let counts = Counts::new();
        let children = [after(&n, 1), after(&n, 3), parked(&n, &counts)];
        let error = quorum(2, children).deadline(SECOND * 2).await.expect_err("it is too early");
        assert_eq!((now() - start, counts.drops(), n.len()), (SECOND * 2, 1, 0));
        let (values, failures) = error.into_parts();
        assert_eq!(values, [1]);
        assert!(failures.iter().all(|failure| kind(failure) == Some(ReasonKind::Deadline)));

        let outcomes = join_outcomes([after(&n, 1), after(&n, 3)]).deadline(SECOND * 2).await;
        let [Ok(1), Err(late)] = &outcomes[..] else { panic!("{outcomes:?}") };
        assert_eq!(kind(late), Some(ReasonKind::Deadline));
    });
}

#[test]
fn p08_a_value_of_the_last_poll_counts() {
    at_the_clock(async |n: N| {
        let answers = n.fork(async {
            cancelled().await;
            Ok(7)
        });
        assert_eq!(first_ok([answers]).deadline_at(now() + SECOND).await.ok(), Some(7));
    });
}

#[test]
fn p08_in_time() {
    at_the_clock(async |n: N| {
        let start = now();
        let children = [after(&n, 5), after(&n, 1)];
        assert_eq!(race(children).deadline(SECOND * 2).await.ok(), Some(1));
        assert_eq!(now() - start, SECOND);
        let unlimited = race([after(&n, 1)]).deadline(std::time::Duration::MAX);
        assert_eq!(unlimited.await.ok(), Some(1));
        let past = race([after(&n, 1)]).deadline(std::time::Duration::ZERO);
        assert!(past.await.is_err());
    });
}
