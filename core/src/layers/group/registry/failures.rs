//! What a nursery has to say at its end: who failed, in the order of ending.
//!
//! The list is bounded; what does not fit is counted. The first panic is kept in any case,
//! because it may have to be resumed.

use crate::layers::base::guarded::Foreign;
use crate::layers::base::id::TaskId;
use crate::layers::base::outcome::Ending;
use crate::layers::base::panic::Panic;
use crate::layers::record::Ended;
use std::mem;
use std::panic::Location;

/// A failure, with the error's type erased.
pub(crate) struct Entry {
    pub(crate) ending: Foreign<Ending>,
    pub(crate) who: Who,
}

/// Who failed: a child, or (no task) the body.
#[derive(Clone)]
pub(crate) struct Who {
    pub(crate) task: Option<TaskId>,
    pub(crate) name: Option<Box<str>>,
    pub(crate) place: &'static Location<'static>,
    /// A finalizer, and not the body.
    pub(crate) finalizer: bool,
}

/// What falls out of a note: it is dropped with no lock held.
pub(crate) type Rest = (Option<Foreign<Ended>>, Vec<Entry>);

pub(crate) struct Report {
    pub(crate) entries: Vec<Entry>,
    /// How many failures did not fit.
    pub(crate) more: usize,
    /// How many children were cancelled.
    pub(crate) cancelled: usize,
    pub(crate) first_panic: Option<Foreign<Panic>>,
    keep: usize,
}

impl Report {
    pub(crate) fn new(keep: usize) -> Report {
        Report { entries: Vec::new(), more: 0, cancelled: 0, first_panic: None, keep: keep.max(1) }
    }

    /// Notes how a child ended, if that was a failure. Returns what is not kept.
    pub(crate) fn note(&mut self, ended: Foreign<Ended>, who: impl FnOnce() -> Who) -> Rest {
        match ended.ending {
            Ending::Ok => return (Some(ended), Vec::new()),
            Ending::Cancelled(_) => {
                self.cancelled += 1;
                return (Some(ended), Vec::new());
            }
            Ending::Err(_) | Ending::Panicked(_) | Ending::Lost | Ending::Stuck => {}
        }
        let who = who();
        let Ended { ending, second } = ended.into_inner();
        let second = second.map(|panic| Entry::new(Ending::Panicked(panic), who.clone()));
        let entries = [Some(Entry::new(ending, who)), second].into_iter().flatten();
        (None, entries.filter_map(|entry| self.add(entry)).collect())
    }

    /// Adds an entry, or gives it back if it does not fit.
    pub(crate) fn add(&mut self, entry: Entry) -> Option<Entry> {
        if let Ending::Panicked(panic) = &*entry.ending {
            self.first_panic.get_or_insert_with(|| Foreign::new(panic.clone()));
        }
        if self.entries.len() < self.keep {
            self.entries.push(entry);
            None
        } else {
            self.more += 1;
            Some(entry)
        }
    }

    /// Adds a failure that is nothing of the user's.
    pub(crate) fn add_plain(&mut self, ending: Ending, who: Who) {
        debug_assert!(matches!(ending, Ending::Stuck | Ending::Lost | Ending::Cancelled(_)));
        if let Some(Entry { ending, .. }) = self.add(Entry::new(ending, who)) {
            drop(ending.into_inner());
        }
    }

    /// Takes what concerns the ancestors of a nursery whose own future was dropped: its panics. Its
    /// errors are of another type and go with the future that would have returned them.
    pub(crate) fn take_told(&mut self) -> Vec<Entry> {
        let is_told = |entry: &Entry| match *entry.ending {
            Ending::Panicked(_) => true,
            Ending::Cancelled(_) | Ending::Lost => entry.who.finalizer,
            Ending::Ok | Ending::Err(_) | Ending::Stuck => false,
        };
        let (told, rest) = mem::take(&mut self.entries).into_iter().partition(is_told);
        self.entries = rest;
        told
    }

    /// Takes over what such a nursery had. Returns what is not kept.
    pub(crate) fn adopt(&mut self, told: Vec<Entry>) -> Vec<Entry> {
        told.into_iter().filter_map(|entry| self.add(entry)).collect()
    }
}

impl Entry {
    pub(crate) fn new(ending: Ending, who: Who) -> Entry {
        Entry { ending: Foreign::new(ending), who }
    }
}
