//! The methods that iterators and streams get.

use super::for_each::{ForEachConcurrent, TryForEachConcurrent};
use super::here::InPlace;
use super::map::MapConcurrent;
use super::try_map::TryMapConcurrent;
use futures_core::Stream;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The items of an iterator, as a stream that never waits.
#[derive(Clone, Debug)]
pub struct Items<I>(I);

impl<I> Unpin for Items<I> {}

impl<I: Iterator> Stream for Items<I> {
    type Item = I::Item;

    #[inline]
    fn poll_next(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Option<I::Item>> {
        Poll::Ready(self.0.next())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

macro_rules! methods {
    ($(#[$trait:meta])* $name:ident: $bound:path, $source:ty, $item:ty, $into:expr, $words:literal) => {
        $(#[$trait])*
        pub trait $name: $bound + Sized {
            #[doc = concat!("Makes a future of each item ", $words, ", runs at most `limit` of them at")]
            /// once, and gives what they give, in the order of the items.
            ///
            /// An item is taken only when there is room for it: what has ended and was not given
            /// counts. So it needs memory for `limit` futures, and a consumer that is slow makes the
            /// source wait.
            ///
            /// The futures run in place, with the stream: they are polled when the stream is, each
            /// if it was woken, and may borrow what the stream may. While the consumer
            /// awaits something else, none runs; what such a future holds meanwhile, a lock or a
            /// permit, it holds on to. [`on`](MapConcurrent::on) has them run as children of a
            /// nursery, [`unordered`](MapConcurrent::unordered) gives each output as soon as it is
            /// there.
            ///
            /// # Panics
            ///
            /// Panics if `limit` is 0. A panic of the source, of `f` or of a future passes through the
            /// poll of the stream, which has ended then: it gives `None`.
            ///
            /// # Examples
            ///
            /// See [`many`](crate::many).
            #[track_caller]
            fn map_concurrent<F, Fut>(
                self,
                limit: usize,
                f: F,
            ) -> MapConcurrent<$source, F, InPlace<Fut>, Fut::Output>
            where
                F: FnMut($item) -> Fut,
                Fut: Future,
            {
                MapConcurrent::new($into(self), limit, f, Location::caller())
            }

            /// As [`map_concurrent`](Self::map_concurrent), for futures that may fail: the first error
            /// ends the source and the stream.
            ///
            /// # Errors
            ///
            /// The stream gives the error of a future that has failed: see
            /// [the error](TryMapConcurrent#the-error).
            ///
            /// # Panics
            ///
            /// As `map_concurrent`.
            #[track_caller]
            fn try_map_concurrent<F, Fut, T, E>(
                self,
                limit: usize,
                f: F,
            ) -> TryMapConcurrent<$source, F, InPlace<Fut>, Fut::Output>
            where
                F: FnMut($item) -> Fut,
                Fut: Future<Output = Result<T, E>>,
            {
                TryMapConcurrent::new($into(self), limit, f, Location::caller())
            }

            /// Makes a future of each item, and runs them, at most `limit` at once, until all have
            /// ended.
            ///
            /// # Panics
            ///
            /// As [`map_concurrent`](Self::map_concurrent).
            ///
            /// # Cancel safety
            ///
            /// Dropping the future drops the source, and ends the futures that run.
            #[track_caller]
            fn for_each_concurrent<F, Fut>(
                self,
                limit: usize,
                f: F,
            ) -> ForEachConcurrent<$source, F, InPlace<Fut>>
            where
                F: FnMut($item) -> Fut,
                Fut: Future<Output = ()>,
            {
                ForEachConcurrent::new($into(self), limit, f, Location::caller())
            }

            /// As [`for_each_concurrent`](Self::for_each_concurrent), for futures that may fail.
            ///
            /// # Errors
            ///
            /// Gives the first error, when the source has been dropped and the other futures are gone.
            ///
            /// # Panics
            ///
            /// As [`map_concurrent`](Self::map_concurrent).
            ///
            /// # Cancel safety
            ///
            /// Dropping the future drops the source, and ends the futures that run.
            #[track_caller]
            fn try_for_each_concurrent<F, Fut, E>(
                self,
                limit: usize,
                f: F,
            ) -> TryForEachConcurrent<$source, F, InPlace<Fut>, Fut::Output>
            where
                F: FnMut($item) -> Fut,
                Fut: Future<Output = Result<(), E>>,
            {
                TryForEachConcurrent::new($into(self), limit, f, Location::caller())
            }
        }
    };
}

methods! {
    /// Runs a future for each item of an iterator, so many at once: for everything that can be
    /// iterated over.
    ConcurrentExt: IntoIterator, Items<Self::IntoIter>, Self::Item,
    |source: Self| Items(source.into_iter()), "of this iterator"
}

methods! {
    /// Runs a future for each item of a stream, so many at once: the methods of [`ConcurrentExt`],
    /// for streams.
    ConcurrentStreamExt: Stream, Self, Self::Item, |source: Self| source, "of this stream"
}

impl<I: IntoIterator> ConcurrentExt for I {}

impl<S: Stream> ConcurrentStreamExt for S {}
