//! Permits: split, merged, owned, given back anywhere.

use super::{poll, queue, take};
use allhome::Semaphore;
use allhome::limit::{AcquireError, OwnedPermit, Permit, TryAcquireError};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::thread;

#[test]
fn s14_split_and_merge_keep_the_count() {
    let (semaphore, other) = (Semaphore::new(10), Semaphore::new(10));
    let mut permit = take(&semaphore, 7);
    assert!(permit.split(8).is_none() && permit.split(usize::MAX).is_none());
    let mut three = permit.split(3).unwrap();
    let mut none = three.split(0).unwrap();
    let all = three.split(3).unwrap();
    assert_eq!([&permit, &three, &none, &all].map(Permit::count), [4, 0, 0, 3]);
    assert_eq!(semaphore.available(), 3);
    none.merge(all).unwrap();
    none.merge(take(&semaphore, 2)).unwrap();
    assert_eq!((none.count(), semaphore.available()), (5, 1));
    let back = none.merge(take(&other, 1)).unwrap_err();
    assert_eq!((back.count(), none.count(), other.available()), (1, 5, 9));
    drop((back, none, three));
    assert_eq!((semaphore.available(), other.available()), (6, 10));
    drop(permit);
    assert_eq!(semaphore.available(), 10);
}

#[test]
fn s14_split_to_nothing() {
    let semaphore = Semaphore::new(5);
    let mut three = take(&semaphore, 3);
    let mut one = three.split(1).unwrap();
    let none = three.split(0).unwrap();
    drop(three);
    assert_eq!(semaphore.available(), 4);
    let all = one.split(1).unwrap();
    assert_eq!((one.count(), all.count()), (0, 1));
    assert!(one.split(1).is_none());
    drop((one, none));
    assert_eq!(semaphore.available(), 4, "nothing comes back of nothing");
    drop(all);
    assert_eq!(semaphore.available(), 5);
}

#[test]
fn s14_merged_permits_come_back_at_once() {
    let semaphore = Semaphore::new(3);
    let mut one = take(&semaphore, 1);
    one.merge(take(&semaphore, 2)).unwrap();
    let waiting = queue(&semaphore, 3);
    drop(one);
    assert_eq!(waiting.granted().count(), 3);
}

#[test]
fn s21_owned_twins_do_the_same() {
    let semaphore = Arc::new(Semaphore::new(4));
    let other = Arc::new(Semaphore::new(4));
    let mut two: OwnedPermit = semaphore.try_acquire_many_owned(2).unwrap();
    let one = semaphore.try_acquire_owned().unwrap();
    assert!(Arc::ptr_eq(two.semaphore(), &semaphore));
    assert_eq!(semaphore.try_acquire_many_owned(2).unwrap_err(), TryAcquireError::NoPermits);
    let mut acquire = pin!(semaphore.acquire_many_owned(3));
    assert!(poll(acquire.as_mut(), Waker::noop()).is_pending());
    let part = two.split(1).unwrap();
    assert!(two.split(2).is_none());
    drop(part);
    two.merge(one).unwrap();
    assert_eq!(two.merge(other.try_acquire_owned().unwrap()).unwrap_err().count(), 1);
    assert_eq!((two.count(), semaphore.waiters(), semaphore.available()), (2, 1, 2));
    two.split(1).unwrap().forget();
    let granted = {
        drop(two);
        poll(acquire.as_mut(), Waker::noop())
    };
    let Poll::Ready(Ok(permit)) = granted else { panic!("{granted:?}") };
    assert_eq!((permit.count(), semaphore.capacity(), semaphore.available()), (3, 3, 0));
    semaphore.close();
    let refused = poll(pin!(semaphore.acquire_owned()), Waker::noop());
    assert!(matches!(refused, Poll::Ready(Err(AcquireError::Closed))));
}

#[test]
fn s21_owned_permits_keep_the_semaphore() {
    let semaphore = Arc::new(Semaphore::new(1));
    let weak = Arc::downgrade(&semaphore);
    let mut acquire = Box::pin(semaphore.acquire_owned());
    drop(semaphore);
    let Poll::Ready(Ok(permit)) = poll(acquire.as_mut(), Waker::noop()) else { panic!() };
    drop(acquire);
    assert_eq!(weak.strong_count(), 1);
    let mut queued = Box::pin(permit.semaphore().acquire_owned());
    assert!(poll(queued.as_mut(), Waker::noop()).is_pending());
    drop(permit);
    assert_eq!(weak.strong_count(), 1, "the one that waits has it");
    drop(queued);
    assert_eq!(weak.strong_count(), 0);
    let forgotten = Arc::new(Semaphore::new(1));
    forgotten.try_acquire_owned().unwrap().forget();
    assert_eq!(Arc::strong_count(&forgotten), 1);
}

#[test]
fn s22_given_back_anywhere() {
    /// Acquires when it is dropped.
    struct Late<'a>(&'a Semaphore);

    impl Drop for Late<'_> {
        fn drop(&mut self) {
            assert_eq!(take(self.0, 1).count(), 1);
            assert!(poll(pin!(self.0.acquire()), Waker::noop()).is_ready());
        }
    }

    let semaphore = Arc::new(Semaphore::new(1));
    let permit = semaphore.try_acquire_owned().unwrap();
    thread::spawn(move || drop(permit)).join().unwrap();
    drop(Late(&semaphore));
    let permit = take(&semaphore, 1);
    thread::scope(|scope| {
        let panicked = scope.spawn(|| {
            let _held = permit;
            panic!("with a permit");
        });
        assert!(panicked.join().is_err());
    });
    assert_eq!(semaphore.available(), 1);
    let permit = semaphore.try_acquire_owned().unwrap();
    semaphore.close();
    drop(semaphore);
    drop(permit);
}
