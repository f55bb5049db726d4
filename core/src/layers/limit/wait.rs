//! The waiter of an acquire, and what its future knows of it.
//!
//! # Invariants
//!
//! 1. The supply is the same each time, and it is there until [`leave`](Wait::leave) was called,
//!    which the owner does in its destructor. The owner is pinned once it has polled.
//! 2. The state is `Waiting` from the moment at which the waiter joins the line until the owner has
//!    seen its verdict, or has taken it out. No code of the user's runs between the two: a panic
//!    leaves both as they were.
//! 3. The identity in `Waiting` is that of the waker in the line, which only the owner changes. It
//!    is compared and never used as a pointer.
//! 4. The waiter is shared with the line: there is no exclusive reference to it alone, and a
//!    `Wait`, which has it, is not `Unpin`.

#![allow(unsafe_code)]

use super::error::AcquireError;
use super::lanes::NO_KEY;
use super::share::Share;
use super::stop::Stop;
use super::supply::{Holding, Supply};
use super::waiter::{Verdict, Waiter};
use crate::layers::base::guarded::Foreign;
use crate::layers::base::intrusive::Identity;
use crate::layers::context;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Poll, Waker};

pub(super) struct Wait {
    waiter: Waiter,
    own: Own,
}

/// What only the owner knows.
struct Own {
    state: State,
    location: &'static Location<'static>,
    stop: Stop,
}

#[derive(Clone, Copy)]
enum State {
    /// With the lane that it will join, in a line by keys.
    New(u64),
    Waiting(Identity),
    Done,
}

// SAFETY: the identity is only compared; the other field that is not Send by itself is the waiter,
// which is guarded by the lock of the line (invariant 2 there), and its waker is Send.
unsafe impl Send for Wait {}
// SAFETY: nothing can be done with a shared reference to it.
unsafe impl Sync for Wait {}

type Granted = Result<Share, AcquireError>;

impl Wait {
    #[inline(always)]
    pub(super) fn new(asked: usize, location: &'static Location<'static>) -> Wait {
        Wait::in_lane(asked, NO_KEY, location)
    }

    /// For a line by keys.
    #[inline(always)]
    pub(super) fn in_lane(asked: usize, lane: u64, location: &'static Location<'static>) -> Wait {
        let own = Own { state: State::New(lane), location, stop: Stop::new() };
        Wait { waiter: Waiter::new(asked), own }
    }

    pub(super) fn asked(&self) -> usize {
        self.waiter.asked()
    }

    /// It is not polled yet.
    pub(super) fn set_returns(&mut self, returns: bool) {
        self.waiter.set_returns(returns);
    }

    /// Returns `true` if it stands in the line, or was told there and does not know it yet.
    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.own.state, State::Waiting(_))
    }

    pub(super) fn waiter(&self) -> &Waiter {
        &self.waiter
    }

    /// Splits it into the part that is shared with the line, and the part that is not.
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
        supply: &impl Supply,
        waker: &Waker,
    ) -> Poll<Granted> {
        let asked = self.waiter.asked();
        if matches!(self.own.state, State::New(_)) && supply.take_fast(asked) {
            self.parts().1.state = State::Done;
            return Poll::Ready(Ok(Share::unbooked(asked)));
        }
        // SAFETY: the caller's promise.
        unsafe { self.poll_slow(supply, waker) }
    }

    /// # Safety
    ///
    /// Invariant 1.
    #[cold]
    unsafe fn poll_slow(
        self: Pin<&mut Self>,
        supply: &impl Supply,
        waker: &Waker,
    ) -> Poll<Granted> {
        match self.own.state {
            // SAFETY: the caller's promise.
            State::New(lane) => unsafe { self.enter(supply, waker, lane) },
            // SAFETY: as above, and the state.
            State::Waiting(shown) => unsafe { self.again(supply, waker, shown) },
            State::Done => polled_after_ready(),
        }
    }

    /// # Safety
    ///
    /// Invariant 1, and the waiter is new.
    unsafe fn enter(
        mut self: Pin<&mut Self>,
        supply: &impl Supply,
        waker: &Waker,
        lane: u64,
    ) -> Poll<Granted> {
        let (waiter, own) = self.as_mut().parts();
        // Before the lock: cloning a waker runs code of the user's.
        let new = Foreign::cloned(waker);
        let mut held = supply.hold_now();
        let admitted = held.admit(waiter.asked(), waiter.returns(), own.location);
        if let Some(granted) = admitted.transpose() {
            own.state = State::Done;
            // The lock before the waker.
            drop(held);
            drop(new);
            return Poll::Ready(granted.map_err(AcquireError::from));
        }
        let (key, identity) = (held.book(waiter.asked(), own.location), Identity::of(&new));
        // SAFETY: the lock is held, the waiter is new, and `leave` is called before it goes (1).
        unsafe { held.line().join(waiter, lane, new, key) };
        own.state = State::Waiting(identity);
        if held.line().len() > 1 && held.line().is_first(waiter) {
            // By its key it is in front of other waiters, and may ask for less than they do.
            supply.tell(held);
            // SAFETY: it has joined.
            if let Some(verdict) = unsafe { waiter.verdict() } {
                own.state = State::Done;
                // SAFETY: it was told.
                return Poll::Ready(unsafe { settle(waiter, verdict) });
            }
        } else {
            drop(held);
        }
        // SAFETY: the caller's promise, and it has joined.
        unsafe { self.stay(supply, waker) }
    }

    /// Stays in the line, unless the task that polls it was cancelled: then it leaves. A verdict
    /// that it was told meanwhile counts.
    ///
    /// # Safety
    ///
    /// Invariant 1, and the state is `Waiting`.
    unsafe fn stay(mut self: Pin<&mut Self>, supply: &impl Supply, waker: &Waker) -> Poll<Granted> {
        let (waiter, own) = self.as_mut().parts();
        let Some(reason) = own.stop.poll(waker) else { return Poll::Pending };
        let returns = waiter.returns();
        // SAFETY: the caller's promise.
        let told = unsafe { self.part(supply) };
        Poll::Ready(told.unwrap_or_else(|| {
            if !returns {
                // A waiter that takes back what it had lent asks for itself, and reports the cancel
                // to no task.
                context::tell_cancelled();
            }
            Err(AcquireError::Cancelled(reason))
        }))
    }

    /// # Safety
    ///
    /// Invariant 1, and the state is `Waiting`.
    unsafe fn again<S: Supply>(
        mut self: Pin<&mut Self>,
        supply: &S,
        waker: &Waker,
        shown: Identity,
    ) -> Poll<Granted> {
        let (waiter, own) = self.as_mut().parts();
        // SAFETY: it has joined the line.
        let mut verdict = unsafe { waiter.verdict() };
        if verdict.is_none() && (S::NUDGES || shown != Identity::of(waker)) {
            // Before the lock: as in `enter`.
            let new = Foreign::cloned(waker);
            let identity = Identity::of(&new);
            let held = supply.hold();
            // SAFETY: as above.
            verdict = unsafe { waiter.verdict() };
            let old = match verdict {
                // SAFETY: the lock is held.
                None => unsafe { waiter.change_waker(Some(new)) },
                Some(_) => Some(new),
            };
            drop(held);
            own.state = State::Waiting(identity);
            // After the lock: so does dropping one.
            drop(old);
        }
        let Some(verdict) = verdict else {
            // SAFETY: the caller's promise, and the state is still `Waiting`.
            return unsafe { self.stay(supply, waker) };
        };
        own.state = State::Done;
        own.stop.end();
        // SAFETY: it was told.
        Poll::Ready(unsafe { settle(waiter, verdict) })
    }

    /// Gives up what it asked for, in the line or granted, as if it had never asked.
    ///
    /// # Safety
    ///
    /// Invariant 1.
    #[inline(always)]
    pub(super) unsafe fn leave(self: Pin<&mut Self>, supply: &impl Supply) {
        if self.is_waiting() {
            // SAFETY: the caller's promise, and the state.
            unsafe { self.leave_slow(supply) };
        }
    }

    /// # Safety
    ///
    /// Invariant 1, and the state is `Waiting`.
    #[cold]
    unsafe fn leave_slow(self: Pin<&mut Self>, supply: &impl Supply) {
        // SAFETY: the caller's promise.
        if let Some(Ok(share)) = unsafe { self.part(supply) } {
            supply.give(share);
        }
    }

    /// Leaves the line. Returns its verdict, if it was told.
    ///
    /// # Safety
    ///
    /// Invariant 1, and the state is `Waiting`.
    unsafe fn part(self: Pin<&mut Self>, supply: &impl Supply) -> Option<Granted> {
        let (waiter, own) = self.parts();
        // SAFETY: it has joined the line.
        let mut verdict = unsafe { waiter.verdict() };
        let mut left = None;
        if verdict.is_none() {
            let mut held = supply.hold();
            // SAFETY: as above.
            verdict = unsafe { waiter.verdict() };
            if verdict.is_none() {
                // SAFETY: it has joined the line, and the lock is held.
                held.unbook(waiter, unsafe { waiter.key() });
                // SAFETY: as above, and it was not told.
                left = unsafe { held.line().part(waiter) };
                own.state = State::Done;
                // The waiters behind it may ask for less.
                supply.tell(held);
            }
        }
        own.state = State::Done;
        drop(left);
        own.stop.end();
        // SAFETY: it was told.
        verdict.map(|verdict| unsafe { settle(waiter, verdict) })
    }
}

#[cold]
pub(super) fn polled_after_ready() -> ! {
    panic!("an acquire was polled after it was ready")
}

/// # Safety
///
/// The waiter has joined a line, was told, and the caller is its owner.
unsafe fn settle(waiter: &Waiter, verdict: Verdict) -> Granted {
    match verdict {
        // SAFETY: the caller's promise.
        Verdict::Granted => Ok(Share { count: waiter.asked(), key: unsafe { waiter.key() } }),
        Verdict::Closed => Err(AcquireError::Closed),
        Verdict::TooMany { capacity } => {
            Err(AcquireError::TooMany { asked: waiter.asked(), capacity })
        }
    }
}
