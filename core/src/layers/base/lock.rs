//! The lock of a nursery's registry, of a token's node and of a limit: held for some tens of
//! nanoseconds, and released with a plain store.
//!
//! parking_lot's unlock is a read-modify-write, since it has to see in the same step whether a
//! thread sleeps on the lock. This one looks first and stores then ([`raw`]), which may miss a
//! thread that is about to sleep; so a thread sleeps for half a millisecond at most. A child takes
//! two holds of the lock, and so does a waiter: what that saves is in docs/DESIGN.md ("Locks").
//!
//! It is for locks under which no user's code runs, nothing is allocated for long and no thread
//! blocks. Use [`Lock::locked`]; a guard is for code that goes from one lock to the next, or whose
//! lock may be freed as soon as it is released.
//!
//! # Invariants
//!
//! 1. `value` is reached only through a guard, and there is at most one: it is made by the thread
//!    that took the word, and gives the word back.
//! 2. A guard points to a lock that is there until the guard has given the word back. The lock may
//!    be freed in that very moment, so the guard has a pointer and not a reference, which would
//!    promise more.

#![allow(unsafe_code)]

#[cfg(any(not(loom), test))]
mod raw;

pub(crate) use word::{Lock, LockGuard};

impl<T> Lock<T> {
    /// Calls `f` with the data while the lock is held. `f` runs no code of the user's: a value of
    /// the user's leaves in its result.
    #[inline(always)]
    pub(crate) fn locked<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        f(&mut self.lock())
    }
}

#[cfg(not(loom))]
mod word {
    use super::raw::Word;
    use crate::layers::base::guarded::Held;
    use crate::layers::base::sync::UnsafeCell;
    use std::marker::PhantomData;
    use std::ops::{Deref, DerefMut};
    use std::ptr::{self, NonNull};

    pub(crate) struct Lock<T> {
        word: Word,
        value: UnsafeCell<T>,
    }

    // SAFETY: invariant 1: one thread at a time has the value.
    unsafe impl<T: Send> Sync for Lock<T> {}

    impl<T> Lock<T> {
        pub(crate) const fn new(value: T) -> Lock<T> {
            Lock { word: Word::new(), value: UnsafeCell::new(value) }
        }

        #[inline(always)]
        pub(crate) fn lock(&self) -> LockGuard<'_, T> {
            self.lock_noting().0
        }

        /// As [`lock`](Lock::lock); with true if another thread had it.
        #[inline(always)]
        pub(crate) fn lock_noting(&self) -> (LockGuard<'_, T>, bool) {
            let noted = Held::of(ptr::from_ref(self));
            let waited = self.word.lock();
            let lock = NonNull::from(self);
            (LockGuard { lock, _held: noted, _borrow: PhantomData }, waited)
        }
    }

    #[must_use]
    pub(crate) struct LockGuard<'a, T> {
        lock: NonNull<Lock<T>>,
        _held: Held,
        _borrow: PhantomData<(&'a Lock<T>, *mut T)>,
    }

    impl<T> Deref for LockGuard<'_, T> {
        type Target = T;

        #[inline(always)]
        fn deref(&self) -> &T {
            // SAFETY: invariant 2.
            let lock = unsafe { self.lock.as_ref() };
            // SAFETY: invariant 1.
            lock.value.with(|value| unsafe { &*value })
        }
    }

    impl<T> DerefMut for LockGuard<'_, T> {
        #[inline(always)]
        fn deref_mut(&mut self) -> &mut T {
            // SAFETY: invariant 2.
            let lock = unsafe { self.lock.as_ref() };
            // SAFETY: invariant 1, and the guard is borrowed exclusively.
            lock.value.with_mut(|value| unsafe { &mut *value })
        }
    }

    impl<T> Drop for LockGuard<'_, T> {
        #[inline(always)]
        fn drop(&mut self) {
            // SAFETY: invariant 2. The next holder may free at once what the lock is part of, so
            // `unlock` touches nothing of it after that.
            unsafe { self.lock.as_ref() }.word.unlock();
        }
    }
}

/// Loom's mutex with the same interface: the models of what the lock guards need not go through the
/// lock's own, which is in [`raw`].
#[cfg(loom)]
mod word {
    use crate::layers::base::guarded::Held;
    use crate::layers::base::sync::{Mutex, MutexGuard};
    use std::ops::{Deref, DerefMut};
    use std::ptr;

    pub(crate) struct Lock<T>(Mutex<T>);

    impl<T> Lock<T> {
        pub(crate) fn new(value: T) -> Lock<T> {
            Lock(Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> LockGuard<'_, T> {
            let held = Held::of(ptr::from_ref(self));
            LockGuard { guard: self.0.lock().unwrap(), _held: held }
        }

        pub(crate) fn lock_noting(&self) -> (LockGuard<'_, T>, bool) {
            (self.lock(), false)
        }
    }

    #[must_use]
    pub(crate) struct LockGuard<'a, T> {
        guard: MutexGuard<'a, T>,
        _held: Held,
    }

    impl<T> Deref for LockGuard<'_, T> {
        type Target = T;

        fn deref(&self) -> &T {
            &self.guard
        }
    }

    impl<T> DerefMut for LockGuard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            &mut self.guard
        }
    }
}
