//! The one place that names the primitives: std and parking_lot, or loom under `--cfg loom`.
//!
//! Everything that a loom model checks goes through here. What it does not check (reference counts
//! of `Arc`, process-wide counters) is std's in both builds.

pub(crate) use std::sync::{Arc, Weak};

pub(crate) use std::thread::panicking;

/// For threads that block: never part of a model.
pub(crate) use std::thread::{Thread, current as current_thread, park as park_thread};

/// As above.
#[allow(unused_imports, reason = "what uses it is a feature")]
pub(crate) use std::thread::Builder as ThreadBuilder;

/// Process-wide counters: never part of a model.
pub(crate) use std::sync::atomic::AtomicU64 as GlobalU64;

/// As above.
#[allow(unused_imports, reason = "what uses it is a feature")]
pub(crate) use std::sync::atomic::AtomicBool as GlobalBool;

/// Process-wide state: never part of a model.
pub(crate) use parking_lot::Mutex as GlobalMutex;

/// As above.
pub(crate) use std::sync::OnceLock as GlobalOnce;

#[cfg(not(loom))]
mod imp {
    pub(crate) use parking_lot::MutexGuard;
    pub(crate) use std::sync::atomic::{
        AtomicBool, AtomicPtr, AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize, Ordering,
        fence,
    };
    pub(crate) use std::thread_local;

    /// State of the process that is part of models.
    macro_rules! global {
        (static $name:ident: $type:ty = const { $init:expr };) => {
            static $name: $type = $init;
        };
    }
    pub(crate) use global;

    /// parking_lot's mutex, for a registry, whose lock is held for some tens of nanoseconds, over
    /// and over.
    ///
    /// A thread that finds it held keeps away for as long as the holder needs for several children,
    /// and then for longer. If two threads take turns at it, a dozen cache lines go to and fro for
    /// each child; and parking_lot gives the processor away after 14 pauses, which costs a hundred
    /// times what it waits for.
    pub(crate) struct Mutex<T>(parking_lot::Mutex<T>);

    /// How many pauses there are before each look at a lock that is held; afterwards parking_lot
    /// takes over. A pause is 10 to 40 ns.
    const PAUSES: [u32; 5] = [128, 256, 512, 1024, 1024];

    impl<T> Mutex<T> {
        pub(crate) const fn new(value: T) -> Mutex<T> {
            Mutex(parking_lot::Mutex::new(value))
        }

        #[inline]
        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            match self.0.try_lock() {
                Some(guard) => guard,
                None => self.lock_contended(),
            }
        }

        #[cold]
        fn lock_contended(&self) -> MutexGuard<'_, T> {
            for pauses in PAUSES {
                (0..pauses).for_each(|_| std::hint::spin_loop());
                if !self.0.is_locked() {
                    if let Some(guard) = self.0.try_lock() {
                        return guard;
                    }
                }
            }
            self.0.lock()
        }
    }

    /// Passes the time between two looks at a lock that is held briefly.
    pub(crate) fn rest(tries: u32) {
        match tries {
            // Ever longer, so that the holder can go on with what it does next: a lock that goes to
            // and fro for each hold costs ten times as much.
            0..8 => (0..1 << tries).for_each(|_| std::hint::spin_loop()),
            8..1_000 => std::thread::yield_now(),
            // The holder may be a thread that gets no turn while this one wants it.
            _ => std::thread::sleep(std::time::Duration::from_micros(50)),
        }
    }

    /// `std::cell::UnsafeCell` with loom's interface.
    #[repr(transparent)]
    pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(crate) const fn new(value: T) -> UnsafeCell<T> {
            UnsafeCell(std::cell::UnsafeCell::new(value))
        }

        #[inline(always)]
        pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
            f(self.0.get())
        }

        #[inline(always)]
        pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
            f(self.0.get())
        }
    }
}

#[cfg(loom)]
mod imp {
    pub(crate) use loom::cell::UnsafeCell;
    pub(crate) use loom::sync::MutexGuard;
    pub(crate) use loom::sync::atomic::{
        AtomicBool, AtomicPtr, AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize, Ordering,
        fence,
    };

    /// A model has it for itself.
    macro_rules! global {
        (static $name:ident: $type:ty = const { $init:expr };) => {
            loom::lazy_static! { static ref $name: $type = $init; }
        };
    }
    pub(crate) use global;

    /// loom's does not take `const`.
    macro_rules! local {
        ($(#[$attr:meta])* static $name:ident: $type:ty = const { $init:expr };) => {
            loom::thread_local! { $(#[$attr])* static $name: $type = $init; }
        };
    }
    pub(crate) use local as thread_local;

    /// loom's mutex with parking_lot's interface.
    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Mutex<T> {
            Mutex(loom::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap()
        }
    }
}

pub(crate) use imp::*;
