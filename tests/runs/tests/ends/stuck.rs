//! Blocking work that does not end when it is cancelled.

use allhome::error::Cause;
use allhome::runtime::Runtime;
use allhome::{Nursery, block_on, nursery, shield, sleep, yield_now};
use allhome_conformance::{Counts, Gate};
use allhome_rt::{Job, SpawnBlocking};
use allhome_runs::{Clock, Hold, Stepped, within};
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::thread;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// A thread for each job.
struct Threads;

impl SpawnBlocking for Threads {
    fn spawn_blocking(&self, job: Job) {
        thread::spawn(job);
    }
}

#[test]
fn b11_stuck_work_is_left_to_the_ancestors_and_listed() {
    within(|| {
        let (stepped, clock, finalized) = (Stepped::new(1), Clock::new(), Counts::new());
        let runtime = Runtime::builder("threads", stepped.spawner());
        let runtime = runtime.timer(clock.clone()).blocking(Threads).build();
        let (answer, question) = channel::<()>();
        let question = Mutex::new(question);
        let left = Arc::new(AtomicBool::new(false));
        let (leaves, time, finalizer) = (left.clone(), clock.clone(), finalized.clone());
        let mut run = Box::pin(nursery().on(runtime).run(async move |n: Nursery<Infallible>| {
            let inner = nursery().stuck_after(2 * SECOND).run(async |n: Nursery<Infallible>| {
                let run_late = async move {
                    finalizer.polled();
                    Ok(())
                };
                n.defer(SECOND, run_late);
                let (begun, begins) = channel();
                let deaf = n.task("deaf").blocking(move |_| {
                    begun.send(()).unwrap();
                    let _ = question.lock().unwrap().recv();
                    Ok(())
                });
                begins.recv().unwrap();
                n.cancel();
                drop(deaf);
                Ok(())
            });
            let error = inner.await.unwrap_err();
            assert_eq!(time.elapsed(), 2 * SECOND);
            assert!(matches!(error.first().cause(), Cause::Stuck));
            assert_eq!((error.first().name(), error.failures().len()), (Some("deaf"), 1));
            let tree = Nursery::tree(&n);
            let adopted = &tree.nurseries()[1];
            assert!(adopted.adopted && adopted.tasks[0].name.as_deref() == Some("deaf"));
            leaves.store(true, Ordering::SeqCst);
            Ok(())
        }));
        let until_left = poll_fn(|cx| {
            assert!(run.as_mut().poll(cx).is_pending(), "the work is out");
            if left.load(Ordering::SeqCst) { Poll::Ready(()) } else { Poll::Pending }
        });
        clock.drive(&stepped, until_left);
        assert_eq!(finalized.polls(), 0, "not before the work has ended");
        drop(answer);
        // Woken by the work's thread.
        let home = block_on(poll_fn(|cx| {
            let waker = cx.waker().clone();
            stepped.run_until_stalled();
            let polled = run.as_mut().poll(cx);
            if polled.is_pending() {
                waker.wake();
            }
            polled
        }));
        home.unwrap();
        assert_eq!(finalized.polls(), 1);
    });
}

/// What is left when the nursery inside has given up, and how it goes on.
fn task_that_holds_its_thread(leaves: fn(&Hold) -> Task) {
    within(move || {
        let (stepped, clock, hold) = (Stepped::new(1), Clock::new(), Hold::new());
        let runtime = clock.runtime(&stepped);
        let left = Arc::new(AtomicBool::new(false));
        let (leave, time, held, steps) =
            (left.clone(), clock.clone(), hold.clone(), stepped.clone());
        let mut run = Box::pin(nursery().on(runtime).run(async move |n: Nursery<Infallible>| {
            let inner = nursery().stuck_after(2 * SECOND).run(async |n: Nursery<Infallible>| {
                n.task("busy").spawn(leaves(&held));
                drop(steps.step_on_a_thread());
                held.wait_entered();
                n.cancel();
                Ok(())
            });
            let error = inner.await.unwrap_err();
            assert_eq!(time.elapsed(), 2 * SECOND);
            assert!(matches!(error.first().cause(), Cause::Stuck));
            assert_eq!((error.first().name(), error.failures().len()), (Some("busy"), 1));
            let tree = Nursery::tree(&n);
            let adopted = &tree.nurseries()[1];
            assert!(adopted.adopted && adopted.tasks[0].name.as_deref() == Some("busy"));
            leave.store(true, Ordering::SeqCst);
            Ok(())
        }));
        let until_left = poll_fn(|cx| {
            assert!(run.as_mut().poll(cx).is_pending(), "the task is out");
            if left.load(Ordering::SeqCst) { Poll::Ready(()) } else { Poll::Pending }
        });
        clock.drive(&stepped, until_left);
        hold.release();
        stepped.join_threads();
        assert!(block_on(run).is_ok());
    });
}

type Task = std::pin::Pin<Box<dyn Future<Output = Result<(), Infallible>> + Send>>;

#[test]
fn b12_task_that_holds_its_thread_in_a_poll_is_left_to_the_ancestors() {
    task_that_holds_its_thread(|hold| Box::pin(hold.child(&Counts::new(), |_| Poll::Pending)));
}

#[test]
fn b12_task_that_holds_its_thread_in_its_destructor_too() {
    struct Stays(Hold);
    impl Drop for Stays {
        fn drop(&mut self) {
            self.0.stay();
        }
    }
    task_that_holds_its_thread(|hold| {
        let stays = Stays(hold.clone());
        Box::pin(async move {
            let _stays = stays;
            Ok(())
        })
    });
}

/// Each look finds it in a poll, and never in the one of the look before.
#[test]
fn b12_task_that_gives_its_thread_a_turn_is_not_given_up() {
    let (stepped, clock) = (Stepped::new(1), Clock::new());
    let (time, gate) = (clock.clone(), Gate::new());
    let begun = gate.clone();
    let run = nursery().on(clock.runtime(&stepped)).grace(10 * SECOND).stuck_after(SECOND).run(
        async move |n: Nursery<Infallible>| {
            n.spawn(async move {
                gate.open();
                for _ in 0..6 {
                    // The look comes while this poll is under way.
                    time.advance(SECOND / 2);
                    let _ = shield(Duration::MAX, yield_now()).await;
                }
                Ok(())
            });
            begun.wait().await;
            n.cancel();
            Ok(())
        },
    );
    clock.drive(&stepped, run).unwrap();
    assert!(clock.elapsed() >= 3 * SECOND);
}

#[test]
fn b12_task_that_waits_is_not_given_up() {
    let (stepped, clock) = (Stepped::new(1), Clock::new());
    let counts = Counts::new();
    let (child, gate, time) = (counts.clone(), Gate::new(), clock.clone());
    let begun = gate.clone();
    let run = nursery().on(clock.runtime(&stepped)).stuck_after(SECOND).run(
        async move |n: Nursery<Infallible>| {
            n.spawn(async move {
                let _guard = child.guard();
                gate.open();
                let _ = shield(Duration::MAX, sleep(3 * SECOND)).await;
                Ok(())
            });
            begun.wait().await;
            n.cancel();
            Ok(())
        },
    );
    clock.drive(&stepped, run).unwrap();
    assert_eq!((counts.drops(), time.elapsed()), (1, 3 * SECOND));
}
