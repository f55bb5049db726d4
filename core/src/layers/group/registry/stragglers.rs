//! Rolls: who has left late, and how to tell it to the shutdown that asks.

use super::Registry;
use super::failures::Who;
use crate::layers::base::guarded::{Foreign, Guarded};
use crate::layers::base::id::{NurseryId, TaskId};
use crate::layers::base::reason::Level;
use crate::layers::base::sync::{Arc, AtomicU8, GlobalU64, Ordering};
use std::collections::BTreeMap;
use std::mem;
use std::task::Waker;

/// The rolls that hang in one nursery, by their numbers: to take one down costs little, however many
/// shutdowns were given up before.
pub(in crate::layers::group) type Rolls = BTreeMap<u64, Arc<Roll>>;

static LAST: GlobalU64 = GlobalU64::new(0);

/// Those who have left since the shutdown looked last, and how to tell it.
pub(crate) struct Roll {
    pub(in crate::layers::group) number: u64,
    /// The nursery whose body counts; that of one inside is a part of a task.
    pub(in crate::layers::group) root: NurseryId,
    /// The step that is being taken. Who is in a nursery with a shield around it is not told of it,
    /// and leaves at it all the same.
    pub(in crate::layers::group) step: AtomicU8,
    pub(in crate::layers::group) state: Guarded<State>,
}

pub(in crate::layers::group) struct State {
    /// The shutdown is given up, or over. A nursery that was opened meanwhile may have the roll still.
    pub(in crate::layers::group) over: bool,
    pub(in crate::layers::group) left: Vec<Left>,
    pub(in crate::layers::group) waker: Option<Foreign<Waker>>,
}

/// Somebody who has left late.
pub(crate) struct Left {
    pub(crate) id: TaskId,
    pub(crate) who: Who,
    pub(crate) level: Level,
}

impl Roll {
    pub(crate) fn new(root: NurseryId) -> Arc<Roll> {
        let state = State { over: false, left: Vec::new(), waker: None };
        // Relaxed: only uniqueness matters.
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        Arc::new(Roll { number, root, step: AtomicU8::new(0), state: Guarded::new(state) })
    }

    pub(crate) fn step(&self, step: Level) {
        // Relaxed: whoever is cancelled by that step takes a lock after this.
        self.step.store(step as u8, Ordering::Relaxed);
    }

    /// Has this waker woken when somebody leaves.
    pub(crate) fn wake_by(&self, waker: &Waker) {
        let waker = Foreign::new(waker.clone());
        drop(self.state.locked(|state| state.waker.replace(waker)));
    }

    /// Wakes and notes nobody any more: the shutdown is given up, or over.
    pub(crate) fn give_up(&self) {
        drop(self.state.locked(|state| {
            state.over = true;
            (state.waker.take(), mem::take(&mut state.left))
        }));
    }

    /// Returns who has left since.
    pub(crate) fn take_left(&self) -> Vec<Left> {
        self.state.locked(|state| mem::take(&mut state.left))
    }
}

impl Registry {
    /// Returns how to tell whoever called the roll.
    pub(in crate::layers::group) fn roll_wakers(&mut self) -> Vec<Foreign<Waker>> {
        self.struck = false;
        self.rolls
            .values()
            .filter_map(|roll| roll.state.locked(|state| state.waker.take()))
            .collect()
    }
}
