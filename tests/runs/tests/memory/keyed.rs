//! What a semaphore with keys allocates: what the keys that wait need, and nothing of the others.

use allhome::limit::KeyedSemaphore;
use allocation_counter::measure;
use std::future::Future;
use std::task::{Context, Waker};

/// How many keys wait at a time.
const WAIT: usize = 1_000;

#[test]
fn w05_memory_is_of_the_keys_that_wait() {
    // The book's rows, 64 bytes for each that waits, are there before.
    super::semaphore::fill_the_book(WAIT + 200);
    let semaphore = KeyedSemaphore::<usize>::new(1);
    let mut line = Vec::with_capacity(WAIT);
    let permit = semaphore.semaphore().try_acquire().expect("it is free");
    // A hundred thousand keys, of which a thousand wait at any time.
    let kept = measure(|| {
        for round in 0..100 {
            line.extend((0..WAIT).map(|at| Box::pin(semaphore.acquire(&(round * WAIT + at)))));
            let keys = measure(|| {
                let mut cx = Context::from_waker(Waker::noop());
                assert!(line.iter_mut().all(|acquire| acquire.as_mut().poll(&mut cx).is_pending()));
            });
            // The room for them stays: later rounds allocate nothing for them.
            let a_key = keys.bytes_current / WAIT as i64;
            assert!((i64::from(round == 0)..=250).contains(&a_key), "{a_key} bytes a key");
            assert_eq!(semaphore.waiting_keys(), WAIT);
            line.clear();
        }
    });
    let kept = kept.bytes_current;
    assert!(kept < 20 * WAIT as i64, "only the room for the next key is kept: {kept}");
    drop(permit);
    // An acquire that need not wait allocates nothing.
    let allocated = measure(|| {
        for key in 0..WAIT {
            let acquire = std::pin::pin!(semaphore.acquire(&key));
            let acquired = acquire.poll(&mut Context::from_waker(Waker::noop()));
            assert!(acquired.is_ready());
        }
    });
    assert_eq!(allocated.count_total, 0);
}
