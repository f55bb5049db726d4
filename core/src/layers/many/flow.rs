//! What is the same in all streams of many items: takes an item from the source while there is
//! room, starts its future, and gives what has ended.
//!
//! # Invariants
//!
//! 1. At most `limit` items are in flight: taken from the source, and not given. Those that the
//!    caller keeps back, to give them in order, count.
//! 2. What was woken and the items of the source take turns, one by one, while there is room. So
//!    neither starves the other.
//! 3. `entered` is set while code of the user's may run here, so that it stays set after a panic
//!    of that code, and the stream has ended then.

use super::place::Budget;
use super::place::sealed::Run;
use futures_core::Stream;
use pin_project_lite::pin_project;
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

pin_project! {
    pub(super) struct Flow<S, F, P> {
        // None: it has ended, or is not needed any more.
        #[pin]
        source: Option<S>,
        make: F,
        place: P,
        limit: usize,
        started: usize,
        entered: bool,
        made_at: &'static Location<'static>,
    }
}

impl<S, F, P> Flow<S, F, P> {
    #[track_caller]
    pub(super) fn new(
        source: S,
        limit: usize,
        make: F,
        place: P,
        made_at: &'static Location<'static>,
    ) -> Flow<S, F, P> {
        assert!(limit > 0, "with a limit of 0 no item is ever begun: use at least 1");
        Flow { source: Some(source), make, place, limit, started: 0, entered: false, made_at }
    }
}

impl<S, F, P: Run> Flow<S, F, P> {
    /// Has the futures run elsewhere.
    #[track_caller]
    pub(super) fn on<Q>(
        self,
        place: impl FnOnce(&'static Location<'static>) -> Q,
    ) -> Flow<S, F, Q> {
        self.assert_new("on");
        let Flow { source, make, limit, started, entered, made_at, .. } = self;
        Flow { source, make, place: place(made_at), limit, started, entered, made_at }
    }

    /// Panics if an item was taken already.
    #[track_caller]
    pub(super) fn assert_new(&self, method: &str) {
        assert!(self.started == 0, "`{method}` was called after a poll: call it before");
    }

    pub(super) fn describe(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(name)
            .field("limit", &self.limit)
            .field("started", &self.started)
            .field("running", &self.place.len())
            .finish_non_exhaustive()
    }
}

impl<S: Stream, F, P> Flow<S, F, P>
where
    F: FnMut(S::Item) -> P::Future,
    P: Run,
{
    /// Returns the next that has ended, with its item's number, or `None` after the last one. The
    /// caller keeps `held` back.
    #[inline]
    pub(super) fn poll_ended(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        held: usize,
        budget: &mut Budget,
    ) -> Poll<Option<(usize, P::Output)>> {
        let mut this = self.project();
        if *this.entered {
            return Poll::Ready(None);
        }
        *this.entered = true;
        let ended = loop {
            if let Some(ended) = this.place.next(budget) {
                break Poll::Ready(Some(ended));
            }
            if budget.is_spent() {
                cx.waker().wake_by_ref();
                break Poll::Pending;
            }
            let room = this.place.len() + held < *this.limit;
            match this.source.as_mut().as_pin_mut() {
                Some(source) if room => match source.poll_next(cx) {
                    Poll::Ready(Some(item)) => {
                        budget.take();
                        let number = *this.started;
                        *this.started += 1;
                        let future = (this.make)(item);
                        if let Some(output) = this.place.start(number, future) {
                            break Poll::Ready(Some((number, output)));
                        }
                        continue;
                    }
                    Poll::Ready(None) => {
                        this.source.set(None);
                        continue;
                    }
                    Poll::Pending => {}
                },
                None if this.place.len() == 0 => break Poll::Ready(None),
                _ => {}
            }
            break this.place.poll_next(cx, budget).map(Some);
        };
        *this.entered = false;
        ended
    }

    /// Takes no more of the source, which is dropped, and ends those from this item on.
    pub(super) fn stop(self: Pin<&mut Self>, from: usize) {
        let mut this = self.project();
        *this.entered = true;
        this.source.set(None);
        this.place.cut(from);
        *this.entered = false;
    }

    /// Returns how many there will be at least, and at most, if nothing is stopped.
    pub(super) fn size_hint(&self, held: usize) -> (usize, Option<usize>) {
        if self.entered {
            return (0, Some(0));
        }
        let (least, most) = self.source.as_ref().map_or((0, Some(0)), |source| source.size_hint());
        let here = self.place.len() + held;
        (least.saturating_add(here), most.and_then(|most| most.checked_add(here)))
    }
}
