//! A nursery in the model's hands: the test polls its future, the model its tasks.

use crate::manual::{Flag, Job, Manual};
use allhome::{Child, GroupError, JoinError, Nursery, Policy, Semaphore, nursery};
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

/// The error of the models' children.
#[derive(Debug)]
pub(crate) struct Fault;

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("fault")
    }
}

impl std::error::Error for Fault {}

type Run = Pin<Box<dyn Future<Output = Result<(), GroupError<Fault>>>>>;

/// An open nursery.
pub(crate) struct Home {
    pub(crate) manual: Manual,
    pub(crate) nursery: Nursery<Fault>,
    run: Option<Run>,
    result: Option<Result<(), GroupError<Fault>>>,
    woken: Arc<Flag>,
    held: Arc<AtomicBool>,
}

impl Home {
    /// Opens a nursery whose body calls `setup` and returns: it waits for its children.
    pub(crate) fn open<K: 'static>(
        setup: impl FnOnce(&Nursery<Fault>) -> K + 'static,
    ) -> (Home, K) {
        Home::make(Policy::WaitAll, 1, false, None, setup)
    }

    /// Opens a nursery whose body calls `setup` and stays until [`settle`](Home::settle).
    pub(crate) fn held<K: 'static>(
        setup: impl FnOnce(&Nursery<Fault>) -> K + 'static,
    ) -> (Home, K) {
        Home::make(Policy::WaitAll, 1, true, None, setup)
    }

    /// As [`open`](Home::open), with another policy, on a runtime with this many threads.
    pub(crate) fn with<K: 'static>(
        policy: Policy,
        threads: usize,
        setup: impl FnOnce(&Nursery<Fault>) -> K + 'static,
    ) -> (Home, K) {
        Home::make(policy, threads, false, None, setup)
    }

    /// As [`open`](Home::open), with this limiter.
    pub(crate) fn limited<K: 'static>(
        limiter: &Arc<Semaphore>,
        setup: impl FnOnce(&Nursery<Fault>) -> K + 'static,
    ) -> (Home, K) {
        Home::make(Policy::WaitAll, 1, false, Some(limiter), setup)
    }

    /// As [`held`](Home::held), with this limiter.
    pub(crate) fn held_limited<K: 'static>(
        limiter: &Arc<Semaphore>,
        setup: impl FnOnce(&Nursery<Fault>) -> K + 'static,
    ) -> (Home, K) {
        Home::make(Policy::WaitAll, 1, true, Some(limiter), setup)
    }

    fn make<K: 'static>(
        policy: Policy,
        threads: usize,
        hold: bool,
        limiter: Option<&Arc<Semaphore>>,
        setup: impl FnOnce(&Nursery<Fault>) -> K + 'static,
    ) -> (Home, K) {
        let (manual, runtime) = Manual::new(threads);
        let held = Arc::new(AtomicBool::new(hold));
        let out = Arc::new(Mutex::new(None));
        let (body_held, body_out) = (held.clone(), out.clone());
        let body = move |nursery: Nursery<Fault>| {
            let kept = setup(&nursery);
            *body_out.lock().unwrap() = Some((nursery, kept));
            poll_fn(
                move |_| {
                    if body_held.load(SeqCst) { Poll::Pending } else { Poll::Ready(Ok(())) }
                },
            )
        };
        let mut builder = nursery().on(&runtime).policy(policy);
        if let Some(limiter) = limiter {
            builder = builder.limiter(limiter);
        }
        let run = builder.run(body);
        let mut run: Run = Box::pin(run);
        let woken = Flag::new(false);
        let mut result = None;
        poll(&mut run, &woken, &mut result);
        let (nursery, kept) = out.lock().unwrap().take().expect("the body was called");
        (Home { manual, nursery, run: Some(run), result, woken, held }, kept)
    }

    /// Polls the nursery's future with a new waker, as if a waker had been called. Returns `true`
    /// if it is ready.
    pub(crate) fn poll(&mut self) -> bool {
        if self.result.is_none() {
            let run = self.run.as_mut().expect("the nursery's future was not dropped");
            self.woken = Flag::new(false);
            poll(run, &self.woken, &mut self.result);
        }
        self.result.is_some()
    }

    /// Returns how many failures the result has.
    pub(crate) fn failures(&self) -> usize {
        match &self.result {
            Some(Err(error)) => error.failures().len(),
            _ => 0,
        }
    }

    /// Returns the numbers of the children that failed, in the order of the report.
    #[track_caller]
    pub(crate) fn failed(&self) -> Vec<u64> {
        let error = self.result.as_ref().and_then(|result| result.as_ref().err());
        let failures = error.expect("the nursery has failed").failures();
        failures.filter_map(|failure| failure.task()).map(|task| task.number()).collect()
    }

    /// Drops the nursery's future.
    pub(crate) fn abandon(&mut self) {
        self.run = None;
    }

    /// Lets everything come to its end, by polling only tasks that were woken, and checks that none
    /// is left. Returns `true` if none had failed.
    #[track_caller]
    pub(crate) fn settle(&mut self, jobs: impl IntoIterator<Item = Option<Job>>) -> bool {
        self.quiet(jobs);
        if self.held.swap(false, SeqCst) {
            self.woken.set();
            self.quiet([]);
        }
        assert!(self.nursery.is_empty(), "a child that does not end");
        assert!(self.run.is_none() || self.result.is_some(), "the nursery was not woken");
        self.manual.check();
        self.result.as_ref().is_none_or(Result::is_ok)
    }

    /// Sees that the nursery is freed with its last handle.
    #[track_caller]
    pub(crate) fn close(self) {
        let Home { manual, nursery, run, .. } = self;
        drop((nursery, run));
        assert!(manual.is_free(), "a nursery that was not freed");
    }

    /// Drops everything, while another thread may still be waking.
    pub(crate) fn close_now(self) {
        drop(self);
    }

    /// Polls every task that was woken, until none is.
    #[track_caller]
    pub(crate) fn quiet(&mut self, jobs: impl IntoIterator<Item = Option<Job>>) {
        for job in jobs {
            self.manual.give(job);
        }
        loop {
            let turns = self.manual.turns();
            let woken = self.woken.take();
            if woken && self.run.is_some() {
                self.poll();
            }
            if !turns && !woken {
                return;
            }
        }
    }
}

fn poll(run: &mut Run, woken: &Arc<Flag>, result: &mut Option<Result<(), GroupError<Fault>>>) {
    let waker = Waker::from(woken.clone());
    if let Poll::Ready(ready) = run.as_mut().poll(&mut Context::from_waker(&waker)) {
        *result = Some(ready);
    }
}

/// A wait for one child, or for many, in the model's hands.
pub(crate) struct Joiner<F> {
    waits: F,
}

impl<F: Future + Unpin> Joiner<F> {
    pub(crate) fn new(waits: F) -> Joiner<F> {
        Joiner { waits }
    }

    /// Polls it with this as its waker.
    pub(crate) fn poll(&mut self, woken: &Arc<Flag>) -> Option<F::Output> {
        let waker = Waker::from(woken.clone());
        match Pin::new(&mut self.waits).poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(result) => Some(result),
            Poll::Pending => None,
        }
    }
}

/// Joins a child that has ended.
#[track_caller]
pub(crate) fn outcome<T>(mut child: Child<T, Fault>) -> Result<T, JoinError<Fault>> {
    child.try_join().expect("the child has ended")
}
