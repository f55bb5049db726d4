//! Faults: what a runtime may do to a program, or have done to it.

use allhome::sim::Faults;
use allhome::{Nursery, Simulator, sleep, yield_now};
use std::convert::Infallible;
use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::thread::{self, ThreadId};
use std::time::Duration;

async fn waits_for_two(
    n: Nursery<std::convert::Infallible>,
) -> Result<u32, std::convert::Infallible> {
    let polls = Arc::new(AtomicU32::new(0));
    let count = polls.clone();
    let waits = n.fork(async move {
        let mut inner = std::pin::pin!(sleep(Duration::from_secs(9)));
        let slept = std::future::poll_fn(|cx| {
            count.fetch_add(1, Ordering::SeqCst);
            inner.as_mut().poll(cx)
        });
        slept.await;
        Ok(())
    });
    for _ in 0..200 {
        yield_now().await;
    }
    let _ = waits.await;
    Ok(polls.load(Ordering::SeqCst))
}

#[test]
fn y10_spurious_wakes_are_polls_that_nobody_asked_for() {
    assert_eq!(Simulator::new().seed(7).run(waits_for_two).unwrap(), 2);
    for foreign_wakes in [false, true] {
        let faults = Faults { spurious_wakes: true, foreign_wakes, ..Faults::default() };
        assert!(Simulator::new().seed(7).faults(faults).run(waits_for_two).unwrap() > 2);
    }
}

#[test]
fn y10_wakes_come_from_another_thread() {
    /// Notes which thread wakes it.
    struct Notes(Mutex<Option<ThreadId>>, Waker);
    impl std::task::Wake for Notes {
        fn wake(self: Arc<Self>) {
            *self.0.lock().unwrap() = Some(thread::current().id());
            self.1.wake_by_ref();
        }
    }
    for foreign_wakes in [false, true] {
        let faults = Faults { foreign_wakes, ..Faults::default() };
        let run =
            Simulator::new().faults(faults).run(async |_: Nursery<std::convert::Infallible>| {
                let mut sleep = std::pin::pin!(sleep(Duration::from_secs(1)));
                let mut notes: Option<Arc<Notes>> = None;
                std::future::poll_fn(|cx| {
                    let notes = notes.get_or_insert_with(|| {
                        Arc::new(Notes(Mutex::new(None), cx.waker().clone()))
                    });
                    let waker = Waker::from(notes.clone());
                    sleep.as_mut().poll(&mut Context::from_waker(&waker))
                })
                .await;
                let woken_by = notes.and_then(|notes| *notes.0.lock().unwrap());
                Ok(woken_by != Some(thread::current().id()))
            });
        assert_eq!(run.unwrap(), foreign_wakes);
    }
}

#[test]
fn y10_tasks_are_polled_on_different_threads() {
    for (threads, expected) in [(0, 1), (3, 3)] {
        let faults = Faults { threads, ..Faults::default() };
        let run = Simulator::new().faults(faults).run(async |n: Nursery<Infallible>| {
            let home = thread::current().id();
            let child = n.fork(async move {
                let mut seen = Vec::new();
                for _ in 0..10 {
                    seen.push(format!("{:?}", thread::current().id()));
                    yield_now().await;
                }
                seen.sort();
                seen.dedup();
                Ok((seen.len(), seen.contains(&format!("{home:?}"))))
            });
            Ok(child.await.unwrap())
        });
        assert_eq!(run.unwrap(), (expected, threads == 0));
    }
}

#[test]
fn y10_runtime_is_shut_down_at_a_step() {
    let whole = Simulator::new().record(waits_for_two).steps;
    let mut lost = 0;
    for step in 0..whole {
        let faults = Faults { shutdown_at: Some(step), ..Faults::default() };
        let run = Simulator::new().faults(faults).record(async |n: Nursery<Infallible>| {
            n.spawn(async {
                for _ in 0..10 {
                    yield_now().await;
                }
                Ok(())
            });
            n.spawn(async {
                yield_now().await;
                Ok(())
            });
            Ok(())
        });
        // Whatever is lost, nothing hangs.
        let ended = run.result.expect("the nursery ends");
        lost += u32::from(ended.is_err());
    }
    assert!(lost > 5, "{lost}");
}
