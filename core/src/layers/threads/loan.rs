//! Futures that borrow, lent to a nursery, whose children must be `'static`.
//!
//! Why unsafe code: no safe code makes a `'static` future of one that borrows. `std::thread::scope`
//! does it for closures, in the same way.
//!
//! # The argument
//!
//! It needs this file alone.
//!
//! 1. [`with`] is the only function that makes a [`Loans<'a>`], and its caller chooses `'a`: so `'a`
//!    outlives the call.
//! 2. [`Loans::lend`] counts each [`Lent`] in the ledger before it exists, unless the ledger is
//!    closed; and `'a` of a `Loans` cannot be changed, so what it takes is valid for `'a`.
//! 3. A `Lent` takes its future out and destroys it before it counts itself back. Nothing else has
//!    the future, and what its polls give out is `'static`: an `O`, and a panic.
//! 4. `with` returns, or unwinds, after it has closed the ledger and has seen that none is lent.
//!    Nothing is lent after that.
//!
//! So a borrowed future is polled and destroyed within the call of `with`, and so within `'a`; a
//! `Lent` that is left afterwards, wherever it is, is empty. A `Lent` that is leaked keeps `with`
//! from returning, for ever.

#![allow(unsafe_code)]

use crate::layers::base::sync::{Arc, AtomicUsize, Ordering, Thread, current_thread, park_thread};
use std::future::Future;
use std::marker::PhantomData;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The ledger is closed.
const CLOSED: usize = 1;
/// One that is lent.
const ONE: usize = 2;

/// How many are lent.
pub(super) struct Ledger {
    state: AtomicUsize,
    /// The thread that waits for them.
    lender: Thread,
}

impl Ledger {
    pub(super) fn new() -> Ledger {
        Ledger { state: AtomicUsize::new(0), lender: current_thread() }
    }

    /// Returns `false` if it is closed.
    fn enter(&self) -> bool {
        // Relaxed: to lend, nothing that others wrote before has to be seen.
        let open = self.state.fetch_add(ONE, Ordering::Relaxed) & CLOSED == 0;
        if !open {
            self.leave();
        }
        open
    }

    fn leave(&self) {
        // Release: what was done with the future comes before the end of the wait.
        if self.state.fetch_sub(ONE, Ordering::Release) == ONE | CLOSED {
            self.lender.unpark();
        }
    }

    /// Lends no more.
    pub(super) fn close(&self) {
        // Relaxed: one read-modify-write comes after the other.
        self.state.fetch_or(CLOSED, Ordering::Relaxed);
    }

    /// Returns `true` if it is closed, and nothing is lent. It stays so: a loan that
    /// comes later is refused.
    pub(super) fn is_settled(&self) -> bool {
        // Acquire: pairs with `leave`.
        self.state.load(Ordering::Acquire) == CLOSED
    }
}

/// Lends futures that are valid for `'a`.
pub(super) struct Loans<'a> {
    ledger: Arc<Ledger>,
    /// `'a` neither shrinks nor grows.
    borrows: PhantomData<fn(&'a ()) -> &'a ()>,
}

impl Clone for Loans<'_> {
    fn clone(&self) -> Self {
        Loans { ledger: self.ledger.clone(), borrows: PhantomData }
    }
}

/// Calls `f`, and waits until all is back that was lent meanwhile, also if it panics. The thread is
/// unparked when the last one is back after the ledger was closed.
pub(super) fn with<'a, R>(f: impl FnOnce(Loans<'a>, &Ledger) -> R) -> R {
    /// Waits when it is dropped, and cannot panic there.
    struct Waits(Arc<Ledger>);

    impl Drop for Waits {
        fn drop(&mut self) {
            self.0.close();
            while !self.0.is_settled() {
                park_thread();
            }
        }
    }

    let waits = Waits(Arc::new(Ledger::new()));
    f(Loans { ledger: waits.0.clone(), borrows: PhantomData }, &waits.0)
}

type Borrowed<'a, O> = Pin<Box<dyn Future<Output = O> + Send + 'a>>;

/// A borrowed future while it is lent. It is empty, and never ready, if it came too late.
pub(super) struct Lent<O: 'static> {
    future: Option<Borrowed<'static, O>>,
    ledger: Arc<Ledger>,
}

impl<'a> Loans<'a> {
    /// Lends a future. If nothing is lent any more, it is dropped.
    pub(super) fn lend<O: 'static>(&self, future: impl Future<Output = O> + Send + 'a) -> Lent<O> {
        let ledger = self.ledger.clone();
        let borrowed: Borrowed<'a, O> = Box::pin(future);
        if !ledger.enter() {
            drop(borrowed);
            return Lent { future: None, ledger };
        }
        // SAFETY: it is destroyed before `'a` ends, see the argument above.
        let future = unsafe { mem::transmute::<Borrowed<'a, O>, Borrowed<'static, O>>(borrowed) };
        Lent { future: Some(future), ledger }
    }
}

impl<O> Future for Lent<O> {
    type Output = O;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<O> {
        match &mut self.future {
            Some(future) => future.as_mut().poll(cx),
            None => Poll::Pending,
        }
    }
}

impl<O> Drop for Lent<O> {
    fn drop(&mut self) {
        /// Counts one back, also if the destructor before it panics.
        struct Leaves<'l>(&'l Ledger);

        impl Drop for Leaves<'_> {
            fn drop(&mut self) {
                self.0.leave();
            }
        }

        if let Some(future) = self.future.take() {
            let _leaves = Leaves(&self.ledger);
            drop(future);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::with;
    use crate::layers::base::sync::{AtomicBool, Ordering, thread_scope};
    use std::future::{pending, ready};
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    struct Raises<'f>(&'f AtomicBool);

    impl Drop for Raises<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    fn raises(flag: &AtomicBool) -> impl Future<Output = ()> + Send {
        let raises = Raises(flag);
        async move {
            let _raises = raises;
            pending::<()>().await;
        }
    }

    #[test]
    fn it_waits_for_what_another_thread_has() {
        let gone = AtomicBool::new(false);
        thread_scope(|threads| {
            with(|loans, _| {
                let lent = loans.lend(raises(&gone));
                threads.spawn(move || drop(lent));
            });
            assert!(gone.load(Ordering::SeqCst), "it came back before the call returned");
        });
    }

    #[test]
    fn it_waits_also_when_it_unwinds() {
        let gone = AtomicBool::new(false);
        thread_scope(|threads| {
            let unwound = catch_unwind(AssertUnwindSafe(|| {
                with(|loans, _| {
                    let lent = loans.lend(raises(&gone));
                    threads.spawn(move || drop(lent));
                    resume_unwind(Box::new(7));
                });
            }));
            assert_eq!(unwound.unwrap_err().downcast_ref(), Some(&7));
            assert!(gone.load(Ordering::SeqCst), "it came back before the call unwound");
        });
    }

    #[test]
    fn nothing_is_lent_afterwards() {
        let gone = AtomicBool::new(false);
        let loans = with(|loans, _| loans);
        let late = loans.lend(raises(&gone));
        assert!(gone.load(Ordering::SeqCst), "it is dropped at once");
        let mut cx = Context::from_waker(Waker::noop());
        assert!(pin!(late).poll(&mut cx).is_pending());
    }

    #[test]
    fn a_destructor_that_panics_counts_itself_back() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                resume_unwind(Box::new(()));
            }
        }
        with(|loans, ledger| {
            let bomb = Bomb;
            let lent = loans.lend(async move {
                let _bomb = &bomb;
                pending::<()>().await;
            });
            assert!(catch_unwind(AssertUnwindSafe(|| drop(lent))).is_err());
            ledger.close();
            assert!(ledger.is_settled());
        });
    }

    #[test]
    fn it_gives_what_the_future_gives() {
        let word = String::from("word");
        let bytes = with(|loans, _| {
            let lent = pin!(loans.lend(ready(word.len())));
            lent.poll(&mut Context::from_waker(Waker::noop()))
        });
        assert_eq!(bytes, Poll::Ready(4));
    }
}
