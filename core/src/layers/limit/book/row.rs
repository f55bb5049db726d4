//! A row of the book. Its invariants are those of the [book](super).
//!
//! The state is a number, a flag and a mode. A reader that comes while a row is written finds out
//! by it, as in a seqlock.

use super::location::AtomicLocation;
use super::{Request, since};
use crate::layers::base::id::Owner;
use crate::layers::base::sync::{AtomicU64, AtomicUsize, Ordering, fence};
use crate::layers::context::task::owner;
use allhome_rt::Instant;
use std::panic::Location;
use std::ptr;

/// The modes, the state's lowest bits.
const FREE: u64 = 0;
pub(super) const HOLDS: u64 = 1;
pub(super) const WAITS: u64 = 2;
/// As `WAITS`, by the waker of the task that the row names.
pub(super) const WAITS_ITSELF: u64 = 3;
const MODE: u64 = 3;

/// `since` is noted. Set while the mode is `FREE`, cleared when the row is freed.
const STAMPED: u64 = 4;

/// The state's number is above the flag.
const NEXT: u64 = 8;

/// A row, on a cache line of its own: rows of one page are written by many threads.
#[repr(align(64))]
pub(super) struct Row {
    state: AtomicU64,
    semaphore: AtomicU64,
    count: AtomicUsize,
    location: AtomicLocation,
    /// The task's nursery, 0 if there is no task.
    nursery: AtomicU64,
    /// The task's number, 0 if it is the nursery's body.
    number: AtomicU64,
    since: AtomicU64,
}

/// What a row said.
pub(in crate::layers::limit) struct Seen {
    pub(in crate::layers::limit) id: Id,
    pub(in crate::layers::limit) semaphore: u64,
    pub(in crate::layers::limit) owner: Option<Owner>,
    pub(in crate::layers::limit) location: &'static Location<'static>,
    pub(in crate::layers::limit) count: usize,
    pub(in crate::layers::limit) waits: bool,
    /// It waits, and by its own waker.
    pub(in crate::layers::limit) itself: bool,
    pub(in crate::layers::limit) since: Option<Instant>,
}

/// Tells what a row says now from what it said before, and from all other rows: its address, which
/// is compared and never followed, and its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::layers::limit) struct Id(usize, u64);

impl Row {
    pub(super) fn new() -> Row {
        Row {
            state: AtomicU64::new(FREE),
            semaphore: AtomicU64::new(0),
            count: AtomicUsize::new(0),
            location: AtomicLocation::new(),
            nursery: AtomicU64::new(0),
            number: AtomicU64::new(0),
            since: AtomicU64::new(0),
        }
    }

    /// Fills it in for the task that calls this. The row is the caller's, and `FREE`.
    #[inline(always)]
    pub(super) fn write(&self, request: Request) {
        self.fill(request, owner());
    }

    #[inline(always)]
    fn fill(&self, request: Request, owner: Option<Owner>) {
        let Request { semaphore, count, location, since } = request;
        // Pairs with the fence in `read`: a reader that sees one of these stores sees the mode
        // `FREE` afterwards, or a later state.
        fence(Ordering::Release);
        self.semaphore.store(semaphore, Ordering::Relaxed);
        self.count.store(count, Ordering::Relaxed);
        self.location.set(location);
        let (nursery, number) = owner.map_or((0, 0), Owner::to_words);
        self.nursery.store(nursery, Ordering::Relaxed);
        self.number.store(number, Ordering::Relaxed);
        if let Some(since) = since {
            self.stamp(since);
        }
    }

    #[cold]
    fn stamp(&self, at: Instant) {
        self.since.store(since::to_word(at), Ordering::Relaxed);
        self.state.store(self.own() | STAMPED, Ordering::Relaxed);
    }

    /// Returns the state, to the row's only writer.
    #[inline(always)]
    fn own(&self) -> u64 {
        // Relaxed: invariant 2.
        self.state.load(Ordering::Relaxed)
    }

    /// Shows what it was filled with.
    #[inline(always)]
    pub(super) fn publish(&self, mode: u64) {
        let state = self.own();
        debug_assert_eq!(state & MODE, FREE, "a row is shown once");
        // Release: pairs with the load in `read`.
        self.state.store((state + NEXT) | mode, Ordering::Release);
    }

    /// It holds from now on what it has waited for.
    #[inline(always)]
    pub(super) fn grant(&self, since: Option<Instant>) {
        let hidden = self.own() & !MODE;
        if let Some(since) = since {
            // Relaxed: the fence is between this and the field.
            self.state.store(hidden, Ordering::Relaxed);
            fence(Ordering::Release);
            self.stamp(since);
        }
        // Release: as in `publish`.
        self.state.store((hidden + NEXT) | HOLDS, Ordering::Release);
    }

    /// It waits by another waker from now on, perhaps that of another task.
    pub(super) fn change(&self) {
        let state = self.own();
        if state & MODE == WAITS_ITSELF {
            // Release: as in `publish`.
            self.state.store(((state & !MODE) + NEXT) | WAITS, Ordering::Release);
        }
    }

    /// It says nothing any more.
    #[inline(always)]
    pub(super) fn free(&self) {
        let state = self.own();
        debug_assert_ne!(state & MODE, FREE, "a row is freed once");
        // Relaxed: the row's next writer has a fence behind this. A reader that is late sees what
        // was true a moment ago.
        self.state.store(state & !(MODE | STAMPED), Ordering::Relaxed);
    }

    /// Takes a row back that was filled and never shown.
    pub(super) fn clear(&self) {
        self.state.store(self.own() & !(MODE | STAMPED), Ordering::Relaxed);
    }

    pub(super) fn count(&self) -> usize {
        // Acquire: pairs with the store in `add`.
        self.count.load(Ordering::Acquire)
    }

    /// Gives it the permits of a row that has been freed.
    pub(super) fn add(&self, count: usize) {
        // Release: a reader that sees these permits here does not see them there any more.
        self.count.store(self.count() + count, Ordering::Release);
    }

    /// Moves `count` of its permits to a spare row, which is shown as well.
    pub(super) fn split(&self, spare: &'static Row, count: usize) -> &'static Row {
        self.count.store(self.count() - count, Ordering::Relaxed);
        spare.fill(Request { count, ..self.request() }, self.owner());
        spare.publish(HOLDS);
        spare
    }

    /// Fills a spare row with what this one says, but for the task: that is the one that calls.
    pub(super) fn sign(&self, spare: &'static Row) -> &'static Row {
        spare.write(self.request());
        spare
    }

    fn request(&self) -> Request {
        let stamped = self.own() & STAMPED != 0;
        Request {
            semaphore: self.semaphore.load(Ordering::Relaxed),
            count: self.count(),
            location: self.location.get(),
            since: stamped.then(|| since::of_word(self.since.load(Ordering::Relaxed))).flatten(),
        }
    }

    fn owner(&self) -> Option<Owner> {
        let nursery = self.nursery.load(Ordering::Relaxed);
        Owner::of_words(nursery, self.number.load(Ordering::Relaxed))
    }

    /// Returns what it says, if that is of this semaphore, or of any.
    pub(super) fn read(&'static self, of: Option<u64>) -> Option<Seen> {
        loop {
            // Acquire: pairs with the store in `publish`.
            let state = self.state.load(Ordering::Acquire);
            let semaphore = self.semaphore.load(Ordering::Relaxed);
            if state & MODE == FREE || of.is_some_and(|of| of != semaphore) {
                // If it was written meanwhile, it is as if it had been read before or after that.
                return None;
            }
            let (Request { count, location, since, .. }, owner) = (self.request(), self.owner());
            // Pairs with the fences of the writer.
            fence(Ordering::Acquire);
            if self.state.load(Ordering::Relaxed) == state {
                let (id, mode) = (Id(ptr::from_ref(self).addr(), state), state & MODE);
                let (waits, itself) = (mode != HOLDS, mode == WAITS_ITSELF);
                return Some(Seen { id, semaphore, owner, location, count, waits, itself, since });
            }
        }
    }

    /// Returns `true` if it has said nothing else since it said this.
    pub(super) fn is_still(&self, seen: &Seen) -> bool {
        // Relaxed: what one row's `free` came before, as another's `publish` that was seen, is seen.
        self.state.load(Ordering::Relaxed) == seen.id.1
    }
}
