//! Joiners of the user's, and what they may do.

use crate::{Calm, gated, parked, ready};
use allhome::join::{Joined, Joiner, hedge, join_with, until_match};
use allhome::{Nursery, nursery};
use allhome_conformance::{Counts, Gate};
use allhome_runs::{Stepped, Wakes, poll_once};
use std::convert::Infallible;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// Calls back into the nursery at each step, and has enough after so many children.
struct Nosy {
    n: Nursery<Infallible>,
    enough: usize,
    seen: Vec<usize>,
}

impl Nosy {
    fn look(&self) {
        assert!(!self.n.tree().to_string().is_empty());
        assert!(self.n.go(async {}).is_admitted());
    }
}

impl Joiner<u32, Infallible> for Nosy {
    type Output = Vec<usize>;

    fn begin(&mut self, children: usize) -> ControlFlow<()> {
        self.look();
        assert_eq!(children, 3);
        ControlFlow::Continue(())
    }

    fn ended(&mut self, child: Joined<u32, Infallible>) -> ControlFlow<()> {
        self.look();
        self.seen.push(child.index());
        match self.seen.len() == self.enough {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    fn finish(self) -> Vec<usize> {
        self.look();
        self.seen
    }
}

#[test]
fn p12_a_joiner_may_use_the_nursery() {
    for enough in [2, 9] {
        let stepped = Stepped::new(1);
        let mut opened = Calm::new(nursery().on(stepped.runtime()));
        let gates = [Gate::new(), Gate::new(), Gate::new()];
        let children = gates.each_ref().map(|gate| gated(&opened.n, gate, Ok(7)));
        let joiner = Nosy { n: opened.n.clone(), enough, seen: Vec::new() };
        let (mut joined, wakes) = (Box::pin(join_with(children, joiner)), Wakes::new());
        let mut seen = poll_once(&mut joined, &wakes);
        for i in [2, 0, 1] {
            gates[i].open();
            stepped.run_until_stalled();
            if seen.is_pending() {
                seen = poll_once(&mut joined, &wakes);
            }
        }
        let expected = if enough == 2 { vec![2, 0] } else { vec![2, 0, 1] };
        assert_eq!(ready(seen), expected);
        stepped.run_until_stalled();
        assert!(ready(opened.finish()).is_ok());
    }
}

/// Polls until it panics, and drops it.
fn panics<F: Future>(stepped: &Stepped, future: F) {
    let mut future = Box::pin(future);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        for _ in 0..10 {
            if poll_once(&mut future, &Wakes::new()).is_ready() {
                return;
            }
            stepped.run_until_stalled();
        }
    }));
    assert!(panicked.is_err(), "it does not panic");
}

#[test]
fn p12_a_panic_in_it_cancels_the_children() {
    let stepped = Stepped::new(1);
    let mut opened = Calm::new(nursery().on(stepped.runtime()));
    let counts = Counts::new();
    let gives = || opened.n.fork(async { Ok(7) });
    panics(&stepped, until_match([gives(), parked(&opened.n, &counts)], |_| panic!("predicate")));
    let attempts = [gives(), parked(&opened.n, &counts)].into_iter();
    let attempts = attempts.chain(std::iter::once_with(|| panic!("attempts")));
    panics(&stepped, hedge(Duration::ZERO, attempts));
    stepped.run_until_stalled();
    assert_eq!((counts.drops(), opened.n.len()), (2, 0));
    assert!(ready(opened.finish()).is_ok());
}
