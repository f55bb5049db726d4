//! The limit of blocking work, and runtimes and work that do not do what they are asked to.

use allhome::cancel::ReasonKind;
use allhome::error::PanicPolicy;
use allhome::{Builder, Child, Policy, block_on, nursery};
use allhome_conformance::Counts;
use allhome_runs::{Jobs, Opened, Stepped};
use std::sync::{Arc, Mutex};
use std::task::Poll;

type Failure = Arc<str>;

fn at(stepped: &Stepped, jobs: &Jobs, limit: usize) -> Builder {
    let builder = nursery().on(stepped.runtime_with(jobs));
    builder.policy(Policy::Isolate).panics(PanicPolicy::Report).blocking_limit(limit)
}

#[test]
fn b05_limit_is_kept_first_come_first_served() {
    for limit in [1, 3] {
        let (stepped, jobs) = (Stepped::new(1), Jobs::new());
        let mut opened = Opened::<Failure>::fallible(at(&stepped, &jobs, limit));
        let order = Arc::new(Mutex::new(Vec::new()));
        let children: Vec<_> = (0..10)
            .map(|number| {
                let order = order.clone();
                opened.n.blocking(move |_| {
                    order.lock().unwrap().push(number);
                    Ok(number)
                })
            })
            .collect();
        for left in (0..10).rev() {
            assert_eq!(jobs.len(), limit.min(left + 1));
            assert!(jobs.run());
            assert_eq!(opened.n.len(), left);
        }
        assert_eq!(*order.lock().unwrap(), (0..10).collect::<Vec<_>>());
        for (number, child) in children.into_iter().enumerate() {
            assert_eq!(block_on(child).unwrap(), number);
        }
        assert!(matches!(opened.finish(), Poll::Ready(Ok(()))));
    }
}

/// Work hears of the cancel by the token, before the nursery has followed, and ends at once.
#[test]
fn b06_who_hears_of_a_cancel_first_makes_no_room() {
    let (stepped, jobs, counts) = (Stepped::new(1), Jobs::new(), Counts::new());
    let mut opened = Opened::<Failure>::fallible(at(&stepped, &jobs, 1));
    let first = opened.n.blocking(|_| Ok(()));
    let inside = counts.clone();
    let second = opened.n.blocking(move |_| {
        inside.polled();
        Ok(())
    });
    let runs = jobs.clone();
    opened.n.token().on_cancel(move |_| assert!(runs.run())).keep();
    assert!(opened.n.cancel());
    assert_eq!((jobs.len(), opened.n.len()), (0, 0));
    assert!(block_on(second).unwrap_err().reason().is_some());
    assert!(block_on(first).is_ok());
    assert_eq!(counts.polls(), 0);
    while opened.finish().is_pending() {}
}

#[test]
#[should_panic = "`blocking_limit(0)` would let no blocking work run"]
fn b05_limit_of_zero_panics_in_the_builder() {
    let _ = at(&Stepped::new(1), &Jobs::new(), 0);
}

#[test]
fn b05_work_may_spawn_work_within_the_limit() {
    let (stepped, jobs, counts) = (Stepped::new(1), Jobs::new(), Counts::new());
    let mut opened = Opened::<Failure>::fallible(at(&stepped, &jobs, 1));
    let (n, count) = (opened.n.clone(), counts.clone());
    let _work = opened.n.blocking(move |_| {
        let next = n.blocking(move |_| {
            count.polled();
            Ok(())
        });
        assert!(next.id().is_some());
        Ok(())
    });
    assert!(jobs.run() && counts.polls() == 0, "the place was taken");
    assert!(jobs.run() && counts.polls() == 1);
    assert!(matches!(opened.finish(), Poll::Ready(Ok(()))));
}

#[test]
fn b06_cancel_ends_those_that_wait_for_their_turn() {
    for of_nursery in [true, false] {
        let (stepped, jobs, counts) = (Stepped::new(1), Jobs::new(), Counts::new());
        let mut opened = Opened::<Failure>::fallible(at(&stepped, &jobs, 1));
        let first = opened.n.blocking(|cx| Ok(cx.is_cancelled()));
        let waiting: Vec<_> = (0..10)
            .map(|_| {
                let guard = counts.guard();
                let child = opened.n.blocking(move |_| {
                    let _guard = &guard;
                    panic!("it is not called")
                });
                child as Child<(), Failure>
            })
            .collect();
        // The first has not begun either, but a runtime has it.
        if of_nursery {
            assert!(opened.n.cancel());
        } else {
            assert!(waiting.iter().all(Child::cancel));
        }
        assert_eq!((counts.drops(), jobs.len()), (10, 1));
        for child in waiting {
            assert_eq!(
                block_on(child).unwrap_err().reason().unwrap().kind(),
                ReasonKind::Requested
            );
        }
        assert_eq!(opened.n.len(), usize::from(!of_nursery));
        while jobs.run() {}
        let first = block_on(first);
        assert!(if of_nursery { first.is_err() } else { !first.unwrap() });
        if !of_nursery {
            let last = opened.n.blocking(|_| Ok(()));
            assert!(jobs.run() && last.is_ended(), "the places are free again");
        }
        assert!(matches!(opened.finish(), Poll::Ready(Ok(()))));
        stepped.shutdown();
    }
}

#[test]
fn b07_runtime_that_refuses_jobs_loses_them_without_recursion() {
    const MANY: usize = 100_000;
    let (stepped, jobs, counts) = (Stepped::new(1), Jobs::new(), Counts::new());
    let builder = at(&stepped, &jobs, 1).policy(Policy::WaitAll).keep_failures(3);
    let mut opened = Opened::new(builder);
    let first = opened.n.blocking(|_| Ok(1));
    for _ in 0..MANY {
        let guard = counts.guard();
        let lost = opened.n.blocking(move |_| {
            drop(guard);
            Ok(())
        });
        drop(lost);
    }
    assert_eq!((jobs.len(), counts.drops(), opened.n.len()), (1, 0, MANY + 1));
    jobs.refuse();
    assert!(jobs.run());
    assert_eq!((counts.drops(), opened.n.len()), (MANY, 0));
    assert_eq!(block_on(first).unwrap(), 1);
    let late = opened.n.blocking(|_| Ok(()));
    assert!(block_on(late).unwrap_err().is_lost());
    let Poll::Ready(Err(error)) = opened.finish() else { panic!("they are failures") };
    assert_eq!((error.failures().len(), error.omitted_count()), (3, MANY + 1 - 3));
    stepped.shutdown();
}

#[test]
fn b08_panic_is_the_childs_and_frees_its_place() {
    let (stepped, jobs) = (Stepped::new(1), Jobs::new());
    let mut opened = Opened::<Failure>::fallible(at(&stepped, &jobs, 1));
    let bad = opened.n.task("bad").blocking::<(), _>(|_| panic!("thrown on purpose"));
    let inside = opened.n.blocking(|cx| {
        let result = cx.block_on(async {
            assert!(cx.is_cancelled(), "thrown in a future");
        });
        result.map_err(|reason| Failure::from(reason.message()))
    });
    let inside = inside;
    let good = opened.n.blocking(|_| Ok(7));
    while jobs.run() {}
    let error = block_on(bad).unwrap_err();
    let panic = error.panic().unwrap();
    assert_eq!((panic.message(), panic.name()), ("thrown on purpose", Some("bad")));
    let error = block_on(inside).unwrap_err();
    assert_eq!(error.panic().unwrap().message(), "thrown in a future");
    assert_eq!(block_on(good).unwrap(), 7);
    assert!(matches!(opened.finish(), Poll::Ready(Ok(()))));
}
