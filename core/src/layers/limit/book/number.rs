//! The number of a semaphore in the book.

use crate::layers::base::sync::{GlobalU64, Ordering};

static NEXT: GlobalU64 = GlobalU64::new(1);

/// The number of a semaphore, given when it is first asked for: a constant cannot draw one. It goes
/// with the semaphore when that is moved.
pub(in crate::layers::limit) struct Number(GlobalU64);

impl Number {
    pub(in crate::layers::limit) const fn new() -> Number {
        Number(GlobalU64::new(0))
    }

    #[inline(always)]
    pub(in crate::layers::limit) fn get(&self) -> u64 {
        // Relaxed, here and below: the number guards nothing, and does not change again.
        match self.0.load(Ordering::Relaxed) {
            0 => self.draw(),
            number => number,
        }
    }

    #[cold]
    fn draw(&self) -> u64 {
        let drawn = NEXT.fetch_add(1, Ordering::Relaxed);
        let set = self.0.compare_exchange(0, drawn, Ordering::Relaxed, Ordering::Relaxed);
        set.map_or_else(|earlier| earlier, |_| drawn)
    }
}
