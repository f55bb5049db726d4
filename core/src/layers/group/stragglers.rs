//! Roll calls: a shutdown has it noted who leaves a nursery's tree late, that is, since the cancel.
//!
//! A roll hangs in the registry of every nursery of the tree; one that is opened later takes over
//! those of the nursery around it. So it does not matter who raises the nursery, and when.
//!
//! # Invariants
//!
//! 1. Whoever leaves a nursery that a roll hangs in is noted by it, under the registry's lock, if
//!    the nursery, or the step of the roll, is cancelled then.
//! 2. The roll's own lock is the innermost: nothing is taken, and nobody called, with it held.

use super::Group;
use super::registry::failures::Who;
use super::registry::{Phase, Registry};
use super::shields::BODY;
use crate::layers::base::guarded::{Foreign, Guarded};
use crate::layers::base::id::{NurseryId, TaskId};
use crate::layers::base::reason::Level;
use crate::layers::base::sync::{Arc, AtomicU8, GlobalU64, Ordering};
use crate::layers::context::host::Waiter;
use crate::layers::record::Header;
use std::collections::BTreeMap;
use std::mem;
use std::task::Waker;

/// The rolls that hang in one nursery, by their numbers: to take one down costs little, however many
/// shutdowns were given up before.
pub(super) type Rolls = BTreeMap<u64, Arc<Roll>>;

static LAST: GlobalU64 = GlobalU64::new(0);

/// Those who have left since the shutdown looked last, and how to tell it.
pub(crate) struct Roll {
    number: u64,
    /// The nursery whose body counts; that of one inside is a part of a task.
    root: NurseryId,
    /// The step that is being taken. Who is in a nursery with a shield around it is not told of it,
    /// and leaves at it all the same.
    step: AtomicU8,
    state: Guarded<State>,
}

struct State {
    /// The shutdown is given up, or over. A nursery that was opened meanwhile may have the roll still.
    over: bool,
    left: Vec<Left>,
    waker: Option<Foreign<Waker>>,
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
    pub(super) fn roll_wakers(&mut self) -> Vec<Foreign<Waker>> {
        self.struck = false;
        self.rolls
            .values()
            .filter_map(|roll| roll.state.locked(|state| state.waker.take()))
            .collect()
    }
}

impl Group {
    /// Hangs a roll in the whole tree.
    pub(crate) fn call_roll(&self, roll: &Arc<Roll>) {
        self.walk(|_, registry| {
            // One that was opened meanwhile has it.
            registry.rolls.entry(roll.number).or_insert_with(|| roll.clone());
        });
    }

    /// Takes it down.
    pub(crate) fn end_roll(&self, roll: &Arc<Roll>) {
        self.walk(|_, registry| {
            registry.rolls.remove(&roll.number);
        });
    }

    /// Notes that a task leaves, or, with no header, that the body does. The caller holds the lock;
    /// [`vacated`](Group::vacated), or itself, sees to the wakers.
    #[inline]
    pub(super) fn strike(&self, registry: &mut Registry, header: Option<&Header>) {
        if !registry.rolls.is_empty() {
            self.strike_off(registry, header);
        }
    }

    #[cold]
    fn strike_off(&self, registry: &mut Registry, header: Option<&Header>) {
        // Who heard of it by a token may leave before the nursery has followed.
        let risen = self.risen().max(registry.tokens.level());
        for roll in registry.rolls.values() {
            // Relaxed: as in `step`.
            let step = Level::from_u8(roll.step.load(Ordering::Relaxed));
            let level = risen.max(step);
            let counts = header.is_some() || roll.root == self.id;
            if counts && level >= Level::Cancelled {
                let id = header.map_or(self.body_id(), |header| self.task_id(header));
                let who = header.map_or_else(|| self.body(), |header| self.who(header));
                roll.state.locked(|state| {
                    if !state.over {
                        state.left.push(Left { id, who, level });
                    }
                });
                registry.struck = true;
            }
        }
    }

    /// Returns how the body is told from the tasks.
    pub(crate) fn body_id(&self) -> TaskId {
        TaskId { nursery: self.id, number: BODY }
    }

    /// Tells whether the body is there.
    pub(crate) fn has_body(&self) -> bool {
        self.locked(|registry| registry.phase == Phase::Body)
    }

    /// Tells whether anybody is left: in it, or, unless it is the body that asks, its body. The
    /// waker is woken when that has changed, and when the nursery is raised.
    pub(crate) fn is_left(&self, body_asks: bool, waiter: Waiter, waker: &Waker) -> bool {
        // Cloned with no lock held.
        let waker = Foreign::new(waker.clone());
        let (left, old) = self.locked(|registry| {
            let left = match registry.phase {
                Phase::Closed => false,
                _ if body_asks => !registry.is_vacant(),
                _ => true,
            };
            (left, if left { registry.keep_home_waker(waiter, waker) } else { Some(waker) })
        });
        drop(old);
        left
    }
}
