//! Waiting for permits of a rate.
//!
//! # Invariants
//!
//! 1. `wait` is pinned when the future is, which is not `Unpin` since `Wait` is not. Nothing is
//!    moved out of it, and the destructor touches it where it is.
//! 2. `alarm` is there only while this waiter is the first in the queue, as far as it knows.

#![allow(unsafe_code)]

use super::RateLimiter;
use super::meter::Attend;
use crate::layers::base::guarded::Foreign;
use crate::layers::base::sync::GlobalMutex;
use crate::layers::base::wait_mark::{self, Kind};
use crate::layers::limit::error::AcquireError;
use crate::layers::limit::wait::Wait;
use allhome_rt::BoxSleep;
use allhome_rt::Instant;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The future of [`RateLimiter::acquire`] and [`acquire_many`](RateLimiter::acquire_many).
#[must_use = "it joins the queue only when it is awaited"]
pub struct AcquireRate<'a> {
    limiter: &'a RateLimiter,
    wait: Wait,
    alarm: Option<Alarm>,
}

struct Alarm {
    at: Instant,
    /// The mutex is never locked: with it, the future can be `Sync`.
    sleep: Foreign<GlobalMutex<BoxSleep>>,
}

impl<'a> AcquireRate<'a> {
    pub(super) fn new(
        limiter: &'a RateLimiter,
        asked: usize,
        location: &'static Location<'static>,
    ) -> AcquireRate<'a> {
        AcquireRate { limiter, wait: Wait::new(asked, location), alarm: None }
    }

    pub(in crate::layers::limit) fn limiter(&self) -> &'a RateLimiter {
        self.limiter
    }

    pub(in crate::layers::limit) fn asked(&self) -> usize {
        self.wait.asked()
    }
}

impl Future for AcquireRate<'_> {
    type Output = Result<(), AcquireError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let named = self.limiter.name.number();
        let polled = self.poll_permits(cx);
        if polled.is_pending() {
            wait_mark::on(Kind::Rate, named);
        }
        polled
    }
}

impl AcquireRate<'_> {
    fn poll_permits(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), AcquireError>> {
        // SAFETY: nothing is moved out of what is pinned (invariant 1).
        let this = unsafe { self.get_unchecked_mut() };
        let meter = &this.limiter.meter;
        if this.wait.is_waiting() {
            // Permits that are there by now are its own, even if it is cancelled: a value wins.
            let _ = meter.attend(this.wait.waiter());
        }
        // Twice: the moment that it waits for may come in this poll.
        for _ in 0..2 {
            // SAFETY: `wait` is pinned with the future (invariant 1).
            let wait = unsafe { Pin::new_unchecked(&mut this.wait) };
            // SAFETY: it is one and the same meter, borrowed for longer than this lives.
            if let Poll::Ready(granted) = unsafe { wait.poll(meter, cx.waker()) } {
                this.alarm = None;
                return Poll::Ready(granted.map(drop));
            }
            // After the waker was put in the queue, so that no nudge goes to an old one.
            match meter.attend(this.wait.waiter()) {
                Attend::Granted => continue,
                Attend::Nothing | Attend::Until(None) => {
                    this.alarm = None;
                    return Poll::Pending;
                }
                Attend::Until(Some(at)) => {
                    if this.alarm.as_ref().is_none_or(|alarm| alarm.at != at) {
                        let sleep = GlobalMutex::new(meter.timer.sleep_until(at));
                        this.alarm = Some(Alarm { at, sleep: Foreign::new(sleep) });
                    }
                }
            }
            let Some(alarm) = &mut this.alarm else { return Poll::Pending };
            if alarm.sleep.get_mut().as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            this.alarm = None;
            let _ = meter.attend(this.wait.waiter());
        }
        // The timer says that the moment has come, and its clock that it has not: take another
        // turn.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for AcquireRate<'_> {
    fn drop(&mut self) {
        // SAFETY: `wait` is pinned if the future was, and is not moved any more (invariant 1).
        let wait = unsafe { Pin::new_unchecked(&mut self.wait) };
        // SAFETY: it is the meter of every poll.
        unsafe { wait.leave(&self.limiter.meter) };
    }
}

impl fmt::Debug for AcquireRate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("AcquireRate");
        debug.field("asked", &self.wait.asked()).field("limiter", self.limiter);
        debug.finish_non_exhaustive()
    }
}
