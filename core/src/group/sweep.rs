//! Cancel and abort: through the whole tree in one pass.
//!
//! First every group below is raised, parents before children, so that nobody is admitted any
//! more. Then the members are told (or destroyed), deepest group first: by the time a task is
//! destroyed, the nurseries inside it are empty, and their destructors find nothing to do. So
//! neither the pass nor the destructors that it runs recurse, however deep the tree.
//!
//! Members are handled in batches: what to do is found out under the lock, and done without it.

use super::Group;
use super::registry::{Phase, Told};
use crate::outcome::{Ending, Outcome};
use crate::panic;
use crate::reason::{Level, Reason};
use crate::record::{Claimed, Handle};
use crate::sync::{Arc, Ordering};
use std::task::Waker;

/// How many members are handled for one hold of the lock.
const BATCH: usize = 64;

/// A group that was raised, and the waker of its future.
struct Raised {
    group: Arc<Group>,
    waker: Option<Waker>,
}

impl Group {
    /// Raises this group and everything nested in it. A group that is at the level already is left
    /// alone, with everything in it. The first reason that a group gets is the one it keeps.
    pub(crate) fn raise_tree(&self, level: Level, reason: &Reason) {
        let Some(root) = self.arc() else { return };
        let mut tree = Vec::new();
        let mut found = vec![root];
        while let Some(group) = found.pop() {
            if let Some(waker) = group.raise(level, reason, &mut found) {
                tree.push(Raised { group, waker });
            }
        }
        for Raised { group, waker } in tree.into_iter().rev() {
            group.sweep(level, reason);
            if let Some(waker) = waker {
                panic::wake(waker);
            }
        }
    }

    /// Raises this group alone. Returns its future's waker, or none if there was nothing to raise.
    fn raise(
        &self,
        level: Level,
        reason: &Reason,
        found: &mut Vec<Arc<Group>>,
    ) -> Option<Option<Waker>> {
        let mut registry = self.lock();
        if registry.phase == Phase::Closed || self.level() >= level {
            return None;
        }
        registry.reason.get_or_insert_with(|| reason.clone());
        self.level.store(level as u8, Ordering::Relaxed);
        if level == Level::Aborted {
            registry.untell();
        }
        registry.each_nested(|group, _| found.push(group.clone()));
        Some(registry.run_waker.take())
    }

    /// Tells, or destroys, the members of a group that was raised.
    fn sweep(&self, level: Level, reason: &Reason) {
        let mut doomed: Vec<(Claimed, Ending)> = Vec::new();
        let mut wakers: Vec<Waker> = Vec::new();
        let mut more = true;
        while more {
            let mut registry = self.lock();
            if self.level() > level {
                // Somebody has raised it further, and sweeps what is left here: to move members
                // on would hide them from him.
                return;
            }
            registry.queue_woken(&self.woken);
            for _ in 0..BATCH {
                match registry.sweep_next(level == Level::Aborted) {
                    Some(Told::Doomed(claimed)) => {
                        let first = registry.reason_of(&claimed);
                        let reason = first.unwrap_or_else(|| reason.clone());
                        doomed.push((claimed, Ending::Cancelled(reason)));
                    }
                    Some(Told::Wake(waker)) => wakers.push(waker),
                    Some(Told::Busy) => {}
                    None => {
                        more = false;
                        break;
                    }
                }
            }
            self.launch_wanted(registry);
            if !doomed.is_empty() {
                self.destroy(doomed.drain(..));
            }
            for waker in wakers.drain(..) {
                panic::wake(waker);
            }
        }
    }

    /// Cancels one child, and the nurseries inside it. Returns false if it had ended.
    pub(crate) fn cancel_child<T, E>(&self, handle: &Handle<T, E>, reason: &Reason) -> bool {
        let (told, nested) = {
            let mut registry = self.lock();
            let nested = registry.nested_of(handle);
            let Some(told) = registry.tell_one(handle, reason.clone()) else { return false };
            (told, nested)
        };
        for group in nested {
            group.raise_tree(Level::Cancelled, reason);
        }
        match told {
            Told::Doomed(claimed) => self.destroy_for(claimed, reason),
            Told::Wake(waker) => panic::wake(waker),
            Told::Busy => self.launch_wanted(self.lock()),
        }
        true
    }

    /// Destroys one child where it waits, and everything in the nurseries inside it; if it is
    /// being polled, as soon as that poll is over. Returns false if it had ended.
    pub(crate) fn abort_child<T, E>(&self, handle: &Handle<T, E>, reason: &Reason) -> bool {
        let (claimed, nested) = {
            let mut registry = self.lock();
            let nested = registry.nested_of(handle);
            let Some(claimed) = registry.abort_one(handle, reason.clone()) else { return false };
            (claimed, nested)
        };
        for group in nested {
            group.raise_tree(Level::Aborted, reason);
        }
        if let Some(claimed) = claimed {
            self.destroy_for(claimed, reason);
        }
        true
    }

    /// Destroys a child for the reason that it was given first.
    fn destroy_for(&self, claimed: Claimed, reason: &Reason) {
        let first = self.lock().reason_of(&claimed).unwrap_or_else(|| reason.clone());
        self.destroy(std::iter::once((claimed, Ending::Cancelled(first))));
    }

    /// A handle of an isolating nursery is dropped, and nobody looked at what it had: a failure
    /// goes to the nursery then.
    pub(crate) fn hand_in<T, E>(&self, handle: &Handle<T, E>, outcome: &Outcome<T, E>)
    where
        E: Send + Sync + 'static,
    {
        let header = handle.header();
        let who = super::report::Who {
            task: Some(self.task_id(header)),
            name: header.name().map(Box::from),
            place: header.place(),
        };
        let ended = crate::record::Ended { ending: outcome.ending(), second: None };
        self.lock().report.note(ended, || who);
    }
}
