//! The waits of other tasks: until a scope has no child, and until it admits none.

use super::Control;
use crate::layers::base::guarded::{Foreign, Guarded};
use crate::layers::base::sync::Ordering;
use crate::layers::context::host::Waiter;
use std::collections::BTreeMap;
use std::mem;
use std::task::Waker;

/// The waiters, and how often the last child has left.
pub(super) struct Idlers(Guarded<State>);

impl Default for Idlers {
    fn default() -> Idlers {
        Idlers(Guarded::new(State::default()))
    }
}

#[derive(Default)]
struct State {
    times: u64,
    waiting: BTreeMap<Waiter, Foreign<Waker>>,
}

impl Control {
    /// A child is home. Returns `true` if it was the last. The caller is the scope's future, which
    /// alone counts them.
    pub(in crate::layers::in_place) fn leave(&self) -> bool {
        // Relaxed: a count; locks order it with the end of the scope, and with the waiters.
        self.left.store(self.left.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        self.members() == 0
    }

    /// The last child has left, and its outcome is given out.
    pub(in crate::layers::in_place) fn is_idle(&self) {
        let waiting = self.idlers.0.locked(|state| {
            state.times += 1;
            mem::take(&mut state.waiting)
        });
        waiting.into_values().for_each(Foreign::wake);
    }

    /// Returns `true` if there was a child all the time since `since` was none: then the waker is
    /// woken when the last has left.
    pub(in crate::layers::in_place) fn is_busy_since(
        &self,
        since: &mut Option<u64>,
        waiter: Waiter,
        waker: &Waker,
    ) -> bool {
        let mut waker = Some(Foreign::cloned(waker));
        let (busy, _old) = self.idlers.0.locked(|state| {
            let began = *since.get_or_insert(state.times);
            // Under the lock: the last child leaves before it takes it.
            let busy = began == state.times && self.members() != 0;
            let old = match busy {
                true => waker.take().and_then(|waker| state.waiting.insert(waiter, waker)),
                false => None,
            };
            (busy, old)
        });
        busy
    }

    /// Has the waker woken when no child is admitted any more: the caller looks after this.
    pub(in crate::layers::in_place) fn await_end(&self, waiter: Waiter, waker: &Waker) {
        let mut waker = Some(Foreign::cloned(waker));
        let _old = self.idlers.0.locked(|state| state.waiting.insert(waiter, waker.take()?));
    }

    /// Wakes all that wait: no child is admitted any more.
    pub(in crate::layers::in_place) fn wake_waiters(&self) {
        let waiting = self.idlers.0.locked(|state| mem::take(&mut state.waiting));
        waiting.into_values().for_each(Foreign::wake);
    }

    pub(in crate::layers::in_place) fn forget_waiter(&self, waiter: Waiter) {
        drop(self.idlers.0.locked(|state| state.waiting.remove(&waiter)));
    }
}
