//! Locks round what belongs to users, and the values of theirs in them: tasks, jobs and wakers.
//!
//! None of their code runs while a lock of ours is held: it may call back into the very executor.
//! So what is behind a lock is reached by a closure ([`Guarded::locked`]), and a user's value
//! stands there as a [`Foreign`]. In debug builds three things panic while a thread holds a lock: a
//! foreign value that it drops, user's code that it calls ([`contain`](crate::panics::contain)),
//! and a lock that it holds already and takes again. So any test that comes by finds them.
//!
//! It is a copy of the core's `guarded.rs`, which this crate cannot use: the core depends on it.
//! One thing differs. In the core a foreign value contains the panic of its own destructor, and
//! stands in an `Option` for that. Here that would be 8 more bytes for each task in a queue, and a
//! check for each move between slot and worker; so the code that drops one calls
//! [`Foreign::discard`].
//!
//! # Invariants
//!
//! 1. `HELD` has the locks of ours that the present thread holds: a [`Held`] notes one for as long
//!    as it lives.

use crate::panics::contain;
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::cell::RefCell;
use std::ops::{Deref, DerefMut};
use std::ptr;
use std::task::Waker;
use std::time::Duration;

pub(crate) use held::assert_none;
use held::{Held, Tripwire};

#[cfg(debug_assertions)]
mod held {
    use std::cell::Cell;
    use std::thread::panicking;

    /// More than any path holds at once.
    const MOST: usize = 4;

    thread_local! {
        static HELD: Cell<[usize; MOST]> = const { Cell::new([0; MOST]) };
    }

    /// One lock of ours that the present thread holds, or is about to take.
    pub(super) struct Held(usize);

    impl Held {
        /// Panics if the thread holds that lock already: it would wait for itself.
        #[track_caller]
        pub(super) fn of<T>(lock: *const T) -> Held {
            let lock = lock.addr();
            // A thread-local that is gone belongs to a thread that ends: nothing is checked there.
            let held = HELD.try_with(Cell::get).unwrap_or_default();
            assert!(!held.contains(&lock), "a lock is taken by the thread that holds it");
            change(0, lock);
            Held(lock)
        }
    }

    impl Drop for Held {
        fn drop(&mut self) {
            change(self.0, 0);
        }
    }

    fn change(from: usize, to: usize) {
        let _ = HELD.try_with(|held| {
            let mut locks = held.get();
            let place = locks.iter_mut().find(|lock| **lock == from);
            *place.expect("no path holds so many locks") = to;
            held.set(locks);
        });
    }

    /// Panics if the present thread holds a lock of ours; not while a panic unwinds, since a second
    /// one would end the process.
    #[track_caller]
    pub(crate) fn assert_none(what: &str) {
        let held = HELD.try_with(Cell::get).unwrap_or_default();
        assert!(held == [0; MOST] || panicking(), "{what} while a lock of the executor is held");
    }

    /// Stands before a user's value, and is dropped before it.
    pub(super) struct Tripwire;

    impl Drop for Tripwire {
        #[track_caller]
        fn drop(&mut self) {
            assert_none("a user's value is dropped");
        }
    }
}

/// Nothing is noted in release builds.
#[cfg(not(debug_assertions))]
mod held {
    pub(super) struct Held;

    impl Held {
        #[inline(always)]
        pub(super) fn of<T>(_: *const T) -> Held {
            Held
        }
    }

    #[inline(always)]
    pub(crate) fn assert_none(_: &str) {}

    pub(super) struct Tripwire;
}

/// A lock whose data is reached by a closure; or by a guard, where a caller waits for a condition
/// or holds two locks.
#[derive(Default)]
pub(crate) struct Guarded<T>(Mutex<T>);

impl<T> Guarded<T> {
    pub(crate) fn new(value: T) -> Guarded<T> {
        Guarded(Mutex::new(value))
    }

    /// Calls `f` with the data while the lock is held. `f` runs no user code: the user's values go
    /// out in its result.
    #[inline(always)]
    pub(crate) fn locked<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        f(&mut self.lock())
    }

    #[inline(always)]
    pub(crate) fn lock(&self) -> Guard<'_, T> {
        let held = Held::of(ptr::from_ref(self));
        Guard { guard: self.0.lock(), _held: held }
    }
}

#[must_use]
pub(crate) struct Guard<'a, T> {
    guard: MutexGuard<'a, T>,
    _held: Held,
}

impl<T> Guard<'_, T> {
    pub(crate) fn wait(&mut self, condition: &Condvar) {
        condition.wait(&mut self.guard);
    }

    /// Returns `true` if the time was over first.
    pub(crate) fn wait_for(&mut self, condition: &Condvar, time: Duration) -> bool {
        condition.wait_for(&mut self.guard, time).timed_out()
    }
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> DerefMut for Guard<'_, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

/// As [`Guarded`], for data of one thread: there the borrow takes the place of the lock.
#[derive(Default)]
pub(crate) struct Kept<T>(RefCell<T>);

impl<T> Kept<T> {
    pub(crate) const fn new(value: T) -> Kept<T> {
        Kept(RefCell::new(value))
    }

    /// As [`Guarded::locked`].
    #[inline(always)]
    pub(crate) fn locked<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        let _held = Held::of(ptr::from_ref(self));
        f(&mut self.0.borrow_mut())
    }
}

/// A user's value behind a lock of ours, or on its way out of there.
#[must_use = "it is discarded, or given back to its user, after the lock is released"]
pub(crate) struct Foreign<T> {
    tripwire: Tripwire,
    value: T,
}

impl<T> Foreign<T> {
    #[inline(always)]
    pub(crate) fn new(value: T) -> Foreign<T> {
        Foreign { tripwire: Tripwire, value }
    }

    /// Gives the value to a caller that contains its destructor's panic.
    #[inline(always)]
    pub(crate) fn into_inner(self) -> T {
        std::mem::forget(self.tripwire);
        self.value
    }

    /// Drops the value, with no lock held; a panic of its destructor ends here.
    #[inline]
    pub(crate) fn discard(self) {
        let value = self.into_inner();
        contain(|| drop(value));
    }
}

impl Foreign<Waker> {
    /// Clones a waker, which runs the user's code: with no lock held.
    pub(crate) fn cloned(waker: &Waker) -> Foreign<Waker> {
        assert_none("a waker is cloned");
        Foreign::new(waker.clone())
    }

    /// Wakes, with no lock held; a panic of the waker ends here.
    pub(crate) fn wake(self) {
        let waker = self.into_inner();
        contain(|| waker.wake());
    }
}

impl<T> Deref for Foreign<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Foreign<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    fn fails<R>(f: impl FnOnce() -> R) -> bool {
        catch_unwind(AssertUnwindSafe(|| drop(f()))).is_err()
    }

    #[test]
    #[cfg(debug_assertions)]
    fn foreign_code_under_a_lock_is_found() {
        let lock = Guarded::new(Some(Foreign::new(1)));
        assert!(fails(|| lock.locked(|_| contain(|| ()))), "a call");
        assert!(fails(|| lock.locked(|_| lock.locked(|_| ()))), "the lock again");
        assert!(fails(|| lock.locked(|value| *value = None)), "a destructor");
        let kept = Kept::default();
        kept.locked(|place| *place = Some(Foreign::new(1)));
        assert!(fails(|| kept.locked(|place| *place = None)), "a borrow is a lock");
    }

    #[test]
    fn a_foreign_value_leaves_and_is_discarded() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("a destructor");
            }
        }
        let lock = Guarded::new(Some(Foreign::new(Bomb)));
        lock.locked(Option::take).expect("it is there").discard();
        assert!(lock.locked(|value| value.is_none()));
    }
}
