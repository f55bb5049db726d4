//! What a semaphore allocates: nothing.

use allhome::Semaphore;
use cap::Cap;
use std::alloc::System;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Waker};

#[global_allocator]
static ALLOCATED: Cap<System> = Cap::new(System, usize::MAX);

fn waits(future: Pin<&mut impl Future>) -> bool {
    future.poll(&mut Context::from_waker(Waker::noop())).is_pending()
}

#[test]
fn s17_nothing_is_allocated() {
    let semaphore = Semaphore::new(50);
    let mut line: Vec<_> = (0..100).map(|_| Box::pin(semaphore.acquire_many(2))).collect();
    let mut late: Vec<_> = (0..100).map(|_| Box::pin(semaphore.acquire())).collect();

    // Whoever asks for a byte more ends the process.
    ALLOCATED.set_limit(ALLOCATED.allocated()).expect("it is what there is");
    let all = semaphore.try_acquire_many(50).expect("nobody else");
    let waiting = line
        .iter_mut()
        .chain(&mut late)
        .filter_map(|acquire| waits(acquire.as_mut()).then_some(()));
    let waiting = waiting.count();
    drop(all);
    let told = line.iter_mut().take(25).map(|acquire| waits(acquire.as_mut()));
    let told = told.filter(|waits| *waits).count();
    semaphore.resize(60);
    line.truncate(50);
    semaphore.resize(1);
    semaphore.resize(10);
    drop(line);
    semaphore.close();
    drop(late);
    ALLOCATED.set_limit(usize::MAX).expect("there is no limit");

    assert_eq!((waiting, told), (200, 0));
    assert_eq!((semaphore.available(), semaphore.waiters()), (10, 0));
}
