//! What the handles of a scope share with its future: where new children wait for the next poll.

use super::control::{Control, Life};
use super::hand_over::{Freed, New};
use super::mode::Mode;
use super::placed::{MOST, Piece, Placed, class_of};
use super::seats::{BlockRef, Pool, Reach, Seat};
use crate::layers::base::guarded::{Foreign, Guarded};
use crate::layers::base::id::TaskId;
use crate::layers::base::reason::Reason;
use crate::layers::base::sync::{Arc, Ordering};
use std::mem;
use std::panic::Location;

pub(super) struct Shared<'a, M: Mode> {
    pub(super) control: Arc<Control>,
    inbox: Guarded<Inbox<'a, M>>,
}

struct Inbox<'a, M: Mode> {
    new: Vec<New<'a, M>>,
    /// The number of the last child.
    last: u64,
    closed: Option<Reason>,
    pool: Pool,
    /// Memory for futures, by its class.
    pieces: Vec<Vec<Piece>>,
}

/// A child's future, in its place already or not.
enum Task<F, P> {
    Given(F),
    Placed(P),
}

impl<M: Mode> Inbox<'_, M> {
    fn take_piece<F>(&mut self) -> Option<Piece> {
        self.pieces.get_mut(class_of::<F>()?)?.pop()
    }

    fn put_piece(&mut self, piece: Piece) {
        let Some(class) = piece.class() else { return };
        if self.pieces.len() <= class {
            self.pieces.resize_with(class + 1, Vec::new);
        }
        self.pieces[class].push(piece);
    }
}

/// A child that was admitted; reached by its handle, if it has one.
pub(super) struct Admitted {
    pub(super) id: TaskId,
    pub(super) reach: Option<Reach>,
}

impl<'a, M: Mode> Shared<'a, M> {
    pub(super) fn new(control: Control) -> Arc<Shared<'a, M>> {
        let control = Arc::new(control);
        let pool = Pool::new(control.clone());
        let inbox = Inbox { new: Vec::new(), last: 0, closed: None, pool, pieces: Vec::new() };
        Arc::new(Shared { control, inbox: Guarded::new(inbox) })
    }

    /// Gives the body its seat: the first.
    pub(super) fn seat_body(&self, place: &'static Location<'static>) -> Seat {
        self.inbox.locked(|inbox| inbox.pool.take(Life::new(0, None, place), false).0)
    }

    /// Admits a child, or drops its future unpolled and returns why.
    pub(super) fn admit<F>(
        &self,
        future: F,
        place_at: impl Fn(Option<Piece>, F) -> Placed<'a, M>,
        join: Option<Arc<M::Join<'a>>>,
        name: Option<Box<str>>,
        place: &'static Location<'static>,
    ) -> Result<Admitted, Reason> {
        let control = &self.control;
        // A large one is not moved while the lock is held.
        let future = match size_of::<F>() > MOST {
            true => Task::Placed(place_at(None, future)),
            false => Task::Given(future),
        };
        let mut parts = Some((future, join, name));
        let admitted = self.inbox.locked(|inbox| {
            // Asked under the lock: what takes the children after a cancel misses none.
            if let Some(reason) = control.reason().or(inbox.closed.as_ref()) {
                return Err(reason.clone());
            }
            let (future, join, name) = parts.take().expect("they are taken once");
            let task = match future {
                Task::Placed(task) => task,
                Task::Given(future) => place_at(inbox.take_piece::<F>(), future),
            };
            inbox.last += 1;
            let id = TaskId { nursery: control.id, number: inbox.last };
            let life = Life::new(id.number, name, place);
            let (seat, reach) = inbox.pool.take(life, join.is_some());
            inbox.new.push(New { seat, task, join });
            // Relaxed: a count, under the lock, which orders it with the end of the scope.
            control.came.store(id.number as usize, Ordering::Relaxed);
            Ok(Admitted { id, reach })
        });
        match &admitted {
            Ok(_) => control.tell(),
            Err(_) => {
                control.refused.fetch_add(1, Ordering::Relaxed);
                drop(parts.map(|(task, ..)| Foreign::new(task)));
            }
        }
        admitted
    }

    /// From here on it admits no child.
    pub(super) fn close(&self, reason: Reason) {
        let mut reason = Some(reason);
        self.inbox.locked(|inbox| {
            if inbox.closed.is_none() {
                inbox.closed = reason.take();
            }
        });
    }

    pub(super) fn is_closed(&self) -> bool {
        self.control.reason().is_some() || self.inbox.locked(|inbox| inbox.closed.is_some())
    }

    /// Takes the new children, and puts an empty list in their place. Gives seats back, and adds the
    /// blocks that are new.
    pub(super) fn take_new(
        &self,
        empty: Vec<New<'a, M>>,
        blocks: &mut Vec<BlockRef>,
        freed: &mut Freed,
    ) -> Vec<New<'a, M>> {
        self.inbox.locked(|inbox| {
            freed.seats.drain(..).for_each(|seat| inbox.pool.put(seat));
            freed.pieces.drain(..).for_each(|piece| inbox.put_piece(piece));
            inbox.pool.show(blocks);
            mem::replace(&mut inbox.new, empty)
        })
    }

    /// Closes it for good if no child waits in it.
    pub(super) fn close_if_empty(&self, reason: Reason) -> bool {
        let mut reason = Some(reason);
        self.inbox.locked(|inbox| {
            let empty = inbox.new.is_empty();
            if empty && inbox.closed.is_none() {
                inbox.closed = reason.take();
            }
            empty
        })
    }
}
