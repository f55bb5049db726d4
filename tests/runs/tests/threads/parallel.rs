//! Which threads run the children, and that the caller's is one of them.

use crate::Calm;
use allhome::runtime::{IntoRuntime, LocalExecutor, ThreadPool};
use allhome::{Tokio, block_on, nursery, sleep, thread_scope, yield_now};
use allhome_conformance::Gate;
use allhome_runs::within;
use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::Duration;

#[test]
fn i44_children_run_on_as_many_threads_as_was_set() {
    within(|| {
        let (meet, threads) = (Barrier::new(3), Mutex::new(HashSet::new()));
        let run = thread_scope().threads(3).run(async |s: Calm<'_>| {
            for _ in 0..3 {
                // Each blocks its thread until all three are polled.
                s.go(async {
                    meet.wait();
                    threads.lock().expect("no panic").insert(thread::current().id());
                });
            }
            Ok(())
        });
        assert!(run.is_ok());
        let threads = threads.into_inner().expect("no panic");
        assert_eq!(threads.len(), 3);
        assert!(threads.contains(&thread::current().id()), "the caller's thread is one");
    });
}

#[test]
fn i44_its_threads_have_its_name_whatever_that_is() {
    let run = nursery().name("a\0b").thread_scope().threads(2).run(async |_: Calm<'_>| Ok(()));
    assert!(run.is_ok());
}

#[test]
fn i44_one_is_the_callers() {
    let caller = thread::current().id();
    for threads in [0, 1] {
        let run = thread_scope().threads(threads).run(async |s: Calm<'_>| {
            for _ in 0..10 {
                s.go(async move { assert_eq!(thread::current().id(), caller) });
            }
            Ok(())
        });
        assert!(run.is_ok());
    }
}

#[test]
fn i44_children_run_while_the_body_blocks() {
    within(|| {
        let meet = Barrier::new(2);
        let run = thread_scope().threads(2).run(async |s: Calm<'_>| {
            s.go(async {
                meet.wait();
            });
            meet.wait();
            Ok(())
        });
        assert!(run.is_ok());
    });
}

#[test]
fn i44_a_child_that_blocks_holds_up_none() {
    within(|| {
        let (give, given) = std::sync::mpsc::channel();
        let given = Mutex::new(given);
        let run = thread_scope().threads(2).run(async |s: Calm<'_>| {
            s.go(async { given.lock().expect("no panic").recv().expect("it is sent") });
            for _ in 0..100 {
                s.go(yield_now());
            }
            s.go(async move { give.send(()).expect("it is received") });
            Ok(())
        });
        assert!(run.is_ok());
    });
}

#[test]
fn i44_no_thread_is_left() {
    let run = nursery().name("no-thread-left").thread_scope().threads(4);
    assert!(run.run(async |_: Calm<'_>| Ok(())).is_ok());
    let is_one = |entry: std::io::Result<std::fs::DirEntry>| {
        let name = entry.and_then(|entry| std::fs::read_to_string(entry.path().join("comm")));
        name.is_ok_and(|name| name.starts_with("no-thread-left"))
    };
    let left = move || std::fs::read_dir("/proc/self/task").is_ok_and(|mut all| all.any(is_one));
    // A thread that was joined may be listed for a moment still.
    within(move || {
        while left() {
            thread::yield_now();
        }
    });
}

/// The sum of a tree, with a scope for each of its nodes.
fn nested(depth: u32, pool: Option<&ThreadPool>) -> u32 {
    if depth == 0 {
        return 1;
    }
    let builder = match pool {
        Some(pool) => nursery().on(pool).thread_scope(),
        None => thread_scope().threads(2),
    };
    let sum = builder.run(async |s: Calm<'_>| {
        let halves = [(); 2].map(|()| s.fork(async { Ok(nested(depth - 1, pool)) }));
        let mut sum = 0;
        for half in halves {
            sum += half.await.unwrap_or(0);
        }
        Ok(sum)
    });
    sum.unwrap_or(0)
}

#[test]
fn i45_scopes_nest() {
    assert_eq!(within(|| nested(5, None)), 32);
}

#[test]
fn i45_on_the_only_worker_of_the_pool() {
    let sum = within(|| {
        let pool = ThreadPool::new(1).expect("it starts");
        let on = pool.clone();
        // The scope is called on the worker, and so are those inside.
        let run = nursery().on(&pool).run(async |n| {
            let child = n.fork(async move { Ok::<_, &str>(nested(5, Some(&on))) });
            child.await.map_err(|_| "no value")
        });
        block_on(run).unwrap_or(0)
    });
    assert_eq!(sum, 32);
}

#[test]
fn i45_on_the_only_thread_of_tokio() {
    within(|| {
        let tokio = tokio::runtime::Builder::new_current_thread().build().expect("tokio starts");
        let text = String::from("borrowed");
        let bytes = tokio.block_on(async {
            nursery().on(Tokio).thread_scope().run(async |s: Calm<'_>| {
                let child = s.fork(async { Ok(text.len()) });
                Ok(child.await.unwrap_or(0))
            })
        });
        assert_eq!(bytes.unwrap_or(0), 8);
    });
}

#[test]
fn i45_a_runtime_that_is_not_driven_any_more_holds_up_none() {
    within(|| {
        let executor = LocalExecutor::new();
        let (on, stop, rest) =
            ((&executor).into_runtime().expect("it is there"), Gate::new(), Gate::new());
        let (stops, opens) = (stop.clone(), rest.clone());
        let other = thread::spawn(move || {
            nursery().on(on).thread_scope().run(async |s: Calm<'_>| {
                // Where it is polled there, the hand there is idle after it.
                for _ in 0..100 {
                    s.go(yield_now());
                }
                s.idle().await;
                stops.open();
                rest.wait().await;
                let (first, second) = (Gate::new(), Gate::new());
                let (opens, waits) = (first.clone(), second.clone());
                s.go(async move {
                    opens.wait().await;
                    waits.open();
                });
                s.go(async move { first.open() });
                second.wait().await;
                Ok(())
            })
        });
        executor.run(stop.wait());
        opens.open();
        assert!(other.join().is_ok_and(|run| run.is_ok()));
    });
}

#[test]
fn i45_in_a_child_of_a_local_executor() {
    within(|| {
        let executor = LocalExecutor::new();
        let run = nursery().on(&executor).run(async |n| {
            n.spawn(async {
                assert_eq!(nested(3, None), 8);
                Ok::<_, &str>(())
            });
            Ok(())
        });
        assert!(executor.run(run).is_ok());
    });
}

#[test]
fn i46_children_run_on_the_threads_of_the_runtime() {
    within(|| {
        let pool = ThreadPool::builder().threads(2).name("i46").build().expect("it starts");
        let (meet, named) = (Barrier::new(3), AtomicUsize::new(0));
        let run = nursery().on(&pool).thread_scope().run(async |s: Calm<'_>| {
            for _ in 0..3 {
                s.go(async {
                    meet.wait();
                    let is_worker = thread::current().name().is_some_and(|n| n.starts_with("i46"));
                    named.fetch_add(usize::from(is_worker), Ordering::Relaxed);
                });
            }
            Ok(())
        });
        assert!(run.is_ok());
        assert_eq!(named.into_inner(), 2, "two of the pool's, and the caller's");
    });
}

#[test]
fn i46_the_runtime_may_end_meanwhile() {
    within(|| {
        let pool = ThreadPool::new(2).expect("it starts");
        let ended = AtomicUsize::new(0);
        let run = nursery().on(&pool).thread_scope().run(async |s: Calm<'_>| {
            for _ in 0..100 {
                s.go(async {
                    yield_now().await;
                    ended.fetch_add(1, Ordering::Relaxed);
                });
            }
            pool.shutdown();
            Ok(())
        });
        assert_eq!((run.is_ok(), ended.into_inner()), (true, 100), "the caller's thread runs them");
    });
}

#[test]
fn i46_children_sleep_by_the_lent_clock() {
    within(|| {
        let run = thread_scope().run(async |s: Calm<'_>| {
            s.go(sleep(Duration::from_millis(1)));
            let blocking = s.blocking(|_| Ok(1));
            Ok(blocking.await.unwrap_or(0))
        });
        assert_eq!(run.unwrap_or(0), 1);
    });
}
