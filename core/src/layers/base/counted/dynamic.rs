//! References to a counted object of which no more is known than a trait: what `Weak<dyn Trait>` is
//! of std's.
//!
//! By them a lower layer reaches the group that it belongs to.
//!
//! # Invariants
//!
//! 1. `counts` is the beginning of the block of a counted object, and the functions beside it were
//!    made for the type of just that.
//! 2. A [`WeakDyn`] is counted in `weak`, as a [`Weak`] is, so block and value are there. A [`MeDyn`]
//!    stands in the value of its block, as a [`Me`] does.

#![allow(unsafe_code)]

use super::{Block, Counted, Counts, Me, Weak, count_up, give_up_weak};
#[cfg(loom)]
use crate::layers::base::sync::Ordering;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::ptr::NonNull;

/// A counted object that may be known by a trait alone.
pub(crate) trait View<D: ?Sized>: Counted {
    /// Returns the object itself.
    fn view(&self) -> &D;
}

/// Keeps the value, of which only the trait `D` is known.
#[must_use]
pub(crate) struct WeakDyn<D: ?Sized> {
    value: NonNull<D>,
    counts: NonNull<Counts>,
    free: unsafe fn(NonNull<Counts>),
}

/// The way from a value to a [`WeakDyn`] of it.
pub(crate) struct MeDyn<D: ?Sized> {
    counts: NonNull<Counts>,
    weak: unsafe fn(NonNull<Counts>) -> WeakDyn<D>,
}

// SAFETY: what is shared through it is the value, which is Send and Sync, as is all that is counted.
unsafe impl<D: ?Sized + Send + Sync> Send for WeakDyn<D> {}
// SAFETY: as above.
unsafe impl<D: ?Sized + Send + Sync> Sync for WeakDyn<D> {}
// SAFETY: as above.
unsafe impl<D: ?Sized + Send + Sync> Send for MeDyn<D> {}
// SAFETY: as above.
unsafe impl<D: ?Sized + Send + Sync> Sync for MeDyn<D> {}

impl<T: Counted> Weak<T> {
    /// Forgets the type.
    pub(crate) fn into_dyn<D: ?Sized>(self) -> WeakDyn<D>
    where
        T: View<D>,
    {
        let at = ManuallyDrop::new(self).0;
        // SAFETY: the reference was counted, and is the new one's.
        unsafe { uncounted(at) }
    }
}

impl<T: Counted> Me<T> {
    /// Forgets the type. The result stands in the same value as this.
    pub(crate) fn to_dyn<D: ?Sized>(&self) -> MeDyn<D>
    where
        T: View<D>,
    {
        MeDyn { counts: self.0.cast(), weak: counted::<T, D> }
    }
}

/// # Safety
///
/// The block is of a `T`, and there is a weak reference to it that is counted and becomes this one.
unsafe fn uncounted<T: View<D>, D: ?Sized>(at: NonNull<Block<T>>) -> WeakDyn<D> {
    // SAFETY: the reference keeps the block.
    let block = unsafe { at.as_ref() };
    WeakDyn { value: NonNull::from(block.value.view()), counts: at.cast(), free: free::<T> }
}

/// Makes one more weak reference.
///
/// # Safety
///
/// The block is of a `T`, and is there.
unsafe fn counted<T: View<D>, D: ?Sized>(at: NonNull<Counts>) -> WeakDyn<D> {
    // SAFETY: the block begins with its counts, and is there.
    count_up(&unsafe { at.as_ref() }.weak);
    // SAFETY: as above, and it was just counted.
    unsafe { uncounted::<T, D>(at.cast()) }
}

/// # Safety
///
/// The block is of a `T`, and no reference to it is left.
unsafe fn free<T: Counted>(at: NonNull<Counts>) {
    // SAFETY: the caller's promise; it came from a box. What it owned is dropped.
    drop(unsafe { Box::from_raw(at.cast::<Block<T>>().as_ptr()) });
}

impl<D: ?Sized> MeDyn<D> {
    pub(crate) fn weak(&self) -> WeakDyn<D> {
        // SAFETY: invariants 1 and 2.
        unsafe { (self.weak)(self.counts) }
    }

    /// Loom may switch here, and finds a defect if no strong reference is left. The caller uses a
    /// pointer to the value that it keeps by other means than a reference.
    #[inline(always)]
    pub(crate) fn is_kept(&self) {
        #[cfg(loom)]
        assert!(
            // SAFETY: a `MeDyn` is borrowed (invariant 2).
            unsafe { self.counts.as_ref() }.strong.load(Ordering::Relaxed) > 0,
            "it is used by a pointer, and nothing keeps it"
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
    fn drop(&mut self) {
        // SAFETY: this reference is counted until here.
        if give_up_weak(unsafe { self.counts.as_ref() }) {
            // SAFETY: invariant 1; it was the last.
            unsafe { (self.free)(self.counts) };
        }
    }
}
