//! The state word of a record: who may touch what, in one atomic.
//!
//! | flag    | set by                                   | cleared by                  | means |
//! |---------|------------------------------------------|-----------------------------|-------|
//! | LINKED  | birth                                    | the claim's holder, leaving | the nursery counts it; it stands in one of the registry's lists |
//! | CARRIED | the carrier that takes it, in the lock   | that carrier                | a runtime's task points to it |
//! | HANDLE  | birth, if there is a `Child`             | the `Child`'s drop          | a `Child` points to it |
//! | CLAIMED | whoever polls, destroys, or takes wakers | the same                    | exclusive right to future and carrier's waker |
//! | CANCEL  | a cancel, in the lock                    | never                       | the next poll shows it and is the last |
//! | ABORT   | an abort, in the lock                    | never                       | to be destroyed as soon as the claim is free |
//! | DONE    | the claim's holder, if HANDLE            | never                       | the outcome stands ready for the `Child` |
//!
//! "In the lock" is the lock of the nursery's registry. The record's memory is freed by whoever
//! clears the last of LINKED, CARRIED and HANDLE; none of the three is ever set again.
//!
//! | from                   | by                     | to                        | method        |
//! |------------------------|------------------------|---------------------------|---------------|
//! | LINKED                 | carrier takes it       | LINKED CARRIED CLAIMED    | `take`        |
//! | LINKED                 | cancel before any poll | LINKED CLAIMED            | `claim`       |
//! | LINKED CARRIED         | poll, destroy          | LINKED CARRIED CLAIMED    | `claim`       |
//! | ... CLAIMED            | child is pending       | ... without CLAIMED       | `park`        |
//! | ... CLAIMED HANDLE     | child ended            | ... DONE                  | `publish`     |
//! | ... HANDLE             | `Child` is dropped     | ... without HANDLE        | `drop_handle_early` |
//! | ... HANDLE DONE        | the same, when it has dropped the outcome | ... without HANDLE | `drop_handle` |
//! | ... CLAIMED            | child has left         | HANDLE and/or CARRIED, or freed | `release` |
//!
//! # Memory ordering
//!
//! Every read-modify-write that gives something up is a release and every one that takes
//! something is an acquire, so that each claim's writes are seen by the next. The few plain
//! stores are made where nobody else can write: no handle, and the registry's lock held.

use crate::sync::{AtomicU32, Ordering};

const LINKED: u32 = 1;
const CARRIED: u32 = 1 << 1;
const HANDLE: u32 = 1 << 2;
const CLAIMED: u32 = 1 << 3;
const CANCEL: u32 = 1 << 4;
const ABORT: u32 = 1 << 5;
const DONE: u32 = 1 << 6;

const HOLDERS: u32 = LINKED | CARRIED | HANDLE;

pub(crate) struct State(AtomicU32);

/// What [`State::claim`] found.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// The caller has the claim now.
    Won,
    /// Somebody else has it.
    Busy,
    /// The child has left: there is nothing to claim.
    Gone,
}

/// What [`State::park`] found.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Park {
    /// The claim is given up; the child waits for its waker.
    Parked,
    /// A cancel came that the poll did not show: poll again.
    Cancelled,
    /// An abort came: destroy the child.
    Aborted,
}

/// What is left to do when a holder lets go.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Last {
    /// Nobody points to the record any more: free it.
    Free,
    /// Somebody does.
    Held,
}

impl State {
    pub(crate) fn new(handle: bool) -> State {
        State(AtomicU32::new(if handle { LINKED | HANDLE } else { LINKED }))
    }

    /// Tells whether a `Child` points to the record. Once false it stays false.
    pub(crate) fn has_handle(&self) -> bool {
        // Acquire: pairs with `drop_handle`, whose reads of the record come before a free by us.
        self.0.load(Ordering::Acquire) & HANDLE != 0
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        // Relaxed: a level, read again on every poll.
        self.0.load(Ordering::Relaxed) & CANCEL != 0
    }

    /// Tells whether the outcome stands ready for the handle.
    pub(crate) fn is_done(&self) -> bool {
        // Acquire: pairs with `publish`.
        self.0.load(Ordering::Acquire) & DONE != 0
    }

    /// Tells whether the nursery counts it. The caller holds the registry's lock.
    pub(crate) fn is_linked(&self) -> bool {
        self.0.load(Ordering::Relaxed) & LINKED != 0
    }

    pub(crate) fn is_claimed(&self) -> bool {
        self.0.load(Ordering::Relaxed) & CLAIMED != 0
    }

    /// A carrier takes a record that waits in the queue. The caller holds the registry's lock.
    pub(crate) fn take(&self) {
        self.set_locked(CARRIED | CLAIMED);
    }

    /// Shows a cancel from the next poll on. The caller holds the registry's lock.
    /// Returns false if it had been set before.
    pub(crate) fn set_cancel(&self) -> bool {
        // AcqRel: pairs with the claims of the poller, which sees what was written before.
        self.0.fetch_or(CANCEL, Ordering::AcqRel) & CANCEL == 0
    }

    /// Orders the destruction. The caller holds the registry's lock.
    pub(crate) fn set_abort(&self) {
        self.0.fetch_or(CANCEL | ABORT, Ordering::AcqRel);
    }

    /// Tries to get the exclusive right to the future.
    pub(crate) fn claim(&self) -> Claim {
        // Acquire: pairs with `park` and `unclaim` of the last holder.
        let old = self.0.fetch_or(CLAIMED, Ordering::Acquire);
        if old & LINKED == 0 {
            Claim::Gone
        } else if old & CLAIMED != 0 {
            Claim::Busy
        } else {
            Claim::Won
        }
    }

    /// Gives the claim up, unless something came that its holder has to see to.
    pub(crate) fn park(&self, cancel_seen: bool) -> Park {
        let mut old = self.0.load(Ordering::Relaxed);
        loop {
            if old & ABORT != 0 {
                return Park::Aborted;
            }
            if old & CANCEL != 0 && !cancel_seen {
                return Park::Cancelled;
            }
            // Release: the next claim sees this poll's writes. Acquire on failure: so that what a
            // cancel wrote before it set the flag is seen by the poll that shows it.
            match self.0.compare_exchange_weak(
                old,
                old & !CLAIMED,
                Ordering::Release,
                Ordering::Acquire,
            ) {
                Ok(_) => return Park::Parked,
                Err(now) => old = now,
            }
        }
    }

    /// Gives up a claim that was only needed to take a waker.
    pub(crate) fn unclaim(&self) {
        // Release: pairs with the next `claim`.
        self.0.fetch_and(!CLAIMED, Ordering::Release);
    }

    /// Says that the outcome stands ready. Returns false if the handle went in the meantime: the
    /// outcome is the caller's to drop.
    pub(crate) fn publish(&self) -> bool {
        // Release: the handle sees the outcome. Acquire: pairs with `drop_handle`.
        self.0.fetch_or(DONE, Ordering::AcqRel) & HANDLE != 0
    }

    /// Leaves: gives up the claim and membership, and the carrier's hold too if `carrier`.
    /// The caller holds the registry's lock and has taken the record off its list.
    pub(crate) fn release(&self, carrier: bool) -> Last {
        let gone = if carrier { LINKED | CLAIMED | CARRIED } else { LINKED | CLAIMED };
        // Acquire: pairs with `drop_handle`.
        let now = self.0.load(Ordering::Acquire);
        if now & HOLDERS & !gone == 0 {
            // No other holder is left, none can come, and only holders write.
            return Last::Free;
        }
        self.let_go(gone)
    }

    /// The carrier lets go of a record that has left.
    pub(crate) fn drop_carrier(&self) -> Last {
        self.let_go(CARRIED)
    }

    /// The `Child` is dropped, and there is nothing of its outcome to see to.
    pub(crate) fn drop_handle(&self) -> Last {
        self.let_go(HANDLE)
    }

    /// The `Child` is dropped; unless the outcome stands ready, which is its to see to first: then
    /// this changes nothing, and gives none.
    ///
    /// It is one step, because the child may end at any moment.
    pub(crate) fn drop_handle_early(&self) -> Option<Last> {
        let mut old = self.0.load(Ordering::Acquire);
        while old & DONE == 0 {
            let new = old & !HANDLE;
            // AcqRel: as `let_go`. Acquire on failure: pairs with `publish`.
            match self.0.compare_exchange_weak(old, new, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Some(if new & HOLDERS == 0 { Last::Free } else { Last::Held }),
                Err(now) => old = now,
            }
        }
        None
    }

    fn let_go(&self, gone: u32) -> Last {
        // AcqRel: whoever frees comes after everything that the other holders did.
        let old = self.0.fetch_and(!gone, Ordering::AcqRel);
        if old & HOLDERS & !gone == 0 { Last::Free } else { Last::Held }
    }

    fn set_locked(&self, flags: u32) {
        // Acquire: pairs with `drop_handle`, whose release the plain store would hide from a
        // later load.
        let now = self.0.load(Ordering::Acquire);
        if now & HANDLE == 0 {
            // Without a handle only the lock's holder writes: a plain store will do, and saves
            // one of the few read-modify-writes of a child that never waits.
            self.0.store(now | flags, Ordering::Relaxed);
        } else {
            self.0.fetch_or(flags, Ordering::AcqRel);
        }
    }
}
