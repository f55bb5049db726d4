//! Carriers against each other and against spawns: no child is left without one.

use crate::home::Home;
use crate::kid::{Kid, Until};
use crate::model;
use allhome::Policy;
use loom::thread;

#[test]
fn x09_carrier_versus_carrier() {
    model(|| {
        let (first, first_book) = Kid::new(Until::Yields(0));
        let (second, second_book) = Kid::new(Until::Yields(1));
        let (mut home, _) = Home::with(Policy::WaitAll, 2, move |n| {
            n.spawn(first.plain());
            n.spawn(second.plain());
        });
        let (one, two) = (home.manual.job(), home.manual.job());
        let other = thread::spawn(move || one.step());
        let two = two.step();
        let one = other.join().unwrap();
        assert!(home.settle([one, two]));
        assert_eq!((first_book.polls(), second_book.polls()), (1, 2));
        first_book.check();
        second_book.check();
        home.close();
    });
}

/// The first child waits and keeps its carrier; later children have to get another.
#[test]
fn x10_spawn_versus_bind() {
    model(|| {
        let (first, first_book) = Kid::new(Until::Never);
        let (second, second_book) = Kid::new(Until::Yields(0));
        let (third, third_book) = Kid::new(Until::Yields(0));
        let (mut home, _) = Home::open(move |n| n.spawn(first.plain()).id());
        let job = home.manual.job();
        let other = thread::spawn(move || job.run());
        home.nursery.spawn(second.plain());
        home.nursery.spawn(third.plain());
        home.quiet([other.join().unwrap()]);
        assert!(second_book.is_over() && third_book.is_over(), "a child that is not polled");
        assert_eq!(first_book.drops(), 0);
        home.nursery.cancel();
        assert!(home.settle([]));
        for book in [first_book, second_book, third_book] {
            book.check();
        }
        home.close();
    });
}

/// A carrier that comes too late to find a child, and a spawn that counts on it.
#[test]
fn x09_spawn_versus_carrier_that_ends() {
    model(|| {
        let (first, first_book) = Kid::new(Until::Never);
        let (second, second_book) = Kid::new(Until::Yields(0));
        let (mut home, child) = Home::held(move |n| n.fork(first));
        assert!(child.cancel());
        drop(child);
        let job = home.manual.job();
        let other = thread::spawn(move || job.run());
        home.nursery.spawn(second.plain());
        home.quiet([other.join().unwrap()]);
        assert!(second_book.is_over(), "a child that is not polled");
        assert!(home.settle([]));
        first_book.check();
        second_book.check();
        home.close();
    });
}

/// The same, with a child that ends in the carrier's poll.
#[test]
fn x09_spawn_versus_carrier_that_has_ended_a_child() {
    model(|| {
        let (first, first_book) = Kid::new(Until::Yields(0));
        let (second, second_book) = Kid::new(Until::Yields(0));
        let (mut home, _) = Home::held(move |n| n.spawn(first.plain()).id());
        let job = home.manual.job();
        let other = thread::spawn(move || job.run());
        home.nursery.spawn(second.plain());
        home.quiet([other.join().unwrap()]);
        assert!(first_book.is_over() && second_book.is_over(), "a child that is not polled");
        assert!(home.settle([]));
        first_book.check();
        second_book.check();
        home.close();
    });
}

/// The runtime throws away the only carrier on its way: children that waited for it are lost, and
/// later ones get another.
#[test]
fn e05_lost_carrier_versus_spawn() {
    model(|| {
        let (first, first_book) = Kid::new(Until::Yields(0));
        let (second, second_book) = Kid::new(Until::Yields(0));
        let (mut home, _) = Home::open(move |n| n.spawn(first.plain()).id());
        let job = home.manual.job();
        let other = thread::spawn(move || drop(job));
        home.nursery.spawn(second.plain());
        other.join().unwrap();
        home.settle([]);
        first_book.check();
        second_book.check();
        home.close();
    });
}

/// The first error cancels a sibling that another carrier polls.
#[test]
fn f01_error_versus_park() {
    model(|| {
        let (first, first_book) = Kid::new(Until::Fails);
        let (second, second_book) = Kid::new(Until::Never);
        let (mut home, _) = Home::with(Policy::FailFast, 2, move |n| {
            n.spawn(first.plain());
            n.spawn(second.plain());
        });
        let (one, two) = (home.manual.job(), home.manual.job());
        let other = thread::spawn(move || one.run());
        let two = two.run();
        let one = other.join().unwrap();
        assert!(!home.settle([one, two]));
        assert!(second_book.polls() == 0 || second_book.shown());
        first_book.check();
        second_book.check();
        home.close();
    });
}

/// Three threads: a child comes while the last one goes and the nursery closes.
#[test]
fn o08_spawn_versus_last_child_and_close() {
    model(|| {
        let (first, first_book) = Kid::new(Until::Yields(0));
        let (second, second_book) = Kid::new(Until::Yields(0));
        let (mut home, _) = Home::open(move |n| n.spawn(first.plain()).id());
        let job = home.manual.job();
        let carrier = thread::spawn(move || job.run());
        let nursery = home.nursery.clone();
        let spawner = thread::spawn(move || nursery.spawn(second.plain()).is_admitted());
        let over = home.poll().then(|| second_book.is_over());
        let job = carrier.join().unwrap();
        let admitted = spawner.join().unwrap();
        assert!(!admitted || over != Some(false), "the nursery is ready, and a child is there");
        assert!(home.settle([job]));
        assert_eq!(second_book.polls(), usize::from(admitted));
        first_book.check();
        second_book.check();
        home.close();
    });
}
