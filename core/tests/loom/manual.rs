//! An executor that does nothing by itself: a model takes its tasks and polls them.

use allhome::runtime::Runtime;
use allhome_rt::{Spawn, Task};
use loom::sync::Mutex;
use loom::sync::atomic::{AtomicBool, Ordering};
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Wake, Waker};

/// Whether a waker was called since the last look.
pub(crate) struct Flag(AtomicBool);

impl Flag {
    pub(crate) fn new(woken: bool) -> Arc<Flag> {
        Arc::new(Flag(AtomicBool::new(woken)))
    }

    /// Returns `true` if there was a wake-up, and forgets it.
    pub(crate) fn take(&self) -> bool {
        // Acquire: what happened before a wake-up is seen by the poll that it leads to.
        self.0.swap(false, Ordering::Acquire)
    }

    pub(crate) fn set(&self) {
        // Not a store: loom lets a later swap overlook one.
        self.0.swap(true, Ordering::Release);
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.set();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.set();
    }
}

/// A task in the executor's hands. Dropped, it is thrown away.
pub(crate) struct Job {
    task: Task,
    woken: Arc<Flag>,
}

impl Job {
    fn new(task: Task) -> Job {
        Job { task, woken: Flag::new(true) }
    }

    /// Polls it if it was woken, or never polled. Returns `true` if it was.
    fn turn(&mut self) -> Option<Poll<()>> {
        self.woken.take().then(|| self.poll())
    }

    /// Polls it with a new waker: it is the latest one that counts.
    fn poll(&mut self) -> Poll<()> {
        self.woken = Flag::new(false);
        let waker = Waker::from(self.woken.clone());
        Pin::new(&mut self.task).poll(&mut Context::from_waker(&waker))
    }

    /// Polls it once, as if a waker had been called.
    pub(crate) fn step(mut self) -> Option<Job> {
        self.poll().is_pending().then_some(self)
    }

    /// Polls it for as long as it is woken. Gives it back if it waits.
    pub(crate) fn run(mut self) -> Option<Job> {
        while let Some(poll) = self.turn() {
            if poll.is_ready() {
                return None;
            }
        }
        Some(self)
    }
}

type Queue = Arc<Mutex<VecDeque<Job>>>;

/// The model's side of the executor.
pub(crate) struct Manual {
    queue: Queue,
    waiting: Vec<Job>,
    spawner: Weak<()>,
}

/// The nursery's side of the executor.
struct Spawner {
    queue: Queue,
    threads: usize,
    _here: Arc<()>,
}

impl Spawn for Spawner {
    fn spawn(&self, task: Task) {
        self.queue.lock().unwrap().push_back(Job::new(task));
    }

    fn threads(&self) -> usize {
        self.threads
    }
}

impl Manual {
    pub(crate) fn new(threads: usize) -> (Manual, Runtime) {
        let queue = Queue::default();
        let here = Arc::new(());
        let spawner = Arc::downgrade(&here);
        let runtime =
            Runtime::new("manual", Spawner { queue: queue.clone(), threads, _here: here });
        (Manual { queue, waiting: Vec::new(), spawner }, runtime)
    }

    /// Takes the task that was spawned first.
    #[track_caller]
    pub(crate) fn job(&self) -> Job {
        self.pop().expect("a task was spawned")
    }

    /// Takes the task that was spawned first and polls it once: it is expected to wait.
    #[track_caller]
    pub(crate) fn parked(&self) -> Job {
        self.job().step().expect("the child waits")
    }

    /// Takes back a task that a thread had, unless it is through.
    pub(crate) fn give(&mut self, job: Option<Job>) {
        self.waiting.extend(job);
    }

    /// Takes the tasks that wait, for the caller to throw away.
    pub(crate) fn take_waiting(&mut self) -> Vec<Job> {
        std::mem::take(&mut self.waiting)
    }

    /// Polls every task that was woken, until none is. Returns `true` if there was any.
    pub(crate) fn turns(&mut self) -> bool {
        let mut any = false;
        loop {
            while let Some(job) = self.pop() {
                self.waiting.push(job);
            }
            let mut quiet = true;
            self.waiting.retain_mut(|job| match job.turn() {
                None => true,
                Some(poll) => {
                    quiet = false;
                    poll.is_pending()
                }
            });
            if quiet {
                return any;
            }
            any = true;
        }
    }

    /// Sees that every task is through.
    #[track_caller]
    pub(crate) fn check(&self) {
        assert!(self.pop().is_none() && self.waiting.is_empty(), "a task that does not end");
    }

    /// Returns `true` if no nursery has the runtime any more.
    pub(crate) fn is_free(&self) -> bool {
        self.spawner.strong_count() == 0
    }

    fn pop(&self) -> Option<Job> {
        self.queue.lock().unwrap().pop_front()
    }
}
