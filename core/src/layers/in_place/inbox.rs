//! What the handles of a scope share with its future: where new children wait for the next poll.

use super::control::{Control, Life};
use super::engine::finalize::Deferred;
use super::hand_over::{Freed, New};
use super::mode::Mode;
use super::placed::{MOST, Pieces, Placed};
use super::seats::{BlockRef, Pool, Reach, Seat};
use crate::layers::base::guarded::{Foreign, Guarded};
use crate::layers::base::id::TaskId;
use crate::layers::base::reason::Reason;
use crate::layers::base::sync::{Arc, Ordering};
use crate::layers::group::registry::report::Entry;
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
    /// Memory for futures.
    pieces: Pieces,
    /// What is done at the end.
    deferred: Vec<Foreign<Deferred<'a, M>>>,
    /// The scope has ended.
    is_over: bool,
}

/// How a child is admitted.
#[derive(Clone, Copy)]
pub(super) struct Admission {
    pub(super) place: &'static Location<'static>,
    /// Into a place that was reserved: a scope that is closed takes it still.
    pub(super) reserved: bool,
}

impl<M: Mode> Inbox<'_, M> {
    fn refusal<'r>(&'r self, control: &'r Control, reserved: bool) -> Option<&'r Reason> {
        if !control.is_stirred() {
            return None;
        }
        let closed = || control.drained().or(self.closed.as_ref());
        match reserved && !self.is_over {
            true => control.reason_for(true),
            false => control.reason_for(true).or_else(closed),
        }
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
        let inbox = Inbox {
            new: Vec::new(),
            last: 0,
            closed: None,
            pool,
            pieces: Pieces::default(),
            deferred: Vec::new(),
            is_over: false,
        };
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
        place_at: impl Fn(&mut Pieces, F) -> Placed<'a, M>,
        joined: bool,
        name: Option<Box<str>>,
        how: Admission,
    ) -> Result<Admitted, Reason> {
        // A large one is not moved while the lock is held.
        if size_of::<F>() > MOST {
            let task = place_at(&mut Pieces::default(), future);
            self.admit_made(task, |_, task| task, joined, name, how).map_err(|no| self.refuse(no))
        } else {
            self.admit_made(future, place_at, joined, name, how).map_err(|no| self.refuse(no))
        }
    }

    /// Drops a future that is refused. Returns why it is.
    #[cold]
    fn refuse<V>(&self, (reason, future): (Reason, V)) -> Reason {
        self.control.refused.fetch_add(1, Ordering::Relaxed);
        drop(Foreign::new(future));
        reason
    }

    /// Admits a child, whose future is made of the value under the lock; or gives the value back.
    pub(super) fn admit_made<V>(
        &self,
        value: V,
        place_at: impl FnOnce(&mut Pieces, V) -> Placed<'a, M>,
        joined: bool,
        name: Option<Box<str>>,
        how: Admission,
    ) -> Result<Admitted, (Reason, V)> {
        let control = &self.control;
        let mut parts = Some((value, name));
        let admitted = self.inbox.locked(|inbox| {
            // Asked under the lock: what takes the children after a cancel misses none.
            if let Some(reason) = inbox.refusal(control, how.reserved) {
                return Err(reason.clone());
            }
            let (value, name) = parts.take().expect("they are taken once");
            let task = place_at(&mut inbox.pieces, value);
            inbox.last += 1;
            let id = TaskId { nursery: control.id, number: inbox.last };
            let life = Life::new(id.number, name, how.place);
            let (seat, reach) = inbox.pool.take(life, joined);
            inbox.new.push(New { seat, task });
            // Relaxed: a count, under the lock, which orders it with the end of the scope.
            control.came.store(id.number as usize, Ordering::Relaxed);
            Ok(Admitted { id, reach })
        });
        match admitted {
            Ok(admitted) => {
                control.tell();
                Ok(admitted)
            }
            Err(reason) => {
                let (value, _) = parts.expect("they were not taken");
                Err((reason, value))
            }
        }
    }

    /// Returns why no child is admitted, or none into a place that was reserved before.
    pub(super) fn refusal(&self, reserved: bool) -> Option<Reason> {
        self.inbox.locked(|inbox| inbox.refusal(&self.control, reserved).cloned())
    }

    /// From here on it admits no child. Returns `false` if it admitted none before.
    pub(super) fn close(&self, reason: Reason) -> bool {
        let mut reason = Some(reason);
        let first = self.inbox.locked(|inbox| {
            let first = inbox.refusal(&self.control, false).is_none();
            self.control.stir();
            if inbox.closed.is_none() {
                inbox.closed = reason.take();
            }
            first
        });
        self.control.close();
        first
    }

    /// Keeps a failure that is no child's end. Returns `false` if the scope has ended.
    pub(super) fn hand_in(&self, failure: Entry) -> bool {
        let mut failure = Some(failure);
        self.inbox.locked(|inbox| {
            if !inbox.is_over {
                failure.take().into_iter().for_each(|failure| self.control.hand_in(failure));
            }
        });
        failure.is_none()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.refusal(false).is_some()
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
            if !freed.seats.is_empty() {
                self.control.blocks.locked(|blocks| {
                    let free = freed.seats.drain(..).filter_map(|seat| blocks.give_up(seat));
                    free.for_each(|seat| inbox.pool.put(seat));
                });
            }
            freed.pieces.drain(..).for_each(|piece| inbox.pieces.put(piece));
            inbox.pool.show(blocks);
            mem::replace(&mut inbox.new, empty)
        })
    }

    // ---- the end

    /// Keeps what is done at the end. Returns `false`, and drops it, if the scope has ended.
    pub(super) fn defer(&self, deferred: Deferred<'a, M>) -> bool {
        let mut deferred = Some(Foreign::new(deferred));
        self.inbox.locked(|inbox| {
            if !inbox.is_over {
                inbox.deferred.extend(deferred.take());
            }
        });
        deferred.is_none()
    }

    /// Takes what was deferred last.
    pub(super) fn next_deferred(&self) -> Option<Deferred<'a, M>> {
        self.inbox.locked(|inbox| inbox.deferred.pop()).map(Foreign::into_inner)
    }

    /// The scope ends: from now on it keeps nothing.
    pub(super) fn end(&self) {
        self.control.stir();
        self.inbox.locked(|inbox| inbox.is_over = true);
        self.control.close();
    }

    /// Closes it for good if no child waits in it, and nothing is deferred.
    pub(super) fn close_if_empty(&self, reason: Reason) -> bool {
        let mut reason = Some(reason);
        let closed = self.inbox.locked(|inbox| {
            let empty = inbox.new.is_empty() && inbox.deferred.is_empty();
            if empty {
                self.control.stir();
                inbox.is_over = true;
                if inbox.closed.is_none() {
                    inbox.closed = reason.take();
                }
            }
            empty
        });
        if closed {
            self.control.close();
        }
        closed
    }
}
