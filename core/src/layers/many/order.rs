//! What has ended before its turn, to be given in the order of the items.

use std::collections::VecDeque;

pub(super) struct Order<T> {
    /// The item whose turn it is.
    next: usize,
    /// From that one on.
    ready: VecDeque<Option<T>>,
    held: usize,
}

impl<T> Order<T> {
    pub(super) fn new() -> Order<T> {
        Order { next: 0, ready: VecDeque::new(), held: 0 }
    }

    /// Returns how many there are.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// Keeps one until its turn. No item comes twice.
    pub(super) fn put(&mut self, number: usize, value: T) {
        let at = number - self.next;
        if at >= self.ready.len() {
            self.ready.resize_with(at + 1, || None);
        }
        self.ready[at] = Some(value);
        self.held += 1;
    }

    /// Takes the one whose turn it is.
    #[inline]
    pub(super) fn take(&mut self) -> Option<T> {
        let value = self.ready.front_mut()?.take()?;
        self.ready.pop_front();
        self.next += 1;
        self.held -= 1;
        Some(value)
    }

    /// Drops those from this item on.
    pub(super) fn cut(&mut self, from: usize) {
        self.ready.truncate(from.saturating_sub(self.next));
        self.held = self.ready.iter().flatten().count();
    }
}
