//! Scopes in place, whose children are polled by the scope's own task, against what reaches them
//! from other threads: wakes, cancels, spawns, joins, and handles that are dropped.

mod joins;
mod seats;

use crate::gate::Gate;
use crate::home::Fault;
use crate::kid::{Book, Kid, Until};
use crate::manual::Flag;
use crate::model;
use allhome::in_place::ScopeChild;
use allhome::{GroupError, Policy, Scope, scope};
use loom::thread;
use std::future::{Future, poll_fn, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

type Handle = Scope<'static, Fault>;
type Run = Pin<Box<dyn Future<Output = Result<(), GroupError<Fault>>>>>;

/// An open scope in the model's hands.
struct Open {
    run: Run,
    woken: Arc<Flag>,
}

impl Open {
    /// Opens a scope whose body calls `setup` and returns, and polls it until it waits.
    fn new<K: 'static>(policy: Policy, setup: impl FnOnce(&Handle) -> K + 'static) -> (Open, K) {
        let kept = Arc::new(std::sync::Mutex::new(None));
        let keep = kept.clone();
        let run = scope().policy(policy).run(move |s: Handle| {
            *keep.lock().unwrap() = Some(setup(&s));
            ready(Ok(()))
        });
        let mut open = Open { run: Box::pin(run), woken: Flag::new(true) };
        assert!(open.settle().is_none(), "a child of it waits");
        let kept = kept.lock().unwrap().take().expect("the body was called");
        (open, kept)
    }

    /// Polls it for as long as it is woken.
    fn settle(&mut self) -> Option<Result<(), GroupError<Fault>>> {
        settle(&mut self.run, &self.woken)
    }
}

fn settle<F: Future + Unpin>(future: &mut F, woken: &Arc<Flag>) -> Option<F::Output> {
    while woken.take() {
        let waker = Waker::from(woken.clone());
        if let Poll::Ready(value) = Pin::new(&mut *future).poll(&mut Context::from_waker(&waker)) {
            return Some(value);
        }
    }
    None
}

/// Makes a child that is ready, as the kid is, in a poll that finds the gate open.
fn behind(gate: &Arc<Gate>, mut kid: Kid) -> impl Future<Output = Result<(), Fault>> + use<> {
    let gate = gate.clone();
    poll_fn(move |cx| match gate.is_open(cx) {
        true => Pin::new(&mut kid).poll(cx).map_ok(drop),
        false => Poll::Pending,
    })
}

/// A child behind a gate.
fn gated(until: Until) -> (Arc<Gate>, Arc<Book>, impl Future<Output = Result<(), Fault>> + use<>) {
    let (gate, (kid, book)) = (Arc::<Gate>::default(), Kid::new(until));
    let child = behind(&gate, kid);
    (gate, book, child)
}

/// A scope with one child behind a gate, which has polled it once.
// Functions of their own, here and below: a model's stack is small.
#[inline(never)]
fn one(until: Until) -> (Open, Handle, Arc<Gate>, Arc<Book>) {
    let (gate, book, child) = gated(until);
    let (open, handle) = Open::new(Policy::WaitAll, move |s| {
        s.spawn(child);
        s.clone()
    });
    (open, handle, gate, book)
}

/// Spawns one more, and has it polled once.
#[inline(never)]
fn another(open: &mut Open, handle: &Handle, until: Until) -> (Arc<Gate>, Arc<Book>) {
    let (gate, book, child) = gated(until);
    handle.spawn(child);
    assert!(open.settle().is_none());
    (gate, book)
}

/// The gate opens before, in or after a poll of its child.
#[test]
fn i06_wake_versus_poll_of_the_same_child() {
    model(|| {
        let (mut open, _handle, gate, book) = one(Until::Polls(1));
        let (early, late) = (gate.waker(), gate.waker());
        let opened = gate.clone();
        let thread = thread::spawn(move || {
            opened.open();
            late.wake();
        });
        early.wake();
        let mut result = open.settle();
        thread.join().unwrap();
        result = result.or_else(|| open.settle());
        assert!(matches!(result, Some(Ok(()))), "a wake was lost");
        book.check();
    });
}

/// The scope is about to wait when the wake comes.
#[test]
fn i06_wake_versus_poll_of_another_child() {
    model(|| {
        let (mut open, handle, gate, book) = one(Until::Polls(1));
        let (other_gate, other_book) = another(&mut open, &handle, Until::Polls(1));
        let (waker, opened) = (gate.waker(), gate.clone());
        let thread = thread::spawn(move || {
            opened.open();
            waker.wake();
        });
        other_gate.open();
        other_gate.waker().wake();
        let mut result = open.settle();
        thread.join().unwrap();
        result = result.or_else(|| open.settle());
        assert!(matches!(result, Some(Ok(()))), "a wake was lost");
        book.check();
        other_book.check();
    });
}

/// A wake of a child that ends meanwhile, and whose slot is another child's then: it is never led
/// to that one.
#[test]
fn i03_wake_versus_end_and_reuse_of_the_slot() {
    model(|| {
        let (mut open, handle, gate, book) = one(Until::Polls(1));
        // It keeps the scope open, in a slot of its own.
        let (last_gate, last_book) = another(&mut open, &handle, Until::Polls(1));
        gate.open();
        let (waker, late) = (gate.waker(), gate.waker());
        let thread = thread::spawn(move || late.wake());
        waker.wake();
        assert!(open.settle().is_none());
        let (next, next_book) = Kid::new(Until::Polls(2));
        handle.spawn(next.plain());
        assert!(open.settle().is_none());
        thread.join().unwrap();
        assert!(open.settle().is_none());
        assert_eq!(next_book.polls(), 1, "it was polled for the wake of another child");
        gate.waker().wake();
        assert!(!open.woken.take(), "a wake of a child that has ended");
        book.check();
        handle.cancel();
        last_gate.open();
        assert!(open.settle().is_some());
        last_book.check();
        next_book.check();
    });
}

#[test]
fn i06_wake_versus_drop_of_the_scope() {
    model(|| {
        let (open, _handle, gate, book) = one(Until::Never);
        gate.open();
        let waker = gate.waker();
        let thread = thread::spawn(move || waker.wake());
        let Open { run, woken } = open;
        drop(run);
        assert_eq!((book.drops(), book.polls()), (1, 0));
        thread.join().unwrap();
        gate.waker().wake();
        assert_eq!(Arc::strong_count(&woken), 1, "the waker of a scope that is gone");
        book.check();
    });
}

#[test]
fn i07_wake_versus_forgetting_the_scope() {
    model(|| {
        let (open, handle, gate, book) = one(Until::Never);
        gate.open();
        let (waker, late) = (gate.waker(), gate.waker());
        let thread = thread::spawn(move || waker.wake());
        let cancel = thread::spawn(move || handle.cancel());
        let forgotten = std::mem::ManuallyDrop::new(open);
        late.wake();
        thread.join().unwrap();
        assert!(cancel.join().unwrap());
        assert_eq!((book.polls(), book.drops()), (0, 0), "code of a child ran");
        // Only for the model, which counts what is left.
        drop(std::mem::ManuallyDrop::into_inner(forgotten));
        book.check();
    });
}

/// The scope is about to wait when it is cancelled.
#[test]
fn i11_cancel_versus_poll() {
    model(|| {
        let (mut open, handle, gate, book) = one(Until::Never);
        gate.open();
        let thread = thread::spawn(move || handle.cancel());
        gate.waker().wake();
        let mut result = open.settle();
        assert!(thread.join().unwrap());
        result = result.or_else(|| open.settle());
        assert!(result.is_some(), "a cancel was lost");
        assert!(book.shown());
        book.check();
    });
}

/// A child is cancelled before, in or after a poll of it.
#[test]
fn i13_cancel_of_a_child_versus_its_poll() {
    model(|| {
        let (mut open, child, gate, book) = joined(Until::Never);
        gate.open();
        let thread = thread::spawn(move || {
            assert!(child.cancel());
            child
        });
        gate.waker().wake();
        let mut result = open.settle();
        let child = thread.join().unwrap();
        result = result.or_else(|| open.settle());
        assert!(matches!(result, Some(Ok(()))), "a cancel was lost");
        assert!(book.shown() && child.is_ended());
        book.check();
    });
}

/// A child is cancelled while it is taken from the inbox: it is dropped unpolled, or sees it.
#[test]
fn i12_cancel_of_a_child_versus_its_first_poll() {
    model(|| {
        let (mut open, handle, gate, first) = one(Until::Polls(1));
        let (kid, book) = Kid::new(Until::Never);
        let child = handle.fork(kid);
        let thread = thread::spawn(move || assert!(child.cancel()));
        assert!(open.settle().is_none());
        thread.join().unwrap();
        assert!(open.settle().is_none());
        assert!(book.polls() == 0 || book.shown());
        book.check();
        gate.open();
        gate.waker().wake();
        assert!(matches!(open.settle(), Some(Ok(()))));
        first.check();
    });
}

/// A child comes while the last one ends: the scope waits for it, or refuses it.
#[test]
fn i01_spawn_versus_end_of_the_last_child() {
    model(|| {
        let (mut open, handle, gate, book) = one(Until::Polls(1));
        let (kid, late_book) = Kid::new(Until::Polls(1));
        let thread = thread::spawn(move || handle.spawn(kid.plain()).is_admitted());
        gate.open();
        gate.waker().wake();
        let mut result = open.settle();
        let admitted = thread.join().unwrap();
        result = result.or_else(|| open.settle());
        assert!(result.is_some(), "a child was lost");
        assert_eq!(late_book.polls(), usize::from(admitted));
        late_book.check();
        book.check();
    });
}

/// A child comes while the scope's future is dropped.
#[test]
fn i09_spawn_versus_drop_of_the_scope() {
    model(|| {
        let (open, handle, _gate, book) = one(Until::Never);
        let (kid, late_book) = Kid::new(Until::Never);
        let thread = thread::spawn(move || {
            handle.spawn(kid.plain());
            handle
        });
        drop(open);
        let handle = thread.join().unwrap();
        assert!(handle.is_closed() && handle.is_empty());
        assert_eq!(late_book.polls(), 0);
        late_book.check();
        book.check();
    });
}

/// A scope with one child behind a gate that has a handle, polled once.
#[inline(never)]
fn joined(until: Until) -> (Open, ScopeChild<(), Fault>, Arc<Gate>, Arc<Book>) {
    let (gate, book, child) = gated(until);
    let (open, child) = Open::new(Policy::Isolate, move |s| s.fork(child));
    (open, child, gate, book)
}

/// The joiner is about to wait when the child ends.
#[test]
fn i14_join_versus_end() {
    model(|| {
        let (mut open, mut child, gate, book) = joined(Until::Polls(1));
        gate.open();
        let woken = Flag::new(true);
        let thread = thread::spawn(move || {
            let joined = settle(&mut child, &woken);
            (child, woken, joined)
        });
        gate.waker().wake();
        assert!(matches!(open.settle(), Some(Ok(()))));
        let (mut child, woken, joined) = thread.join().unwrap();
        let joined = joined.or_else(|| settle(&mut child, &woken));
        assert!(matches!(joined, Some(Ok(()))), "the wake of a joiner was lost");
        book.check();
    });
}

/// The handle of a child that fails is dropped meanwhile: the failure is the scope's.
#[test]
fn i23_drop_of_the_handle_versus_failure() {
    model(|| {
        let (gate, book, child) = gated(Until::Fails);
        let (last, last_book, waits) = gated(Until::Polls(1));
        let (mut open, child) = Open::new(Policy::Isolate, move |s| {
            s.spawn(waits);
            s.fork(child)
        });
        gate.open();
        let thread = thread::spawn(move || drop(child));
        gate.waker().wake();
        assert!(open.settle().is_none());
        thread.join().unwrap();
        last.open();
        last.waker().wake();
        let error = open.settle().expect("all are home").expect_err("one has failed");
        assert_eq!(error.failures().count(), 1, "a failure was lost");
        last_book.check();
        book.check();
    });
}

/// Another thread closes the scope while a task begins to wait for that.
#[test]
fn i19_draining_versus_close() {
    model(|| {
        let (mut open, handle, gate, book) = one(Until::Polls(1));
        let closes = handle.clone();
        let thread = thread::spawn(move || assert!(closes.close()));
        let (mut waits, woken) = (handle.draining(), Flag::new(true));
        let level = settle(&mut waits, &woken);
        thread.join().unwrap();
        let level = level.or_else(|| settle(&mut waits, &woken));
        assert_eq!(level, Some(allhome::cancel::Level::Draining), "a wake was lost");
        gate.open();
        gate.waker().wake();
        gate.forget();
        drop((waits, handle));
        assert!(matches!(open.settle(), Some(Ok(()))));
        book.check();
    });
}
