//! The book: which tasks hold permits of a semaphore, and which wait for them. It is kept always.
//!
//! A *row* is written for each permit that is acquired and for each waiter: where, by which task,
//! how many, of which semaphore. The rows are the process's and not a semaphore's: each thread has
//! a [stock] of spare ones, so an acquire takes one, writes it and gives it back with plain stores.
//! [`holders`](super::Semaphore::holders) reads all [pages] and picks out what is the semaphore's.
//!
//! | a row  | mode    | written by                          | it is in                  | goes on to          |
//! |--------|---------|-------------------------------------|---------------------------|---------------------|
//! | spare  | `FREE`  | no thread                           | a stock, or the pages     | taken               |
//! | taken  | `FREE`  | the thread that took it             | its `Booked`              | holds, waits, spare |
//! | waits  | `WAITS` | the holder of the semaphore's lock  | the waiter's entry        | holds, spare        |
//! | holds  | `HOLDS` | the owner of the permit             | its share                 | spare               |
//!
//! A permit that is given back on another thread leaves its row in that thread's stock. A stock
//! that is full, or whose thread ends, leaves rows with the pages, where stocks that are empty get
//! them. A permit that is never dropped keeps its row, 64 bytes, for good.
//!
//! # Invariants
//!
//! 1. A row is never freed: pages are leaked. A reader may look at a row that has changed hands,
//!    and reads what is written for its new owner.
//! 2. A row has one writer at a time (table), and what one writer did happens before the next one
//!    writes: they are the same thread, or the row goes on by the lock of the pages, by the lock of
//!    the semaphore, by a waiter's `told`, or by what the user sends a permit with.
//! 3. A state other than `FREE` occurs once in a row's life: its number grows each time. The fields
//!    are written only while the mode is `FREE`, so a reader that finds one such state before and
//!    after it reads the fields has those of that state. `count` alone may change later, in one
//!    store.
//! 4. No two semaphores have the same [`Number`], not even one after the other, so a row that was
//!    leaked is never taken for one of a later semaphore.
//! 5. A `Booked` is freed once: its row is in one stock at most.
//!
//! # Lock order
//!
//! The lock of the pages is the innermost. Nothing of the user's is in a row.

mod location;
mod number;
mod pages;
mod row;
mod since;
mod stock;

#[cfg(test)]
mod tests;

use allhome_rt::Instant;
use row::Row;
use std::panic::Location;

pub(super) use number::Number;
pub(super) use row::{Id, Seen};

/// A row of the book, or none for permits that are in no book.
#[derive(Clone, Copy)]
pub(super) struct Booked(Option<&'static Row>);

/// What a row says of a request.
pub(super) struct Request {
    pub(super) semaphore: u64,
    pub(super) count: usize,
    pub(super) location: &'static Location<'static>,
    /// Of a semaphore that notes it.
    pub(super) since: Option<Instant>,
}

impl Booked {
    pub(super) const NONE: Booked = Booked(None);

    /// Writes a row for the task that calls this. It is not in the list yet.
    #[inline(always)]
    pub(super) fn new(request: Request) -> Booked {
        let row = stock::take();
        row.write(request);
        Booked(Some(row))
    }

    /// Puts it into the list, as one that holds what it asks for.
    #[inline(always)]
    pub(super) fn hold(self) -> Booked {
        if let Some(row) = self.0 {
            row.publish(row::HOLDS);
        }
        self
    }

    /// Puts it into the list, as one that waits; `itself` if by the waker of the task that it names.
    #[inline(always)]
    pub(super) fn wait(self, itself: bool) {
        if let Some(row) = self.0 {
            row.publish(if itself { row::WAITS_ITSELF } else { row::WAITS });
        }
    }

    /// It waits by another waker from now on. The caller holds the semaphore's lock.
    pub(super) fn change(self) {
        if let Some(row) = self.0 {
            row.change();
        }
    }

    /// The waiter has been granted its permits.
    #[inline(always)]
    pub(super) fn grant(self, since: Option<Instant>) {
        if let Some(row) = self.0 {
            row.grant(since);
        }
    }

    /// Takes it out of the list. The row is another's from here on.
    #[inline(always)]
    pub(super) fn free(self) {
        if let Some(row) = self.0 {
            row.free();
            stock::give(row);
        }
    }

    /// Gives a row back that is not in the list.
    #[cold]
    pub(super) fn discard(self) {
        if let Some(row) = self.0 {
            row.clear();
            stock::give(row);
        }
    }

    /// Moves `count` of the permits to a new row.
    pub(super) fn split(self, count: usize) -> Booked {
        Booked(self.0.map(|row| row.split(stock::take(), count)))
    }

    /// Moves all of `other`'s permits to this row.
    pub(super) fn merge(self, other: Booked) {
        let count = other.0.map_or(0, Row::count);
        other.free();
        if let Some(row) = self.0 {
            row.add(count);
        }
    }

    /// Moves all to a row that names the task that calls this.
    pub(super) fn sign(self) -> Booked {
        let signed = self.0.map(|row| row.sign(stock::take()));
        self.free();
        Booked(signed).hold()
    }
}

/// Returns what the book says of a semaphore, or of all, in no order: rows that all said so at one moment,
/// which is when the first loop ends. A row that changes during the call may be missing.
///
/// That is invariant 3: a row that is in the same state after the first loop as in it was in that
/// state in between. So no permit is listed twice, as held by the task that gave it back and by the one that took it.
pub(super) fn of(semaphore: Option<u64>) -> Vec<Seen> {
    let rows = pages::all().into_iter().flatten();
    let mut seen: Vec<_> = rows.filter_map(|row| Some((row, row.read(semaphore)?))).collect();
    // A permit that was split or merged meanwhile: the counts before the states, since a merge
    // frees one row before the other gets its permits.
    seen.iter_mut().for_each(|(row, seen)| seen.count = row.count());
    seen.retain(|(row, seen)| row.is_still(seen));
    seen.into_iter().map(|(_, seen)| seen).collect()
}
