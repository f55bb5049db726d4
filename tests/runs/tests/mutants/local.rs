//! The honest executor's local tasks, and their faults.

use super::base::{Entry, Shared};
use super::fault::Fault::*;
use super::unsound::elsewhere;
use allhome_rt::{LocalTask, SpawnLocal};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::mem::forget;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Wake, Waker};

/// The local tasks, at home with the driver.
pub(crate) struct Locals {
    shared: Arc<Shared>,
    tasks: RefCell<BTreeMap<usize, Place>>,
    next: Cell<usize>,
    polling: Cell<bool>,
    ended: Cell<bool>,
}

/// A task, unless it is polled at the moment, and its waker.
type Place = (Option<LocalTask>, Arc<LocalWaker>);

struct LocalWaker {
    shared: Arc<Shared>,
    id: usize,
    queued: AtomicBool,
    wakes: AtomicUsize,
    woken_elsewhere: AtomicBool,
    /// Its last waker was dropped on another thread.
    orphaned: AtomicBool,
}

impl LocalWaker {
    fn new(shared: &Arc<Shared>, id: usize) -> Arc<LocalWaker> {
        Arc::new(LocalWaker {
            shared: shared.clone(),
            id,
            queued: AtomicBool::new(true),
            wakes: AtomicUsize::new(0),
            woken_elsewhere: AtomicBool::new(false),
            orphaned: AtomicBool::new(false),
        })
    }
}

impl Wake for LocalWaker {
    fn wake(self: Arc<Self>) {
        let shared = &self.shared;
        let ignored = match shared.fault {
            LocalForeignWakeLost => !shared.at_home(),
            LocalWakesOnce => self.wakes.fetch_add(1, SeqCst) > 0,
            _ => false,
        };
        if !shared.at_home() {
            self.woken_elsewhere.store(true, SeqCst);
        }
        if !ignored && !self.queued.swap(true, SeqCst) && !shared.closed() {
            shared.push(Entry::Local(self.id), true);
        }
    }
}

/// The wakers of one poll: the last of them takes the task along, unless it wakes.
struct Owner(Arc<LocalWaker>);

impl Wake for Owner {
    fn wake(self: Arc<Self>) {
        self.0.clone().wake();
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let waker = &self.0;
        if !waker.shared.at_home() && !waker.queued.swap(true, SeqCst) && !waker.shared.closed() {
            waker.orphaned.store(true, SeqCst);
            waker.shared.push(Entry::Local(waker.id), true);
        }
    }
}

impl Locals {
    pub(crate) fn new(shared: &Arc<Shared>) -> Locals {
        Locals {
            shared: shared.clone(),
            tasks: RefCell::default(),
            next: Cell::default(),
            polling: Cell::default(),
            ended: Cell::default(),
        }
    }

    pub(crate) fn poll(&self, id: usize) {
        let Some((task, waker)) =
            self.tasks.borrow_mut().get_mut(&id).map(|(task, waker)| (task.take(), waker.clone()))
        else {
            return;
        };
        let Some(mut task) = task else { return };
        waker.queued.store(false, SeqCst);
        if waker.orphaned.load(SeqCst) {
            return elsewhere(|| drop(task));
        }
        let strays = self.shared.is(LocalPolledElsewhere) && waker.woken_elsewhere.load(SeqCst);
        let own = match self.shared.fault {
            LocalLivesInItsWaker => Waker::from(Arc::new(Owner(waker))),
            _ => Waker::from(waker),
        };
        self.polling.set(true);
        let mut poll = || Pin::new(&mut task).poll(&mut Context::from_waker(&own));
        let poll = || if strays { elsewhere(poll) } else { poll() };
        let poll = catch_unwind(AssertUnwindSafe(poll));
        self.polling.set(false);
        let pending = poll.is_ok_and(|poll| poll.is_pending());
        if pending {
            if let Some(entry) = self.tasks.borrow_mut().get_mut(&id) {
                entry.0 = Some(task);
            }
        } else {
            let gone = self.tasks.borrow_mut().remove(&id);
            drop((gone, task));
        }
    }

    pub(crate) fn end(&self) {
        self.ended.set(true);
        let tasks = self.tasks.take();
        for (_, (task, _)) in tasks {
            if self.shared.is(LocalsAreLeaked) {
                forget(task);
            } else {
                let _ = catch_unwind(AssertUnwindSafe(|| drop(task)));
            }
        }
    }
}

impl SpawnLocal for Locals {
    fn spawn_local(&self, task: LocalTask) {
        let shared = &self.shared;
        if shared.is(LocalsAreBorrowed) && self.polling.get() {
            shared.deadlock();
        }
        if self.ended.get() {
            return drop(task);
        }
        if shared.is(LocalQueueOf300) && self.tasks.borrow().len() >= 300 {
            return forget(task);
        }
        let id = self.next.replace(self.next.get() + 1);
        let waker = LocalWaker::new(shared, id);
        self.tasks.borrow_mut().insert(id, (Some(task), waker));
        match shared.is(LocalSpawnPollsInline) {
            true => self.poll(id),
            false => shared.push(Entry::Local(id), true),
        }
    }
}
