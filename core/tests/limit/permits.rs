//! Permits: split, merged, owned, given back anywhere; and their holders.

use super::{poll, queue, take};
use allhome::Semaphore;
use allhome::limit::{AcquireError, OwnedPermit, Permit, TryAcquireError};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::thread;
use std::time::Instant;

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

#[test]
fn s18_holders_are_known() {
    let began = Instant::now();
    let semaphore = Semaphore::new(4).track_holders(true);
    let mut three = take(&semaphore, 3);
    let line = line!() + 1;
    let waiting = queue_here(&semaphore);
    let infos = semaphore.holders();
    let (waits, holds): (Vec<_>, Vec<_>) = infos.iter().partition(|info| info.is_waiting());
    assert_eq!((waits.len(), holds.len()), (1, 1));
    assert_eq!((waits[0].count(), holds[0].count()), (2, 3));
    assert_eq!(waits[0].location().line(), line);
    assert!(holds[0].location().file().ends_with("permits.rs") && holds[0].task().is_none());
    assert!(holds[0].since() >= began && holds[0].since() <= Instant::now());
    assert!(holds[0].to_string().starts_with("no task holds 3 since "), "{}", holds[0]);
    assert!(waits[0].to_string().contains("waits for 2"), "{}", waits[0]);
    assert!(format!("{:?}", waits[0]).contains("waits: true"));

    let counts = || {
        let mut counts: Vec<_> =
            semaphore.holders().iter().map(|info| (info.count(), info.is_waiting())).collect();
        counts.sort_unstable();
        counts
    };
    let one = three.split(1).unwrap();
    assert_eq!(counts(), [(1, false), (2, false), (2, true)]);
    drop(waiting);
    three.merge(one).unwrap();
    assert_eq!(counts(), [(3, false)]);
    drop(three);
    assert_eq!(counts(), []);
}

#[track_caller]
fn queue_here(semaphore: &Semaphore) -> super::Waiting<'_> {
    queue_acquire(semaphore.acquire_many(2))
}

fn queue_acquire(acquire: allhome::limit::Acquire<'_>) -> super::Waiting<'_> {
    let mut waiting = super::Waiting { future: Box::pin(acquire), woken: Arc::default() };
    assert!(waiting.poll().is_pending());
    waiting
}

#[test]
fn s18_the_book_is_kept_through_all_ways_out() {
    let semaphore = Semaphore::new(4).track_holders(true);
    let all = take(&semaphore, 4);
    let (granted, left, doomed, closed) =
        (queue(&semaphore, 1), queue(&semaphore, 1), queue(&semaphore, 4), queue(&semaphore, 3));
    assert_eq!(semaphore.holders().len(), 5);
    drop(left);
    semaphore.resize(3);
    assert_eq!(doomed.woken(), 1);
    assert_eq!(semaphore.holders().len(), 3);
    drop(all);
    assert_eq!(granted.woken(), 1);
    let reserved: Vec<_> = semaphore.holders().into_iter().filter(|i| !i.is_waiting()).collect();
    assert_eq!((reserved.len(), reserved[0].count()), (1, 1), "reserved, and not polled");
    assert_eq!(semaphore.try_acquire().unwrap_err(), TryAcquireError::NoPermits);
    semaphore.close();
    assert_eq!(closed.refused(), AcquireError::Closed);
    let permit = granted.granted();
    assert_eq!(semaphore.holders().len(), 1);
    permit.forget();
    drop(doomed);
    assert!(semaphore.holders().is_empty());

    let plain = Semaphore::new(1);
    let _permit = take(&plain, 1);
    assert!(plain.holders().is_empty(), "no book is kept unless it is asked for");
}
