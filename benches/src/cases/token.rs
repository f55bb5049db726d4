//! Cancel tokens: asking, making, waiting, cancelling, wrapping; no runtime.

use std::future::{pending, poll_fn};
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};
use std::thread;

use allhome::CancelToken;
use allhome::cancel::{CancelExt, CancelStreamExt};
use event_listener::Event;
use futures_util::Stream;
use futures_util::future::Abortable;
use futures_util::stream::{AbortHandle, poll_fn as stream_poll_fn};
use tokio_util::sync::CancellationToken;

use crate::case::{Case, Goal, Measure, Side};
use crate::watch::{Sample, Watch};

/// Operations in one pass of what takes nanoseconds.
pub(super) const MANY: u64 = 1_000;

/// Children of the node in the middle that is dropped.
const CHILDREN: usize = 10_000;

pub(super) fn cases() -> Vec<Case> {
    vec![
        is_cancelled(),
        child(),
        child_of_two_threads(),
        register(),
        cancel("flat/1k", 1_000, Shape::Flat, 0.55),
        cancel("flat/100k", 100_000, Shape::Flat, 0.55),
        cancel("chain/1k", 1_000, Shape::Chain, 0.35),
        drop_middle(),
        until_cancelled(),
        stream(),
    ]
}

fn case(name: &str, ops: u64, sides: impl Fn() -> Vec<Side> + 'static) -> Case {
    let (name, measure) = (format!("token/{name}"), Measure::Nanoseconds);
    Case { name, ops, measure, heavy: false, sides: Box::new(sides) }
}

/// A side that does the same over and over.
fn looped(name: &'static str, mut once: impl FnMut() + 'static) -> Side {
    Side::new(name, move |times| {
        let watch = Watch::start();
        for _ in 0..times * MANY {
            once();
        }
        watch.stop()
    })
}

fn is_cancelled() -> Case {
    case("is_cancelled", MANY, || {
        let (root, peer, flag) =
            (CancelToken::new(), CancellationToken::new(), Arc::new(AtomicBool::new(false)));
        let (ours, theirs) = (root.child(), peer.child_token());
        vec![
            looped("ours", move || {
                let _kept = &root;
                black_box(black_box(&ours).is_cancelled());
            }),
            looped("atomic flag", move || {
                black_box(black_box(&flag).load(Relaxed));
            })
            .goal(Goal::Ratio(1.1)),
            looped("CancellationToken", move || {
                let _kept = &peer;
                black_box(black_box(&theirs).is_cancelled());
            }),
        ]
    })
}

fn child() -> Case {
    case("child", MANY, || {
        let (ours, theirs) = (CancelToken::new(), CancellationToken::new());
        vec![
            looped("ours", move || drop(black_box(ours.child()))),
            looped("CancellationToken", move || drop(black_box(theirs.child_token())))
                .goal(Goal::Ratio(0.30)),
        ]
    })
}

/// Both threads make and drop children of one parent.
fn child_of_two_threads() -> Case {
    fn side(name: &'static str, once: impl Fn() + Sync + 'static) -> Side {
        Side::new(name, move |times| {
            let watch = Watch::start();
            thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| (0..times * 10 * MANY).for_each(|_| once()));
                }
            });
            watch.stop()
        })
    }
    case("child/2_threads", 20 * MANY, || {
        let (ours, theirs) = (CancelToken::new(), CancellationToken::new());
        vec![
            side("ours", move || drop(black_box(ours.child()))),
            side("CancellationToken", move || drop(black_box(theirs.child_token())))
                .goal(Goal::Ratio(0.50)),
        ]
    })
}

/// Polls a future that waits, once.
pub(super) fn poll_once(future: Pin<&mut impl Future>) {
    let poll = future.poll(&mut Context::from_waker(Waker::noop()));
    assert!(black_box(poll).is_pending());
}

/// A waiter is polled once and dropped.
fn register() -> Case {
    case("register", MANY, || {
        let (ours, theirs, event) = (CancelToken::new(), CancellationToken::new(), Event::new());
        vec![
            looped("ours", move || poll_once(pin!(ours.cancelled()))),
            looped("CancellationToken", move || poll_once(pin!(theirs.cancelled())))
                .goal(Goal::Ratio(0.30)),
            looped("Event", move || poll_once(pin!(event.listen()))),
        ]
    })
}

#[derive(Clone, Copy)]
enum Shape {
    Flat,
    Chain,
}

impl Shape {
    /// Makes so many tokens below a root.
    fn build<T: Clone>(self, n: usize, root: &T, child: impl Fn(&T) -> T) -> Vec<T> {
        let mut tokens: Vec<T> = Vec::with_capacity(n);
        for _ in 0..n {
            let parent = match self {
                Shape::Flat => root,
                Shape::Chain => tokens.last().unwrap_or(root),
            };
            let token = child(parent);
            tokens.push(token);
        }
        tokens
    }
}

/// Every token has one waiter; only the cancel is timed.
fn cancel(name: &str, n: usize, shape: Shape, goal: f64) -> Case {
    /// Sets up, and returns what cancels.
    fn side<W: Future>(
        name: &'static str,
        set_up: impl Fn() -> (Vec<W>, Box<dyn FnOnce()>) + 'static,
    ) -> Side {
        Side::new(name, move |times| {
            let mut total = Sample::default();
            for _ in 0..times {
                let (waiters, cancel) = set_up();
                let mut waiters: Vec<_> = waiters.into_iter().map(Box::pin).collect();
                waiters.iter_mut().for_each(|waiter| poll_once(waiter.as_mut()));
                let watch = Watch::start();
                cancel();
                total += watch.stop();
            }
            total
        })
    }
    case(&format!("cancel/{name}"), n as u64, move || {
        let ours = move || {
            let root = CancelToken::new();
            let tokens = shape.build(n, &root, CancelToken::child);
            let waiters = tokens.into_iter().map(CancelToken::cancelled_owned).collect();
            (waiters, Box::new(move || assert!(root.cancel())) as Box<dyn FnOnce()>)
        };
        let theirs = move || {
            let root = CancellationToken::new();
            let tokens = shape.build(n, &root, CancellationToken::child_token);
            let waiters = tokens.into_iter().map(CancellationToken::cancelled_owned).collect();
            (waiters, Box::new(move || root.cancel()) as Box<dyn FnOnce()>)
        };
        vec![side("ours", ours), side("CancellationToken", theirs).goal(Goal::Ratio(goal))]
    })
}

/// The last handle of a token with many children is dropped; only that is timed.
fn drop_middle() -> Case {
    fn side<T>(name: &'static str, set_up: impl Fn() -> (T, T, Vec<T>) + 'static) -> Side {
        Side::new(name, move |times| {
            let mut total = Sample::default();
            for _ in 0..times.min(100) {
                let (root, middle, children) = set_up();
                let watch = Watch::start();
                drop(middle);
                total += watch.stop();
                drop((children, root));
            }
            // The harness divides by what it asked for.
            total.elapsed = total.elapsed.mul_f64(times as f64 / times.min(100) as f64);
            total
        })
    }
    case("drop_middle/10k", 1, || {
        let ours = || {
            let root = CancelToken::new();
            let middle = root.child();
            let children = (0..CHILDREN).map(|_| middle.child()).collect();
            (root, middle, children)
        };
        let theirs = || {
            let root = CancellationToken::new();
            let middle = root.child_token();
            let children = (0..CHILDREN).map(|_| middle.child_token()).collect();
            (root, middle, children)
        };
        vec![side("ours", ours), side("CancellationToken", theirs).goal(Goal::Ratio(0.01))]
    })
}

/// A future that waits for ever and cannot be seen through.
pub(super) fn waiting() -> impl Future<Output = u32> {
    poll_fn(|cx| {
        black_box(cx.waker());
        black_box(Poll::<u32>::Pending)
    })
}

/// Polls of a wrapped future that waits, with the same waker.
pub(super) fn polls<F: Future>(name: &'static str, wrap: impl Fn() -> F + 'static) -> Side {
    Side::new(name, move |times| {
        let mut future = pin!(wrap());
        poll_once(future.as_mut());
        let mut cx = Context::from_waker(Waker::noop());
        let watch = Watch::start();
        for _ in 0..times * MANY {
            black_box(future.as_mut().poll(&mut cx).is_pending());
        }
        watch.stop()
    })
}

fn until_cancelled() -> Case {
    case("until_cancelled/poll", MANY, || {
        let (ours, theirs) = (CancelToken::new(), CancellationToken::new());
        vec![
            polls("ours", move || waiting().until_cancelled(&ours)),
            polls("bare", waiting).goal(Goal::Extra(1.5)),
            polls("Abortable", || {
                let (_, registration) = AbortHandle::new_pair();
                Abortable::new(waiting(), registration)
            }),
            polls("run_until_cancelled", move || {
                theirs.clone().run_until_cancelled_owned(waiting())
            }),
        ]
    })
}

/// Items of a stream that always has one.
fn stream() -> Case {
    fn items() -> impl Stream<Item = u32> + Unpin {
        stream_poll_fn(|cx| {
            black_box(cx.waker());
            black_box(Poll::Ready(Some(7)))
        })
    }
    fn side<S: Stream>(name: &'static str, wrap: impl Fn() -> S + 'static) -> Side {
        Side::new(name, move |times| {
            let mut stream = pin!(wrap());
            let mut cx = Context::from_waker(Waker::noop());
            let watch = Watch::start();
            for _ in 0..times * MANY {
                black_box(stream.as_mut().poll_next(&mut cx).is_ready());
            }
            watch.stop()
        })
    }
    case("stream/item", MANY, || {
        let (ours, theirs) = (CancelToken::new(), CancellationToken::new());
        vec![
            side("ours", move || items().until_cancelled(&ours)),
            side("bare", items).goal(Goal::Extra(1.5)),
            side("take_until", move || {
                use futures_util::StreamExt;
                let token = theirs.clone();
                items().take_until(Box::pin(async move {
                    token.cancelled().await;
                    pending::<()>().await;
                }))
            }),
        ]
    })
}

/// Does one thing with a token `n` times, for callgrind. Returns `false` if there is no such side.
pub fn count(side: &str, n: usize) -> bool {
    let (ours, theirs) = (CancelToken::new(), CancellationToken::new());
    match side {
        "token" => (0..n).for_each(|_| drop(ours.child())),
        "token_peer" => (0..n).for_each(|_| drop(theirs.child_token())),
        "wait" => (0..n).for_each(|_| poll_once(pin!(ours.cancelled()))),
        "wait_peer" => (0..n).for_each(|_| poll_once(pin!(theirs.cancelled()))),
        "cancel" => {
            let tokens = Shape::Flat.build(n, &ours, CancelToken::child);
            let mut waiters: Vec<_> =
                tokens.iter().map(|token| Box::pin(token.cancelled())).collect();
            waiters.iter_mut().for_each(|waiter| poll_once(waiter.as_mut()));
            ours.cancel();
        }
        "cancel_peer" => {
            let tokens = Shape::Flat.build(n, &theirs, CancellationToken::child_token);
            let mut waiters: Vec<_> =
                tokens.iter().map(|token| Box::pin(token.cancelled())).collect();
            waiters.iter_mut().for_each(|waiter| poll_once(waiter.as_mut()));
            theirs.cancel();
        }
        _ => return false,
    }
    true
}
