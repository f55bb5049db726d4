//! Limits: the clauses S of docs/SPEC.md.
//!
//! What the tests of others check, and where it is checked here. Go: `semaphore_test.go` of x/sync.
//! tokio: `sync_semaphore.rs` and `sync_semaphore_owned.rs` (each name stands for its owned twin,
//! which is s21 here), `semaphore_batch.rs` and `loom_semaphore_batch.rs`. Ours without a file are
//! here; *loom* is `core/tests/loom/limit.rs`, *cancel* `tests/runs/tests/limits/limit_cancel.rs`.
//!
//! | theirs | ours |
//! |---|---|
//! | Go `TestWeighted` | `s20_never_more_than_the_capacity` |
//! | Go `TestWeightedPanic` (release of what was not acquired) | there is no such call: a permit gives itself back |
//! | Go `TestWeightedTryAcquire` | `s03_try_takes_what_is_free` |
//! | Go `TestWeightedAcquire` | `s01_who_finds_too_few_waits_and_is_woken`, cancel `s23_cancelled_with_a_scope` |
//! | Go `TestWeightedDoesntBlockIfTooBig` | `s05_more_than_the_capacity_fails_at_once`: it does not wait |
//! | Go `TestLargeAcquireDoesntStarve` | `s02_small_requests_do_not_overtake_a_large_one` |
//! | Go `TestAllocCancelDoesntStarve` | `s07_drop_of_the_first_lets_the_next_in`, cancel `s23_whose_turn_it_is_now_is_told` |
//! | Go `TestWeightedAcquireCanceled` | cancel `s23_cancelled_in_each_window`; but what is free is granted: `s23_what_is_free_is_taken_by_the_cancelled` |
//! | `poll_acquire_one_available`, `poll_acquire_many_available` | `s01_what_is_free_is_taken_and_comes_back` |
//! | `try_acquire_one_available`, `try_acquire_many_available`, `try_acquire_one_unavailable`, `try_acquire_many_unavailable`, `try_acquire`, `try_acquire_many` | `s03_try_takes_what_is_free` |
//! | `poll_acquire_one_unavailable`, `acquire`, `acquire_many` | `s01_who_finds_too_few_waits_and_is_woken` |
//! | `poll_acquire_many_unavailable` | `s02_small_requests_do_not_overtake_a_large_one` |
//! | `poll_acquire_one_zero_permits` | `s05_a_semaphore_of_none_refuses_all`, `s12_a_semaphore_of_none_may_grow`: it does not wait |
//! | `no_permits` | `s05_a_semaphore_of_none_refuses_all` |
//! | `max_permits_doesnt_panic`, `validates_max_permits`, `panic_when_exceeds_maxpermits`, `no_panic_at_maxpermits`, `add_max_amount_permits`, `add_more_than_max_amount_permits1`, `add_more_than_max_amount_permits2` | `s16_the_most_is_the_most`: no panic, but the most there can be |
//! | `try_acquire_validates_max_permits`, `acquire_validates_max_permits`, `acquire_validates_top_bit_permits`, `acquire_many_exceeds_maxpermits`, `acquire_many_top_bit_exceeds_maxpermits` | `s05_more_than_the_capacity_fails_at_once`: no panic, but an error |
//! | `add_permits` | `s12_growing_serves_the_line_in_order` |
//! | `add_permits_open`, `add_permits_closed`, `forget_open`, `forget_closed`, `forget_permits_basic` | `s12_growing_and_shrinking_open_and_closed` |
//! | `update_permits_many_times` | `s13_who_waits_for_more_fails_at_once`, `s12_growing_serves_the_line_in_order`: it does not wait for what there is not |
//! | `close_semaphore_prevents_acquire`, `close_semaphore_notifies_permit1`, `close_semaphore_notifies_permit2` | `s11_close_refuses_those_who_wait_or_come` |
//! | `close_wakes_all_waiters` | `s11_many_are_told` |
//! | `close_drops_wakers_outside_lock`, `release_permits_at_drop` | `s09_a_waker_that_owns_a_permit` |
//! | `close_wakes_waiters_outside_lock` | `s09_a_waker_may_use_the_semaphore` |
//! | `cancel_acquire_releases_permits` | `s07_queued` |
//! | `forget` | `s15_forgotten_permits_shrink_the_capacity` |
//! | `merge`, `merge_many_permits`, `split` | `s14_split_and_merge_keep_the_count`, `s14_split_to_nothing` |
//! | `merge_unrelated_permits` | `s14_split_and_merge_keep_the_count`: no panic, but the permit back |
//! | `permit_semaphore` | `s21_owned_permits_keep_the_semaphore` |
//! | `stress_test` | `s02_one_release_serves_all_that_fit`, `s20_permits_are_conserved` |
//! | `blocking_acquire*` (ten) | there is no such call: `block_on` the future, as `s20_*` do |
//! | loom `basic_usage`, `release` | loom `s20_a_permit_orders_memory`, `s20_a_permit_that_is_handed_on_orders_memory` |
//! | loom `basic_closing`, `concurrent_close` | loom `s11_close_versus_acquire`, `s11_close_versus_release`, `s11_close_from_another_thread_ends_all_waits` |
//! | loom `concurrent_cancel` | loom `s07_drop_of_a_queued_acquire_versus_release`, `s07_drop_of_a_granted_acquire_versus_acquire` |
//! | loom `batch` | `s20_never_more_than_the_capacity` |
//! | loom `release_during_acquire` | loom `s20_a_permit_that_is_handed_on_orders_memory` |
//! | loom `concurrent_permit_updates` | `s20_permits_are_conserved` |

#![cfg(not(loom))]

mod acquire;
mod both;
mod capacity;
mod holders;
mod keyed;
mod keyed_model;
mod leave;
mod model;
mod permits;
mod raw;
mod threads;
mod wakers;

use allhome::Semaphore;
use allhome::limit::{Acquire, AcquireError, Permit};
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

/// An acquire in its own task, and how often it was woken.
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

/// Drops all waiters but the last, in an order that is none.
fn drop_out_of_order(line: &mut [Option<Waiting<'_>>], waiters: impl Fn() -> usize) {
    let last = line.len() - 1;
    let (mut at, mut left) = (0, line.len());
    while left > 1 {
        // 7 has no factor in common with what it is taken modulo: it visits all but the last.
        assert_ne!(last % 7, 0);
        at = (at + 7) % last;
        if line[at].take().is_some() {
            left -= 1;
        } else {
            at += 1;
        }
        assert_eq!(waiters(), left);
    }
}
