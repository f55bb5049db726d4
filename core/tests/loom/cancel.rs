//! Cancels against polls and spawns.

use crate::home::{Home, outcome};
use crate::kid::{Kid, Until};
use crate::model;
use loom::thread;

#[test]
fn c02_cancel_versus_park() {
    model(|| {
        let (kid, book) = Kid::new(Until::Never);
        let (mut home, _) = Home::open(move |n| n.spawn(kid.plain()).id());
        let job = home.manual.job();
        let nursery = home.nursery.clone();
        let other = thread::spawn(move || nursery.cancel());
        let job = job.run();
        assert!(other.join().unwrap());
        assert!(home.settle([job]));
        assert!(book.polls() <= 2);
        assert!(book.polls() == 0 || book.shown(), "the last poll shows the cancel");
        book.check();
        home.close();
    });
}

/// The same for a child that waits, and that another thread wakes at the same time.
#[test]
fn c02_cancel_of_the_child_versus_wake() {
    model(|| {
        let (kid, book) = Kid::new(Until::Never);
        let (mut home, child) = Home::open(move |n| n.fork(kid));
        let job = home.manual.parked();
        let other = thread::spawn(move || job.step());
        assert!(child.cancel());
        assert!(home.settle([other.join().unwrap()]));
        assert!(book.shown(), "the last poll shows the cancel");
        assert!(book.polls() <= 3);
        assert!(outcome(child).is_err_and(|error| error.reason().is_some()));
        book.check();
        home.close();
    });
}

#[test]
fn e07_value_of_the_last_poll_versus_cancel() {
    model(|| {
        let (kid, book) = Kid::new(Until::Cancel);
        let (mut home, child) = Home::open(move |n| n.fork(kid));
        let job = home.manual.job();
        let nursery = home.nursery.clone();
        let other = thread::spawn(move || nursery.cancel());
        let job = job.run();
        assert!(other.join().unwrap());
        assert!(home.settle([job]));
        match outcome(child) {
            Ok(_) => assert!(book.shown()),
            Err(error) => assert!(error.reason().is_some() && book.polls() == 0),
        }
        book.check();
        home.close();
    });
}

#[test]
fn o09_spawn_versus_cancel() {
    model(|| {
        let (kid, book) = Kid::new(Until::Never);
        let (mut home, _) = Home::held(|_| ());
        let nursery = home.nursery.clone();
        let other = thread::spawn(move || nursery.fork(kid));
        assert!(home.nursery.cancel());
        let mut child = other.join().unwrap();
        assert!(book.is_over(), "refused, or destroyed before its first poll");
        assert_eq!(book.polls(), 0);
        let result = child.try_join().expect("it has ended, or was refused");
        assert!(result.is_err_and(|error| error.reason().is_some()));
        drop(child);
        assert!(!home.settle([]), "the body was cut off");
        book.check();
        home.close();
    });
}

#[test]
fn o09_spawn_and_carrier_versus_cancel() {
    model(|| {
        let (first, first_book) = Kid::new(Until::Never);
        let (second, second_book) = Kid::new(Until::Never);
        let (mut home, _) = Home::open(move |n| n.spawn(first.plain()).is_admitted());
        let job = home.manual.job();
        let nursery = home.nursery.clone();
        let other = thread::spawn(move || {
            let spawned = nursery.spawn(second.plain());
            (job.run(), spawned.is_admitted())
        });
        home.nursery.cancel();
        let (job, admitted) = other.join().unwrap();
        assert!(home.settle([job]));
        assert!(admitted || second_book.polls() == 0);
        for book in [first_book, second_book] {
            assert!(book.polls() == 0 || book.shown(), "the last poll shows the cancel");
            book.check();
        }
        home.close();
    });
}

#[test]
fn o24_try_spawn_versus_close() {
    model(|| {
        let (kid, book) = Kid::new(Until::Never);
        let (mut home, _) = Home::held(|_| ());
        let nursery = home.nursery.clone();
        let other = thread::spawn(move || nursery.try_spawn(kid.plain()));
        home.nursery.close();
        let back = other.join().unwrap().err();
        assert_eq!(home.nursery.len(), usize::from(back.is_none()), "it is the child's, or here");
        drop(back);
        home.nursery.abort();
        assert!(!home.settle([]), "the body was cut off");
        assert_eq!(book.polls(), 0);
        book.check();
        home.close();
    });
}
