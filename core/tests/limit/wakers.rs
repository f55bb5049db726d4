//! Wakers: which, how often, and what they may do.

use super::{Count, calls, poll, queue, raw, take};
use allhome::Semaphore;
use allhome::limit::{Acquire, AcquireError, OwnedPermit};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Poll, RawWaker, RawWakerVTable, Wake, Waker};

#[test]
fn s08_the_latest_waker_is_woken_once() {
    let semaphore = Semaphore::new(1);
    let permit = take(&semaphore, 1);
    let (old, new) = (Arc::new(Count::default()), Arc::new(Count::default()));
    let mut acquire = Box::pin(semaphore.acquire());
    for count in [&old, &new, &new] {
        assert!(poll(acquire.as_mut(), &Waker::from(count.clone())).is_pending());
    }
    assert_eq!((Arc::strong_count(&old), Arc::strong_count(&new)), (1, 2), "one waker is kept");
    assert_eq!(semaphore.waiters(), 1, "it stands in the line once");
    drop(permit);
    assert_eq!((old.get(), new.get()), (0, 1));
    assert_eq!(Arc::strong_count(&new), 1, "nothing is kept of it");
    // Moved to a third task after it was granted.
    assert!(matches!(poll(acquire.as_mut(), Waker::noop()), Poll::Ready(Ok(_))));
    assert_eq!((old.get(), new.get(), semaphore.available()), (0, 1, 1));
}

#[test]
fn s08_another_waker_keeps_the_place() {
    let semaphore = Semaphore::new(1);
    let permit = take(&semaphore, 1);
    let (mut first, second) = (queue(&semaphore, 1), queue(&semaphore, 1));
    first.woken = Arc::default();
    assert!(first.poll().is_pending());
    drop(permit);
    assert_eq!((first.woken(), second.woken()), (1, 0));
}

type Slot = Arc<Mutex<Option<Pin<Box<Acquire<'static>>>>>>;

/// A waker that polls inside `wake`, on the stack of the thread that gives the permit back.
#[test]
fn s09_a_waker_may_poll_and_give_back() {
    static SEMAPHORE: Semaphore = Semaphore::new(1);
    let semaphore = &SEMAPHORE;
    let permit = take(semaphore, 1);
    let served = Arc::new(Mutex::new(Vec::new()));
    for number in 0..50 {
        let slot = Slot::default();
        let (inside, order) = (slot.clone(), served.clone());
        let waker = calls(move || {
            let mut acquire = inside.lock().unwrap().take().expect("it is woken once");
            // Granted, and given back at once, inside the other's drop.
            assert!(matches!(poll(acquire.as_mut(), Waker::noop()), Poll::Ready(Ok(_))));
            order.lock().unwrap().push(number);
        });
        let mut acquire = Box::pin(semaphore.acquire());
        assert!(poll(acquire.as_mut(), &waker).is_pending());
        *slot.lock().unwrap() = Some(acquire);
    }
    drop(permit);
    assert_eq!(semaphore.available(), 1);
    // The permit goes down the line inside the wakers, so the last to come is the first to end.
    assert_eq!(*served.lock().unwrap(), (0..50).rev().collect::<Vec<_>>());
}

#[test]
fn s09_a_waker_may_use_the_semaphore() {
    static SEMAPHORE: Semaphore = Semaphore::new(2);
    let semaphore = &SEMAPHORE;
    let both = take(semaphore, 2);
    let ran = Arc::new(AtomicUsize::new(0));
    let count = ran.clone();
    let waker = calls(move || {
        assert_eq!(semaphore.waiters(), 0, "all were told before one is woken");
        assert!(semaphore.try_acquire().is_err());
        semaphore.resize(3);
        take(semaphore, 1).forget();
        drop(queue_none(semaphore));
        assert!(!semaphore.holders().is_empty(), "one was granted a moment ago");
        if count.fetch_add(1, SeqCst) == 1 {
            assert!(semaphore.close());
        }
    });
    let mut line: Vec<_> = (0..2).map(|_| Box::pin(semaphore.acquire())).collect();
    for acquire in &mut line {
        assert!(poll(acquire.as_mut(), &waker).is_pending());
    }
    drop(both);
    assert_eq!(ran.load(SeqCst), 2);
    assert!(semaphore.is_closed());
    for acquire in &mut line {
        assert!(matches!(poll(acquire.as_mut(), Waker::noop()), Poll::Ready(Ok(_))));
    }
    assert_eq!(semaphore.available(), 2);
}

/// A waker that gives a permit back when it is dropped: replaced, called, or left behind.
#[test]
fn s09_a_waker_that_owns_a_permit() {
    struct Owns {
        _permit: Option<OwnedPermit>,
    }
    impl Wake for Owns {
        fn wake(self: Arc<Self>) {}
    }
    let semaphore = Arc::new(Semaphore::new(1));
    let owning = || Waker::from(Arc::new(Owns { _permit: semaphore.try_acquire_owned().ok() }));
    let waits =
        |acquire: &mut Pin<Box<Acquire<'_>>>| poll(acquire.as_mut(), &owning()).is_pending();

    let mut acquire = Box::pin(semaphore.acquire());
    assert!(waits(&mut acquire));
    // The old waker's permit is for the one whose waker it was.
    assert!(waits(&mut acquire));
    assert!(matches!(poll(acquire.as_mut(), Waker::noop()), Poll::Ready(Ok(_))));
    assert_eq!(semaphore.available(), 1);

    let mut left = Box::pin(semaphore.acquire());
    assert!(waits(&mut left));
    drop(left);
    assert_eq!(semaphore.available(), 1);

    let mut told = Box::pin(semaphore.acquire());
    assert!(waits(&mut told));
    semaphore.close();
    assert_eq!(semaphore.available(), 1);
    assert!(matches!(poll(told.as_mut(), Waker::noop()), Poll::Ready(Err(AcquireError::Closed))));
}

fn queue_none(semaphore: &Semaphore) -> Acquire<'_> {
    let mut none = Box::pin(semaphore.acquire_many(0));
    assert!(poll(none.as_mut(), Waker::noop()).is_ready());
    semaphore.acquire()
}

/// Wakers whose clone and drop use the semaphore, or panic.
mod nosy {
    use super::*;
    use crate::raw::raw_waker;

    static TABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake, drop_it);

    fn nosy() -> (&'static Semaphore, &'static AtomicBool) {
        static SEMAPHORE: Semaphore = Semaphore::new(1);
        static PANICS: AtomicBool = AtomicBool::new(false);
        (&SEMAPHORE, &PANICS)
    }

    fn look() {
        let (semaphore, panics) = nosy();
        // Hangs if the lock is held.
        assert!(semaphore.waiters() < 9 && !panics.swap(false, SeqCst), "told to panic");
        semaphore.resize(1);
    }

    fn clone(_: *const ()) -> RawWaker {
        look();
        raw_waker(&TABLE)
    }

    fn wake(_: *const ()) {
        look();
    }

    fn drop_it(_: *const ()) {
        look();
    }

    #[test]
    fn s09_cloned_and_dropped_with_no_lock_held() {
        let (semaphore, panics) = nosy();
        let nothing = Waker::noop();
        let waker = raw::waker(&TABLE);
        let permit = take(semaphore, 1);

        let mut acquire = Box::pin(semaphore.acquire());
        panics.store(true, SeqCst);
        let cloned = catch_unwind(AssertUnwindSafe(|| poll(acquire.as_mut(), &waker)));
        assert!(cloned.is_err() && semaphore.waiters() == 0, "it never joined");
        assert!(poll(acquire.as_mut(), &waker).is_pending());
        assert!(poll(acquire.as_mut(), nothing).is_pending());
        assert!(poll(acquire.as_mut(), &waker).is_pending());
        panics.store(true, SeqCst);
        assert!(poll(acquire.as_mut(), nothing).is_pending(), "the old waker's drop panicked");
        panics.store(true, SeqCst);
        let cloned = catch_unwind(AssertUnwindSafe(|| poll(acquire.as_mut(), &waker)));
        assert!(cloned.is_err() && semaphore.waiters() == 1, "it is as it was");
        assert!(poll(acquire.as_mut(), &waker).is_pending());
        panics.store(true, SeqCst);
        drop(acquire);
        assert!(!panics.load(SeqCst) && semaphore.waiters() == 0);

        drop(permit);
        assert!(poll(Box::pin(semaphore.acquire()).as_mut(), &waker).is_ready());
        assert_eq!(semaphore.available(), 1);
    }
}

/// The owned future keeps its place when a waker panics: it must not lose its semaphore.
#[test]
fn s10_a_clone_that_panics_leaves_an_owned_acquire_in_its_place() {
    static TABLE: RawWakerVTable =
        RawWakerVTable::new(|_| panic!("no clone"), |_| (), |_| (), |_| ());
    let semaphore = Arc::new(Semaphore::new(1));
    let permit = semaphore.try_acquire_owned().unwrap();
    let mut acquire = Box::pin(semaphore.acquire_owned());
    assert!(poll(acquire.as_mut(), Waker::noop()).is_pending());
    let waker = raw::waker(&TABLE);
    assert!(catch_unwind(AssertUnwindSafe(|| poll(acquire.as_mut(), &waker))).is_err());
    assert_eq!(semaphore.waiters(), 1);
    drop(acquire);
    assert_eq!(semaphore.waiters(), 0);
    drop(permit);
    assert_eq!(semaphore.available(), 1);
}

#[test]
fn s10_a_waker_that_panics_harms_nobody() {
    static SEMAPHORES: [Semaphore; 3] = [Semaphore::new(1), Semaphore::new(2), Semaphore::new(40)];
    for semaphore in &SEMAPHORES {
        let many = semaphore.capacity();
        let all = take(semaphore, many);
        let bad = calls(|| panic!("in a waker"));
        let mut first = Box::pin(semaphore.acquire());
        assert!(poll(first.as_mut(), &bad).is_pending());
        let rest: Vec<_> = (1..many).map(|_| queue(semaphore, 1)).collect();
        drop(all);
        assert!(rest.iter().all(|waiting| waiting.woken() == 1));
        assert!(matches!(poll(first.as_mut(), Waker::noop()), Poll::Ready(Ok(_))));
        drop((first, rest));
        assert_eq!(semaphore.available(), many);
    }
}
