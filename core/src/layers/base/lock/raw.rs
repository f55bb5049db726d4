//! The word of a lock: one read-modify-write to take it, a load and a store to give it back.
//!
//! | word  | means                                    | set by                                   |
//! |-------|------------------------------------------|------------------------------------------|
//! | FREE  | no thread has it                         | `unlock`: a plain store                  |
//! | HELD  | a thread has it                          | a thread that finds it free              |
//! | SLEPT | a thread has it, and others may be asleep | a thread that goes to sleep, or that has slept and finds it free |
//!
//! It is the futex mutex of U. Drepper ("Futexes are tricky", 2011), with one change: that `unlock`
//! swaps, and sees in the same step whether a thread sleeps. Ours loads and then stores. A thread
//! that marks the word between the two is overlooked: it sleeps although the lock is free. That
//! takes a thread which is interrupted between two instructions, and the sleeper looks again after
//! [`NAP`] at the latest. So nothing waits for ever, and it costs nothing where no thread sleeps.
//!
//! A thread that finds it held keeps away for as long as the holder needs for several children, and
//! then for longer, before it sleeps. If two threads take turns at a lock, a dozen cache lines go
//! to and fro for each child, and to sleep at once costs a hundred times what the thread waits for.
//!
//! # Invariants
//!
//! 1. The thread that turned FREE to another value has the lock, and alone stores FREE.
//! 2. `unlock` touches nothing of the word after that store: the next holder may free it. A sleeper
//!    is found by an address that is compared and never followed.

#![allow(unsafe_code)]

use crate::layers::base::sync::{AtomicU8, Ordering};

const FREE: u8 = 0;
const HELD: u8 = 1;
const SLEPT: u8 = 2;

/// How many pauses there are before each look at a lock that is held; afterwards the thread sleeps.
/// A pause is 10 to 40 ns.
#[cfg(not(loom))]
const PAUSES: [u32; 6] = [8, 128, 256, 512, 1024, 1024];
#[cfg(loom)]
const PAUSES: [u32; 1] = [1];

pub(super) struct Word {
    word: AtomicU8,
    sleepers: sleep::Sleepers,
}

impl Word {
    #[cfg(not(loom))]
    pub(super) const fn new() -> Word {
        Word { word: AtomicU8::new(FREE), sleepers: sleep::Sleepers }
    }

    #[cfg(loom)]
    #[allow(dead_code, reason = "the models of what a lock guards run on loom's own")]
    pub(super) fn new() -> Word {
        Word { word: AtomicU8::new(FREE), sleepers: sleep::Sleepers::default() }
    }

    /// Takes it, whatever that takes. Returns `true` if another thread had it.
    #[inline(always)]
    pub(super) fn lock(&self) -> bool {
        let held = self.turn(FREE, HELD).is_err();
        if held {
            self.wait();
        }
        held
    }

    /// Gives it back. The caller has it.
    #[inline(always)]
    pub(super) fn unlock(&self) {
        let sleepers = self.sleepers.all();
        if self.free() == SLEPT || sleep::ENDS {
            sleepers.wake_one();
        }
    }

    /// Stores FREE; returns what was there a moment before.
    #[cfg(not(loom))]
    #[inline(always)]
    fn free(&self) -> u8 {
        let before = self.word.load(Ordering::Relaxed);
        // Release: pairs with `turn`.
        self.word.store(FREE, Ordering::Release);
        before
    }

    /// As above. Loom does not know that a store comes after each read-modify-write that has read
    /// the value before that store, and lets a thread read the word as it was for ever. So the model
    /// takes one step, and ends each nap instead ([`ENDS`](sleep::ENDS)).
    #[cfg(loom)]
    fn free(&self) -> u8 {
        self.word.swap(FREE, Ordering::Release)
    }

    /// Turns it from one to another, or returns what it is.
    #[inline(always)]
    fn turn(&self, from: u8, to: u8) -> Result<u8, u8> {
        // Acquire: pairs with `unlock`.
        self.word.compare_exchange(from, to, Ordering::Acquire, Ordering::Relaxed)
    }

    #[cold]
    fn wait(&self) {
        for pauses in PAUSES {
            (0..pauses).for_each(|_| sleep::pause());
            // A load first: threads that wait leave the cache line alone that the holder works on.
            if self.word.load(Ordering::Relaxed) == FREE && self.turn(FREE, HELD).is_ok() {
                return;
            }
        }
        // Others may be asleep, too: it is left as SLEPT.
        while let Err(seen) = self.turn(FREE, SLEPT) {
            if seen == HELD {
                // If it is not held any more, there is no sleep.
                let _marked = self.turn(HELD, SLEPT);
            }
            self.sleepers.all().sleep(|| self.word.load(Ordering::Relaxed) == SLEPT);
        }
    }
}

#[cfg(not(loom))]
mod sleep {
    use crate::layers::base::sync::parking::{
        DEFAULT_PARK_TOKEN, DEFAULT_UNPARK_TOKEN, park, unpark_one,
    };
    use std::time::{Duration, Instant};

    /// How long a thread sleeps at most before it looks again.
    const NAP: Duration = Duration::from_micros(500);
    /// A nap ends by itself.
    pub(super) const ENDS: bool = false;

    /// Where the threads are found that sleep on a lock: by its address.
    pub(super) struct Sleepers;

    /// The key of a lock in parking_lot's table. No address of a lock of parking_lot's is such a
    /// number.
    pub(super) struct Key(usize);

    pub(super) fn pause() {
        std::hint::spin_loop();
    }

    impl Sleepers {
        #[inline(always)]
        pub(super) fn all(&self) -> Key {
            Key(!std::ptr::from_ref(self).addr())
        }
    }

    impl Key {
        /// Sleeps until it is woken, or for a nap, if `held` holds.
        pub(super) fn sleep(self, held: impl Fn() -> bool) {
            let until = Instant::now() + NAP;
            // SAFETY: the key is one of ours. What is called with a queue locked, `held`, is a load,
            // and neither panics nor parks.
            unsafe {
                park(self.0, held, || (), |_, _| (), DEFAULT_PARK_TOKEN, Some(until));
            }
        }

        #[cold]
        #[inline(never)]
        pub(super) fn wake_one(self) {
            // SAFETY: the key is one of ours. One that sleeps on another lock, which came to stand
            // where this one stood, looks at it again, as after each nap. The function that is
            // called with a queue locked does nothing but answer.
            unsafe { unpark_one(self.0, |_| DEFAULT_UNPARK_TOKEN) };
        }
    }
}

/// In a model a thread sleeps until the next `unlock`, which wakes it in any case: that is the end
/// of its nap. (To loom, a loop that waits for a thread which it may never run is a defect.)
#[cfg(loom)]
mod sleep {
    use crate::layers::base::sync::{Arc, Condvar, Mutex};

    pub(super) const ENDS: bool = true;

    /// Kept by what wakes, since the lock may be gone by then.
    #[derive(Default)]
    pub(super) struct Sleepers(Arc<Asleep>);

    #[derive(Default)]
    pub(super) struct Asleep {
        lock: Mutex<()>,
        woken: Condvar,
    }

    pub(super) fn pause() {}

    impl Sleepers {
        pub(super) fn all(&self) -> Arc<Asleep> {
            self.0.clone()
        }
    }

    impl Asleep {
        pub(super) fn sleep(&self, held: impl Fn() -> bool) {
            let guard = self.lock.lock().unwrap();
            if held() {
                drop(self.woken.wait(guard).unwrap());
            }
        }

        pub(super) fn wake_one(&self) {
            drop(self.lock.lock().unwrap());
            self.woken.notify_one();
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{FREE, HELD, Ordering, SLEPT, Word};
    use crate::layers::base::sync::{AtomicUsize, thread_scope, yield_thread};

    #[test]
    fn one_thread_at_a_time_has_it() {
        let (word, inside, holds) = (Word::new(), AtomicUsize::new(0), AtomicUsize::new(0));
        thread_scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for turn in 0..2_000 {
                        word.lock();
                        assert_eq!(inside.fetch_add(1, Ordering::Relaxed), 0);
                        if turn % 64 == 0 {
                            // The others come to sleep.
                            (0..20_000).for_each(|_| std::hint::spin_loop());
                        }
                        holds.fetch_add(1, Ordering::Relaxed);
                        inside.fetch_sub(1, Ordering::Relaxed);
                        word.unlock();
                    }
                });
            }
        });
        assert_eq!(holds.into_inner(), 16_000);
        assert_eq!(word.word.into_inner(), FREE);
    }

    #[test]
    fn a_sleeper_that_was_overlooked_looks_again() {
        let word = Word::new();
        word.lock();
        thread_scope(|scope| {
            let sleeper = scope.spawn(|| word.lock());
            while word.word.load(Ordering::Relaxed) == HELD {
                yield_thread();
            }
            assert_eq!(word.word.load(Ordering::Relaxed), SLEPT);
            // As `unlock` does that saw HELD: the sleeper is not woken.
            word.word.store(FREE, Ordering::Release);
            sleeper.join().unwrap();
        });
        assert_ne!(word.word.load(Ordering::Relaxed), FREE, "the sleeper has it");
    }
}

#[cfg(all(test, loom))]
mod models {
    use super::Word;
    use crate::layers::base::sync::{Arc, UnsafeCell, model, spawn_modelled};

    struct Locked(Word, UnsafeCell<u32>);

    // SAFETY: the cell is used with the lock held, which the model checks.
    unsafe impl Sync for Locked {}
    // SAFETY: as above.
    unsafe impl Send for Locked {}

    impl Locked {
        fn count(&self) {
            self.0.lock();
            // SAFETY: the lock is held.
            self.1.with_mut(|count| unsafe { *count += 1 });
            self.0.unlock();
        }
    }

    /// So many threads count in the cell, so often each.
    fn count(threads: u32, times: u32) {
        model(move || {
            let locked = Arc::new(Locked(Word::new(), UnsafeCell::new(0)));
            let others: Vec<_> = (1..threads)
                .map(|_| {
                    let locked = locked.clone();
                    spawn_modelled(move || (0..times).for_each(|_| locked.count()))
                })
                .collect();
            (0..times).for_each(|_| locked.count());
            others.into_iter().for_each(|other| other.join().unwrap());
            locked.0.lock();
            // SAFETY: the lock is held.
            locked.1.with(|count| assert_eq!(unsafe { *count }, threads * times));
            locked.0.unlock();
        });
    }

    #[test]
    fn two_threads_twice_each() {
        count(2, 2);
    }

    #[test]
    fn three_threads() {
        count(3, 1);
    }
}
