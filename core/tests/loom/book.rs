//! The book of holders: rows that are taken on one thread, given back on another, and read on a
//! third. Under loom only a semaphore that notes since when permits are held has one.

use crate::model;
use crate::waiting::Waiting;
use allhome::Semaphore;
use allhome::limit::OwnedPermit;
use loom::thread;
use std::sync::Arc;

fn semaphore(permits: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(permits).time_holders(true))
}

/// Where [`take`] acquires one permit, and where two.
const LINES: [u32; 2] = [line!() + 5, line!() + 6];

/// Each number of permits is acquired at a place of its own.
fn take(semaphore: &Arc<Semaphore>, count: usize) -> OwnedPermit {
    match count {
        1 => semaphore.try_acquire_many_owned(1).unwrap(),
        _ => semaphore.try_acquire_many_owned(count).unwrap(),
    }
}

/// Returns how many entries there are, and sees that each was written as a whole.
fn look(semaphore: &Semaphore, counts: &[usize]) -> usize {
    let infos = semaphore.holders();
    for info in &infos {
        assert!(counts.contains(&info.count()), "of another semaphore, or of two requests");
        assert_eq!(info.location().line(), LINES[info.count() - 1]);
    }
    infos.len()
}

#[test]
fn s18_the_book_versus_everybody() {
    model(|| {
        let semaphore = semaphore(1);
        let permit = take(&semaphore, 1);
        let mut first = Waiting::new(semaphore.acquire_owned());
        assert!(first.turns().is_pending());
        let other = semaphore.clone();
        let thread = thread::spawn(move || {
            drop(first);
            other.try_acquire_owned().is_ok()
        });
        drop(permit);
        thread.join().unwrap();
        assert!(semaphore.holders().is_empty());
        assert_eq!((semaphore.available(), semaphore.waiters()), (1, 0));
    });
}

/// A row is given back and taken again, for another request or another semaphore, while it is read.
#[test]
fn s18_a_list_versus_a_row_that_changes_hands() {
    for listed in [1, 2] {
        model(move || {
            let (one, two) = (semaphore(2), semaphore(2));
            let permit = take(&one, 1);
            let (first, next) = (one.clone(), if listed == 1 { one.clone() } else { two.clone() });
            let thread = thread::spawn(move || {
                drop(permit);
                drop((take(&next, 2), first));
            });
            assert!(look(if listed == 1 { &one } else { &two }, &[1, 2]) <= 1);
            thread.join().unwrap();
            assert!(one.holders().is_empty() && two.holders().is_empty());
        });
    }
}

/// A permit moves from one row to another while they are read: it is listed once at most.
#[test]
fn s18_a_list_versus_a_permit_that_changes_its_row() {
    model(|| {
        let (one, other) = (semaphore(1), semaphore(1));
        // The row that is read last goes back last, and is the next that is taken.
        let last = take(&other, 1);
        let permits = (take(&one, 1), last);
        let next = one.clone();
        let thread = thread::spawn(move || {
            drop(permits);
            drop((take(&next, 1), next));
        });
        assert!(look(&one, &[1]) <= 1);
        thread.join().unwrap();
        assert!(one.holders().is_empty() && other.holders().is_empty());
    });
}

/// Acquired on one thread, given back on another, listed on a third.
#[test]
fn s18_a_list_versus_a_release_elsewhere() {
    model(|| {
        let semaphore = semaphore(2);
        let permit = take(&semaphore, 1);
        let other = semaphore.clone();
        let releases = thread::spawn(move || drop(permit));
        let lists = thread::spawn(move || look(&other, &[1]));
        let two = take(&semaphore, 1);
        releases.join().unwrap();
        assert!(lists.join().unwrap() <= 2);
        assert_eq!(semaphore.holders().len(), 1);
        drop(two);
        assert!(semaphore.holders().is_empty());
    });
}

/// A stock that is full leaves rows to the pages, and so to other threads, with all that was written
/// in them. (So does a thread that ends, which loom does not see.)
#[test]
fn s18_rows_left_to_the_pages_versus_an_acquire() {
    model(|| {
        let semaphore = semaphore(5);
        let other = semaphore.clone();
        let thread = thread::spawn(move || {
            let permits = [take(&other, 1), take(&other, 1), take(&other, 1)];
            drop(permits);
        });
        let permit = take(&semaphore, 2);
        assert!(look(&semaphore, &[1, 2]) >= 1);
        drop(permit);
        thread.join().unwrap();
        let permits = [1, 1, 2].map(|count| take(&semaphore, count));
        assert_eq!(look(&semaphore, &[1, 2]), 3);
        drop(permits);
        assert!(semaphore.holders().is_empty());
    });
}

/// A waiter is granted its permits while it is listed, and leaves.
#[test]
fn s18_a_list_versus_a_grant() {
    model(|| {
        let semaphore = semaphore(1);
        let permit = take(&semaphore, 1);
        let mut waiting = Waiting::new(semaphore.acquire_owned());
        assert!(waiting.turns().is_pending());
        let thread = thread::spawn(move || drop(permit));
        let infos = semaphore.holders();
        assert!(infos.len() <= 2);
        drop(waiting);
        thread.join().unwrap();
        assert!(semaphore.holders().is_empty());
        assert_eq!((semaphore.available(), semaphore.waiters()), (1, 0));
    });
}
