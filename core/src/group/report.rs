//! What a nursery has to say at its end: who failed, in the order of ending.
//!
//! The list is bounded; what does not fit is counted. The first panic is kept in any case,
//! because it may have to be resumed.

use crate::id::TaskId;
use crate::outcome::Ending;
use crate::panic::Panic;
use crate::record::Ended;
use std::panic::Location;

/// A failure, with the error's type erased.
pub(crate) struct Entry {
    pub(crate) ending: Ending,
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

pub(crate) struct Report {
    pub(crate) entries: Vec<Entry>,
    /// How many failures did not fit.
    pub(crate) more: usize,
    /// How many children were cancelled.
    pub(crate) cancelled: usize,
    pub(crate) first_panic: Option<Panic>,
    keep: usize,
}

impl Report {
    pub(crate) fn new(keep: usize) -> Report {
        Report { entries: Vec::new(), more: 0, cancelled: 0, first_panic: None, keep: keep.max(1) }
    }

    /// Notes how a child ended. Returns whether that was a failure.
    pub(crate) fn note(&mut self, ended: Ended, who: impl FnOnce() -> Who) -> bool {
        match ended.ending {
            Ending::Ok => return false,
            Ending::Cancelled(_) => {
                self.cancelled += 1;
                return false;
            }
            Ending::Err(_) | Ending::Panicked(_) | Ending::Lost | Ending::Stuck => {}
        }
        let who = who();
        if let Some(panic) = ended.second {
            self.add(ended.ending, who.clone());
            self.add(Ending::Panicked(panic), who);
        } else {
            self.add(ended.ending, who);
        }
        true
    }

    pub(crate) fn add(&mut self, ending: Ending, who: Who) {
        if let Ending::Panicked(panic) = &ending {
            self.first_panic.get_or_insert_with(|| panic.clone());
        }
        if self.entries.len() < self.keep {
            self.entries.push(Entry { ending, who });
        } else {
            self.more += 1;
        }
    }

    /// Takes over the panics of a nursery whose own future was dropped. Its errors are of another
    /// type and went with the future that would have returned them.
    pub(crate) fn adopt(&mut self, orphan: Report) {
        for entry in orphan.entries {
            // An error has the type of the nursery that it is from.
            let told = match entry.ending {
                Ending::Panicked(_) => true,
                Ending::Cancelled(_) | Ending::Lost => entry.who.finalizer,
                Ending::Ok | Ending::Err(_) | Ending::Stuck => false,
            };
            if told {
                self.add(entry.ending, entry.who);
            }
        }
    }
}
