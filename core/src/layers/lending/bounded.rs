//! A child of a bounded nursery: its future, and its slot.
//!
//! | door    | the child                                     | slot           | a poll               |
//! |---------|-----------------------------------------------|----------------|----------------------|
//! | outside | was spawned plainly                           | forgone        | asks for a slot      |
//! | in line | waits for one                                 | forgone        | looks for it         |
//! | let in  | was spawned with one, and never polled        | held           | goes on to running   |
//! | running | runs                                          | held, lent, forgone | polls the future |
//! | stopped | went on from where it lent its slot, and waits in front of the queue | wanted | looks for it, then as running |
//!
//! What lending is, [`slot`](super::held_slot) tells.
//!
//! # Invariants
//!
//! 1. The future is polled when it is running, and only then. A task that is cancelled is not
//!    stopped, and not let in.
//! 2. The future is dropped before the slot is given back, in every way out: it is dropped here, in
//!    the destructor, and the slot's own comes after it.

use super::held_slot::HeldSlot;
use crate::layers::base::leave::Leave;
use crate::layers::base::sync::Arc;
use crate::layers::base::wait_mark::{self, Kind};
use crate::layers::context;
use crate::layers::context::noted::Noted;
use crate::layers::context::task::is_cancelled;
use crate::layers::limit::{AcquireError, AcquireOwned, OwnedPermit, Semaphore, TryAcquireError};
use crate::layers::record::Header;
use pin_project_lite::pin_project;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

type Waits = Pin<Box<AcquireOwned>>;

enum Door {
    Outside(Arc<Semaphore>),
    InLine(Waits),
    LetIn,
    Running,
    Stopped(Waits),
}

pin_project! {
    pub(crate) struct Bounded<F> {
        #[pin]
        future: Option<F>,
        slot: HeldSlot,
        door: Door,
    }

    impl<F> PinnedDrop for Bounded<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            context::with_slot(this.slot, || this.future.set(None));
        }
    }
}

impl<F> Bounded<F> {
    /// It is let in with this, or, in a nursery without a limit, with nothing.
    pub(crate) fn with(permit: Option<OwnedPermit>, future: F) -> Bounded<F> {
        Bounded { future: Some(future), slot: HeldSlot::new(permit), door: Door::LetIn }
    }

    /// It waits for a slot of this limiter.
    pub(crate) fn outside(limiter: &Arc<Semaphore>, future: F) -> Bounded<F> {
        let door = Door::Outside(limiter.clone());
        Bounded { future: Some(future), slot: HeldSlot::new(None), door }
    }
}

impl<F: Future> Future for Bounded<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        if !this.door.is_passed(this.slot, cx) || this.door.comes_back(this.slot, cx).is_pending() {
            return Poll::Pending;
        }
        let polled = context::with_slot(this.slot, || {
            let future = this.future.as_mut().as_pin_mut();
            future.expect("a child is not polled after it was ready").poll(cx)
        });
        if polled.is_pending() {
            // It gets in front of the queue now, and not when it is polled again.
            let _ = this.door.comes_back(this.slot, cx);
        }
        polled
    }
}

impl Door {
    /// Sees that the child has, or had, its slot. If it gets none it leaves.
    fn is_passed(&mut self, slot: &HeldSlot, cx: &mut Context<'_>) -> bool {
        let mut waits = match std::mem::replace(self, Door::Running) {
            door @ (Door::Running | Door::Stopped(_)) => {
                *self = door;
                return true;
            }
            Door::LetIn => {
                slot.sign();
                return true;
            }
            Door::Outside(_) | Door::InLine(_) if is_cancelled() => {
                // As if it had not been polled: the future was not.
                return leave(Leave::Cancelled);
            }
            Door::InLine(waits) => waits,
            Door::Outside(limiter) => match limiter.try_acquire_at(place_here(), false) {
                Ok(permit) => return let_in(slot, permit),
                // It is refused, or has to wait.
                Err(_) => Box::pin(limiter.acquire_at(place_here(), false)),
            },
        };
        let so_far = wait_mark::so_far();
        match waits.as_mut().poll(cx) {
            Poll::Pending => {
                wait_mark::instead(so_far, Kind::Slot, waits.name_number());
                *self = Door::InLine(waits);
                false
            }
            Poll::Ready(Ok(permit)) => let_in(slot, permit),
            Poll::Ready(Err(error)) => leave(match error {
                // A wait for a slot is never refused for a capacity: see `Semaphore::acquire_at`.
                AcquireError::Closed | AcquireError::TooMany { .. } => Leave::NoSlot,
                AcquireError::Cancelled(_) => Leave::Cancelled,
            }),
        }
    }

    /// Takes the slot back, if the task wants it. Pending: it is to wait.
    #[inline]
    fn comes_back(&mut self, slot: &HeldSlot, cx: &mut Context<'_>) -> Poll<()> {
        match slot.wanted() {
            None => Poll::Ready(()),
            Some(limiter) => self.stop(slot, &limiter, cx),
        }
    }

    fn stop(
        &mut self,
        slot: &HeldSlot,
        limiter: &Arc<Semaphore>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let mut waits = match std::mem::replace(self, Door::Running) {
            Door::Stopped(waits) => waits,
            _ => match try_back(limiter) {
                Ok(permit) => {
                    slot.take_back(permit);
                    return Poll::Ready(());
                }
                // It goes without, or has to wait.
                Err(_) => Box::pin(limiter.acquire_at(place_here(), true)),
            },
        };
        let so_far = wait_mark::so_far();
        match waits.as_mut().poll(cx) {
            Poll::Pending => {
                wait_mark::instead(so_far, Kind::Slot, waits.name_number());
                *self = Door::Stopped(waits);
                return Poll::Pending;
            }
            Poll::Ready(Ok(permit)) => slot.take_back(permit),
            Poll::Ready(Err(_)) => slot.forgo(),
        }
        Poll::Ready(())
    }
}

/// Lets it in, unless it was cancelled meanwhile: a sibling that saw the same cancel may have
/// given its slot back while this poll was under way.
fn let_in(slot: &HeldSlot, permit: OwnedPermit) -> bool {
    if is_cancelled() {
        drop(permit);
        return leave(Leave::Cancelled);
    }
    slot.take_back(permit);
    true
}

/// Has the task end at the end of this poll.
fn leave(why: Leave) -> bool {
    context::noted::here(|notes| notes.map(|notes| notes.leave.set(Some(why))));
    false
}

/// Takes a slot back at once.
pub(crate) fn try_back(limiter: &Arc<Semaphore>) -> Result<OwnedPermit, TryAcquireError> {
    limiter.try_acquire_at(place_here(), true)
}

/// Where the task that is polled was spawned.
#[track_caller]
pub(crate) fn place_here() -> &'static Location<'static> {
    let place = context::current(|frame| match frame?.noted()? {
        Noted::Task(task) => task.header().map(Header::location),
        Noted::InPlace(_, place) => Some(place.cancel.place()),
    });
    place.unwrap_or_else(|| Location::caller())
}
