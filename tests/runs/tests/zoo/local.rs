//! The honest executor's local tasks, and their faults.

use super::base::{Entry, Shared};
use super::fault::Fault::*;
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
}

impl Wake for LocalWaker {
    fn wake(self: Arc<Self>) {
        let shared = &self.shared;
        let ignored = match shared.fault {
            LocalForeignWakeLost => !shared.at_home(),
            LocalWakesOnce => self.wakes.fetch_add(1, SeqCst) > 0,
            _ => false,
        };
        if !ignored && !self.queued.swap(true, SeqCst) && !shared.closed() {
            shared.push(Entry::Local(self.id), true);
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
        let own = Waker::from(waker);
        self.polling.set(true);
        let poll = || Pin::new(&mut task).poll(&mut Context::from_waker(&own));
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
        let (queued, wakes) = (AtomicBool::new(true), AtomicUsize::new(0));
        let waker = Arc::new(LocalWaker { shared: shared.clone(), id, queued, wakes });
        self.tasks.borrow_mut().insert(id, (Some(task), waker));
        match shared.is(LocalSpawnPollsInline) {
            true => self.poll(id),
            false => shared.push(Entry::Local(id), true),
        }
    }
}
