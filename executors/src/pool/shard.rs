//! One worker's share of the pool: its line, and the tasks that were first polled there.
//!
//! The first shard is nobody's: its line is the injector, for what threads that are no workers
//! spawn and wake. A task that has never been polled is in a line itself. Its first poll gives it a
//! slot in the shard of the worker that polls it, and there it stays; from then on lines have its
//! ticket.
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
//!
//! # Lock order
//!
//! One shard at a time, or two, the one with the lower number first. Innermost: tasks, which are
//! foreign code, are moved under it and never polled or dropped.

use super::cell::{Cell, Seat, Ticket};
use super::shared::Shared;
use super::slot::{Occupant, Queue, Slot};
use crate::chunks::Chunks;
use crate::panics::contain;
use allhome_rt::Task;
use parking_lot::{Mutex, MutexGuard};
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

/// The most seats that a shard keeps for new tasks: 64 bytes each.
const SEATS: usize = 1024;

/// The most room, in items of 32 bytes, that an empty line keeps.
const ROOM: usize = 256;

/// The number of the shard that is nobody's.
pub(super) const INJECTOR: usize = 0;

// Two cache lines, since processors fetch them in pairs: workers must not slow each other down.
#[repr(align(128))]
pub(super) struct Shard {
    number: usize,
    /// The length of the line, for a look without the lock. It may be out of date.
    length: AtomicUsize,
    contents: Mutex<Contents>,
}

#[derive(Default)]
struct Contents {
    line: VecDeque<Item>,
    slots: Chunks<Slot>,
    seats: Vec<Seat>,
    closed: bool,
}

/// What stands in a line.
pub(super) enum Item {
    /// A task that has never been polled.
    New(Task),
    /// One that waits in its slot for its next poll.
    Again(Ticket),
}

/// A task in the hands of a worker: to be polled, or just polled and to be put back.
///
/// It stays in one place of the worker's, and goes from there to its slot and back by one move:
/// handed through functions and returned by them, it cost a third of a turn's instructions.
pub(super) struct Held {
    pub(super) ticket: Ticket,
    waker: Waker,
    /// `None` if it has ended.
    task: Option<Task>,
}

/// What a worker has in its hands.
pub(super) type Hands = Option<Held>;

/// Who is next in a line.
#[must_use = "one that is elsewhere is in nobody's line any more"]
pub(super) enum Next {
    Nobody,
    /// It is in the worker's hands.
    Held,
    /// One whose slot is in a shard that is not locked.
    Elsewhere(Ticket),
}

/// What a worker's turn in its own shard leaves it to do.
pub(super) struct AfterTurn {
    pub(super) next: Next,
    /// Who was put back waits behind somebody else's poll: another worker may take it.
    pub(super) keeps_waiting: bool,
}

/// What has become of a task that was put back.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PutBack {
    Done,
    /// It was woken meanwhile: its ticket must go into a line.
    Again(Ticket),
    /// The pool has ended, and it is still in the worker's hands: to be dropped when no lock is
    /// held.
    Refused,
}

impl Held {
    /// Polls the task, and drops it if it has ended.
    pub(super) fn run(&mut self) {
        let Held { waker, task, .. } = self;
        let Some(polled) = task.as_mut() else { return };
        let poll = contain(|| Pin::new(polled).poll(&mut Context::from_waker(waker)));
        if poll != Some(Poll::Pending) {
            // Before its slot and its waker can be another's.
            contain(|| drop(task.take()));
        }
    }
}

impl Shard {
    pub(super) fn new(number: usize) -> Shard {
        Shard { number, length: AtomicUsize::new(0), contents: Mutex::default() }
    }

    /// Returns about how many stand in the line.
    pub(super) fn length(&self) -> usize {
        self.length.load(Ordering::Relaxed)
    }

    /// Looks under the lock: whoever adds later sees what the caller wrote before.
    pub(super) fn has_work(&self) -> bool {
        !self.contents.lock().line.is_empty()
    }

    fn with<R>(&self, change: impl FnOnce(&mut Contents) -> R) -> R {
        let mut contents = self.contents.lock();
        let result = change(&mut contents);
        self.note(&contents);
        result
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

    /// Wakes the task of a cell of this shard. Its ticket goes into this line if `here`.
    pub(super) fn wake(&self, cell: &Arc<Cell>, here: bool) -> Queue {
        let ticket = cell.ticket();
        self.with(|contents| {
            let slot = contents.slots.get_mut(ticket.key).filter(|slot| slot.is_of(cell));
            let queue = slot.map_or(Queue::Leave, Slot::wake);
            if here && queue == Queue::Push {
                contents.line.push_back(Item::Again(ticket));
            }
            queue
        })
    }

    /// Puts back a task of this shard.
    pub(super) fn put_back(&self, hands: &mut Hands) -> PutBack {
        self.with(|contents| contents.put_back(hands))
    }

    /// The turn of a worker in its own shard: puts back who was polled, and takes who is next.
    pub(super) fn turn(&self, hands: &mut Hands, pool: &Arc<Shared>) -> AfterTurn {
        self.with(|contents| {
            let mut again = false;
            match contents.put_back(hands) {
                PutBack::Done => {}
                // Then the line is closed as well.
                PutBack::Refused => {
                    return AfterTurn { next: Next::Nobody, keeps_waiting: false };
                }
                PutBack::Again(ticket) => {
                    contents.line.push_back(Item::Again(ticket));
                    again = true;
                }
            }
            let next = match contents.pop() {
                None => Next::Nobody,
                Some(Item::New(task)) => contents.admit(task, self.number, pool, hands),
                Some(Item::Again(ticket)) => contents.start(ticket, self.number, hands),
            };
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
        let more = (most - 1).min(other.line.len());
        own.line.extend(other.line.drain(..more));
        other.give_back_room();
        self.note(&own);
        from.note(&other);
        match first {
            Item::New(task) => own.admit(task, self.number, pool, hands),
            Item::Again(ticket) => match own.start(ticket, self.number, hands) {
                Next::Elsewhere(ticket) => other.start(ticket, from.number, hands),
                next => next,
            },
        }
    }

    fn lock_with<'a>(
        &'a self,
        other: &'a Shard,
    ) -> (MutexGuard<'a, Contents>, MutexGuard<'a, Contents>) {
        if self.number < other.number {
            let own = self.contents.lock();
            (own, other.contents.lock())
        } else {
            let theirs = other.contents.lock();
            (self.contents.lock(), theirs)
        }
    }

    /// Takes a task of this shard whose ticket was in another line.
    pub(super) fn start(&self, ticket: Ticket, hands: &mut Hands) -> Next {
        self.contents.lock().start(ticket, self.number, hands)
    }

    /// Takes no more, and drops every task that is not being polled at this moment.
    pub(super) fn close(&self) {
        let contents = self.with(|contents| {
            std::mem::replace(contents, Contents { closed: true, ..Contents::default() })
        });
        // No lock is held from here on: destructors may wake and spawn.
        for item in contents.line {
            contain(|| drop(item));
        }
        for slot in contents.slots.into_values() {
            let (cell, task) = slot.into_parts();
            contain(|| drop(task));
            drop(cell);
        }
    }

    #[cfg(test)]
    pub(super) fn tasks(&self) -> usize {
        self.contents.lock().slots.len()
    }

    #[cfg(test)]
    pub(super) fn seats(&self) -> usize {
        self.contents.lock().seats.len()
    }
}

impl Contents {
    #[inline]
    fn pop(&mut self) -> Option<Item> {
        let item = self.line.pop_front()?;
        self.give_back_room();
        Some(item)
    }

    /// Gives back what a burst needed, when it is over.
    fn give_back_room(&mut self) {
        if self.line.is_empty() && self.line.capacity() > ROOM {
            self.line = VecDeque::new();
        }
    }

    /// Gives a task that was never polled its slot.
    fn admit(&mut self, task: Task, shard: usize, pool: &Arc<Shared>, hands: &mut Hands) -> Next {
        let seat = self.seats.pop().unwrap_or_else(|| Seat::new(pool, shard));
        let Seat { waker, cell } = seat;
        let key = self.slots.insert_with(|key| {
            cell.assign(key);
            Slot::of_polled(cell)
        });
        *hands = Some(Held { ticket: Ticket { shard, key }, waker, task: Some(task) });
        Next::Held
    }

    /// Takes a task if its slot is in this shard, which has that number.
    fn start(&mut self, ticket: Ticket, shard: usize, hands: &mut Hands) -> Next {
        if ticket.shard != shard {
            return Next::Elsewhere(ticket);
        }
        match self.slots.get_mut(ticket.key).and_then(Slot::start) {
            None => Next::Nobody,
            Some(Occupant { task, waker }) => {
                *hands = Some(Held { ticket, waker, task: Some(task) });
                Next::Held
            }
        }
    }

    #[inline]
    fn put_back(&mut self, hands: &mut Hands) -> PutBack {
        let Some(held) = hands else { return PutBack::Done };
        let ticket = held.ticket;
        if held.task.is_none() {
            // It finds nothing if the shard was closed meanwhile.
            if let Some(slot) = self.slots.try_remove(ticket.key) {
                let (cell, _) = slot.into_parts();
                if let Some(Held { waker, .. }) = hands.take() {
                    self.keep(Seat { waker, cell });
                }
            }
            *hands = None;
            return PutBack::Done;
        }
        let Some(slot) = self.slots.get_mut(ticket.key) else { return PutBack::Refused };
        let Some(Held { waker, task: Some(task), .. }) = hands.take() else { return PutBack::Done };
        match slot.pause(Occupant { task, waker }) {
            Queue::Push => PutBack::Again(ticket),
            Queue::Leave => PutBack::Done,
        }
    }

    /// Keeps a seat for another task if nobody else has its waker (cell, invariant 1).
    fn keep(&mut self, seat: Seat) {
        if self.seats.len() < SEATS && seat.is_free() {
            self.seats.push(seat);
        }
    }
}
