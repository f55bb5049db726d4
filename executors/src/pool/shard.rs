//! One worker's share of the pool: its line, and the tasks that it has polled.
//!
//! The first shard is nobody's: its line is the injector, for what threads that are no workers
//! spawn and wake. A task that has never been polled is in a line itself. Its first poll gives it a
//! slot in the shard of the worker that polls it; from then on lines have its ticket. When another
//! worker wakes it or takes it over, its slot moves to that one's shard.
//!
//! So one lock is enough for a spawn, and one for a turn: it puts back who was polled and takes who
//! is next. It is tempting to have a lock-free queue beside a registry. That was here before, and
//! cost 26 read-modify-writes a task; this costs 4.
//!
//! # Invariants
//!
//! 1. A task is in one line, or in its slot, or in the hands of the worker that polls it, or gone.
//! 2. Once closed, a shard has no tasks and takes none. What is polled when its shard is closed
//!    finds no slot to go back to, and is dropped by its worker.
//! 3. A line is first in, first out; all that is woken or spawned goes to its back.
//! 4. Whom a worker polls has its slot in that worker's shard. Whose ticket is in a worker's line
//!    has it there too, or it came by way of the injector.
//! 5. A ticket in a line is good: only who takes it out moves the slot, since a wake leaves alone
//!    who is queued. After a close it may find nothing.
//!
//! # Lock order
//!
//! One shard at a time, or two, the one with the lower number first. Innermost: tasks, which are
//! foreign code, are moved under it and never polled or dropped.

use super::cell::{Cell, Ticket};
use super::contents::{Contents, Hands, Item, Next, PutBack, Woken};
use super::shared::Shared;
use crate::guarded::{Foreign, Guard, Guarded};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The number of the shard that is nobody's.
pub(super) const INJECTOR: usize = 0;

// Two cache lines, since processors fetch them in pairs: workers must not slow each other down.
#[repr(align(128))]
pub(super) struct Shard {
    number: usize,
    /// The length of the line, for a look without the lock. It may be out of date.
    length: AtomicUsize,
    contents: Guarded<Contents>,
}

/// What a worker's turn in its own shard leaves it to do.
pub(super) struct AfterTurn {
    pub(super) next: Next,
    /// Who was put back waits behind somebody else's poll: another worker may take it.
    pub(super) keeps_waiting: bool,
}

impl Shard {
    pub(super) fn new(number: usize) -> Shard {
        Shard { number, length: AtomicUsize::new(0), contents: Guarded::default() }
    }

    /// Returns about how many stand in the line.
    pub(super) fn length(&self) -> usize {
        self.length.load(Ordering::Relaxed)
    }

    /// Looks under the lock: whoever adds later sees what the caller wrote before.
    pub(super) fn has_work(&self) -> bool {
        self.contents.locked(|contents| !contents.line.is_empty())
    }

    fn with<R>(&self, change: impl FnOnce(&mut Contents) -> R) -> R {
        self.contents.locked(|contents| {
            let result = change(contents);
            self.note(contents);
            result
        })
    }

    fn note(&self, contents: &Contents) {
        // Relaxed: a look without the lock decides nothing that must be right.
        self.length.store(contents.line.len(), Ordering::Relaxed);
    }

    /// Puts something in the line, or gives it back if the shard is closed.
    pub(super) fn push(&self, item: Item) -> Result<(), Item> {
        self.with(|contents| {
            if contents.closed {
                return Err(item);
            }
            contents.line.push_back(item);
            Ok(())
        })
    }

    /// Wakes the task of a cell, unless its slot is in another shard. Its ticket goes into this
    /// line if `here`; else the caller has it.
    pub(super) fn wake(&self, cell: &Arc<Cell>, here: bool) -> Woken {
        self.with(|contents| {
            let woken = contents.wake(cell, self.number);
            if let (true, Woken::Queued(ticket)) = (here, woken) {
                contents.line.push_back(Item::Again(ticket));
            }
            woken
        })
    }

    /// Wakes the task of a cell, unless its slot is not in the other shard any more. If it waits, it
    /// moves, and stands in this line.
    pub(super) fn wake_from(&self, from: &Shard, cell: &Arc<Cell>) -> Woken {
        let (mut own, mut other) = self.lock_with(from);
        let woken = other.wake(cell, from.number);
        if let Woken::Queued(ticket) = woken {
            if let Some(ticket) = own.adopt(ticket, self.number, &mut other) {
                own.line.push_back(Item::Again(ticket));
                self.note(&own);
            }
        }
        woken
    }

    /// Puts back a task of this shard.
    pub(super) fn put_back(&self, hands: &mut Hands) -> PutBack {
        self.with(|contents| contents.put_back(hands))
    }

    /// The turn of a worker in its own shard: puts back who was polled, and takes who is next.
    pub(super) fn turn(&self, hands: &mut Hands, pool: &Arc<Shared>) -> AfterTurn {
        self.with(|contents| {
            let put_back = contents.put_back(hands);
            if put_back == PutBack::Refused {
                // Then the line is closed as well.
                return AfterTurn { next: Next::Nobody, keeps_waiting: false };
            }
            let next = match contents.pop() {
                None => Next::Nobody,
                Some(Item::New(task)) => contents.admit(task, self.number, pool, hands),
                Some(Item::Again(ticket)) => contents.start(ticket, self.number, hands),
            };
            let again = put_back == PutBack::Again;
            AfterTurn { next, keeps_waiting: again && !contents.line.is_empty() }
        })
    }

    /// Takes up to `most` out of another line: the first into the empty hands, the others into this
    /// one.
    pub(super) fn take_over(
        &self,
        from: &Shard,
        most: usize,
        pool: &Arc<Shared>,
        hands: &mut Hands,
    ) -> Next {
        let (mut own, mut other) = self.lock_with(from);
        if own.closed {
            return Next::Nobody;
        }
        let Some(first) = other.pop() else { return Next::Nobody };
        for _ in 1..most {
            match other.pop() {
                None => break,
                Some(Item::Again(ticket)) if ticket.shard == from.number => {
                    let moved = own.adopt(ticket, self.number, &mut other);
                    own.line.extend(moved.map(Item::Again));
                }
                Some(item) => own.line.push_back(item),
            }
        }
        self.note(&own);
        from.note(&other);
        match first {
            Item::New(task) => own.admit(task, self.number, pool, hands),
            Item::Again(ticket) if ticket.shard == from.number => {
                own.adopt_and_start(ticket, self.number, &mut other, hands)
            }
            Item::Again(ticket) => own.start(ticket, self.number, hands),
        }
    }

    fn lock_with<'a>(&'a self, other: &'a Shard) -> (Guard<'a, Contents>, Guard<'a, Contents>) {
        if self.number < other.number {
            let own = self.contents.lock();
            (own, other.contents.lock())
        } else {
            let theirs = other.contents.lock();
            (self.contents.lock(), theirs)
        }
    }

    /// Takes a task whose slot is in another shard: it moves.
    pub(super) fn start_from(&self, from: &Shard, ticket: Ticket, hands: &mut Hands) -> Next {
        let (mut own, mut other) = self.lock_with(from);
        own.adopt_and_start(ticket, self.number, &mut other, hands)
    }

    /// Takes no more, and drops every task that is not being polled at this moment.
    pub(super) fn close(&self) {
        let contents = self.with(|contents| {
            std::mem::replace(contents, Contents { closed: true, ..Contents::default() })
        });
        // No lock is held from here on: destructors may wake and spawn.
        contents.line.into_iter().for_each(Item::discard);
        for slot in contents.slots.into_values() {
            let (cell, task) = slot.into_parts();
            task.into_iter().for_each(Foreign::discard);
            drop(cell);
        }
    }

    #[cfg(test)]
    pub(super) fn tasks(&self) -> usize {
        self.contents.locked(|contents| contents.slots.len())
    }

    /// The cell of one of its tasks.
    #[cfg(test)]
    pub(super) fn first_cell(&self) -> Arc<Cell> {
        self.contents.locked(|all| all.slots.values().next().expect("it has one").cell())
    }

    #[cfg(test)]
    pub(super) fn seats(&self) -> usize {
        self.contents.locked(|contents| contents.seats.len())
    }
}
