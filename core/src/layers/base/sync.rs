//! The one place that names the primitives: std and parking_lot, or loom under `--cfg loom`.
//!
//! Everything that a loom model checks goes through here. What it does not check (reference counts
//! of `Arc`, process-wide counters) is std's in both builds.

pub(crate) use std::sync::{Arc, Weak};

pub(crate) use std::thread::panicking;

/// For threads that block: never part of a model.
pub(crate) use std::thread::{
    Scope as ThreadsScope, ScopedJoinHandle, Thread, available_parallelism,
    current as current_thread, park as park_thread, scope as thread_scope,
};

/// As above.
pub(crate) use std::thread::Builder as ThreadBuilder;

/// As above.
#[cfg(not(any(loom, target_family = "wasm")))]
pub(crate) use std::thread::park_timeout as park_timeout_thread;

/// By which a thread sleeps on a lock: see [`lock`](super::lock).
#[cfg(not(loom))]
pub(crate) use parking_lot_core as parking;

#[cfg(all(test, not(loom)))]
pub(crate) use std::thread::yield_now as yield_thread;

/// Process-wide counters: never part of a model.
pub(crate) use std::sync::atomic::{AtomicU32 as GlobalU32, AtomicU64 as GlobalU64};

/// As above.
pub(crate) use std::sync::atomic::AtomicBool as GlobalBool;

/// Process-wide state: never part of a model.
pub(crate) use parking_lot::Mutex as GlobalMutex;

/// As above.
pub(crate) use std::sync::OnceLock as GlobalOnce;

#[cfg(not(loom))]
mod imp {
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
    #[cfg(test)]
    pub(crate) use loom::sync::Condvar;
    pub(crate) use loom::sync::atomic::{
        AtomicBool, AtomicPtr, AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize, Ordering,
        fence,
    };
    pub(crate) use loom::sync::{Mutex, MutexGuard};
    /// A model that stands beside what it checks: with three preemptions, if no other number is set.
    #[cfg(test)]
    pub(crate) fn model(run: impl Fn() + Send + Sync + 'static) {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound.get_or_insert(3);
        builder.check(run);
    }
    #[cfg(test)]
    pub(crate) use loom::thread::spawn as spawn_modelled;

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
}

pub(crate) use imp::*;
