//! The lock of a token's node and of a limit: held for some tens of nanoseconds, and released with
//! a plain store.
//!
//! parking_lot's unlock is a read-modify-write, since it has to see in the same step whether a
//! thread sleeps on the lock. No thread sleeps on this lock: a thread that waits for it looks
//! again, then gives the processor away, then naps. A waiter costs two holds of the lock, and so
//! does a child: 19 and 29 ns, where parking_lot's lock makes it 33 and 45.
//!
//! To loom, a loop that waits for a thread which loom may never run is a defect. So its models run
//! on a mutex of its own, and this lock is tested by threads alone (`core/tests/token`,
//! `core/tests/limit`).
//!
//! It is for locks under which no user's code runs, nothing is allocated for long and no thread
//! blocks. Use [`Lock::locked`]; a guard is for code that goes from one lock to the next, or whose
//! lock may be freed as soon as it is released.
//!
//! # Invariants
//!
//! 1. `value` is reached only through a guard, and there is at most one: it is made by the thread
//!    that turned `held` from false to true, and turns it back.
//! 2. A guard points to a lock that is there until the guard has turned `held` back. The lock may
//!    be freed in that very moment, so the guard has a pointer and not a reference, which would
//!    promise more.

#![allow(unsafe_code)]

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
    use crate::layers::base::guarded::Held;
    use crate::layers::base::sync::{AtomicBool, Ordering, UnsafeCell, rest};
    use std::marker::PhantomData;
    use std::ops::{Deref, DerefMut};
    use std::ptr::{self, NonNull};

    pub(crate) struct Lock<T> {
        held: AtomicBool,
        value: UnsafeCell<T>,
    }

    // SAFETY: invariant 1: one thread at a time has the value.
    unsafe impl<T: Send> Sync for Lock<T> {}

    impl<T> Lock<T> {
        pub(crate) const fn new(value: T) -> Lock<T> {
            Lock { held: AtomicBool::new(false), value: UnsafeCell::new(value) }
        }

        #[inline(always)]
        pub(crate) fn lock(&self) -> LockGuard<'_, T> {
            let noted = Held::of(ptr::from_ref(self));
            // Acquire: pairs with the store of the last guard.
            if self.held.swap(true, Ordering::Acquire) {
                self.wait();
            }
            LockGuard { lock: NonNull::from(self), _held: noted, _borrow: PhantomData }
        }

        #[cold]
        fn wait(&self) {
            let mut tries = 0;
            loop {
                // A load first: threads that wait leave the cache line alone that the holder works
                // on. Acquire: as in `lock`.
                if !self.held.load(Ordering::Relaxed) && !self.held.swap(true, Ordering::Acquire) {
                    return;
                }
                rest(tries);
                tries += 1;
            }
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
            // SAFETY: invariant 2.
            let held = unsafe { &self.lock.as_ref().held };
            // Release: pairs with the swap of the next. The next holder may free at once what the
            // lock is part of: nothing of it is touched after this.
            held.store(false, Ordering::Release);
        }
    }
}

/// Loom's mutex with the same interface.
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
            LockGuard { guard: self.0.lock(), _held: held }
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
