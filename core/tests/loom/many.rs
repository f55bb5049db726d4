//! Streams of many items whose futures run in place, against wakes from other threads.

use crate::gate::Gate;
use crate::manual::Flag;
use crate::model;
use allhome::many::ConcurrentExt;
use futures_core::Stream;
use loom::thread;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// Gives its item in a poll that finds the gate open.
fn behind(gate: &Arc<Gate>, item: usize) -> impl Future<Output = usize> + use<> {
    let gate = gate.clone();
    poll_fn(move |cx| if gate.is_open(cx) { Poll::Ready(item) } else { Poll::Pending })
}

/// Opens a gate, and wakes what was polled there with this waker.
fn open(gate: &Gate, waker: &Waker) {
    gate.open();
    waker.wake_by_ref();
}

type Outputs = Pin<Box<dyn Stream<Item = usize>>>;

/// A stream whose futures wait at two gates, one after the other if the limit is 1.
#[inline(never)]
fn two(limit: usize) -> (Outputs, [Arc<Gate>; 2], Arc<Flag>) {
    let gates: [Arc<Gate>; 2] = Default::default();
    let own = gates.clone();
    let stream = (0..2).map_concurrent(limit, move |item| behind(&own[item], item)).unordered();
    (Box::pin(stream), gates, Flag::new(true))
}

/// Polls it for as long as it is woken. Returns how many outputs it gave.
fn settle(stream: &mut Outputs, woken: &Arc<Flag>) -> usize {
    let mut given = 0;
    while woken.take() {
        let waker = Waker::from(woken.clone());
        while let Poll::Ready(Some(_)) = stream.as_mut().poll_next(&mut Context::from_waker(&waker))
        {
            given += 1;
        }
    }
    given
}

#[test]
fn p20_wakes_of_two_beside_a_poll() {
    model(|| {
        let (mut stream, gates, woken) = two(2);
        assert_eq!(settle(&mut stream, &woken), 0);
        let wakers = [gates[0].waker(), gates[1].waker()];
        let (other, waker) = (gates[1].clone(), wakers[1].clone());
        let thread = thread::spawn(move || open(&other, &waker));
        open(&gates[0], &wakers[0]);
        let given = settle(&mut stream, &woken);
        thread.join().unwrap();
        assert_eq!(given + settle(&mut stream, &woken), 2, "a wake was lost");
    });
}

/// A wake for the first future, late, beside the first poll of the one that has its slot now.
#[test]
fn p20_a_late_wake_beside_the_next_future() {
    model(|| {
        let (mut stream, gates, woken) = two(1);
        assert_eq!(settle(&mut stream, &woken), 0);
        let late = gates[0].waker();
        open(&gates[0], &late);
        let other = gates[1].clone();
        let thread = thread::spawn(move || {
            late.wake();
            other.open();
            other.kept().into_iter().for_each(Waker::wake);
        });
        let given = settle(&mut stream, &woken);
        thread.join().unwrap();
        assert_eq!(given + settle(&mut stream, &woken), 2, "a wake was lost");
    });
}

#[test]
fn p22_dropped_beside_a_wake() {
    model(|| {
        let (mut stream, gates, woken) = two(2);
        assert_eq!(settle(&mut stream, &woken), 0);
        let (gate, waker) = (gates[0].clone(), gates[0].waker());
        let thread = thread::spawn(move || open(&gate, &waker));
        drop(stream);
        thread.join().unwrap();
    });
}
