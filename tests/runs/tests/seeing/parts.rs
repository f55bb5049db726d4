//! A nursery with thousands of tasks is read in parts, while it changes.

use allhome::runtime::ThreadPool;
use allhome::{Nursery, block_on, nursery, yield_now};
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

type Never = Nursery<Infallible>;

/// So many tasks take some holds of the lock.
const MANY: usize = 7_000;

const LOOKS: usize = 20;

#[test]
fn u23_tasks_that_are_there_all_the_time_are_seen_once() {
    let run = nursery().on(ThreadPool::global()).grace(Duration::MAX).run(async |n: Never| {
        let stay: Vec<_> = (0..MANY).map(|_| n.go(pending()).id().unwrap()).collect();
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            // Others come and go, among them the last that a look has seen; and those that stay are
            // moved by their cancel.
            scope.spawn(|| {
                let mut cancelled = stay.iter().step_by(3);
                while !over.load(Ordering::SeqCst) {
                    for _ in 0..100 {
                        // As long as the pool keeps up.
                        if n.len() < MANY + 1_000 {
                            n.go(yield_now());
                        }
                        let _told = cancelled.next().map(|id| n.cancel_task(*id));
                    }
                }
            });
            for look in 0..LOOKS {
                let tree = n.tree();
                let seen: BTreeSet<_> = tree.root().tasks.iter().map(|task| task.id).collect();
                assert_eq!(seen.len(), tree.tasks(), "look {look}: one was seen twice");
                let missed = stay.iter().filter(|id| !seen.contains(id)).count();
                assert_eq!(missed, 0, "look {look}: some were missed");
            }
            over.store(true, Ordering::SeqCst);
        });
        n.abort();
        Ok(())
    });
    block_on(run).expect("no child fails");
}

/// A look takes the claim of a child that has a task of the runtime for its own, for a moment. What
/// begins in that moment waits for it.
#[test]
fn u24_a_look_loses_no_work() {
    const JOBS: usize = 3_000;
    /// Gives others the processor until there are so few, or a job is lost.
    fn until_few(n: &Never, few: usize) {
        (0..1_000_000).take_while(|_| n.len() > few).for_each(|_| thread::yield_now());
    }
    let done = Arc::new(AtomicUsize::new(0));
    let run = nursery().on(ThreadPool::global()).run(async |n: Never| {
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let look = || {
                while !over.load(Ordering::SeqCst) {
                    let _tree = n.tree();
                }
            };
            let _looks = [(); 2].map(|()| scope.spawn(look));
            for _ in 0..JOBS {
                let done = done.clone();
                let _told = n.task("job").blocking(move |_| {
                    done.fetch_add(1, Ordering::SeqCst);
                    Ok(())
                });
                until_few(&n, 50);
            }
            until_few(&n, 0);
            over.store(true, Ordering::SeqCst);
        });
        assert_eq!(done.load(Ordering::SeqCst), JOBS);
        Ok(())
    });
    block_on(run).unwrap();
}
