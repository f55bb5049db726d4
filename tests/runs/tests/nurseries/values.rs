//! Values that are set for a scope, step by step.

use allhome::task::ScopedKey;
use allhome::{Nursery, Reason, block_on, nursery};
use allhome_conformance::{Counts, Gate};
use allhome_runs::{AtSpawn, Jobs, Manner, Opened, Stepped, Wakes, poll_once};
use std::cell::RefCell;
use std::convert::Infallible;
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;

static NUMBER: ScopedKey<u32> = ScopedKey::new();
static OTHER: ScopedKey<u32> = ScopedKey::new();

fn number() -> Option<u32> {
    NUMBER.get().as_deref().copied()
}

#[test]
fn v01_found_on_whichever_thread_polls() {
    let (stepped, gate) = (Stepped::new(2), Gate::new());
    let opened = Opened::new(nursery().on(stepped.runtime()));
    let inside = gate.clone();
    let outside = opened.n.fork(async { Ok(number()) });
    let child = opened.n.fork(NUMBER.scope(1, async move {
        let before = number();
        inside.wait().await;
        Ok((before, number()))
    }));
    stepped.step_on_a_thread().join().unwrap();
    gate.open();
    stepped.run_until_stalled();
    assert_eq!(block_on(child).unwrap(), (Some(1), Some(1)));
    assert_eq!(block_on(outside).unwrap(), None);
    assert_eq!(number(), None);
}

#[test]
fn v01_found_by_blocking_work_that_had_to_wait() {
    let (stepped, jobs) = (Stepped::new(1), Jobs::new());
    let builder = nursery().on(stepped.runtime_with(&jobs)).blocking_limit(1);
    let run = builder.run(async |n: Nursery<Infallible>| {
        let first = n.blocking(|_| Ok(number()));
        let second = n.blocking(|cx| Ok(cx.block_on(async { number() }).unwrap()));
        Ok((first.await.unwrap(), second.await.unwrap()))
    });
    let (mut run, wakes) = (Box::pin(NUMBER.scope(1, run)), Wakes::new());
    assert!(poll_once(&mut run, &wakes).is_pending());
    for _ in 0..2 {
        thread::spawn(jobs.take().unwrap()).join().unwrap();
    }
    let Poll::Ready(found) = poll_once(&mut run, &wakes) else { panic!("both are done") };
    assert_eq!(found.unwrap(), (Some(1), Some(1)));
}

#[test]
fn v01_what_was_set_around_is_found_at_the_first_poll() {
    let (made, wakes) = (NUMBER.scope(1, async { OTHER.get().as_deref().copied() }), Wakes::new());
    let mut made = Box::pin(made);
    let found = OTHER.sync_scope(2, || poll_once(&mut made, &wakes));
    assert_eq!(found, Poll::Ready(Some(2)));
}

/// A runtime that polls inside `spawn` does so in the scope of the caller.
#[test]
fn v02_values_around_a_poll_are_not_the_childs() {
    let stepped = Stepped::with(1, Manner { at_spawn: AtSpawn::Poll, ..Manner::default() });
    let mut opened = Opened::new(nursery().on(stepped.runtime()));
    let child = NUMBER.sync_scope(2, || {
        let child = opened.n.fork(async { Ok(number()) });
        assert!(child.is_ended() && number() == Some(2));
        child
    });
    assert_eq!(block_on(child).unwrap(), None);
    assert!(opened.finish().is_ready());
}

#[test]
fn v03_keys_of_one_type_differ() {
    NUMBER.sync_scope(1, || {
        assert_eq!((number(), OTHER.get()), (Some(1), None));
        OTHER.sync_scope(2, || {
            assert_eq!((number(), OTHER.get().as_deref()), (Some(1), Some(&2)));
        });
        assert_eq!(OTHER.get(), None);
    });
}

#[test]
fn v04_sync_scope_ends_with_its_call() {
    let counts = Counts::new();
    static KEPT: ScopedKey<allhome_conformance::Guard> = ScopedKey::new();
    let value = KEPT.sync_scope(counts.guard(), || {
        let outer = KEPT.get().unwrap();
        KEPT.sync_scope(counts.guard(), || {
            assert!(!Arc::ptr_eq(&outer, &KEPT.get().unwrap()));
        });
        assert!(Arc::ptr_eq(&outer, &KEPT.get().unwrap()), "the outer is back");
        assert_eq!(counts.drops(), 1);
        7
    });
    assert_eq!((value, counts.drops()), (7, 2));
    let panics = AssertUnwindSafe(|| NUMBER.sync_scope(1, || panic!("thrown on purpose")));
    assert!(catch_unwind(panics).is_err());
    assert_eq!(number(), None, "also if it panics");
}

/// Notes the number that is set where it is dropped.
struct Notes(Arc<Mutex<Vec<Option<u32>>>>);

impl Drop for Notes {
    fn drop(&mut self) {
        self.0.lock().unwrap().push(number());
    }
}

#[test]
fn v05_set_while_a_scope_is_dropped() {
    let seen = Arc::default();
    for polls in [0, 1] {
        let notes = Notes(Arc::clone(&seen));
        let mut scope = Box::pin(NUMBER.scope(1, async move {
            let _notes = notes;
            pending::<()>().await;
        }));
        for _ in 0..polls {
            assert!(poll_once(&mut scope, &Wakes::new()).is_pending());
        }
        drop(scope);
    }
    assert_eq!(*seen.lock().unwrap(), [Some(1), Some(1)]);
}

#[test]
fn v05_set_while_a_child_is_destroyed_by_somebody_else() {
    let seen = Arc::default();
    let stepped = Stepped::new(1);
    for ending in 0..4 {
        let run = nursery().on(stepped.runtime());
        let notes = Notes(Arc::clone(&seen));
        let mut opened = NUMBER.sync_scope(ending, || Opened::new(run));
        let child = opened.n.fork(async move {
            let _notes = notes;
            pending::<Result<(), _>>().await
        });
        stepped.run_until_stalled();
        // Here another number is set, or none.
        match ending {
            0 => assert!(child.abort()),
            1 => assert!(OTHER.sync_scope(9, || NUMBER.sync_scope(9, || child.abort()))),
            2 => {
                assert!(child.cancel_with(Reason::new("")));
                stepped.run_until_stalled();
            }
            _ => drop(opened.n.abort()),
        }
        assert!(opened.finish().is_ready());
    }
    assert_eq!(*seen.lock().unwrap(), [Some(0), Some(1), Some(2), Some(3)]);
}

#[test]
fn v06_dropped_when_the_last_inside_is_over() {
    static KEPT: ScopedKey<allhome_conformance::Guard> = ScopedKey::new();
    let (stepped, counts) = (Stepped::new(1), Counts::new());
    let guard = counts.guard();
    let builder = nursery().on(stepped.runtime());
    let mut opened = KEPT.sync_scope(guard, || Opened::new(builder));
    assert_eq!(counts.drops(), 0, "a nursery that was opened in it is open");
    let (gate, parked) = (Gate::new(), Counts::new());
    opened.n.spawn(parked.parked().child());
    stepped.run_until_stalled();
    let got = opened.n.fork(async { Ok(KEPT.get().unwrap()) });
    stepped.run_until_stalled();
    drop((gate, block_on(got).unwrap()));
    opened.n.abort();
    assert!(opened.finish().is_ready());
    drop(opened);
    stepped.run_until_stalled();
    assert_eq!((counts.drops(), parked.drops()), (1, 1));
}

type Link = Pin<Box<dyn Future<Output = ()>>>;

/// A scope that, at its second poll, makes another one inside itself and gives it away. So a chain
/// of any length is made with no more than two scopes on the stack.
fn link(number: u32, next: Rc<RefCell<Option<Link>>>) -> Link {
    let mut polls = 0;
    Box::pin(NUMBER.scope(
        number,
        poll_fn(move |cx| {
            polls += 1;
            assert_eq!(NUMBER.get().as_deref(), Some(&number));
            if polls == 2 {
                let mut inner = link(number + 1, next.clone());
                assert!(inner.as_mut().poll(cx).is_pending());
                *next.borrow_mut() = Some(inner);
            }
            Poll::Pending
        }),
    ))
}

#[test]
fn v07_long_chain_is_dropped_without_recursion() {
    static FIRST: ScopedKey<allhome_conformance::Guard> = ScopedKey::new();
    const LONG: u32 = 100_000;
    let counts = Counts::new();
    let (next, mut cx) = (Rc::default(), Context::from_waker(Waker::noop()));
    let mut last = link(1, Rc::clone(&next));
    FIRST.sync_scope(counts.guard(), || assert!(last.as_mut().poll(&mut cx).is_pending()));
    for _ in 1..LONG {
        assert!(last.as_mut().poll(&mut cx).is_pending());
        last = next.borrow_mut().take().unwrap();
    }
    assert_eq!(counts.drops(), 0, "the whole chain hangs on the last");
    drop(last);
    assert_eq!(counts.drops(), 1);
}
