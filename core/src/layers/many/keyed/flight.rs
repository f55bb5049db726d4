//! One child of a key: what others know of it, and the tasks that wait for it.
//!
//! | state   | `cancel`                 | the child ends          | a waiter                      |
//! |---------|--------------------------|-------------------------|-------------------------------|
//! | new: not spawned yet | kept, and carried out when the handle comes | ended | waits |
//! | running | by its handle            | ended                   | waits                         |
//! | ended   | nothing                  | –                       | goes on to `after`, if there is one, and is ready then |
//!
//! # Invariants
//!
//! 1. `after` is the child that this one was to wait for, and has not waited for: it was dropped
//!    before. So what waits for this one waits for that one, too.
//! 2. The value is set before the end, and never again.
//! 3. No handle, waker or value is dropped, and no code of the user's called, while the lock is held.

use crate::layers::base::guarded::{Foreign, Guarded};
use crate::layers::base::reason::Reason;
use crate::layers::base::sync::{Arc, GlobalOnce};
use crate::layers::nursery::task_handle::TaskHandle;
use slab::Slab;
use std::mem;
use std::task::{Poll, Waker};

pub(super) struct Flight<T> {
    value: GlobalOnce<T>,
    state: Guarded<State<T>>,
}

enum State<T> {
    Runs { handle: Option<TaskHandle>, cancel: Option<Reason>, waiters: Slab<Foreign<Waker>> },
    Ended { after: Option<Arc<Flight<T>>> },
}

/// Waits for the end of a child, and of those before it.
pub(super) struct Wait<T> {
    flight: Arc<Flight<T>>,
    /// Its place among the waiters.
    place: Option<usize>,
}

impl<T> Flight<T> {
    pub(super) fn new() -> Arc<Flight<T>> {
        let state = State::Runs { handle: None, cancel: None, waiters: Slab::new() };
        Arc::new(Flight { value: GlobalOnce::new(), state: Guarded::new(state) })
    }

    /// It was spawned. What was cancelled before is cancelled now.
    pub(super) fn set_handle(&self, new: TaskHandle) {
        let mut new = Some(new);
        let cancel = self.state.locked(|state| match state {
            State::Runs { handle, cancel, .. } => match cancel.take() {
                None => {
                    *handle = new.take();
                    None
                }
                cancel => cancel,
            },
            State::Ended { .. } => None,
        });
        if let (Some(handle), Some(reason)) = (new, cancel) {
            handle.cancel_with(reason);
        }
    }

    /// Cancels the child.
    pub(super) fn cancel(&self, reason: Reason) {
        let mut reason = Some(reason);
        let handle = self.state.locked(|state| match state {
            State::Runs { handle: Some(handle), .. } => Some(handle.clone()),
            State::Runs { cancel: cancel @ None, .. } => {
                *cancel = reason.take();
                None
            }
            State::Runs { .. } | State::Ended { .. } => None,
        });
        if let (Some(handle), Some(reason)) = (handle, reason) {
            handle.cancel_with(reason);
        }
    }

    /// The child has a value, and is about to end.
    pub(super) fn set_value(&self, value: T) {
        let set = self.value.set(value);
        debug_assert!(set.is_ok(), "a child has one value");
    }

    pub(super) fn value(&self) -> Option<&T> {
        self.value.get()
    }

    /// The child is gone. It has not waited for `after`, if there is one.
    pub(super) fn end(&self, after: Option<Arc<Flight<T>>>) {
        let before = self.state.locked(|state| mem::replace(state, State::Ended { after }));
        if let State::Runs { waiters, .. } = before {
            waiters.into_iter().for_each(|(_, waker)| waker.wake());
        }
    }
}

impl<T> Wait<T> {
    pub(super) fn new(flight: Arc<Flight<T>>) -> Wait<T> {
        Wait { flight, place: None }
    }

    pub(super) fn flight(&self) -> &Flight<T> {
        &self.flight
    }

    /// Returns what it waits for at present.
    pub(super) fn into_flight(mut self) -> Arc<Flight<T>> {
        self.leave();
        self.flight.clone()
    }

    /// Ready if the child has ended. `all`: and those before it, which it has not waited for.
    pub(super) fn poll(&mut self, waker: &Waker, all: bool) -> Poll<()> {
        loop {
            let mut waker = Some(Foreign::cloned(waker));
            let place = &mut self.place;
            let (found, _old) = self.flight.state.locked(|state| match state {
                State::Runs { waiters, .. } => {
                    let waker = waker.take().expect("it is there once");
                    let old = match *place {
                        Some(place) => Some(mem::replace(&mut waiters[place], waker)),
                        None => {
                            *place = Some(waiters.insert(waker));
                            None
                        }
                    };
                    (Poll::Pending, old)
                }
                State::Ended { after } => (Poll::Ready(after.clone()), None),
            });
            let Poll::Ready(after) = found else { return Poll::Pending };
            // Its place went with the others.
            self.place = None;
            match after.filter(|_| all) {
                Some(after) => self.flight = after,
                None => return Poll::Ready(()),
            }
        }
    }

    fn leave(&mut self) {
        let Some(place) = self.place.take() else { return };
        let _waker = self.flight.state.locked(|state| match state {
            State::Runs { waiters, .. } => waiters.try_remove(place),
            State::Ended { .. } => None,
        });
    }
}

impl<T> Drop for Wait<T> {
    fn drop(&mut self) {
        self.leave();
    }
}
