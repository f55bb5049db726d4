//! Waits for permits, cancelled with the task or the scope that waits.

use allhome::limit::{Acquire, AcquireError, OwnedPermit};
use allhome::{Nursery, Reason, Semaphore, block_on, move_on_after, nursery, shield, sleep};
use allhome_runs::{Opened, SECOND, Stepped, WINDOWS, Wakes, Window, in_body, poll_once, world};
use futures_util::future::{join, join_all, select};
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::convert::Infallible;
use std::error::Error;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

type Ended = Arc<Mutex<Option<Result<OwnedPermit, AcquireError>>>>;

#[test]
fn s23_cancelled_in_each_window() {
    for of_nursery in [true, false] {
        for window in WINDOWS {
            let stepped = Stepped::new(1);
            let semaphore = Arc::new(Semaphore::new(2));
            let mut held = Some(semaphore.try_acquire_many(2).unwrap());
            let mut opened = Opened::new(nursery().on(stepped.runtime()));
            let ended = Ended::default();
            let (shared, note) = (semaphore.clone(), ended.clone());
            let child = opened.n.fork(async move {
                if window == Window::BeforeItJoinsTheLine {
                    allhome::yield_now().await;
                }
                *note.lock().unwrap() = Some(shared.acquire_owned().await);
                Ok(())
            });
            if window == Window::BeforeItJoinsTheLine {
                assert!(stepped.step());
            } else {
                stepped.run_until_stalled();
            }
            assert_eq!(semaphore.waiters(), usize::from(window != Window::BeforeItJoinsTheLine));
            // The next waiter in the line.
            let (mut next, wakes) = (Box::pin(semaphore.acquire_many(2)), Wakes::new());
            if window != Window::BeforeItJoinsTheLine {
                assert!(poll_once(&mut next, &wakes).is_pending());
            }
            if matches!(window, Window::GrantedAndNotPolled | Window::Polled) {
                held = None;
            }
            if window == Window::Polled {
                stepped.run_until_stalled();
            }
            let reason = Reason::new("closing time");
            let cancelled = match of_nursery {
                true => opened.n.cancel_with(reason.clone()),
                false => child.cancel_with(reason.clone()),
            };
            assert_eq!(cancelled, of_nursery || window != Window::Polled);
            stepped.run_until_stalled();
            assert!(opened.finish().is_ready());
            let ended = ended.lock().unwrap().take();
            let granted = matches!(window, Window::GrantedAndNotPolled | Window::Polled);
            match ended.expect("it is told in the last poll") {
                Ok(permit) => assert!(granted && permit.count() == 1, "{window:?}"),
                Err(error) => {
                    assert!(!granted, "{window:?}");
                    assert_eq!(error, AcquireError::Cancelled(reason.clone()));
                    assert!(error.reason().unwrap().same(&reason));
                    assert!(error.to_string().contains("closing time"));
                    assert!(error.source().is_none(), "the reason is told once, in the text");
                }
            }
            drop(held);
            assert!(poll_once(&mut next, &wakes).is_ready(), "{window:?}");
            drop(next);
            assert_eq!((semaphore.available(), semaphore.waiters()), (2, 0), "{window:?}");
        }
    }
}

/// A large request that leaves because it is cancelled lets the small ones behind it in.
#[test]
fn s23_whose_turn_it_is_now_is_told() {
    let stepped = Stepped::new(1);
    let semaphore = Arc::new(Semaphore::new(2));
    let _one = semaphore.try_acquire().unwrap();
    let mut opened = Opened::new(nursery().on(stepped.runtime()));
    let shared = semaphore.clone();
    let large = opened.n.fork(async move { Ok(shared.acquire_many(2).await.is_err()) });
    stepped.run_until_stalled();
    let (mut small, wakes) = (Box::pin(semaphore.acquire()), Wakes::new());
    assert!(poll_once(&mut small, &wakes).is_pending());
    assert!(large.cancel());
    assert_eq!(wakes.count(), 0, "it leaves in its last poll");
    stepped.run_until_stalled();
    assert_eq!(wakes.count(), 1);
    assert!(poll_once(&mut small, &wakes).is_ready());
    assert!(block_on(large).unwrap());
    assert!(opened.finish().is_ready());
}

#[test]
fn s23_dropped_with_a_scope() {
    in_body(|clock| async move {
        let semaphore = Semaphore::new(1);
        let permit = semaphore.acquire().await.unwrap();
        let waits = move_on_after(SECOND, semaphore.acquire()).await;
        assert!(waits.is_none(), "{waits:?}");
        assert_eq!((clock.elapsed(), semaphore.waiters()), (SECOND, 0));
        drop(permit);
        assert!(semaphore.acquire().await.is_ok());
    });
}

/// An acquire that need not wait succeeds, even in a cancelled task.
#[test]
fn s23_what_is_free_is_taken_by_the_cancelled() {
    let stepped = Stepped::new(1);
    let semaphore = Arc::new(Semaphore::new(1));
    let run = nursery().on(stepped.runtime()).run(async |n: Nursery<Infallible>| {
        n.cancel();
        let permit = semaphore.acquire().await.expect("it is free");
        assert!(semaphore.acquire().await.is_err(), "that one waits");
        drop(permit);
        Ok(semaphore.acquire_owned().await.is_ok())
    });
    assert!(stepped.drive(run).unwrap());
    assert_eq!(semaphore.available(), 1);
}

/// A shield keeps the cancel from a wait inside.
#[test]
fn s23_waits_in_a_shield() {
    let (stepped, clock, runtime) = world();
    let semaphore = Arc::new(Semaphore::new(1));
    let shared = semaphore.clone();
    let run = nursery().on(runtime).run(async move |n: Nursery<Infallible>| {
        let held = shared.clone().acquire_owned().await.unwrap();
        n.defer(Duration::MAX, async move {
            sleep(SECOND).await;
            drop(held);
            Ok(())
        });
        n.cancel();
        let waits = shield(2 * SECOND, shared.acquire()).await;
        assert!(waits.is_err(), "its budget is spent before the finalizer runs");
        Ok(())
    });
    clock.drive(&stepped, run).unwrap();
    assert_eq!((clock.elapsed(), semaphore.available()), (3 * SECOND, 1));
}

#[test]
fn s23_nothing_changes_outside_of_a_nursery() {
    let semaphore = Semaphore::new(1);
    let (permit, wakes) = (semaphore.try_acquire().unwrap(), Wakes::new());
    let mut waits = Box::pin(semaphore.acquire());
    assert!(poll_once(&mut waits, &wakes).is_pending());
    assert_eq!(semaphore.waiters(), 1);
    drop(permit);
    assert!(matches!(poll_once(&mut waits, &wakes), Poll::Ready(Ok(_))));
}

/// Waits in combinators that poll their parts with wakers of their own see the cancel: with a
/// grace the task goes on, and would wait for ever.
#[test]
fn s24_heard_of_in_combinators() {
    type Wait<'a> = fn(&'a Semaphore) -> Acquire<'a>;
    async fn unordered<'a>(semaphore: &'a Semaphore, wait: Wait<'a>) -> usize {
        let parts: FuturesUnordered<_> = (0..3).map(|_| wait(semaphore)).collect();
        parts.filter(|ended| std::future::ready(ended.is_err())).count().await
    }
    async fn joined<'a>(semaphore: &'a Semaphore, wait: Wait<'a>) -> usize {
        // More than it takes for `join_all` to use wakers of its own.
        let ended = join_all((0..40).map(|_| wait(semaphore))).await;
        ended.iter().filter(|ended| ended.is_err()).count().min(3)
    }
    async fn selected<'a>(semaphore: &'a Semaphore, wait: Wait<'a>) -> usize {
        let both = join(wait(semaphore), wait(semaphore));
        let (both, never) = (pin!(both), pin!(std::future::pending::<()>()));
        let one = select(both, never).await;
        3 * usize::from(matches!(one, futures_util::future::Either::Left(((Err(_), Err(_)), _))))
    }
    for (of_child, which) in (0..6).map(|at| (at % 2 == 0, at / 2)) {
        let (stepped, clock, runtime) = world();
        let semaphore = Arc::new(Semaphore::new(1));
        let held = semaphore.try_acquire().unwrap();
        let shared = semaphore.clone();
        let run =
            nursery().on(runtime).grace(Duration::MAX).run(async move |n: Nursery<Infallible>| {
                let child = n.fork(async move {
                    let wait: Wait<'_> = Semaphore::acquire;
                    Ok(match which {
                        0 => unordered(&shared, wait).await,
                        1 => joined(&shared, wait).await,
                        _ => selected(&shared, wait).await,
                    })
                });
                sleep(SECOND).await;
                assert!(if of_child { child.cancel() } else { n.cancel() });
                Ok(child.await.unwrap())
            });
        assert_eq!(clock.drive(&stepped, run).unwrap(), 3, "{which}");
        assert_eq!((semaphore.waiters(), clock.elapsed()), (0, SECOND));
        drop(held);
        assert_eq!(semaphore.available(), 1);
    }
}

/// One that was granted first is not disturbed by what it was registered with.
#[test]
fn s24_granted_in_a_combinator() {
    let stepped = Stepped::new(1);
    let semaphore = Arc::new(Semaphore::new(1));
    let held = semaphore.try_acquire().unwrap();
    let mut opened = Opened::new(nursery().on(stepped.runtime()));
    let shared = semaphore.clone();
    let child = opened.n.fork(async move {
        let mut parts: FuturesUnordered<_> = [shared.acquire_owned()].into_iter().collect();
        let granted = parts.next().await.unwrap();
        assert!(granted.is_ok());
        std::future::pending::<()>().await;
        Ok(())
    });
    stepped.run_until_stalled();
    drop(held);
    stepped.run_until_stalled();
    assert_eq!(semaphore.available(), 0);
    opened.n.cancel();
    stepped.run_until_stalled();
    assert!(block_on(child).is_err());
    assert_eq!(semaphore.available(), 1);
    assert!(opened.finish().is_ready());
}
