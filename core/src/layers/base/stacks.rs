//! Where tasks wait: the stack of a poll, at the moment in which a future takes the waker, *is* the
//! async stack of its task.
//!
//! A poll that is looked at lends a [`lens`] in place of its waker. What clones it is
//! [captured](capture), and gets a clone of the waker behind the lens. So no future ever keeps a lens,
//! and each poll sees all futures that register in it. The [`book`] has each stack once, and each set
//! of stacks that a poll has seen, together with the [mark](super::wait_mark) of that poll: its number
//! is the mark that the task keeps, so a task pays no byte.
//!
//! Which polls are looked at is [`armed`]'s to say. Where nothing can be captured, none are: on targets
//! of less than 64 bits, and in a model of loom.

pub(crate) mod armed;
mod book;
mod capture;
pub(crate) mod lens;
mod names;
pub(crate) mod parts;
mod scan;
pub(crate) mod seen;
mod set;
pub(crate) mod stack;
mod trim;
mod unwind;

use super::id::TaskId;
use super::wait_mark::WaitMark;
pub(crate) use capture::{Method, set_method};
use seen::Stacks;
use set::Set;

fn halves(mark: WaitMark) -> (WaitMark, Set) {
    mark.seen().and_then(book::entry).unwrap_or((mark, Set::default()))
}

/// Returns what the poll has noted, and what it has seen.
pub(crate) fn read(mark: WaitMark) -> (WaitMark, Stacks) {
    let (mark, set) = halves(mark);
    (mark, Stacks::new(set))
}

/// As above, of a task that waits: also what its parts have seen that were polled before.
pub(crate) fn read_of(task: TaskId, mark: WaitMark) -> (WaitMark, Stacks) {
    let (mark, set) = halves(mark);
    (mark, Stacks::new(parts::add(set, task)))
}
