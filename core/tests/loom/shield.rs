//! Shields and finalizers against aborts, and tokens of nurseries and tasks against cancels. The
//! budgets are without end: the models have no clock.

use crate::home::{Fault, Home};
use crate::kid::{Book, Kid, Until};
use crate::manual::Flag;
use crate::model;
use allhome::cancel::cancel_token;
use allhome::{CancelToken, shield};
use loom::sync::Mutex;
use loom::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use loom::thread;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

type Protected = Pin<Box<dyn Future<Output = ()> + Send>>;

fn protected(kid: Kid) -> Protected {
    Box::pin(async {
        let _ended = shield(Duration::MAX, kid.plain()).await;
    })
}

/// Opens a nursery with one child, whose kid is in a shield.
#[inline(never)]
fn shielded(until: Until) -> (Home, Arc<Book>) {
    let (kid, book) = Kid::new(until);
    let child = protected(kid);
    let (home, _) = Home::open(move |n| {
        let child = async {
            child.await;
            std::future::pending().await
        };
        n.spawn(child).id()
    });
    (home, book)
}

/// The abort comes while the shield goes up, while it is up, or while it goes down: the kid is
/// ready in any case but the first, and the child is destroyed when the shield is down.
#[test]
fn h01_abort_versus_a_poll_of_the_shield() {
    model(|| {
        let (mut home, book) = shielded(Until::Polls(1));
        let job = home.manual.job();
        let other = thread::spawn(move || job.run());
        assert!(home.nursery.abort());
        let job = other.join().unwrap();
        assert!(home.settle([job]));
        assert!(book.finished() || book.polls() == 0);
        book.check();
        home.close();
    });
}

/// The child waits in its shield when the abort comes, and is woken at the same time.
#[test]
fn h13_abort_versus_wake_of_a_shielded_child() {
    model(|| {
        let (kid, book) = Kid::new(Until::Polls(3));
        let left = Arc::new(Mutex::new(None));
        let leave = left.clone();
        let mut kid = Box::pin(kid);
        let inner = poll_fn(move |cx| {
            *leave.lock().unwrap() = Some(cx.waker().clone());
            let polled = kid.as_mut().poll(cx).map(drop);
            if polled.is_pending() && allhome::task::task_id().is_none() {
                unreachable!("it is a task");
            }
            polled
        });
        let child: Protected = Box::pin(async {
            let _ended = shield(Duration::MAX, inner).await;
        });
        let mut home = home_of(child);
        home.quiet([]);
        let waker = left.lock().unwrap().take().expect("it was polled");
        let other = thread::spawn(move || waker.wake());
        assert!(home.nursery.abort());
        other.join().unwrap();
        home.quiet([]);
        // It has seen two of its three polls or all of them; one more in any case ends it.
        let waker = left.lock().unwrap().take();
        if let Some(waker) = waker {
            waker.wake();
        }
        assert!(home.settle([]));
        assert!(book.finished(), "the abort did not reach it");
        book.check();
        home.close();
    });
}

#[inline(never)]
fn home_of(child: Protected) -> Home {
    Home::open(move |n| {
        let child = async {
            child.await;
            Ok(())
        };
        n.spawn(child).id()
    })
    .0
}

/// Another thread drops the shield of a child that waits, while the child is aborted.
#[test]
fn h10_drop_of_a_shield_elsewhere_versus_abort() {
    model(|| {
        let (kid, book) = Kid::new(Until::Never);
        let mut shield = Some(protected(kid));
        let out = Arc::new(Mutex::new(None));
        let hand = out.clone();
        let child: Protected = Box::pin(poll_fn(move |cx| {
            if let Some(mut shield) = shield.take() {
                assert!(shield.as_mut().poll(cx).is_pending());
                *hand.lock().unwrap() = Some(shield);
            }
            std::task::Poll::Pending
        }));
        let mut home = home_of(child);
        home.quiet([]);
        let shield = out.lock().unwrap().take();
        let other = thread::spawn(move || drop(shield));
        assert!(home.nursery.abort());
        other.join().unwrap();
        assert!(home.settle([]));
        book.check();
        home.close();
    });
}

/// The last child leaves, and the nursery is aborted: the finalizer is run once.
#[test]
fn n09_abort_versus_start_of_the_finalizers() {
    model(|| {
        let (kid, book) = Kid::new(Until::Polls(1));
        let (finalizer, ran) = Kid::new(Until::Yields(1));
        let mut home = with_finalizer(kid, finalizer);
        let job = home.manual.job();
        let other = thread::spawn(move || job.run());
        assert!(home.nursery.abort());
        let job = other.join().unwrap();
        assert!(home.settle([job]));
        assert!(ran.finished(), "the abort did not reach it");
        book.check();
        ran.check();
        home.close();
    });
}

#[inline(never)]
fn with_finalizer(kid: Kid, finalizer: Kid) -> Home {
    Home::open(move |n| {
        n.defer(Duration::MAX, Box::pin(finalizer.plain()));
        n.spawn(Box::pin(kid.plain())).id()
    })
    .0
}

/// The nursery's future is dropped while its last child leaves: the later of the two runs the
/// finalizer.
#[test]
fn n03_drop_of_run_versus_last_child() {
    model(|| {
        let (kid, book) = Kid::new(Until::Polls(1));
        let (finalizer, ran) = Kid::new(Until::Polls(1));
        let mut home = with_finalizer(kid, finalizer);
        let job = home.manual.job();
        let other = thread::spawn(move || job.run());
        home.abandon();
        let job = other.join().unwrap();
        home.settle([job]);
        assert!(ran.finished());
        book.check();
        ran.check();
        home.close();
    });
}

/// The nursery's token is made while the nursery is cancelled.
#[test]
fn c13_making_the_token_versus_cancel() {
    model(|| {
        let (kid, book) = Kid::new(Until::Never);
        let (mut home, _) = Home::open(move |n| n.spawn(kid.plain()).id());
        home.quiet([]);
        let nursery = home.nursery.clone();
        let other = thread::spawn(move || nursery.token());
        assert!(home.nursery.cancel());
        let token = other.join().unwrap();
        assert!(token.is_cancelled());
        assert!(token.reason().unwrap().same(&home.nursery.reason().unwrap()));
        assert!(home.settle([]));
        book.check();
        drop(token);
        home.close();
    });
}

/// The token and the nursery are cancelled at the same time: both end with one reason.
#[test]
fn c13_cancel_of_the_token_versus_cancel_of_the_nursery() {
    model(|| {
        let (kid, book) = Kid::new(Until::Never);
        let (mut home, _) = Home::open(move |n| n.spawn(kid.plain()).id());
        let token = home.nursery.token();
        home.quiet([]);
        let other = thread::spawn(move || {
            token.cancel();
            token
        });
        home.nursery.cancel();
        let token = other.join().unwrap();
        assert!(token.is_cancelled() && home.nursery.is_cancelled());
        assert!(token.reason().unwrap().same(&home.nursery.reason().unwrap()));
        assert!(home.settle([]));
        assert_eq!(book.polls(), 2);
        book.check();
        drop(token);
        home.close();
    });
}

/// A task makes its token while it is cancelled: the last poll finds both cancelled.
#[test]
fn c14_making_the_tasks_token_versus_cancel_of_the_task() {
    model(|| {
        let tokens = Arc::new(Mutex::new(None));
        let polls = Arc::new(AtomicUsize::new(0));
        let last = Arc::new(Mutex::new((false, false)));
        let (keep, count, note) = (tokens.clone(), polls.clone(), last.clone());
        let (mut home, child) = Home::open(move |n| {
            n.fork(Box::pin(poll_fn(move |_| {
                count.fetch_add(1, Relaxed);
                let mut keep = keep.lock().unwrap();
                let token: &mut CancelToken = keep.get_or_insert_with(cancel_token);
                let seen = (allhome::is_cancelled(), token.is_cancelled());
                *note.lock().unwrap() = seen;
                Poll::<Result<(), Fault>>::Pending
            })))
        });
        let job = home.manual.job();
        let other = thread::spawn(move || job.run());
        assert!(child.cancel());
        let job = other.join().unwrap();
        drop(child);
        assert!(home.settle([job]));
        let token = tokens.lock().unwrap().take();
        assert!(token.is_none_or(|token| token.is_cancelled()));
        assert!(polls.load(Relaxed) == 0 || *last.lock().unwrap() == (true, true));
        home.close();
    });
}

/// A child that asks for its cancel deep inside, by a waker of its own, and notes whether that was
/// woken before the last poll.
fn asks_deep_inside(heard: Arc<AtomicUsize>) -> impl Future<Output = Result<(), Fault>> + Send {
    let inner = Flag::new(false);
    let mut cancelled = Box::pin(allhome::cancelled());
    poll_fn(move |_| {
        if allhome::is_cancelled() {
            heard.store(1 + usize::from(inner.take()), Relaxed);
        } else {
            let waker = Waker::from(inner.clone());
            assert!(cancelled.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        Poll::Pending
    })
}

#[inline(never)]
fn with_one_who_asks() -> (Home, Arc<AtomicUsize>) {
    let heard = Arc::new(AtomicUsize::new(0));
    let child = asks_deep_inside(heard.clone());
    let (home, _) = Home::open(move |n| n.spawn(Box::pin(child)).id());
    (home, heard)
}

/// Cancels the nursery, and something else, at the same time.
fn heard_before_the_last_poll(other: fn(&Home) -> Box<dyn FnOnce() + Send>) {
    model(move || {
        let (mut home, heard) = with_one_who_asks();
        let other = other(&home);
        home.quiet([]);
        let other = thread::spawn(other);
        home.nursery.cancel();
        home.quiet([]);
        other.join().unwrap();
        assert!(home.settle([]));
        assert_eq!(heard.load(Relaxed), 2, "it was woken, and then polled");
        home.close();
    });
}

/// Two cancels at the same time: neither gets ahead of the wakers that the other one still calls.
#[test]
fn c16_heard_before_the_last_poll_of_two_cancels() {
    heard_before_the_last_poll(|home| {
        let nursery = home.nursery.clone();
        Box::new(move || {
            nursery.cancel();
        })
    });
}

/// The same, if one of them is the token's.
#[test]
fn c16_heard_before_the_last_poll_of_the_tokens_cancel_and_the_nurserys() {
    heard_before_the_last_poll(|home| {
        let token = home.nursery.token();
        Box::new(move || {
            token.cancel();
        })
    });
}

/// The nursery's token is cancelled while a child asks: once `cancelled` has returned, the child is
/// cancelled by every other question.
#[test]
fn c16_told_is_cancelled() {
    model(|| {
        let (mut home, _) = Home::open(|n| {
            let mut cancelled = Box::pin(allhome::cancelled());
            n.spawn(Box::pin(poll_fn(move |cx| {
                let told = cancelled.as_mut().poll(cx);
                told.map(|reason| {
                    assert!(allhome::is_cancelled());
                    assert!(allhome::cancel::cancel_reason().unwrap().same(&reason));
                    Ok::<_, Fault>(())
                })
            })))
            .id()
        });
        let token = home.nursery.token();
        let other = thread::spawn(move || token.cancel());
        home.quiet([]);
        assert!(other.join().unwrap());
        assert!(home.settle([]));
        home.close();
    });
}
