//! Values that stay on their thread: a key that may go anywhere, to a value that may not.
//!
//! The values stand on a *shelf*, one a thread; a [`Stays`] is the place and the serial number of
//! one. On the value's thread it reaches the value. Elsewhere it reaches nothing, and its drop drops
//! nothing: the value is left on its shelf. So a `Stays` is `Send` and `Sync` whatever the value is,
//! and this is safe code. A type that only pretends, and checks the thread when it is used, is
//! unsafe code; and a value in it that is dropped elsewhere is leaked, since nothing on its own
//! thread can find it.
//!
//! A value has the [`Mark`] of the nursery that it belongs to. When the runtime of that
//! nursery's thread ends, [`clear`] drops the values that are left with it.
//!
//! # Invariants
//!
//! 1. No code of a user's runs while the shelf is borrowed: a value is taken out for a call or its
//!    drop.
//! 2. A serial number is given once a thread. So a key to a value that is gone finds nothing, also
//!    if another stands in its place.
//! 3. The shelf has no destructor, so that it is there in those of other thread-local values. It
//!    gives its memory back when it is empty.

use super::panic;
use super::sync::{GlobalU64, Ordering, thread_local};
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::marker::PhantomData;
use std::mem::{self, ManuallyDrop};
use std::pin::Pin;
use std::task::{Context, Poll};

/// A thread, as compared with others: it is given to no other, also when the thread has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ThreadMark(u64);

/// What is cleared away together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Mark(u64);

static LAST: GlobalU64 = GlobalU64::new(0);

fn next() -> u64 {
    // Relaxed: only uniqueness matters.
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

impl ThreadMark {
    /// Returns that of the present thread.
    pub(crate) fn here() -> ThreadMark {
        HERE.with(|here| {
            if here.get() == 0 {
                here.set(next());
            }
            ThreadMark(here.get())
        })
    }
}

impl Mark {
    pub(crate) fn new() -> Mark {
        Mark(next())
    }
}

thread_local! {
    static HERE: Cell<u64> = const { Cell::new(0) };
}

thread_local! {
    static SHELF: ManuallyDrop<RefCell<Shelf>> =
        const { ManuallyDrop::new(RefCell::new(Shelf::new())) };
}

/// What stands on a thread's shelf.
struct Shelf {
    places: Vec<Place>,
    free: Vec<usize>,
    serial: u64,
}

struct Place {
    serial: u64,
    mark: Mark,
    /// None if it is free, or its value is lent to a call.
    value: Option<Box<dyn Any>>,
}

impl Shelf {
    const fn new() -> Shelf {
        Shelf { places: Vec::new(), free: Vec::new(), serial: 0 }
    }

    fn put(&mut self, value: Box<dyn Any>, mark: Mark) -> (usize, u64) {
        self.serial += 1;
        let place = Place { serial: self.serial, mark, value: Some(value) };
        let at = match self.free.pop() {
            Some(at) => {
                self.places[at] = place;
                at
            }
            None => {
                self.places.push(place);
                self.places.len() - 1
            }
        };
        (at, self.serial)
    }

    fn place(&mut self, (at, serial): (usize, u64)) -> Option<&mut Place> {
        self.places.get_mut(at).filter(|place| place.serial == serial)
    }

    /// Takes a value for good.
    fn remove(&mut self, key: (usize, u64)) -> Option<Box<dyn Any>> {
        let place = self.place(key)?;
        place.serial = 0;
        let value = place.value.take();
        self.free.push(key.0);
        if self.free.len() == self.places.len() {
            (self.places, self.free) = (Vec::new(), Vec::new());
        }
        value
    }

    /// Takes a value that has this mark, for good.
    fn remove_marked(&mut self, mark: Mark) -> Option<Box<dyn Any>> {
        let marked = |place: &Place| place.mark == mark && place.value.is_some();
        let at = self.places.iter().position(marked)?;
        self.remove((at, self.places[at].serial))
    }
}

/// Drops the values of this thread that have the mark. Returns `true` if there was one.
pub(crate) fn clear(mark: Mark) -> bool {
    let mut any = false;
    while let Some(value) = SHELF.with(|shelf| shelf.borrow_mut().remove_marked(mark)) {
        any = true;
        panic::catch_drop(value).unwrap_or_else(panic::discard);
    }
    any
}

/// A value of the thread on which this was made.
pub(crate) struct Stays<T> {
    thread: ThreadMark,
    key: (usize, u64),
    of: PhantomData<fn() -> T>,
}

impl<T: 'static> Stays<T> {
    pub(crate) fn new(value: T, mark: Mark) -> Stays<T> {
        let key = SHELF.with(|shelf| shelf.borrow_mut().put(Box::new(value), mark));
        Stays { thread: ThreadMark::here(), key, of: PhantomData }
    }

    /// Calls `f` with the value. None on another thread, or if the value was cleared away.
    pub(crate) fn with<R>(&mut self, f: impl FnOnce(&mut T) -> R) -> Option<R> {
        let mut lent = Lent { key: self.key, value: self.lend() };
        Some(f(lent.value.as_mut()?.downcast_mut()?))
    }

    /// Takes the value. None on another thread, or if the value was cleared away.
    pub(crate) fn take(self) -> Option<T> {
        let value = self.remove()?.downcast().ok()?;
        Some(*value)
    }
}

impl<T> Stays<T> {
    fn is_here(&self) -> bool {
        self.thread == ThreadMark::here()
    }

    fn lend(&self) -> Option<Box<dyn Any>> {
        if !self.is_here() {
            return None;
        }
        SHELF.with(|shelf| shelf.borrow_mut().place(self.key)?.value.take())
    }

    fn remove(&self) -> Option<Box<dyn Any>> {
        if !self.is_here() {
            return None;
        }
        SHELF.with(|shelf| shelf.borrow_mut().remove(self.key))
    }
}

impl<T> Drop for Stays<T> {
    /// Drops the value on its thread, and leaves it alone on another.
    fn drop(&mut self) {
        drop(self.remove());
    }
}

/// A value that is out for a call. It is put back, also when the call panics.
struct Lent {
    key: (usize, u64),
    value: Option<Box<dyn Any>>,
}

impl Drop for Lent {
    fn drop(&mut self) {
        let value = self.value.take();
        SHELF.with(|shelf| {
            if let Some(place) = shelf.borrow_mut().place(self.key) {
                place.value = value;
            }
        });
    }
}

/// A future of the thread on which this was made, for a nursery whose children are polled there. It
/// gives its value on that thread alone: a poll on another one panics.
pub(crate) struct LocalFuture<F>(Stays<Polled<F>>);

/// In a box of its own, which can be pinned where it stands.
enum Polled<F> {
    Never(Box<F>),
    Yes(Pin<Box<F>>),
    /// For a moment, between the two.
    Moves,
}

impl<F: Future + 'static> LocalFuture<F> {
    pub(crate) fn new(future: F, mark: Mark) -> LocalFuture<F> {
        LocalFuture(Stays::new(Polled::Never(Box::new(future)), mark))
    }

    /// Returns the future, on its thread, if it was not polled.
    pub(crate) fn into_unpolled(self) -> Option<F> {
        match self.0.take()? {
            Polled::Never(future) => Some(*future),
            Polled::Yes(_) | Polled::Moves => None,
        }
    }
}

impl<F: Future> Polled<F> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<F::Output> {
        if let Polled::Never(_) = self {
            if let Polled::Never(future) = mem::replace(self, Polled::Moves) {
                *self = Polled::Yes(Box::into_pin(future));
            }
        }
        match self {
            Polled::Yes(future) => future.as_mut().poll(cx),
            Polled::Never(_) | Polled::Moves => unreachable!("it was pinned above"),
        }
    }
}

impl<F: Future + 'static> Future for LocalFuture<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let polled = self.0.with(|future| future.poll(cx));
        polled.expect("a local child is polled on its thread, while its runtime is there")
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Mark, SHELF, Stays, ThreadMark, clear};
    use crate::layers::base::panic;
    use crate::layers::base::sync::thread_scope;
    use std::cell::Cell;
    use std::rc::Rc;

    fn elsewhere<R: Send>(f: impl FnOnce() -> R + Send) -> R {
        thread_scope(|scope| scope.spawn(f).join().expect("it does not panic"))
    }

    fn standing() -> usize {
        SHELF.with(|shelf| shelf.borrow().places.len())
    }

    #[test]
    fn reached_here_and_not_elsewhere() {
        let (rc, home) = (Rc::new(Cell::new(1)), ThreadMark::here());
        let mut stays = Stays::new(rc.clone(), Mark::new());
        assert_eq!(stays.with(|value| value.replace(2)), Some(1));
        let mut stays = elsewhere(move || {
            assert_ne!(ThreadMark::here(), home);
            assert!(stays.with(|_| unreachable!("it is elsewhere")).is_none());
            stays
        });
        assert_eq!(stays.with(|value| value.get()), Some(2));
        assert!(stays.take().is_some_and(|value| Rc::ptr_eq(&value, &rc)));
        assert_eq!((Rc::strong_count(&rc), standing()), (1, 0));
    }

    #[test]
    fn dropped_elsewhere_then_cleared_here() {
        let (rc, mark) = (Rc::new(()), Mark::new());
        let (left, other) = (Stays::new(rc.clone(), mark), Stays::new(rc.clone(), Mark::new()));
        elsewhere(move || drop(left));
        assert_eq!(Rc::strong_count(&rc), 3, "it is left alone");
        assert!(clear(mark) && !clear(mark));
        assert_eq!(Rc::strong_count(&rc), 2, "the other has another mark");
        drop(other);
        assert_eq!((Rc::strong_count(&rc), standing()), (1, 0));
    }

    #[test]
    fn a_key_to_what_was_cleared_finds_nothing() {
        let mark = Mark::new();
        let mut old = Stays::new(1, mark);
        assert!(clear(mark));
        let mut new = Stays::new(2, mark);
        assert_eq!((old.with(|value| *value), new.with(|value| *value)), (None, Some(2)));
        drop(old);
        assert_eq!(new.take(), Some(2), "it was not the old one's to drop");
    }

    #[test]
    fn a_call_may_make_drop_and_panic() {
        let mut stays = Stays::new(Rc::new(1), Mark::new());
        let caught = panic::catch(|| {
            stays.with(|_| {
                drop((Stays::new(2, Mark::new()), Stays::new(3, Mark::new())));
                panic!("in the call");
            })
        });
        assert!(caught.is_err());
        assert_eq!(stays.with(|value| **value), Some(1), "it was put back");
        drop(stays);
        assert_eq!(standing(), 0);
    }
}
