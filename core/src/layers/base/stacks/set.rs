//! The numbers of the stacks that one poll has seen.

/// So many are kept.
const PLACES: usize = 4;

/// A set: up to four, in order, so that two that are equal are the same. A `select!` may begin with any
/// of its branches.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Set {
    numbers: [u32; PLACES],
    count: u32,
    /// There were others.
    more: bool,
}

impl Set {
    /// Notes a stack, once; 0 is one that has no number.
    pub(super) fn insert(&mut self, number: u32) {
        if number == 0 || self.numbers().contains(&number) {
            return;
        }
        let count = self.count as usize;
        match self.numbers.get_mut(count) {
            Some(place) => {
                *place = number;
                self.count += 1;
                self.numbers[..=count].sort_unstable();
            }
            None => self.more = true,
        }
    }

    /// Adds those of another.
    pub(super) fn merge(&mut self, other: &Set) {
        other.numbers().iter().for_each(|number| self.insert(*number));
        self.more |= other.more;
    }

    pub(super) fn numbers(&self) -> &[u32] {
        &self.numbers[..self.count as usize]
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) fn has_more(&self) -> bool {
        self.more
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Set;

    fn set(numbers: &[u32]) -> Set {
        let mut set = Set::default();
        numbers.iter().for_each(|number| set.insert(*number));
        set
    }

    #[test]
    fn equal_in_any_order_and_no_more_than_four() {
        assert!(set(&[3, 0, 1, 3, 2]) == set(&[1, 2, 3]));
        let four = set(&[4, 1, 3, 2]);
        assert!(!four.has_more() && !set(&[1, 2, 3, 4, 4]).has_more());
        let more = set(&[4, 1, 3, 2, 5]);
        assert!(more.has_more() && more.numbers() == [1, 2, 3, 4]);
        let mut merged = set(&[1]);
        merged.merge(&set(&[2]));
        assert!(merged == set(&[1, 2]));
        merged.merge(&more);
        assert!(merged == more);
    }
}
