//! Clauses P: tasks that wait for many children, and handles that lead to no value.

/// Tests that are generic over the place of the children, in each place.
macro_rules! in_each_place {
    ($($test:ident)*) => {
        mod in_nursery {
            $(
                #[test]
                fn $test() {
                    super::$test::<allhome_runs::place::InNursery>();
                }
            )*
        }
        mod in_scope {
            $(
                #[test]
                fn $test() {
                    super::$test::<allhome_runs::place::InScope>();
                }
            )*
        }
        mod in_thread_scope {
            $(
                #[test]
                fn $test() {
                    super::$test::<allhome_runs::place::InThreadScope>();
                }
            )*
        }
    };
}

mod all;
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
use allhome::{JoinError, Nursery, sleep};
use allhome_conformance::{Counts, Gate};
use allhome_runs::place::{Forks, Place};
use allhome_runs::{Opened, SECOND};
use std::convert::Infallible;
use std::task::Poll;

/// The handle of a child of such a place.
type ChildOf<P, T> = <<P as Place>::Handle as Forks>::Child<T>;
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

/// A child that ends so after so many seconds.
fn after<N: Forks, T: Send + 'static>(
    n: &N,
    seconds: u32,
    result: Result<T, &'static str>,
) -> N::Child<T> {
    n.fork(async move {
        sleep(SECOND * seconds).await;
        result
    })
}

/// A child that waits for ever, and counts its drops.
fn waits<N: Forks, T: Send + 'static>(n: &N, counts: &Counts) -> N::Child<T> {
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
