//! What a task waits for, as its last poll has noted it.

use crate::layers::base::age::Shown;
use crate::layers::base::escaped::Escaped;
use crate::layers::base::id::{NurseryId, TaskId};
use crate::layers::base::names;
use crate::layers::base::wait_mark::{Kind, WaitMark};
use std::fmt;
use std::time::Duration;

/// What a task waits for, if that is an await of this crate: as its last poll has noted it.
///
/// Its text goes on from *waiting*: `for a permit of `db``.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Wait {
    /// What it waits for.
    pub on: WaitOn,
    /// Whether the poll has left other awaits of this crate pending, too: the task is in a `select!`,
    /// perhaps. A sleep beside another await is named last.
    pub among_others: bool,
}

/// What an await of this crate waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitOn {
    /// A child, by its handle; none if it is not known which.
    Child(Option<TaskId>),
    /// So many children: a `join_all`, a `race`, or another of [`join`](crate::join).
    Children(usize),
    /// A nursery: its future, or an owner's `close`; none if it is not known which.
    Nursery(Option<NurseryId>),
    /// A scope in place, whose children it polls; none if it is not known which.
    Scope(Option<NurseryId>),
    /// Permits of a semaphore, by its [name](crate::Semaphore::named).
    Permit(Option<&'static str>),
    /// Permits of a rate limiter, by its name.
    Rate(Option<&'static str>),
    /// A slot of a nursery with a limit, by its limiter's name.
    Slot(Option<&'static str>),
    /// The time: a sleep of so long, or until an instant.
    Sleep(Option<Duration>),
    /// The cancel of a token.
    Token,
    /// The cancel of the task itself.
    Cancel,
    /// A token, or the nursery, that drains.
    Drain,
    /// A nursery that has no child; none if it is not known which.
    Idle(Option<NurseryId>),
    /// The shutdown of a nursery; none if it is not known which.
    Shutdown(Option<NurseryId>),
    /// What [`waiting_on`](crate::see::waiting_on) has named.
    Named(&'static str),
}

impl Wait {
    /// Returns what a mark says. A nursery is told by a part of its id: `known` are those that it may
    /// be.
    pub(super) fn of(mark: WaitMark, known: impl Fn() -> Vec<NurseryId>) -> Option<Wait> {
        let nursery = || {
            let mut same = known().into_iter().filter(|id| mark.is_of(id.number()));
            same.next().filter(|_| same.next().is_none())
        };
        let name = || names::name(mark.object());
        let on = match mark.kind()? {
            Kind::Child => WaitOn::Child(None),
            Kind::Children => WaitOn::Children(mark.object() as usize),
            Kind::Nursery => WaitOn::Nursery(nursery()),
            Kind::Scope => WaitOn::Scope(None),
            Kind::Permit => WaitOn::Permit(name()),
            Kind::Rate => WaitOn::Rate(name()),
            Kind::Slot => WaitOn::Slot(name()),
            Kind::Sleep => {
                let millis = Some(mark.object()).filter(|millis| *millis > 0);
                WaitOn::Sleep(millis.map(|millis| Duration::from_millis(millis.into())))
            }
            Kind::Token => WaitOn::Token,
            Kind::Cancel => WaitOn::Cancel,
            Kind::Drain => WaitOn::Drain,
            Kind::Idle => WaitOn::Idle(nursery()),
            Kind::Shutdown => WaitOn::Shutdown(nursery()),
            // Beyond the bound of names, it has none.
            Kind::Named => WaitOn::Named(name().unwrap_or("?")),
        };
        Some(Wait { on, among_others: mark.is_among_others() })
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "for {}", self.on)?;
        if self.among_others { f.write_str(", among others") } else { Ok(()) }
    }
}

impl fmt::Display for WaitOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = |f: &mut fmt::Formatter<'_>, what: &str, name: Option<&str>| match name {
            Some(name) => write!(f, "{what} of `{}`", Escaped(name)),
            None => f.write_str(what),
        };
        let nursery = |f: &mut fmt::Formatter<'_>, id: Option<NurseryId>, what: &str| match id {
            Some(id) => write!(f, "nursery {id}{what}"),
            None => write!(f, "a nursery{what}"),
        };
        match self {
            WaitOn::Child(Some(id)) => write!(f, "task {id}"),
            WaitOn::Child(None) => f.write_str("a child"),
            WaitOn::Children(1) => f.write_str("1 child"),
            WaitOn::Children(count) => write!(f, "{count} children"),
            WaitOn::Nursery(id) => nursery(f, *id, ""),
            WaitOn::Scope(Some(id)) => write!(f, "scope {id}"),
            WaitOn::Scope(None) => f.write_str("a scope"),
            WaitOn::Permit(name) => named(f, "a permit", *name),
            WaitOn::Rate(name) => named(f, "a rate limit", *name),
            WaitOn::Slot(name) => named(f, "a slot", *name),
            WaitOn::Sleep(Some(time)) => write!(f, "a sleep of {}", Shown(*time)),
            WaitOn::Sleep(None) => f.write_str("a sleep"),
            WaitOn::Token => f.write_str("a cancel token"),
            WaitOn::Cancel => f.write_str("its own cancel"),
            WaitOn::Drain => f.write_str("a drain"),
            WaitOn::Idle(id) => nursery(f, *id, " to be idle"),
            WaitOn::Shutdown(id) => nursery(f, *id, " to shut down"),
            WaitOn::Named(name) => write!(f, "`{}`", Escaped(name)),
        }
    }
}
