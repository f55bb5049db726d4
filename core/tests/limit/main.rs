//! Limits: the clauses S of docs/SPEC.md.
//!
//! What the tests of others check, and where it is checked here. Go: `semaphore_test.go` of
//! x/sync; tokio: `sync_semaphore.rs`, `sync_semaphore_owned.rs` and `semaphore_batch.rs`, their
//! names shortened where several are alike.
//!
//! | theirs | ours |
//! |---|---|
//! | Go `TestWeighted`, tokio `stress_test` | s20 |
//! | Go `TestWeightedPanic` (release of what was not acquired) | there is no such call: a permit gives itself back |
//! | Go `TestWeightedTryAcquire`, `TestWeightedAcquire` | s01, s03 |
//! | Go `TestWeightedDoesntBlockIfTooBig` | s05: it fails at once |
//! | Go `TestLargeAcquireDoesntStarve` | s02 |
//! | Go `TestAllocCancelDoesntStarve` | s07 `drop_of_the_first_lets_the_next_in` |
//! | tokio `poll_acquire_{one,many}_{available,unavailable}`, `acquire`, `acquire_many` | s01, s02 |
//! | tokio `try_acquire_{one,many}_{available,unavailable}`, `try_acquire`, `try_acquire_many` | s03 |
//! | tokio `poll_acquire_one_zero_permits`, `no_permits` | s05, s12 |
//! | tokio `max_permits_doesnt_panic`, `validates_max_permits`, `*_validates_max_permits`, `*_exceeds_maxpermits`, `*_top_bit_*`, `no_panic_at_maxpermits` | s16: no panic, but the most there can be |
//! | tokio `add_permits*`, `add_max_amount_permits`, `add_more_than_max_amount_permits*`, `update_permits_many_times` | s12, s16 |
//! | tokio `close_semaphore_prevents_acquire`, `_notifies_permit*`, `close_wakes_all_waiters`, `forget_closed`, `add_permits_closed` | s11 |
//! | tokio `close_drops_wakers_outside_lock`, `close_wakes_waiters_outside_lock` | s09 |
//! | tokio `cancel_acquire_releases_permits` | s07 |
//! | tokio `release_permits_at_drop` | s07 `granted_and_never_polled` |
//! | tokio `forget*`, `forget_permits_basic` | s15, s13 |
//! | tokio `merge`, `merge_unrelated_permits`, `merge_many_permits*`, `split` | s14: no panic, but the permit back |
//! | tokio `permit_semaphore`, the owned twins | s21 |
//! | tokio `blocking_*` | there is none: `block_on` the future |

#![cfg(not(loom))]

mod acquire;
mod both;
mod capacity;
mod keyed;
mod keyed_model;
mod leave;
mod model;
mod permits;
mod raw;
mod threads;
mod wakers;

use allhome::{Acquire, AcquireError, Permit, Semaphore};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};

/// Counts its wake-ups.
#[derive(Default)]
struct Count(AtomicUsize);

impl Count {
    fn get(&self) -> usize {
        self.0.load(SeqCst)
    }
}

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// A waker that calls a function.
struct Call<F>(F);

impl<F: Fn() + Send + Sync> Wake for Call<F> {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }
}

fn calls(f: impl Fn() + Send + Sync + 'static) -> Waker {
    Waker::from(Arc::new(Call(f)))
}

fn poll<F: Future + ?Sized>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}

/// An acquire in its own task: who was woken, and how often.
struct Waiting<'a> {
    future: Pin<Box<Acquire<'a>>>,
    woken: Arc<Count>,
}

impl<'a> Waiting<'a> {
    fn poll(&mut self) -> Poll<Result<Permit<'a>, AcquireError>> {
        poll(self.future.as_mut(), &Waker::from(self.woken.clone()))
    }

    #[track_caller]
    fn granted(mut self) -> Permit<'a> {
        match self.poll() {
            Poll::Ready(Ok(permit)) => permit,
            other => panic!("not granted: {other:?}"),
        }
    }

    #[track_caller]
    fn refused(mut self) -> AcquireError {
        match self.poll() {
            Poll::Ready(Err(error)) => error,
            other => panic!("not refused: {other:?}"),
        }
    }

    fn woken(&self) -> usize {
        self.woken.get()
    }
}

/// Polls an acquire once; it is expected to wait.
#[track_caller]
fn queue(semaphore: &Semaphore, count: usize) -> Waiting<'_> {
    let future = Box::pin(semaphore.acquire_many(count));
    let mut waiting = Waiting { future, woken: Arc::default() };
    assert!(waiting.poll().is_pending(), "{semaphore:?} has {count} permits");
    waiting
}

#[track_caller]
fn take(semaphore: &Semaphore, count: usize) -> Permit<'_> {
    semaphore.try_acquire_many(count).unwrap()
}
