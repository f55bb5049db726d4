//! Tokens of nurseries and tasks, and `exit`, step by step.

use allhome::{
    CancelToken, Cause, Level, Reason, ReasonKind, TaskState, block_on, cancel_token, cancelled,
    checkpoint, exit, is_cancelled, nursery, nursery_on, yield_now,
};
use allhome_conformance::{Counts, Gate};
use allhome_runs::{AtWake, Hold, Manner, Opened, Stepped, Wakes, poll_once, within};
use futures_util::FutureExt;
use futures_util::future::join;
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::convert::Infallible;
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

/// Waits for the cancel in a part that is polled only when its own waker is woken.
async fn hears() -> Reason {
    let mut parts: FuturesUnordered<_> = [cancelled()].into_iter().collect();
    parts.next().await.expect("there is a part")
}

/// Calls a function when it is woken for the first time.
struct Calls(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl Wake for Calls {
    fn wake(self: Arc<Self>) {
        let call = self.0.lock().unwrap().take();
        if let Some(call) = call {
            call();
        }
    }
}

type Waits = Pin<Box<dyn Future<Output = Reason> + Send>>;

/// Has a function called as the first thing that a cancel of the token does once it has risen: before
/// those are woken who wait for a token above it.
fn first(token: &CancelToken, call: impl FnOnce() + Send + 'static) -> Waits {
    let mut waits: Waits = Box::pin(token.child().cancelled_owned());
    let waker = Waker::from(Arc::new(Calls(Mutex::new(Some(Box::new(call))))));
    assert!(waits.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    waits
}

#[test]
fn c16_poll_before_the_waiters_are_told_is_not_the_last() {
    within(|| {
        let (stepped, hold) = (Stepped::new(1), Hold::new());
        let mut opened = Opened::new(nursery_on::<Infallible>(stepped.runtime()));
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
        assert_eq!(block_on(child.join()).unwrap(), "own");
        assert!(matches!(opened.finish(), Poll::Ready(Ok(()))));
    });
}

#[test]
fn c16_queued_child_that_is_polled_before_the_waiters_are_told() {
    let (stepped, gate) = (Stepped::new(1), Gate::new());
    let mut opened = Opened::new(nursery_on::<Infallible>(stepped.runtime()));
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
        let mut run =
            Box::pin(nursery_on::<Infallible>(stepped.runtime()).run(move |n| async move {
                let mut hears = Box::pin(hears());
                assert!(hears.as_mut().now_or_never().is_none());
                *keep.lock().unwrap() = Some(n);
                stay.stay();
                Ok(hears.await.message().to_string())
            }));
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
    let mut opened = Opened::new(nursery_on::<Infallible>(stepped.runtime()));
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

/// Whoever is woken by a token finds what it belongs to cancelled, whichever of them was cancelled.
#[test]
fn c13_whoever_is_told_finds_both_risen() {
    for by_token in [true, false] {
        for level in [Level::Cancelled, Level::Aborted] {
            let stepped = Stepped::new(1);
            let mut opened = Opened::new(nursery_on::<Infallible>(stepped.runtime()));
            let (token, n) = (opened.n.token(), opened.n.clone());
            let (seen, other) = (Arc::new(Mutex::new(Vec::new())), token.clone());
            let note = seen.clone();
            let waits = first(&token, move || {
                let same = n.reason().unwrap().same(&other.reason().unwrap());
                note.lock().unwrap().push((n.level(), other.level(), same));
            });
            match (by_token, level) {
                (true, _) => assert!(token.raise(level, Reason::new(""))),
                (false, Level::Aborted) => assert!(opened.n.abort()),
                (false, _) => assert!(opened.n.cancel()),
            }
            assert_eq!(*seen.lock().unwrap(), [(level, level, true)]);
            drop(waits);
            assert!(opened.finish().is_ready());
        }
    }
}

#[test]
fn c13_token_of_a_nursery_that_has_ended_does_nothing() {
    let stepped = Stepped::new(1);
    let mut opened = Opened::new(nursery_on::<Infallible>(stepped.runtime()));
    let token = opened.n.token();
    assert!(matches!(opened.finish(), Poll::Ready(Ok(()))));
    assert!(!token.is_cancelled(), "it ended well");
    assert!(token.cancel() && !opened.n.is_cancelled());
    drop(opened);
    assert!(token.raise(Level::Aborted, Reason::new("")));
}

#[test]
fn c13_dropped_run_raises_the_token() {
    let stepped = Stepped::new(1);
    let opened = Opened::new(nursery_on::<Infallible>(stepped.runtime()));
    let token = opened.n.token();
    drop(opened);
    assert_eq!(token.level(), Level::Aborted);
    assert_eq!(token.reason().unwrap().kind(), ReasonKind::ScopeDropped);
}

#[test]
fn c14_token_is_raised_by_an_abort_of_the_task() {
    let stepped = Stepped::new(1);
    let mut opened = Opened::new(nursery_on::<Infallible>(stepped.runtime()));
    let kept = Arc::new(Mutex::new(None));
    let keep = kept.clone();
    let child = opened.n.fork(async move {
        *keep.lock().unwrap() = Some(cancel_token());
        pending::<Result<(), _>>().await
    });
    stepped.run_until_stalled();
    let token = kept.lock().unwrap().take().unwrap();
    assert!(child.cancel_with(Reason::new("first")));
    assert!(child.abort());
    assert_eq!((token.level(), token.reason().unwrap().message()), (Level::Aborted, "first"));
    assert!(block_on(child.join()).is_err());
    assert!(matches!(opened.finish(), Poll::Ready(Ok(()))));
}

#[test]
fn c14_token_of_a_task_that_has_ended_stays() {
    let stepped = Stepped::new(1);
    let mut opened = Opened::new(nursery_on::<Infallible>(stepped.runtime()));
    let child = opened.n.fork(async { Ok(cancel_token()) });
    stepped.run_until_stalled();
    let token = block_on(child.join()).unwrap();
    assert!(!token.is_cancelled());
    assert!(opened.n.cancel() && token.is_cancelled(), "it hangs on the nursery's");
    assert!(opened.finish().is_ready());
}

#[test]
fn c15_draining_token_closes_the_nursery() {
    let (stepped, token) = (Stepped::new(1), CancelToken::new());
    token.raise(Level::Draining, Reason::new(""));
    let opened = Opened::new(nursery_on::<Infallible>(stepped.runtime()).token(&token));
    assert_eq!((opened.n.level(), opened.n.token().level()), (Level::Draining, Level::Draining));
    let other = CancelToken::new();
    let mut opened = Opened::new(nursery_on::<Infallible>(stepped.runtime()).token(&other));
    other.raise(Level::Draining, Reason::new(""));
    assert_eq!(opened.n.level(), Level::Draining);
    other.raise(Level::Aborted, Reason::new("now"));
    assert_eq!(opened.n.level(), Level::Aborted);
    let Poll::Ready(Err(error)) = opened.poll() else { panic!("the body was cut off") };
    assert!(matches!(error.first().cause(), Cause::Cancelled(reason) if reason.message() == "now"));
}

#[test]
fn c15_token_of_a_nursery_in_a_cancelled_one_has_that_reason() {
    let (stepped, token) = (Stepped::new(1), CancelToken::new());
    let mut opened = Opened::new(nursery_on::<Infallible>(stepped.runtime()));
    let (n, own) = (opened.n.clone(), token.clone());
    let child = opened.n.fork(async move {
        n.cancel_with(Reason::new("around"));
        let inner = nursery::<Infallible>().token(&own).run(async |inner| Ok(inner.token()));
        Ok(inner.await.unwrap())
    });
    stepped.run_until_stalled();
    let inner = block_on(child.join()).unwrap();
    assert_eq!(inner.reason().unwrap().message(), "around");
    assert!(!token.is_cancelled());
    assert!(opened.finish().is_ready());
}

#[test]
fn c17_checkpoint_is_one_turn() {
    let stepped = Stepped::new(1);
    let mut opened = Opened::new(nursery_on::<Infallible>(stepped.runtime()));
    let child = opened.n.fork(async { Ok(checkpoint().await.is_ok()) });
    assert_eq!(stepped.run_until_stalled(), 2, "it gave the runtime a turn");
    assert!(block_on(child.join()).unwrap());
    let child = opened.n.fork(async { Ok(checkpoint().await.unwrap_err().message().to_string()) });
    assert!(stepped.step());
    // In its turn: it is told after it.
    assert!(child.cancel_with(Reason::new("meanwhile")));
    stepped.run_until_stalled();
    assert_eq!(block_on(child.join()).unwrap(), "meanwhile");
    let (n, counts) = (opened.n.clone(), Counts::new());
    let count = counts.clone();
    let child = opened.n.fork(poll_fn(move |cx| {
        n.cancel();
        count.polled();
        let mut checkpoint = Box::pin(checkpoint());
        checkpoint.poll_unpin(cx).map(|result| Ok(result.is_err()))
    }));
    stepped.run_until_stalled();
    assert!(block_on(child.join()).unwrap() && counts.polls() == 1, "no turn if it is cancelled");
    assert!(opened.finish().is_ready());
}

#[test]
fn c18_exit_outside_of_any_nursery_is_an_error() {
    let error = exit().now_or_never().expect("ready at once").unwrap_err();
    let text = "no runtime is known outside of a nursery, so there is not a task to end";
    assert_eq!(error.to_string(), text);
}

#[test]
fn c18_exit_is_at_the_end_of_the_poll_and_drops_once() {
    for at_wake in [AtWake::Queue, AtWake::Poll] {
        let stepped = Stepped::with(1, Manner { at_wake, ..Manner::default() });
        let counts = Counts::new();
        let mut opened = Opened::new(nursery_on::<Infallible>(stepped.runtime()));
        for turns in [0, 1, 40] {
            let (exits, after) = (counts.guard(), counts.clone());
            let child = opened.n.fork(async move {
                for _ in 0..turns {
                    yield_now().await;
                }
                let exits = async move {
                    let _exits = exits;
                    exit().await.map(drop)
                };
                // The others of a combinator go on to the end of that poll.
                let after = poll_fn(|_| {
                    after.polled();
                    Poll::<()>::Pending
                });
                let (_, ()) = join(exits, after).await;
                Ok(())
            });
            stepped.run_until_stalled();
            let error = block_on(child.join()).unwrap_err();
            assert_eq!(error.reason().unwrap().kind(), ReasonKind::Exited);
        }
        assert_eq!((counts.polls(), counts.drops()), (3, 3));
        assert!(!opened.n.is_cancelled());
        assert!(matches!(opened.finish(), Poll::Ready(Ok(()))));
        stepped.run_until_stalled();
        assert_eq!(stepped.tasks(), 0);
    }
}

#[test]
fn c18_value_that_is_ready_in_the_poll_of_the_exit_wins() {
    let stepped = Stepped::new(1);
    let mut opened = Opened::new(nursery_on::<Infallible>(stepped.runtime()));
    let child = opened.n.fork(async {
        assert!(exit().now_or_never().is_none());
        Ok(7)
    });
    stepped.run_until_stalled();
    assert_eq!(block_on(child.join()).unwrap(), 7);
    assert!(opened.finish().is_ready());
}

#[test]
fn c18_exit_takes_the_nurseries_inside_along() {
    let (stepped, counts) = (Stepped::new(1), Counts::new());
    let mut opened = Opened::new(nursery_on::<Infallible>(stepped.runtime()));
    let (parked, gate) = (counts.parked(), Gate::new());
    let open = gate.clone();
    let child = opened.n.fork(async move {
        let inner = nursery::<Infallible>().run(async move |inner| {
            inner.spawn(parked.child());
            pending::<Result<(), _>>().await
        });
        let exits = async {
            open.wait().await;
            exit().await.map(drop)
        };
        join(inner, exits).await.0.map_err(|_| unreachable!("it does not end"))
    });
    stepped.run_until_stalled();
    assert_eq!((counts.polls(), counts.drops()), (1, 0));
    gate.open();
    stepped.run_until_stalled();
    assert_eq!((counts.polls(), counts.drops()), (1, 1), "as when `run` is dropped");
    assert_eq!(block_on(child.join()).unwrap_err().reason().unwrap().kind(), ReasonKind::Exited);
    assert!(matches!(opened.finish(), Poll::Ready(Ok(()))));
    assert!(!is_cancelled());
}

/// A child and a body that do not leave by themselves, and whose poll is over while those who wait
/// for the cancel are being told, are cut off all the same.
#[test]
fn c16_who_was_polled_in_the_meantime_is_cut_off() {
    within(|| {
        let (stepped, hold, counts) = (Stepped::new(1), Hold::new(), Counts::new());
        let mut opened = Opened::new(nursery_on::<Infallible>(stepped.runtime()));
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

        let mut opened = Opened::new(nursery_on::<Infallible>(stepped.runtime()));
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

#[test]
fn c14_token_asked_for_in_the_last_poll_is_cancelled() {
    let (stepped, gate) = (Stepped::new(1), Gate::new());
    let mut opened = Opened::new(nursery_on::<Infallible>(stepped.runtime()));
    let waits = gate.clone();
    let child = opened.n.fork(async move {
        waits.wait().await;
        Ok(cancel_token().reason().map(|reason| reason.message().to_string()))
    });
    stepped.run_until_stalled();
    assert!(child.cancel_with(Reason::new("own")));
    gate.open();
    stepped.run_until_stalled();
    assert_eq!(block_on(child.join()).unwrap().as_deref(), Some("own"));
    assert!(opened.finish().is_ready());
}
