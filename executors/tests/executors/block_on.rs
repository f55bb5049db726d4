//! `block_on`: rules 11.

use crate::support::{OnDrop, WATCHDOG, watched};
use allhome_executors::{ThreadPool, block_on};
use allhome_rt::{Spawn, SpawnBlocking, Task};
use std::cell::Cell;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

/// A future that is pending once and hands its waker to `then`.
async fn once(then: impl FnOnce(Waker)) {
    let mut then = Some(then);
    poll_fn(|cx| match then.take() {
        Some(then) => {
            then(cx.waker().clone());
            Poll::Pending
        }
        None => Poll::Ready(()),
    })
    .await;
}

#[test]
fn r11_1_polls_on_the_calling_thread_without_send_or_static() {
    let home = thread::current().id();
    let shared = Rc::new(Cell::new(0));
    let borrowed = &shared;
    let output = block_on(async move {
        once(|waker| drop(thread::spawn(move || waker.wake()))).await;
        borrowed.set(borrowed.get() + 1);
        Rc::new(thread::current().id())
    });
    assert_eq!(*output, home);
    assert_eq!(shared.get(), 1);
}

#[test]
fn r11_1_future_is_dropped_before_return() {
    let drops = Cell::new(0);
    let guard = OnDrop(|| drops.set(drops.get() + 1));
    block_on(poll_fn(move |_| {
        let _held = &guard;
        Poll::Ready(())
    }));
    assert_eq!(drops.get(), 1);
}

#[test]
fn r11_2_wake_then_user_code_eats_the_park_token() {
    watched(|| {
        block_on(once(|waker| {
            thread::spawn(move || waker.wake()).join().unwrap();
            thread::current().unpark();
            thread::park();
            thread::park_timeout(Duration::from_millis(1));
        }));
    });
}

/// Polls a future that another thread makes ready and wakes after a while, and counts the polls.
fn polls_until_woken() -> usize {
    let (tx, rx) = mpsc::channel::<Waker>();
    let is_ready = Arc::new(AtomicBool::new(false));
    let in_thread = Arc::clone(&is_ready);
    let waking = thread::spawn(move || {
        let waker = rx.recv().unwrap();
        // So many turns that an executor which spins gets some of them; one that sleeps takes none.
        // On a busy machine each takes a time slice of other programs.
        (0..200).for_each(|_| thread::yield_now());
        in_thread.store(true, SeqCst);
        waker.wake();
    });
    let mut polls = 0;
    let mut first = Some(tx);
    block_on(poll_fn(|cx| {
        polls += 1;
        if let Some(tx) = first.take() {
            tx.send(cx.waker().clone()).unwrap();
            return Poll::Pending; // even if the other thread was so quick: the wake is what counts
        }
        if is_ready.load(SeqCst) { Poll::Ready(()) } else { Poll::Pending }
    }));
    waking.join().unwrap();
    polls
}

#[test]
fn r11_3_sleeps_until_woken() {
    watched(|| assert_eq!(polls_until_woken(), 2));
}

#[test]
fn wake_during_poll_gives_another_poll() {
    watched(|| block_on(once(|waker| waker.wake())));
}

#[test]
fn waker_of_an_earlier_call_wakes_no_later_one() {
    watched(|| {
        let mut kept = None;
        block_on(once(|waker| {
            waker.wake_by_ref();
            kept = Some(waker);
        }));
        kept.take().unwrap().wake();
        assert_eq!(polls_until_woken(), 2);
    });
}

#[test]
fn nested_call_works_and_the_outer_keeps_its_wake() {
    watched(|| {
        let (tx, rx) = mpsc::channel();
        let outer = block_on(async {
            once(|waker| {
                // The outer one is woken before the inner one waits and is woken.
                waker.wake();
                let inner = block_on(async {
                    once(|waker| drop(thread::spawn(move || waker.wake()))).await;
                    2
                });
                tx.send(inner).unwrap();
            })
            .await;
            3
        });
        assert_eq!((rx.recv(), outer), (Ok(2), 3));
        assert_eq!(block_on(async { 4 }), 4);
    });
}

#[test]
fn nested_call_in_the_futures_destructor() {
    watched(|| {
        let inner = Cell::new(0);
        let guard = OnDrop(|| inner.set(block_on(async { 5 })));
        block_on(poll_fn(move |_| {
            let _held = &guard;
            Poll::Ready(())
        }));
        assert_eq!(inner.get(), 5);
    });
}

#[test]
fn panic_reaches_the_caller_and_the_thread_can_go_on() {
    watched(|| {
        let thrown = catch_unwind(|| block_on(async { panic!("thrown") })).unwrap_err();
        assert_eq!(thrown.downcast_ref::<&str>(), Some(&"thrown"));
        block_on(once(|waker| waker.wake()));
    });
}

#[test]
fn r11_4_nested_in_a_worker_panics_with_a_message() {
    let pool = ThreadPool::new(1).unwrap();
    let (tx, rx) = mpsc::channel();
    pool.spawn(Task::from_future(async move {
        let thrown = catch_unwind(AssertUnwindSafe(|| block_on(async {}))).unwrap_err();
        tx.send(thrown.downcast_ref::<String>().cloned()).unwrap();
    }));
    let message = rx.recv_timeout(WATCHDOG).unwrap().expect("a message");
    assert!(message.contains("worker thread of a ThreadPool"), "{message}");
    assert!(message.contains("await the future instead"), "{message}");
}

#[test]
fn inside_a_blocking_job_works() {
    let pool = ThreadPool::new(1).unwrap();
    let (tx, rx) = mpsc::channel();
    pool.spawn_blocking(Box::new(move || {
        block_on(once(|waker| drop(thread::spawn(move || waker.wake()))));
        tx.send(6).unwrap();
    }));
    assert_eq!(rx.recv_timeout(WATCHDOG), Ok(6));
}
