//! Tokens of nurseries and tasks, step by step.

mod exit;
mod told;

use allhome::cancel::{Level, ReasonKind, cancel_token};
use allhome::error::Cause;
use allhome::{CancelToken, Nursery, Reason, block_on, checkpoint, nursery};
use allhome_conformance::{Counts, Gate};
use allhome_runs::{Opened, Stepped};
use futures_util::FutureExt;
use std::convert::Infallible;
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

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

/// Has a function called as the first thing that a cancel of the token does once it has risen:
/// before it wakes the waiters of a token above it.
fn first(token: &CancelToken, call: impl FnOnce() + Send + 'static) -> Waits {
    let mut waits: Waits = Box::pin(token.child().cancelled_owned());
    let waker = Waker::from(Arc::new(Calls(Mutex::new(Some(Box::new(call))))));
    assert!(waits.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    waits
}

/// A task that a token wakes finds the token's owner cancelled, whichever of them was cancelled.
#[test]
fn c13_whoever_is_told_finds_both_risen() {
    for by_token in [true, false] {
        for level in [Level::Cancelled, Level::Aborted] {
            let stepped = Stepped::new(1);
            let mut opened = Opened::new(nursery().on(stepped.runtime()));
            let (token, n) = (opened.n.token(), opened.n.clone());
            let (seen, other) = (Arc::new(Mutex::new(Vec::new())), token.clone());
            let note = seen.clone();
            let waits = first(&token, move || {
                let same = n.reason().unwrap().same(&other.reason().unwrap());
                note.lock().unwrap().push((n.level(), other.level(), same));
            });
            match (by_token, level) {
                (true, _) => assert!(token.escalate_to(level, Reason::new(""))),
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
    let mut opened = Opened::new(nursery().on(stepped.runtime()));
    let token = opened.n.token();
    assert!(matches!(opened.finish(), Poll::Ready(Ok(()))));
    assert!(!token.is_cancelled(), "it ended well");
    assert!(token.cancel() && !opened.n.is_cancelled());
    drop(opened);
    assert!(token.escalate_to(Level::Aborted, Reason::new("")));
}

#[test]
fn c13_dropped_run_raises_the_token() {
    let stepped = Stepped::new(1);
    let opened = Opened::new(nursery().on(stepped.runtime()));
    let token = opened.n.token();
    drop(opened);
    assert_eq!(token.level(), Level::Aborted);
    assert_eq!(token.reason().unwrap().kind(), ReasonKind::ScopeDropped);
}

#[test]
fn c14_token_is_raised_by_an_abort_of_the_task() {
    let stepped = Stepped::new(1);
    let mut opened = Opened::new(nursery().on(stepped.runtime()));
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
    assert!(block_on(child).is_err());
    assert!(matches!(opened.finish(), Poll::Ready(Ok(()))));
}

#[test]
fn c14_token_of_a_task_that_has_ended_stays() {
    let stepped = Stepped::new(1);
    let mut opened = Opened::new(nursery().on(stepped.runtime()));
    let child = opened.n.fork(async { Ok(cancel_token()) });
    stepped.run_until_stalled();
    let token = block_on(child).unwrap();
    assert!(!token.is_cancelled());
    assert!(opened.n.cancel() && token.is_cancelled(), "it hangs on the nursery's");
    assert!(opened.finish().is_ready());
}

#[test]
fn c15_draining_token_closes_the_nursery() {
    let (stepped, token) = (Stepped::new(1), CancelToken::new());
    token.escalate_to(Level::Draining, Reason::new(""));
    let opened = Opened::new(nursery().on(stepped.runtime()).token(&token));
    assert_eq!((opened.n.level(), opened.n.token().level()), (Level::Draining, Level::Draining));
    let other = CancelToken::new();
    let mut opened = Opened::new(nursery().on(stepped.runtime()).token(&other));
    other.escalate_to(Level::Draining, Reason::new(""));
    assert_eq!(opened.n.level(), Level::Draining);
    other.escalate_to(Level::Aborted, Reason::new("now"));
    assert_eq!(opened.n.level(), Level::Aborted);
    let Poll::Ready(Err(error)) = opened.poll() else { panic!("the body was cut off") };
    assert!(matches!(error.first().cause(), Cause::Cancelled(reason) if reason.message() == "now"));
}

#[test]
fn c15_token_of_a_nursery_in_a_cancelled_one_has_that_reason() {
    let (stepped, token) = (Stepped::new(1), CancelToken::new());
    let mut opened = Opened::new(nursery().on(stepped.runtime()));
    let (n, own) = (opened.n.clone(), token.clone());
    let child = opened.n.fork(async move {
        n.cancel_with(Reason::new("around"));
        let inner = nursery().token(&own).run(async |inner: Nursery<Infallible>| Ok(inner.token()));
        Ok(inner.await.unwrap())
    });
    stepped.run_until_stalled();
    let inner = block_on(child).unwrap();
    assert_eq!(inner.reason().unwrap().message(), "around");
    assert!(!token.is_cancelled());
    assert!(opened.finish().is_ready());
}

#[test]
fn c17_checkpoint_is_one_turn() {
    let stepped = Stepped::new(1);
    let mut opened = Opened::new(nursery().on(stepped.runtime()));
    let child = opened.n.fork(async { Ok(checkpoint().await.is_ok()) });
    assert_eq!(stepped.run_until_stalled(), 2, "it gave the runtime a turn");
    assert!(block_on(child).unwrap());
    let child = opened.n.fork(async { Ok(checkpoint().await.unwrap_err().message().to_string()) });
    assert!(stepped.step());
    // In its turn: it is notified after that.
    assert!(child.cancel_with(Reason::new("meanwhile")));
    stepped.run_until_stalled();
    assert_eq!(block_on(child).unwrap(), "meanwhile");
    let (n, counts) = (opened.n.clone(), Counts::new());
    let count = counts.clone();
    let child = opened.n.fork(poll_fn(move |cx| {
        n.cancel();
        count.polled();
        let mut checkpoint = Box::pin(checkpoint());
        checkpoint.poll_unpin(cx).map(|result| Ok(result.is_err()))
    }));
    stepped.run_until_stalled();
    assert!(block_on(child).unwrap() && counts.polls() == 1, "no turn if it is cancelled");
    assert!(opened.finish().is_ready());
}

#[test]
fn c14_token_asked_for_in_the_last_poll_is_cancelled() {
    let (stepped, gate) = (Stepped::new(1), Gate::new());
    let mut opened = Opened::new(nursery().on(stepped.runtime()));
    let waits = gate.clone();
    let child = opened.n.fork(async move {
        waits.wait().await;
        Ok(cancel_token().reason().map(|reason| reason.message().to_string()))
    });
    stepped.run_until_stalled();
    assert!(child.cancel_with(Reason::new("own")));
    gate.open();
    stepped.run_until_stalled();
    assert_eq!(block_on(child).unwrap().as_deref(), Some("own"));
    assert!(opened.finish().is_ready());
}
