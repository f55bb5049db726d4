//! The wakers of a child that has more of them than the state word counts.
//!
//! From a certain number on, a clone of the record's waker is a waker of another kind; all of these
//! share one waker that is counted. So the count stays far below the end of its bits, however many
//! wakers there are.
//!
//! It is tempting to end the process, as `Arc` does at its limit; but `Arc` counts to 2^63, and the
//! state word to 2^22, which is 64 MiB of wakers.
//!
//! # Invariants
//!
//! 1. An entry's address is that of a record which the entry's [`Crowd`] keeps, for as long as that
//!    exists. Its destructor takes the entry out before it lets go of the record.
//!
//! # Lock order
//!
//! The list's lock is the innermost: nothing is dropped or called with it held.

use crate::layers::base::sync::{Arc, GlobalMutex, Weak};
use std::collections::BTreeMap;
use std::task::{Wake, Waker};

/// One counted waker, for many.
struct Crowd {
    counted: Waker,
}

/// The crowds that exist, by the addresses of their records.
static CROWDS: GlobalMutex<BTreeMap<usize, Weak<Crowd>>> = GlobalMutex::new(BTreeMap::new());

/// Returns a waker of a crowd in place of this one, which is counted, and is given up or shared.
#[cold]
pub(super) fn join(counted: Waker) -> Waker {
    let record = counted.data().addr();
    let mut crowds = CROWDS.lock();
    if let Some(crowd) = crowds.get(&record).and_then(Weak::upgrade) {
        drop(crowds);
        // Not the record's last: the crowd still has one.
        drop(counted);
        return Waker::from(crowd);
    }
    let crowd = Arc::new(Crowd { counted });
    crowds.insert(record, Arc::downgrade(&crowd));
    Waker::from(crowd)
}

impl Wake for Crowd {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.counted.wake_by_ref();
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        let record = self.counted.data().addr();
        let mut crowds = CROWDS.lock();
        // Another crowd may have come in its place since its last waker went.
        if crowds.get(&record).is_some_and(|crowd| crowd.strong_count() == 0) {
            crowds.remove(&record);
        }
    }
}
