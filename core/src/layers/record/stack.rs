//! The stack of woken records, which wait there until a holder of the registry's lock takes them.
//!
//! The stack runs through the records: to push is one compare-and-swap, and everything is taken at
//! once (R. K. Treiber, 1986). So a wake takes no lock, except for the one that finds the stack
//! empty: that wake makes sure that the stack is emptied.
//!
//! Taken off it, the records stand in a [`Chain`], which belongs to the registry: a record of the
//! chain stays where it is in its list, so that a wake touches no other record but its neighbours
//! in the chain, which were woken with it.
//!
//! # Invariants
//!
//! 1. The claim of a record on the stack belongs to the stack, and its `below` points to the next.
//! 2. A thread that pushes on an empty stack takes the lock afterwards and sees that a carrier
//!    comes, which empties the stack before it waits. Until then, what is pushed needs no lock.
//! 3. The claim of a record in a chain belongs to the chain. Its `wake_target` points to the record
//!    before it there, and not to the stack, which is put back when it is taken out; its `below` to
//!    the one after it.

#![allow(unsafe_code)]

use super::tokens::Claimed;
use super::{Header, Ptr};
use crate::layers::base::counted::dynamic::{MeDyn, WeakDyn};
use crate::layers::base::sync::{AtomicPtr, Ordering};
use std::ptr;

/// What the stack belongs to: a nursery's group.
pub(crate) trait Schedule: Send + Sync {
    /// Sees, under the lock, that a carrier comes for the records on the stack.
    fn schedule(&self);
}

pub(crate) struct Stack {
    head: AtomicPtr<Header>,
    owner: MeDyn<dyn Schedule>,
}

impl Stack {
    pub(crate) fn new(owner: MeDyn<dyn Schedule>) -> Stack {
        Stack { head: AtomicPtr::new(ptr::null_mut()), owner }
    }

    /// The caller uses a pointer to the stack that it has by the claim of a record.
    #[inline(always)]
    fn is_kept(&self) {
        self.owner.is_kept();
    }

    /// Pushes the record on the stack of its group. Returns the group if the stack was empty: the
    /// caller sees to invariant 2. Otherwise the record, and so the group, may be gone.
    pub(super) fn push(claimed: Claimed) -> Option<WeakDyn<dyn Schedule>> {
        let mut kept = None;
        let record = claimed.ptr().0.as_ptr();
        // SAFETY: the claim is held until the record is on the stack.
        let stack = unsafe { claimed.stack() };
        let mut head = stack.head.load(Ordering::Relaxed);
        loop {
            if head.is_null() && kept.is_none() {
                kept = Some(stack.owner.weak());
            }
            claimed.set_below(head);
            // Release: pairs with `take_all`.
            match stack.head.compare_exchange_weak(
                head,
                record,
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return kept.filter(|_| head.is_null()),
                Err(now) => head = now,
            }
        }
    }

    /// Returns `true` if no record is on it. A caller that holds the lock need not think of one that
    /// comes now: the thread that pushes it comes to the lock after that (invariant 2).
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        // Relaxed: it is a hint, or the lock orders it.
        self.head.load(Ordering::Relaxed).is_null()
    }
}

impl Claimed {
    /// Tells the child to whose stack a wake takes it.
    ///
    /// # Safety
    ///
    /// The record is about to be admitted to the group that the stack belongs to.
    pub(crate) unsafe fn set_stack(&mut self, stack: &Stack) {
        self.queued(|queued| queued.set_queue(ptr::from_ref(stack).cast()));
    }

    /// Returns the stack of the group that the child belongs to. It has no task of the runtime of
    /// its own.
    ///
    /// # Safety
    ///
    /// The reference is not used after the claim was given up.
    unsafe fn stack<'a>(&self) -> &'a Stack {
        let stack = self.queued(|queued| queued.queue().cast::<Stack>());
        // SAFETY: a group, and its stack, is there while a claim of a member is held (invariant 6).
        // What stands there is the stack, since the claim is no chain's (invariant 3).
        let stack = unsafe { &*stack };
        stack.is_kept();
        stack
    }

    fn set_below(&self, below: *mut Header) {
        self.header().below.set_link(below);
    }
}

/// The records that wait for another poll, the oldest first. The caller holds the registry's lock.
#[derive(Default)]
pub(crate) struct Chain {
    first: Option<Ptr>,
    last: Option<Ptr>,
}

impl Chain {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Takes over the records on the stack, in the order in which they were pushed, and calls `each`
    /// with every one.
    pub(crate) fn append(&mut self, stack: &Stack, mut each: impl FnMut(&Header)) {
        // Acquire: pairs with `push`.
        let mut at = Ptr::new(stack.head.swap(ptr::null_mut(), Ordering::Acquire));
        let Some(newest) = at else { return };
        let (mut newer, mut oldest) = (ptr::null_mut(), newest);
        while let Some(record) = at {
            // SAFETY: it came off the stack, with its claim (invariant 1).
            let claimed = unsafe { record.claimed() };
            each(claimed.header());
            let older = claimed.header().below.link();
            claimed.set_below(newer);
            claimed.queued(|queued| queued.set_queue(older.cast_const().cast()));
            at = Ptr::new(older);
            (newer, oldest) = (record.0.as_ptr(), record);
        }
        self.join(oldest, newest);
    }

    /// Puts a record at the end.
    pub(crate) fn push(&mut self, claimed: Claimed) {
        claimed.set_below(ptr::null_mut());
        self.join(claimed.ptr(), claimed.ptr());
    }

    /// Puts a part at the end that is linked in itself.
    fn join(&mut self, first: Ptr, last: Ptr) {
        let before = self.last.replace(last);
        match before {
            None => self.first = Some(first),
            Some(before) => {
                // SAFETY: the claims of both are the chain's (invariant 3).
                unsafe { before.claimed() }.set_below(first.0.as_ptr());
                // SAFETY: as above.
                unsafe { first.claimed() }.set_before(before);
            }
        }
    }

    /// Takes the oldest record out. The stack is that of its group.
    #[inline]
    pub(crate) fn pop(&mut self, stack: &Stack) -> Option<Claimed> {
        let first = self.first?;
        // SAFETY: the claim is the chain's (invariant 3), and goes to the caller.
        let claimed = unsafe { first.claimed() };
        self.first = Ptr::new(claimed.out_of_chain(stack));
        if self.first.is_none() {
            self.last = None;
        }
        Some(claimed)
    }

    /// Takes a record out, wherever it stands.
    ///
    /// # Safety
    ///
    /// The record stands in this chain, and the stack is that of its group.
    pub(crate) unsafe fn remove(&mut self, record: Ptr, stack: &Stack) -> Claimed {
        // SAFETY: the claim is the chain's (invariant 3), and goes to the caller.
        let claimed = unsafe { record.claimed() };
        // Of the first, what stands there was never written, or is gone.
        let before = if self.first == Some(record) { None } else { claimed.before() };
        let after = Ptr::new(claimed.out_of_chain(stack));
        match before {
            None => self.first = after,
            Some(before) => {
                // SAFETY: a neighbour stands in the chain, too.
                let before = unsafe { before.claimed() };
                before.set_below(after.map_or(ptr::null_mut(), |after| after.0.as_ptr()));
            }
        }
        match (after, before) {
            (None, before) => self.last = before,
            (Some(after), Some(before)) => {
                // SAFETY: as above.
                unsafe { after.claimed() }.set_before(before);
            }
            (Some(_), None) => {}
        }
        claimed
    }
}

impl Claimed {
    fn set_before(&self, before: Ptr) {
        self.queued(|queued| queued.set_queue(before.0.as_ptr().cast_const().cast()));
    }

    fn before(&self) -> Option<Ptr> {
        Ptr::new(self.queued(|queued| queued.queue().cast_mut().cast()))
    }

    /// Puts the stack back in its place; returns the next record of the chain.
    #[inline]
    fn out_of_chain(&self, stack: &Stack) -> *mut Header {
        self.queued(|queued| queued.set_queue(ptr::from_ref(stack).cast()));
        self.header().below.link()
    }
}
