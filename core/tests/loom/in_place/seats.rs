//! The seats of children, which wakers reach: their bits, their blocks, and that they are used again.

use super::{another, one};
use crate::kid::{Kid, Until};
use crate::model;
use loom::thread;

/// Two children of one block are woken by two threads while the scope is about to wait.
#[test]
fn i06_two_wakes_in_one_block_versus_poll() {
    model(|| {
        let (mut open, handle, gate, book) = one(Until::Polls(1));
        let (other_gate, other_book) = another(&mut open, &handle, Until::Polls(1));
        let threads = [gate, other_gate].map(|gate| {
            thread::spawn(move || {
                gate.open();
                gate.waker().wake();
            })
        });
        let mut result = open.settle();
        for thread in threads {
            thread.join().unwrap();
        }
        result = result.or_else(|| open.settle());
        assert!(matches!(result, Some(Ok(()))), "a wake was lost");
        book.check();
        other_book.check();
    });
}

/// The last waker of a child goes while the child ends, and while others take their seats, more than
/// there are in a block.
#[test]
fn i03_last_waker_versus_reuse_of_the_seat() {
    model(|| {
        let (mut open, handle, gate, book) = one(Until::Polls(1));
        gate.open();
        let (waker, last) = (gate.waker(), gate.waker());
        gate.forget();
        drop(gate);
        let (keeps, keeps_book) = another(&mut open, &handle, Until::Polls(1));
        let thread = thread::spawn(move || {
            last.wake_by_ref();
            drop(last);
        });
        waker.wake();
        let mut result = open.settle();
        let next = [(); 2].map(|()| {
            let (kid, book) = Kid::new(Until::Polls(1));
            handle.spawn(kid.plain());
            book
        });
        result = result.or_else(|| open.settle());
        assert!(result.is_none());
        thread.join().unwrap();
        keeps.open();
        keeps.waker().wake();
        assert!(matches!(open.settle(), Some(Ok(()))));
        for book in next {
            book.check();
        }
        keeps_book.check();
        book.check();
    });
}

/// Another thread looks at the children while one ends, and while the next takes its seat.
#[test]
fn i38_tree_versus_end_and_reuse_of_the_seat() {
    model(|| {
        let (mut open, handle, gate, book) = one(Until::Polls(1));
        let looks = handle.clone();
        let thread = thread::spawn(move || {
            let tree = looks.tree();
            for task in &tree.nurseries()[0].tasks {
                let named = task.name.is_some();
                assert_eq!(named, task.id.number() == 2, "each child has its own name");
            }
            tree.tasks()
        });
        gate.open();
        gate.waker().wake();
        gate.forget();
        drop(gate);
        let (kid, next_book) = Kid::new(Until::Polls(1));
        handle.task("next").spawn(kid.plain());
        let result = open.settle();
        let seen = thread.join().unwrap();
        assert!(seen <= 2, "there are two at most");
        drop(handle);
        assert!(matches!(result.or_else(|| open.settle()), Some(Ok(()))));
        next_book.check();
        book.check();
    });
}

/// Another thread cancels all children while one ends.
#[test]
fn i39_cancel_of_the_children_versus_end() {
    model(|| {
        let (mut open, handle, gate, book) = one(Until::Polls(1));
        let cancels = handle.clone();
        let thread = thread::spawn(move || cancels.cancel_children());
        gate.open();
        gate.waker().wake();
        gate.forget();
        drop(gate);
        let result = open.settle();
        assert!(thread.join().unwrap() <= 1);
        drop(handle);
        assert!(matches!(result.or_else(|| open.settle()), Some(Ok(()))));
        book.check();
    });
}
