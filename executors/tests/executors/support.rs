//! What the tests count and wait with. Nothing here sleeps on the way to success: the only
//! timeout is the watchdog's.

use allhome_rt::Task;
use parking_lot::{Condvar, Mutex};
use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) const WATCHDOG: Duration = Duration::from_secs(60);

thread_local! {
    /// Set while this thread is inside the call that a test looks at.
    pub(crate) static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Notes that this thread is inside the call for as long as it is.
pub(crate) fn inside<T>(call: impl FnOnce() -> T) -> T {
    INSIDE.set(true);
    let value = call();
    INSIDE.set(false);
    value
}

/// Waits until the condition holds.
#[track_caller]
pub(crate) fn eventually(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < WATCHDOG, "hang: {what} did not come");
        thread::yield_now();
    }
}

/// Runs a test that may hang on a thread of its own and fails if it does.
#[track_caller]
pub(crate) fn watched(test: impl FnOnce() + Send + 'static) {
    watched_until_end(move |_| test());
}

/// Runs a test many times, on one thread, and fails if one of the rounds hangs. The watchdog is of
/// the round: on a busy machine a thousand of them take as long as they take.
#[track_caller]
pub(crate) fn watched_rounds(rounds: usize, test: impl Fn(usize) + Send + 'static) {
    watched_until_end(move |ended| {
        for round in 0..rounds {
            test(round);
            ended.send(()).expect("the watchdog waits until the end");
        }
    });
}

/// Fails if the test neither ends nor gives a sign of life for as long as the watchdog waits: a busy
/// machine may be slow, but not stand still.
#[track_caller]
pub(crate) fn watched_until_end(test: impl FnOnce(&mpsc::Sender<()>) + Send + 'static) {
    let (alive, signs) = mpsc::channel();
    let thread = thread::spawn(move || test(&alive));
    loop {
        match signs.recv_timeout(WATCHDOG) {
            Ok(()) => {}
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("hang: the test did not end"),
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
        }
    }
    if let Err(payload) = thread.join() {
        std::panic::resume_unwind(payload);
    }
}

/// Something that one thread opens and others wait for.
#[derive(Default)]
pub(crate) struct Gate {
    open: Mutex<bool>,
    changed: Condvar,
}

impl Gate {
    pub(crate) fn new() -> Arc<Gate> {
        Arc::default()
    }

    pub(crate) fn open(&self) {
        *self.open.lock() = true;
        self.changed.notify_all();
    }

    #[track_caller]
    pub(crate) fn wait(&self) {
        let end = Instant::now() + WATCHDOG;
        let mut open = self.open.lock();
        while !*open {
            assert!(!self.changed.wait_until(&mut open, end).timed_out(), "hang: gate is shut");
        }
    }
}

/// What happened to a probe. Polls are counted at their end.
#[derive(Default)]
pub(crate) struct Counts {
    polls: AtomicUsize,
    drops: AtomicUsize,
    waker: Mutex<Option<Waker>>,
}

impl Counts {
    pub(crate) fn new() -> Arc<Counts> {
        Arc::default()
    }

    pub(crate) fn polls(&self) -> usize {
        self.polls.load(SeqCst)
    }

    pub(crate) fn drops(&self) -> usize {
        self.drops.load(SeqCst)
    }

    /// The waker of the latest poll.
    #[track_caller]
    pub(crate) fn waker(&self) -> Waker {
        self.waker.lock().clone().expect("not polled yet")
    }

    #[track_caller]
    pub(crate) fn wait_for_polls(&self, polls: usize) {
        eventually("a poll", || self.polls() >= polls);
    }

    #[track_caller]
    pub(crate) fn wait_for_drop(&self) {
        eventually("the drop", || self.drops() > 0);
    }
}

/// A future that counts what happens to it and does in each poll what the test says.
pub(crate) struct Probe<F> {
    counts: Arc<Counts>,
    body: F,
}

impl<F> Probe<F>
where
    F: FnMut(usize, &mut Context<'_>) -> Poll<()> + Send + Unpin + 'static,
{
    /// `body` is given the number of polls before this one.
    pub(crate) fn task(counts: &Arc<Counts>, body: F) -> Task {
        Task::from_future(Probe { counts: Arc::clone(counts), body })
    }
}

impl<F> Future for Probe<F>
where
    F: FnMut(usize, &mut Context<'_>) -> Poll<()> + Unpin,
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let before = self.counts.waker.lock().replace(cx.waker().clone());
        drop(before);
        let number = self.counts.polls();
        let poll = (self.body)(number, cx);
        self.counts.polls.fetch_add(1, SeqCst);
        poll
    }
}

impl<F> Drop for Probe<F> {
    fn drop(&mut self) {
        self.counts.drops.fetch_add(1, SeqCst);
    }
}

/// A task that waits for ever.
pub(crate) fn parked(counts: &Arc<Counts>) -> Task {
    Probe::task(counts, |_, _| Poll::Pending)
}

/// A task that is ready at once.
pub(crate) fn ready(counts: &Arc<Counts>) -> Task {
    Probe::task(counts, |_, _| Poll::Ready(()))
}

/// A task that wakes itself in every poll, for ever.
pub(crate) fn restless(counts: &Arc<Counts>) -> Task {
    Probe::task(counts, |_, cx| {
        cx.waker().wake_by_ref();
        Poll::Pending
    })
}

/// Calls its closure when dropped.
pub(crate) struct OnDrop<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// A waker that counts.
#[derive(Default)]
pub(crate) struct CountingWaker(pub(crate) AtomicUsize);

impl CountingWaker {
    pub(crate) fn new() -> Arc<CountingWaker> {
        Arc::default()
    }

    pub(crate) fn wakes(&self) -> usize {
        self.0.load(SeqCst)
    }
}

impl Wake for CountingWaker {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// Runs rounds of small tasks to their end, so that whatever was queued before them was polled.
#[track_caller]
pub(crate) fn pump(pool: &impl allhome_rt::Spawn) {
    for _ in 0..20 {
        let counts = Counts::new();
        for _ in 0..8 {
            pool.spawn(ready(&counts));
        }
        eventually("the end of the pump's tasks", || counts.drops() == 8);
    }
}
