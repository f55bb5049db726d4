//! Blocking work that does not end when it is told to.

use allhome::{Cause, Nursery, Runtime, block_on, nursery, nursery_on};
use allhome_conformance::Counts;
use allhome_rt::{Job, SpawnBlocking};
use allhome_runs::{Clock, Stepped, within};
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
        let mut run = Box::pin(nursery_on::<Infallible>(runtime).run(async move |n| {
            let inner = nursery::<Infallible>().stuck_after(2 * SECOND).run(async |n| {
                let run_late = async move {
                    finalizer.polled();
                    Ok(())
                };
                n.defer(SECOND, run_late).unwrap();
                let (begun, begins) = channel();
                let deaf = n.named("deaf").blocking(move |_| {
                    begun.send(()).unwrap();
                    let _ = question.lock().unwrap().recv();
                    Ok(())
                });
                begins.recv().unwrap();
                n.cancel();
                drop(deaf.unwrap());
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
