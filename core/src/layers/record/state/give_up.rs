//! What a holder gives up: the claim, membership, or its pointer to the record.

use super::{
    CANCEL, CARRIED, CLAIMED, DONE, HANDLE, HOLDERS, LINKED, Last, NOTIFIED, Park, StateWord,
    is_doomed,
};
use crate::layers::base::sync::Ordering;

impl StateWord {
    /// Gives up the claim, unless something came that its holder has to see to.
    #[inline]
    pub(crate) fn park(&self, cancel_seen: bool) -> Park {
        let mut old = self.0.load(Ordering::Relaxed);
        loop {
            if is_doomed(old) {
                return Park::Aborted;
            }
            if old & CANCEL != 0 && !cancel_seen {
                return Park::Cancelled;
            }
            if old & NOTIFIED != 0 {
                return Park::Notified;
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
    #[inline]
    pub(crate) fn unclaim(&self) {
        // Release: pairs with the next `claim`.
        self.0.fetch_and(!CLAIMED, Ordering::Release);
    }

    /// Publishes that the outcome stands ready. Returns `false` if the handle went in the meantime:
    /// the caller drops the outcome. The caller has the claim, and the registry's lock unless the
    /// child was never admitted.
    #[inline]
    pub(crate) fn publish(&self) -> bool {
        // Release: the handle sees the outcome. Acquire: pairs with `drop_handle`.
        self.0.fetch_or(DONE, Ordering::AcqRel) & HANDLE != 0
    }

    /// Leaves: gives up the claim and membership, and the carrier's hold too if `carrier`. The
    /// caller holds the registry's lock and has taken the record off its list.
    #[inline]
    pub(crate) fn release(&self, carrier: bool) -> Last {
        let gone = if carrier { LINKED | CLAIMED | CARRIED } else { LINKED | CLAIMED };
        self.let_go_last(gone)
    }

    /// Publishes that the outcome stands ready, and leaves, in one step. Returns `false`, and changes
    /// nothing, if the handle is gone. The caller holds the registry's lock, and has taken the record
    /// off its list; no carrier is bound to it.
    #[inline]
    pub(crate) fn publish_and_release(&self) -> bool {
        let mut old = self.0.load(Ordering::Relaxed);
        while old & HANDLE != 0 {
            let new = (old | DONE) & !(LINKED | CLAIMED);
            // Release: the handle sees the outcome. Acquire: as `release`.
            match self.0.compare_exchange_weak(old, new, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) => old = now,
            }
        }
        false
    }

    /// Gives up the carrier's hold of a record that has left.
    #[inline]
    pub(crate) fn drop_carrier(&self) -> Last {
        self.let_go(CARRIED)
    }

    /// Gives up the hold of a `Child` that is dropped, with nothing of its outcome to see to.
    #[inline]
    pub(crate) fn drop_handle(&self) -> Last {
        self.let_go_last(HANDLE)
    }

    /// Gives up the hold of a `Child` that is dropped, unless the outcome stands ready. In that
    /// case the `Child` has to see to the outcome first: this changes nothing, and returns `None`.
    ///
    /// It is one step, because the child may end at any moment.
    #[inline]
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

    /// As [`let_go`](StateWord::let_go), for a holder that mostly is the last.
    #[inline]
    fn let_go_last(&self, gone: u32) -> Last {
        // Acquire: pairs with `let_go` of the others.
        let now = self.0.load(Ordering::Acquire);
        if now & HOLDERS & !gone == 0 {
            // No other holder is left, none can come, and only holders write.
            return Last::Free;
        }
        self.let_go(gone)
    }

    fn let_go(&self, gone: u32) -> Last {
        // AcqRel: the thread that frees comes after everything that the other holders did.
        let old = self.0.fetch_and(!gone, Ordering::AcqRel);
        if old & HOLDERS & !gone == 0 { Last::Free } else { Last::Held }
    }
}
