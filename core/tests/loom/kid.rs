//! The child of the models: counts its polls and drops, and sees whether it is ever touched by two
//! threads at once.

use crate::home::Fault;
use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// What a child did.
///
/// The counters are a part of the model: loom tries no orders of what it does not see. They are
/// relaxed, so that they do not order anything themselves: a counter that is read too low says that
/// the nursery does not order it either.
#[derive(Default)]
pub(crate) struct Book {
    polls: AtomicUsize,
    drops: AtomicUsize,
    made: AtomicUsize,
    gone: AtomicUsize,
    shown: AtomicBool,
    inside: AtomicBool,
    clash: AtomicBool,
}

impl Book {
    pub(crate) fn polls(&self) -> usize {
        self.polls.load(Relaxed)
    }

    /// Returns how often the future was dropped.
    pub(crate) fn drops(&self) -> usize {
        self.drops.load(Relaxed)
    }

    /// Returns `true` if the last poll showed a cancel.
    pub(crate) fn shown(&self) -> bool {
        self.shown.load(Relaxed)
    }

    /// Returns `true` if the future returned `Ready`.
    pub(crate) fn finished(&self) -> bool {
        self.made.load(Relaxed) == 1
    }

    /// Returns `true` if nothing is left: neither the future nor its value.
    pub(crate) fn is_over(&self) -> bool {
        self.drops() == 1 && self.made.load(Relaxed) == self.gone.load(Relaxed)
    }

    /// Sees that the future and its value were dropped, once, and never used by two threads.
    #[track_caller]
    pub(crate) fn check(&self) {
        assert!(!self.clash.load(Relaxed), "two threads were in one child");
        assert_eq!(self.drops(), 1, "drops of the future");
        assert_eq!(self.gone.load(Relaxed), self.made.load(Relaxed), "drops of the value");
    }

    fn enter(&self) {
        if self.inside.swap(true, Relaxed) {
            self.clash.store(true, Relaxed);
        }
    }

    fn leave(&self) {
        self.inside.swap(false, Relaxed);
    }
}

/// When a child is ready.
#[derive(Clone, Copy)]
pub(crate) enum Until {
    /// After so many polls that wake and wait.
    Yields(usize),
    /// In the poll of this number.
    Polls(usize),
    /// In its first poll, with an error.
    Fails,
    /// In the poll that shows a cancel.
    Cancel,
    Never,
}

/// A child. By its alignment [`heap`](crate::heap) knows which blocks are records.
#[repr(align(512))]
pub(crate) struct Kid {
    book: Arc<Book>,
    until: Until,
    state: UnsafeCell<()>,
}

const _: () = assert!(align_of::<Kid>() == crate::heap::ALIGN);

impl Kid {
    pub(crate) fn new(until: Until) -> (Kid, Arc<Book>) {
        let book = Arc::new(Book::default());
        (Kid { book: book.clone(), until, state: UnsafeCell::new(()) }, book)
    }

    /// Makes a child for `spawn` of it: one without a value.
    pub(crate) async fn plain(self) -> Result<(), Fault> {
        self.await.map(drop)
    }
}

impl Future for Kid {
    type Output = Result<Value, Fault>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let book = &self.book;
        book.enter();
        let polls = book.polls.fetch_add(1, Relaxed);
        book.shown.store(allhome::is_cancelled(), Relaxed);
        self.state.with_mut(|_| ());
        let poll = match self.until {
            Until::Yields(times) if polls < times => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Until::Cancel if !book.shown() => Poll::Pending,
            Until::Polls(number) if polls + 1 < number => Poll::Pending,
            Until::Never => Poll::Pending,
            Until::Fails => Poll::Ready(Err(Fault)),
            Until::Yields(_) | Until::Polls(_) | Until::Cancel => {
                Poll::Ready(Ok(Value::new(book.clone())))
            }
        };
        book.leave();
        poll
    }
}

impl Drop for Kid {
    fn drop(&mut self) {
        self.book.enter();
        self.state.with_mut(|_| ());
        self.book.drops.fetch_add(1, Relaxed);
        self.book.leave();
    }
}

/// What a child gives.
pub(crate) struct Value {
    book: Arc<Book>,
    state: UnsafeCell<()>,
}

impl Value {
    fn new(book: Arc<Book>) -> Value {
        book.made.fetch_add(1, Relaxed);
        Value { book, state: UnsafeCell::new(()) }
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.state.with_mut(|_| ());
        self.book.gone.fetch_add(1, Relaxed);
    }
}
