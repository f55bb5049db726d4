//! Cancel tokens: cancels against everything else, and drops against drops.
//!
//! Nodes and waiters have the alignment that [`heap`](crate::heap) looks for: each model sees that
//! all were freed, and no thread looked at one afterwards.

use crate::manual::Flag;
use crate::model;
use crate::waiting::Waiting;
use allhome::cancel::{CancelExt, Level};
use allhome::{CancelToken, Reason};
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;
use std::sync::Arc;
use std::task::Poll;

#[track_caller]
fn assert_same(token: &CancelToken, other: &CancelToken) {
    let (one, two) = (token.reason().unwrap(), other.reason().unwrap());
    assert!(one.same(&two), "one reason for all");
}

#[test]
fn k04_child_versus_cancel() {
    model(|| {
        let root = CancelToken::new();
        let other = root.clone();
        let thread = thread::spawn(move || other.child().child());
        assert!(root.cancel());
        let grandchild = thread.join().unwrap();
        assert_eq!(grandchild.level(), Level::Cancelled);
        assert_same(&grandchild, &root);
    });
}

#[test]
fn k02_cancel_versus_cancel() {
    model(|| {
        let root = CancelToken::new();
        let child = root.child();
        let mut waiting = Waiting::new(child.clone().cancelled_owned());
        assert!(waiting.turns().is_pending());
        let other = root.clone();
        let thread = thread::spawn(move || other.cancel_with(Reason::new("thread")));
        let main = root.cancel_with(Reason::new("main"));
        assert!(main != thread.join().unwrap(), "one of them was the first");
        assert_same(&child, &root);
        assert_eq!(root.reason().unwrap().message(), if main { "main" } else { "thread" });
        assert!(waiting.ready().same(&root.reason().unwrap()));
    });
}

#[test]
fn k02_cancel_of_the_parent_versus_of_the_child() {
    model(|| {
        let root = CancelToken::new();
        let child = root.child();
        let leaf = child.child();
        let thread = thread::spawn(move || {
            child.cancel_with(Reason::new("child"));
            child
        });
        root.cancel_with(Reason::new("root"));
        let child = thread.join().unwrap();
        assert_eq!(root.reason().unwrap().message(), "root");
        for token in [child, leaf] {
            assert!(["root", "child"].contains(&token.reason().unwrap().message()));
        }
    });
}

#[test]
fn k01_cancel_versus_abort() {
    model(|| {
        let root = CancelToken::new();
        let child = root.child();
        let other = root.clone();
        let thread = thread::spawn(move || other.escalate_to(Level::Aborted, Reason::new("abort")));
        root.cancel();
        assert!(thread.join().unwrap());
        assert_eq!((root.level(), child.level()), (Level::Aborted, Level::Aborted));
        assert_same(&child, &root);
    });
}

#[test]
fn k07_wait_versus_cancel() {
    model(|| {
        let root = CancelToken::new();
        let child = root.child();
        let thread = thread::spawn(move || {
            let mut waiting = Waiting::new(child.cancelled_owned());
            let poll = waiting.turns();
            (waiting, poll)
        });
        root.cancel();
        let (waiting, poll) = thread.join().unwrap();
        let reason = match poll {
            Poll::Ready(reason) => reason,
            Poll::Pending => waiting.ready(),
        };
        assert!(reason.same(&root.reason().unwrap()));
    });
}

#[test]
fn k07_drop_of_a_waiter_versus_cancel() {
    model(|| {
        let token = CancelToken::new();
        let mut first = Waiting::new(token.clone().cancelled_owned());
        let mut second = Waiting::new(token.clone().cancelled_owned());
        assert!(first.turns().is_pending() && second.turns().is_pending());
        let thread = thread::spawn(move || drop(first));
        token.cancel();
        thread.join().unwrap();
        second.ready();
    });
}

/// A rise after that looks at the list once more: no waiter may stand in it.
#[test]
fn k08_drop_of_the_newest_waiter_versus_cancel() {
    model(|| {
        let token = CancelToken::new();
        let mut first = Waiting::new(token.clone().cancelled_owned());
        let mut newest = Waiting::new(token.clone().cancelled_owned());
        assert!(first.turns().is_pending() && newest.turns().is_pending());
        let thread = thread::spawn(move || drop(newest));
        token.cancel();
        thread.join().unwrap();
        drop(first);
        assert!(token.escalate_to(Level::Aborted, Reason::new("")));
    });
}

/// The waker is changed while a cancel is under way.
#[test]
fn k07_another_waker_versus_cancel() {
    model(|| {
        let token = CancelToken::new();
        let mut waiting = Waiting::new(token.clone().cancelled_owned());
        assert!(waiting.turns().is_pending());
        waiting.woken = Flag::new(true);
        let thread = thread::spawn(move || {
            let poll = waiting.turns();
            (waiting, poll)
        });
        token.cancel();
        if let (waiting, Poll::Pending) = thread.join().unwrap() {
            waiting.ready();
        }
    });
}

#[test]
fn k10_until_cancelled_versus_cancel() {
    model(|| {
        let token = CancelToken::new();
        let seen = token.clone();
        let future = std::future::poll_fn(move |_| {
            if seen.is_cancelled() { Poll::Ready("the last poll") } else { Poll::Pending }
        });
        let mut waiting = Waiting::new(future.until_cancelled(&token));
        let thread = thread::spawn(move || {
            let poll = waiting.turns();
            (waiting, poll)
        });
        token.cancel();
        let result = match thread.join().unwrap() {
            (_, Poll::Ready(result)) => result,
            (waiting, Poll::Pending) => waiting.ready(),
        };
        assert_eq!(result.expect("the last poll shows the cancel"), "the last poll");
    });
}

#[test]
fn k12_callback_versus_cancel() {
    model(|| {
        let token = CancelToken::new();
        let calls = Arc::new(AtomicUsize::new(0));
        let (other, counted) = (token.clone(), calls.clone());
        let thread = thread::spawn(move || {
            other.on_cancel(move |_| {
                counted.fetch_add(1, Ordering::AcqRel);
            })
        });
        token.cancel();
        let registration = thread.join().unwrap();
        assert_eq!(calls.load(Ordering::Acquire), 1);
        assert!(!registration.remove());
    });
}

#[test]
fn k13_remove_versus_cancel() {
    model(|| {
        let token = CancelToken::new();
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = calls.clone();
        let registration = token.child().on_cancel(move |_| {
            counted.fetch_add(1, Ordering::AcqRel);
        });
        let thread = thread::spawn(move || registration.remove());
        token.cancel();
        let removed = thread.join().unwrap();
        assert_eq!(calls.load(Ordering::Acquire), usize::from(!removed));
    });
}

#[test]
fn k16_drop_of_the_child_versus_cancel() {
    model(|| {
        let root = CancelToken::new();
        let (first, second) = (root.child(), root.child());
        let thread = thread::spawn(move || drop(first));
        root.cancel();
        thread.join().unwrap();
        assert!(second.is_cancelled());
    });
}

/// Both ends of a chain go while a cancel goes down it, the lock handed from node to node.
#[test]
fn k16_drop_of_a_chain_versus_cancel() {
    model(|| {
        let root = CancelToken::new();
        let middle = root.child();
        let leaf = middle.child();
        let thread = thread::spawn(move || {
            drop(middle);
            drop(leaf);
        });
        root.cancel();
        thread.join().unwrap();
    });
}

/// A node that the cancel has pinned, since it has a sibling after it, loses its handle and child.
#[test]
fn k16_drop_of_a_pinned_node_versus_cancel() {
    model(|| {
        let root = CancelToken::new();
        let last = root.child();
        let middle = root.child();
        let leaf = middle.child();
        let thread = thread::spawn(move || {
            drop(leaf);
            drop(middle);
        });
        root.cancel();
        thread.join().unwrap();
        assert!(last.is_cancelled());
    });
}

/// An orphan's last child goes while others make and drop handles of another child.
#[test]
fn k17_drop_of_the_parent_versus_of_the_children() {
    model(|| {
        let middle = CancelToken::new().child();
        let (first, second) = (middle.child(), middle.child());
        let one = thread::spawn(move || drop(first));
        let two = thread::spawn(move || drop(second));
        drop(middle);
        one.join().unwrap();
        two.join().unwrap();
    });
}

#[test]
fn k17_drop_of_clones() {
    model(|| {
        let token = CancelToken::new().child();
        let other = token.clone();
        let thread = thread::spawn(move || drop(other.clone()));
        drop(token);
        thread.join().unwrap();
    });
}

/// A thread that frees comes after a thread that has looked.
#[test]
fn k17_drop_of_clones_after_a_look() {
    model(|| {
        let token = CancelToken::new();
        token.cancel();
        let other = token.clone();
        let thread = thread::spawn(move || drop(other.reason()));
        drop(token);
        thread.join().unwrap();
    });
}

/// The last handle of a child goes, while another child is made and goes.
#[test]
fn k17_drop_of_a_child_versus_another() {
    model(|| {
        let root = CancelToken::new();
        let child = root.child();
        let other = root.clone();
        let thread = thread::spawn(move || drop(other.child()));
        drop(child);
        drop(root);
        thread.join().unwrap();
    });
}

#[test]
fn k15_any_versus_two_cancels() {
    model(|| {
        let (one, two) = (CancelToken::new(), CancelToken::new());
        let both = CancelToken::any([&one, &two]);
        let leaf = both.child();
        let other = two.clone();
        let thread = thread::spawn(move || other.cancel());
        assert!(one.cancel() && thread.join().unwrap());
        assert_same(&leaf, &both);
        let reason = both.reason().unwrap();
        assert!(reason.same(&one.reason().unwrap()) || reason.same(&two.reason().unwrap()));
    });
}

#[test]
fn k15_making_any_versus_cancel() {
    model(|| {
        let (one, two) = (CancelToken::new(), CancelToken::new());
        let other = one.clone();
        let thread = thread::spawn(move || other.cancel());
        two.cancel();
        let both = CancelToken::any([&one, &two]);
        thread.join().unwrap();
        assert!(both.is_cancelled() && both.reason().is_some());
    });
}

/// It leaves one parent, while a cancel comes to it through the other.
#[test]
fn k15_drop_of_any_versus_cancel() {
    model(|| {
        let (one, two) = (CancelToken::new(), CancelToken::new());
        let both = CancelToken::any([&one, &two]);
        let leaf = both.child();
        let sibling = two.child();
        let thread = thread::spawn(move || {
            drop(both);
            drop(leaf);
            drop(one);
        });
        two.cancel();
        thread.join().unwrap();
        drop(sibling);
    });
}
