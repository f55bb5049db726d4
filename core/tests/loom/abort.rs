//! Aborts against polls, cancels and each other: on return a child that was waiting is gone.

use crate::home::{Home, Joiner, outcome};
use crate::kid::{Kid, Until};
use crate::manual::Flag;
use crate::model;
use loom::thread;
use std::sync::Arc;

#[test]
fn c06_abort_versus_finish() {
    model(|| {
        let (kid, book) = Kid::new(Until::Yields(1));
        let (mut home, child) = Home::open(move |n| n.fork(kid));
        let job = home.manual.parked();
        let other = thread::spawn(move || job.run());
        let there = child.abort();
        assert!(home.settle([other.join().unwrap()]));
        match outcome(child) {
            Ok(_) => assert_eq!(book.polls(), 2),
            Err(error) => assert!(there && error.reason().is_some()),
        }
        book.check();
        home.close();
    });
}

/// An abort during the only poll, which waits.
#[test]
fn c06_abort_versus_park() {
    model(|| {
        let (kid, book) = Kid::new(Until::Never);
        let (mut home, child) = Home::open(move |n| n.fork(kid));
        let job = home.manual.job();
        let other = thread::spawn(move || {
            assert!(child.abort());
            child
        });
        let job = job.run();
        let child = other.join().unwrap();
        assert!(book.is_over(), "it is destroyed with its poll");
        assert!(home.settle([job]));
        assert!(outcome(child).is_err_and(|error| error.reason().is_some()));
        assert!(book.polls() <= 1);
        book.check();
        home.close();
    });
}

#[test]
fn c05_abort_versus_abort() {
    model(|| {
        let (kid, book) = Kid::new(Until::Never);
        let (mut home, child) = Home::open(move |n| n.fork(kid));
        let job = home.manual.parked();
        let child = Arc::new(child);
        let its = child.clone();
        let other = thread::spawn(move || its.abort());
        let here = child.abort();
        let there = other.join().unwrap();
        assert!(here || there);
        assert!(book.is_over());
        assert!(home.settle([Some(job)]));
        let child = Arc::into_inner(child).expect("the other thread is through");
        assert!(outcome(child).is_err_and(|error| error.reason().is_some()));
        assert_eq!(book.polls(), 1);
        book.check();
        home.close();
    });
}

/// Both of the child alone. The first reason stays, whatever becomes of the child.
#[test]
fn c05_abort_versus_cancel_of_the_child() {
    model(|| {
        let (kid, book) = Kid::new(Until::Never);
        let (mut home, child) = Home::open(move |n| n.fork(kid));
        let job = home.manual.parked();
        let child = Arc::new(child);
        let its = child.clone();
        let other = thread::spawn(move || its.cancel());
        assert!(child.abort());
        assert!(book.is_over(), "on return a child that was waiting is gone");
        other.join().unwrap();
        assert!(home.settle([Some(job)]));
        let child = Arc::into_inner(child).expect("the other thread is through");
        assert!(outcome(child).is_err_and(|error| error.reason().is_some()));
        assert_eq!(book.polls(), 1);
        book.check();
        home.close();
    });
}

#[test]
fn c05_abort_versus_cancel_of_the_nursery() {
    model(|| {
        let (kid, book) = Kid::new(Until::Never);
        let (mut home, _) = Home::open(move |n| n.spawn(kid.plain()).id());
        let job = home.manual.parked();
        let (nursery, its) = (home.nursery.clone(), book.clone());
        let other = thread::spawn(move || {
            assert!(nursery.abort());
            assert!(its.is_over(), "on return a child that was waiting is gone");
        });
        home.nursery.cancel();
        other.join().unwrap();
        assert!(home.settle([Some(job)]));
        assert_eq!(book.polls(), 1);
        book.check();
        home.close();
    });
}

#[test]
fn c05_abort_of_the_child_versus_cancel_of_the_nursery() {
    model(|| {
        let (kid, book) = Kid::new(Until::Never);
        let (mut home, child) = Home::open(move |n| n.fork(kid));
        let job = home.manual.parked();
        let nursery = home.nursery.clone();
        let other = thread::spawn(move || nursery.cancel());
        assert!(child.abort());
        assert!(book.is_over(), "on return a child that was waiting is gone");
        other.join().unwrap();
        assert!(home.settle([Some(job)]));
        assert!(outcome(child).is_err_and(|error| error.reason().is_some()));
        assert_eq!(book.polls(), 1);
        book.check();
        home.close();
    });
}

/// The child is taken from the queue while it is aborted there.
#[test]
fn c05_abort_versus_first_poll() {
    model(|| {
        let (kid, book) = Kid::new(Until::Yields(0));
        let (mut home, child) = Home::open(move |n| n.fork(kid));
        let job = home.manual.job();
        let other = thread::spawn(move || job.run());
        let there = child.abort();
        assert!(home.settle([other.join().unwrap()]));
        match outcome(child) {
            Ok(_) => assert_eq!(book.polls(), 1),
            Err(error) => assert!(there && book.polls() == 0 && error.reason().is_some()),
        }
        book.check();
        home.close();
    });
}

/// The joiner is woken, whatever ends the child.
#[test]
fn e09_join_versus_abort() {
    model(|| {
        let (kid, book) = Kid::new(Until::Never);
        let (mut home, child) = Home::open(move |n| n.fork(kid));
        let job = home.manual.parked();
        let nursery = home.nursery.clone();
        let other = thread::spawn(move || nursery.abort());
        let mut joiner = Joiner::new(child);
        let woken = Flag::new(false);
        let result = joiner.poll(&woken);
        assert!(other.join().unwrap());
        assert!(result.is_some() || woken.take(), "the joiner was not woken");
        let result = result.or_else(|| joiner.poll(&woken)).expect("the child has ended");
        assert!(result.is_err_and(|error| error.reason().is_some()));
        drop(joiner);
        assert!(home.settle([Some(job)]));
        book.check();
        home.close();
    });
}

/// Three threads: a poll, a cancel and an abort.
#[test]
fn c06_abort_versus_cancel_versus_park() {
    model(|| {
        let (kid, book) = Kid::new(Until::Never);
        let (mut home, child) = Home::open(move |n| n.fork(kid));
        let job = home.manual.job();
        let carrier = thread::spawn(move || job.run());
        let nursery = home.nursery.clone();
        let other = thread::spawn(move || nursery.cancel());
        child.abort();
        let job = carrier.join().unwrap();
        other.join().unwrap();
        assert!(book.is_over(), "it is destroyed with its poll");
        assert!(home.settle([job]));
        assert!(outcome(child).is_err_and(|error| error.reason().is_some()));
        book.check();
        home.close();
    });
}
