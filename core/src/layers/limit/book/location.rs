//! A source location that a row can change while other threads read it.
//!
//! A table of locations, with an index in the row, would be safe code; but each acquire would have
//! to look its place up in it.
//!
//! # Invariants
//!
//! 1. The pointer was made of a `&'static Location<'static>`.

#![allow(unsafe_code)]

use crate::layers::base::sync::{AtomicPtr, Ordering};
use std::panic::Location;
use std::ptr;

pub(super) struct AtomicLocation(AtomicPtr<Location<'static>>);

impl AtomicLocation {
    #[track_caller]
    pub(super) fn new() -> AtomicLocation {
        AtomicLocation(AtomicPtr::new(ptr::from_ref(Location::caller()).cast_mut()))
    }

    #[inline(always)]
    pub(super) fn set(&self, location: &'static Location<'static>) {
        // Relaxed: a field of a row (invariant 3 of the book); the location itself is a constant.
        self.0.store(ptr::from_ref(location).cast_mut(), Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> &'static Location<'static> {
        // Relaxed: as above.
        let location = self.0.load(Ordering::Relaxed);
        // SAFETY: invariant 1: it is there for ever, and nothing changes it.
        unsafe { &*location }
    }
}
