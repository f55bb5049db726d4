//! Clauses l..: nurseries with a limit.

use super::{BoxChild, Nursery, nursery};
use crate::probe::{Counts, Gate, eventually};
use allhome::limit::ReserveError;
use allhome::runtime::Runtime;
use allhome::{Reason, Semaphore, yield_now};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

pub(super) async fn l01_never_more_than_the_limit(runtime: Runtime) {
    let (inside, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let run = nursery().on(runtime).limit(3).run(async |n: Nursery<Infallible>| {
        for at in 0..600 {
            let (inside, most) = (inside.clone(), most.clone());
            let child = async move {
                most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                yield_now().await;
                inside.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            };
            if at % 2 == 0 {
                n.spawn(child);
            } else {
                n.reserve().await.unwrap().spawn(child);
            }
        }
        Ok(n.limiter().unwrap().clone())
    });
    let limiter = run.await.unwrap();
    assert!((1..=3).contains(&most.load(Ordering::SeqCst)));
    assert_eq!((limiter.available(), limiter.waiters()), (3, 0));
}

pub(super) async fn l04_given_back_when_home(runtime: Runtime) {
    let limiter = Arc::new(Semaphore::new(2));
    let (counts, held, plain) = (Counts::new(), Counts::new(), Counts::new());
    let run = nursery().on(runtime).limiter(&limiter).run(async |n: Nursery<Infallible>| {
        let ends = n.reserve().await.unwrap().fork(async { Ok(1) });
        assert_eq!(ends.await.unwrap(), 1);
        let waits = n.reserve().await.unwrap().fork(counts.parked().child());
        eventually(|| counts.polls() == 1).await;
        assert_eq!(limiter.available(), 1);
        waits.abort();
        assert!(waits.await.is_err());
        assert_eq!((limiter.available(), counts.drops()), (2, 1));
        n.reserve().await.unwrap().spawn(held.parked().child());
        n.spawn(plain.parked().child());
        n.spawn(plain.parked().child());
        eventually(|| held.polls() + plain.polls() == 2 && limiter.waiters() == 1).await;
        n.cancel();
        Ok(())
    });
    run.await.unwrap();
    let drops = [&counts, &held, &plain].map(Counts::drops);
    assert_eq!((limiter.available(), limiter.waiters(), drops), (2, 0, [1, 1, 2]));
    // The one that was never let in was never polled; the others, once more with the cancel.
    assert_eq!([&counts, &held, &plain].map(Counts::polls), [1, 2, 2]);
}

pub(super) async fn l06_a_wait_ends_with_the_nursery(runtime: Runtime) {
    let (slots, limiter) = (Gate::new(), Arc::new(Semaphore::new(1)));
    let run = nursery().on(runtime).run(async |outer: Nursery<Infallible>| {
        let held = limiter.clone().try_acquire_owned().unwrap();
        let waits = slots.clone();
        let inner = limiter.clone();
        let keeps = outer.fork(async move {
            let run = nursery().limiter(&inner).run(async move |n: Nursery<Infallible>| {
                let waiter = n.clone();
                // In the nursery around: its cancel is another one.
                waits.wait().await;
                n.cancel_with(Reason::new("over"));
                Ok(waiter)
            });
            Ok(run.await.unwrap())
        });
        // A handle of a nursery that is over refuses; one of a nursery that is open waits.
        slots.open();
        let closed = keeps.await.unwrap();
        let Err(ReserveError::Refused(reason)) = closed.reserve().await else { panic!() };
        assert_eq!(reason.message(), "over");
        let caller = {
            let limiter = limiter.clone();
            outer.fork(async move {
                let run = nursery().limiter(&limiter).run(async |n: Nursery<Infallible>| {
                    // It is the nursery's own body that waits, so both are true, and which comes
                    // first is a race.
                    let ends = n.reserve().await;
                    Ok(matches!(ends, Err(ReserveError::Cancelled(_) | ReserveError::Refused(_))))
                });
                Ok(run.await.unwrap())
            })
        };
        eventually(|| limiter.waiters() == 1).await;
        assert!(caller.cancel());
        assert!(caller.await.unwrap());
        drop(held);
        Ok(())
    });
    run.await.unwrap();
    assert_eq!((limiter.available(), limiter.waiters()), (1, 0));
}

fn walk(depth: usize, width: usize, limiter: Arc<Semaphore>) -> BoxChild<usize> {
    Box::pin(async move {
        let run = nursery().limiter(&limiter).run(async |n: Nursery<Infallible>| {
            let mut below = Vec::new();
            for at in 0..if depth == 0 { 0 } else { width } {
                let next = walk(depth - 1, width, limiter.clone());
                below.push(match at % 2 {
                    0 => n.reserve().await.unwrap().fork(next),
                    _ => n.fork(next),
                });
            }
            let mut nodes = 1;
            for child in below {
                nodes += child.await.unwrap();
            }
            Ok(nodes)
        });
        Ok(run.await.unwrap())
    })
}

pub(super) async fn l15_nested_on_one_limiter(runtime: Runtime) {
    for (depth, width, slots) in [(300, 1, 1), (6, 2, 1), (4, 3, 2)] {
        let limiter = Arc::new(Semaphore::new(slots));
        let run = nursery().on(&runtime).limiter(&limiter).run(async |n: Nursery<Infallible>| {
            Ok(n.fork(walk(depth, width, limiter.clone())).await.unwrap())
        });
        let nodes: usize = (0..=depth).map(|level| width.pow(level as u32)).sum();
        assert_eq!(run.await.unwrap(), nodes);
        assert_eq!((limiter.available(), limiter.waiters()), (slots, 0));
    }
}
