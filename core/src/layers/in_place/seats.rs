//! Seats: where the children of a scope, and its body, are reached from elsewhere, by wakers and
//! handles. They stand in blocks, and are used again.
//!
//! A seat has nothing of the user's: no future, no value, no borrow. So what outlives the scope's
//! future, or is on another thread, can do no more than read a name, keep a reason and set a bit.
//!
//! Why unsafe code: a waker is one pointer. A safe one (`std::task::Wake`) is an `Arc` a child, which
//! is an allocation (about 130 instructions) and two read-modify-writes a child, and two for the waker that
//! the child is polled with.
//!
//! | state | tokens                        | `refs`       | `life` | what comes next                          |
//! |-------|-------------------------------|--------------|--------|------------------------------------------|
//! | free  | one [`Free`], or a bit of `Row::free` | 0    | none   | taken: held                              |
//! | held  | one [`Seat`], [`Reach`]es     | HELD + those | some   | given up, some time after its child has ended: free if there is no reach, else late |
//! | late  | [`Reach`]es                   | those        | some   | the last one goes: freed                 |
//! | freed | none; a mark in `Block::freed` | 0           | none   | found by the pool: free                  |
//!
//! # Invariants
//!
//! 1. A block is there while `holders` is not 0. Each [`BlockRef`] is one of them, and so is each
//!    seat that is free, held or late. A function that gives one up touches the block no more, and
//!    the one that takes the last frees it. A seat that is freed counts for nothing; the pool, which
//!    has a `BlockRef`, counts it again when it finds it.
//! 2. A [`Seat`] and a [`Reach`] point to a seat that is held or late: `refs` counts them, and the
//!    seat leaves these states by the step that takes `refs` to 0.
//! 3. `life` is written by what has the seat to itself: [`Free::fill`], and the step that takes
//!    `refs` to 0. Between the two it is only read, by those that are counted.
//! 4. A waker made here is a [`Reach`]; the one that is lent for a poll is the [`Seat`]'s, which
//!    outlives the call.
//! 5. No `&mut` to a block or a seat is made before the block is freed.
//! 6. The state is one of a child that has not ended only after `life` was written, and until the
//!    seat is given up, which is done under the lock of the [`Blocks`] alone. So what has that lock and
//!    finds such a state may read the `life` until it releases it, without being counted.
//!
//! A scope that was forgotten keeps its pool, and so its blocks: they leak, and late wakers are safe
//! by invariants 1 and 2 alone.

#![allow(unsafe_code)]

mod blocks;
mod pool;
mod reach;
mod waker;

pub(super) use blocks::Blocks;
pub(super) use pool::Pool;
pub(super) use reach::Reach;

use super::control::{Control, Life};
use crate::layers::base::marks::{MOST, Marks};
use crate::layers::base::outcome::TaskState;
use crate::layers::base::sync::{Arc, AtomicU32, AtomicUsize, Ordering, UnsafeCell};
use std::mem::{self, ManuallyDrop};
use std::ops::Deref;
use std::ptr::NonNull;
use std::task::Waker;
use waker::WAKER;

/// In `refs`: there is a [`Seat`].
const HELD: u32 = 1 << 31;

/// In `word`: the state.
const STATE: u32 = 3;
/// In `word`: how far up the seat's number is.
const SEAT: u32 = 2;
/// In `word`: one poll. All that there is room for are so many.
const POLL: u32 = 1 << 8;
const ALL_POLLS: u32 = !(POLL - 1);

pub(super) struct Block {
    pub(super) control: Arc<Control>,
    pub(super) number: u32,
    /// Woken from elsewhere.
    pub(super) woken: Marks,
    /// Woken by the thread that polls the scope, meanwhile.
    pub(super) here: Marks,
    /// Freed by the last reach.
    freed: Marks,
    holders: AtomicUsize,
    cores: Box<[Core]>,
}

/// A seat's own words.
pub(super) struct Core {
    life: UnsafeCell<Option<(NonNull<Block>, Life)>>,
    refs: AtomicU32,
    /// Its number in the block; and the [`TaskState`] of its child, with how often that was polled,
    /// which the scope's future alone writes.
    word: AtomicU32,
}

// SAFETY: `life` is shared by invariant 3; a `Life` is Send and Sync (asserted below), and so is a
// `Block`, which the pointer leads to.
unsafe impl Sync for Core {}
// SAFETY: as above.
unsafe impl Send for Core {}

const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<Life>();
    shared::<Block>();
};

impl Core {
    fn new(seat: usize) -> Core {
        Core {
            life: UnsafeCell::new(None),
            refs: AtomicU32::new(0),
            word: AtomicU32::new((seat as u32) << SEAT | TaskState::Ended as u32),
        }
    }

    #[inline(always)]
    fn filled(&self) -> &(NonNull<Block>, Life) {
        // SAFETY: a `&Core` outside of this file comes from a Seat or a Reach, and in it from the
        // functions that say so: by invariant 3 nothing writes to it while they exist.
        let life = self.life.with(|life| unsafe { &*life });
        life.as_ref().expect("a seat that is held or late has a life")
    }

    #[inline(always)]
    pub(super) fn life(&self) -> &Life {
        &self.filled().1
    }

    #[inline(always)]
    pub(super) fn block(&self) -> &Block {
        // SAFETY: invariant 1: the seat is held or late while this is borrowed.
        unsafe { self.filled().0.as_ref() }
    }

    /// Returns its place in its block.
    #[inline(always)]
    pub(super) fn seat(&self) -> u32 {
        self.word.load(Ordering::Relaxed) >> SEAT & (MOST as u32)
    }

    #[inline(always)]
    pub(super) fn set_state(&self, state: TaskState) {
        self.set_word(|word| word & !STATE | state as u32);
    }

    /// Counts a poll, which begins.
    #[inline(always)]
    pub(super) fn set_running(&self) {
        let polls = |word: u32| if word >= ALL_POLLS { 0 } else { POLL };
        self.set_word(|word| (word & !STATE | TaskState::Running as u32) + polls(word));
    }

    #[inline(always)]
    fn set_word(&self, f: impl FnOnce(u32) -> u32) {
        // Release: pairs with `state`.
        self.word.store(f(self.word.load(Ordering::Relaxed)), Ordering::Release);
    }

    /// Returns how often the child was polled.
    pub(super) fn polls(&self) -> u32 {
        self.word.load(Ordering::Relaxed) / POLL
    }

    #[inline]
    pub(super) fn state(&self) -> TaskState {
        const STATES: [TaskState; 4] =
            [TaskState::Queued, TaskState::Running, TaskState::Waiting, TaskState::Ended];
        STATES[(self.word.load(Ordering::Acquire) & STATE) as usize]
    }

    /// Makes one more reach, or waker.
    fn count_one(&self) {
        // Relaxed: it is made from one that is counted.
        let before = self.refs.fetch_add(1, Ordering::Relaxed);
        if before & !HELD > HELD / 2 {
            // As std's `Arc`: a count that is forgotten so often is not to be wrapped around.
            std::process::abort();
        }
    }

    /// Drops what a seat had that no code reaches any more.
    ///
    /// # Safety
    ///
    /// `refs` is 0, and the caller has the seat to itself.
    #[inline(always)]
    unsafe fn empty(&self) {
        // SAFETY: the caller's promise, and invariant 3.
        let life = self.life.with_mut(|life| unsafe { (*life).take() });
        drop(life);
    }
}

impl Block {
    /// Returns how many it has.
    pub(super) fn seats(&self) -> usize {
        self.cores.len()
    }
}

/// A counted reference to a block.
pub(super) struct BlockRef(NonNull<Block>);

// SAFETY: a Block is Send and Sync.
unsafe impl Send for BlockRef {}
// SAFETY: as above.
unsafe impl Sync for BlockRef {}

impl BlockRef {
    /// Makes a block of free seats, which are the caller's by their number.
    fn new(control: Arc<Control>, number: u32, seats: usize) -> BlockRef {
        assert!(seats <= MOST);
        let block = Box::new(Block {
            control,
            number,
            woken: Marks::new(),
            here: Marks::new(),
            freed: Marks::new(),
            holders: AtomicUsize::new(1 + seats),
            cores: (0..seats).map(Core::new).collect(),
        });
        BlockRef(NonNull::from(Box::leak(block)))
    }
}

impl Clone for BlockRef {
    fn clone(&self) -> BlockRef {
        // Relaxed: it is made from one that is counted.
        self.holders.fetch_add(1, Ordering::Relaxed);
        BlockRef(self.0)
    }
}

impl Deref for BlockRef {
    type Target = Block;

    fn deref(&self) -> &Block {
        // SAFETY: invariant 1.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for BlockRef {
    fn drop(&mut self) {
        // SAFETY: it is one of the holders, and goes.
        unsafe { release(self.0, 1) }
    }
}

/// Gives holders of a block up.
///
/// # Safety
///
/// They are the caller's, which uses the block no more.
unsafe fn release(block: NonNull<Block>, holders: usize) {
    // SAFETY: the caller's are counted still. The reference is not used after the step after which
    // another thread may free the block.
    let count = unsafe { &block.as_ref().holders };
    // AcqRel: what other holders did comes before the end of the block.
    if count.fetch_sub(holders, Ordering::AcqRel) == holders {
        // SAFETY: it was leaked by `BlockRef::new`, and there is no other holder.
        drop(unsafe { Box::from_raw(block.as_ptr()) });
    }
}

/// The right to a seat that is free.
pub(super) struct Free {
    block: NonNull<Block>,
    seat: u32,
}

// SAFETY: a Block is Send and Sync.
unsafe impl Send for Free {}
// SAFETY: as above.
unsafe impl Sync for Free {}

impl Free {
    fn core(&self) -> NonNull<Core> {
        // SAFETY: invariant 1: a free seat is a holder.
        let block = unsafe { self.block.as_ref() };
        NonNull::from(&block.cores[self.seat as usize])
    }

    /// Gives the seat to a child or to the body, which is queued for its first poll. With a reach, if
    /// it is reached from the beginning: that costs a read-modify-write later.
    #[inline(always)]
    fn fill(self, life: Life, reached: bool) -> (Seat, Option<Reach>) {
        let at = self.core();
        // SAFETY: invariant 1: the seat is a holder, as the `Seat` will be.
        let core = unsafe { at.as_ref() };
        // SAFETY: invariant 3: this is the one `Free` of the seat.
        core.life.with_mut(|place| unsafe { *place = Some((self.block, life)) });
        // Release, in this: pairs with the Acquire of `state` in `Blocks::each`, for `life`.
        core.set_word(|word| word & (POLL - 1) & !STATE | TaskState::Queued as u32);
        // Relaxed: other threads come to know of it by a reach, by the lock of the inbox, or by the
        // state, and then by the lock of the blocks.
        core.refs.store(HELD + u32::from(reached), Ordering::Relaxed);
        mem::forget(self);
        (Seat(at), reached.then(|| Reach::counted(at)))
    }
}

impl Drop for Free {
    fn drop(&mut self) {
        // SAFETY: a free seat is a holder, and no code will use it again.
        unsafe { release(self.block, 1) }
    }
}

/// A child's seat, or the body's, for the scope that has it: there is one while it is held.
pub(super) struct Seat(NonNull<Core>);

// SAFETY: a Core is Send and Sync.
unsafe impl Send for Seat {}
// SAFETY: as above.
unsafe impl Sync for Seat {}

impl Deref for Seat {
    type Target = Core;

    #[inline]
    fn deref(&self) -> &Core {
        // SAFETY: invariants 1 and 2.
        unsafe { self.0.as_ref() }
    }
}

impl Seat {
    /// Returns the waker that it is polled with. To lend it counts nothing.
    #[inline]
    pub(super) fn lend_waker(&self) -> LentWaker<'_> {
        // SAFETY: the table's contract is that of `Reach`. This one is not counted, and never
        // dropped; it is borrowed from the seat (invariant 4).
        let waker = unsafe { Waker::new(self.0.as_ptr().cast_const().cast(), &WAKER) };
        LentWaker { waker: ManuallyDrop::new(waker), _seat: self }
    }

    /// Gives the seat up, under the lock of the blocks. Returns it if it is free already; else it will
    /// be when the last reach goes. From here on a wake does nothing.
    #[inline(always)]
    fn give_up(self) -> Option<Free> {
        let seat = ManuallyDrop::new(self);
        let core: &Core = &seat;
        core.set_state(TaskState::Ended);
        let (block, _) = *core.filled();
        // Acquire: pairs with the drop of each reach.
        if core.refs.load(Ordering::Acquire) != HELD
            // AcqRel: pairs with the drop of the last reach, too.
            && core.refs.fetch_sub(HELD, Ordering::AcqRel) != HELD
        {
            return None;
        }
        core.refs.store(0, Ordering::Relaxed);
        // SAFETY: there was no reach, which alone makes others.
        unsafe { core.empty() };
        Some(Free { block, seat: core.seat() })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        // Before it is given up: then another thread may free the block.
        let control = self.block().control.clone();
        drop(control.blocks.locked(|blocks| blocks.give_up(Seat(self.0))));
    }
}

/// See [`Seat::lend_waker`].
pub(super) struct LentWaker<'s> {
    waker: ManuallyDrop<Waker>,
    _seat: &'s Seat,
}

impl Deref for LentWaker<'_> {
    type Target = Waker;

    #[inline]
    fn deref(&self) -> &Waker {
        &self.waker
    }
}
