//! A runtime that ends, or panics, in the middle of what it is asked for.

use allhome::runtime::Runtime;
use allhome::{Nursery, Policy, nursery};
use allhome_conformance::Counts;
use allhome_rt::{BoxSleep, Job, Spawn, SpawnBlocking, Task, Timer};
use allhome_runs::{Hold, Jobs, Opened, Stepped, Wakes, poll_once, within};
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

/// It polls nothing, and drops every task from the end on.
#[derive(Clone, Default)]
struct Ends {
    tasks: Arc<Mutex<Vec<Task>>>,
    down: Arc<AtomicBool>,
}

impl Spawn for Ends {
    fn spawn(&self, task: Task) {
        if self.down.load(Ordering::SeqCst) {
            return drop(task);
        }
        self.tasks.lock().unwrap().push(task);
    }

    fn threads(&self) -> usize {
        2
    }
}

/// Each carrier that is launched for the child that is woken is dropped on the spot, while another
/// is in a poll: that one takes care of it.
#[test]
fn e05_runtime_that_ends_while_a_child_is_polled() {
    within(|| {
        let (ends, hold, held, waits) =
            (Ends::default(), Hold::new(), Counts::new(), Counts::new());
        let opened = Opened::new(nursery().on(Runtime::new("ends", ends.clone())));
        let kept: Arc<Mutex<Option<Waker>>> = Arc::default();
        let (keep, polled) = (kept.clone(), waits.clone());
        opened.n.spawn(poll_fn(move |cx| {
            polled.polled();
            *keep.lock().unwrap() = Some(cx.waker().clone());
            if polled.polls() == 2 { Poll::Ready(Ok(())) } else { Poll::Pending }
        }));
        opened.n.spawn(hold.child(&held, |_| Poll::Ready(Ok(()))));
        let mut tasks = std::mem::take(&mut *ends.tasks.lock().unwrap());
        let mut carrier = tasks.remove(0);
        let polls = thread::spawn(move || {
            let polled = Pin::new(&mut carrier).poll(&mut Context::from_waker(Waker::noop()));
            (carrier, polled.is_pending())
        });
        hold.wait_entered();
        ends.down.store(true, Ordering::SeqCst);
        drop(tasks);
        let waker = kept.lock().unwrap().take().expect("the first child has waited");
        waker.wake();
        hold.release();
        let (carrier, _) = polls.join().unwrap();
        assert_eq!(waits.polls(), 2, "by the carrier that was in a poll");
        drop(carrier);
        assert!(opened.n.is_empty());
    });
}

/// Its blocking pool panics once.
struct Panics(Jobs, AtomicBool);

impl SpawnBlocking for Panics {
    fn spawn_blocking(&self, job: Job) {
        assert!(self.1.swap(true, Ordering::SeqCst), "no thread can be started");
        self.0.spawn_blocking(job);
    }
}

#[test]
fn b07_job_that_the_runtime_panics_at_is_lost_and_the_next_runs() {
    let (stepped, jobs) = (Stepped::new(1), Jobs::new());
    let pool = Panics(jobs.clone(), AtomicBool::new(false));
    let runtime = Runtime::builder("panics", stepped.spawner()).blocking(pool).build();
    let opened = Opened::new(nursery().on(runtime).policy(Policy::WaitAll));
    let mut first = opened.n.blocking(|_| Ok(1));
    let lost = first.try_join().expect("it has ended").unwrap_err();
    assert!(lost.is_lost());
    let mut second = opened.n.blocking(|_| Ok(2));
    assert!(jobs.run());
    assert_eq!(second.try_join().and_then(Result::ok), Some(2));
}

/// Its clock panics once the test says so.
struct Clock(Arc<AtomicBool>);

impl Timer for Clock {
    fn now(&self) -> Instant {
        assert!(!self.0.load(Ordering::SeqCst), "no time");
        Instant::now()
    }

    fn sleep_until(&self, _: Instant) -> BoxSleep {
        Box::pin(std::future::pending())
    }
}

#[test]
fn o03_nursery_whose_opening_panics_does_not_keep_the_one_around() {
    let (stepped, broken) = (Stepped::new(1), Arc::new(AtomicBool::new(false)));
    let timer = Clock(broken.clone());
    let runtime = Runtime::builder("broken", stepped.spawner()).timer(timer).build();
    let run = nursery().on(runtime).run(async move |_: Nursery<Infallible>| {
        broken.store(true, Ordering::SeqCst);
        let inner = allhome::nursery().deadline(Duration::from_secs(1));
        let mut inner = Box::pin(inner.run(async |_: Nursery<Infallible>| Ok(())));
        let wakes = Wakes::new();
        let opened = catch_unwind(AssertUnwindSafe(|| poll_once(&mut inner, &wakes)));
        assert!(opened.is_err(), "the clock's panic");
        Ok(())
    });
    let mut run = Box::pin(run);
    assert!(matches!(poll_once(&mut run, &Wakes::new()), Poll::Ready(Ok(()))));
}
