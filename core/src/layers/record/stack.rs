//! The stack of woken records, which wait there until a holder of the registry's lock takes them.
//!
//! The stack runs through the records: to push is one compare-and-swap, and everything is taken at
//! once (R. K. Treiber, 1986). So a wake takes no lock, except for the one that finds the stack
//! empty: that wake makes sure that the stack is emptied.
//!
//! # Invariants
//!
//! 1. The claim of a record on the stack belongs to the stack, and its `wake_target` points to the
//!    next.
//! 2. A thread that pushes on an empty stack takes the lock and empties the stack afterwards.

#![allow(unsafe_code)]

use super::tokens::Claimed;
use super::{Header, Ptr};
use crate::layers::base::counted::dynamic::{MeDyn, WeakDyn};
use crate::layers::base::sync::{AtomicPtr, Ordering};
use std::ptr::{self, NonNull};

/// What the stack belongs to: a nursery's group.
pub(crate) trait Schedule: Send + Sync {
    /// Empties the stack under the lock, and sees that a carrier comes for those that were on it.
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

    pub(crate) fn is_empty(&self) -> bool {
        self.head.load(Ordering::Relaxed).is_null()
    }

    /// Takes all records, in the order in which they were pushed.
    pub(crate) fn take_all(&self) -> Chain {
        let mut first = ptr::null_mut();
        if !self.is_empty() {
            // Acquire: pairs with `push`.
            let mut at = self.head.swap(ptr::null_mut(), Ordering::Acquire);
            while let Some(claimed) = claimed(at) {
                at = claimed.below();
                claimed.set_below(first);
                first = claimed.ptr().0.as_ptr();
            }
        }
        Chain(first)
    }
}

impl Claimed {
    /// Tells the child to whose stack a wake takes it.
    ///
    /// # Safety
    ///
    /// The record is about to be admitted to the group that the stack belongs to.
    pub(crate) unsafe fn set_stack(&mut self, stack: &Stack) {
        self.queued(|queued| queued.stack = stack);
    }

    /// Returns the stack of the group that the child belongs to. It has no task of the runtime of
    /// its own.
    ///
    /// # Safety
    ///
    /// The reference is not used after the claim was given up.
    unsafe fn stack<'a>(&self) -> &'a Stack {
        let stack = self.queued(|queued| queued.stack);
        // SAFETY: a group, and its stack, is there while a claim of a member is held (invariant 6).
        let stack = unsafe { &*stack };
        stack.is_kept();
        stack
    }

    /// Returns the record below this one on the stack.
    fn below(&self) -> *mut Header {
        self.queued(|queued| queued.below)
    }

    fn set_below(&self, below: *mut Header) {
        self.queued(|queued| queued.below = below);
    }
}

/// The records that were taken off a stack. The iterator must be used to its end.
pub(crate) struct Chain(*mut Header);

impl Iterator for Chain {
    type Item = Claimed;

    fn next(&mut self) -> Option<Claimed> {
        let claimed = claimed(self.0)?;
        self.0 = claimed.below();
        Some(claimed)
    }
}

/// Makes the token of a record that was on the stack.
fn claimed(record: *mut Header) -> Option<Claimed> {
    // SAFETY: the record came off the stack, with its claim (invariant 1), and each claim is taken
    // over by the last token that is made of it.
    NonNull::new(record).map(|record| unsafe { Ptr(record).claimed() })
}
