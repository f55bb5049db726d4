//! Stacks by number, and what polls have seen by number: each once, for ever.
//!
//! A program has a few dozen of each, and there is a bound for one that has more: what is new then is
//! not kept, and shows as not seen.
//!
//! # Lock order
//!
//! The book's lock is taken inside the locks of others, by what registers with a lock held, and none
//! is taken inside it. Nothing is captured or resolved while it is held.

use super::set::Set;
use super::stack::Stack;
use super::trim;
use crate::layers::base::sync::{Arc, GlobalMutex, GlobalOnce, thread_local};
use crate::layers::base::wait_mark::{self, WaitMark};
use std::backtrace::Backtrace;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// So many stacks are kept.
const MOST_STACKS: usize = 1 << 16;
/// So many sets.
const MOST_ENTRIES: usize = 1 << 18;
/// So many of them with the object of each wait.
const MOST_OBJECTS: usize = 1 << 16;

/// So many sets a thread knows.
const KNOWN: usize = 128;

/// What a poll has seen, and what it waits for by the awaits of this crate.
type Entry = (Set, WaitMark);

/// A stack, as it was captured.
struct Captured {
    addresses: Box<[usize]>,
    /// Resolved when it is shown for the first time.
    text: Backtrace,
    shown: GlobalOnce<Arc<Stack>>,
}

struct Book {
    stacks: Vec<Arc<Captured>>,
    by_addresses: BTreeMap<Box<[usize]>, u32>,
    by_text: BTreeMap<Box<str>, u32>,
    entries: Vec<Entry>,
    numbers: BTreeMap<Entry, u32>,
}

static BOOK: GlobalMutex<Book> = GlobalMutex::new(Book {
    stacks: Vec::new(),
    by_addresses: BTreeMap::new(),
    by_text: BTreeMap::new(),
    entries: Vec::new(),
    numbers: BTreeMap::new(),
});

thread_local! {
    static ENTRIES: RefCell<Vec<(Entry, u32)>> = const { RefCell::new(Vec::new()) };
}

impl Book {
    fn add(&mut self, addresses: &[usize], text: Backtrace) -> u32 {
        if self.stacks.len() == MOST_STACKS {
            return 0;
        }
        let captured = Captured { addresses: addresses.into(), text, shown: GlobalOnce::new() };
        self.stacks.push(Arc::new(captured));
        self.stacks.len() as u32
    }
}

/// Returns the number of a stack, and 0 if there is none. One that is new is captured.
pub(super) fn stack(addresses: &[usize], capture: impl FnOnce() -> Backtrace) -> u32 {
    let known = |book: &Book| match book.by_addresses.get(addresses) {
        None if book.stacks.len() == MOST_STACKS => Some(0),
        known => known.copied(),
    };
    if let Some(number) = known(&BOOK.lock()) {
        return number;
    }
    let text = capture();
    let mut book = BOOK.lock();
    if let Some(number) = known(&book) {
        return number;
    }
    let number = book.add(addresses, text);
    book.by_addresses.insert(addresses.into(), number);
    number
}

/// As above, of one that is known by its text alone.
pub(super) fn described(text: Backtrace) -> u32 {
    let words = text.to_string().into_boxed_str();
    let mut book = BOOK.lock();
    if let Some(number) = book.by_text.get(&words) {
        return *number;
    }
    let number = book.add(&[], text);
    book.by_text.insert(words, number);
    number
}

/// The mark of the present poll is the number of this set, and of what is noted so far.
pub(super) fn note(set: &Set) {
    if !set.is_empty() {
        let entry = (*set, wait_mark::so_far().told_by_edges());
        if let Some(number) = number(entry) {
            wait_mark::note(WaitMark::seen_as(number));
        }
    }
}

fn number(entry: Entry) -> Option<u32> {
    let place = place(&entry);
    let known = ENTRIES.try_with(|known| {
        let known = known.try_borrow().ok()?;
        known.get(place).filter(|known| known.0 == entry && known.1 > 0).map(|known| known.1)
    });
    if let Some(number) = known.ok().flatten() {
        return Some(number);
    }
    let number = find(entry)?;
    let _ending = ENTRIES.try_with(|known| {
        if let Ok(mut known) = known.try_borrow_mut() {
            if known.is_empty() {
                known.resize(KNOWN, (Entry::default(), 0));
            }
            known[place] = (entry, number);
        }
    });
    Some(number)
}

fn place((set, mark): &Entry) -> usize {
    let mix = |hash: u32, word: u32| (hash.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9);
    let hash = set.numbers().iter().copied().fold(0, mix);
    (mix(hash, mark.bits()) >> 16) as usize % KNOWN
}

/// Returns the number of an entry, none if there are too many.
fn find((set, mark): Entry) -> Option<u32> {
    let mut book = BOOK.lock();
    let mut entry = (set, mark);
    if book.entries.len() >= MOST_OBJECTS && !book.numbers.contains_key(&entry) {
        entry.1 = mark.without_object();
    }
    if let Some(number) = book.numbers.get(&entry) {
        return Some(*number);
    }
    if book.entries.len() == MOST_ENTRIES {
        return None;
    }
    book.entries.push(entry);
    let number = book.entries.len() as u32;
    book.numbers.insert(entry, number);
    Some(number)
}

/// Returns what a poll has noted, and what it has seen, by the number of both.
pub(super) fn entry(number: u32) -> Option<(WaitMark, Set)> {
    let at = (number as usize).checked_sub(1)?;
    let (set, mark) = BOOK.lock().entries.get(at).copied()?;
    Some((mark, set))
}

/// Returns a stack by its number, as it is shown. The first time it reads the program's debug
/// information.
pub(super) fn shown(number: u32) -> Option<Arc<Stack>> {
    let at = (number as usize).checked_sub(1)?;
    let captured = BOOK.lock().stacks.get(at).cloned()?;
    let shown = captured
        .shown
        .get_or_init(|| Arc::new(trim::trim(&captured.text.to_string(), &captured.addresses)));
    Some(shown.clone())
}
