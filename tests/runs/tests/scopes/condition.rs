//! `cancel_when`: a nursery that a foreign future cancels.

use allhome::cancel::{ReasonKind, cancel_token};
use allhome::error::{Cause, PanicPolicy};
use allhome::{Nursery, nursery};
use allhome_conformance::{Counts, Gate};
use allhome_runs::{Opened, Stepped};
use std::convert::Infallible;
use std::future::{pending, ready};
use std::sync::{Arc, Mutex};
use std::task::Poll;

/// Waits for the gate, and holds a guard.
async fn opens(gate: Gate, counts: Counts) {
    let _guard = counts.guard();
    gate.wait().await;
}

#[test]
fn c23_children_and_body_are_cancelled_when_it_is_ready() {
    let (stepped, gate, held) = (Stepped::new(1), Gate::new(), Counts::new());
    let line = line!() + 1;
    let builder = nursery().on(stepped.runtime()).cancel_when(opens(gate.clone(), held.clone()));
    let mut opened = Opened::new(builder);
    let children = Counts::new();
    opened.n.spawn(children.parked().child());
    stepped.run_until_stalled();
    assert!(opened.poll().is_pending() && !opened.n.is_cancelled());
    let wakes = opened.wakes.count();
    gate.open();
    assert!(opened.wakes.count() > wakes, "it wakes what awaits the nursery");
    assert!(opened.poll().is_pending() && opened.n.is_cancelled());
    assert_eq!(held.drops(), 1, "a future that is ready is dropped");
    stepped.run_until_stalled();
    assert_eq!((children.polls(), children.drops()), (2, 1), "a last poll");
    let Poll::Ready(Err(error)) = opened.poll() else { panic!("the body was cut off") };
    let Cause::Cancelled(reason) = error.first().cause() else { panic!("{error:?}") };
    assert_eq!((reason.kind(), reason.location().line()), (ReasonKind::Requested, line));
    assert!(reason.by().is_none());
}

#[test]
fn c23_it_keeps_no_nursery_from_ending() {
    let (stepped, held) = (Stepped::new(1), Counts::new());
    let builder = nursery().on(stepped.runtime()).cancel_when(opens(Gate::new(), held.clone()));
    let mut opened = Opened::new(builder);
    assert_eq!(held.drops(), 0);
    assert!(matches!(opened.finish(), Poll::Ready(Ok(()))));
    assert_eq!(held.drops(), 1, "nothing is left of a nursery that has ended");
}

#[test]
fn c23_children_are_cancelled_when_the_body_has_ended() {
    let (stepped, gate, held) = (Stepped::new(1), Gate::new(), Counts::new());
    let builder = nursery().on(stepped.runtime()).cancel_when(opens(gate.clone(), held.clone()));
    let mut opened = Opened::new(builder);
    let children = Counts::new();
    opened.n.spawn(children.parked().child());
    stepped.run_until_stalled();
    assert!(opened.finish().is_pending());
    gate.open();
    assert!(opened.poll().is_pending());
    stepped.run_until_stalled();
    assert_eq!((children.polls(), children.drops()), (2, 1));
    assert!(matches!(opened.poll(), Poll::Ready(Ok(()))), "the body had its value");
}

#[test]
fn c23_ready_at_once_it_cancels_from_the_start() {
    let stepped = Stepped::new(1);
    let run = nursery().on(stepped.runtime()).cancel_when(ready(()));
    let run = run.run(async |n: Nursery<Infallible>| {
        assert!(n.is_cancelled() && n.spawn(async { Ok(()) }).refused().is_some());
        pending::<Result<(), _>>().await
    });
    assert!(stepped.drive(run).unwrap_err().is_cancel());
}

#[test]
fn c23_it_is_answered_as_the_body_is() {
    let (stepped, seen) = (Stepped::new(1), Arc::new(Mutex::new(None)));
    let note = seen.clone();
    let inside = async move {
        // No runtime is known but the nursery's.
        let inner = nursery().run(async |n: Nursery<Infallible>| Ok(n.fork(async { Ok(7) }).await));
        let seven = inner.await.unwrap().unwrap();
        *note.lock().unwrap() = Some((seven, cancel_token()));
    };
    let run = nursery().on(stepped.runtime()).cancel_when(inside);
    let run = run.run(async |_: Nursery<Infallible>| pending::<Result<(), _>>().await);
    assert!(stepped.drive(run).unwrap_err().is_cancel());
    let (seven, token) = seen.lock().unwrap().take().unwrap();
    assert!(seven == 7 && token.is_cancelled(), "the token is the body's");
}

#[test]
fn c23_its_panic_is_one_of_the_body() {
    let stepped = Stepped::new(1);
    let run = nursery().on(stepped.runtime()).panics(PanicPolicy::Report);
    let run = run.cancel_when(async { panic!("no signal") });
    let run = run.run(async |n: Nursery<Infallible>| {
        n.spawn(pending());
        pending::<Result<(), _>>().await
    });
    let error = stepped.drive(run).unwrap_err();
    let panics: Vec<_> = error.panics().map(|panic| panic.message().to_string()).collect();
    assert_eq!(panics, ["no signal"]);
}

#[test]
fn c23_dropped_with_the_nursery_s_future() {
    let (stepped, held) = (Stepped::new(1), Counts::new());
    let builder = nursery().on(stepped.runtime()).cancel_when(opens(Gate::new(), held.clone()));
    drop(Opened::new(builder));
    assert_eq!(held.drops(), 1);
    drop(nursery().cancel_when(opens(Gate::new(), held.clone())));
    assert_eq!(held.drops(), 1, "it was not polled, and held nothing");
}

#[test]
fn c23_of_a_nursery_that_is_a_value() {
    let (stepped, gate) = (Stepped::new(1), Gate::new());
    let builder = nursery().on(stepped.runtime()).cancel_when(opens(gate.clone(), Counts::new()));
    let (n, owner) = builder.open::<Infallible, _>().unwrap();
    let children = Counts::new();
    n.spawn(children.parked().child());
    stepped.run_until_stalled();
    assert!(!n.is_cancelled());
    gate.open();
    stepped.run_until_stalled();
    assert!(n.is_cancelled() && children.drops() == 1);
    assert!(stepped.drive(owner.close()).is_ok(), "a cancel alone is no failure");
}
