//! Locks that guard what belongs to users, and the values of theirs that come out of them.
//!
//! Code of the user's is what runs when a waker is cloned, woken or dropped, when an error, a
//! value, a hook or a future is dropped, and when a key is hashed or compared. None of it may run
//! while a lock of ours is held: it may call back into the very nursery, and it may panic half-way
//! through a change.
//!
//! So the data is reached only through a closure ([`Guarded::locked`]), and each value of the
//! user's stands in it as a [`Foreign`], whose destructor runs the user's and contains its panic. In
//! debug builds, and in loom's models, that destructor asserts that its thread holds no lock of
//! ours, so a value that is dropped or replaced inside the closure is found by any test that comes
//! by.
//!
//! # Invariants
//!
//! 1. `HELD` is the number of locks of ours that the present thread holds: [`Held`] counts one up
//!    and down, and each guard of a lock has one.

use crate::panic;
use crate::sync::{Mutex, panicking};
use std::ops::{Deref, DerefMut};
use std::task::Waker;

pub(crate) use held::{Held, assert_none};

#[cfg(any(debug_assertions, loom))]
mod held {
    use crate::sync::thread_local;
    use std::cell::Cell;
    use std::marker::PhantomData;

    thread_local! {
        static HELD: Cell<usize> = const { Cell::new(0) };
    }

    /// One lock of ours that the present thread holds.
    pub(crate) struct Held(PhantomData<*mut ()>);

    impl Held {
        pub(crate) fn one() -> Held {
            // A thread-local that is gone belongs to a thread that ends: nothing is checked there.
            let _ = HELD.try_with(|held| held.set(held.get() + 1));
            Held(PhantomData)
        }
    }

    impl Drop for Held {
        fn drop(&mut self) {
            let _ = HELD.try_with(|held| held.set(held.get().saturating_sub(1)));
        }
    }

    /// Panics if the present thread holds a lock of ours.
    #[track_caller]
    pub(crate) fn assert_none(what: &str) {
        let held = HELD.try_with(Cell::get).unwrap_or(0);
        assert!(held == 0, "{what} while a lock of the core is held");
    }
}

#[cfg(not(any(debug_assertions, loom)))]
mod held {
    /// Counts nothing in release builds.
    pub(crate) struct Held;

    impl Held {
        #[inline(always)]
        pub(crate) fn one() -> Held {
            Held
        }
    }

    #[inline(always)]
    pub(crate) fn assert_none(_: &str) {}
}

/// A lock whose data is reached only through a closure.
pub(crate) struct Guarded<T>(Mutex<T>);

impl<T> Guarded<T> {
    pub(crate) fn new(value: T) -> Guarded<T> {
        Guarded(Mutex::new(value))
    }

    /// Calls `f` with the data while the lock is held. `f` runs no code of the user's: what is the
    /// user's goes out in its result.
    #[inline(always)]
    pub(crate) fn locked<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        let mut guard = self.0.lock();
        let _held = Held::one();
        f(&mut guard)
    }
}

/// A value of the user's in the data of a lock of ours, or on its way out of it. Its destructor
/// runs with no lock held, and a panic in it ends there.
#[must_use = "it is dropped, or given back to its user, after the lock is released"]
pub(crate) struct Foreign<T>(Option<T>);

impl<T> Foreign<T> {
    #[inline(always)]
    pub(crate) fn new(value: T) -> Foreign<T> {
        Foreign(Some(value))
    }

    /// Gives the value to a caller that sees to its destructor.
    #[inline(always)]
    pub(crate) fn into_inner(mut self) -> T {
        self.0.take().expect("a foreign value is there until it is taken, once")
    }
}

impl Foreign<Waker> {
    /// Wakes. A waker that panics harms no other.
    #[inline]
    pub(crate) fn wake(self) {
        assert_none("a waker is called");
        panic::wake(self.into_inner());
    }
}

impl<T> Deref for Foreign<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        self.0.as_ref().expect("a foreign value is there until it is taken, once")
    }
}

impl<T> DerefMut for Foreign<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        self.0.as_mut().expect("a foreign value is there until it is taken, once")
    }
}

impl<T> Drop for Foreign<T> {
    #[inline]
    fn drop(&mut self) {
        let Some(value) = self.0.take() else { return };
        // Not while a panic unwinds through the closure: a second one would end the process.
        if !panicking() {
            assert_none("a value of the user's is dropped");
        }
        if let Err(payload) = panic::catch_drop(value) {
            panic::discard(payload);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Foreign, Guarded};
    use std::panic::{AssertUnwindSafe, catch_unwind};

    #[test]
    fn a_foreign_value_leaves_the_closure_and_is_dropped_after_it() {
        let lock = Guarded::new(Some(Foreign::new(Box::new(1))));
        let left = lock.locked(Option::take);
        assert_eq!(left.as_deref().map(|value| **value), Some(1));
        drop(left);
    }

    #[test]
    #[cfg(debug_assertions)]
    fn dropped_under_the_lock_it_is_found() {
        let lock = Guarded::new(Some(Foreign::new(1)));
        let found = catch_unwind(AssertUnwindSafe(|| lock.locked(|value| *value = None)));
        assert!(found.is_err());
    }

    #[test]
    fn a_panic_of_its_destructor_ends_there() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("a destructor");
            }
        }
        let contained = catch_unwind(|| drop(Foreign::new(Bomb)));
        assert!(contained.is_ok());
    }
}
