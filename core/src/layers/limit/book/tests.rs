//! Rows and stocks of themselves; what a semaphore's list says is tested in `core/tests/limit`.
#![cfg(not(loom))]

use super::{Booked, Number, Request, pages, stock};
use crate::layers::base::sync::thread_scope;
use std::cell::RefCell;
use std::collections::HashSet;
use std::panic::Location;
use std::ptr;

fn book(semaphore: u64, count: usize) -> Booked {
    let location = Location::caller();
    Booked::new(Request { semaphore, count, location, since: None })
}

fn number() -> u64 {
    Number::new().get()
}

/// Runs it on a thread, and waits until that has ended, destructors of its thread-locals and all.
fn elsewhere(run: impl FnOnce() + Send) {
    thread_scope(|scope| scope.spawn(run).join()).unwrap();
}

fn counts(semaphore: u64) -> Vec<usize> {
    let mut counts: Vec<_> = super::of(Some(semaphore)).iter().map(|seen| seen.count).collect();
    counts.sort_unstable();
    counts
}

#[test]
fn a_row_is_in_the_list_from_hold_to_free() {
    let semaphore = number();
    let booked = book(semaphore, 3);
    assert_eq!(counts(semaphore), []);
    booked.hold();
    assert_eq!(counts(semaphore), [3]);
    let part = booked.split(1);
    assert_eq!(counts(semaphore), [1, 2]);
    booked.merge(part);
    assert_eq!(counts(semaphore), [3]);
    booked.free();
    book(semaphore, 1).discard();
    assert_eq!(counts(semaphore), []);
}

#[test]
fn what_a_row_says_is_another_thing_each_time() {
    let (semaphore, mut ids) = (number(), HashSet::new());
    for _ in 0..3 {
        let booked = book(semaphore, 1);
        booked.wait(false);
        ids.extend(super::of(Some(semaphore)).iter().map(|seen| format!("{:?}", seen.id)));
        booked.grant(None);
        ids.extend(super::of(Some(semaphore)).iter().map(|seen| format!("{:?}", seen.id)));
        booked.free();
    }
    assert_eq!(ids.len(), 6);
}

#[test]
fn a_number_goes_with_its_semaphore_and_is_no_other_s() {
    let number = Number::new();
    let drawn = number.get();
    let moved = Box::new(number);
    assert_eq!(moved.get(), drawn);
    assert_ne!(Number::new().get(), drawn);
}

/// More than a stock has, taken here, given back there, and taken again: no row is lost or twice.
#[test]
fn rows_go_from_thread_to_thread() {
    const MANY: usize = 1_000;
    let taken: Vec<_> = (0..MANY).map(|_| stock::take()).collect();
    let addresses: HashSet<_> = taken.iter().map(|row| ptr::from_ref(*row).addr()).collect();
    assert_eq!(addresses.len(), MANY, "a row is taken once");
    elsewhere(move || taken.into_iter().for_each(stock::give));
    let pages = pages::all().len();
    let again: Vec<_> = (0..MANY).map(|_| stock::take()).collect();
    // Other tests take rows meanwhile: fewer than half of these.
    assert!(pages::all().len() < pages + MANY / pages::ROWS / 2, "what a thread leaves is used");
    again.into_iter().for_each(stock::give);
}

#[test]
fn a_thread_that_ends_leaves_its_stock() {
    const THREADS: usize = 1_000;
    let pages = pages::all().len();
    for _ in 0..THREADS {
        elsewhere(|| stock::give(stock::take()));
    }
    assert!(pages::all().len() < pages + THREADS / 4, "a thread's rows are the next one's");
}

/// A destructor that runs when the stock has been closed.
#[test]
fn a_row_is_taken_and_given_back_while_a_thread_ends() {
    struct Late(RefCell<Option<Booked>>, u64);
    impl Drop for Late {
        fn drop(&mut self) {
            self.0.take().inspect(|booked| booked.free());
            book(self.1, 7).hold();
        }
    }
    thread_local! {
        static LATE: RefCell<Option<Late>> = const { RefCell::new(None) };
    }
    let semaphore = number();
    let keep = move || {
        // Before the first row: destructors of thread-locals run last first.
        LATE.with(|late| *late.borrow_mut() = Some(Late(RefCell::new(None), semaphore)));
        let booked = book(semaphore, 2).hold();
        LATE.with(|late| *late.borrow().as_ref().unwrap().0.borrow_mut() = Some(booked));
        assert_eq!(counts(semaphore), [2]);
    };
    elsewhere(keep);
    assert_eq!(counts(semaphore), [7]);
}
