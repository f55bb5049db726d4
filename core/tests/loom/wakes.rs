//! Wakes of a child that has no task of the runtime to itself, against all other events.

use crate::home::{Fault, Home};
use crate::kid::{Book, Kid, Until};
use crate::model;
use loom::sync::Mutex;
use loom::thread;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Waker;

/// Where a child leaves its waker.
type Left = Arc<Mutex<Option<Waker>>>;

/// A child that leaves its waker and polls the kid, until the kid is ready.
fn leaves_waker(mut kid: Kid, left: &Left) -> impl Future<Output = Result<(), Fault>> + use<> {
    let left = left.clone();
    poll_fn(move |cx| {
        let old = left.lock().unwrap().replace(cx.waker().clone());
        drop(old);
        Pin::new(&mut kid).poll(cx).map_ok(drop)
    })
}

/// Opens a nursery with one child that leaves its waker, polled once.
fn parked(until: Until) -> (Home, Arc<Book>, Left) {
    let (kid, book) = Kid::new(until);
    let left = Left::default();
    let child = leaves_waker(kid, &left);
    let (mut home, _) = Home::open(move |n| n.spawn(child).id());
    home.quiet([]);
    (home, book, left)
}

fn take(left: &Left) -> Waker {
    left.lock().unwrap().take().expect("the child was polled")
}

#[test]
fn x11_wake_versus_wake() {
    model(|| {
        let (mut home, book, left) = parked(Until::Polls(2));
        let waker = take(&left);
        let other = waker.clone();
        let thread = thread::spawn(move || other.wake());
        waker.wake();
        thread.join().unwrap();
        assert!(home.settle([]));
        book.check();
        drop(left);
        home.close();
    });
}

/// The wake lands before, in or after the poll that an earlier one has led to.
#[test]
fn x11_wake_versus_poll() {
    model(|| {
        let (mut home, book, left) = parked(Until::Polls(3));
        let waker = take(&left);
        waker.wake_by_ref();
        let thread = thread::spawn(move || waker.wake());
        home.quiet([]);
        thread.join().unwrap();
        home.quiet([]);
        let polls = book.polls();
        assert!((2..=3).contains(&polls), "a wake that was lost, or one too many: {polls}");
        home.nursery.abort();
        home.settle([]);
        book.check();
        drop(left);
        home.close();
    });
}

#[test]
fn x11_wake_versus_cancel() {
    model(|| {
        let (mut home, book, left) = parked(Until::Never);
        let waker = take(&left);
        let thread = thread::spawn(move || waker.wake());
        home.nursery.cancel();
        thread.join().unwrap();
        home.settle([]);
        assert!(book.shown());
        book.check();
        drop(left);
        home.close();
    });
}

#[test]
fn x12_wake_versus_abort() {
    model(|| {
        let (mut home, book, left) = parked(Until::Never);
        let waker = take(&left);
        let thread = thread::spawn(move || waker.wake());
        home.nursery.abort();
        home.quiet([]);
        thread.join().unwrap();
        home.settle([]);
        book.check();
        drop(left);
        home.close();
    });
}

/// The nursery may be gone before the wake is over.
#[test]
fn x12_wake_versus_end_of_the_nursery() {
    model(|| {
        let (mut home, book, left) = parked(Until::Polls(2));
        let waker = take(&left);
        waker.wake_by_ref();
        let thread = thread::spawn(move || waker.wake());
        home.quiet([]);
        drop(left);
        home.settle([]);
        home.close_now();
        thread.join().unwrap();
        book.check();
    });
}

/// Two children are woken by two threads, and a third looks after the carrier.
#[test]
fn x11_wakes_of_two_children_versus_carrier() {
    model(|| {
        let (mut home, one_book, first) = parked(Until::Polls(2));
        let (two_book, second) = another(&mut home);
        let (one, two) = (take(&first), take(&second));
        let one = thread::spawn(move || one.wake());
        let two = thread::spawn(move || two.wake());
        home.quiet([]);
        one.join().unwrap();
        two.join().unwrap();
        assert!(home.settle([]));
        one_book.check();
        two_book.check();
        drop((first, second));
        home.close();
    });
}

/// Spawns one more. A function of its own: a model's stack is small.
#[inline(never)]
fn another(home: &mut Home) -> (Arc<Book>, Left) {
    let (kid, book) = Kid::new(Until::Polls(2));
    let left = Left::default();
    home.nursery.spawn(leaves_waker(kid, &left));
    home.quiet([]);
    (book, left)
}

/// The second wake finds the first on the stack, and does nothing more: whatever becomes of the
/// carrier, neither child is forgotten.
#[test]
fn e05_two_wakes_versus_lost_carrier() {
    model(|| {
        let (mut home, one_book, first) = parked(Until::Never);
        let (two_book, second) = another(&mut home);
        let (one, two) = (take(&first), take(&second));
        let thread = thread::spawn(move || {
            one.wake();
            two.wake();
        });
        drop(home.manual.take_waiting());
        thread.join().unwrap();
        drop(home.manual.take_waiting());
        home.quiet([]);
        drop(home.manual.take_waiting());
        home.settle([]);
        one_book.check();
        two_book.check();
        drop((first, second));
        home.close();
    });
}

/// One of two that stand on the stack, or in the chain, is aborted.
#[test]
fn c05_abort_versus_two_wakes() {
    model(|| {
        let (kid, one_book) = Kid::new(Until::Never);
        let first = Left::default();
        let child = leaves_waker(kid, &first);
        let (mut home, child) = Home::open(move |n| n.fork(child));
        home.quiet([]);
        let (two_book, second) = another(&mut home);
        let (one, two) = (take(&first), take(&second));
        let thread = thread::spawn(move || {
            one.wake();
            two.wake();
        });
        child.abort();
        home.quiet([]);
        thread.join().unwrap();
        home.quiet([]);
        assert_eq!(one_book.drops(), 1, "it was aborted");
        drop(child);
        home.settle([]);
        two_book.check();
        one_book.check();
        drop((first, second));
        home.close();
    });
}

/// A child that has a task of its own, and one beside it that has none: a wake of each.
#[test]
fn x10_wake_of_the_bound_versus_wake_of_the_other() {
    model(|| {
        let (mut home, one_book, first) = parked(Until::Polls(4));
        let (two_book, second) = another(&mut home);
        for _ in 0..2 {
            take(&first).wake();
            home.quiet([]);
        }
        let (one, two) = (take(&first), take(&second));
        let thread = thread::spawn(move || one.wake());
        two.wake();
        home.quiet([]);
        thread.join().unwrap();
        assert!(home.settle([]));
        one_book.check();
        two_book.check();
        drop((first, second));
        home.close();
    });
}

/// It is aborted while its own task polls it, or waits.
#[test]
fn x10_wake_of_the_bound_versus_abort() {
    model(|| {
        let (mut home, book, first) = parked(Until::Never);
        for _ in 0..3 {
            take(&first).wake();
            home.quiet([]);
        }
        let waker = take(&first);
        let thread = thread::spawn(move || waker.wake());
        home.nursery.abort();
        home.quiet([]);
        thread.join().unwrap();
        home.settle([]);
        book.check();
        drop(first);
        home.close();
    });
}
