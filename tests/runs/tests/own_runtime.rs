//! A runtime of one thread, complete, and the suite on it: the example of
//! docs/BRING-YOUR-OWN-RUNTIME.md.

use allhome_conformance::{Candidate, Capabilities, Host, Root, Runtime};
use allhome_rt::{Spawn, Task};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::{Context, Wake, Waker};

/// What the driver receives: which task to poll, with the task itself if it is new.
type Turn = (Arc<Handle>, Option<Task>);

/// The waker of a task. It knows the task's number and does not own it; the root's number is 0.
struct Handle {
    id: usize,
    queued: AtomicBool,
    driver: Sender<Turn>,
}

/// Makes one that is about to be queued.
fn handle(id: usize, driver: &Sender<Turn>) -> Arc<Handle> {
    Arc::new(Handle { id, queued: AtomicBool::new(true), driver: driver.clone() })
}

impl Wake for Handle {
    fn wake(self: Arc<Handle>) {
        if !self.queued.swap(true, SeqCst) {
            // After the end there is no receiver, which is right: a wake does nothing then.
            let _ = self.driver.send((self.clone(), None));
        }
    }
}

struct Spawner(Sender<Turn>);

impl Spawn for Spawner {
    fn spawn(&self, task: Task) {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        let first = (handle(NEXT.fetch_add(1, SeqCst), &self.0), Some(task));
        // After the end it comes back, and the task is dropped here.
        let _ = self.0.send(first);
    }
}

/// The driver. The tasks are its own, so there is no lock that could be held while one is polled.
struct Mine {
    tasks: HashMap<usize, Task>,
    sender: Sender<Turn>,
    queue: Receiver<Turn>,
}

impl Host for Mine {
    fn runtime(&self) -> Runtime {
        Runtime::new("mine", Spawner(self.sender.clone()))
    }

    fn block_on(&mut self, mut root: Root<'_>) {
        let _ = self.sender.send((handle(0, &self.sender), None));
        // For ever: the driver has a sender itself.
        while let Ok((next, new)) = self.queue.recv() {
            self.tasks.extend(new.map(|task| (next.id, task)));
            // Before the poll, so that a wake during it queues the task once more.
            next.queued.store(false, SeqCst);
            let waker = Waker::from(next.clone());
            let mut cx = Context::from_waker(&waker);
            if next.id == 0 && root.as_mut().poll(&mut cx).is_ready() {
                return;
            }
            let Some(task) = self.tasks.get_mut(&next.id) else { continue };
            let poll = || Pin::new(task).poll(&mut cx).is_pending();
            if !catch_unwind(AssertUnwindSafe(poll)).unwrap_or(false) {
                self.tasks.remove(&next.id);
            }
        }
    }
}

impl Drop for Mine {
    fn drop(&mut self) {
        let waiting = self.tasks.drain().map(|(_, task)| task);
        // Asked for last: meanwhile destructors may spawn more of them.
        let queued = self.queue.try_iter().filter_map(|(_, new)| new);
        for task in waiting.chain(queued) {
            // A panic in one destructor keeps no other task from being dropped.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(task)));
        }
    }
}

fn main() -> std::process::ExitCode {
    let start = || {
        let (sender, queue) = channel();
        Mine { tasks: HashMap::new(), sender, queue }
    };
    Candidate::new("mine", move || Box::new(start()))
        .declares(Capabilities::new().shutdown().joins_threads())
        .main()
}
