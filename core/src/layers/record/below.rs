//! A record's link in the stack or the chain of the woken, and its [`Mark`] while it stands in
//! neither.
//!
//! A record is woken and queued, or it waits, or it is polled; the link is for the first and the
//! mark for the second, so they share a word. Of a child that has a task of the runtime for its own
//! it is always the mark, for such a one is in no stack.
//!
//! # Memory ordering
//!
//! The claim's holder alone writes it. A look reads it without the claim, and then looks again
//! whether the record still waits. Each write is a release and that read an acquire: a look that
//! reads a link finds the claim taken after it, because the claim was taken before the link was
//! written.

#![allow(unsafe_code)]

#[cfg(not(loom))]
mod word {
    use crate::layers::base::sync::{AtomicPtr, Ordering};
    use crate::layers::record::Header;
    use crate::layers::record::mark::Mark;
    use std::ptr;

    pub(in crate::layers::record) struct Below(AtomicPtr<Header>);

    impl Below {
        #[inline(always)]
        pub(in crate::layers::record) fn new() -> Below {
            Below(AtomicPtr::new(ptr::null_mut()))
        }

        /// Returns the link. The caller has the claim, and knows that it is one.
        #[inline(always)]
        pub(in crate::layers::record) fn link(&self) -> *mut Header {
            self.0.load(Ordering::Relaxed)
        }

        #[inline(always)]
        pub(in crate::layers::record) fn set_link(&self, link: *mut Header) {
            self.0.store(link, Ordering::Release);
        }

        #[inline(always)]
        pub(in crate::layers::record) fn mark(&self) -> Mark {
            Mark(self.0.load(Ordering::Acquire).addr())
        }

        #[inline(always)]
        pub(in crate::layers::record) fn set_mark(&self, mark: Mark) {
            self.0.store(ptr::without_provenance_mut(mark.0), Ordering::Release);
        }
    }
}

/// A model checks the links, and marks nothing.
#[cfg(loom)]
mod word {
    use crate::layers::base::sync::UnsafeCell;
    use crate::layers::record::Header;
    use crate::layers::record::mark::Mark;
    use std::ptr;

    pub(in crate::layers::record) struct Below(UnsafeCell<*mut Header>);

    impl Below {
        pub(in crate::layers::record) fn new() -> Below {
            Below(UnsafeCell::new(ptr::null_mut()))
        }

        pub(in crate::layers::record) fn link(&self) -> *mut Header {
            // SAFETY: the caller has the claim.
            self.0.with(|link| unsafe { *link })
        }

        pub(in crate::layers::record) fn set_link(&self, link: *mut Header) {
            // SAFETY: the caller has the claim.
            self.0.with_mut(|old| unsafe { *old = link });
        }

        pub(in crate::layers::record) fn mark(&self) -> Mark {
            Mark(0)
        }

        pub(in crate::layers::record) fn set_mark(&self, _: Mark) {}
    }
}

pub(super) use word::Below;
