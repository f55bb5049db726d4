//! A child with a value: what its future puts down, and what its handle takes.
//!
//! The two share a cell, and each has one token of it: a [`Giver`] goes from the future to the
//! scope's slot, and a [`Taker`] is the handle's, on any thread. What they tell each other is one word:
//!
//! | state     | `word`                | `value`     | `ending` | what it is                            |
//! |-----------|-----------------------|-------------|----------|---------------------------------------|
//! | running   | 0 or WAITED           | none        | none     | the child has not returned            |
//! | returned  | 0 or WAITED           | some        | none     | it has returned, and its future is being dropped |
//! | published | PUBLISHED, then LEFT  | if it is Ok | some     | it has left; the handle may take it   |
//! | taken     | PUBLISHED, then LEFT  | none        | none     | the handle has taken it               |
//! | unwanted  | GONE                  | none        | none     | the handle is gone                    |
//!
//! Why unsafe code: a lock for the three of these steps, and a count for the two tokens, are six
//! read-modify-writes a child; this is one, if the handle does not wait.
//!
//! # Invariants
//!
//! 1. `value` and `ending` are the giver's until the step that sets PUBLISHED, and the taker's after
//!    that; or the giver's again, if that step finds GONE. A taker sets GONE in a step that finds the
//!    word as it was when it looked: what was published by then it has taken before that step, and
//!    after it touches nothing.
//! 2. The cell is there as long as one of its tokens. The giver goes with the step that sets LEFT, or
//!    that finds GONE; the taker with the one that sets GONE, or that finds LEFT. The later of the two
//!    frees the cell. The other one does not touch it after its step, in which it may be freed.
//! 3. A joiner is kept under its lock, and then WAITED is set. So either the step that sets PUBLISHED
//!    finds WAITED, and the giver looks for the joiner before it leaves, or the taker finds PUBLISHED,
//!    and looks whether its joiner is there still. What finds it under the lock has it.

#![allow(unsafe_code)]

mod taker;

pub(super) use taker::Taker;

use crate::layers::base::guarded::{Foreign, Guarded};
use crate::layers::base::outcome::Ending;
use crate::layers::base::panic;
use crate::layers::base::panic::Payload;
use crate::layers::base::sync::{AtomicU8, Ordering, UnsafeCell};
use crate::layers::record::joiner::{SharedList, SharedTally};
use std::fmt;
use std::mem;
use std::ptr::NonNull;
use std::task::Waker;

/// The outcome is there.
const PUBLISHED: u8 = 1;
/// There may be a joiner.
const WAITED: u8 = 2;
/// The taker is gone.
const GONE: u8 = 4;
/// The giver is gone.
const LEFT: u8 = 8;

pub(super) struct JoinCell<T> {
    head: Head,
    outcome: UnsafeCell<Kept<T>>,
}

/// What of a cell does not depend on the value's type.
pub struct Head {
    word: AtomicU8,
    joiner: Guarded<Option<Foreign<Joiner>>>,
}

struct Kept<T> {
    value: Option<Foreign<T>>,
    ending: Option<Foreign<Ending>>,
}

// SAFETY: `outcome` is one token's at a time (invariant 1), and goes with it to its thread.
unsafe impl<T: Send> Sync for JoinCell<T> {}

/// What hears that the outcome is there.
enum Joiner {
    Task(Waker),
    /// Of a task that waits for many, and takes each as it ends.
    List(SharedList),
    /// Of a task that waits for all of many.
    Tally(SharedTally),
}

impl Joiner {
    /// Returns what is woken.
    fn told(self, key: usize, is_ok: bool) -> Option<Foreign<Waker>> {
        match self {
            Joiner::Task(waker) => Some(Foreign::new(waker)),
            Joiner::List(list) => list.push(key),
            Joiner::Tally(tally) => tally.ended(key, is_ok),
        }
    }
}

/// Creates a cell.
pub(super) fn pair<T>() -> (Giver<JoinCell<T>>, Taker<T>) {
    let cell = Box::new(JoinCell {
        head: Head { word: AtomicU8::new(0), joiner: Guarded::new(None) },
        outcome: UnsafeCell::new(Kept { value: None, ending: None }),
    });
    let at = NonNull::from(Box::leak(cell));
    (Giver(at), Taker::new(at))
}

/// Frees a cell.
///
/// # Safety
///
/// There was one token left, the caller's, which is gone.
unsafe fn free<J: ?Sized>(at: NonNull<J>) {
    // SAFETY: it was leaked by `pair`, and the other token is gone (invariant 2).
    drop(unsafe { Box::from_raw(at.as_ptr()) });
}

/// The giver goes.
///
/// # Safety
///
/// It is the caller's, which uses it no more.
unsafe fn leave<J: ?Sized + Publish>(at: NonNull<J>) {
    // SAFETY: invariant 2. The reference is not used after the step after which the taker may free.
    let head = unsafe { at.as_ref() }.head();
    // AcqRel: pairs with the step in which the taker goes, for the end of the cell.
    if head.word.fetch_or(LEFT, Ordering::AcqRel) & GONE != 0 {
        // SAFETY: the taker was gone.
        unsafe { free(at) }
    }
}

/// How a child ended, for the code that polls it.
pub struct Done(pub(super) Ending);

impl fmt::Debug for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Done")
    }
}

/// The child's token.
pub struct Giver<J: ?Sized + Publish>(NonNull<J>);

// SAFETY: it is a reference to the cell, and may be what drops it, as an `Arc` is.
unsafe impl<J: ?Sized + Publish + Send + Sync> Send for Giver<J> {}
// SAFETY: as above.
unsafe impl<J: ?Sized + Publish + Send + Sync> Sync for Giver<J> {}

impl<T> Giver<JoinCell<T>> {
    /// Keeps the value that the child has returned; drops it if no handle can take it.
    #[inline(always)]
    pub(super) fn keep(&mut self, value: T) -> Result<(), Payload> {
        if !self.is_wanted() {
            // It is the child's own: a panic of its destructor is one of the child.
            return panic::catch_drop(value);
        }
        // SAFETY: invariant 2.
        let cell = unsafe { self.0.as_ref() };
        // SAFETY: invariant 1: it is not published while there is the giver.
        let old =
            cell.outcome.with_mut(|kept| unsafe { (*kept).value.replace(Foreign::new(value)) });
        drop(old);
        Ok(())
    }

    /// Forgets its type: `erase` returns what it is given, unsized.
    pub(super) fn erase<J>(self, erase: impl FnOnce(NonNull<JoinCell<T>>) -> NonNull<J>) -> Giver<J>
    where
        J: ?Sized + Publish,
    {
        let at = erase(self.0);
        mem::forget(self);
        Giver(at)
    }
}

impl<J: ?Sized + Publish> Giver<J> {
    /// Returns `true` if there is a handle that can take the outcome.
    #[inline(always)]
    pub(super) fn is_wanted(&self) -> bool {
        // SAFETY: invariant 2. Acquire: pairs with the step in which the taker goes.
        unsafe { self.0.as_ref() }.head().word.load(Ordering::Acquire) & GONE == 0
    }

    /// Gives the outcome out, or gives it back if no handle can take it. The child has left.
    #[inline(always)]
    fn publish(self, done: Done) -> Option<Done> {
        let (at, is_ok) = (self.0, matches!(done.0, Ending::Ok));
        mem::forget(self);
        // SAFETY: invariant 2: this is the giver, which goes in this call. What is borrowed is not used
        // after the step after which the taker may free.
        let cell = unsafe { at.as_ref() };
        // SAFETY: invariant 1.
        let head = unsafe { cell.put(done) };
        // AcqRel, Release: pairs with the Acquire of each look at the word, for the outcome.
        // Relaxed if it fails: the next step looks again.
        let (all, order) = (PUBLISHED | LEFT, Ordering::AcqRel);
        if head.word.compare_exchange(0, all, order, Ordering::Relaxed).is_ok() {
            return None;
        }
        if head.word.fetch_or(PUBLISHED, Ordering::AcqRel) & GONE != 0 {
            // SAFETY: the taker is gone: the outcome is the giver's (invariant 1).
            let back = unsafe { cell.take_back() };
            // SAFETY: so is the cell (invariant 2).
            unsafe { free(at) }
            return back;
        }
        let joiner = head.joiner.locked(Option::take).map(Foreign::into_inner);
        let woken = joiner.and_then(|joiner| joiner.told(at.addr().get(), is_ok));
        woken.into_iter().for_each(Foreign::wake);
        // SAFETY: the giver goes, and LEFT is not set yet.
        unsafe { leave(at) }
        None
    }
}

impl<J: ?Sized + Publish> Drop for Giver<J> {
    fn drop(&mut self) {
        // SAFETY: the giver goes, which has not published.
        unsafe { leave(self.0) }
    }
}

impl<T> JoinCell<T> {
    /// Takes the outcome.
    ///
    /// # Safety
    ///
    /// By invariant 1 it is the caller's.
    #[inline(always)]
    unsafe fn take(&self) -> (Option<Foreign<T>>, Option<Ending>) {
        let (value, ending) = self.outcome.with_mut(|kept| {
            // SAFETY: the caller's promise.
            let kept = unsafe { &mut *kept };
            (kept.value.take(), kept.ending.take())
        });
        (value, ending.map(Foreign::into_inner))
    }
}

impl<T> Publish for JoinCell<T> {
    fn head(&self) -> &Head {
        &self.head
    }

    unsafe fn put(&self, done: Done) -> &Head {
        let is_ok = matches!(done.0, Ending::Ok);
        let unfit = self.outcome.with_mut(|kept| {
            // SAFETY: the caller's promise.
            let kept = unsafe { &mut *kept };
            kept.ending = Some(Foreign::new(done.0));
            if is_ok { None } else { kept.value.take() }
        });
        drop(unfit);
        &self.head
    }

    unsafe fn take_back(&self) -> Option<Done> {
        // SAFETY: the caller's promise.
        let (value, ending) = unsafe { self.take() };
        drop(value);
        ending.map(Done)
    }
}

/// Where the handle of a child looks for its outcome.
pub trait Publish {
    #[doc(hidden)]
    fn head(&self) -> &Head;
    /// Puts the outcome down, which is published next.
    ///
    /// # Safety
    ///
    /// The caller has the giver's token, and has not published.
    #[doc(hidden)]
    unsafe fn put(&self, done: Done) -> &Head;
    /// Takes it back.
    ///
    /// # Safety
    ///
    /// The caller has the giver's token, and the taker is gone.
    #[doc(hidden)]
    unsafe fn take_back(&self) -> Option<Done>;
}

/// Gives a child's outcome out, or returns it if there is no handle that can take it.
#[inline(always)]
pub(super) fn publish<J: ?Sized + Publish>(
    join: Option<Giver<J>>,
    ending: Ending,
) -> Option<Foreign<Ending>> {
    join?.publish(Done(ending)).map(|Done(ending)| Foreign::new(ending))
}

/// Returns what the joiner of a child that ends so finds.
pub(super) fn for_joiner(ending: &Ending) -> Ending {
    match ending {
        Ending::Ok => Ending::Ok,
        Ending::Err(error) => Ending::Err(error.clone()),
        Ending::Cancelled(reason) => Ending::Cancelled(reason.clone()),
        Ending::Echo(echo) => Ending::Cancelled(echo.0.clone()),
        Ending::NoValue(reason) => Ending::NoValue(reason.clone()),
        Ending::Panicked(panic) => Ending::Panicked(panic.clone()),
        Ending::Lost | Ending::Stuck | Ending::Deadlock(_) => Ending::Lost,
    }
}
