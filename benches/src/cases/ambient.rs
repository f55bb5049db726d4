//! What a task pays for its ambient context: around every poll, and when it asks.

use std::convert::Infallible;
use std::future::poll_fn;
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use allhome::cancel::{CancelExt, CancelToken, cancel_token};
use allhome::runtime::{Runtime, ThreadPool};
use allhome::task::ScopedKey;
use allhome::{Nursery, block_on, cancelled, is_cancelled, move_on_after, nursery, shield};
use allhome_rt::{Spawn, Task};

use super::token::{MANY, poll_once, polls, waiting};
use crate::case::{Case, Goal, Measure, Side};
use crate::watch::{Sample, Watch};

static KEY: ScopedKey<u32> = ScopedKey::new();

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("scope/poll", || {
            vec![
                polls("ours", || KEY.scope(1, waiting())),
                polls("bare", waiting).goal(Goal::Extra(1.5)),
            ]
        }),
        case("child/poll", || {
            vec![
                by_hand("ours", |future| Hand::default().child(future)),
                by_hand("bare", |future| future),
                by_hand("bare task", Task::from_future),
            ]
        }),
        asks(),
        wraps("until_cancelled/poll", || waiting().until_cancelled(&cancel_token()), Some(1.5)),
        wraps("shield/poll", || shield(Duration::MAX, waiting()), None),
        wraps("move_on_after_max/poll", || move_on_after(Duration::MAX, waiting()), None),
        wraps(
            "move_on_after_1h/poll",
            || move_on_after(Duration::from_secs(3600), waiting()),
            None,
        ),
        wraps("cancelled/poll", cancelled, None),
        // By the waker of the task that polls it; and by one that a part of a task has to itself.
        register("cancelled/register", |cx| cx.waker().clone()),
        register("cancelled/register/in_a_part", |_| Waker::noop().clone()),
        case("value/get", || {
            vec![
                Side::new("ours", |times| {
                    block_on(
                        KEY.scope(1, async move { looped(|| drop(black_box(KEY.get())))(times) }),
                    )
                }),
                Side::new("Arc::clone", |times| {
                    let value = Arc::new(1);
                    looped(move || drop(black_box(Arc::clone(&value))))(times)
                }),
            ]
        }),
    ]
}

fn case(name: &str, sides: impl Fn() -> Vec<Side> + 'static) -> Case {
    let (name, measure) = (format!("ambient/{name}"), Measure::Nanoseconds);
    Case { name, ops: MANY, measure, heavy: false, sides: Box::new(sides) }
}

/// Does the same over and over.
fn looped(mut once: impl FnMut()) -> impl FnMut(u64) -> Sample {
    move |times| {
        let watch = Watch::start();
        for _ in 0..times * MANY {
            once();
        }
        watch.stop()
    }
}

/// A side that is measured inside the body of a nursery.
fn inside<S: FnMut(u64) -> Sample>(name: &'static str, make: impl Fn() -> S + 'static) -> Side {
    Side::new(name, move |times| {
        let run = nursery().on(ThreadPool::global());
        block_on(run.run(async |_: Nursery<Infallible>| Ok(make()(times)))).expect("nothing fails")
    })
}

/// A wait for the cancel is polled once, in a body, and dropped; and one for a token that is at hand.
fn register(name: &str, waker: fn(&Context<'_>) -> Waker) -> Case {
    fn polled(future: Pin<&mut impl Future>, cx: &mut Context<'_>) {
        assert!(black_box(future.poll(cx)).is_pending());
    }
    fn side(
        name: &'static str,
        waker: fn(&Context<'_>) -> Waker,
        once: impl Fn(&mut Context<'_>) + Clone + 'static,
    ) -> Side {
        Side::new(name, move |times| {
            let once = once.clone();
            let run = nursery().on(ThreadPool::global()).run(async |_: Nursery<Infallible>| {
                let sample = poll_fn(|cx| {
                    let waker = waker(cx);
                    let mut cx = Context::from_waker(&waker);
                    Poll::Ready(looped(|| once(&mut cx))(times))
                });
                Ok(sample.await)
            });
            block_on(run).expect("nothing fails")
        })
    }
    case(name, move || {
        let token = CancelToken::new();
        vec![
            side("ours", waker, |cx| polled(pin!(cancelled()), cx)),
            side("token's", waker, move |cx| polled(pin!(token.cancelled()), cx))
                .goal(Goal::Ratio(1.5)),
        ]
    })
}

/// Asks whether it is cancelled, in a body and in a child.
fn asks() -> Case {
    case("is_cancelled", || {
        let ask = || {
            looped(|| {
                black_box(is_cancelled());
            })
        };
        let flag = Arc::new(AtomicBool::new(false));
        vec![
            Side::new("ours", move |times| {
                let run = nursery().on(ThreadPool::global());
                let run = run.run(async |n: Nursery<Infallible>| {
                    let child = n.fork(async move { Ok(ask()(times)) });
                    Ok(child.await.expect("it gives its sample"))
                });
                block_on(run).expect("nothing fails")
            }),
            inside("in a body", ask),
            Side::new("atomic flag", move |times| {
                looped(|| {
                    black_box(black_box(&flag).load(Relaxed));
                })(times)
            }),
        ]
    })
}

/// Polls of a wrapped future that waits, inside a body; and the same without the wrapper.
fn wraps<F: Future + 'static>(name: &str, wrap: fn() -> F, goal: Option<f64>) -> Case {
    case(name, move || {
        let bare = inside("bare", || polled(waiting()));
        vec![
            inside("ours", move || polled(wrap())),
            match goal {
                Some(extra) => bare.goal(Goal::Extra(extra)),
                None => bare,
            },
        ]
    })
}

fn polled<F: Future>(future: F) -> impl FnMut(u64) -> Sample {
    let mut future = Box::pin(future);
    move |times| {
        let mut cx = Context::from_waker(Waker::noop());
        poll_once(future.as_mut());
        let watch = Watch::start();
        for _ in 0..times * MANY {
            black_box(future.as_mut().poll(&mut cx).is_pending());
        }
        watch.stop()
    }
}

/// A runtime whose tasks the benchmark polls itself.
#[derive(Clone, Default)]
struct Hand(Arc<Mutex<Vec<Task>>>);

impl Spawn for Hand {
    fn spawn(&self, task: Task) {
        self.0.lock().expect("no holder panics").push(task);
    }
}

impl Hand {
    /// Makes the future a child of a nursery, and gives the task that it has to itself, after it
    /// was woken often enough to have one.
    fn child(&self, future: impl Future<Output = ()> + Send + 'static) -> Task {
        let runtime = Runtime::new("hand", self.clone());
        let mut run = Box::pin(nursery().on(runtime).run(async |n: Nursery<Infallible>| {
            n.spawn(async {
                future.await;
                Ok(())
            });
            std::future::pending::<Result<(), _>>().await
        }));
        poll_once(run.as_mut());
        // It is not dropped: the child stays.
        std::mem::forget(run);
        let mut task =
            self.0.lock().expect("no holder panics").pop().expect("a carrier was spawned");
        for _ in 0..100 {
            let polled = Pin::new(&mut task).poll(&mut Context::from_waker(Waker::noop()));
            assert!(polled.is_pending());
        }
        task
    }
}

type Waits = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Polls of a task; the future wakes itself at first, and then waits.
fn by_hand<T: Future<Output = ()> + Unpin>(
    name: &'static str,
    task: impl Fn(Waits) -> T + 'static,
) -> Side {
    Side::new(name, move |times| {
        let (mut polled, count) = (0, Arc::new(AtomicBool::new(false)));
        let seen = count.clone();
        let mut task = task(Box::pin(poll_fn(move |cx| {
            polled += 1;
            if polled < 40 {
                cx.waker().wake_by_ref();
            } else {
                seen.store(true, Relaxed);
            }
            black_box(Poll::<()>::Pending)
        })));
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..100 {
            assert!(Pin::new(&mut task).poll(&mut cx).is_pending());
        }
        count.store(false, Relaxed);
        assert!(Pin::new(&mut task).poll(&mut cx).is_pending());
        assert!(count.load(Relaxed), "a poll of the task is one of the future");
        let watch = Watch::start();
        for _ in 0..times * MANY {
            black_box(Pin::new(&mut task).poll(&mut cx).is_pending());
        }
        watch.stop()
    })
}
