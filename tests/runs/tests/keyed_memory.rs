//! What a semaphore with keys allocates: what the keys that wait need, and nothing of the others.

use allhome::KeyedSemaphore;
use cap::Cap;
use std::alloc::System;
use std::future::Future;
use std::task::{Context, Waker};

#[global_allocator]
static ALLOCATED: Cap<System> = Cap::new(System, usize::MAX);

#[test]
fn w05_memory_is_of_the_keys_that_wait() {
    const WAIT: usize = 1_000;
    let semaphore = KeyedSemaphore::<usize>::new(1);
    let mut line = Vec::with_capacity(WAIT);
    let before = ALLOCATED.allocated();
    let permit = semaphore.semaphore().try_acquire().expect("nobody else");
    // A hundred thousand keys, of which a thousand wait at any time.
    for round in 0..100 {
        let bytes = ALLOCATED.allocated();
        for at in 0..WAIT {
            line.push(Box::pin(semaphore.acquire(&(round * WAIT + at))));
        }
        let futures = ALLOCATED.allocated() - bytes;
        let mut cx = Context::from_waker(Waker::noop());
        assert!(line.iter_mut().all(|acquire| acquire.as_mut().poll(&mut cx).is_pending()));
        let a_key = (ALLOCATED.allocated() - bytes - futures) / WAIT;
        assert!((1..=250).contains(&a_key), "{a_key} bytes a key");
        assert_eq!(semaphore.waiting_keys(), WAIT);
        line.clear();
        // The room for the next key stays; and the harness has memory of its own, in its thread.
        let kept = ALLOCATED.allocated().saturating_sub(before);
        assert!(kept < 20 * WAIT, "nothing is kept of a key: {kept}");
    }
    // Whoever asks for a byte more ends the process: who need not wait needs none.
    drop(permit);
    ALLOCATED.set_limit(ALLOCATED.allocated()).expect("it is what there is");
    for key in 0..WAIT {
        let acquire = std::pin::pin!(semaphore.acquire(&key));
        let acquired = acquire.poll(&mut Context::from_waker(Waker::noop()));
        assert!(acquired.is_ready());
    }
    ALLOCATED.set_limit(usize::MAX).expect("there is no limit");
}
