//! What a semaphore allocates: nothing.

use allhome::Semaphore;
use allocation_counter::measure;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Waker};

fn waits(future: Pin<&mut impl Future>) -> bool {
    future.poll(&mut Context::from_waker(Waker::noop())).is_pending()
}

#[test]
fn s17_nothing_is_allocated() {
    let semaphore = Semaphore::new(50);
    let mut line: Vec<_> = (0..100).map(|_| Box::pin(semaphore.acquire_many(2))).collect();
    let mut late: Vec<_> = (0..100).map(|_| Box::pin(semaphore.acquire())).collect();

    let (mut waiting, mut left) = (0, 0);
    let allocated = measure(|| {
        let all = semaphore.try_acquire_many(50).expect("all are free");
        let both = line.iter_mut().chain(&mut late);
        waiting = both.filter_map(|acquire| waits(acquire.as_mut()).then_some(())).count();
        drop(all);
        let first = line.iter_mut().take(25);
        left = first.filter_map(|acquire| waits(acquire.as_mut()).then_some(())).count();
        semaphore.resize(60);
        line.truncate(50);
        semaphore.resize(1);
        semaphore.resize(10);
        drop(line);
        semaphore.close();
        drop(late);
    });
    assert_eq!(allocated.count_total, 0);
    assert_eq!((waiting, left), (200, 0));
    assert_eq!((semaphore.available(), semaphore.waiters()), (10, 0));
}
