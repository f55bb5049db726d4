//! A runtime of one thread with a clock that stands still, so that each step costs the same each
//! time. For counting instructions; the tests have one that checks more.
//!
//! Nothing here is slower than logarithmic, so what grows faster is the nursery's.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use allhome_rt::{BoxSleep, Runtime, Spawn, Task, Timer};

/// The executor and its clock. Clones are the same.
#[derive(Clone)]
pub struct Stepped {
    state: Arc<Mutex<State>>,
}

struct State {
    ready: VecDeque<Arc<Cell>>,
    now: Instant,
    /// Numbers the sleeps.
    last: u64,
    sleeps: BTreeMap<(Instant, u64), Waker>,
}

struct Cell {
    task: Mutex<Option<Task>>,
    queued: AtomicBool,
    state: Arc<Mutex<State>>,
}

impl Stepped {
    /// Makes an executor without tasks.
    pub fn new() -> Self {
        let state =
            State { ready: VecDeque::new(), now: Instant::now(), last: 0, sleeps: BTreeMap::new() };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Returns the handle that nurseries are opened on.
    pub fn runtime(&self) -> Runtime {
        Runtime::builder("stepped", self.clone()).timer(self.clone()).build()
    }

    /// Polls tasks until none is ready.
    pub fn settle(&self) {
        loop {
            let Some(cell) = lock(&self.state).ready.pop_front() else { return };
            cell.queued.store(false, Relaxed);
            let waker = Waker::from(cell.clone());
            let mut place = lock(&cell.task);
            let Some(task) = place.as_mut() else { continue };
            if Pin::new(task).poll(&mut Context::from_waker(&waker)).is_ready() {
                let done = place.take();
                drop(place);
                drop(done);
            }
        }
    }

    /// Lets time pass. It wakes no sleep.
    pub fn pass(&self, time: Duration) {
        lock(&self.state).now += time;
    }

    /// Goes on to the next moment that a sleep waits for, and wakes it. Returns `false` if no sleep
    /// waits.
    pub fn tick(&self) -> bool {
        let mut state = lock(&self.state);
        let Some(((at, _), waker)) = state.sleeps.pop_first() else { return false };
        state.now = state.now.max(at);
        drop(state);
        waker.wake();
        true
    }
}

impl Default for Stepped {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Stepped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stepped").finish_non_exhaustive()
    }
}

impl Spawn for Stepped {
    fn spawn(&self, task: Task) {
        let task = Mutex::new(Some(task));
        let cell = Cell { task, queued: AtomicBool::new(true), state: self.state.clone() };
        lock(&self.state).ready.push_back(Arc::new(cell));
    }

    fn threads(&self) -> usize {
        1
    }
}

impl Wake for Cell {
    fn wake(self: Arc<Self>) {
        if !self.queued.swap(true, Relaxed) {
            let state = self.state.clone();
            lock(&state).ready.push_back(self);
        }
    }
}

impl Timer for Stepped {
    fn now(&self) -> Instant {
        lock(&self.state).now
    }

    fn sleep_until(&self, at: Instant) -> BoxSleep {
        Box::pin(Sleep { clock: self.clone(), at, number: None })
    }
}

struct Sleep {
    clock: Stepped,
    at: Instant,
    number: Option<u64>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let clock = self.clock.clone();
        let mut state = lock(&clock.state);
        if state.now >= self.at {
            return Poll::Ready(());
        }
        let number = *self.number.get_or_insert_with(|| {
            state.last += 1;
            state.last
        });
        let old = state.sleeps.insert((self.at, number), cx.waker().clone());
        drop(state);
        drop(old);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        let Some(number) = self.number else { return };
        let old = lock(&self.clock.state).sleeps.remove(&(self.at, number));
        drop(old);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
