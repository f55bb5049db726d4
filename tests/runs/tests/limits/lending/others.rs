//! Other lenders and borrowers: tasks that wait for a slot or come from outside, blocking work and
//! destructors.

use super::{Never, Walk, bounded};
use allhome::limit::{AcquireError, ReserveError};
use allhome::runtime::{IntoRuntime, ThreadPool};
use allhome::{Nursery, Reason, Semaphore, block_on, nursery, yield_now};
use allhome_conformance::{Counts, Gate};
use allhome_runs::{Jobs, Opened, Stepped, Wakes, poll_once, within};
use futures_util::FutureExt;
use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

/// A child that spawns siblings lends while it waits to be given a slot.
#[test]
fn l20_siblings_with_one_slot() {
    for threads in [false, true] {
        fn crawl(n: Nursery<Infallible>, left: usize, count: Counts) -> Walk {
            Box::pin(async move {
                count.polled();
                for _ in 0..left.min(2) {
                    let next = crawl(n.clone(), left / 2, count.clone());
                    let next = async move { next.await.map(drop) };
                    n.reserve().await.unwrap().spawn(next);
                }
                Ok(0)
            })
        }
        let (stepped, count) = (Stepped::new(1), Counts::new());
        let runtime = match threads {
            true => ThreadPool::global().into_runtime().unwrap(),
            false => stepped.runtime(),
        };
        let counted = count.clone();
        let run = nursery().on(runtime).limit(1).run(async move |n: Nursery<Infallible>| {
            n.fork(crawl(n.clone(), 64, counted)).await.unwrap();
            Ok(())
        });
        match threads {
            true => within(move || block_on(run).unwrap()),
            false => stepped.drive(run).unwrap(),
        }
        assert_eq!(count.polls(), 191);
    }
}

/// A task runs on the slot that it got for its own, until that is used; then it is stopped.
#[test]
fn l20_lent_until_it_is_used() {
    for used in [true, false] {
        let stepped = Stepped::new(1);
        let mut opened = Opened::new(nursery().on(stepped.runtime()).limit(1));
        let (go, hold, turns) = (Gate::new(), Gate::new(), Counts::new());
        let (n, wait, held, count) = (opened.n.clone(), go.clone(), hold.clone(), turns.clone());
        opened.n.spawn(async move {
            let slot = n.reserve().await.unwrap();
            // With the slot in its hands it goes on, over any number of polls.
            yield_now().await;
            wait.wait().await;
            count.polled();
            if used {
                slot.spawn(async move {
                    held.wait().await;
                    Ok(())
                });
            } else {
                drop(slot);
            }
            yield_now().await;
            count.polled();
            Ok(())
        });
        stepped.run_until_stalled();
        assert_eq!((turns.polls(), opened.n.limiter().unwrap().available()), (0, 0));
        go.open();
        stepped.run_until_stalled();
        assert_eq!(turns.polls(), if used { 1 } else { 2 });
        hold.open();
        stepped.run_until_stalled();
        assert_eq!((turns.polls(), opened.n.limiter().unwrap().available()), (2, 1));
        assert!(opened.finish().is_ready());
    }
}

/// A child that comes from outside into a nursery borrows the only slot from the nursery's task.
#[test]
fn l21_lent_to_who_comes_from_outside() {
    for reserve in [true, false] {
        let stepped = Stepped::new(1);
        let limiter = Arc::new(Semaphore::new(1));
        let mut opened = bounded(&stepped, &limiter);
        let (handle, end) = (Arc::new(Mutex::new(None)), Gate::new());
        let (keep, wait, inner) = (handle.clone(), end.clone(), limiter.clone());
        opened.n.spawn(async move {
            let run = nursery().limiter(&inner).run(async move |n: Nursery<Infallible>| {
                *keep.lock().unwrap() = Some(n);
                wait.wait().await;
                Ok(())
            });
            run.await.unwrap();
            Ok(())
        });
        stepped.run_until_stalled();
        assert_eq!(limiter.available(), 0, "the nursery is empty: the slot is not lent");
        let nested: Nursery<Infallible> = handle.lock().unwrap().take().unwrap();
        let open = end.clone();
        let child = async move {
            open.open();
            Ok(())
        };
        if reserve {
            let (mut waits, wakes) = (Box::pin(nested.reserve()), Wakes::new());
            assert!(poll_once(&mut waits, &wakes).is_pending());
            stepped.run_until_stalled();
            let Poll::Ready(Ok(slot)) = poll_once(&mut waits, &wakes) else { panic!() };
            slot.spawn(child);
        } else {
            nested.spawn(child);
        }
        stepped.run_until_stalled();
        assert_eq!((limiter.available(), opened.n.len()), (1, 0));
        assert!(opened.finish().is_ready());
    }
}

/// Blocking work that waits for a nursery lends its slot, too.
#[test]
fn l22_blocking_work_lends() {
    let jobs = Jobs::new();
    let stepped = Stepped::new(1);
    let limiter = Arc::new(Semaphore::new(1));
    let builder = nursery().on(stepped.runtime_with(&jobs)).limiter(&limiter);
    let mut opened = Opened::new(builder);
    let (inner, ran) = (limiter.clone(), Counts::new());
    let count = ran.clone();
    let work = opened.n.try_reserve().unwrap().blocking(move |cx| {
        let run = nursery().on(ThreadPool::global()).limiter(&inner).run(
            async |n: Nursery<Infallible>| {
                let slot = n.reserve().await.unwrap();
                Ok(slot.fork(async { Ok(7) }).await.unwrap())
            },
        );
        let seven = cx.block_on(run).unwrap().unwrap();
        count.polled();
        assert_eq!(inner.available(), 0, "it has it back");
        Ok(seven)
    });
    let job = std::thread::spawn({
        let jobs = jobs.clone();
        move || assert!(jobs.run())
    });
    job.join().unwrap();
    assert_eq!((block_on(work).unwrap(), ran.polls()), (7, 1));
    assert_eq!(limiter.available(), 1);
    assert!(opened.finish().is_ready());
}

/// A destructor that waits for a slot gets that of its own task.
#[test]
fn l22_reserve_in_a_destructor() {
    struct Farewell(Nursery<Infallible>, Counts);
    /// A future that is dropped with what it has, and not in its last poll.
    struct Ends(Gate, Farewell);
    impl Future for Ends {
        type Output = Never;
        fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Never> {
            let _ = &self.1;
            pin!(self.0.wait()).poll(cx).map(Ok)
        }
    }
    impl Drop for Farewell {
        fn drop(&mut self) {
            let reserved = self.0.reserve().now_or_never();
            let spawned = match reserved.expect("its own slot is lent") {
                Ok(slot) => slot.spawn(async { Ok(()) }).is_admitted(),
                Err(ReserveError::Refused(_) | ReserveError::Cancelled(_)) => false,
                Err(error) => panic!("{error}"),
            };
            if spawned {
                self.1.polled();
            }
        }
    }
    for cancelled in [false, true] {
        let stepped = Stepped::new(1);
        let mut opened = Opened::new(nursery().on(stepped.runtime()).limit(1));
        let (said, gate) = (Counts::new(), Gate::new());
        let farewell = Farewell(opened.n.clone(), said.clone());
        let child = opened.n.fork(Ends(gate.clone(), farewell));
        stepped.run_until_stalled();
        if cancelled {
            opened.n.cancel_with(Reason::new("over"));
        }
        gate.open();
        stepped.run_until_stalled();
        drop(child);
        assert_eq!(said.polls(), usize::from(!cancelled));
        assert_eq!((opened.n.len(), opened.n.limiter().unwrap().available()), (0, 1));
        assert!(opened.finish().is_ready());
    }
}

/// A plain acquire of a shared limiter lends nothing: it is not a slot.
#[test]
fn l22_an_acquire_lends_nothing() {
    let stepped = Stepped::new(1);
    let limiter = Arc::new(Semaphore::new(1));
    let mut opened = bounded(&stepped, &limiter);
    let shared = limiter.clone();
    let child = opened.n.fork(async move { Ok(shared.acquire().await.map(drop)) });
    stepped.run_until_stalled();
    assert_eq!((limiter.available(), limiter.waiters()), (0, 1));
    assert!(child.cancel());
    stepped.run_until_stalled();
    assert!(matches!(block_on(child), Ok(Err(AcquireError::Cancelled(_)))));
    assert_eq!(limiter.available(), 1);
    assert!(opened.finish().is_ready());
}
