//! Locks that guard what belongs to users, and the users' values that come out of them.
//!
//! Code of the user's runs when a waker is cloned, woken or dropped, when an error, a value, a hook
//! or a future is dropped, and when a key is hashed or compared. None of it may run while a lock of
//! ours is held: it may call back into the very nursery, and it may panic in the middle of a
//! change.
//!
//! So the data is reached only through a closure ([`Guarded::locked`]), and each value of the
//! user's stands in it as a [`Foreign`], whose destructor runs the user's and contains its panic.
//! In debug builds, and in loom's models, that destructor asserts that its thread holds no lock of
//! ours. So a value that is dropped or replaced inside the closure is found by any test that
//! reaches it.
//!
//! # Invariants
//!
//! 1. `HELD` (in [`held`]) has the locks of ours that the present thread holds: a [`Held`] notes
//!    one for as long as it lives, and each guard of a lock has one. So a lock that one thread
//!    takes twice is found, too, instead of a wait for ever.

mod held;

use super::lock::Lock;
use super::panic;
use super::sync::GlobalMutex;
use std::ops::{Deref, DerefMut};
use std::ptr;
use std::task::Waker;

pub(crate) use held::{Held, assert_none};

/// A lock whose data is reached only through a closure.
pub(crate) struct Guarded<T>(Lock<T>);

impl<T> Guarded<T> {
    #[cfg(not(loom))]
    pub(crate) const fn new(value: T) -> Guarded<T> {
        Guarded(Lock::new(value))
    }

    /// As above; loom's primitives cannot be created in a constant.
    #[cfg(loom)]
    pub(crate) fn new(value: T) -> Guarded<T> {
        Guarded(Lock::new(value))
    }

    /// Calls `f` with the data while the lock is held. `f` runs no code of the user's: a value of
    /// the user's leaves in its result.
    #[inline(always)]
    pub(crate) fn locked<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        self.0.locked(f)
    }

    /// As [`locked`](Guarded::locked), and tells `f` whether the lock was held by another thread.
    #[inline(always)]
    pub(crate) fn locked_noting<R>(&self, f: impl FnOnce(&mut T, bool) -> R) -> R {
        let (mut guard, waited) = self.0.lock_noting();
        f(&mut guard, waited)
    }
}

/// Like [`Guarded`], for state that is part of no model.
pub(crate) struct GlobalGuarded<T>(GlobalMutex<T>);

impl<T> GlobalGuarded<T> {
    pub(crate) const fn new(value: T) -> GlobalGuarded<T> {
        GlobalGuarded(GlobalMutex::new(value))
    }

    /// Like [`Guarded::locked`].
    pub(crate) fn locked<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        let _held = Held::of(ptr::from_ref(self));
        f(&mut self.0.lock())
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

    /// Returns the value to a caller that sees to its destructor.
    #[inline(always)]
    pub(crate) fn into_inner(mut self) -> T {
        self.0.take().expect("a foreign value is there until it is taken, once")
    }
}

impl Foreign<Waker> {
    /// Clones a waker, which runs code of the user's: with no lock held.
    #[inline(always)]
    pub(crate) fn cloned(waker: &Waker) -> Foreign<Waker> {
        assert_none("a waker is cloned");
        Foreign::new(waker.clone())
    }

    /// Wakes, with no lock held; a panic of the waker ends here.
    #[inline(always)]
    pub(crate) fn wake(self) {
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
        assert_none("a value of the user's is dropped");
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
    #[cfg(debug_assertions)]
    fn taken_twice_by_one_thread_it_is_found() {
        let lock = Guarded::new(1);
        let inner = || lock.locked(|value| *value);
        assert!(catch_unwind(AssertUnwindSafe(|| lock.locked(|_| inner()))).is_err());
        assert_eq!(inner(), 1, "it is released");
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
