//! What other threads have for a local executor: tasks and wakes.
//!
//! # Invariants
//!
//! 1. `full` is set after something was put in, and cleared before everything is taken out. So the
//!    next look sees what is inside, or a look that has not begun yet.
//! 2. The owner thread sets `asleep` and looks once more before it parks. A thread that puts
//!    something in sets `full` before it looks at `asleep`. All are SeqCst: either that thread sees
//!    the sleeper and gives it a token, or the sleeper sees what was put in.
//! 3. A closed inbox is empty and stays so.
//!
//! # Lock order
//!
//! There is one lock. Tasks are dropped after it is released: they are foreign code.

use super::waker_cell::TaskKey;
use crate::current::PoolId;
use crate::guarded::{Foreign, Guarded};
use crate::parker::Parker;
use allhome_rt::Task;
use std::sync::atomic::{AtomicBool, Ordering};

pub(super) struct Inbox {
    id: PoolId,
    items: Guarded<Items>,
    full: AtomicBool,
    asleep: AtomicBool,
    parker: Parker,
}

#[derive(Default)]
struct Items {
    list: Vec<Arrival>,
    closed: bool,
}

pub(super) enum Arrival {
    Wake(TaskKey),
    Spawn(Foreign<Task>),
}

impl Arrival {
    pub(super) fn discard(self) {
        if let Arrival::Spawn(task) = self {
            task.discard();
        }
    }
}

impl Inbox {
    pub(super) fn new(id: PoolId) -> Inbox {
        Inbox {
            id,
            items: Guarded::default(),
            full: AtomicBool::new(false),
            asleep: AtomicBool::new(false),
            parker: Parker::default(),
        }
    }

    /// Returns the executor that it belongs to.
    pub(super) fn id(&self) -> PoolId {
        self.id
    }

    /// Takes a task, or gives it back if the executor has ended.
    pub(super) fn spawn(&self, task: Foreign<Task>) -> Option<Foreign<Task>> {
        match self.put(Arrival::Spawn(task)) {
            Some(Arrival::Spawn(task)) => Some(task),
            Some(Arrival::Wake(_)) | None => None,
        }
    }

    pub(super) fn wake(&self, task_key: TaskKey) {
        self.put(Arrival::Wake(task_key));
    }

    fn put(&self, item: Arrival) -> Option<Arrival> {
        let refused = self.items.locked(|items| {
            if items.closed {
                return Some(item);
            }
            items.list.push(item);
            None
        });
        if refused.is_some() {
            return refused;
        }
        self.full.store(true, Ordering::SeqCst);
        if self.asleep.load(Ordering::SeqCst) && self.asleep.swap(false, Ordering::SeqCst) {
            self.parker.unpark();
        }
        None
    }

    /// Returns `true` if there may be something in it.
    pub(super) fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// Takes everything out: swaps it with an empty list.
    pub(super) fn take(&self, empty: &mut Vec<Arrival>) {
        self.full.store(false, Ordering::SeqCst);
        self.items.locked(|items| std::mem::swap(&mut items.list, empty));
    }

    /// Takes nothing more, and gives everything back.
    pub(super) fn close(&self) -> Vec<Arrival> {
        self.items.locked(|items| {
            items.closed = true;
            std::mem::take(&mut items.list)
        })
    }

    /// Sleeps until there is something in it.
    pub(super) fn sleep(&self) {
        self.asleep.store(true, Ordering::SeqCst);
        if self.full.load(Ordering::SeqCst) && self.asleep.swap(false, Ordering::SeqCst) {
            // No other thread has seen the sleeper, so there is no token.
            return;
        }
        self.parker.park();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    const TICKET: TaskKey = TaskKey { key: 1, number: 1 };

    /// Sleeps on a thread of its own, after something has been done there.
    #[track_caller]
    fn sleeps_no_longer_than_a_moment(inbox: &Arc<Inbox>) {
        let (tx, rx) = mpsc::channel();
        let own = Arc::clone(inbox);
        thread::spawn(move || {
            own.sleep();
            tx.send(()).unwrap();
        });
        rx.recv_timeout(Duration::from_secs(60)).expect("hang: it sleeps");
    }

    #[test]
    fn wake_before_the_sleep_then_it_returns() {
        let inbox = Arc::new(Inbox::new(PoolId::next()));
        inbox.wake(TICKET);
        sleeps_no_longer_than_a_moment(&inbox);
    }

    #[test]
    fn take_then_wake_then_sleep_then_it_returns_and_leaves_no_token() {
        let inbox = Arc::new(Inbox::new(PoolId::next()));
        inbox.wake(TICKET);
        let mut items = Vec::new();
        inbox.take(&mut items);
        assert_eq!((items.len(), inbox.is_full()), (1, false));
        inbox.wake(TICKET);
        sleeps_no_longer_than_a_moment(&inbox);
        inbox.take(&mut Vec::new());
        // Were there a token left, this would return before the wake.
        let own = Arc::clone(&inbox);
        let sleeper = thread::spawn(move || {
            own.sleep();
            own.is_full()
        });
        inbox.wake(TICKET);
        assert!(sleeper.join().unwrap());
    }
}
