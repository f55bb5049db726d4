//! What a shard has under its lock: its line, its tasks' slots, and seats for new tasks.

use super::cell::{Cell, Seat, Ticket};
use super::shared::Shared;
use super::slot::{Occupant, Queue, Slot};
use crate::chunks::Chunks;
use crate::guarded::Foreign;
use crate::panics::contain;
use allhome_rt::Task;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// The most seats that a shard keeps for new tasks: 64 bytes each.
const SEATS: usize = 1024;

/// The most room, in items of 32 bytes, that an empty line keeps.
const ROOM: usize = 256;

#[derive(Default)]
pub(super) struct Contents {
    pub(super) line: VecDeque<Item>,
    pub(super) slots: Chunks<Slot>,
    pub(super) seats: Vec<Seat>,
    pub(super) closed: bool,
}

/// What stands in a line.
pub(super) enum Item {
    /// A task that has never been polled.
    New(Foreign<Task>),
    /// One that waits in its slot for its next poll.
    Again(Ticket),
}

/// A task in the hands of a worker: to be polled, or just polled and to be put back.
///
/// It stays in one place of the worker's, and goes from there to its slot and back by one move:
/// handed through functions and returned by them, it cost a third of a turn's instructions.
pub(super) struct Held {
    ticket: Ticket,
    waker: Waker,
    /// `None` if it has ended.
    task: Option<Foreign<Task>>,
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

/// What has become of a wake.
#[must_use = "a ticket must go into a line"]
#[derive(Clone, Copy)]
pub(super) enum Woken {
    /// The slot is in another shard.
    Elsewhere,
    /// Nothing is to be done: it is in a line, or will be, or has no reason to be.
    Left,
    /// This is to go into a line.
    Queued(Ticket),
}

/// What has become of a task that was put back.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PutBack {
    Done,
    /// It was woken meanwhile, and its ticket is in the line.
    Again,
    /// The pool has ended, and it is still in the worker's hands: to be dropped when no lock is
    /// held.
    Refused,
}

impl Item {
    pub(super) fn discard(self) {
        if let Item::New(task) = self {
            task.discard();
        }
    }
}

impl Held {
    /// Drops the task, when no lock is held.
    pub(super) fn discard(self) {
        self.task.into_iter().for_each(Foreign::discard);
    }

    /// Polls the task, and drops it if it has ended.
    pub(super) fn run(&mut self) {
        let Held { waker, task, .. } = self;
        let Some(polled) = task.as_mut() else { return };
        let poll = contain(|| Pin::new(&mut **polled).poll(&mut Context::from_waker(waker)));
        if poll != Some(Poll::Pending) {
            // Before its slot and its waker can be another's.
            task.take().into_iter().for_each(Foreign::discard);
        }
    }
}

impl Contents {
    #[inline]
    pub(super) fn pop(&mut self) -> Option<Item> {
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
    pub(super) fn admit(
        &mut self,
        task: Foreign<Task>,
        shard: usize,
        pool: &Arc<Shared>,
        hands: &mut Hands,
    ) -> Next {
        let Seat { waker, cell } = self.seats.pop().unwrap_or_else(|| Seat::new(pool));
        let ticket = self.insert(Slot::of_polled(cell), shard);
        *hands = Some(Held { ticket, waker, task: Some(task) });
        Next::Held
    }

    fn insert(&mut self, slot: Slot, shard: usize) -> Ticket {
        let key = self.slots.insert_with(|key| {
            slot.assign(Ticket { shard, key });
            slot
        });
        Ticket { shard, key }
    }

    pub(super) fn wake(&mut self, cell: &Arc<Cell>, shard: usize) -> Woken {
        let Some(key) = cell.key_in(shard) else { return Woken::Elsewhere };
        let slot = self.slots.get_mut(key).filter(|slot| slot.is_of(cell));
        match slot.map_or(Queue::Leave, Slot::wake) {
            Queue::Push => Woken::Queued(Ticket { shard, key }),
            Queue::Leave => Woken::Left,
        }
    }

    /// Moves a slot to this shard, which has that number; returns its new ticket. When either is
    /// closed there is nothing to move, or nowhere to go, and the other one's end drops it.
    pub(super) fn adopt(
        &mut self,
        ticket: Ticket,
        shard: usize,
        from: &mut Contents,
    ) -> Option<Ticket> {
        if self.closed {
            return None;
        }
        let slot = from.slots.try_remove(ticket.key)?;
        Some(self.insert(slot, shard))
    }

    pub(super) fn adopt_and_start(
        &mut self,
        ticket: Ticket,
        shard: usize,
        from: &mut Contents,
        hands: &mut Hands,
    ) -> Next {
        match self.adopt(ticket, shard, from) {
            Some(ticket) => self.start(ticket, shard, hands),
            None => Next::Nobody,
        }
    }

    /// Takes a task if its slot is in this shard, which has that number.
    pub(super) fn start(&mut self, ticket: Ticket, shard: usize, hands: &mut Hands) -> Next {
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
    pub(super) fn put_back(&mut self, hands: &mut Hands) -> PutBack {
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
            Queue::Leave => PutBack::Done,
            Queue::Push => {
                self.line.push_back(Item::Again(ticket));
                PutBack::Again
            }
        }
    }

    /// Keeps a seat for another task if nobody else has its waker (cell, invariant 1).
    fn keep(&mut self, seat: Seat) {
        if self.seats.len() < SEATS && seat.is_free() {
            self.seats.push(seat);
        }
    }
}
