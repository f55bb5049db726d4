//! The tasks that hold permits or wait for them: recorded only by a semaphore that was set to do
//! so.
//!
//! A plain slab under the semaphore's lock. It costs an allocation when it grows, a look at the
//! clock for each permit, and the lock for each acquire and release.

use crate::layers::base::id::TaskId;
use crate::layers::context::clock;
use crate::layers::context::task::task_id;
use allhome_rt::Instant;
use slab::Slab;
use std::fmt;
use std::panic::Location;

/// An entry of the slab, or none when no book is kept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Key(usize);

impl Key {
    pub(super) const NONE: Key = Key(usize::MAX);
}

/// A task that holds permits of a [`Semaphore`](super::Semaphore), or waits for them.
#[derive(Clone)]
pub struct HolderInfo {
    task: Option<TaskId>,
    location: &'static Location<'static>,
    since: Instant,
    count: usize,
    waits: bool,
}

impl HolderInfo {
    /// Returns the task that acquired the permits, or `None` outside a nursery and in a nursery's
    /// body.
    pub fn task(&self) -> Option<TaskId> {
        self.task
    }

    /// Returns where the acquire was called.
    pub fn location(&self) -> &'static Location<'static> {
        self.location
    }

    /// Returns since when the permits have been held, or waited for, by the clock of the task that
    /// began that: [`now`](crate::time::now) in the same task compares with it.
    ///
    /// Permits are held from the moment at which they are reserved for a waiter, even before the
    /// waiter is polled again.
    pub fn since(&self) -> Instant {
        self.since
    }

    /// Returns how many permits are held, or waited for.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Returns `true` if the task is still waiting for the permits.
    pub fn is_waiting(&self) -> bool {
        self.waits
    }
}

impl fmt::Display for HolderInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.task {
            Some(task) => write!(f, "task {task} ")?,
            None => f.write_str("a caller without a task ")?,
        }
        let verb = if self.waits { "has waited for" } else { "has held" };
        let permits = if self.count == 1 { "permit" } else { "permits" };
        let age = clock::now().saturating_duration_since(self.since);
        write!(f, "{verb} {} {permits} for {age:.1?}, by an acquire at ", self.count)?;
        write!(f, "{}", self.location)
    }
}

impl fmt::Debug for HolderInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HolderInfo")
            .field("task", &self.task)
            .field("location", &format_args!("{}", self.location))
            .field("since", &self.since)
            .field("count", &self.count)
            .field("waits", &self.waits)
            .finish()
    }
}

/// The book, if one is kept.
pub(super) struct Holders(Option<Slab<HolderInfo>>);

impl Holders {
    pub(super) const fn new() -> Holders {
        Holders(None)
    }

    pub(super) fn keep(&mut self, keep: bool) {
        self.0 = keep.then(Slab::new);
    }

    #[inline]
    pub(super) fn add(
        &mut self,
        count: usize,
        waits: bool,
        location: &'static Location<'static>,
        since: Option<Instant>,
    ) -> Key {
        let Some((book, since)) = self.0.as_mut().zip(since) else { return Key::NONE };
        Key(book.insert(HolderInfo { task: task_id(), location, since, count, waits }))
    }

    /// The waiter has been granted its permits.
    pub(super) fn grant(&mut self, key: Key, since: Option<Instant>) {
        if let Some((info, since)) = self.get(key).zip(since) {
            info.waits = false;
            info.since = since;
        }
    }

    /// Records the task that holds the permits.
    pub(super) fn sign(&mut self, key: Key, task: Option<TaskId>) {
        if let Some(info) = self.get(key) {
            info.task = task;
        }
    }

    pub(super) fn remove(&mut self, key: Key) {
        if let Some(book) = &mut self.0 {
            book.try_remove(key.0);
        }
    }

    /// Moves `count` of a holder's permits to a new entry.
    pub(super) fn split(&mut self, key: Key, count: usize) -> Key {
        let Some(info) = self.get(key) else { return Key::NONE };
        info.count -= count;
        let part = HolderInfo { count, ..info.clone() };
        self.0.as_mut().map_or(Key::NONE, |book| Key(book.insert(part)))
    }

    /// Moves all of `from`'s permits to `to`.
    pub(super) fn merge(&mut self, to: Key, from: Key) {
        let Some(info) = self.get(from) else { return };
        let count = info.count;
        self.remove(from);
        if let Some(info) = self.get(to) {
            info.count += count;
        }
    }

    pub(super) fn list(&self) -> Vec<HolderInfo> {
        self.0.iter().flatten().map(|(_, info)| info.clone()).collect()
    }

    fn get(&mut self, key: Key) -> Option<&mut HolderInfo> {
        self.0.as_mut()?.get_mut(key.0)
    }
}
