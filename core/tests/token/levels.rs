//! Levels, reasons, and what they are handed to.

use crate::{Count, assert_same, calls, poll};
use allhome::cancel::{CancelExt, Level, ReasonKind};
use allhome::{CancelToken, Reason};
use std::collections::HashSet;
use std::future::pending;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Waker;

#[test]
fn k01_level_only_rises() {
    let root = CancelToken::new();
    let leaf = root.child().child();
    let levels = [Level::Draining, Level::Cancelled, Level::Aborted];
    assert_eq!(leaf.level(), Level::Running);
    assert!(!root.escalate_to(Level::Running, Reason::new("")));
    for level in levels {
        assert!(root.escalate_to(level, Reason::new("")));
        assert_eq!((root.level(), leaf.level()), (level, level));
        assert!(!root.escalate_to(level, Reason::new("")));
        assert_eq!(root.child().level(), level, "born with it");
    }
    assert!(levels.iter().all(|level| !leaf.escalate_to(*level, Reason::new(""))));
    assert_eq!(leaf.level(), Level::Aborted);
}

#[test]
fn k01_a_higher_level_below_stays() {
    let root = CancelToken::new();
    let child = root.child();
    let leaf = child.child();
    assert!(child.escalate_to(Level::Aborted, Reason::new("child")));
    assert!(root.cancel());
    assert_eq!((root.level(), leaf.level()), (Level::Cancelled, Level::Aborted));
    assert_eq!(leaf.reason().unwrap().message(), "child");
}

#[test]
fn k02_first_reason_wins() {
    let root = CancelToken::new();
    let (child, other) = (root.child(), root.child());
    let leaf = child.child();
    assert!(child.cancel_with(Reason::new("child")));
    assert!(root.cancel_with(Reason::new("root")));
    assert!(!root.cancel());
    assert!(root.escalate_to(Level::Aborted, Reason::new("abort")));
    assert_eq!(root.reason().unwrap().message(), "root");
    assert_eq!(child.reason().unwrap().message(), "child");
    assert_same(&leaf, &child);
    assert_same(&other, &root);
}

#[test]
fn k02_reason_of_a_cancel_is_requested_here() {
    let token = CancelToken::new();
    assert!(token.reason().is_none());
    let line = line!() + 1;
    token.cancel();
    let reason = token.reason().unwrap();
    assert_eq!((reason.kind(), reason.message()), (ReasonKind::Requested, ""));
    assert_eq!((reason.location().file(), reason.location().line()), (file!(), line));
}

/// The reason belongs to a token whose handle is gone long before.
#[test]
fn k02_reason_outlives_the_handle_it_came_through() {
    let root = CancelToken::new();
    let leaf = root.child().child();
    root.cancel_with(Reason::new("early"));
    drop(root);
    let later = leaf.child();
    drop(leaf);
    assert_eq!(later.reason().unwrap().message(), "early");
}

#[test]
fn k03_cancel_goes_down_only() {
    let root = CancelToken::new();
    let (one, two) = (root.child(), root.child());
    let leaf = one.child();
    one.cancel();
    assert!(leaf.is_cancelled() && !root.is_cancelled() && !two.is_cancelled());
}

#[test]
fn k04_child_of_a_cancelled_token_is_cancelled() {
    let root = CancelToken::new();
    root.cancel();
    let leaf = root.child().child();
    assert!(leaf.is_cancelled());
    assert_same(&leaf, &root);
    assert!(poll(pin!(leaf.cancelled()), Waker::noop()).is_ready());
}

#[test]
fn k05_all_are_raised_before_anybody_is_told() {
    let root = CancelToken::new();
    let tokens: Vec<_> = (0..600).map(|_| root.child().child()).collect();
    let all = tokens.clone();
    let seen = Arc::new(Count::default());
    let counted = seen.clone();
    let look = move || {
        counted.add();
        assert!(all.iter().all(CancelToken::is_cancelled));
    };
    let waker = calls(look.clone());
    let mut waiters: Vec<_> = tokens.iter().map(|token| Box::pin(token.cancelled())).collect();
    assert!(waiters.iter_mut().all(|waiter| poll(waiter.as_mut(), &waker).is_pending()));
    let registrations: Vec<_> = tokens
        .iter()
        .map(|token| {
            token.on_cancel({
                let look = look.clone();
                move |_| look()
            })
        })
        .collect();
    root.cancel();
    assert_eq!(seen.get(), 2 * tokens.len());
    assert!(registrations.into_iter().all(|registration| !registration.remove()));
}

#[test]
fn k14_drop_guard_cancels_unless_disarmed() {
    let token = CancelToken::new();
    let same = token.drop_guard().disarm();
    assert!(same.same(&token) && !token.is_cancelled());
    let line = line!() + 1;
    let guard = token.drop_guard();
    assert!(guard.token().same(&token));
    drop(guard);
    let reason = token.reason().unwrap();
    assert_eq!((reason.kind(), reason.location().line()), (ReasonKind::Requested, line));
    drop(token.drop_guard());
    assert!(token.reason().unwrap().same(&reason));
}

#[test]
fn k15_any_is_cancelled_by_the_first() {
    let (one, two) = (CancelToken::new(), CancelToken::new());
    let any = CancelToken::any([&one, &two, &two]);
    let leaf = any.child();
    two.cancel_with(Reason::new("two"));
    one.cancel_with(Reason::new("one"));
    assert_eq!(any.reason().unwrap().message(), "two");
    assert_same(&leaf, &two);

    let (one, two) = (CancelToken::new(), CancelToken::new());
    CancelToken::any([&one, &two]).cancel();
    assert!(!one.is_cancelled() && !two.is_cancelled());
    one.cancel_with(Reason::new("one"));
    two.escalate_to(Level::Aborted, Reason::new("two"));
    let born = CancelToken::any([one, two]);
    assert_eq!((born.level(), born.reason().unwrap().message()), (Level::Aborted, "one"));
    assert!(!CancelToken::any(Vec::<CancelToken>::new()).is_cancelled());
}

#[test]
fn k15_any_keeps_to_each_parent_that_is_left() {
    let (one, two) = (CancelToken::new(), CancelToken::new());
    let (middle, below) = (one.child(), two.child());
    let any = CancelToken::any([&middle, &below]);
    let leaf = any.child();
    drop((one, middle, below, any));
    two.cancel();
    assert!(leaf.is_cancelled());
}

#[test]
fn k18_detached_hears_nothing() {
    let token = CancelToken::new();
    let detached = token.detached();
    token.escalate_to(Level::Aborted, Reason::new(""));
    assert_eq!(detached.level(), Level::Running);
    assert!(!token.detached().is_cancelled());
}

#[test]
fn k19_debug_says_the_level_also_from_inside_of_a_callback() {
    let token = CancelToken::new();
    let said: Arc<Mutex<String>> = Arc::default();
    let (other, text) = (token.clone(), said.clone());
    let registration = token.on_cancel(move |_| *text.lock().unwrap() = format!("{other:?}"));
    token.cancel();
    assert_eq!(*said.lock().unwrap(), "CancelToken { level: Cancelled, .. }");
    assert!(format!("{registration:?}").starts_with("Registration"));
    assert!(format!("{:?}", pending::<()>().until_cancelled(&token)).starts_with("UntilCancelled"));
    assert!(format!("{:?} {:?}", token.cancelled(), token.drop_guard()).contains("DropGuard"));
}

#[test]
fn k23_clones_are_equal_and_others_are_not() {
    let token = CancelToken::new();
    let tokens: HashSet<_> = [token.clone(), token.clone(), token.child()].into();
    assert_eq!(tokens.len(), 2);
    assert!(tokens.contains(&token) && !tokens.contains(&CancelToken::new()));
    token.cancel();
    assert!(tokens.contains(&token), "a cancel changes nothing in that");
    assert_ne!(token, token.detached());
}
