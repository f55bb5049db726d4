//! Owners that go: a runtime that throws a task away, a nursery's future that is dropped.

use crate::home::{Home, outcome};
use crate::kid::{Kid, Until};
use crate::model;
use loom::thread;

#[test]
fn e05_lost_versus_abort() {
    model(|| {
        let (kid, book) = Kid::new(Until::Never);
        let (mut home, child) = Home::open(move |n| n.fork(kid));
        let job = home.manual.parked();
        let other = thread::spawn(move || drop(job));
        let there = child.abort();
        other.join().unwrap();
        assert!(book.is_over());
        let fine = home.settle([]);
        let error = outcome(child).map(drop).unwrap_err();
        assert_eq!(fine, !error.is_lost());
        assert!(error.is_lost() || there && error.reason().is_some());
        book.check();
        home.close();
    });
}

#[test]
fn e05_lost_versus_handle_drop() {
    model(|| {
        let (kid, book) = Kid::new(Until::Never);
        let (mut home, child) = Home::open(move |n| n.fork(kid));
        let job = home.manual.parked();
        let other = thread::spawn(move || drop(job));
        drop(child);
        other.join().unwrap();
        assert!(book.is_over());
        assert!(!home.settle([]), "a lost child is a failure");
        book.check();
        home.close();
    });
}

/// The child is not polled any more, so only the task's drop can end it.
#[test]
fn e05_lost_versus_cancel() {
    model(|| {
        let (kid, book) = Kid::new(Until::Never);
        let (mut home, _) = Home::open(move |n| n.spawn(kid.plain()).id());
        let job = home.manual.parked();
        let other = thread::spawn(move || drop(job));
        assert!(home.nursery.cancel());
        other.join().unwrap();
        assert!(book.is_over(), "a child that was lost, and is not destroyed");
        assert!(!home.settle([]));
        book.check();
        home.close();
    });
}

#[test]
fn e05_lost_versus_cancel_of_the_child() {
    model(|| {
        let (kid, book) = Kid::new(Until::Never);
        let (mut home, child) = Home::open(move |n| n.fork(kid));
        let job = home.manual.parked();
        let other = thread::spawn(move || drop(job));
        child.cancel();
        other.join().unwrap();
        assert!(book.is_over(), "a child that was lost, and is not destroyed");
        assert!(!home.settle([]));
        assert!(outcome(child).is_err_and(|error| error.is_lost()));
        book.check();
        home.close();
    });
}

/// The task that is thrown away carries no child yet.
#[test]
fn e05_lost_before_the_first_poll_versus_cancel() {
    model(|| {
        let (kid, book) = Kid::new(Until::Never);
        let (mut home, child) = Home::open(move |n| n.fork(kid));
        let job = home.manual.job();
        let other = thread::spawn(move || drop(job));
        home.nursery.cancel();
        other.join().unwrap();
        assert!(book.is_over());
        let fine = home.settle([]);
        let error = outcome(child).map(drop).unwrap_err();
        assert_eq!(fine, !error.is_lost());
        assert_eq!(book.polls(), 0);
        book.check();
        home.close();
    });
}

#[test]
fn o04_drop_of_run_versus_poll() {
    model(|| {
        let (kid, book) = Kid::new(Until::Never);
        let (mut home, _) = Home::open(move |n| n.spawn(kid.plain()).id());
        let job = home.manual.job();
        let other = thread::spawn(move || {
            home.abandon();
            home
        });
        let job = job.run();
        home = other.join().unwrap();
        assert!(book.is_over(), "destroyed by the drop, or with its poll");
        assert!(book.polls() <= 1);
        assert!(home.settle([job]));
        book.check();
        home.close();
    });
}

#[test]
fn o04_drop_of_run_versus_finish() {
    model(|| {
        let (kid, book) = Kid::new(Until::Yields(1));
        let (mut home, child) = Home::open(move |n| n.fork(kid));
        let job = home.manual.parked();
        let other = thread::spawn(move || job.run());
        home.abandon();
        assert!(home.settle([other.join().unwrap()]));
        match outcome(child) {
            Ok(_) => assert_eq!(book.polls(), 2),
            Err(error) => assert!(error.reason().is_some()),
        }
        book.check();
        home.close();
    });
}

#[test]
fn o04_drop_of_run_versus_cancel() {
    model(|| {
        let (kid, book) = Kid::new(Until::Never);
        let (mut home, _) = Home::open(move |n| n.spawn(kid.plain()).id());
        let job = home.manual.parked();
        let (nursery, its) = (home.nursery.clone(), book.clone());
        let other = thread::spawn(move || {
            home.abandon();
            assert!(its.is_over(), "it is not polled, so the drop destroys it");
            home
        });
        nursery.cancel();
        drop(nursery);
        home = other.join().unwrap();
        assert!(home.settle([Some(job)]));
        assert_eq!(book.polls(), 1);
        book.check();
        home.close();
    });
}
