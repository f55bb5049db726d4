//! A fixture gives a rule its candidate, and reports how far the rule has got.
//!
//! # Invariants
//!
//! 1. A thread that a rule starts ([`outside`]) never waits for the runtime. So a driver that finds
//!    nothing to run and no such thread knows that nothing will ever happen.
//! 2. A wait of a rule has no end of its own: the runner ends it. Only a quick run, in which
//!    nothing happens beside the rule, gives up by itself.

use crate::candidate::{Candidate, Capabilities, Host};
pub(crate) use crate::progress::{Progress, before, step};
use allhome_rt::{Runtime, SpawnBlocking, SpawnLocal, Task, Timer};
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::ops::Deref;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Poll, Waker};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A candidate for one rule.
pub(crate) struct Fixture<'a> {
    candidate: &'a Candidate,
    pub(crate) declared: Capabilities,
    host: Option<Box<dyn Host>>,
}

impl<'a> Fixture<'a> {
    pub(crate) fn new(candidate: &'a Candidate, declared: Capabilities) -> Fixture<'a> {
        Fixture { candidate, declared, host: None }
    }

    /// Another of the same kind, not started.
    pub(crate) fn another(&self) -> Fixture<'a> {
        Fixture { candidate: self.candidate, declared: self.declared, host: None }
    }

    pub(crate) fn host(&mut self) -> &mut dyn Host {
        let candidate = self.candidate;
        let host = self.host.get_or_insert_with(|| {
            step("the candidate is started");
            let host = (candidate.start)();
            step("the candidate was started");
            host
        });
        &mut **host
    }

    pub(crate) fn runtime(&mut self) -> OnRuntime {
        OnRuntime(self.host().runtime())
    }

    pub(crate) fn timer(&mut self) -> Arc<dyn Timer> {
        self.host().runtime().timer().clone()
    }

    /// Returns the clock that waits for things that take time.
    pub(crate) fn clock(&mut self) -> Clock {
        Clock { timer: self.timer(), is_virtual: self.declared.virtual_clock }
    }

    pub(crate) fn local(&mut self) -> Rc<dyn SpawnLocal> {
        self.host().local().expect("local tasks are declared, but the host has none")
    }

    /// Drives the root to its end.
    pub(crate) fn drive(&mut self, root: impl Future<Output = ()>) {
        let over = Cell::new(false);
        self.drive_as_is(async {
            root.await;
            over.set(true);
        });
        if !over.get() {
            before(&["W42"], "the drive has returned");
            panic!("the drive returned before its root was ready");
        }
    }

    /// Drives the root, whatever comes of it.
    pub(crate) fn drive_as_is(&mut self, root: impl Future<Output = ()>) {
        self.host().block_on(Box::pin(root));
    }

    pub(crate) fn shut_down(&mut self) {
        let cause =
            "a thread that sleeps is not woken for the end, or tasks are dropped with a lock held";
        Progress::current().risks("the candidate is shut down", cause);
        drop(self.host.take());
        step("the candidate was shut down");
    }
}

impl Drop for Fixture<'_> {
    fn drop(&mut self) {
        if self.host.is_some() && !thread::panicking() {
            before(&["R81", "R82"], "the candidate is shut down");
        }
    }
}

/// The candidate's clock, for rules that wait for it.
pub(crate) struct Clock {
    timer: Arc<dyn Timer>,
    is_virtual: bool,
}

impl Clock {
    /// As [`until`], for what happens when some time has passed. A real clock is waited for in
    /// turns, so that the driver is busy meanwhile. A virtual one would stand still for that, and
    /// is waited for asleep.
    pub(crate) async fn until(&self, what: &str, condition: impl Fn() -> bool) {
        step(what);
        self.goes_on_until(condition).await;
    }

    /// As [`until`](Clock::until), within the step that was taken last.
    pub(crate) async fn goes_on_until(&self, condition: impl Fn() -> bool) {
        while !self.is_virtual && !condition() {
            turn().await;
        }
        while !condition() {
            self.timer.sleep_until(self.timer.now() + Duration::from_millis(1)).await;
        }
    }
}

/// A runtime that takes futures.
#[derive(Clone)]
pub(crate) struct OnRuntime(Runtime);

impl OnRuntime {
    pub(crate) fn run(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(Task::from_future(future));
    }

    pub(crate) fn job(&self, job: impl FnOnce() + Send + 'static) {
        let pool: &dyn SpawnBlocking = self.0.blocking();
        pool.spawn_blocking(Box::new(job));
    }
}

impl Deref for OnRuntime {
    type Target = Runtime;

    fn deref(&self) -> &Runtime {
        &self.0
    }
}

thread_local! {
    /// Whether this thread is inside a call that must not poll, nor destroy.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// A number of tasks, or fewer in a quick run.
pub(crate) fn many(number: usize) -> usize {
    if Progress::current().quick() { number.min(500) } else { number }
}

/// Runs this on a thread that the runtime does not know. It must not wait for the runtime.
pub(crate) fn outside<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    let beside = Progress::current().one_more();
    thread::spawn(move || {
        let _beside = beside.enter();
        crate::runner::quietly();
        f()
    })
}

/// The same a moment later, when a runtime that has nothing to do is probably asleep. No result
/// depends on it.
pub(crate) fn outside_later<T: Send + 'static>(
    f: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    outside(|| {
        thread::sleep(Duration::from_millis(2));
        f()
    })
}

/// Marks a call that must neither poll nor destroy.
pub(crate) fn inside<T>(f: impl FnOnce() -> T) -> T {
    INSIDE.set(true);
    let result = f();
    INSIDE.set(false);
    result
}

pub(crate) fn is_inside() -> bool {
    INSIDE.try_with(Cell::get).unwrap_or(false)
}

/// The ways to wake. A rule that is about something else passes if either works.
pub(crate) const WAYS: [fn(&Waker); 2] = [Waker::wake_by_ref, |waker| {
    let own = waker.clone();
    own.wake();
}];

/// Gives the other tasks a turn.
pub(crate) async fn turn() {
    turn_by(WAYS[0]).await;
}

/// As [`turn`], in this way.
pub(crate) async fn turn_by(wake: fn(&Waker)) {
    let mut woken = false;
    poll_fn(|cx| {
        if woken {
            return Poll::Ready(());
        }
        woken = true;
        wake(cx.waker());
        Poll::Pending
    })
    .await;
}

/// Gives the other tasks turns until the condition holds.
pub(crate) async fn until(what: &str, condition: impl Fn() -> bool) {
    step(what);
    while !condition() {
        turn().await;
    }
}

/// As [`until`], for tasks that another thread takes. A worker that is about to sleep while another
/// searches may miss a task (tokio's): it finds that when anything else is spawned. Seldom, or what
/// is spawned would pile up.
pub(crate) async fn taken_until(runtime: &OnRuntime, what: &str, condition: impl Fn() -> bool) {
    step(what);
    let mut turns = 0_u64;
    while !condition() {
        turns += 1;
        if turns.is_power_of_two() {
            runtime.run(async {});
        }
        turn().await;
    }
}

/// As [`until`], before the step that the rule is about: that tasks have their first polls.
pub(crate) async fn first(what: &str, condition: impl Fn() -> bool) {
    before(&["R18", "R13"], what);
    while !condition() {
        turn().await;
    }
}

/// Sleeps in the root for a moment: a foreign thread wakes it. No result depends on how long.
pub(crate) async fn moment() {
    let gate = crate::probe::Gate::new();
    let opens = gate.clone();
    drop(outside_later(move || opens.open()));
    gate.wait().await;
}

/// Tries with sleeps that are ever longer, until an attempt says that they were not over before all
/// was in place: how fast the machine is must not decide whether a rule can be broken.
pub(crate) async fn long_enough(mut attempt: impl AsyncFnMut(Duration) -> bool) {
    for doubled in 0..12 {
        if attempt(Duration::from_millis(1 << doubled)).await {
            return;
        }
    }
    panic!("a sleep of two seconds is over before it is waited for");
}

/// Waits for a sleep, and says whether that took more than one poll.
pub(crate) async fn had_to_wait(sleep: impl Future<Output = ()>) -> bool {
    let (mut sleep, mut polls) = (pin!(sleep), 0);
    poll_fn(|cx| {
        polls += 1;
        sleep.as_mut().poll(cx)
    })
    .await;
    polls > 1
}

/// Waits until the condition holds, outside of any driver: after a shutdown.
pub(crate) fn settles(what: &str, condition: impl Fn() -> bool) {
    step(what);
    let start = Instant::now();
    while !condition() {
        let patient = !Progress::current().quick() || start.elapsed() < Duration::from_millis(100);
        assert!(patient, "this never comes: {what}");
        thread::yield_now();
    }
}

/// Runs some trivial tasks to their end: other tasks have had their turns then.
pub(crate) async fn pump(runtime: &OnRuntime) {
    step("trivial tasks run to their end");
    pump_on(runtime).await;
}

/// As [`pump`], within the step that was taken last.
pub(crate) async fn pump_on(runtime: &OnRuntime) {
    for _ in 0..20 {
        let done = Arc::new(AtomicUsize::new(0));
        for _ in 0..8 {
            let done = done.clone();
            runtime.run(async move {
                done.fetch_add(1, Ordering::SeqCst);
            });
        }
        while done.load(Ordering::SeqCst) < 8 {
            turn().await;
        }
    }
}
