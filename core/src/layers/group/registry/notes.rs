//! What tasks say of themselves: `see::note`. A task that says nothing pays nothing.

use std::collections::BTreeMap;

#[derive(Default)]
pub(crate) struct Notes(BTreeMap<u64, Box<str>>);

impl Notes {
    /// Keeps the note of a member, or of the body, in place of the one before; an empty one takes
    /// that away.
    pub(crate) fn set(&mut self, number: u64, note: Box<str>) -> Option<Box<str>> {
        if note.is_empty() { self.0.remove(&number) } else { self.0.insert(number, note) }
    }

    /// Returns the note of a member, or of the body.
    pub(crate) fn of(&self, number: u64) -> Option<&str> {
        self.0.get(&number).map(|note| &**note)
    }

    /// The member leaves.
    #[inline]
    pub(super) fn forget(&mut self, number: u64) {
        if !self.0.is_empty() {
            self.0.remove(&number);
        }
    }
}
