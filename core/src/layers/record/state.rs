//! The state word of a record: what each holder may touch, in one atomic.
//!
//! | flag     | set by                                   | cleared by                  | means |
//! |----------|------------------------------------------|-----------------------------|-------|
//! | LINKED   | birth                                    | the claim's holder, leaving | the nursery counts it; it stands in one of the registry's lists |
//! | CARRIED  | a carrier that binds itself, in the lock | that carrier                | a runtime's task points to it, and is the child's own |
//! | HANDLE   | birth, if there is a `Child`             | the `Child`'s drop          | a `Child` points to it |
//! | CLAIMED  | birth; a wake; a thread that destroys the child or takes its wakers; the carrier that is bound | the claim's holder | exclusive right to the future and to the `wake_target` |
//! | CANCEL   | a cancel, in the lock                    | never                       | the next poll shows it and is the last |
//! | ABORT    | an abort, in the lock                    | never                       | destroy it as soon as the claim is free |
//! | DONE     | the claim's holder, if HANDLE, in the lock, leaving | never                       | the outcome stands ready for the `Child` |
//! | NOTIFIED | a wake that finds CLAIMED                | the claim's holder, before a poll | poll it again |
//! | SHIELD   | the task, in a poll, in the lock         | the task, or the thread that drops the shield, in the lock | an abort is put off: only its carrier destroys it |
//! | RISING   | a cancel or abort of the task alone, in the lock | never               | CANCEL follows, when the waiters of the task's token have been told |
//! | WAKERS   | a count, in the upper bits: a waker's clone | that waker's drop        | so many wakers point to it; beyond a million one stands for many |
//!
//! "In the lock" is the lock of the nursery's registry. The record's memory is freed by the holder
//! that clears the last of LINKED, CARRIED, HANDLE and WAKERS. LINKED and HANDLE are never set
//! again; CARRIED is set at most once, and only while LINKED and CLAIMED are; a waker is cloned
//! from one that exists, or from the one that the claim's holder lends to a poll.
//!
//! The claim of a child that waits for a turn belongs to the registry, that is, to the holder of
//! its lock; so does the claim of a child that was never polled.
//!
//! | from                   | by                     | to                        | method        |
//! |------------------------|------------------------|---------------------------|---------------|
//! | LINKED CLAIMED         | carrier polls it       | the same                  | `begin`       |
//! | ... CLAIMED            | child is pending       | ... without CLAIMED       | `park`        |
//! | ... CLAIMED NOTIFIED   | child is pending       | the same: it must be queued | `park`        |
//! | LINKED                 | wake                   | LINKED CLAIMED: it must be queued | `notify` |
//! | ... CLAIMED            | wake                   | ... NOTIFIED              | `notify`      |
//! | ... CARRIED, or left   | wake by such a waker   | the same                  | `notify`      |
//! | any of the three       | wake by a waker that goes | the same, one WAKER less | `notify_and_drop` |
//! | LINKED CLAIMED         | carrier binds itself   | ... CARRIED               | `bind`        |
//! | LINKED CARRIED         | poll by the bound carrier | ... CLAIMED            | `claim`       |
//! | LINKED                 | cancel, abort          | ... CANCEL ABORT CLAIMED  | `order`       |
//! | ... CLAIMED HANDLE     | child leaves           | ... DONE                  | `publish`     |
//! | ... HANDLE             | `Child` is dropped     | ... without HANDLE        | `drop_handle_early` |
//! | ... HANDLE DONE        | the same, when it has dropped the outcome | ... without HANDLE | `drop_handle` |
//! | ... CLAIMED            | child leaves, in the same hold of the lock | HANDLE, CARRIED, WAKERS, or freed | `release` |
//! | LINKED CLAIMED HANDLE  | the two steps before in one, of a child that has ended with a value | HANDLE DONE | `publish_and_release` |
//!
//! # Memory ordering
//!
//! Every read-modify-write that gives something up is a release and every one that takes something
//! is an acquire, so that each claim's writes are seen by the next. A wake always writes the word,
//! also when it finds NOTIFIED, so that what its caller did before is seen by the poll that it
//! leads to (async-task does the same).

mod give_up;
mod seen;

use crate::layers::base::sync::{AtomicU32, Ordering};

const LINKED: u32 = 1;
const CARRIED: u32 = 1 << 1;
const HANDLE: u32 = 1 << 2;
const CLAIMED: u32 = 1 << 3;
const CANCEL: u32 = 1 << 4;
const ABORT: u32 = 1 << 5;
const DONE: u32 = 1 << 6;
const NOTIFIED: u32 = 1 << 7;
const SHIELD: u32 = 1 << 8;
const RISING: u32 = 1 << 9;
/// One waker; the count is everything above the flags.
const WAKER: u32 = 1 << 10;
const WAKERS: u32 = !(WAKER - 1);
/// From this many wakers on, new ones are not counted but share one that is: see
/// [`crowd`](super::crowd). It is a quarter of what the word can count. The rest is for threads
/// that have counted one and not given it up again.
const MANY: u32 = 1 << 20;

const HOLDERS: u32 = LINKED | CARRIED | HANDLE | WAKERS;

pub(crate) struct StateWord(AtomicU32);

/// What [`StateWord::claim`] found.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// The caller has the claim now.
    Won,
    /// Another holder has the claim.
    Busy,
    /// The child has left: there is nothing to claim.
    Gone,
}

/// What [`StateWord::park`] found.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Park {
    /// The claim is given up; the child waits for its waker.
    Parked,
    /// A cancel came that the poll did not show, or the child's wait in spite of the cancel has
    /// ended: poll again.
    Cancelled,
    /// An abort came, or the last poll is over: destroy the child.
    Aborted,
    /// The child was woken while it was polled: queue it.
    Notified,
}

/// What [`StateWord::notify`] found.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Notify {
    /// The child was waiting. The caller has the claim now, to put it in the queue.
    Claimed,
    /// There is nothing to do.
    Nothing,
}

/// What a holder that lets go has to do next.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Last {
    /// No pointer to the record is left: free it.
    Free,
    /// Another holder is left.
    Held,
}

/// Returns `true` if an abort was ordered and no shield puts it off.
fn is_doomed(word: u32) -> bool {
    word & (ABORT | SHIELD) == ABORT
}

impl StateWord {
    #[inline]
    pub(crate) fn new(handle: bool) -> StateWord {
        let born = LINKED | CLAIMED;
        StateWord(AtomicU32::new(if handle { born | HANDLE } else { born }))
    }

    /// Returns `true` if a `Child` points to the record. Once `false` it stays `false`.
    #[inline]
    pub(crate) fn has_handle(&self) -> bool {
        // Acquire: pairs with `drop_handle`, whose reads of the record come before a free by us.
        self.0.load(Ordering::Acquire) & HANDLE != 0
    }

    #[inline]
    pub(crate) fn is_cancelled(&self) -> bool {
        // Acquire: pairs with `order`: a thread that sees it finds the task's token cancelled, too.
        self.0.load(Ordering::Acquire) & CANCEL != 0
    }

    /// Returns `true` if it is cancelled, or on its way to that.
    #[inline]
    pub(crate) fn is_risen(&self) -> bool {
        // Acquire: as `is_cancelled`.
        self.0.load(Ordering::Acquire) & (CANCEL | RISING) != 0
    }

    /// Makes the task answer that it is cancelled; no poll is the last yet. The caller holds the
    /// lock.
    #[inline]
    pub(crate) fn rise(&self) {
        // Release: pairs with `is_risen`.
        self.0.fetch_or(RISING, Ordering::Release);
    }

    /// Returns `true` if a shield is up. The caller has the claim, or the registry's lock.
    #[inline]
    pub(crate) fn is_shielded(&self) -> bool {
        self.0.load(Ordering::Relaxed) & SHIELD != 0
    }

    /// Sets SHIELD. The caller has the registry's lock, and the claim.
    #[inline]
    pub(crate) fn raise_shield(&self) {
        // Relaxed, here and below: a thread that destroys reads it in the lock.
        self.0.fetch_or(SHIELD, Ordering::Relaxed);
    }

    /// Clears SHIELD. The caller has the registry's lock.
    #[inline]
    pub(crate) fn lower_shield(&self) {
        self.0.fetch_and(!SHIELD, Ordering::Relaxed);
    }

    /// Returns `true` if the outcome stands ready for the handle.
    #[inline]
    pub(crate) fn is_done(&self) -> bool {
        // Acquire: pairs with `publish`.
        self.0.load(Ordering::Acquire) & DONE != 0
    }

    /// Returns `true` if the nursery counts it. The caller holds the registry's lock.
    #[inline]
    pub(crate) fn is_linked(&self) -> bool {
        self.0.load(Ordering::Relaxed) & LINKED != 0
    }

    /// Returns `true` if a task of the runtime is the child's own. Once `true` it stays `true`
    /// until that task lets go. The caller holds the registry's lock, or the claim.
    #[inline]
    pub(crate) fn is_carried(&self) -> bool {
        self.0.load(Ordering::Relaxed) & CARRIED != 0
    }

    /// Gets ready for a poll, which sees what was done before every wake so far. Returns `false` if
    /// the child must be destroyed instead. The caller has the claim.
    #[inline]
    pub(crate) fn begin(&self) -> bool {
        let mut now = self.0.load(Ordering::Relaxed);
        if now & NOTIFIED != 0 {
            // Acquire: pairs with `notify`. A wake that comes after this sets the flag again.
            now = self.0.fetch_and(!NOTIFIED, Ordering::AcqRel);
        }
        !is_doomed(now)
    }

    /// As [`begin`](StateWord::begin), for a child that was not cancelled and has no shield: returns
    /// `false`, and changes nothing, if it is another.
    #[inline]
    pub(crate) fn begin_plain(&self) -> bool {
        let now = self.0.load(Ordering::Relaxed);
        if now & (CANCEL | ABORT | SHIELD) != 0 {
            return false;
        }
        if now & NOTIFIED != 0 {
            // Acquire: as `begin`.
            self.0.fetch_and(!NOTIFIED, Ordering::AcqRel);
        }
        true
    }

    /// Binds a carrier. The caller has the claim and the registry's lock.
    #[inline]
    pub(crate) fn bind(&self) {
        // AcqRel: what is written to the `wake_target` after this is not seen by a thread that
        // finds CARRIED clear.
        self.0.fetch_or(CARRIED, Ordering::AcqRel);
    }

    /// Shows a cancel from the next poll on, or, if `abort`, orders the destruction; tries to get
    /// the claim in the same step. The caller holds the registry's lock.
    #[inline]
    pub(crate) fn order(&self, abort: bool) -> Claim {
        let flags = if abort { CANCEL | ABORT } else { CANCEL };
        // AcqRel: pairs with `park`, and the poller sees what was written before.
        let old = self.0.fetch_or(CLAIMED | flags, Ordering::AcqRel);
        if old & CLAIMED != 0 { Claim::Busy } else { Claim::Won }
    }

    /// Records a wake, by a waker that the core has made.
    #[inline]
    pub(crate) fn notify(&self) -> Notify {
        let mut old = self.0.load(Ordering::Relaxed);
        loop {
            if old & LINKED == 0 || old & CARRIED != 0 {
                // It has left; or it is polled with its runtime's wakers now, and was polled with
                // one of those since this waker was current.
                return Notify::Nothing;
            }
            let flag = if old & CLAIMED == 0 { CLAIMED } else { NOTIFIED };
            // Release: what was done before the wake is seen by the poll. Acquire: pairs with
            // `park`, for the claim.
            match self.0.compare_exchange_weak(old, old | flag, Ordering::AcqRel, Ordering::Relaxed)
            {
                Ok(_) if flag == CLAIMED => return Notify::Claimed,
                Ok(_) => return Notify::Nothing,
                Err(now) => old = now,
            }
        }
    }

    /// As [`notify`](StateWord::notify), by a waker that goes with this: one step, unless there is
    /// nothing to wake. Then it says whether the caller frees the record.
    #[inline]
    pub(crate) fn notify_and_drop(&self) -> Result<Notify, Last> {
        let mut old = self.0.load(Ordering::Relaxed);
        loop {
            if old & LINKED == 0 || old & CARRIED != 0 {
                return Err(self.drop_waker());
            }
            let flag = if old & CLAIMED == 0 { CLAIMED } else { NOTIFIED };
            // As in `notify`. LINKED keeps the record when the waker's count is gone: until this
            // thread gives the claim on, or, without it, no longer than this step.
            let new = (old | flag) - WAKER;
            match self.0.compare_exchange_weak(old, new, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) if flag == CLAIMED => return Ok(Notify::Claimed),
                Ok(_) => return Ok(Notify::Nothing),
                Err(now) => old = now,
            }
        }
    }

    /// Counts a waker that is cloned. Returns `false` if there are so many that it must not be
    /// handed out: one that shares it is handed out instead.
    #[must_use]
    #[inline]
    pub(crate) fn add_waker(&self) -> bool {
        // Relaxed: the caller has a waker, or the claim, which keeps the record.
        self.0.fetch_add(WAKER, Ordering::Relaxed) < MANY * WAKER
    }

    /// Uncounts a waker that is dropped.
    #[inline]
    pub(crate) fn drop_waker(&self) -> Last {
        // AcqRel: as `let_go`.
        let now = self.0.fetch_sub(WAKER, Ordering::AcqRel) - WAKER;
        if now & HOLDERS == 0 { Last::Free } else { Last::Held }
    }

    /// Tries to get the exclusive right to the future.
    #[inline]
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
}
