//! What a semaphore allocates: nothing, but for the book's pages.

use allhome::Semaphore;
use allocation_counter::measure;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Waker};

fn waits(future: Pin<&mut impl Future>) -> bool {
    future.poll(&mut Context::from_waker(Waker::noop())).is_pending()
}

/// As many rows of the book as are needed at a time, and a few in this thread's stock.
pub(super) fn fill_the_book(rows: usize) {
    let semaphore = Semaphore::new(rows);
    let permits: Vec<_> = (0..rows).map(|_| semaphore.try_acquire()).collect();
    assert!(permits.iter().all(Result::is_ok));
}

#[test]
fn s17_nothing_is_allocated() {
    fill_the_book(300);
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

#[test]
fn s17_the_book_grows_by_pages_of_32_rows() {
    const MANY: usize = 3_200;
    let semaphore = Semaphore::new(2 * MANY);
    let mut permits = Vec::with_capacity(2 * MANY);
    let mut take =
        || measure(|| permits.extend((0..MANY).map_while(|_| semaphore.try_acquire().ok())));
    let (first, _) = (take(), take());
    let pages = MANY as u64 / 32;
    // The two lists of all pages and of spare rows double now and then.
    assert!((pages / 2..=pages + 32).contains(&first.count_total), "{}", first.count_total);
    drop(permits);
    let again = measure(|| {
        for _ in 0..2 * MANY {
            drop(semaphore.try_acquire());
        }
    });
    assert_eq!(again.count_total, 0);
}
