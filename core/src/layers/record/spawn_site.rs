//! A child's spawn location and its name, if it has one, behind one word.
//!
//! Most children have no name, so a word for it in each header would be one of nine for nothing
//! (docs/DESIGN.md, memory of a parked child).
//!
//! # Invariants
//!
//! 1. The pointer's lowest bit says what it points to: clear, a `Location<'static>`; set, one byte
//!    into a [`Named`] that came from a `Box` and belongs to this spawn site. Both are aligned to
//!    more than a byte.

#![allow(unsafe_code)]

use std::num::NonZeroUsize;
use std::panic::Location;
use std::ptr::NonNull;

/// The bit of invariant 1.
const NAMED: usize = 1;

const _: () = assert!(align_of::<Location<'static>>() > NAMED && align_of::<Named>() > NAMED);

pub(super) struct SpawnSite(NonNull<()>);

struct Named {
    name: Box<str>,
    location: &'static Location<'static>,
}

// SAFETY: it is a shared reference to a `Location`, or a box of one and a string.
unsafe impl Send for SpawnSite {}
// SAFETY: as above.
unsafe impl Sync for SpawnSite {}

impl SpawnSite {
    #[inline]
    pub(super) fn new(name: Option<Box<str>>, location: &'static Location<'static>) -> SpawnSite {
        match name {
            None => SpawnSite(NonNull::from(location).cast()),
            Some(name) => {
                let named = NonNull::from(Box::leak(Box::new(Named { name, location })));
                SpawnSite(named.cast().map_addr(|addr| addr | NAMED))
            }
        }
    }

    pub(super) fn name(&self) -> Option<&str> {
        // SAFETY: invariant 1; the box is this spawn site's, which is borrowed.
        self.named().map(|named| &*unsafe { named.as_ref() }.name)
    }

    #[inline]
    pub(super) fn location(&self) -> &'static Location<'static> {
        match self.named() {
            // SAFETY: as in `name`.
            Some(named) => unsafe { named.as_ref() }.location,
            // SAFETY: invariant 1: it was made of such a reference.
            None => unsafe { self.0.cast::<Location<'static>>().as_ref() },
        }
    }

    #[inline]
    fn named(&self) -> Option<NonNull<Named>> {
        let addr = self.0.addr().get();
        if addr & NAMED == 0 {
            return None;
        }
        let untagged = NonZeroUsize::new(addr & !NAMED).expect("a box is not at address 0");
        Some(self.0.with_addr(untagged).cast())
    }
}

impl Drop for SpawnSite {
    #[inline]
    fn drop(&mut self) {
        if let Some(named) = self.named() {
            // SAFETY: invariant 1: it came from a box, and is dropped once, with its spawn site.
            drop(unsafe { Box::from_raw(named.as_ptr()) });
        }
    }
}
