//! Tasks that wait for a cancel: all are woken, also one that is polled meanwhile.

use super::first;
use allhome::cancel::cancel_token;
use allhome::task::TaskState;
use allhome::{Nursery, Reason, block_on, cancelled, nursery};
use allhome_conformance::{Counts, Gate};
use allhome_runs::{Hold, Opened, Stepped, Wakes, poll_once, within};
use futures_util::FutureExt;
use futures_util::future::join;
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::convert::Infallible;
use std::future::{Future, pending, poll_fn};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

/// Waits for the cancel in a part that is polled only when its own waker is woken.
async fn hears() -> Reason {
    let mut parts: FuturesUnordered<_> = [cancelled()].into_iter().collect();
    parts.next().await.expect("there is a part")
}

#[test]
fn c16_poll_before_the_waiters_are_told_is_not_the_last() {
    within(|| {
        let (stepped, hold) = (Stepped::new(1), Hold::new());
        let mut opened = Opened::new(nursery().on(stepped.runtime()));
        let (stay, kept) = (hold.clone(), Arc::new(Mutex::new(None)));
        let keep = kept.clone();
        let child = opened.n.fork(async move {
            let mut hears = Box::pin(hears());
            assert!(hears.as_mut().now_or_never().is_none());
            *keep.lock().unwrap() = Some(cancel_token());
            stay.stay();
            Ok(hears.await.message().to_string())
        });
        let poll = stepped.step_on_a_thread();
        hold.wait_entered();
        let token = kept.lock().unwrap().take().unwrap();
        let child = Arc::new(Mutex::new(Some(child)));
        let (looks, cancels) = (child.clone(), child.lock().unwrap().take().unwrap());
        let cancels = Arc::new(cancels);
        let watched = cancels.clone();
        let waits = first(&token, move || {
            hold.release();
            while watched.state() == TaskState::Running {
                thread::yield_now();
            }
        });
        assert!(cancels.cancel_with(Reason::new("own")));
        poll.join().unwrap();
        stepped.run_until_stalled();
        drop((looks, waits));
        let child = Arc::into_inner(cancels).unwrap();
        assert_eq!(block_on(child).unwrap(), "own");
        assert!(matches!(opened.finish(), Poll::Ready(Ok(()))));
    });
}

#[test]
fn c16_queued_child_that_is_polled_before_the_waiters_are_told() {
    let (stepped, gate) = (Stepped::new(1), Gate::new());
    let mut opened = Opened::new(nursery().on(stepped.runtime()));
    let (wakes, kept) = (gate.clone(), Arc::new(Mutex::new(None)));
    let keep = kept.clone();
    let mut child = opened.n.fork(async move {
        *keep.lock().unwrap() = Some(cancel_token());
        let (reason, ()) = join(hears(), wakes.wait()).await;
        Ok(reason.message().to_string())
    });
    stepped.run_until_stalled();
    let token = kept.lock().unwrap().take().unwrap();
    let early = stepped.clone();
    let waits = first(&token, move || assert!(early.run_until_stalled() > 0, "it was woken"));
    gate.open();
    assert!(opened.n.cancel_with(Reason::new("all")));
    stepped.run_until_stalled();
    drop(waits);
    assert_eq!(child.try_join().unwrap().unwrap(), "all");
    assert!(matches!(opened.finish(), Poll::Ready(Ok(()))));
    stepped.shutdown();
}

#[test]
fn c16_body_that_is_polled_before_the_waiters_are_told() {
    within(|| {
        let (stepped, hold) = (Stepped::new(1), Hold::new());
        let kept = Arc::new(Mutex::new(None));
        let (stay, keep) = (hold.clone(), kept.clone());
        let mut run = Box::pin(nursery().on(stepped.runtime()).run(
            move |n: Nursery<Infallible>| async move {
                let mut hears = Box::pin(hears());
                assert!(hears.as_mut().now_or_never().is_none());
                *keep.lock().unwrap() = Some(n);
                stay.stay();
                Ok(hears.await.message().to_string())
            },
        ));
        let wakes = Wakes::new();
        let watch = wakes.clone();
        let poll = thread::spawn(move || {
            assert!(poll_once(&mut run, &watch).is_pending());
            run
        });
        hold.wait_entered();
        let n = kept.lock().unwrap().take().unwrap();
        let poll = Arc::new(Mutex::new(Some(poll)));
        let ended = poll.clone();
        let waits = first(&n.token(), move || {
            hold.release();
            while !ended.lock().unwrap().as_ref().unwrap().is_finished() {
                thread::yield_now();
            }
        });
        assert!(n.cancel_with(Reason::new("all")));
        drop(waits);
        let mut run = poll.lock().unwrap().take().unwrap().join().unwrap();
        assert!(wakes.count() > 0);
        let Poll::Ready(result) = poll_once(&mut run, &wakes) else { panic!("it was told") };
        assert_eq!(result.unwrap(), "all");
    });
}

/// Does nothing when it is woken; its count tells how many wakers there are.
struct Counted;

impl Wake for Counted {
    fn wake(self: Arc<Self>) {}
}

/// The last poll of the task reaches what it polls with its own waker.
#[test]
fn c16_wait_by_the_task_s_own_waker_registers_nothing() {
    let (stepped, counted) = (Stepped::new(1), Arc::new(Counted));
    let (watched, kept) = (counted.clone(), Arc::new(Mutex::new(None)));
    let keep = kept.clone();
    let mut run =
        Box::pin(nursery().on(stepped.runtime()).run(move |n: Nursery<Infallible>| async move {
            *keep.lock().unwrap() = Some(n);
            let mut waits = Box::pin(cancelled());
            poll_fn(|cx| {
                let before = Arc::strong_count(&watched);
                assert!(waits.as_mut().poll(cx).is_pending());
                assert_eq!(Arc::strong_count(&watched), before, "it is not registered");
                Poll::Ready(())
            })
            .await;
            Ok(waits.await.message().to_string())
        }));
    let waker = Waker::from(counted);
    let mut cx = Context::from_waker(&waker);
    assert!(run.as_mut().poll(&mut cx).is_pending());
    let n = kept.lock().unwrap().take().unwrap();
    assert!(n.cancel_with(Reason::new("all")));
    let Poll::Ready(result) = run.as_mut().poll(&mut cx) else { panic!("it was told") };
    assert_eq!(result.unwrap(), "all");
}

/// It was polled with the task's own waker first, and is registered where it comes to.
#[test]
fn c16_wait_that_moves_into_a_part_with_a_waker_of_its_own() {
    let stepped = Stepped::new(1);
    let mut opened = Opened::new(nursery().on(stepped.runtime()));
    let mut child = opened.n.fork(async move {
        let mut waits = Box::pin(cancelled());
        let waiting = poll_fn(|cx| Poll::Ready(waits.as_mut().poll(cx).is_pending())).await;
        assert!(waiting);
        let mut parts: FuturesUnordered<_> = [waits].into_iter().collect();
        let reason = parts.next().await.expect("there is a part");
        Ok(reason.message().to_string())
    });
    stepped.run_until_stalled();
    assert!(opened.n.cancel_with(Reason::new("all")));
    stepped.run_until_stalled();
    assert_eq!(child.try_join().unwrap().unwrap(), "all");
    assert!(matches!(opened.finish(), Poll::Ready(Ok(()))));
}

#[test]
fn c16_outside_of_any_nursery_it_waits_for_ever() {
    let (mut waits, wakes) = (Box::pin(cancelled()), Wakes::new());
    assert!(poll_once(&mut waits, &wakes).is_pending());
    assert!(poll_once(&mut waits, &wakes).is_pending());
    drop(waits);
    assert_eq!(wakes.count(), 0);
}

#[test]
fn c16_waiter_that_is_dropped_is_not_woken() {
    let stepped = Stepped::new(1);
    let mut opened = Opened::new(nursery().on(stepped.runtime()));
    let wakes = Wakes::new();
    let own = wakes.clone();
    opened.n.spawn(async move {
        let mut waits = Box::pin(cancelled());
        assert!(poll_once(&mut waits, &own).is_pending());
        drop(waits);
        pending().await
    });
    stepped.run_until_stalled();
    assert!(opened.n.cancel());
    stepped.run_until_stalled();
    assert!(matches!(opened.finish(), Poll::Ready(Ok(()))));
    assert_eq!(wakes.count(), 0);
}

/// A child and a body that do not leave by themselves, and whose poll is over while the waiters of
/// the cancel are being woken, are still cut off.
#[test]
fn c16_who_was_polled_in_the_meantime_is_cut_off() {
    within(|| {
        let (stepped, hold, counts) = (Stepped::new(1), Hold::new(), Counts::new());
        let mut opened = Opened::new(nursery().on(stepped.runtime()));
        let (stay, kept, guard) = (hold.clone(), Arc::new(Mutex::new(None)), counts.guard());
        let keep = kept.clone();
        let child = Arc::new(opened.n.fork(async move {
            let _guard = guard;
            *keep.lock().unwrap() = Some(cancel_token());
            stay.stay();
            pending::<Result<(), _>>().await
        }));
        let poll = stepped.step_on_a_thread();
        hold.wait_entered();
        let (token, watched) = (kept.lock().unwrap().take().unwrap(), child.clone());
        let waits = first(&token, move || {
            hold.release();
            while watched.state() == TaskState::Running {
                thread::yield_now();
            }
        });
        assert!(child.cancel());
        poll.join().unwrap();
        stepped.run_until_stalled();
        assert_eq!((counts.drops(), child.state()), (1, TaskState::Ended));
        drop(waits);
        assert!(matches!(opened.finish(), Poll::Ready(Ok(()))));

        let mut opened = Opened::new(nursery().on(stepped.runtime()));
        let run = Arc::new(Mutex::new(std::mem::replace(&mut opened.run, Box::pin(pending()))));
        let (wakes, polled, n) = (opened.wakes.clone(), run.clone(), opened.n.clone());
        let waits = first(&opened.n.token(), move || {
            assert!(poll_once(&mut polled.lock().unwrap(), &wakes).is_pending());
        });
        let before = opened.wakes.count();
        assert!(n.cancel());
        assert!(opened.wakes.count() > before, "after that poll");
        assert!(poll_once(&mut run.lock().unwrap(), &opened.wakes).is_ready());
        drop(waits);
    });
}
