//! Which pool the current thread belongs to, if any, and what it does there.
//!
//! A thread enters once, when it starts, and belongs to its pool to its end.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

thread_local! {
    // Without a destructor, so that it can be read as late as in other values' destructors.
    static PLACE: Cell<Option<Place>> = const { Cell::new(None) };
}

/// Tells pools apart. Never used twice, so an old thread cannot pass for one of a new pool.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct PoolId(u64);

impl PoolId {
    pub(crate) fn next() -> PoolId {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        // Relaxed: only that the numbers differ matters; nothing is published through them.
        PoolId(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// What a pool's thread does.
#[derive(Clone, Copy)]
pub(crate) enum Role {
    /// Polls tasks; the number is its index.
    Worker(usize),
    /// Runs blocking jobs or the timer.
    Helper,
}

#[derive(Clone, Copy)]
struct Place {
    pool: PoolId,
    role: Role,
}

/// Makes the current thread one of the pool's.
pub(crate) fn enter(pool: PoolId, role: Role) {
    PLACE.set(Some(Place { pool, role }));
}

/// Returns the index of the current thread if it is a worker of that pool.
pub(crate) fn worker_of(pool: PoolId) -> Option<usize> {
    match PLACE.get() {
        Some(Place { pool: own, role: Role::Worker(index) }) if own == pool => Some(index),
        _ => None,
    }
}

/// Returns `true` if the current thread is one of that pool, whatever its role.
pub(crate) fn belongs_to(pool: PoolId) -> bool {
    PLACE.get().is_some_and(|place| place.pool == pool)
}

/// Checks that the current thread may block until a future is ready; `call` is the function that
/// blocks it.
///
/// # Panics
///
/// Panics if it polls tasks: of a nursery, or as a worker of any pool.
#[track_caller]
pub(crate) fn assert_may_hold(call: &str) {
    allhome_rt::assert_may_hold(call);
    assert!(
        !matches!(PLACE.get(), Some(Place { role: Role::Worker(_), .. })),
        "`{call}` was called on a worker thread of a ThreadPool: it would block the worker and can \
         deadlock the pool; await the future instead, or call `{call}` in a blocking job"
    );
}
