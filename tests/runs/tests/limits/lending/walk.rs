//! Trees of nurseries on one limiter, on runtimes of all manners.

use super::Walk;
use allhome::runtime::ThreadPool;
use allhome::{Nursery, Semaphore, block_on, nursery};
use allhome_conformance::Counts;
use allhome_runs::{AtSpawn, AtWake, Manner, Stepped, Wakes, poll_once, within};
use std::convert::Infallible;
use std::sync::Arc;
use std::task::Poll;

/// How a node of a tree begins the walks below it.
#[derive(Clone, Copy)]
enum How {
    Reserve,
    Plain,
    Joined,
}

/// Counts the nodes of a tree, one task a node.
fn walk(how: How, depth: usize, width: usize, limiter: Arc<Semaphore>, count: Counts) -> Walk {
    Box::pin(async move {
        count.polled();
        if depth == 0 {
            return Ok(1);
        }
        let run = nursery().limiter(&limiter).run(async |n: Nursery<Infallible>| {
            let mut below = Vec::new();
            for _ in 0..width {
                let next = walk(how, depth - 1, width, limiter.clone(), count.clone());
                below.push(match how {
                    How::Reserve => n.reserve().await.unwrap().fork(next),
                    How::Plain | How::Joined => n.fork(next),
                });
            }
            let mut nodes = 1;
            if matches!(how, How::Joined) {
                for child in below.drain(..) {
                    nodes += child.await.unwrap();
                }
            }
            Ok((nodes, below))
        });
        let (mut nodes, below) = run.await.unwrap();
        for child in below {
            nodes += child.await.unwrap();
        }
        Ok(nodes)
    })
}

fn nodes(depth: usize, width: usize) -> usize {
    (0..=depth).map(|level| width.pow(u32::try_from(level).unwrap())).sum()
}

#[test]
fn l15_a_thousand_deep_with_one_slot() {
    for how in [How::Reserve, How::Plain, How::Joined] {
        let stepped = Stepped::new(1);
        let limiter = Arc::new(Semaphore::new(1));
        let count = Counts::new();
        let run = nursery().on(stepped.runtime()).limiter(&limiter).run(
            async |n: Nursery<Infallible>| {
                let first = walk(how, 1_000, 1, limiter.clone(), count.clone());
                Ok(n.reserve().await.unwrap().fork(first).await.unwrap())
            },
        );
        assert_eq!(stepped.drive(run).unwrap(), 1_001);
        assert_eq!((count.polls(), limiter.available(), limiter.waiters()), (1_001, 1, 0));
    }
}

/// Runtimes that poll inside `spawn` and `wake`, or on another thread each time.
#[test]
fn l15_on_runtimes_with_other_manners() {
    within(|| {
        let manners = [
            Manner { at_spawn: AtSpawn::Poll, ..Manner::default() },
            Manner { at_wake: AtWake::Poll, ..Manner::default() },
            Manner { at_spawn: AtSpawn::Poll, at_wake: AtWake::Poll, ..Manner::default() },
            Manner { at_spawn: AtSpawn::Thread, at_wake: AtWake::Thread, ..Manner::default() },
            Manner { spurious: true, ..Manner::default() },
            Manner { at_wake: AtWake::Panic, ..Manner::default() },
        ];
        for (manner, how) in manners
            .into_iter()
            .flat_map(|manner| [How::Reserve, How::Plain, How::Joined].map(|how| (manner, how)))
        {
            let stepped = Stepped::with(2, manner);
            for (depth, width, slots) in [(20, 1, 1), (4, 2, 1), (3, 3, 2)] {
                let limiter = Arc::new(Semaphore::new(slots));
                let runtime = stepped.runtime();
                let run =
                    nursery().on(runtime).limiter(&limiter).run(async |n: Nursery<Infallible>| {
                        let first = walk(how, depth, width, limiter.clone(), Counts::new());
                        Ok(n.fork(first).await.unwrap())
                    });
                let mut run = Box::pin(run);
                let wakes = Wakes::new();
                let counted = loop {
                    match poll_once(&mut run, &wakes) {
                        Poll::Ready(counted) => break counted.unwrap(),
                        Poll::Pending => {}
                    }
                    if !stepped.step() {
                        std::thread::yield_now();
                    }
                };
                stepped.join_threads();
                assert_eq!(counted, nodes(depth, width));
                assert_eq!((limiter.available(), limiter.waiters()), (slots, 0));
            }
        }
    });
}

#[test]
fn l15_branching_on_threads() {
    within(|| {
        for (how, depth, width, slots) in [
            (How::Reserve, 8, 2, 1),
            (How::Plain, 8, 2, 1),
            (How::Joined, 8, 2, 2),
            (How::Reserve, 1_000, 1, 1),
            (How::Joined, 1_000, 1, 2),
            (How::Plain, 6, 3, 4),
            (How::Reserve, 4, 5, 3),
        ] {
            let limiter = Arc::new(Semaphore::new(slots));
            let count = Counts::new();
            let run = nursery().on(ThreadPool::global()).limiter(&limiter).run(
                async |n: Nursery<Infallible>| {
                    let first = walk(how, depth, width, limiter.clone(), count.clone());
                    Ok(n.fork(first).await.unwrap())
                },
            );
            assert_eq!(block_on(run).unwrap(), nodes(depth, width));
            assert_eq!((limiter.available(), limiter.waiters()), (slots, 0));
        }
    });
}
