//! The stacks of a task, as a look has them.

use super::book;
use super::set::Set;
use super::stack::Stack;
use crate::layers::base::sync::Arc;
use std::fmt;

/// The stacks of a task that waits: one for each place in which its last poll has taken a waker. Of a
/// `join!` or `select!` that is one for each branch, up to four.
///
/// There are none if the polls of its nursery are [not looked at](crate::see::stacks::arm), if the task
/// was not polled since they are, or if its last poll has taken no waker.
///
/// It is a number. What it stands for is found, and the program's debug information read, when it is
/// [asked for](Stacks::to_vec).
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stacks(Set);

impl Stacks {
    pub(super) fn new(set: Set) -> Stacks {
        Stacks(set)
    }

    /// Returns `true` if there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.0.numbers().len()
    }

    /// Returns `true` if the poll has taken wakers in more places than are kept.
    pub fn has_more(&self) -> bool {
        self.0.has_more()
    }

    /// Returns them. Those that show the same are one.
    ///
    /// The first call for a stack reads the program's debug information, which takes some hundred
    /// milliseconds for a large program, and less than one after that.
    pub fn to_vec(&self) -> Vec<Arc<Stack>> {
        let shown = self.0.numbers().iter().filter_map(|number| book::shown(*number));
        let mut stacks: Vec<_> = shown.collect();
        stacks.sort();
        stacks.dedup();
        stacks
    }
}

impl fmt::Debug for Stacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.to_vec()).finish()
    }
}
