//! Two tasks that wake each other by turns: on one thread, on two, and on an executor each.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::Poll;
use std::thread;

use allhome::runtime::{LocalExecutor, ThreadPool};
use allhome_rt::{Spawn, Task};
use async_executor::{Executor, StaticExecutor};
use futures_util::task::AtomicWaker;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use crate::case::{Case, Goal, Measure, Side};
use crate::go;
use crate::watch::{Sample, Watch};

const ROUNDS: usize = 1_000;

type Player = Pin<Box<dyn Future<Output = ()> + Send>>;

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("ping_pong/local", || vec![local(), goal(local_peer()), goal(tokio_current_thread())]),
        case("ping_pong/pool", || {
            let (ours, tokio) = (ThreadPool::new(2).expect("two threads"), runtime(2));
            let peer = executor(2);
            let mut sides = vec![
                elsewhere("ours", move |_, player| ours.spawn(Task::from_future(player))),
                goal(elsewhere("StaticExecutor", move |_, player| peer.spawn(player).detach())),
                goal(elsewhere("tokio", move |_, player| drop(tokio.spawn(player)))),
            ];
            sides.extend(go::side("Go, channels", "ping_pong", ROUNDS).map(goal));
            sides
        }),
        case("ping_pong/two_executors", || {
            let ours = [0; 2].map(|_| ThreadPool::new(1).expect("one thread"));
            let (peers, tokios) = ([0; 2].map(|_| executor(1)), [0; 2].map(|_| runtime(1)));
            vec![
                elsewhere("ours", move |own, player| ours[own].spawn(Task::from_future(player))),
                goal(elsewhere("StaticExecutor", move |own, player| {
                    peers[own].spawn(player).detach();
                })),
                goal(elsewhere("tokio", move |own, player| drop(tokios[own].spawn(player)))),
            ]
        }),
    ]
}

fn case(name: &str, sides: impl Fn() -> Vec<Side> + 'static) -> Case {
    let (name, ops) = (name.to_string(), 2 * ROUNDS as u64);
    Case { name, ops, measure: Measure::Nanoseconds, heavy: false, sides: Box::new(sides) }
}

fn goal(side: Side) -> Side {
    side.goal(Goal::Ratio(1.00))
}

fn executor(threads: usize) -> &'static StaticExecutor {
    let executor: &'static StaticExecutor = Executor::new().leak();
    for _ in 0..threads {
        thread::spawn(move || allhome::block_on(executor.run(std::future::pending::<()>())));
    }
    executor
}

fn runtime(threads: usize) -> Runtime {
    Builder::new_multi_thread().worker_threads(threads).build().expect("a tokio runtime")
}

#[derive(Default)]
struct Baton {
    holder: AtomicUsize,
    waiting: [AtomicWaker; 2],
}

impl Baton {
    async fn play(&self, own: usize) {
        for _ in 0..ROUNDS {
            poll_fn(|cx| {
                if self.holder.load(SeqCst) == own {
                    return Poll::Ready(());
                }
                self.waiting[own].register(cx.waker());
                // It may have come before the waker was there.
                if self.holder.load(SeqCst) == own { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            self.holder.store(1 - own, SeqCst);
            self.waiting[1 - own].wake();
        }
    }
}

/// Makes both players; the second reports when it is over.
fn players() -> ([Player; 2], oneshot::Receiver<()>) {
    let (done, over) = oneshot::channel();
    let first = Arc::new(Baton::default());
    let second = Arc::clone(&first);
    let last = async move {
        second.play(1).await;
        done.send(()).expect("the receiver waits");
    };
    ([Box::pin(async move { first.play(0).await }), Box::pin(last)], over)
}

/// On threads that are not the caller's; a player is spawned with its number.
fn elsewhere(name: &'static str, spawn: impl Fn(usize, Player) + 'static) -> Side {
    Side::new(name, move |times| {
        let mut total = Sample::default();
        for _ in 0..times {
            let (players, over) = players();
            let watch = Watch::start();
            players.into_iter().enumerate().for_each(|(own, player)| spawn(own, player));
            over.blocking_recv().expect("the game ends");
            total += watch.stop();
        }
        total
    })
}

/// On the caller's thread, all by one call.
fn here(name: &'static str, run: impl Fn([Player; 2], oneshot::Receiver<()>) + 'static) -> Side {
    Side::new(name, move |times| {
        let mut total = Sample::default();
        for _ in 0..times {
            let (players, over) = players();
            let watch = Watch::start();
            run(players, over);
            total += watch.stop();
        }
        total
    })
}

fn local() -> Side {
    let executor = LocalExecutor::new();
    here("ours", move |players, over| {
        executor.run(async {
            players.into_iter().for_each(|player| executor.spawn_future(player));
            over.await.expect("the game ends");
        });
    })
}

fn local_peer() -> Side {
    let executor = async_executor::LocalExecutor::new();
    here("LocalExecutor", move |players, over| {
        allhome::block_on(executor.run(async {
            players.into_iter().for_each(|player| executor.spawn(player).detach());
            over.await.expect("the game ends");
        }));
    })
}

fn tokio_current_thread() -> Side {
    let runtime = Builder::new_current_thread().build().expect("a tokio runtime");
    here("tokio", move |players, over| {
        runtime.block_on(async {
            players.into_iter().for_each(|player| drop(tokio::spawn(player)));
            over.await.expect("the game ends");
        });
    })
}
