//! Callbacks, and taking them away.

use crate::Count;
use allhome::cancel::{Level, Registration};
use allhome::{CancelToken, Reason};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;

#[test]
fn k06_callback_may_drop_its_own_registration() {
    let token = CancelToken::new();
    let slot: Arc<Mutex<Option<Registration>>> = Arc::default();
    let (own, ran) = (slot.clone(), Arc::new(AtomicBool::new(false)));
    let (done, other) = (ran.clone(), token.clone());
    let registration = token.on_cancel(move |_| {
        let registration = own.lock().unwrap().take().unwrap();
        assert!(!registration.remove(), "it runs");
        assert!(!other.cancel());
        done.store(true, SeqCst);
    });
    *slot.lock().unwrap() = Some(registration);
    token.cancel();
    assert!(ran.load(SeqCst));
}

#[test]
fn k12_callbacks_are_called_once_in_order_children_first() {
    let root = CancelToken::new();
    let child = root.child();
    let log: Arc<Mutex<Vec<&str>>> = Arc::default();
    let say = |text: &'static str| {
        let log = log.clone();
        move |reason: &Reason| {
            assert_eq!(reason.message(), "why");
            log.lock().unwrap().push(text);
        }
    };
    let tokens = [(&root, "root 1"), (&child, "child 1"), (&root, "root 2"), (&child, "child 2")];
    for (token, text) in tokens {
        token.on_cancel(say(text)).keep();
    }
    root.cancel_with(Reason::new("why"));
    root.escalate_to(Level::Aborted, Reason::new("again"));
    assert_eq!(*log.lock().unwrap(), ["child 1", "child 2", "root 1", "root 2"]);
    let late = root.on_cancel(say("at once"));
    assert_eq!(log.lock().unwrap().len(), 5);
    assert!(!late.remove());
}

#[test]
fn k13_removed_callback_does_not_run() {
    let token = CancelToken::new();
    let ran = Arc::new(Count::default());
    let count = || {
        let ran = ran.clone();
        move |_: &Reason| ran.add()
    };
    let (first, second, third) =
        (token.on_cancel(count()), token.on_cancel(count()), token.on_cancel(count()));
    assert!(second.remove());
    drop(first);
    assert_eq!(Arc::strong_count(&ran), 2, "closures of removed callbacks are dropped");
    token.cancel();
    assert_eq!(ran.get(), 1);
    assert!(!third.remove());
}

/// A callback that runs is not waited for.
#[test]
fn k13_remove_during_the_call() {
    let token = CancelToken::new();
    let (go, gone) = std::sync::mpsc::channel::<()>();
    let (began, begun) = std::sync::mpsc::channel::<()>();
    let registration = token.on_cancel(move |_| {
        began.send(()).unwrap();
        gone.recv().unwrap();
    });
    let other = token.clone();
    let thread = thread::spawn(move || other.cancel());
    begun.recv().unwrap();
    assert!(!registration.remove(), "too late, and it did not wait");
    go.send(()).unwrap();
    assert!(thread.join().unwrap());
}
