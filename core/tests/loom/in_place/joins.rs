//! The cell that a child shares with its handle: the later of the two frees it.

use super::{Open, settle};
use crate::gate::Gate;
use crate::home::Fault;
use crate::kid::{Kid, Until, Value};
use crate::manual::Flag;
use crate::model;
use allhome::Policy;
use allhome::in_place::ScopeChild;
use loom::thread;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

/// The handle of a child with a value is dropped, or takes it, meanwhile: the value and the cell go
/// once.
fn value_versus(until: impl Fn(ScopeChild<Value, Fault>) + Copy + Send + Sync + 'static) {
    model(move || {
        let (gate, (mut kid, book)) = (Arc::<Gate>::default(), Kid::new(Until::Polls(1)));
        let opened = gate.clone();
        let (mut open, child) = Open::new(Policy::WaitAll, move |s| {
            s.fork(poll_fn(move |cx| match opened.is_open(cx) {
                true => Pin::new(&mut kid).poll(cx),
                false => Poll::Pending,
            }))
        });
        gate.open();
        let thread = thread::spawn(move || until(child));
        gate.waker().wake();
        assert!(matches!(open.settle(), Some(Ok(()))));
        thread.join().unwrap();
        book.check();
    });
}

#[test]
fn i14_drop_of_the_handle_versus_value() {
    value_versus(drop);
}

#[test]
fn i14_drop_of_a_handle_that_waits_versus_value() {
    value_versus(|mut child| drop(settle(&mut child, &Flag::new(true))));
}
