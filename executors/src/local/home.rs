//! The executor's state on its own thread: tasks, ready queue. Nothing here is shared, or locked.
//!
//! # Invariants
//!
//! 1. A task is in its entry, or in the hands of `run_next`, or gone. The entry stays while the task
//!    is polled, so that its key is not given away.
//! 2. No borrow of a cell is held while foreign code runs: polls, destructors, wakers.
//! 3. A closed home has no tasks; what is polled when it is closed is dropped after its poll.

use super::inbox::{Inbox, Item};
use super::seat::{Seat, Ticket};
use crate::chunks::Chunks;
use crate::current::PoolId;
use crate::panics::contain;
use allhome_rt::{LocalTask, Task};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

thread_local! {
    /// The executor that this thread runs at the moment. It is reached by `try_with` only: in the
    /// destructor of another thread-local value it may be gone. Then wakes and spawns of this thread
    /// go by the inbox, as those of other threads do.
    static HERE: RefCell<Option<Rc<Home>>> = const { RefCell::new(None) };
}

/// The most seats that are kept for new tasks: 72 bytes each.
const SEATS: usize = 1024;

/// The most room, in tickets of 16 bytes, that an empty ready queue keeps.
const ROOM: usize = 512;

/// The key of a root's ticket; it is in no entry.
const ROOT: usize = usize::MAX;

pub(super) struct Home {
    pub(super) inbox: Arc<Inbox>,
    ready: RefCell<VecDeque<Ticket>>,
    tasks: RefCell<Chunks<Entry>>,
    seats: RefCell<Vec<Seat>>,
    arrivals: RefCell<Vec<Item>>,
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
    task: Kind,
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
        if let Some(home) = here.borrow().as_ref().filter(|home| home.inbox.id() == id) {
            result = Some(f(home));
        }
    });
    result
}

/// Says what this thread runs from now on, and returns what it ran before.
fn replace_here(home: Option<Rc<Home>>) -> Option<Rc<Home>> {
    HERE.try_with(|here| here.replace(home)).ok().flatten()
}

impl Home {
    pub(super) fn new(id: PoolId) -> Rc<Home> {
        Rc::new(Home {
            inbox: Arc::new(Inbox::new(id)),
            ready: RefCell::default(),
            tasks: RefCell::default(),
            seats: RefCell::default(),
            arrivals: RefCell::default(),
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
        self.tasks.borrow().len()
    }

    pub(super) fn push(&self, ticket: Ticket) {
        self.ready.borrow_mut().push_back(ticket);
    }

    fn pop(&self) -> Option<Ticket> {
        let mut ready = self.ready.borrow_mut();
        let ticket = ready.pop_front()?;
        // What a burst needed is given back when it is over.
        if ready.is_empty() && ready.capacity() > ROOM {
            *ready = VecDeque::new();
        }
        Some(ticket)
    }

    /// Takes a task, or gives it back if the executor has ended.
    pub(super) fn spawn(&self, task: Kind) -> Option<Kind> {
        if self.closed.get() {
            return Some(task);
        }
        let number = self.number();
        let seat = self.seats.borrow_mut().pop();
        let seat = seat.unwrap_or_else(|| Seat::new(&self.inbox));
        seat.enqueue();
        let key = self.tasks.borrow_mut().insert_with(|key| {
            seat.assign(Ticket { key, number });
            Entry { number, occupant: Some(Occupant { task, seat }) }
        });
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
        drop(self.tasks.borrow_mut().try_remove(ticket.key));
        self.end(occupant);
        Ran::Task
    }

    fn take(&self, ticket: Ticket) -> Option<Occupant> {
        let mut tasks = self.tasks.borrow_mut();
        let entry = tasks.get_mut(ticket.key).filter(|entry| entry.number == ticket.number)?;
        entry.occupant.take()
    }

    fn put_back(&self, ticket: Ticket, occupant: Occupant) {
        let mut tasks = self.tasks.borrow_mut();
        let entry = tasks.get_mut(ticket.key).expect("invariant 1: its entry stays");
        entry.occupant = Some(occupant);
    }

    /// Drops a task, and keeps its seat for another if nobody else has the waker.
    fn end(&self, occupant: Occupant) {
        let Occupant { task, seat } = occupant;
        contain(|| drop(task));
        let mut seats = self.seats.borrow_mut();
        if seats.len() < SEATS && seat.is_free() {
            seats.push(seat);
        }
    }

    /// Takes in what other threads have sent.
    fn receive(&self) {
        let mut arrivals = self.arrivals.take();
        self.inbox.take(&mut arrivals);
        for item in arrivals.drain(..) {
            match item {
                Item::Wake(ticket) if ticket.key == ROOT => self.push(ticket),
                Item::Wake(ticket) => self.wake(ticket),
                Item::Spawn(task) => {
                    let refused = self.spawn(Kind::Any(task));
                    contain(|| drop(refused));
                }
            }
        }
        // The room is kept.
        self.arrivals.replace(arrivals);
    }

    fn wake(&self, ticket: Ticket) {
        let tasks = self.tasks.borrow();
        let entry = tasks.get(ticket.key).filter(|entry| entry.number == ticket.number);
        if let Some(Occupant { seat, .. }) = entry.and_then(|entry| entry.occupant.as_ref()) {
            seat.receive();
            if seat.enqueue() {
                self.push(ticket);
            }
        }
    }

    /// Drops every task that is not being polled at this moment, and takes no more.
    pub(super) fn close(&self) {
        self.closed.set(true);
        let tasks = self.tasks.take();
        let sent = self.inbox.close();
        self.ready.borrow_mut().retain(|ticket| ticket.key == ROOT);
        // Nothing is borrowed from here on: destructors may spawn and wake.
        for entry in tasks.into_values() {
            contain(|| drop(entry.occupant));
        }
        for item in sent {
            contain(|| drop(item));
        }
        drop(self.seats.take());
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
        // Dropped here, and not under the borrow: it may be the last of its executor.
        drop(replace_here(self.0.take()));
    }
}
