//! The lock of a token's node and of a limit: held for some tens of nanoseconds, and given up with a
//! plain store.
//!
//! parking_lot's unlock is a read-modify-write, since it has to see in the same step whether
//! somebody sleeps. Nobody sleeps on this lock: who waits for it looks again, then gives the
//! processor away, then naps. A waiter costs two holds of the lock, and a
//! child too: 19 and 29 ns, where parking_lot's lock makes it 33 and 45.
//!
//! Loom takes a loop that waits for a thread which it may never run for a defect: its models run on
//! a mutex of its own, and this lock is tested by threads (`core/tests/token`, `core/tests/limit`)
//! alone.
//!
//! It is for locks under which no user's code runs, nothing is allocated for long and nobody blocks.
//!
//! # Invariants
//!
//! 1. `value` is reached only through a guard, and there is at most one: it is made by whoever
//!    turned `held` from false to true, and turns it back.

#![allow(unsafe_code)]

#[cfg(loom)]
pub(crate) use crate::sync::{Mutex as Lock, MutexGuard as LockGuard};
#[cfg(not(loom))]
pub(crate) use word::{Lock, LockGuard};

#[cfg(not(loom))]
mod word {
    use crate::guarded::Held;
    use crate::sync::{AtomicBool, Ordering, UnsafeCell, rest};
    use std::marker::PhantomData;
    use std::ops::{Deref, DerefMut};

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
            // Acquire: pairs with the store of the last guard.
            if self.held.swap(true, Ordering::Acquire) {
                self.wait();
            }
            LockGuard { lock: self, _held: Held::one(), _not_send: PhantomData }
        }

        #[cold]
        fn wait(&self) {
            let mut tries = 0;
            loop {
                // A load first: those who wait leave the line alone that the holder works on.
                // Acquire: as in `lock`.
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
        lock: &'a Lock<T>,
        _held: Held,
        _not_send: PhantomData<*mut T>,
    }

    impl<T> Deref for LockGuard<'_, T> {
        type Target = T;

        #[inline(always)]
        fn deref(&self) -> &T {
            // SAFETY: invariant 1.
            self.lock.value.with(|value| unsafe { &*value })
        }
    }

    impl<T> DerefMut for LockGuard<'_, T> {
        #[inline(always)]
        fn deref_mut(&mut self) -> &mut T {
            // SAFETY: invariant 1, and the guard is borrowed exclusively.
            self.lock.value.with_mut(|value| unsafe { &mut *value })
        }
    }

    impl<T> Drop for LockGuard<'_, T> {
        #[inline(always)]
        fn drop(&mut self) {
            // Release: pairs with the swap of the next. Who has the lock next may free at once what
            // it is part of: nothing of it is touched after this.
            self.lock.held.store(false, Ordering::Release);
        }
    }
}
