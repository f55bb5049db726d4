//! Tokio's budget, of 128 units in a poll of a task; and its tasks.

use allhome::runtime::IntoRuntime;
use allhome::{Child, Nursery, Tokio, checkpoint, move_on_after, nursery, yield_now};
use allhome_conformance::{Counts, eventually};
use std::collections::HashSet;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task;

/// As many messages as a poll of a child can receive.
const MOST: u32 = 127;

const CHILDREN: usize = 200;

fn flavors() -> [Runtime; 2] {
    let multi = Builder::new_multi_thread().worker_threads(2).enable_time().build();
    [Builder::new_current_thread().enable_time().build().unwrap(), multi.unwrap()]
}

/// Counts the polls of a future.
async fn counted<F: Future>(counts: Counts, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        let poll = future.as_mut().poll(cx);
        counts.polled();
        poll
    })
    .await
}

async fn receive(mut from: UnboundedReceiver<u32>, number: u32) -> u32 {
    let mut sum = 0;
    for _ in 0..number {
        sum += from.recv().await.unwrap();
    }
    sum
}

fn send(to: &UnboundedSender<u32>, number: u32) {
    for _ in 0..number {
        to.send(1).unwrap();
    }
}

/// How many of 200 children that wait for messages have their value, when all is sent and they are
/// cancelled at once.
fn had_their_value(tokio: &Runtime, each: u32) -> usize {
    let run = nursery().on(Tokio::on(tokio.handle())).run(async |n: Nursery<Infallible>| {
        let (mut children, mut senders) = (Vec::<Child<u32, _>>::new(), Vec::new());
        let counts = Counts::new();
        for _ in 0..CHILDREN {
            let (to, from) = unbounded_channel();
            senders.push(to);
            let child = counted(counts.clone(), receive(from, each));
            children.push(n.fork(async { Ok(child.await) }));
        }
        eventually(|| counts.polls() == CHILDREN).await;
        senders.iter().for_each(|to| send(to, each));
        n.cancel();
        Ok((children, senders))
    });
    let (children, _senders) = tokio.block_on(run).unwrap();
    children.into_iter().filter_map(|mut child| child.try_join()?.ok()).count()
}

#[test]
fn e07_value_ready_in_the_last_poll_wins_beside_siblings_that_use_up_tokios_budget() {
    for tokio in flavors() {
        for each in [1, 20, MOST] {
            assert_eq!(had_their_value(&tokio, each), CHILDREN, "{each} messages each");
        }
    }
}

#[test]
fn x19_greedy_siblings_on_tokio() {
    // All are polled for the first time, and each finds what it needs in that poll.
    for tokio in flavors() {
        let counts = Counts::new();
        let run = nursery().on(Tokio::on(tokio.handle())).run(async |n: Nursery<Infallible>| {
            for _ in 0..CHILDREN {
                let (to, from) = unbounded_channel();
                send(&to, MOST);
                let child = counted(counts.clone(), receive(from, MOST));
                n.spawn(async {
                    child.await;
                    Ok(())
                });
            }
            Ok(())
        });
        tokio.block_on(run).unwrap();
        assert_eq!(counts.polls(), CHILDREN);
    }
}

#[test]
fn c20_what_is_there_in_the_last_poll_is_had_on_tokio() {
    // A child that is cut off in the middle has taken messages that no one has.
    for tokio in flavors() {
        let (counts, left) = (Counts::new(), Arc::new(AtomicUsize::new(20 * CHILDREN)));
        let run = nursery().on(Tokio::on(tokio.handle())).run(async |n: Nursery<Infallible>| {
            let mut senders = Vec::new();
            for _ in 0..CHILDREN {
                let ((to, from), left) = (unbounded_channel(), left.clone());
                senders.push(to);
                let child = counted(counts.clone(), receive(from, 20));
                n.spawn(async move {
                    left.fetch_sub(child.await as usize, SeqCst);
                    Ok(())
                });
            }
            eventually(|| counts.polls() == CHILDREN).await;
            senders.iter().for_each(|to| send(to, 20));
            n.cancel();
            Ok(senders)
        });
        tokio.block_on(run).unwrap();
        assert_eq!(left.load(SeqCst), 0, "messages are lost");
    }
}

#[test]
fn t03_a_value_wins_in_a_scope_of_no_time_on_tokio() {
    for tokio in flavors() {
        let run = nursery().on(Tokio::on(tokio.handle())).run(async |n: Nursery<Infallible>| {
            let mut children = Vec::new();
            for _ in 0..CHILDREN {
                let (to, from) = unbounded_channel();
                send(&to, 200);
                children.push(n.fork(async move {
                    let mut from = from;
                    // The task itself uses up what it has.
                    for _ in 0..MOST {
                        from.recv().await.unwrap();
                    }
                    Ok(move_on_after(Duration::ZERO, receive(from, 20)).await)
                }));
            }
            let mut had = Vec::new();
            for child in children {
                had.push(child.await.unwrap());
            }
            Ok(had)
        });
        assert_eq!(tokio.block_on(run).unwrap(), [Some(20); CHILDREN]);
    }
}

#[test]
fn c22_a_cancelled_body_whose_task_has_no_budget_waits_one_turn_on_tokio() {
    for tokio in flavors() {
        let (to, from) = unbounded_channel();
        let (greedy, mut eaten) = unbounded_channel();
        send(&to, 20);
        send(&greedy, 128);
        let run = async {
            let run = nursery().on(Tokio).run(async |n: Nursery<Infallible>| {
                n.cancel();
                Ok(receive(from, 20).await)
            });
            for _ in 0..128 {
                eaten.recv().await.unwrap();
            }
            run.await.ok()
        };
        assert_eq!(tokio.block_on(run), Some(20));
    }
}

#[test]
fn x20_each_child_has_a_task_of_its_own_if_told_to() {
    for tokio in flavors() {
        let given = Tokio::on(tokio.handle()).task_per_child().into_runtime().unwrap();
        let run = nursery().on(given).run(async |n: Nursery<Infallible>| {
            let child = async || {
                let before = task::id();
                for _ in 0..20 {
                    yield_now().await;
                    let _ = checkpoint().await;
                    assert_eq!(task::id(), before, "it has changed across an await");
                }
                before
            };
            let children: Vec<_> =
                (0..100).map(|_| n.fork(async move { Ok(child().await) })).collect();
            let mut ids = HashSet::new();
            for child in children {
                ids.insert(child.await.unwrap());
            }
            Ok(ids.len())
        });
        assert_eq!(tokio.block_on(run).unwrap(), 100);
    }
}
