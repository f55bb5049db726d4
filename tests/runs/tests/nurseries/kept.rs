//! Children that block their threads, on a runtime that keeps for each thread the task which that
//! thread has scheduled last: no other child waits for them, but for one that is kept.

use allhome::{Nursery, nursery, runtime::Task, yield_now};
use allhome_conformance::{Counts, Gate};
use allhome_runs::Slotted;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

const CHILDREN: usize = 10;

/// What the children of a test share.
struct Test {
    executor: Slotted,
    gate: Gate,
    counts: Counts,
    /// How many polls are still to block.
    to_block: AtomicUsize,
    /// How many children were over when all that could run beside those that blocked had run.
    beside: AtomicUsize,
}

impl Test {
    /// Blocks its thread until the others find nothing any more, if a poll is still to block.
    fn block(&self) {
        let Ok(left) = self.to_block.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1))
        else {
            return;
        };
        self.executor.run_others();
        if left == 1 {
            self.beside.store(self.counts.drops(), SeqCst);
        }
        // What blocks from here on does not block beside this.
        self.to_block.store(0, SeqCst);
    }

    async fn waits_then_blocks(self: Arc<Test>) -> Result<(), Infallible> {
        let _guard = self.counts.guard();
        self.counts.polled();
        self.gate.wait().await;
        self.block();
        Ok(())
    }
}

/// Runs a nursery in a task of the runtime, for each number of workers and of polls that block, such
/// that one worker is free; at most so many block, and so many of those are none of the children.
fn in_each<B>(most: usize, others: usize, body: fn(Nursery<Infallible>, Arc<Test>) -> B)
where
    B: Future<Output = ()> + Send + 'static,
{
    let each = (2..=6).flat_map(|workers| (1..workers).map(move |blocks| (workers, blocks)));
    for (workers, blocks) in each.filter(|(_, blocks)| *blocks <= most) {
        let test = Arc::new(Test {
            executor: Slotted::new(workers),
            gate: Gate::new(),
            counts: Counts::new(),
            to_block: AtomicUsize::new(blocks),
            beside: AtomicUsize::new(0),
        });
        let (runtime, run) = (test.executor.runtime(), test.clone());
        test.executor.runtime().spawn(Task::from_future(async move {
            let ran = nursery().on(&runtime).run(async move |n| {
                body(n, run).await;
                Ok(())
            });
            ran.await.unwrap();
        }));
        test.executor.run_others();
        assert_eq!(test.counts.drops(), CHILDREN, "{workers} workers, {blocks} block");
        // What blocks is not over, and each of them keeps one.
        let (beside, owed) = (test.beside.load(SeqCst), CHILDREN + others - 2 * blocks);
        assert!(beside >= owed, "{beside} of {owed}: {workers} workers, {blocks} block");
    }
}

/// Ends when the children wait at the gate.
async fn spawn_waiting(n: &Nursery<Infallible>, test: &Arc<Test>) {
    (0..CHILDREN).for_each(|_| drop(n.spawn(test.clone().waits_then_blocks())));
    while test.counts.polls() < CHILDREN {
        yield_now().await;
    }
}

#[test]
fn x05_woken_together_and_the_first_block() {
    in_each(6, 0, |n, test| async move {
        spawn_waiting(&n, &test).await;
        test.gate.open();
    });
}

#[test]
fn x05_body_wakes_and_blocks() {
    in_each(6, 1, |n, test| async move {
        spawn_waiting(&n, &test).await;
        test.gate.open();
        test.block();
    });
}

#[test]
fn x05_child_wakes_its_siblings_and_blocks() {
    in_each(6, 1, |n, test| async move {
        spawn_waiting(&n, &test).await;
        n.spawn(async move {
            test.gate.open();
            test.block();
            Ok(())
        });
    });
}

#[test]
fn x05_child_spawns_siblings_and_blocks() {
    in_each(6, 1, |n, test| async move {
        test.gate.open();
        let siblings = n.clone();
        n.spawn(async move {
            (0..CHILDREN).for_each(|_| drop(siblings.spawn(test.clone().waits_then_blocks())));
            test.block();
            Ok(())
        });
    });
}

#[test]
fn x05_child_cancels_its_siblings_and_blocks() {
    in_each(1, 1, |n, test| async move {
        spawn_waiting(&n, &test).await;
        let siblings = n.clone();
        n.spawn(async move {
            siblings.cancel();
            test.block();
            Ok(())
        });
    });
}

/// It shows that the runtime's own tasks fare no better.
#[test]
fn a_task_that_is_kept_waits() {
    let (executor, over) = (Slotted::new(2), Counts::new());
    let (runtime, count, others) = (executor.runtime(), over.clone(), executor.clone());
    executor.runtime().spawn(Task::from_future(async move {
        for _ in 0..CHILDREN {
            let guard = count.guard();
            runtime.spawn(Task::from_future(async move { drop(guard) }));
        }
        others.run_others();
        assert_eq!(count.drops(), CHILDREN - 1);
    }));
    executor.run_others();
    assert_eq!(over.drops(), CHILDREN);
}
