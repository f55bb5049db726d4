//! The lens: a waker that is lent in place of another for one poll, and sees what takes it.
//!
//! Its clone captures the stack, and is a clone of the waker behind it. So
//!
//! - no future keeps a lens: when none is lent any more, there is nothing of this about;
//! - no waker that is kept wakes the same as a lens, so what registers by
//!   [`will_wake`](Waker::will_wake) takes it anew in each poll: no stack is older than the poll;
//! - wakers of a runtime, of a bound child and of the task that polls a body, are seen as our own are.
//!
//! # Invariants
//!
//! 1. The data pointer of a waker of this file is a [`Lens`], which is there as long as the waker, and
//!    not changed: the waker is lent, and borrows it.
//! 2. [`CURRENT`] is null, or points to the [`Polling`] of a poll that is still running on this thread:
//!    the old value is put back before that goes, also when it unwinds. A thread reads and writes what
//!    a `Polling` has seen only if its `CURRENT` points to it.

#![allow(unsafe_code)]

use super::set::Set;
use super::unwind::{Part, stack_pointer};
use super::{book, capture};
use crate::layers::base::sync::thread_local;
use std::cell::{Cell, RefCell};
use std::mem::ManuallyDrop;
use std::ptr;
use std::task::{Context, RawWaker, RawWakerVTable, Waker};

/// A poll that is looked at.
struct Polling {
    /// Above this address are the frames of what polls.
    limit: usize,
    seen: RefCell<Set>,
}

/// What a lens's waker points to.
struct Lens<'a> {
    inner: &'a Waker,
    polling: *const Polling,
}

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop_lens);

thread_local! {
    static CURRENT: Cell<*const Polling> = const { Cell::new(ptr::null()) };
}

struct Restore(*const Polling);

impl Drop for Restore {
    fn drop(&mut self) {
        CURRENT.with(|current| current.set(self.0));
    }
}

impl Lens<'_> {
    /// Calls `f` with its waker.
    fn lend<R>(&self, f: impl FnOnce(&mut Context<'_>) -> R) -> R {
        // SAFETY: invariant 1: the functions below take a lens, and it is there until this returns.
        let waker = unsafe { Waker::new(ptr::from_ref(self).cast(), &VTABLE) };
        // It is lent, and so not dropped.
        let waker = ManuallyDrop::new(waker);
        f(&mut Context::from_waker(&waker))
    }

    /// Notes the stack, if the clone or wake is of the present poll of this thread.
    #[inline(never)]
    fn capture(&self) {
        // Where the thread ends there is no poll.
        let current = CURRENT.with(Cell::get);
        if !ptr::eq(current, self.polling) {
            return;
        }
        // SAFETY: invariant 2: it is there, and this thread alone uses it.
        let polling = unsafe { &*current };
        // Borrowed by what captures: it has cloned the waker itself.
        if let Ok(mut seen) = polling.seen.try_borrow_mut() {
            let part = Part { from: stack_pointer(), limit: polling.limit };
            // SAFETY: they are those of this call, and of the poll (invariant 2).
            seen.insert(unsafe { capture::stack(part) });
        }
    }
}

/// Polls by a lens for this waker. If the poll is pending, its mark has what was seen.
#[inline(never)]
pub(crate) fn poll<R>(
    inner: &Waker,
    is_pending: impl FnOnce(&R) -> bool,
    f: impl FnOnce(&mut Context<'_>) -> R,
) -> R {
    let polling = Polling { limit: stack_pointer(), seen: RefCell::default() };
    let restore = Restore(CURRENT.with(|current| current.replace(&raw const polling)));
    let polled = Lens { inner, polling: &raw const polling }.lend(f);
    drop(restore);
    if is_pending(&polled) {
        book::note(&polling.seen.into_inner());
    }
    polled
}

/// Polls a part of the present poll by a lens for this waker, which is a combinator's own, and returns
/// what it has seen. If the present poll is not looked at, it is the waker itself.
#[inline(never)]
pub(crate) fn poll_part<R>(
    cx: &mut Context<'_>,
    f: impl FnOnce(&mut Context<'_>) -> R,
) -> (R, Option<Set>) {
    let current = CURRENT.with(Cell::get);
    if current.is_null() || is_lens(cx.waker()) {
        return (f(cx), None);
    }
    // SAFETY: invariant 2: it is there, and what is read of it does not change.
    let limit = unsafe { (*current).limit };
    let polling = Polling { limit, seen: RefCell::default() };
    let restore = Restore(CURRENT.with(|current| current.replace(&raw const polling)));
    let polled = Lens { inner: cx.waker(), polling: &raw const polling }.lend(f);
    drop(restore);
    (polled, Some(polling.seen.into_inner()))
}

pub(crate) fn is_lens(waker: &Waker) -> bool {
    ptr::eq(waker.vtable(), &VTABLE)
}

/// Returns the waker behind a lens, or else the waker itself.
pub(crate) fn behind(waker: &Waker) -> &Waker {
    if !is_lens(waker) {
        return waker;
    }
    // SAFETY: invariant 1: the lens is there as long as its waker, and so is what it borrows.
    let lens: &Lens<'_> = unsafe { &*waker.data().cast() };
    lens.inner
}

/// As [`behind`], for an await that finds the waker that it has kept: it is seen as if it had taken the
/// waker.
#[inline]
pub(crate) fn seen(waker: &Waker) -> &Waker {
    if is_lens(waker) {
        // SAFETY: invariant 1.
        unsafe { lens(waker.data()) }.capture();
    }
    behind(waker)
}

/// # Safety
///
/// For this function and the next two: `data` comes from a waker of this file, which still exists.
unsafe fn lens<'a>(data: *const ()) -> &'a Lens<'a> {
    // SAFETY: invariant 1.
    unsafe { &*data.cast() }
}

unsafe fn clone(data: *const ()) -> RawWaker {
    // SAFETY: the caller's waker.
    let lens = unsafe { lens(data) };
    lens.capture();
    let inner = ManuallyDrop::new(lens.inner.clone());
    RawWaker::new(inner.data(), inner.vtable())
}

unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: the caller's waker.
    let lens = unsafe { lens(data) };
    lens.capture();
    lens.inner.wake_by_ref();
}

/// A lens is lent: no waker of it is owned, so none is consumed.
unsafe fn wake(data: *const ()) {
    // SAFETY: the caller's waker.
    unsafe { wake_by_ref(data) };
}

unsafe fn drop_lens(_: *const ()) {}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{behind, is_lens, poll, poll_part};
    use crate::layers::base::stacks::read;
    use crate::layers::base::sync::{Arc, AtomicUsize, Ordering, thread_scope};
    use crate::layers::base::wait_mark::{Kind, Poll as Noted, on};
    use std::task::{Context, Poll, Wake, Waker};

    #[derive(Default)]
    struct Counts(AtomicUsize);

    impl Wake for Counts {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn waker() -> (Arc<Counts>, Waker) {
        let counts = Arc::new(Counts::default());
        (counts.clone(), counts.into())
    }

    fn seen(inner: &Waker, f: impl FnOnce(&mut Context<'_>)) -> usize {
        let noted = Noted::begin();
        poll(inner, |()| true, |cx| f(cx));
        read(noted.end()).1.len()
    }

    #[test]
    fn what_is_kept_is_the_waker_behind_it() {
        let (counts, inner) = waker();
        let mut kept = None;
        let stacks = seen(&inner, |cx| {
            assert!(is_lens(cx.waker()) && behind(cx.waker()).will_wake(&inner));
            assert!(!cx.waker().will_wake(&inner));
            kept = Some(cx.waker().clone());
        });
        let kept = kept.unwrap();
        assert!(!is_lens(&kept) && kept.will_wake(&inner));
        assert_eq!((stacks, Arc::strong_count(&counts)), (1, 3));
        kept.wake();
        assert_eq!(counts.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn each_place_is_one_stack_however_often_it_registers() {
        let (counts, inner) = waker();
        let stacks = seen(&inner, |cx| {
            for _ in 0..3 {
                drop(cx.waker().clone());
            }
            cx.waker().wake_by_ref();
        });
        assert_eq!((stacks, counts.0.load(Ordering::Relaxed)), (2, 1));
        assert_eq!(seen(&inner, |_| ()), 0);
    }

    #[test]
    fn the_mark_of_the_poll_is_kept_beside_the_stacks() {
        let (_, inner) = waker();
        let noted = Noted::begin();
        let polled = poll(&inner, Poll::<()>::is_pending, |cx| {
            drop(cx.waker().clone());
            on(Kind::Permit, 7);
            Poll::Pending
        });
        assert!(polled.is_pending());
        let (mark, stacks) = read(noted.end());
        assert_eq!((mark.kind(), mark.object(), stacks.len()), (Some(Kind::Permit), 7, 1));
    }

    #[test]
    fn another_thread_and_an_inner_poll_are_let_through_unseen() {
        let (counts, inner) = waker();
        let stacks = seen(&inner, |cx| {
            let waker = cx.waker();
            thread_scope(|scope| scope.spawn(|| waker.clone()).join().map(Waker::wake)).unwrap();
            let (_, other) = super::tests::waker();
            assert_eq!(seen(&other, |_| drop(waker.clone())), 0);
        });
        assert_eq!((stacks, counts.0.load(Ordering::Relaxed)), (0, 1));
    }

    #[test]
    fn a_part_with_a_waker_of_its_own_is_seen() {
        let ((_, inner), (own, combinator)) = (waker(), waker());
        let stacks = seen(&inner, |_| {
            let mut cx = Context::from_waker(&combinator);
            let (waker, seen) = poll_part(&mut cx, |cx| cx.waker().clone());
            waker.wake();
            assert_eq!(seen.unwrap().numbers().len(), 1);
        });
        assert_eq!((stacks, own.0.load(Ordering::Relaxed)), (0, 1));
        let mut cx = Context::from_waker(&combinator);
        assert!(!poll_part(&mut cx, |cx| is_lens(cx.waker())).0);
    }

    #[test]
    fn a_poll_that_panics_leaves_no_lens() {
        let (_, inner) = waker();
        let polled = std::panic::catch_unwind(|| poll(&inner, |()| true, |_| panic!("on purpose")));
        assert!(polled.is_err());
        let mut cx = Context::from_waker(&inner);
        assert!(!poll_part(&mut cx, |cx| is_lens(cx.waker())).0);
    }
}
