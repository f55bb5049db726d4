//! What a nursery reports at its end: the failures, in the order of ending.
//!
//! The list is bounded; what does not fit is counted. A nursery that supervises keeps no failure of
//! its children, and counts them. The first panic is kept in any case,
//! because it may have to be resumed.

use crate::layers::base::guarded::Foreign;
use crate::layers::base::outcome::Ending;
use crate::layers::base::panic::Panic;
use crate::layers::base::reason::Reason;
use crate::layers::base::who::Who;
use crate::layers::record::Ended;
use std::mem;

/// A failure, with the error's type erased.
pub(crate) struct Entry {
    pub(crate) ending: Foreign<Ending>,
    pub(crate) who: Who,
}

/// What falls out of a note: it is dropped with no lock held.
pub(crate) type Rest = (Option<Foreign<Ended>>, Vec<Entry>);

pub(crate) struct Report {
    /// At most `keep`.
    entries: Vec<Entry>,
    /// How many failures did not fit.
    more: usize,
    /// How many children were cancelled.
    cancelled: usize,
    /// How many children were refused.
    refused: usize,
    first_panic: Option<Foreign<Panic>>,
    /// Errors that are no failures: at most `keep`.
    echoes: Vec<Entry>,
    /// How many echoes did not fit.
    more_echoes: usize,
    /// Why the body has no value, if that is no failure of its own.
    body_reason: Option<Reason>,
    keep: usize,
    forgets: Forgets,
    /// How many failures were only counted.
    forgotten: usize,
}

/// Which failures of children are only counted.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Forgets {
    #[default]
    Nothing,
    /// The nursery resumes panics.
    AllButPanics,
    All,
}

/// What a nursery's error says of a report.
pub(crate) struct Parts {
    pub(crate) entries: Vec<Entry>,
    /// How many failures did not fit.
    pub(crate) more: usize,
    /// How many children were cancelled.
    pub(crate) cancelled: usize,
    /// How many children were refused.
    pub(crate) refused: usize,
    /// How many failures were only counted.
    pub(crate) forgotten: usize,
    pub(crate) echoes: Vec<Entry>,
    /// How many echoes did not fit.
    pub(crate) more_echoes: usize,
    /// Why the body has no value, if that is no failure of its own.
    pub(crate) body_reason: Option<Reason>,
}

impl Report {
    pub(crate) fn new(keep: usize, forgets: Forgets) -> Report {
        Report {
            entries: Vec::new(),
            more: 0,
            cancelled: 0,
            refused: 0,
            first_panic: None,
            echoes: Vec::new(),
            more_echoes: 0,
            body_reason: None,
            keep: keep.max(1),
            forgets,
            forgotten: 0,
        }
    }

    /// Returns how many failures were only counted.
    pub(crate) fn forgotten(&self) -> usize {
        self.forgotten
    }

    /// Returns `true` if a failure of a child is only counted. That a task is given up is none of
    /// its failures.
    fn is_forgotten(&self, ending: &Ending) -> bool {
        match ending {
            Ending::Stuck | Ending::Deadlock(_) => false,
            Ending::Panicked(_) => self.forgets == Forgets::All,
            _ => self.forgets != Forgets::Nothing,
        }
    }

    /// Returns `true` if there is no failure.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn first_panic(&self) -> Option<&Panic> {
        self.first_panic.as_deref()
    }

    pub(crate) fn into_parts(self) -> Parts {
        let Report { entries, more, cancelled, refused, forgotten, .. } = self;
        let Report { echoes, more_echoes, body_reason, .. } = self;
        Parts { entries, more, cancelled, refused, forgotten, echoes, more_echoes, body_reason }
    }

    /// Takes the report of a nursery that ends. How many were refused is still known after that.
    pub(crate) fn take(&mut self) -> Report {
        let left = Report { refused: self.refused, ..Report::new(1, Forgets::Nothing) };
        mem::replace(self, left)
    }

    /// A child was refused: its future was dropped unpolled.
    pub(crate) fn count_refused(&mut self) {
        self.refused += 1;
    }

    pub(crate) fn refused_count(&self) -> usize {
        self.refused
    }

    /// A child was cancelled.
    pub(crate) fn count_cancelled(&mut self) {
        self.cancelled += 1;
    }

    /// Notes how a child ended, if that was a failure. Returns what is not kept.
    pub(crate) fn note(&mut self, ended: Foreign<Ended>, who: impl FnOnce() -> Who) -> Rest {
        match ended.ending {
            Ending::Ok => return (Some(ended), Vec::new()),
            Ending::Cancelled(_) => {
                self.cancelled += 1;
                return (Some(ended), Vec::new());
            }
            Ending::Echo(_) => unreachable!("an echo is noted as one"),
            Ending::Err(_)
            | Ending::NoValue(_)
            | Ending::Panicked(_)
            | Ending::Lost
            | Ending::Stuck
            | Ending::Deadlock(_) => {}
        }
        let who = who();
        let Ended { ending, second } = ended.into_inner();
        let second = second.map(|panic| Entry::new(Ending::Panicked(panic), who.clone()));
        let entries = [Some(Entry::new(ending, who)), second].into_iter().flatten();
        (None, entries.filter_map(|entry| self.add(entry)).collect())
    }

    /// Adds an entry, or gives it back if it does not fit, or is only counted.
    pub(crate) fn add(&mut self, entry: Entry) -> Option<Entry> {
        if entry.who.task.is_some() && self.is_forgotten(&entry.ending) {
            self.forgotten += 1;
            return Some(entry);
        }
        self.list(entry)
    }

    fn list(&mut self, entry: Entry) -> Option<Entry> {
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

    /// Adds an echo, or gives it back if it does not fit.
    pub(crate) fn add_echo(&mut self, echo: Entry) -> Option<Entry> {
        if self.echoes.len() < self.keep {
            self.echoes.push(echo);
            None
        } else {
            self.more_echoes += 1;
            Some(echo)
        }
    }

    /// Returns the echoes that were kept, which share their errors with the report.
    pub(crate) fn echoes(&self) -> impl Iterator<Item = Entry> {
        self.echoes.iter().filter_map(|echo| match &*echo.ending {
            Ending::Err(error) => Some(Entry::new(Ending::Err(error.clone()), echo.who.clone())),
            _ => None,
        })
    }

    /// Returns why the body has no value, if that is no failure of its own.
    pub(crate) fn body_reason(&self) -> Option<&Reason> {
        self.body_reason.as_ref()
    }

    /// Sets that. Returns what was there before.
    pub(crate) fn set_body_reason(&mut self, reason: Reason) -> Option<Reason> {
        self.body_reason.replace(reason)
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
    pub(crate) fn take_inherited(&mut self) -> Vec<Entry> {
        let is_inherited = |entry: &Entry| match *entry.ending {
            Ending::Panicked(_) => true,
            Ending::Cancelled(_) | Ending::NoValue(_) | Ending::Lost => entry.who.finalizer,
            Ending::Ok | Ending::Err(_) | Ending::Echo(_) | Ending::Stuck | Ending::Deadlock(_) => {
                false
            }
        };
        let (inherited, rest) = mem::take(&mut self.entries).into_iter().partition(is_inherited);
        self.entries = rest;
        inherited
    }

    /// Takes over what such a nursery had, which a child opened or the body did. Returns what is not
    /// kept.
    pub(crate) fn adopt(&mut self, inherited: Vec<Entry>) -> Vec<Entry> {
        let adopt = |entry: Entry| {
            if self.is_forgotten(&entry.ending) {
                self.forgotten += 1;
                return Some(entry);
            }
            self.list(entry)
        };
        inherited.into_iter().filter_map(adopt).collect()
    }
}

impl Entry {
    pub(crate) fn new(ending: Ending, who: Who) -> Entry {
        Entry { ending: Foreign::new(ending), who }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Ended, Ending, Entry, Foreign, Forgets, Panic, Report, Who};
    use crate::layers::base::sync::Arc;
    use std::panic::Location;

    fn who() -> Who {
        Who { task: None, name: None, place: Location::caller(), finalizer: false }
    }

    fn note(report: &mut Report, ending: Ending) -> usize {
        let (ended, rest) = report.note(Foreign::new(Ended { ending, second: None }), who);
        usize::from(ended.is_some()) + rest.len()
    }

    fn error() -> Ending {
        Ending::Err(Arc::new(1))
    }

    fn panicked() -> Ending {
        Ending::Panicked(Panic::new(Box::new("no"), None, None, Location::caller()))
    }

    #[test]
    fn what_does_not_fit_is_counted_and_given_back() {
        let mut report = Report::new(2, Forgets::Nothing);
        for (ending, given_back) in [(error(), 0), (Ending::Ok, 1), (Ending::Lost, 0), (error(), 1)]
        {
            assert_eq!(note(&mut report, ending), given_back);
        }
        report.count_cancelled();
        let parts = report.into_parts();
        assert_eq!((parts.entries.len(), parts.more, parts.cancelled), (2, 1, 1));
    }

    #[test]
    fn the_first_panic_is_kept_where_no_entry_fits() {
        let mut report = Report::new(0, Forgets::Nothing);
        note(&mut report, error());
        assert!(report.first_panic().is_none());
        note(&mut report, panicked());
        assert!(report.first_panic().is_some());
        assert_eq!(report.into_parts().entries.len(), 1, "at least one is kept");
    }

    #[test]
    fn an_ancestor_takes_over_the_panics() {
        let (mut report, mut ancestor) =
            (Report::new(4, Forgets::Nothing), Report::new(1, Forgets::Nothing));
        note(&mut report, error());
        note(&mut report, panicked());
        report.add_plain(Ending::Lost, Who { finalizer: true, ..who() });
        let inherited: Vec<Entry> = report.take_inherited();
        assert_eq!((inherited.len(), report.into_parts().entries.len()), (2, 1));
        assert_eq!(ancestor.adopt(inherited).len(), 1, "one does not fit");
        assert!(ancestor.first_panic().is_some());
    }
}
