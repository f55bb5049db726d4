//! Races of futures that are no children.

use crate::layers::base::big::Inner;
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Adds [`race`](RaceExt::race) and [`until`](RaceExt::until) to every future.
pub trait RaceExt: Future + Sized {
    /// Runs both futures in the caller's task until one of them is ready, and gives its output. The
    /// other is dropped before that.
    ///
    /// It is biased: each poll polls this future first, and if both are ready the output is this
    /// one's. A future that is ready again and again, such as one of a loop that races for the next
    /// event, starves the other: put the rarer one first.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops both futures, and nothing else.
    ///
    /// # Compared with
    ///
    /// [`join::race`](crate::join::race) is for children: they run in parallel, and the loser is
    /// cancelled, and not just dropped. A [`Child`](crate::Child) that loses here goes on.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::block_on;
    /// use allhome::join::RaceExt;
    /// use std::future::{pending, ready};
    ///
    /// assert_eq!(block_on(ready(1).race(ready(2))), 1);
    /// assert_eq!(block_on(pending().race(ready(2))), 2);
    /// # }
    /// ```
    fn race<B: Future<Output = Self::Output>>(self, other: B) -> Race<Self, B> {
        Race { first: Some(Inner::new(self)), second: Some(Inner::new(other)) }
    }

    /// Runs this future until it is ready, or `other` is. The one that is not is dropped before
    /// that.
    ///
    /// It is biased: each poll polls this future first, so a value that is ready wins.
    ///
    /// # Errors
    ///
    /// Returns the output of `other` if that was ready first.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops both futures, and nothing else.
    ///
    /// # Compared with
    ///
    /// [`until_cancelled`](crate::cancel::CancelExt::until_cancelled) ends at a token, and polls the
    /// future once more then, with the cancel visible.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::block_on;
    /// use allhome::join::RaceExt;
    /// use std::future::{pending, ready};
    ///
    /// assert_eq!(block_on(ready(7).until(ready("stop"))), Ok(7));
    /// assert_eq!(block_on(pending::<u8>().until(ready("stop"))), Err("stop"));
    /// # }
    /// ```
    fn until<S: Future>(self, other: S) -> Until<Self, S> {
        Until { future: Some(Inner::new(self)), stop: Some(Inner::new(other)) }
    }
}

impl<F: Future> RaceExt for F {}

pin_project! {
    /// The future of [`RaceExt::race`].
    #[must_use = "it runs only when it is awaited"]
    pub struct Race<A, B> {
        #[pin]
        first: Option<Inner<A>>,
        #[pin]
        second: Option<Inner<B>>,
    }
}

pin_project! {
    /// The future of [`RaceExt::until`].
    #[must_use = "it runs only when it is awaited"]
    pub struct Until<F, S> {
        #[pin]
        future: Option<Inner<F>>,
        #[pin]
        stop: Option<Inner<S>>,
    }
}

impl<A: Future, B: Future<Output = A::Output>> Future for Race<A, B> {
    type Output = A::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<A::Output> {
        let mut this = self.project();
        let ready = match poll_part(this.first.as_mut(), cx) {
            Poll::Pending => poll_part(this.second.as_mut(), cx),
            ready => ready,
        };
        if ready.is_ready() {
            this.first.set(None);
            this.second.set(None);
        }
        ready
    }
}

impl<F: Future, S: Future> Future for Until<F, S> {
    type Output = Result<F::Output, S::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let ready = match poll_part(this.future.as_mut(), cx) {
            Poll::Pending => poll_part(this.stop.as_mut(), cx).map(Err),
            ready => ready.map(Ok),
        };
        if ready.is_ready() {
            this.future.set(None);
            this.stop.set(None);
        }
        ready
    }
}

fn poll_part<F: Future>(part: Pin<&mut Option<Inner<F>>>, cx: &mut Context<'_>) -> Poll<F::Output> {
    part.as_pin_mut().expect("a race was polled after it was ready").poll(cx)
}

impl<A, B> fmt::Debug for Race<A, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Race").finish_non_exhaustive()
    }
}

impl<F, S> fmt::Debug for Until<F, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Until").finish_non_exhaustive()
    }
}
