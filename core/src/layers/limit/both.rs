//! Permits of two limits, taken in one order by every acquire.
//!
//! Semaphores come before rate limiters, and of two equal kinds the one with the lower address
//! comes first. This is an order of all limits, in whichever order a caller names them. So among
//! tasks that use nothing but `Both` for a pair, none waits for the first limit while it holds the
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

use super::acquire::Acquire;
use super::error::{AcquireError, TryAcquireError};
use super::permit::Permit;
use super::rate::{AcquireRate, RateLimiter};
use super::semaphore::Semaphore;
use super::wait::polled_after_ready;
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A limit that can be one of [`Both`]: a [`Semaphore`] or a [`RateLimiter`].
///
/// It cannot be implemented elsewhere.
pub trait Limit: Sync + sealed::Sealed {
    /// What an acquire gives: a permit of a semaphore; nothing of a rate limiter, whose permits are
    /// spent.
    type Permit<'a>: Send
    where
        Self: 'a;

    #[doc(hidden)]
    type Acquire<'a>: Future<Output = Result<Self::Permit<'a>, AcquireError>> + fmt::Debug
    where
        Self: 'a;

    /// The rank in the order of all limits; the address decides between equal ranks.
    #[doc(hidden)]
    const RANK: u8;

    #[doc(hidden)]
    fn acquire_some(&self, count: usize) -> Self::Acquire<'_>;

    #[doc(hidden)]
    fn try_acquire_some(&self, count: usize) -> Result<Self::Permit<'_>, TryAcquireError>;

    #[doc(hidden)]
    fn give_back(&self, permit: Self::Permit<'_>, count: usize);
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Semaphore {}
    impl Sealed for super::RateLimiter {}
}

impl Limit for Semaphore {
    type Permit<'a> = Permit<'a>;
    type Acquire<'a> = Acquire<'a>;

    const RANK: u8 = 0;

    #[track_caller]
    fn acquire_some(&self, count: usize) -> Acquire<'_> {
        self.acquire_many(count)
    }

    #[track_caller]
    fn try_acquire_some(&self, count: usize) -> Result<Permit<'_>, TryAcquireError> {
        self.try_acquire_many(count)
    }

    fn give_back(&self, permit: Permit<'_>, _: usize) {
        drop(permit);
    }
}

impl Limit for RateLimiter {
    type Permit<'a> = ();
    type Acquire<'a> = AcquireRate<'a>;

    const RANK: u8 = 1;

    #[track_caller]
    fn acquire_some(&self, count: usize) -> AcquireRate<'_> {
        self.acquire_many(count)
    }

    fn try_acquire_some(&self, count: usize) -> Result<(), TryAcquireError> {
        self.try_acquire_many(count)
    }

    fn give_back(&self, (): (), count: usize) {
        RateLimiter::give_back(self, count);
    }
}

/// Takes permits of two limits at the same time.
///
/// They are taken one after the other, in an order that does not depend on which limit is named
/// first: semaphores before rate limiters, and then by address. So two tasks that need the same two
/// limits cannot wait for each other for ever, as they can with two acquires in opposite order.
/// This holds as long as every task that needs both takes them this way. If the second is refused,
/// or the future is dropped, the permits of the first are given back.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{Both, Semaphore, block_on};
///
/// let (cpu, disk) = (Semaphore::new(4), Semaphore::new(2));
/// block_on(async {
///     let both = Both::new(&cpu, &disk).expect("the limits differ");
///     let (on_cpu, on_disk) = both.acquire_many(3, 1).await?;
///     assert_eq!((on_cpu.count(), on_disk.count()), (3, 1));
///
///     let other_way_round = Both::new(&disk, &cpu).expect("the limits differ");
///     assert!(other_way_round.try_acquire_many(1, 2).is_err());
///     assert_eq!(disk.available(), 1, "the permits of the first are given back");
///     Ok::<(), allhome::AcquireError>(())
/// })?;
/// # }
/// # Ok::<(), allhome::AcquireError>(())
/// ```
pub struct Both<'a, A, B> {
    a: &'a A,
    b: &'a B,
    a_first: bool,
}

impl<'a, A: Limit, B: Limit> Both<'a, A, B> {
    /// Combines two limits. Returns `None` if both are the same limit, which would wait for itself:
    /// acquire the sum instead, and [split](crate::Permit::split) it.
    ///
    /// # Examples
    ///
    /// ```
    /// use allhome::{Both, Semaphore};
    ///
    /// let (one, other) = (Semaphore::new(1), Semaphore::new(1));
    /// assert!(Both::new(&one, &other).is_some());
    /// assert!(Both::new(&one, &one).is_none());
    /// ```
    pub fn new(a: &'a A, b: &'a B) -> Option<Both<'a, A, B>> {
        let place_a = (A::RANK, std::ptr::from_ref(a).addr());
        let place_b = (B::RANK, std::ptr::from_ref(b).addr());
        (place_a != place_b).then(|| Both { a, b, a_first: place_a < place_b })
    }

    /// Takes a permit of each, if both have one free and neither has a waiter.
    ///
    /// # Errors
    ///
    /// Returns the error of the limit that refuses, as [`Semaphore::try_acquire`].
    #[track_caller]
    pub fn try_acquire(&self) -> Result<(A::Permit<'a>, B::Permit<'a>), TryAcquireError> {
        self.try_acquire_many(1, 1)
    }

    /// Takes `of_a` permits of the first and `of_b` of the second, if they are free and neither
    /// limit has a waiter.
    ///
    /// # Errors
    ///
    /// Returns the error of the limit that refuses, as [`Semaphore::try_acquire_many`].
    #[track_caller]
    pub fn try_acquire_many(
        &self,
        of_a: usize,
        of_b: usize,
    ) -> Result<(A::Permit<'a>, B::Permit<'a>), TryAcquireError> {
        if self.a_first {
            let a = self.a.try_acquire_some(of_a)?;
            match self.b.try_acquire_some(of_b) {
                Ok(b) => Ok((a, b)),
                Err(error) => {
                    self.a.give_back(a, of_a);
                    Err(error)
                }
            }
        } else {
            let other = Both { a: self.b, b: self.a, a_first: true };
            other.try_acquire_many(of_b, of_a).map(|(b, a)| (a, b))
        }
    }

    /// Waits for a permit of each limit. A rate limiter gives `()`.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future, at any moment, leaves both limits as if it had not been called; its
    /// place in a queue is lost.
    ///
    /// # Errors
    ///
    /// Returns the error of the limit that refuses, first or second, as [`Semaphore::acquire`].
    ///
    /// # Panics
    ///
    /// The future panics if it is polled after it was ready.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Both, IntoRuntime, Rate, RateLimiter, Semaphore, ThreadPool, block_on};
    ///
    /// let runtime = ThreadPool::global().into_runtime()?;
    /// let often = RateLimiter::new(&runtime, Rate::per_second(100), 10)?;
    /// let at_once = Semaphore::new(4);
    /// block_on(async {
    ///     let both = Both::new(&often, &at_once).expect("the limits differ");
    ///     let ((), permit) = both.acquire().await?;
    ///     assert_eq!((permit.count(), often.available()), (1, 9));
    ///     Ok::<(), allhome::AcquireError>(())
    /// })?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn acquire(&self) -> AcquireBoth<'a, A, B> {
        self.acquire_many(1, 1)
    }

    /// Waits for `of_a` permits of the first limit and `of_b` of the second.
    ///
    /// # Cancel safety
    ///
    /// Same as [`acquire`](Both::acquire).
    ///
    /// # Errors
    ///
    /// Same as [`acquire`](Both::acquire) and [`Semaphore::acquire_many`].
    ///
    /// # Panics
    ///
    /// Same as [`acquire`](Both::acquire).
    #[track_caller]
    pub fn acquire_many(&self, of_a: usize, of_b: usize) -> AcquireBoth<'a, A, B> {
        AcquireBoth {
            a: self.a.acquire_some(of_a),
            b: self.b.acquire_some(of_b),
            first: First { both: *self, counts: (of_a, of_b), a: None, b: None },
        }
    }
}

impl<A, B> Copy for Both<'_, A, B> {}

impl<A, B> Clone for Both<'_, A, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A: fmt::Debug, B: fmt::Debug> fmt::Debug for Both<'_, A, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Both").field(self.a).field(self.b).finish()
    }
}

pin_project! {
    /// The future of [`Both::acquire`] and [`acquire_many`](Both::acquire_many).
    #[must_use = "it joins a queue only when it is awaited"]
    pub struct AcquireBoth<'a, A, B>
    where
        A: Limit,
        B: Limit,
    {
        #[pin]
        a: A::Acquire<'a>,
        #[pin]
        b: B::Acquire<'a>,
        // Dropped last: the queue of the other limit is left before permits are given back.
        first: First<'a, A, B>,
    }
}

/// The permits of one limit, while the other is waited for.
struct First<'a, A: Limit, B: Limit> {
    both: Both<'a, A, B>,
    counts: (usize, usize),
    a: Option<A::Permit<'a>>,
    b: Option<B::Permit<'a>>,
}

impl<A: Limit, B: Limit> First<'_, A, B> {
    fn give_back(&mut self) {
        if let Some(a) = self.a.take() {
            self.both.a.give_back(a, self.counts.0);
        }
        if let Some(b) = self.b.take() {
            self.both.b.give_back(b, self.counts.1);
        }
    }
}

impl<A: Limit, B: Limit> Drop for First<'_, A, B> {
    fn drop(&mut self) {
        self.give_back();
    }
}

impl<'a, A: Limit, B: Limit> Future for AcquireBoth<'a, A, B> {
    type Output = Result<(A::Permit<'a>, B::Permit<'a>), AcquireError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let first = this.first;
        let both = if first.both.a_first {
            ready!(in_turn(this.a, this.b, &mut first.a, cx))
        } else {
            let both = ready!(in_turn(this.b, this.a, &mut first.b, cx));
            both.map(|(b, a)| (a, b))
        };
        if both.is_err() {
            first.give_back();
        }
        Poll::Ready(both)
    }
}

/// Polls the first until it is granted, then the second. If the second is refused, the permits of
/// the first stay in `taken`.
fn in_turn<X, Y>(
    first: Pin<&mut impl Future<Output = Result<X, AcquireError>>>,
    second: Pin<&mut impl Future<Output = Result<Y, AcquireError>>>,
    taken: &mut Option<X>,
    cx: &mut Context<'_>,
) -> Poll<Result<(X, Y), AcquireError>> {
    if taken.is_none() {
        *taken = Some(ready!(first.poll(cx))?);
    }
    let y = ready!(second.poll(cx))?;
    let x = taken.take().unwrap_or_else(|| polled_after_ready());
    Poll::Ready(Ok((x, y)))
}

impl<A: Limit, B: Limit> fmt::Debug for AcquireBoth<'_, A, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AcquireBoth").field(&self.a).field(&self.b).finish()
    }
}
