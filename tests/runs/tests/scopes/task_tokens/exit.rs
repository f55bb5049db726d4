//! Tasks that end themselves.

use allhome::cancel::ReasonKind;
use allhome::task::exit;
use allhome::{Nursery, block_on, is_cancelled, nursery, yield_now};
use allhome_conformance::{Counts, Gate};
use allhome_runs::{AtWake, Manner, Opened, Stepped};
use futures_util::FutureExt;
use futures_util::future::join;
use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::task::Poll;

#[test]
#[should_panic = "`exit` was awaited outside of any nursery"]
fn c18_exit_outside_of_any_nursery_panics() {
    let _ = exit().now_or_never();
}

#[test]
fn c18_exit_is_at_the_end_of_the_poll_and_drops_once() {
    for at_wake in [AtWake::Queue, AtWake::Poll] {
        let stepped = Stepped::with(1, Manner { at_wake, ..Manner::default() });
        let counts = Counts::new();
        let mut opened = Opened::new(nursery().on(stepped.runtime()));
        for turns in [0, 1, 40] {
            let (exits, after) = (counts.guard(), counts.clone());
            let child = opened.n.fork(async move {
                for _ in 0..turns {
                    yield_now().await;
                }
                let exits = async move {
                    let _exits = exits;
                    match exit().await {}
                };
                // The others of a combinator go on to the end of that poll.
                let after = poll_fn(|_| {
                    after.polled();
                    Poll::<()>::Pending
                });
                let (_, ()) = join(exits, after).await;
                Ok(())
            });
            stepped.run_until_stalled();
            let error = block_on(child).unwrap_err();
            assert_eq!(error.reason().unwrap().kind(), ReasonKind::Exited);
        }
        assert_eq!((counts.polls(), counts.drops()), (3, 3));
        assert!(!opened.n.is_cancelled());
        assert!(matches!(opened.finish(), Poll::Ready(Ok(()))));
        stepped.run_until_stalled();
        assert_eq!(stepped.tasks(), 0);
    }
}

#[test]
fn c18_value_that_is_ready_in_the_poll_of_the_exit_wins() {
    let stepped = Stepped::new(1);
    let mut opened = Opened::new(nursery().on(stepped.runtime()));
    let child = opened.n.fork(async {
        assert!(exit().now_or_never().is_none());
        Ok(7)
    });
    stepped.run_until_stalled();
    assert_eq!(block_on(child).unwrap(), 7);
    assert!(opened.finish().is_ready());
}

#[test]
fn c18_exit_takes_the_nurseries_inside_along() {
    let (stepped, counts) = (Stepped::new(1), Counts::new());
    let mut opened = Opened::new(nursery().on(stepped.runtime()));
    let (parked, gate) = (counts.parked(), Gate::new());
    let open = gate.clone();
    let child = opened.n.fork(async move {
        let inner = nursery().run(async move |inner: Nursery<Infallible>| {
            inner.spawn(parked.child());
            pending::<Result<(), _>>().await
        });
        let exits = async {
            open.wait().await;
            match exit().await {}
        };
        join(inner, exits).await.0.map_err(|_| unreachable!("it does not end"))
    });
    stepped.run_until_stalled();
    assert_eq!((counts.polls(), counts.drops()), (1, 0));
    gate.open();
    stepped.run_until_stalled();
    assert_eq!((counts.polls(), counts.drops()), (1, 1), "as when `run` is dropped");
    assert_eq!(block_on(child).unwrap_err().reason().unwrap().kind(), ReasonKind::Exited);
    assert!(matches!(opened.finish(), Poll::Ready(Ok(()))));
    assert!(!is_cancelled());
}
