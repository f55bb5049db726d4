//! No user code runs while a lock is held, and a panic in it leaves everything whole: a
//! value that looks and panics ([`nosy`]) goes through every path of tokens, limits and executors.

#![cfg(debug_assertions)]

mod executors;
mod joiners;
mod limits;
mod nosy;
mod nurseries;
mod raw;
mod tokens;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// One program at a time: a panic without a report belongs to the whole process.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
