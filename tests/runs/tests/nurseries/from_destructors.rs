//! What is dropped at the edges of a nursery calls back into it: the errors beyond the bound, the
//! wakers of carriers that the runtime drops or polls unasked, the wakers of joins that were given
//! up, a callback on the nursery's own token. Each was dropped with the nursery's lock held once.

use allhome::error::PanicPolicy;
use allhome::runtime::Runtime;
use allhome::{Nursery, Policy, nursery};
use allhome_rt::{Job, Spawn, SpawnBlocking, Task};
use allhome_runs::{Opened, Stepped};
use std::convert::Infallible;
use std::fmt;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

/// More than a nursery keeps by default.
const MANY: usize = 100;

/// An error that spawns when it is dropped, and panics if the test says so.
struct Calls {
    n: Nursery<Calls>,
    spawned: Arc<AtomicUsize>,
    panics: Arc<AtomicBool>,
}

impl fmt::Debug for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Calls")
    }
}

impl fmt::Display for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("its destructor spawns")
    }
}

impl std::error::Error for Calls {}

impl Drop for Calls {
    fn drop(&mut self) {
        let admitted = self.n.spawn(async { Ok(()) }).is_admitted();
        self.spawned.fetch_add(usize::from(admitted), Ordering::SeqCst);
        assert!(!self.panics.load(Ordering::SeqCst), "an error's destructor");
    }
}

fn errors(panic: bool) {
    let (stepped, spawned) = (Stepped::new(1), Arc::new(AtomicUsize::new(0)));
    let panics = Arc::new(AtomicBool::new(panic));
    let nursery = nursery().on(stepped.runtime()).policy(Policy::WaitAll);
    let (count, panic) = (spawned.clone(), panics.clone());
    let run = nursery.panics(PanicPolicy::Report).run(async move |n: Nursery<Calls>| {
        for _ in 0..MANY {
            let error = Calls { n: n.clone(), spawned: count.clone(), panics: panic.clone() };
            n.spawn(async move { Err(error) });
        }
        Ok(())
    });
    let error = stepped.drive(run).unwrap_err();
    let kept = error.failures().len();
    assert_eq!(kept + error.omitted_count(), MANY, "each is told once");
    assert_eq!(spawned.load(Ordering::SeqCst), MANY - kept, "those that did not fit");
    // Those that are kept are their owner's, and so would be their panics.
    panics.store(false, Ordering::SeqCst);
    drop(error);
}

#[test]
fn o12_errors_beyond_the_bound_may_spawn() {
    errors(false);
}

#[test]
fn o23_errors_beyond_the_bound_may_panic() {
    errors(true);
}

/// A runtime that does nothing by itself.
#[derive(Clone, Default)]
struct Held {
    tasks: Arc<Mutex<Vec<Task>>>,
    jobs: Arc<Mutex<Vec<Job>>>,
}

impl Held {
    fn runtime(&self) -> Runtime {
        Runtime::builder("held", self.clone()).blocking(self.clone()).build()
    }

    fn task(&self) -> Task {
        self.tasks.lock().unwrap().pop().expect("a carrier")
    }
}

impl Spawn for Held {
    fn spawn(&self, task: Task) {
        self.tasks.lock().unwrap().push(task);
    }

    fn threads(&self) -> usize {
        1
    }
}

impl SpawnBlocking for Held {
    fn spawn_blocking(&self, job: Job) {
        self.jobs.lock().unwrap().push(job);
    }
}

/// A waker that asks the nursery something when it is dropped, and counts that.
struct Asks(Nursery<Infallible>, Arc<AtomicUsize>);

impl Wake for Asks {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Asks {
    fn drop(&mut self) {
        let _ = (self.0.len(), self.0.tree().to_string());
        self.1.fetch_add(1, Ordering::SeqCst);
    }
}

fn asks(n: &Nursery<Infallible>) -> (Waker, Arc<AtomicUsize>) {
    let dropped = Arc::new(AtomicUsize::new(0));
    (Waker::from(Arc::new(Asks(n.clone(), dropped.clone()))), dropped)
}

fn poll<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

/// With a carrier that has parked with such a waker.
fn parked() -> (Opened<Infallible>, Held, Task, Arc<AtomicUsize>) {
    let held = Held::default();
    let opened = Opened::new(nursery().on(held.runtime()));
    opened.n.spawn(pending());
    let (waker, dropped) = asks(&opened.n);
    let mut task = held.task();
    assert!(poll(&mut task, &waker).is_pending());
    (opened, held, task, dropped)
}

#[test]
fn o23_waker_of_a_parked_carrier_that_the_runtime_drops() {
    let (_opened, _held, task, dropped) = parked();
    drop(task);
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
}

#[test]
fn o23_waker_of_a_parked_carrier_that_is_polled_unasked() {
    let (_opened, _held, mut task, dropped) = parked();
    assert!(poll(&mut task, Waker::noop()).is_pending());
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
}

#[test]
fn o23_waker_of_a_joiner_of_work_that_waits_for_its_turn() {
    let held = Held::default();
    let opened = Opened::new(nursery().on(held.runtime()).blocking_limit(1));
    let _first = opened.n.blocking(|_| Ok(()));
    let mut second = opened.n.blocking(|_| Ok(()));
    let (waker, dropped) = asks(&opened.n);
    assert!(poll(&mut second, &waker).is_pending());
    drop(waker);
    opened.n.cancel();
    drop(second);
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
}

#[test]
fn o23_waker_of_a_joiner_of_a_child_whose_carrier_the_runtime_drops() {
    let held = Held::default();
    let opened = Opened::new(nursery().on(held.runtime()));
    let mut child = opened.n.fork(async {
        for _ in 0..40 {
            allhome::yield_now().await;
        }
        pending::<Result<(), Infallible>>().await
    });
    let (waker, dropped) = asks(&opened.n);
    assert!(poll(&mut child, &waker).is_pending());
    drop(waker);
    let mut task = held.task();
    for _ in 0..60 {
        assert!(poll(&mut task, Waker::noop()).is_pending());
    }
    opened.n.abort();
    drop(task);
    drop(child);
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
}

/// It has the nursery's handle, and the nursery its token: neither keeps the other.
#[test]
fn v06_callback_on_the_nurserys_own_token() {
    let (stepped, kept) = (Stepped::new(1), Arc::new(()));
    let hook = kept.clone();
    let nursery = nursery().on(stepped.runtime()).on_panic(move |_| drop(hook.clone()));
    let run = nursery.run(async |n: Nursery<Infallible>| {
        let handle = n.clone();
        n.token().on_cancel(move |_| drop(handle.clone())).keep();
        Ok(())
    });
    stepped.drive(run).unwrap();
    assert_eq!(Arc::strong_count(&kept), 1);
}
