//! Wakes and spawns from elsewhere, and which wakes are a poll.

use super::{Kept, parked, pump, turns};
use allhome::runtime::LocalExecutor;
use allhome_conformance::Counts;
use allhome_rt::{Spawn, Task};
use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Poll, Waker};
use std::thread;

#[test]
fn z02_other_threads_spawn_and_wake() {
    let executor = LocalExecutor::new();
    let (handle, counts) = (executor.handle(), Counts::new());
    let (sender, home) = (counts.clone(), thread::current().id());
    let wrong = Arc::new(AtomicUsize::new(0));
    let count_wrong = wrong.clone();
    let other = thread::spawn(move || {
        for _ in 0..1_000 {
            let (guard, wrong) = (sender.guard(), count_wrong.clone());
            handle.spawn(Task::from_future(async move {
                turns(1).await;
                wrong.fetch_add(usize::from(thread::current().id() != home), Ordering::SeqCst);
                drop(guard);
            }));
        }
    });
    executor.run(async {
        while counts.drops() < 1_000 {
            turns(1).await;
        }
    });
    other.join().unwrap();
    assert_eq!((executor.tasks(), wrong.load(Ordering::SeqCst)), (0, 0));
}

#[test]
fn z02_wake_from_elsewhere_ends_the_sleep() {
    let executor = LocalExecutor::new();
    for round in 0..500 {
        let (tx, rx) = mpsc::channel::<Waker>();
        let other = thread::spawn(move || {
            let waker = rx.recv().unwrap();
            // Sometimes before it sleeps, sometimes when it does.
            (0..round % 50 * 100).for_each(|_| std::hint::spin_loop());
            waker.wake();
        });
        let mut polls = 0;
        executor.run(poll_fn(|cx| {
            polls += 1;
            if polls == 2 {
                return Poll::Ready(());
            }
            tx.send(cx.waker().clone()).unwrap();
            Poll::Pending
        }));
        other.join().unwrap();
    }
}

#[test]
fn z02_wakes_from_many_threads_are_not_lost() {
    const THREADS: usize = 3;
    const WAKES: usize = 2_000;
    let executor = LocalExecutor::new();
    let (sent, seen) = (Arc::new(AtomicUsize::new(0)), Rc::new(Cell::new(0)));
    let kept: Kept = Arc::default();
    let (count, keep, see) = (sent.clone(), kept.clone(), seen.clone());
    executor.spawn_future(poll_fn(move |cx| {
        // Kept first: a thread that adds to the count afterwards wakes this poll's successor.
        *keep.lock().unwrap() = Some(cx.waker().clone());
        see.set(count.load(Ordering::SeqCst));
        if see.get() == THREADS * WAKES { Poll::Ready(()) } else { Poll::Pending }
    }));
    pump(&executor);
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let (sent, kept) = (sent.clone(), kept.clone());
            thread::spawn(move || {
                for _ in 0..WAKES {
                    sent.fetch_add(1, Ordering::SeqCst);
                    let waker = kept.lock().unwrap().clone();
                    waker.unwrap().wake();
                }
            })
        })
        .collect();
    executor.run(async {
        while executor.tasks() > 0 {
            turns(1).await;
        }
    });
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(seen.get(), THREADS * WAKES);
}

#[test]
fn z06_no_poll_without_a_wake_and_one_for_many() {
    let executor = LocalExecutor::new();
    let (counts, kept, polls) = (Counts::new(), Kept::default(), Rc::new(Cell::new(0)));
    executor.spawn_future(parked(&polls, &kept, &counts));
    pump(&executor);
    pump(&executor);
    assert_eq!(polls.get(), 1);
    let waker = || kept.lock().unwrap().clone().unwrap();
    // At home, in a run: the rest of this poll's wakes find the task queued.
    executor.run(async {
        (0..5).for_each(|_| waker().wake());
        turns(2).await;
    });
    assert_eq!(polls.get(), 2);
    let elsewhere = waker();
    thread::spawn(move || (0..5).for_each(|_| elsewhere.wake_by_ref())).join().unwrap();
    pump(&executor);
    assert_eq!(polls.get(), 3);
    // From both sides, outside of any run and inside.
    let elsewhere = waker();
    thread::spawn(move || elsewhere.wake()).join().unwrap();
    waker().wake();
    pump(&executor);
    assert_eq!(polls.get(), 4);
    executor.run(async {
        let elsewhere = waker();
        thread::spawn(move || elsewhere.wake()).join().unwrap();
        waker().wake();
        turns(5).await;
    });
    assert_eq!(polls.get(), 5);
}

#[test]
fn z06_old_wakers_wake_nobody_else() {
    let executor = LocalExecutor::new();
    let (counts, kept) = (Counts::new(), Kept::default());
    let keep = kept.clone();
    executor.spawn_future(poll_fn(move |cx| {
        *keep.lock().unwrap() = Some(cx.waker().clone());
        Poll::Ready(())
    }));
    pump(&executor);
    let old = kept.lock().unwrap().take().unwrap();
    // These stand where the first one stood.
    let polls = Rc::new(Cell::new(0));
    for _ in 0..3 {
        executor.spawn_future(parked(&polls, &Kept::default(), &counts));
    }
    pump(&executor);
    executor.run(async {
        old.wake_by_ref();
        turns(3).await;
    });
    thread::spawn(move || old.wake()).join().unwrap();
    pump(&executor);
    assert_eq!(polls.get(), 3);
}

#[test]
fn z06_seats_that_are_taken_over_are_woken_as_new() {
    let executor = LocalExecutor::new();
    for _ in 0..50 {
        let (counts, kept, polls) = (Counts::new(), Kept::default(), Rc::new(Cell::new(0)));
        // It ends while it is queued, here and from elsewhere, and its waker is not kept.
        executor.spawn_future(poll_fn(|cx| {
            cx.waker().wake_by_ref();
            let waker = cx.waker().clone();
            thread::spawn(move || waker.wake()).join().unwrap();
            Poll::Ready(())
        }));
        pump(&executor);
        executor.spawn_future(parked(&polls, &kept, &counts));
        pump(&executor);
        assert_eq!(polls.get(), 1);
        let waker = kept.lock().unwrap().take().unwrap();
        thread::spawn(move || waker.wake()).join().unwrap();
        pump(&executor);
        assert_eq!(polls.get(), 2);
        let waker = kept.lock().unwrap().take().unwrap();
        executor.run(async {
            waker.wake();
            turns(2).await;
        });
        assert_eq!(polls.get(), 3);
    }
}
