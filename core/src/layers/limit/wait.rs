//! The waiter of an acquire, and what its future knows of it.
//!
//! # Invariants
//!
//! 1. The source is the same each time, and it is there until [`leave`](Wait::leave) was called,
//!    which the owner does in its destructor. The owner is pinned once it has polled.
//! 2. The progress is `Waiting` from the moment at which the waiter joins the queue until the owner
//!    has seen its decision, or has taken it out. No code of the user's runs between the two: a
//!    panic leaves both as they were.
//! 3. The identity in `Waiting` is that of the waker in the queue, which only the owner changes. It
//!    is compared and never used as a pointer.
//! 4. The waiter is shared with the queue: there is no exclusive reference to it alone, and a
//!    `Wait`, which has it, is not `Unpin`.

#![allow(unsafe_code)]

use super::book::Booked;
use super::error::{AcquireError, Refused};
use super::fair_queue::NO_KEY;
use super::on_cancel::{CancelOf, CancelWatch};
use super::share::Share;
use super::source::{LockedSource, Source};
use super::waiter::{Decision, Waiter};
use crate::layers::base::guarded::Foreign;
use crate::layers::base::intrusive::Identity;
use crate::layers::base::stacks::lens;
use crate::layers::context;
use crate::layers::context::task::is_reached;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Poll, Waker};

pub(super) struct Wait {
    waiter: Waiter,
    own: Own,
}

/// What only the owner knows.
struct Own {
    progress: Progress,
    location: &'static Location<'static>,
    watch: CancelWatch,
}

#[derive(Clone, Copy)]
enum Progress {
    /// With the lane that it will join, in a queue by keys.
    New(u64),
    Waiting(Identity),
    Done,
}

// SAFETY: the identity is only compared; the other field that is not Send by itself is the waiter,
// which is guarded by the lock of the queue (invariant 2 there), and its waker is Send.
unsafe impl Send for Wait {}
// SAFETY: nothing can be done with a shared reference to it.
unsafe impl Sync for Wait {}

type Granted = Result<Share, AcquireError>;

impl Wait {
    #[inline(always)]
    pub(super) fn new(asked: usize, location: &'static Location<'static>) -> Wait {
        Wait::in_lane(asked, NO_KEY, location)
    }

    /// For a queue by keys.
    #[inline(always)]
    pub(super) fn in_lane(asked: usize, lane: u64, location: &'static Location<'static>) -> Wait {
        let own = Own { progress: Progress::New(lane), location, watch: CancelWatch::new() };
        Wait { waiter: Waiter::new(asked), own }
    }

    pub(super) fn asked(&self) -> usize {
        self.waiter.asked()
    }

    /// It is not polled yet.
    pub(super) fn set_slot(&mut self, returns: bool) {
        self.waiter.set_slot(returns);
    }

    /// Returns `true` if it stands in the queue, or was told there and does not know it yet.
    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.own.progress, Progress::Waiting(_))
    }

    pub(super) fn waiter(&self) -> &Waiter {
        &self.waiter
    }

    /// Splits it into the part that is shared with the queue, and the part that is not.
    #[inline(always)]
    fn parts(self: Pin<&mut Self>) -> (&Waiter, &mut Own) {
        // SAFETY: nothing is moved out of it.
        let this = unsafe { self.get_unchecked_mut() };
        (&this.waiter, &mut this.own)
    }

    /// Takes the permits at once, or when it is its turn.
    ///
    /// # Panics
    ///
    /// Panics if it was ready before.
    ///
    /// # Safety
    ///
    /// Invariant 1.
    #[inline(always)]
    pub(super) unsafe fn poll(
        self: Pin<&mut Self>,
        source: &impl Source,
        waker: &Waker,
    ) -> Poll<Granted> {
        match self.own.progress {
            Progress::New(lane) => {
                if let Some(share) = source.take_fast(self.waiter.asked(), self.own.location) {
                    self.parts().1.progress = Progress::Done;
                    return Poll::Ready(Ok(share));
                }
                // SAFETY: the caller's promise.
                unsafe { self.enter(source, waker, lane) }
            }
            // SAFETY: as above, and the progress.
            Progress::Waiting(shown) => unsafe { self.again(source, waker, shown) },
            Progress::Done => polled_after_ready(),
        }
    }

    /// # Safety
    ///
    /// Invariant 1, and the waiter is new.
    #[cold]
    unsafe fn enter(
        mut self: Pin<&mut Self>,
        source: &impl Source,
        waker: &Waker,
        lane: u64,
    ) -> Poll<Granted> {
        let (waiter, own) = self.as_mut().parts();
        // Before the lock: cloning a waker, and comparing it, runs code of the user's.
        let new = Foreign::cloned(waker);
        let itself = is_reached(waker);
        let booked = source.book(waiter.asked(), own.location);
        let mut locked = source.lock_now();
        let refused = match locked.admit(waiter.asked(), waiter.returns()) {
            Err(Refused::TooMany { .. }) if waiter.is_patient() => None,
            Ok(false) => None,
            admitted => Some(admitted.err()),
        };
        if let Some(refused) = refused {
            own.progress = Progress::Done;
            // The lock before the waker.
            drop(locked);
            drop(new);
            return Poll::Ready(booked_for(waiter.asked(), booked, refused));
        }
        booked.wait(itself);
        let identity = Identity::of(&new);
        // SAFETY: the lock is held, the waiter is new, and `leave` is called before it goes (1).
        unsafe { locked.queue().join(waiter, lane, new, booked) };
        own.progress = Progress::Waiting(identity);
        if locked.queue().len() > 1 && locked.queue().is_first(waiter) {
            // By its key it is in front of other waiters, and may ask for less than they do.
            source.tell(locked);
            // SAFETY: it has joined.
            if let Some(decision) = unsafe { waiter.decision() } {
                own.progress = Progress::Done;
                // SAFETY: it was told.
                return Poll::Ready(unsafe { settle(waiter, decision) });
            }
        } else {
            drop(locked);
        }
        // SAFETY: the caller's promise, and it has joined.
        unsafe { self.stay(source, waker) }
    }

    /// Stays in the queue, unless the task that polls it was cancelled: then it leaves. A decision
    /// that it was told meanwhile counts.
    ///
    /// # Safety
    ///
    /// Invariant 1, and the progress is `Waiting`.
    unsafe fn stay(mut self: Pin<&mut Self>, source: &impl Source, waker: &Waker) -> Poll<Granted> {
        let (waiter, own) = self.as_mut().parts();
        let returns = waiter.returns();
        // A waiter that takes back what it had lent has a value to go on with, in a last poll too.
        let of = if returns { CancelOf::Scope } else { CancelOf::Task };
        let Some(reason) = own.watch.poll(waker, of) else { return Poll::Pending };
        // SAFETY: the caller's promise.
        let told = unsafe { self.part(source) };
        Poll::Ready(told.unwrap_or_else(|| {
            if !returns {
                // A waiter that takes back what it had lent asks for itself, and reports the cancel
                // to no task.
                context::noted::tell_cancelled();
            }
            Err(AcquireError::Cancelled(reason))
        }))
    }

    /// Apart from [`enter`](Wait::enter): a waiter that finds its decision needs no large frame.
    ///
    /// # Safety
    ///
    /// Invariant 1, and the progress is `Waiting`.
    #[inline(never)]
    unsafe fn again<S: Source>(
        mut self: Pin<&mut Self>,
        source: &S,
        waker: &Waker,
        shown: Identity,
    ) -> Poll<Granted> {
        let (waiter, own) = self.as_mut().parts();
        // SAFETY: it has joined the queue.
        let Some(decision) = (unsafe { waiter.decision() }) else {
            // SAFETY: the caller's promise, and the progress.
            return unsafe { self.wait_on(source, waker, shown) };
        };
        own.progress = Progress::Done;
        own.watch.end();
        // SAFETY: it was told.
        Poll::Ready(unsafe { settle(waiter, decision) })
    }

    /// It was not told when it was looked at: it is polled with another waker, perhaps, or its task
    /// was cancelled.
    ///
    /// # Safety
    ///
    /// Invariant 1, and the progress is `Waiting`.
    #[cold]
    unsafe fn wait_on<S: Source>(
        mut self: Pin<&mut Self>,
        source: &S,
        waker: &Waker,
        shown: Identity,
    ) -> Poll<Granted> {
        let (waiter, own) = self.as_mut().parts();
        let mut decision = None;
        let seen = lens::seen(waker);
        if S::NUDGES || shown != Identity::of(seen) {
            // Before the lock: as in `enter`.
            let new = Foreign::cloned(seen);
            let identity = Identity::of(&new);
            let locked = source.lock();
            // SAFETY: it has joined the queue.
            decision = unsafe { waiter.decision() };
            let old = match decision {
                // SAFETY: the lock is held.
                None => unsafe { waiter.change_waker(Some(new)) },
                Some(_) => Some(new),
            };
            if identity != shown {
                // SAFETY: it has joined the queue, and the lock is held.
                unsafe { waiter.booked() }.change();
            }
            drop(locked);
            own.progress = Progress::Waiting(identity);
            // After the lock: so does dropping one.
            drop(old);
        }
        let Some(decision) = decision else {
            // SAFETY: the caller's promise, and the progress is still `Waiting`.
            return unsafe { self.stay(source, waker) };
        };
        own.progress = Progress::Done;
        own.watch.end();
        // SAFETY: it was told.
        Poll::Ready(unsafe { settle(waiter, decision) })
    }

    /// Gives up what it asked for, in the queue or granted, as if it had never asked.
    ///
    /// # Safety
    ///
    /// Invariant 1.
    #[inline(always)]
    pub(super) unsafe fn leave(self: Pin<&mut Self>, source: &impl Source) {
        if self.is_waiting() {
            // SAFETY: the caller's promise, and the progress.
            unsafe { self.leave_slow(source) };
        }
    }

    /// # Safety
    ///
    /// Invariant 1, and the progress is `Waiting`.
    #[cold]
    unsafe fn leave_slow(self: Pin<&mut Self>, source: &impl Source) {
        // SAFETY: the caller's promise.
        if let Some(Ok(share)) = unsafe { self.part(source) } {
            source.give(share);
        }
    }

    /// Leaves the queue. Returns its decision, if it was told.
    ///
    /// # Safety
    ///
    /// Invariant 1, and the progress is `Waiting`.
    unsafe fn part(self: Pin<&mut Self>, source: &impl Source) -> Option<Granted> {
        let (waiter, own) = self.parts();
        // SAFETY: it has joined the queue.
        let mut decision = unsafe { waiter.decision() };
        let mut left = None;
        if decision.is_none() {
            let mut locked = source.lock();
            // SAFETY: as above.
            decision = unsafe { waiter.decision() };
            if decision.is_none() {
                locked.on_part(waiter);
                // SAFETY: it has joined the queue, and the lock is held.
                unsafe { waiter.booked() }.free();
                // SAFETY: as above, and it was not told.
                left = unsafe { locked.queue().part(waiter) };
                own.progress = Progress::Done;
                // The waiters behind it may ask for less.
                source.tell(locked);
            }
        }
        own.progress = Progress::Done;
        drop(left);
        own.watch.end();
        // SAFETY: it was told.
        decision.map(|decision| unsafe { settle(waiter, decision) })
    }
}

/// Returns what a request has got, or not: its row in the book says so, or is given back.
fn booked_for(count: usize, booked: Booked, refused: Option<Refused>) -> Granted {
    match refused {
        None => Ok(Share { count, booked: booked.hold() }),
        Some(refused) => {
            booked.discard();
            Err(refused.into())
        }
    }
}

#[cold]
pub(super) fn polled_after_ready() -> ! {
    panic!("an acquire was polled after it was ready")
}

/// # Safety
///
/// The waiter has joined a queue, was told, and the caller is its owner.
unsafe fn settle(waiter: &Waiter, decision: Decision) -> Granted {
    match decision {
        Decision::Granted => {
            // SAFETY: the caller's promise.
            let booked = unsafe { waiter.booked() };
            Ok(Share { count: waiter.asked(), booked })
        }
        Decision::Closed => Err(AcquireError::Closed),
        Decision::TooMany { capacity } => {
            Err(AcquireError::TooMany { asked: waiter.asked(), capacity })
        }
    }
}
