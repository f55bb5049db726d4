//! The tasks that hold permits of a semaphore or wait for them: what its part of the
//! [book](super::book) says.

use super::book::{self, Id, Number, Seen};
use crate::layers::base::guarded::Guarded;
use crate::layers::base::id::{NurseryId, Owner, TaskId};
use crate::layers::context::clock;
use allhome_rt::Instant;
use std::collections::BTreeMap;
use std::fmt;
use std::panic::Location;

/// A task that holds permits of a [`Semaphore`](super::Semaphore), or waits for them.
#[derive(Clone)]
pub struct HolderInfo {
    owner: Option<Owner>,
    location: &'static Location<'static>,
    since: Instant,
    is_exact: bool,
    count: usize,
    waits: bool,
}

impl HolderInfo {
    /// Returns the task that acquired the permits, or `None` outside a nursery and in a nursery's
    /// body.
    pub fn task(&self) -> Option<TaskId> {
        match self.owner {
            Some(Owner::Task(task)) => Some(task),
            Some(Owner::Body(_)) | None => None,
        }
    }

    /// Returns the nursery whose body acquired the permits, if it was a body.
    pub fn body_of(&self) -> Option<NurseryId> {
        match self.owner {
            Some(Owner::Body(nursery)) => Some(nursery),
            Some(Owner::Task(_)) | None => None,
        }
    }

    /// Returns where the acquire was called.
    pub fn location(&self) -> &'static Location<'static> {
        self.location
    }

    /// Returns since when the permits have been held, or waited for, at least: that is when a call
    /// of [`holders`](super::Semaphore::holders) first listed this.
    ///
    /// With [`time_holders`](super::Semaphore::time_holders) it is since when exactly, by the
    /// clock of the task that began it: [`now`](crate::time::now) in the same task compares with
    /// it. Permits are held from the moment at which they are reserved for a waiter, even before
    /// the waiter is polled again.
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
        match self.owner {
            Some(Owner::Task(task)) => write!(f, "task {task} ")?,
            Some(Owner::Body(nursery)) => write!(f, "the body of nursery {nursery} ")?,
            None => f.write_str("a caller without a task ")?,
        }
        let verb = if self.waits { "has waited for" } else { "has held" };
        let permits = if self.count == 1 { "permit" } else { "permits" };
        let age = clock::now().saturating_duration_since(self.since);
        let at_least = if self.is_exact { "" } else { "at least " };
        write!(f, "{verb} {} {permits} for {at_least}{age:.1?}, by an acquire at ", self.count)?;
        write!(f, "{}", self.location)
    }
}

impl fmt::Debug for HolderInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HolderInfo")
            .field("task", &self.task())
            .field("body_of", &self.body_of())
            .field("location", &format_args!("{}", self.location))
            .field("since", &self.since)
            .field("count", &self.count)
            .field("waits", &self.waits)
            .finish()
    }
}

/// What a semaphore has in the book: its number there, and when each of its rows was listed first,
/// of those that were listed last time.
pub(super) struct Holders {
    number: Number,
    listed: Guarded<BTreeMap<Id, Instant>>,
}

impl Holders {
    #[cfg(not(loom))]
    pub(super) const fn new() -> Holders {
        Holders { number: Number::new(), listed: Guarded::new(BTreeMap::new()) }
    }

    /// As above; loom's primitives cannot be created in a constant.
    #[cfg(loom)]
    pub(super) fn new() -> Holders {
        Holders { number: Number::new(), listed: Guarded::new(BTreeMap::new()) }
    }

    /// Returns its number in the book.
    #[inline(always)]
    pub(super) fn number(&self) -> u64 {
        self.number.get()
    }

    pub(super) fn list(&self) -> Vec<HolderInfo> {
        // Before the lock: a clock is foreign code.
        let now = clock::now();
        self.listed.locked(|listed| {
            let seen = book::of(Some(self.number()));
            let first = |seen: &Seen| listed.get(&seen.id).copied().unwrap_or(now);
            let since: Vec<_> = seen.iter().map(first).collect();
            *listed = seen.iter().map(|seen| seen.id).zip(since.iter().copied()).collect();
            let infos = seen.iter().zip(since).map(|(seen, since)| HolderInfo::of(seen, since));
            let mut infos: Vec<_> = infos.collect();
            infos.sort_by_key(|info| (info.waits, info.since));
            infos
        })
    }
}

impl HolderInfo {
    fn of(seen: &Seen, listed: Instant) -> HolderInfo {
        let Seen { owner, location, count, waits, since, .. } = *seen;
        let (is_exact, since) = (since.is_some(), since.unwrap_or(listed));
        HolderInfo { owner, location, since, is_exact, count, waits }
    }
}
