//! Clauses P: tasks that wait for many children, and handles that lead to no value.

mod attempts;
mod deadlines;
mod enough;
mod futures;
mod handles;
mod losers;
mod next;
mod own;
mod told;

use allhome::cancel::ReasonKind;
use allhome::{JoinError, Nursery};
use allhome_conformance::{Counts, Gate};
use allhome_runs::Opened;
use std::convert::Infallible;
use std::task::Poll;

type Calm = Opened<Infallible>;
type Fallible = Opened<&'static str>;

/// A child that gives this when its gate opens.
fn gated<T, E>(n: &Nursery<E>, gate: &Gate, result: Result<T, E>) -> allhome::Child<T, E>
where
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    let gate = gate.clone();
    n.fork(async move {
        gate.wait().await;
        result
    })
}

/// A child that waits for ever, and counts its drops.
fn parked<E: Send + Sync + 'static>(n: &Nursery<E>, counts: &Counts) -> allhome::Child<u32, E> {
    let guard = counts.guard();
    n.fork(async move {
        let _guard = guard;
        std::future::pending().await
    })
}

fn kind<E>(error: &JoinError<E>) -> Option<ReasonKind> {
    error.reason().map(|reason| reason.kind())
}

#[track_caller]
fn ready<T>(poll: Poll<T>) -> T {
    match poll {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}
