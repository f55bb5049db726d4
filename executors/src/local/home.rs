//! The executor's state on its own thread: tasks, ready queue. Nothing here is shared, or locked.
//!
//! # Invariants
//!
//! 1. A task is in its entry, or in the hands of `run_next`, or gone. The entry stays while the task
//!    is polled, so that its key is not given away.
//! 2. No borrow of a cell is held while foreign code runs: polls, destructors, wakers. A [`Kept`] sees
//!    to that.
//! 3. A closed home has no tasks; what is polled when it is closed is dropped after its poll.

use super::inbox::{Inbox, Item};
use super::seat::{Seat, Ticket};
use crate::chunks::Chunks;
use crate::current::PoolId;
use crate::guarded::{Foreign, Kept};
use crate::panics::contain;
use allhome_rt::{LocalTask, Task};
use std::cell::Cell;
use std::collections::VecDeque;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

thread_local! {
    /// The executor that this thread runs at the moment. It is reached by `try_with` only: in the
    /// destructor of another thread-local value it may be gone. Then wakes and spawns of this thread
    /// go by the inbox, as those of other threads do.
    static HERE: Kept<Option<Rc<Home>>> = const { Kept::new(None) };
}

/// The most seats that are kept for new tasks: 72 bytes each.
const SEATS: usize = 1024;

/// The most room, in tickets of 16 bytes, that an empty ready queue keeps.
const ROOM: usize = 512;

/// The key of a root's ticket; it is in no entry.
const ROOT: usize = usize::MAX;

pub(super) struct Home {
    pub(super) inbox: Arc<Inbox>,
    ready: Kept<VecDeque<Ticket>>,
    tasks: Kept<Chunks<Entry>>,
    seats: Kept<Vec<Seat>>,
    arrivals: Kept<Vec<Item>>,
    last_number: Cell<u64>,
    /// The number of the present root, or of the last.
    root: Cell<u64>,
    closed: Cell<bool>,
}

struct Entry {
    number: u64,
    occupant: Option<Occupant>,
}

struct Occupant {
    task: Foreign<Kind>,
    seat: Seat,
}

/// A task that came from anywhere, or one that was born here; or a future, which saves what a task
/// of it would be wrapped in.
pub(super) enum Kind {
    Any(Task),
    Local(LocalTask),
    Future(Pin<Box<dyn Future<Output = ()>>>),
}

/// What `run_next` has done.
pub(super) enum Ran {
    /// It is the root's turn.
    Root,
    Task,
    Nothing,
}

/// Calls `f` with that executor, if this thread runs it at the moment.
pub(super) fn here<R>(id: PoolId, f: impl FnOnce(&Rc<Home>) -> R) -> Option<R> {
    let mut result = None;
    let _ = HERE.try_with(|here| {
        here.locked(|here| {
            result = here.as_ref().filter(|home| home.inbox.id() == id).map(f);
        });
    });
    result
}

/// Says what this thread runs from now on, and returns what it ran before.
fn replace_here(home: Option<Rc<Home>>) -> Option<Rc<Home>> {
    HERE.try_with(|here| here.locked(|here| mem::replace(here, home))).ok().flatten()
}

impl Home {
    pub(super) fn new(id: PoolId) -> Rc<Home> {
        Rc::new(Home {
            inbox: Arc::new(Inbox::new(id)),
            ready: Kept::default(),
            tasks: Kept::default(),
            seats: Kept::default(),
            arrivals: Kept::default(),
            last_number: Cell::new(0),
            root: Cell::new(0),
            closed: Cell::new(false),
        })
    }

    /// Makes this thread one that runs this executor, until the result is dropped.
    pub(super) fn enter(self: &Rc<Self>) -> Entered {
        Entered(replace_here(Some(Rc::clone(self))))
    }

    /// Returns how many tasks there are.
    pub(super) fn len(&self) -> usize {
        self.tasks.locked(|tasks| tasks.len())
    }

    pub(super) fn push(&self, ticket: Ticket) {
        self.ready.locked(|ready| ready.push_back(ticket));
    }

    fn pop(&self) -> Option<Ticket> {
        self.ready.locked(|ready| {
            let ticket = ready.pop_front()?;
            // What a burst needed is given back when it is over.
            if ready.is_empty() && ready.capacity() > ROOM {
                *ready = VecDeque::new();
            }
            Some(ticket)
        })
    }

    /// Takes a task, or gives it back if the executor has ended.
    pub(super) fn spawn(&self, task: Foreign<Kind>) -> Option<Foreign<Kind>> {
        if self.closed.get() {
            return Some(task);
        }
        let number = self.number();
        let seat = self.seats.locked(Vec::pop).unwrap_or_else(|| Seat::new(&self.inbox));
        seat.enqueue();
        let make = |key| {
            seat.assign(Ticket { key, number });
            Entry { number, occupant: Some(Occupant { task, seat }) }
        };
        let key = self.tasks.locked(|tasks| tasks.insert_with(make));
        self.push(Ticket { key, number });
        None
    }

    fn number(&self) -> u64 {
        let number = self.last_number.get() + 1;
        self.last_number.set(number);
        number
    }

    /// Makes the seat of a root, and queues it. Tickets of roots before are good for nothing.
    pub(super) fn seat_root(&self) -> Seat {
        let ticket = Ticket { key: ROOT, number: self.number() };
        self.root.set(ticket.number);
        let seat = Seat::new(&self.inbox);
        seat.assign(ticket);
        seat.enqueue();
        self.push(ticket);
        seat
    }

    /// Polls who has waited longest.
    pub(super) fn run_next(&self) -> Ran {
        if self.inbox.is_full() {
            self.receive();
        }
        let Some(ticket) = self.pop() else { return Ran::Nothing };
        if ticket.key == ROOT {
            return if ticket.number == self.root.get() { Ran::Root } else { Ran::Task };
        }
        let Some(mut occupant) = self.take(ticket) else { return Ran::Task };
        occupant.seat.dequeue();
        let polled = contain(|| occupant.task.poll(&occupant.seat));
        if polled == Some(Poll::Pending) && !self.closed.get() {
            self.put_back(ticket, occupant);
            return Ran::Task;
        }
        // It is not there if the executor has been closed.
        drop(self.tasks.locked(|tasks| tasks.try_remove(ticket.key)));
        self.end(occupant);
        Ran::Task
    }

    fn take(&self, ticket: Ticket) -> Option<Occupant> {
        self.tasks.locked(|tasks| {
            let entry = tasks.get_mut(ticket.key).filter(|entry| entry.number == ticket.number);
            entry?.occupant.take()
        })
    }

    fn put_back(&self, ticket: Ticket, occupant: Occupant) {
        self.tasks.locked(|tasks| {
            let entry = tasks.get_mut(ticket.key).expect("invariant 1: its entry stays");
            entry.occupant = Some(occupant);
        });
    }

    /// Drops a task, and keeps its seat for another if nobody else has the waker.
    fn end(&self, occupant: Occupant) {
        let Occupant { task, seat } = occupant;
        task.discard();
        let mut seat = seat.is_free().then_some(seat);
        self.seats.locked(|seats| {
            if seats.len() < SEATS {
                seats.extend(seat.take());
            }
        });
    }

    /// Takes in what other threads have sent.
    fn receive(&self) {
        let mut arrivals = self.arrivals.locked(mem::take);
        self.inbox.take(&mut arrivals);
        for item in arrivals.drain(..) {
            match item {
                Item::Wake(ticket) if ticket.key == ROOT => self.push(ticket),
                Item::Wake(ticket) => self.wake(ticket),
                Item::Spawn(task) => {
                    let task = Foreign::new(Kind::Any(task.into_inner()));
                    self.spawn(task).into_iter().for_each(Foreign::discard);
                }
            }
        }
        // The room is kept.
        self.arrivals.locked(|kept| *kept = arrivals);
    }

    fn wake(&self, ticket: Ticket) {
        self.tasks.locked(|tasks| {
            let entry = tasks.get(ticket.key).filter(|entry| entry.number == ticket.number);
            if let Some(Occupant { seat, .. }) = entry.and_then(|entry| entry.occupant.as_ref()) {
                seat.receive();
                if seat.enqueue() {
                    self.push(ticket);
                }
            }
        });
    }

    /// Drops every task that is not being polled at this moment, and takes no more.
    pub(super) fn close(&self) {
        self.closed.set(true);
        let tasks = self.tasks.locked(mem::take);
        let sent = self.inbox.close();
        self.ready.locked(|ready| ready.retain(|ticket| ticket.key == ROOT));
        // Nothing is borrowed from here on: destructors may spawn and wake.
        for entry in tasks.into_values() {
            entry.occupant.into_iter().for_each(|occupant| occupant.task.discard());
        }
        sent.into_iter().for_each(Item::discard);
        drop(self.seats.locked(mem::take));
    }
}

impl Kind {
    fn poll(&mut self, seat: &Seat) -> Poll<()> {
        let mut cx = Context::from_waker(&seat.waker);
        match self {
            Kind::Any(task) => Pin::new(task).poll(&mut cx),
            Kind::Local(task) => Pin::new(task).poll(&mut cx),
            Kind::Future(future) => future.as_mut().poll(&mut cx),
        }
    }
}

/// Puts back what the thread ran before.
pub(super) struct Entered(Option<Rc<Home>>);

impl Drop for Entered {
    fn drop(&mut self) {
        let own = replace_here(self.0.take());
        // Not under the borrow: it may be the last of its executor.
        drop(own);
    }
}
