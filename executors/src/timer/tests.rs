//! The wheel against a tree, with a clock that the test sets.

use super::slab::{Key, Slab};
use super::wheel::Wheel;
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// What a wheel has to do, in the simplest way.
#[derive(Default)]
struct Model {
    timers: BTreeMap<(u64, u64), u64>,
    added: u64,
}

/// A wheel and a model that go the same way.
struct Pair {
    wheel: Wheel<u64>,
    model: Model,
    now: u64,
    keys: Vec<(Key, (u64, u64))>,
}

impl Pair {
    fn new() -> Pair {
        Pair { wheel: Wheel::new(), model: Model::default(), now: 0, keys: Vec::new() }
    }

    fn insert(&mut self, at: u64) {
        self.model.added += 1;
        let number = self.model.added;
        self.model.timers.insert((at, number), number);
        self.keys.push((self.wheel.insert(at, number), (at, number)));
    }

    /// Removes one of all that there ever were.
    fn remove(&mut self, which: usize) {
        if !self.keys.is_empty() {
            let (key, in_model) = self.keys[which % self.keys.len()];
            assert_eq!(self.wheel.remove(key), self.model.timers.remove(&in_model));
        }
    }

    fn replace(&mut self, which: usize) {
        if !self.keys.is_empty() {
            let (key, in_model) = self.keys[which % self.keys.len()];
            self.model.added += 1;
            let value = self.model.added;
            let expected = match self.model.timers.get_mut(&in_model) {
                Some(held) => Ok(std::mem::replace(held, value)),
                None => Err(value),
            };
            assert_eq!(self.wheel.replace(key, value), expected);
        }
    }

    /// Takes those that are due, at most so many of them.
    fn fire(&mut self, now: u64, most: usize) {
        self.now = self.now.max(now);
        for _ in 0..most {
            let expected =
                self.model.timers.first_entry().filter(|first| first.key().0 <= self.now);
            let expected = expected.map(|first| first.remove());
            assert_eq!(self.wheel.pop_due(now), expected);
            if expected.is_none() {
                self.check_next();
                return;
            }
        }
    }

    /// With nothing due, the next instant is after the present one, and no timer is earlier.
    fn check_next(&self) {
        let first = self.model.timers.first_key_value().map(|((at, _), _)| *at);
        let next = self.wheel.next();
        assert_eq!(next.is_none(), first.is_none());
        assert!(next <= first, "{next:?} is later than {first:?}");
        assert!(next.is_none_or(|next| next > self.now));
    }
}

#[derive(Clone, Debug)]
enum Step {
    Insert(u64),
    /// Until the same instant as an earlier one.
    Another(usize),
    Remove(usize),
    Replace(usize),
    Fire(u64, usize),
    FireAll(u64),
}

/// Spans of every size, those at the edges of ticks and slots above all.
fn span() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => (0_u32..64, 0_u64..3).prop_map(|(bits, more)| (1_u64 << bits) + more - 1),
        4 => (0_u32..64, any::<u64>()).prop_map(|(bits, any)| any >> bits),
        1 => Just(u64::MAX),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => span().prop_map(Step::Insert),
        3 => any::<usize>().prop_map(Step::Another),
        3 => any::<usize>().prop_map(Step::Remove),
        1 => any::<usize>().prop_map(Step::Replace),
        2 => (span(), 0_usize..4).prop_map(|(by, most)| Step::Fire(by, most)),
        2 => span().prop_map(Step::FireAll),
    ]
}

fn run(steps: Vec<Step>) {
    let mut pair = Pair::new();
    for step in steps {
        match step {
            Step::Insert(after) => pair.insert(pair.now.saturating_add(after)),
            Step::Another(which) if !pair.keys.is_empty() => {
                let (_, (at, _)) = pair.keys[which % pair.keys.len()];
                pair.insert(at.max(pair.now));
            }
            Step::Another(_) => {}
            Step::Remove(which) => pair.remove(which),
            Step::Replace(which) => pair.replace(which),
            Step::Fire(by, most) => pair.fire(pair.now.saturating_add(by), most),
            Step::FireAll(by) => pair.fire(pair.now.saturating_add(by), usize::MAX),
        }
    }
    pair.fire(u64::MAX, usize::MAX);
    assert_eq!(pair.wheel.len(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn wheel_is_a_tree_by_deadline_and_arming(steps in vec(step(), 0..200)) {
        run(steps);
    }
}

#[test]
fn each_is_the_next_to_the_nanosecond() {
    let mut wheel = Wheel::new();
    let spans = (0..64).flat_map(|bits| [(1_u64 << bits) - 1, 1 << bits, (1 << bits) + 1]);
    let deadlines: BTreeSet<u64> = spans.filter(|at| *at > 0).collect();
    for at in deadlines.iter().rev() {
        wheel.insert(*at, *at);
        assert_eq!(wheel.next(), Some(*at));
    }
    for at in deadlines {
        // It is exact as long as no timer was removed before.
        assert!(wheel.next().is_none_or(|next| next == at), "{at}");
        assert_eq!(wheel.pop_due(at - 1), None);
        assert_eq!(wheel.pop_due(at), Some(at));
    }
    assert_eq!(wheel.next(), None);
}

#[test]
fn next_is_gone_then_one_look_finds_the_one_after() {
    let mut wheel = Wheel::new();
    let hour = 3_600_000_000_000;
    let gone = wheel.insert(hour, 0);
    wheel.insert(hour + 5, 1);
    wheel.remove(gone);
    assert_eq!(wheel.next(), Some(hour), "no call has looked");
    assert_eq!(wheel.pop_due(hour), None);
    assert_eq!(wheel.next(), Some(hour + 5));
}

#[test]
fn removed_while_it_is_due_then_it_does_not_go() {
    let mut wheel = Wheel::new();
    let keys: Vec<_> = (0..4).map(|number| wheel.insert(7, number)).collect();
    assert_eq!(wheel.pop_due(7), Some(0));
    assert_eq!(wheel.remove(keys[2]), Some(2));
    let other = wheel.insert(7, 9);
    assert_eq!([(); 3].map(|()| wheel.pop_due(7)), [Some(1), Some(3), Some(9)]);
    assert_eq!((wheel.pop_due(7), wheel.remove(other), wheel.len()), (None, None, 0));
}

#[test]
fn time_goes_back_then_it_stands_still() {
    let mut wheel = Wheel::new();
    let day = 24 * 3_600_000_000_000;
    wheel.insert(day, 0);
    assert_eq!(wheel.pop_due(day), Some(0));
    wheel.insert(day + 500_000, 1);
    assert_eq!(wheel.pop_due(3), None);
    wheel.insert(day + 400_000, 2);
    assert_eq!(wheel.next(), Some(day + 400_000));
    assert_eq!([(); 2].map(|()| wheel.pop_due(2 * day)), [Some(2), Some(1)]);
}

#[test]
fn the_only_one_of_a_slot_is_removed_then_its_deadline_is_forgotten() {
    for at in [5, 500_000, u64::MAX / 2] {
        let mut wheel = Wheel::new();
        let gone = wheel.insert(at, 0);
        wheel.remove(gone);
        wheel.insert(at + 2, 1);
        assert_eq!(wheel.next(), Some(at + 2));
    }
}

/// How many entries a chunk has.
const CHUNK: usize = 4096;

#[test]
fn few_stay_then_the_others_room_is_given_back() {
    let mut slab = Slab::new();
    let keys: Vec<_> = (0..100 * CHUNK as u64).map(|at| slab.insert(at, at)).collect();
    assert_eq!(slab.capacity(), 100 * CHUNK);
    let (stay, go): (Vec<_>, Vec<_>) =
        keys.into_iter().enumerate().partition(|(number, _)| number % (30 * CHUNK) == 0);
    for (number, key) in go {
        assert_eq!(slab.remove(key).map(|entry| entry.value), Some(number as u64));
    }
    assert_eq!((slab.len(), slab.capacity()), (4, 5 * CHUNK), "one is spare");
    for (_, key) in stay {
        assert!(slab.remove(key).is_some());
    }
    assert_eq!((slab.len(), slab.capacity()), (0, CHUNK), "one is spare");
}

#[test]
fn last_of_a_chunk_goes_and_comes_then_its_room_stays() {
    let mut slab = Slab::new();
    for at in 0..CHUNK as u64 {
        slab.insert(at, at);
    }
    let mut rooms = Vec::new();
    for at in 0..10 {
        let key = slab.insert(at, at);
        rooms.push(slab.capacity());
        slab.remove(key);
        rooms.push(slab.capacity());
    }
    rooms.dedup();
    assert_eq!(rooms.len(), 1, "{rooms:?}");
}

#[test]
fn key_of_one_that_is_gone_fits_no_other() {
    let mut slab = Slab::new();
    let gone = slab.insert(1, 'a');
    assert!(slab.remove(gone).is_some());
    let held = slab.insert(2, 'b');
    assert_eq!(held.index, gone.index);
    assert!(slab.remove(gone).is_none());
    assert_eq!(slab.replace(gone, 'c'), Err('c'));
    assert_eq!(slab.replace(held, 'd'), Ok('b'));
    assert_eq!(slab.into_values().collect::<Vec<_>>(), ['d']);
}
