//! The local executor and async-executor's: spawn and join, a turn, from wake to poll.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::task::{Poll, Waker};

use allhome::runtime::LocalExecutor;
use allhome::{Nursery, nursery};

use crate::case::{Case, Goal, Measure, Side};
use crate::watch::{Sample, Watch};
use crate::work::{Noop, Work};

const CHILDREN: usize = 1_000;
const TASKS: usize = 100;
const TURNS: usize = 100;

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("local/spawn_join/1k", CHILDREN, || {
            vec![
                Side::new("ours", |times| spawn_join(times, CHILDREN)),
                Side::new("LocalExecutor", |times| peer_spawn_join(times, CHILDREN))
                    .goal(Goal::Ratio(0.45)),
            ]
        }),
        case("local/spawn/1k", CHILDREN, || both(Scenario::Spawns)),
        case("local/yield", TASKS * TURNS, || both(Scenario::Turns)),
        case("local/wake", TASKS * TURNS, || both(Scenario::Wakes)),
    ]
}

fn case(name: &str, ops: usize, sides: impl Fn() -> Vec<Side> + 'static) -> Case {
    let (name, ops) = (name.to_string(), ops as u64);
    Case { name, ops, measure: Measure::Nanoseconds, heavy: false, sides: Box::new(sides) }
}

/// A local executor, as far as the scenarios need one.
trait Local: Default {
    fn spawn(&self, future: impl Future<Output = ()> + 'static);
    fn run<R>(&self, future: impl Future<Output = R>) -> R;
}

impl Local for LocalExecutor {
    fn spawn(&self, future: impl Future<Output = ()> + 'static) {
        self.spawn_future(future);
    }

    fn run<R>(&self, future: impl Future<Output = R>) -> R {
        LocalExecutor::run(self, future)
    }
}

type Peer = async_executor::LocalExecutor<'static>;

impl Local for Peer {
    fn spawn(&self, future: impl Future<Output = ()> + 'static) {
        async_executor::LocalExecutor::spawn(self, future).detach();
    }

    fn run<R>(&self, future: impl Future<Output = R>) -> R {
        allhome::block_on(async_executor::LocalExecutor::run(self, future))
    }
}

fn both(scenario: Scenario) -> Vec<Side> {
    vec![
        Side::new("ours", move |times| repeat::<LocalExecutor>(times, scenario)),
        Side::new("LocalExecutor", move |times| repeat::<Peer>(times, scenario))
            .goal(Goal::Ratio(0.45)),
    ]
}

#[derive(Clone, Copy)]
enum Scenario {
    Spawns,
    Turns,
    Wakes,
}

fn repeat<L: Local>(times: u64, scenario: Scenario) -> Sample {
    let executor = L::default();
    let mut total = Sample::default();
    for _ in 0..times {
        total += match scenario {
            Scenario::Spawns => spawn_all(&executor),
            Scenario::Turns => take_turns(&executor),
            Scenario::Wakes => wake_all(&executor),
        };
    }
    total
}

async fn turn() {
    let mut first = true;
    poll_fn(|cx| {
        if !std::mem::replace(&mut first, false) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Tasks that end at their first poll; the last one wakes the root. No handles, no nursery.
fn spawn_all<L: Local>(executor: &L) -> Sample {
    let left = Rc::new(Cell::new(CHILDREN));
    let done: Rc<Cell<Option<Waker>>> = Rc::default();
    let watch = Watch::start();
    executor.run(async {
        for _ in 0..CHILDREN {
            let (left, done) = (left.clone(), done.clone());
            executor.spawn(async move {
                left.set(left.get() - 1);
                if left.get() == 0 {
                    done.take().expect("the root waits").wake();
                }
            });
        }
        all_done(&left, &done).await;
    });
    watch.stop()
}

async fn all_done(left: &Cell<usize>, done: &Cell<Option<Waker>>) {
    poll_fn(|cx| {
        if left.get() == 0 {
            return Poll::Ready(());
        }
        done.set(Some(cx.waker().clone()));
        Poll::Pending
    })
    .await;
}

fn take_turns<L: Local>(executor: &L) -> Sample {
    let left = Rc::new(Cell::new(TASKS));
    let done: Rc<Cell<Option<Waker>>> = Rc::default();
    for _ in 0..TASKS {
        let (left, done) = (left.clone(), done.clone());
        executor.spawn(async move {
            for _ in 0..TURNS {
                turn().await;
            }
            left.set(left.get() - 1);
            if left.get() == 0 {
                done.take().expect("the root waits").wake();
            }
        });
    }
    let watch = Watch::start();
    executor.run(all_done(&left, &done));
    watch.stop()
}

/// Tasks that keep their wakers, and a root that wakes them all, again and again.
fn wake_all<L: Local>(executor: &L) -> Sample {
    let waiting: Rc<RefCell<Vec<Waker>>> = Rc::default();
    for _ in 0..TASKS {
        let waiting = waiting.clone();
        executor.spawn(async move {
            let mut left = TURNS;
            poll_fn(|cx| {
                if left == 0 {
                    return Poll::Ready(());
                }
                left -= 1;
                waiting.borrow_mut().push(cx.waker().clone());
                Poll::Pending
            })
            .await;
        });
    }
    let watch = Watch::start();
    executor.run(async {
        for _ in 0..TURNS {
            while waiting.borrow().len() < TASKS {
                turn().await;
            }
            for waker in waiting.take() {
                waker.wake();
            }
        }
    });
    watch.stop()
}

fn spawn_join(times: u64, n: usize) -> Sample {
    let executor = LocalExecutor::new();
    let mut total = Sample::default();
    for _ in 0..times {
        let watch = Watch::start();
        executor.run(async {
            let run = nursery().on(&executor).run(async move |nursery: Nursery<Infallible>| {
                for _ in 0..n {
                    nursery.spawn(Noop.start(Ok(())));
                }
                Ok(())
            });
            run.await.expect("no child fails");
        });
        total += watch.stop();
    }
    total
}

fn peer_spawn_join(times: u64, n: usize) -> Sample {
    let executor = async_executor::LocalExecutor::new();
    let mut total = Sample::default();
    for _ in 0..times {
        let watch = Watch::start();
        allhome::block_on(executor.run(async {
            let tasks: Vec<_> = (0..n).map(|_| executor.spawn(Noop.start(()))).collect();
            for task in tasks {
                task.await;
            }
        }));
        total += watch.stop();
    }
    total
}
