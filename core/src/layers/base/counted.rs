//! Strong and weak reference counts, on the atomics of [`sync`](crate::layers::base::sync), so that
//! loom sees them.
//!
//! A counted object has two parts: its *value*, which lives as long as any reference, and what it
//! *owns*, which lives as long as a strong one. So a weak reference always gives access to the
//! value, and to what is owned only if a strong reference still exists. For a nursery's group the
//! value is the engine's state with its lock, and what it owns is what the user handed in. (std's
//! `Arc` has one part, which a weak reference cannot reach, and its counts are invisible to loom,
//! whose own `Arc` has no `Weak`.)
//!
//! The counting is that of std's `Arc`: the strong references together hold one weak one.
//!
//! # Invariants
//!
//! 1. A [`Strong`] is counted in `strong`, a [`Weak`] in `weak`; all strong ones together are one
//!    more of `weak`. The reference that takes `weak` to 0 frees the block.
//! 2. `owned` is there while `strong` is not 0, and is dropped once, by the reference that takes
//!    `strong` to 0.
//! 3. A [`Me`] stands in the value of the block that it points to, and never leaves it: so the
//!    block is there while a `Me` is borrowed.

#![allow(unsafe_code)]

pub(crate) mod dynamic;

use super::guarded::assert_none;
use super::panic;
use super::sync::{AtomicUsize, Ordering, UnsafeCell, panicking};
use std::mem::{ManuallyDrop, MaybeUninit};
use std::ops::Deref;
use std::ptr::{self, NonNull};

/// The value of a counted object.
pub(crate) trait Counted: Send + Sync + Sized {
    /// The part that lives as long as a strong reference.
    type Owned: Send + Sync;
}

/// How many references there are.
struct Counts {
    strong: AtomicUsize,
    weak: AtomicUsize,
    /// Frees the block, for a caller that does not know its type.
    free: unsafe fn(NonNull<Counts>),
}

/// It begins with the counts, so that a pointer to it is one to them.
#[repr(C)]
struct Block<T: Counted> {
    counts: Counts,
    owned: UnsafeCell<MaybeUninit<T::Owned>>,
    value: T,
}

/// Keeps the value, and what it owns.
#[must_use]
pub(crate) struct Strong<T: Counted>(NonNull<Block<T>>);

/// Keeps the value.
#[must_use]
pub(crate) struct Weak<T: Counted>(NonNull<Block<T>>);

/// The way from a value to its counts (invariant 3).
pub(crate) struct Me<T: Counted>(NonNull<Block<T>>);

// SAFETY: what is shared through it is `T` and `T::Owned`, both Send and Sync.
unsafe impl<T: Counted> Send for Strong<T> {}
// SAFETY: as above.
unsafe impl<T: Counted> Sync for Strong<T> {}
// SAFETY: as above.
unsafe impl<T: Counted> Send for Weak<T> {}
// SAFETY: as above.
unsafe impl<T: Counted> Sync for Weak<T> {}
// SAFETY: as above.
unsafe impl<T: Counted> Send for Me<T> {}
// SAFETY: as above.
unsafe impl<T: Counted> Sync for Me<T> {}

impl Counts {
    fn new<T: Counted>() -> Counts {
        Counts { strong: AtomicUsize::new(0), weak: AtomicUsize::new(1), free: free::<T> }
    }
}

/// # Safety
///
/// The block is of a `T`, and no reference to it is left. What it owned was dropped.
unsafe fn free<T: Counted>(at: NonNull<Counts>) {
    // SAFETY: the caller's promise; it came from a box.
    drop(unsafe { Box::from_raw(at.cast::<Block<T>>().as_ptr()) });
}

/// # Safety
///
/// The caller has a reference, or a [`Me`], of this block for as long as the result is used.
unsafe fn block<'a, T: Counted>(at: NonNull<Block<T>>) -> &'a Block<T> {
    // SAFETY: the caller's promise; nothing makes a `&mut` to a whole block.
    unsafe { at.as_ref() }
}

/// Counts one more reference. As in std's `Arc`: more than the address space can hold are a leak of
/// them.
fn count_up(count: &AtomicUsize) {
    // Relaxed: the caller has a reference already.
    if count.fetch_add(1, Ordering::Relaxed) > isize::MAX as usize {
        std::process::abort();
    }
}

impl<T: Counted> Strong<T> {
    /// Creates an object: first what it owns, which may keep a weak reference that is not used yet,
    /// and then the value.
    pub(crate) fn new_cyclic(
        owned: impl FnOnce(&Me<T>) -> T::Owned,
        value: impl FnOnce(Me<T>, &T::Owned) -> T,
    ) -> Strong<T> {
        let at = NonNull::from(Box::leak(Box::<Block<T>>::new_uninit())).cast::<Block<T>>();
        let place = at.as_ptr();
        // SAFETY: the box is there, leaked, and no other code has it; the same holds for the next
        // two.
        let counts = unsafe { &raw mut (*place).counts };
        // SAFETY: as above.
        let place_of_owned = unsafe { &raw mut (*place).owned };
        // SAFETY: as above.
        let place_of_value = unsafe { &raw mut (*place).value };
        // SAFETY: as above.
        unsafe { write(counts, Counts::new::<T>) };
        // A panic in here, or below, leaks the place.
        // SAFETY: as above; weak references touch only the counts until this function has finished.
        unsafe { write(place_of_owned, || UnsafeCell::new(MaybeUninit::new(owned(&Me(at))))) };
        // SAFETY: it was written, and no other code has it yet.
        let owned = unsafe { &*place_of_owned };
        // SAFETY: as above.
        unsafe { write(place_of_value, || owned.with(|owned| value(Me(at), made(owned)))) };
        // SAFETY: all three parts were written.
        let block = unsafe { block(at) };
        // Release: pairs with `upgrade`.
        block.counts.strong.store(1, Ordering::Release);
        Strong(at)
    }

    /// Returns what the object owns.
    pub(crate) fn owned(&self) -> &T::Owned {
        // SAFETY: this reference is counted (invariant 2).
        unsafe { owned(self.0) }
    }

    pub(crate) fn downgrade(&self) -> Weak<T> {
        weak(self.0)
    }

    /// Drops a reference that is not the last: the caller knows of another, which stays. This drops
    /// nothing that is owned, so a lock may be held.
    pub(crate) fn release_shared(self) {
        let at = ManuallyDrop::new(self).0;
        // SAFETY: the reference that is dropped keeps the block until here.
        // Release: as in `drop`.
        let old = unsafe { block(at) }.counts.strong.fetch_sub(1, Ordering::Release);
        assert!(old > 1, "the caller knows of another strong reference");
    }
}

/// Calls `f` in a stack frame of its own, which is gone afterwards: the parts of an object are
/// large.
///
/// # Safety
///
/// The place is the caller's alone, and nothing stands in it.
#[inline(never)]
unsafe fn write<P>(place: *mut P, f: impl FnOnce() -> P) {
    // SAFETY: the caller's promise.
    unsafe { place.write(f()) };
}

/// Returns the content of a place that was written.
fn made<'a, P>(place: *const MaybeUninit<P>) -> &'a P {
    // SAFETY: `new_cyclic`, the only caller, has written it just before.
    let place = unsafe { &*place };
    // SAFETY: as above.
    unsafe { place.assume_init_ref() }
}

/// # Safety
///
/// `strong` is not 0 for as long as the result is used.
unsafe fn owned<'a, T: Counted>(at: NonNull<Block<T>>) -> &'a T::Owned {
    // SAFETY: a strong reference keeps the block.
    let block = unsafe { block(at) };
    // Loom may switch here, so a defect shows.
    #[cfg(loom)]
    assert!(block.counts.strong.load(Ordering::Relaxed) > 0, "what is owned is gone");
    block.owned.with(|owned| {
        // SAFETY: invariant 2; nothing makes a `&mut` to it while `strong` is not 0.
        let owned = unsafe { &*owned };
        // SAFETY: invariant 2.
        unsafe { owned.assume_init_ref() }
    })
}

fn weak<T: Counted>(at: NonNull<Block<T>>) -> Weak<T> {
    // SAFETY: the callers have a reference, or a `Me`.
    count_up(&unsafe { block(at) }.counts.weak);
    Weak(at)
}

fn upgrade<T: Counted>(at: NonNull<Block<T>>) -> Option<Strong<T>> {
    // SAFETY: the callers have a reference, or a `Me`.
    let strong = &unsafe { block(at) }.counts.strong;
    let mut now = strong.load(Ordering::Relaxed);
    while now != 0 {
        // Acquire: pairs with the store of `new_cyclic`.
        match strong.compare_exchange_weak(now, now + 1, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => return Some(Strong(at)),
            Err(other) => now = other,
        }
    }
    None
}

impl<T: Counted> Weak<T> {
    /// Returns `true` if both refer to the same object.
    pub(crate) fn is(&self, value: &T) -> bool {
        ptr::eq(&**self, value)
    }
}

impl<T: Counted> Me<T> {
    /// Returns how many strong references there are: a figure that may be old at once.
    pub(crate) fn strong_count(&self) -> usize {
        // SAFETY: the object is there, as long as this is.
        unsafe { block(self.0) }.counts.strong.load(Ordering::Relaxed)
    }

    pub(crate) fn weak(&self) -> Weak<T> {
        weak(self.0)
    }

    /// Returns a strong reference, if one still exists.
    pub(crate) fn strong(&self) -> Option<Strong<T>> {
        upgrade(self.0)
    }

    /// Returns what the object owns.
    ///
    /// # Safety
    ///
    /// A strong reference exists, here or elsewhere, for as long as the result is used.
    pub(crate) unsafe fn owned(&self) -> &T::Owned {
        // SAFETY: the caller's promise.
        unsafe { owned(self.0) }
    }
}

/// Gives a weak reference up. Returns `true` if it was the last: the caller frees the block.
/// Another thread may have freed it otherwise, so this takes the count alone.
fn give_up(weak: &AtomicUsize) -> bool {
    // AcqRel: what every other holder did comes before the block is freed.
    weak.fetch_sub(1, Ordering::AcqRel) == 1
}

impl<T: Counted> Deref for Strong<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: this reference is counted.
        &unsafe { block(self.0) }.value
    }
}

impl<T: Counted> Deref for Weak<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: this reference is counted.
        &unsafe { block(self.0) }.value
    }
}

impl<T: Counted> Clone for Strong<T> {
    fn clone(&self) -> Strong<T> {
        // SAFETY: this reference is counted.
        count_up(&unsafe { block(self.0) }.counts.strong);
        Strong(self.0)
    }
}

impl<T: Counted> Clone for Weak<T> {
    fn clone(&self) -> Weak<T> {
        weak(self.0)
    }
}

impl<T: Counted> Drop for Strong<T> {
    fn drop(&mut self) {
        // SAFETY: this reference is counted until here.
        // AcqRel: what every other holder did comes before what is owned is dropped.
        if unsafe { block(self.0) }.counts.strong.fetch_sub(1, Ordering::AcqRel) == 1 {
            drop_owned(self.0);
        }
    }
}

#[cold]
fn drop_owned<T: Counted>(at: NonNull<Block<T>>) {
    // The weak reference that the strong ones had together.
    let _block = Weak(at);
    if !panicking() {
        assert_none("what a nursery owns is dropped");
    }
    // SAFETY: the weak reference above keeps the block.
    let owned = &unsafe { block(at) }.owned;
    let owned = owned.with_mut(|owned| {
        // SAFETY: the count has just come to 0, and does not leave it: no other reference reaches
        // it.
        let owned = unsafe { &*owned };
        // SAFETY: it is there (invariant 2), and is read once.
        unsafe { owned.assume_init_read() }
    });
    if let Err(payload) = panic::catch_drop(owned) {
        panic::discard(payload);
    }
}

impl<T: Counted> Drop for Weak<T> {
    fn drop(&mut self) {
        // SAFETY: this reference is counted until here.
        if give_up(&unsafe { block(self.0) }.counts.weak) {
            // SAFETY: no reference is left, so what it owned is dropped.
            unsafe { free::<T>(self.0.cast()) };
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Counted, Me, Strong};
    use crate::layers::base::sync::Arc;

    struct Value {
        me: Me<Value>,
        _alive: Arc<()>,
    }

    impl Counted for Value {
        type Owned = Arc<()>;
    }

    fn make() -> (Strong<Value>, Arc<()>, Arc<()>) {
        let (value, owned) = (Arc::new(()), Arc::new(()));
        let strong =
            Strong::new_cyclic(|_| owned.clone(), |me, _| Value { me, _alive: value.clone() });
        (strong, value, owned)
    }

    #[test]
    fn the_last_strong_reference_drops_what_is_owned_and_the_last_weak_one_the_value() {
        let (strong, value, owned) = make();
        let (weak, other) = (strong.downgrade(), strong.clone());
        drop(strong);
        assert_eq!(Arc::strong_count(other.owned()), 2);
        drop(other);
        assert_eq!((Arc::strong_count(&owned), Arc::strong_count(&value)), (1, 2));
        assert!(weak.me.strong().is_none());
        let again = weak.me.weak();
        drop(weak);
        assert_eq!(Arc::strong_count(&value), 2);
        drop(again);
        assert_eq!(Arc::strong_count(&value), 1);
    }

    #[test]
    fn without_a_weak_reference_all_goes_at_once() {
        let (strong, value, owned) = make();
        let upgraded = strong.downgrade().me.strong().unwrap();
        drop(strong);
        assert_eq!(Arc::strong_count(&owned), 2);
        drop(upgraded);
        assert_eq!((Arc::strong_count(&owned), Arc::strong_count(&value)), (1, 1));
    }

    #[test]
    fn a_reference_that_is_not_the_last_may_be_released_anywhere() {
        let (strong, _value, owned) = make();
        strong.clone().release_shared();
        assert_eq!(Arc::strong_count(&owned), 2);
        drop(strong);
        assert_eq!(Arc::strong_count(&owned), 1);
    }
}
