//! References to a counted object of which no more is known than a trait: what `Weak<dyn Trait>` is
//! of std's.
//!
//! By them a lower layer reaches the group that it belongs to.
//!
//! # Invariants
//!
//! 1. `value` is the value of a counted object, and `counts` those of the same, with which its
//!    block begins.
//! 2. A [`WeakDyn`] is counted in `weak`, as a [`Weak`] is, so block and value are there. A
//!    [`MeDyn`] stands in the value of its block, as a [`Me`] does.

#![allow(unsafe_code)]

use super::{Block, Counted, Counts, Me, Weak, count_up, give_up};
#[cfg(loom)]
use crate::layers::base::sync::Ordering;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::ptr::NonNull;

/// A counted object that may be known by a trait alone.
///
/// # Safety
///
/// `view` returns its argument, with another type. (It is called before the object is there.)
pub(crate) unsafe trait View<D: ?Sized>: Counted {
    fn view(this: NonNull<Self>) -> NonNull<D>;
}

/// Keeps the value, of which only the trait `D` is known.
#[must_use]
pub(crate) struct WeakDyn<D: ?Sized> {
    value: NonNull<D>,
    counts: NonNull<Counts>,
}

/// The way from a value to a [`WeakDyn`] of it.
pub(crate) struct MeDyn<D: ?Sized> {
    value: NonNull<D>,
    counts: NonNull<Counts>,
}

// SAFETY: what is shared through it is the value, which is Send and Sync, as is all that is
// counted.
unsafe impl<D: ?Sized + Send + Sync> Send for WeakDyn<D> {}
// SAFETY: as above.
unsafe impl<D: ?Sized + Send + Sync> Sync for WeakDyn<D> {}
// SAFETY: as above.
unsafe impl<D: ?Sized + Send + Sync> Send for MeDyn<D> {}
// SAFETY: as above.
unsafe impl<D: ?Sized + Send + Sync> Sync for MeDyn<D> {}

/// # Safety
///
/// The block is there, be it that nothing was written into it.
unsafe fn value<T: View<D>, D: ?Sized>(at: NonNull<Block<T>>) -> NonNull<D> {
    let at = at.as_ptr();
    // SAFETY: the caller's promise.
    let value = unsafe { &raw mut (*at).value };
    // SAFETY: it is a part of the block, which is there.
    T::view(unsafe { NonNull::new_unchecked(value) })
}

impl<T: Counted> Weak<T> {
    /// Forgets the type.
    pub(crate) fn into_dyn<D: ?Sized>(self) -> WeakDyn<D>
    where
        T: View<D>,
    {
        // The reference was counted, and is the new one's.
        let at = ManuallyDrop::new(self).0;
        // SAFETY: the reference keeps the block.
        WeakDyn { value: unsafe { value(at) }, counts: at.cast() }
    }
}

impl<T: Counted> Me<T> {
    /// Forgets the type. The result stands in the same value as this.
    pub(crate) fn to_dyn<D: ?Sized>(&self) -> MeDyn<D>
    where
        T: View<D>,
    {
        // SAFETY: a `Me` is made when the block is, and goes with it.
        MeDyn { value: unsafe { value(self.0) }, counts: self.0.cast() }
    }
}

impl<D: ?Sized> MeDyn<D> {
    #[inline]
    pub(crate) fn weak(&self) -> WeakDyn<D> {
        // SAFETY: a `MeDyn` is borrowed (invariant 2).
        count_up(&unsafe { self.counts.as_ref() }.weak);
        WeakDyn { value: self.value, counts: self.counts }
    }

    /// Lets loom switch here, and fails under loom if no strong reference is left. The caller uses
    /// a pointer to the value, which it keeps by other means than a reference.
    #[inline(always)]
    pub(crate) fn is_kept(&self) {
        #[cfg(loom)]
        assert!(
            // SAFETY: a `MeDyn` is borrowed (invariant 2).
            unsafe { self.counts.as_ref() }.strong.load(Ordering::Relaxed) > 0,
            "the value is used by a pointer, and nothing keeps it"
        );
    }
}

impl<D: ?Sized> Deref for WeakDyn<D> {
    type Target = D;

    #[inline(always)]
    fn deref(&self) -> &D {
        // SAFETY: this reference is counted (invariant 2).
        unsafe { self.value.as_ref() }
    }
}

impl<D: ?Sized> Drop for WeakDyn<D> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: this reference is counted until here.
        let counts = unsafe { self.counts.as_ref() };
        // Before the reference is given up: the block may be gone after it.
        let free = counts.free;
        if give_up(&counts.weak) {
            // SAFETY: it was the last, and the function is this block's.
            unsafe { free(self.counts) };
        }
    }
}
