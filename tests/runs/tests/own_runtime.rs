//! A runtime of one thread, complete, and the suite on it: the example of
//! docs/BRING-YOUR-OWN-RUNTIME.md.

use allhome_conformance::{Candidate, Capabilities, Host, Root, Runtime};
use allhome_rt::{Spawn, Task};
use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    ready: VecDeque<Arc<Handle>>,
    /// All tasks that are not over; `None` while one is polled.
    tasks: HashMap<usize, Option<Task>>,
    last: usize,
    closed: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics with the lock held")
    }
}

/// The waker of a task; that of the root has number 0. It knows the task and does not own it.
struct Handle {
    id: usize,
    queued: AtomicBool,
    shared: Arc<Shared>,
}

impl Handle {
    fn new(id: usize, shared: &Arc<Shared>) -> Arc<Handle> {
        Arc::new(Handle { id, queued: AtomicBool::new(false), shared: shared.clone() })
    }
}

impl Wake for Handle {
    fn wake(self: Arc<Handle>) {
        let shared = self.shared.clone();
        let mut state = shared.lock();
        if !state.closed && !self.queued.swap(true, SeqCst) {
            state.ready.push_back(self);
            shared.changed.notify_all();
        }
    }
}

struct Spawner(Arc<Shared>);

impl Spawn for Spawner {
    fn spawn(&self, task: Task) {
        let mut state = self.0.lock();
        if state.closed {
            // With no lock held: what is destroyed with the task may spawn and wake.
            drop(state);
            return drop(task);
        }
        state.last += 1;
        let id = state.last;
        state.tasks.insert(id, Some(task));
        drop(state);
        Handle::new(id, &self.0).wake();
    }

    fn threads(&self) -> usize {
        1
    }
}

struct Mine(Arc<Shared>);

impl Host for Mine {
    fn runtime(&self) -> Runtime {
        Runtime::new("mine", Spawner(self.0.clone()))
    }

    fn block_on(&mut self, mut root: Root<'_>) {
        Handle::new(0, &self.0).wake();
        loop {
            let idle = |state: &mut State| state.ready.is_empty();
            let mut state = self.0.changed.wait_while(self.0.lock(), idle).expect("as in lock");
            let Some(next) = state.ready.pop_front() else { continue };
            drop(state);
            // Before the poll, so that a wake during it queues the task once more.
            next.queued.store(false, SeqCst);
            let waker = Waker::from(next.clone());
            let mut cx = Context::from_waker(&waker);
            if next.id == 0 {
                if root.as_mut().poll(&mut cx).is_ready() {
                    return;
                }
                continue;
            }
            let task = self.0.lock().tasks.get_mut(&next.id).and_then(Option::take);
            let Some(mut task) = task else { continue };
            let poll = catch_unwind(AssertUnwindSafe(|| Pin::new(&mut task).poll(&mut cx)));
            if matches!(poll, Ok(Poll::Pending)) {
                self.0.lock().tasks.insert(next.id, Some(task));
            } else {
                self.0.lock().tasks.remove(&next.id);
            }
        }
    }
}

impl Drop for Mine {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.closed = true;
        state.ready.clear();
        let tasks = std::mem::take(&mut state.tasks);
        drop(state);
        for task in tasks.into_values() {
            let _ = catch_unwind(AssertUnwindSafe(|| drop(task)));
        }
    }
}

fn main() -> std::process::ExitCode {
    Candidate::new("mine", || Box::new(Mine(Arc::default())))
        .declares(Capabilities::new().shutdown().joins_threads())
        .main()
}
