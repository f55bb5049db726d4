//! Permits of two limits, taken in one order by every acquire.
//!
//! Semaphores come before rate limiters, and of two equal kinds the one with the lower address
//! comes first. This is an order of all limits, in whichever order a caller names them. So among
//! tasks that take a pair in no other way, none waits for the first limit while it holds the
//! second, and they cannot wait for each other. A rate limiter comes last because its permits are
//! spent: they are taken when everything else is there, and no task holds any.
//!
//! | state  | has                   | next                                                    |
//! |--------|-----------------------|---------------------------------------------------------|
//! | first  | nothing               | the first is granted: second; refused: ended            |
//! | second | the first's permits   | the second is granted: ended, with both; refused: ended, and the first's permits are given back |
//! | ended  | nothing               | a poll panics                                           |
//!
//! Dropped in the state `second`, it gives back the first's permits.
//!
//! The two acquires are futures that were not polled: a future that has joined a queue is pinned,
//! and cannot be moved in here.

use super::acquire::Acquire;
use super::error::AcquireError;
use super::permit::Permit;
use super::rate::{AcquireRate, RateLimiter};
use super::wait::polled_after_ready;
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// An acquire that can be one of two: that of a semaphore or of a rate limiter. It has no public
/// name.
pub trait Part: Future<Output = Result<Self::Permit, AcquireError>> + fmt::Debug {
    type Permit: Send;

    /// The permits while the other limit is waited for. Dropped, it gives them back.
    type Taken: Send;

    /// The rank in the order of all limits; the address decides between equal ranks.
    const RANK: u8;

    fn address(&self) -> usize;

    fn take(&self, permit: Self::Permit) -> Self::Taken;

    fn keep(taken: Self::Taken) -> Self::Permit;
}

impl<'a> Part for Acquire<'a> {
    type Permit = Permit<'a>;
    type Taken = Permit<'a>;

    const RANK: u8 = 0;

    fn address(&self) -> usize {
        std::ptr::from_ref(self.semaphore()).addr()
    }

    fn take(&self, permit: Permit<'a>) -> Permit<'a> {
        permit
    }

    fn keep(taken: Permit<'a>) -> Permit<'a> {
        taken
    }
}

/// Permits of a rate limiter that are there again when this is dropped.
pub struct Refund<'a> {
    limiter: &'a RateLimiter,
    count: usize,
}

impl Drop for Refund<'_> {
    fn drop(&mut self) {
        self.limiter.give_back(self.count);
    }
}

impl<'a> Part for AcquireRate<'a> {
    type Permit = ();
    type Taken = Refund<'a>;

    const RANK: u8 = 1;

    fn address(&self) -> usize {
        std::ptr::from_ref(self.limiter()).addr()
    }

    fn take(&self, (): ()) -> Refund<'a> {
        Refund { limiter: self.limiter(), count: self.asked() }
    }

    fn keep(taken: Refund<'a>) {
        mem::forget(taken);
    }
}

pin_project! {
    /// Takes permits of two limits at the same time: a future that is made of two acquires.
    ///
    /// Each is an acquire of a [`Semaphore`](crate::Semaphore), a
    /// [`KeyedSemaphore`](crate::limit::KeyedSemaphore) or a [`RateLimiter`]. They are taken one after the
    /// other, in an order that does not depend on which is named first: semaphores before rate
    /// limiters, and then by address. So two tasks that need the same two limits cannot wait for
    /// each other for ever, as they can with two acquires in opposite order. This holds as long as
    /// every task that needs both takes them this way.
    ///
    /// It returns a permit of each; a rate limiter, whose permits are spent, gives `()`.
    ///
    /// # Errors
    ///
    /// Returns the error of the limit that refuses, first or second, as
    /// [`Semaphore::acquire`](crate::Semaphore::acquire). The permits of the first are given back
    /// if the second refuses.
    ///
    /// # Panics
    ///
    /// Panics if it is polled after it was ready.
    ///
    /// # Cancel safety
    ///
    /// Dropping it, at any moment, leaves both limits as if it had not been called; its place in a
    /// queue is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Semaphore, block_on};
    /// use allhome::limit::{AcquireBoth, Rate, RateLimiter};
    /// use allhome::runtime::{IntoRuntime, ThreadPool};
    ///
    /// let runtime = ThreadPool::global().into_runtime()?;
    /// let often = RateLimiter::new(&runtime, Rate::per_second(100), 10);
    /// let cpu = Semaphore::new(4);
    /// block_on(async {
    ///     let both = AcquireBoth::new(often.acquire(), cpu.acquire_many(3));
    ///     let ((), on_cpu) = both.expect("the limits differ").await?;
    ///     assert_eq!((on_cpu.count(), often.available()), (3, 9));
    ///     Ok::<(), allhome::limit::AcquireError>(())
    /// })?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use = "it joins a queue only when it is awaited"]
    pub struct AcquireBoth<A, B>
    where
        A: Part,
        B: Part,
    {
        #[pin]
        a: A,
        #[pin]
        b: B,
        a_first: bool,
        // Dropped last: the queue of the other limit is left before permits are given back.
        taken: Taken<A::Taken, B::Taken>,
    }
}

/// The permits of one limit, while the other is waited for.
struct Taken<A, B> {
    a: Option<A>,
    b: Option<B>,
}

impl<A: Part, B: Part> AcquireBoth<A, B> {
    /// Combines two acquires. Returns `None` if both are of the same limit, which would wait for
    /// itself: acquire the sum instead, and [split](crate::limit::Permit::split) it.
    ///
    /// # Examples
    ///
    /// ```
    /// use allhome::Semaphore;
    /// use allhome::limit::AcquireBoth;
    ///
    /// let (one, other) = (Semaphore::new(1), Semaphore::new(1));
    /// assert!(AcquireBoth::new(one.acquire(), other.acquire()).is_some());
    /// assert!(AcquireBoth::new(one.acquire(), one.acquire()).is_none());
    /// ```
    pub fn new(a: A, b: B) -> Option<AcquireBoth<A, B>> {
        let (place_a, place_b) = ((A::RANK, a.address()), (B::RANK, b.address()));
        if place_a == place_b {
            return None;
        }
        let (a_first, taken) = (place_a < place_b, Taken { a: None, b: None });
        Some(AcquireBoth { a, b, a_first, taken })
    }
}

impl<A: Part, B: Part> Future for AcquireBoth<A, B> {
    type Output = Result<(A::Permit, B::Permit), AcquireError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if *this.a_first {
            in_turn(this.a, this.b, &mut this.taken.a, cx)
        } else {
            let both = ready!(in_turn(this.b, this.a, &mut this.taken.b, cx));
            Poll::Ready(both.map(|(b, a)| (a, b)))
        }
    }
}

type Granted<X, Y> = Result<(<X as Part>::Permit, <Y as Part>::Permit), AcquireError>;

/// Polls the first until it is granted, then the second. If the second is refused, the permits of
/// the first are given back.
fn in_turn<X: Part, Y: Part>(
    mut first: Pin<&mut X>,
    second: Pin<&mut Y>,
    taken: &mut Option<X::Taken>,
    cx: &mut Context<'_>,
) -> Poll<Granted<X, Y>> {
    if taken.is_none() {
        let permit = ready!(first.as_mut().poll(cx))?;
        *taken = Some(first.take(permit));
    }
    let granted = ready!(second.poll(cx));
    let x = taken.take().unwrap_or_else(|| polled_after_ready());
    Poll::Ready(granted.map(|y| (X::keep(x), y)))
}

impl<A: Part, B: Part> fmt::Debug for AcquireBoth<A, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AcquireBoth").field(&self.a).field(&self.b).finish()
    }
}
