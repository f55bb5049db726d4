//! Which locks of ours the present thread holds (invariant 1 of the parent module).

pub(crate) use imp::{Held, assert_none};

#[cfg(any(debug_assertions, loom))]
mod imp {
    use crate::layers::base::sync::{panicking, thread_local};
    use std::cell::Cell;
    use std::marker::PhantomData;

    /// More than any path of the core holds at once.
    const MOST: usize = 4;

    thread_local! {
        static HELD: Cell<[usize; MOST]> = const { Cell::new([0; MOST]) };
    }

    /// One lock of ours that the present thread holds, or is about to take.
    pub(crate) struct Held(usize, PhantomData<*mut ()>);

    impl Held {
        /// Notes a lock. Panics if the thread holds that lock already: it would wait for itself.
        #[track_caller]
        pub(crate) fn of<T>(lock: *const T) -> Held {
            let lock = lock.addr();
            // A thread-local that is gone belongs to a thread that is ending: nothing is checked
            // there.
            let held = HELD.try_with(Cell::get).unwrap_or_default();
            assert!(
                !held.contains(&lock),
                "a lock of the core is taken by the thread that holds it"
            );
            change(0, lock);
            Held(lock, PhantomData)
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
            *place.expect("no path of the core holds so many locks") = to;
            held.set(locks);
        });
    }

    /// Panics if the present thread holds a lock of ours. Does nothing while a panic unwinds, since
    /// a second one would end the process.
    #[track_caller]
    pub(crate) fn assert_none(what: &str) {
        let held = HELD.try_with(Cell::get).unwrap_or_default();
        assert!(held == [0; MOST] || panicking(), "{what} while a lock of the core is held");
    }
}

#[cfg(not(any(debug_assertions, loom)))]
mod imp {
    /// Notes nothing in release builds.
    pub(crate) struct Held;

    impl Held {
        #[inline(always)]
        pub(crate) fn of<T>(_: *const T) -> Held {
            Held
        }
    }

    #[inline(always)]
    pub(crate) fn assert_none(_: &str) {}
}
