//! A global allocator that can count.
//!
//! Counting is off while time is measured: two shared counters cost several nanoseconds an
//! allocation, and more on two threads.
//!
//! # Invariants
//!
//! 1. Every method hands its arguments to `System` unchanged and returns what `System` returned,
//!    so this allocator is sound because `System` is.
//! 2. The counters are statistics; nothing depends on their order, so all are `Relaxed`.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};

static COUNTING: AtomicBool = AtomicBool::new(false);
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static LIVE_BYTES: AtomicI64 = AtomicI64::new(0);

/// The allocator; a binary installs it with `#[global_allocator]`.
#[derive(Debug)]
pub struct Counting;

/// Switches counting on until the guard is dropped.
pub fn count() -> Counted {
    COUNTING.store(true, Relaxed);
    Counted(())
}

/// Counting is on as long as this lives.
#[derive(Debug)]
#[must_use = "counting ends when this is dropped"]
pub struct Counted(());

impl Drop for Counted {
    fn drop(&mut self) {
        COUNTING.store(false, Relaxed);
    }
}

/// Returns the allocations and reallocations counted so far.
pub fn allocations() -> u64 {
    ALLOCATIONS.load(Relaxed)
}

/// Returns the bytes allocated less the bytes freed while counting was on.
///
/// Only the difference of two readings says something, and only when counting was on between
/// them. Bytes are those asked for, without the allocator's own rounding.
pub fn live_bytes() -> i64 {
    LIVE_BYTES.load(Relaxed)
}

fn note(allocations: u64, bytes: i64) {
    if COUNTING.load(Relaxed) {
        ALLOCATIONS.fetch_add(allocations, Relaxed);
        LIVE_BYTES.fetch_add(bytes, Relaxed);
    }
}

// A layout's size is at most isize::MAX.
fn signed(size: usize) -> i64 {
    size as i64
}

// SAFETY: invariant 1.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(1, signed(layout.size()));
        // SAFETY: the caller's promise, by invariant 1.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(1, signed(layout.size()));
        // SAFETY: the caller's promise, by invariant 1.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        note(0, -signed(layout.size()));
        // SAFETY: the caller's promise, by invariant 1.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(1, signed(size) - signed(layout.size()));
        // SAFETY: the caller's promise, by invariant 1.
        unsafe { System.realloc(block, layout, size) }
    }
}
