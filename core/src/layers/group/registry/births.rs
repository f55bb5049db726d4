//! When the children of a nursery were spawned, to about a tick, with nothing in a child for it.
//!
//! Children have numbers in the order of their spawns. So it is enough to note, when the tick has
//! changed since the last spawn, which number that spawn has: a child is as old as the last note
//! whose number is not above its own. The notes have a bound. When they are at it every second one
//! goes, but the last: what is old is known less exactly then, as older than it is.

/// So many notes are kept.
const MOST: usize = 64;

#[derive(Default)]
pub(crate) struct Births {
    /// Of the last note: 0, as at the beginning, is no tick.
    tick: u32,
    /// The first number of each tick that saw a spawn, and the tick.
    notes: Vec<(u64, u32)>,
}

impl Births {
    /// A child with this number is spawned.
    #[inline(always)]
    pub(crate) fn note(&mut self, number: u64, tick: u32) {
        if tick != self.tick {
            self.add(number, tick);
        }
    }

    #[cold]
    fn add(&mut self, number: u64, tick: u32) {
        self.tick = tick;
        if self.notes.len() == MOST {
            // Whether a stretch has a tick at all stays: that is no matter of exactness.
            let mut keep = false;
            self.notes.retain(|(_, tick)| {
                keep = !keep || *tick == 0;
                keep
            });
            if self.notes.len() == MOST {
                self.notes.remove(0);
            }
        }
        self.notes.push((number, tick));
    }

    /// Returns the tick in which a child was spawned: 0 if none was counted.
    pub(crate) fn of(&self, number: u64) -> u32 {
        let at = self.notes.partition_point(|(first, _)| *first <= number);
        at.checked_sub(1).map_or(0, |at| self.notes[at].1)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Births, MOST};

    #[test]
    fn a_child_is_as_old_as_the_last_note_before_it() {
        let mut births = Births::default();
        for (number, tick) in [(1, 0), (2, 0), (3, 7), (4, 7), (5, 9), (6, 0), (7, 12)] {
            births.note(number, tick);
        }
        let of: Vec<_> = (1..=8).map(|number| births.of(number)).collect();
        assert_eq!(of, [0, 0, 7, 7, 9, 0, 12, 12]);
        assert_eq!(births.notes.len(), 4, "one for each change");
    }

    #[test]
    fn the_notes_have_a_bound_and_never_make_a_child_younger() {
        let mut births = Births::default();
        for number in 1..100_000 {
            births.note(number, number as u32);
            assert!(births.notes.len() <= MOST);
            assert_eq!(births.of(number), number as u32, "the last is exact");
        }
        assert!((1..100_000).all(|number| births.of(number) <= number as u32));
    }
}
