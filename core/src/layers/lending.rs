//! What a nested nursery's future does about the slot of the task that it is a part of.
//!
//! | state     | `lease` | `back` | when                                                           |
//! |-----------|---------|--------|----------------------------------------------------------------|
//! | idle      | none    | none   | no task is in the nursery or wants in, or there is no such slot |
//! | lending   | some    | none   | a task is; the nursery waits                                   |
//! | returning | none    | some   | all are home, and the slot is not back yet                     |

pub(crate) mod bounded;
pub(crate) mod held_slot;

use crate::layers::base::sync::Arc;
use crate::layers::base::wait_mark::{self, Kind};
use crate::layers::context;
use crate::layers::limit::{AcquireOwned, Semaphore, TryAcquireError};
use bounded::{place_here, try_back};
use held_slot::{HeldSlot, Lease};
use pin_project_lite::pin_project;
use std::any::Any;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

pub(crate) struct Lending<T> {
    lease: Option<Lease>,
    back: Option<Pin<Box<Back<T>>>>,
}

impl<T> Default for Lending<T> {
    fn default() -> Lending<T> {
        Lending { lease: None, back: None }
    }
}

pin_project! {
    /// A nursery that has ended, but for the slot.
    struct Back<T> {
        #[pin]
        wait: AcquireOwned,
        lease: Lease,
        ended: Option<T>,
    }
}

impl<T> Lending<T> {
    /// The nursery waits: lends the slot if a task in it may need one, and not otherwise.
    #[inline]
    pub(crate) fn wait(
        &mut self,
        limiter: Option<&Arc<Semaphore>>,
        wants_slots: impl FnOnce() -> bool,
    ) {
        if let Some(limiter) = limiter {
            self.lend(limiter, wants_slots);
        }
    }

    #[inline(never)]
    fn lend(&mut self, limiter: &Arc<Semaphore>, wants_slots: impl FnOnce() -> bool) {
        if !has_slot_of(limiter) {
            return;
        }
        if !wants_slots() {
            self.lease = None;
        } else if self.lease.is_none() {
            self.lease = held_slot(|slot| slot?.lend(limiter));
        }
    }

    /// The nursery has ended: takes the slot back before the task goes on.
    #[inline]
    pub(crate) fn end(
        &mut self,
        limiter: Option<&Arc<Semaphore>>,
        ended: T,
        cx: &mut Context<'_>,
    ) -> Poll<T> {
        match limiter {
            None => Poll::Ready(ended),
            Some(limiter) => self.take_back(limiter, ended, cx),
        }
    }

    // Kept out of the nursery's poll, whose frame it would double.
    #[inline(never)]
    fn take_back(&mut self, limiter: &Arc<Semaphore>, ended: T, cx: &mut Context<'_>) -> Poll<T> {
        // Lent by a reservation alone, if the nursery never waited.
        let lease = self.lease.take().or_else(|| held_slot(|slot| slot?.lease(limiter)));
        let Some(lease) = lease else { return Poll::Ready(ended) };
        let waits = held_slot(|slot| {
            let slot = slot.filter(|slot| lease.is_last_of(slot))?;
            match try_back(lease.limiter()) {
                Ok(permit) => {
                    slot.take_back(permit);
                    None
                }
                // None is free, or the limit is 0 for now.
                Err(TryAcquireError::NoPermits | TryAcquireError::TooMany { .. }) => {
                    Some(lease.limiter().acquire_at(place_here(), true))
                }
                // The task sees for itself that there are none any more.
                Err(TryAcquireError::Closed) => None,
            }
        });
        let Some(wait) = waits else { return Poll::Ready(ended) };
        self.back = Some(Box::pin(Back { wait, lease, ended: Some(ended) }));
        self.poll_end(cx).map(|ended| ended.expect("it waits since just now"))
    }

    /// Goes on with [`end`](Lending::end). None: it has not begun.
    #[inline]
    pub(crate) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        if self.back.is_none() { Poll::Ready(None) } else { self.poll_back(cx) }
    }

    #[inline(never)]
    fn poll_back(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let Some(back) = &mut self.back else { return Poll::Ready(None) };
        let this = back.as_mut().project();
        // Elsewhere by now, or lent by another part of the task: it is not for us to wait.
        if held_slot(|slot| slot.is_some_and(|slot| this.lease.is_last_of(slot))) {
            let (so_far, named) = (wait_mark::so_far(), this.wait.name_number());
            match this.wait.poll(cx) {
                Poll::Pending => {
                    wait_mark::instead(so_far, Kind::Slot, named);
                    return Poll::Pending;
                }
                Poll::Ready(Ok(permit)) => {
                    // Between the look above and here the wait may have called wakers, and no more.
                    held_slot(|slot| slot.map(|slot| slot.take_back(permit)));
                }
                // Cancelled: what is around ends too, or else the task stops before its next poll.
                Poll::Ready(Err(_)) => {}
            }
        }
        let ended = this.ended.take();
        self.back = None;
        Poll::Ready(ended)
    }
}

/// Calls `f` with the slot of the task that is polled.
pub(crate) fn held_slot<R>(f: impl FnOnce(Option<&HeldSlot>) -> R) -> R {
    context::current(|frame| {
        f(frame.and_then(context::Frame::slot).and_then(<dyn Any>::downcast_ref))
    })
}

/// Returns `true` if the task that is polled has a slot of this limiter, or has lent it.
pub(crate) fn has_slot_of(limiter: &Arc<Semaphore>) -> bool {
    held_slot(|slot| slot.is_some_and(|slot| slot.is_of(limiter)))
}
