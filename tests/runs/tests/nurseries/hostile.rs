//! The core on runtimes and against callers that do what they should not.

mod from_inside;
mod while_polled;

use allhome::{Nursery, Reason, block_on, nursery};
use allhome_conformance::{Counts, Gate};
use allhome_runs::{AtSpawn, AtWake, Manner, Opened, Stepped, program, within};
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

fn drive_program(manner: Manner) {
    for threads in [1, 4] {
        within(move || {
            let stepped = Stepped::with(threads, manner);
            let runtime = stepped.runtime();
            stepped.drive(program(&runtime, !manner.spurious));
            while stepped.step() {}
            assert_eq!(stepped.tasks(), 0, "of {threads} threads");
        });
    }
}

/// Calls a function when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// A waker that calls a function.
struct OnWake<F>(F);

impl<F: Fn() + Send + Sync> Wake for OnWake<F> {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }
}

/// The cancel or abort of a case, from wherever it comes.
type Cancel = fn(&Nursery<Infallible>);

const CANCELS: [Cancel; 2] = [
    |n| {
        n.cancel();
    },
    |n| {
        n.abort();
    },
];

fn ends(mut opened: Opened<Infallible>, stepped: &Stepped, counts: &Counts, children: usize) {
    stepped.run_until_stalled();
    assert!(matches!(opened.poll(), Poll::Ready(Err(_))), "the body was cut off");
    stepped.run_until_stalled();
    assert_eq!((stepped.tasks(), counts.drops()), (0, children));
}

#[test]
fn x01_runtime_that_polls_inside_spawn() {
    drive_program(Manner { at_spawn: AtSpawn::Poll, ..Manner::default() });
}

#[test]
fn x02_runtime_that_polls_inside_wake() {
    drive_program(Manner { at_wake: AtWake::Poll, ..Manner::default() });
    drive_program(Manner { at_spawn: AtSpawn::Poll, at_wake: AtWake::Poll, ..Manner::default() });
}

#[test]
fn x03_another_thread_each_time() {
    within(|| {
        let manner =
            Manner { at_spawn: AtSpawn::Thread, at_wake: AtWake::Thread, ..Manner::default() };
        let stepped = Stepped::with(2, manner);
        let runtime = stepped.runtime();
        block_on(program(&runtime, true));
        stepped.join_threads();
        assert_eq!(stepped.tasks(), 0);
    });
}

#[test]
fn x04_spurious_polls_change_nothing() {
    drive_program(Manner { spurious: true, ..Manner::default() });
}

#[test]
fn c03_abort_after_cancel_keeps_the_first_reason() {
    for of_nursery in [true, false] {
        let (stepped, counts) = (Stepped::new(1), Counts::new());
        let opened = Opened::new(nursery().on(stepped.runtime()));
        let mut child = opened.n.fork(counts.parked().child());
        stepped.run_until_stalled();
        let first = Reason::new("first");
        assert!(if of_nursery { opened.n.cancel_with(first) } else { child.cancel_with(first) });
        assert!(child.abort());
        let error = child.try_join().expect("it has ended").unwrap_err();
        assert_eq!(error.reason().unwrap().message(), "first");
        drop(opened);
        stepped.shutdown();
    }
}

fn bad_waker() -> Waker {
    Waker::from(Arc::new(OnWake(|| panic!("a waker's panic"))))
}

#[test]
fn f18_panic_in_a_waker_harms_nobody() {
    // The waker of a joiner, and of the nursery's future.
    let (stepped, counts) = (Stepped::new(1), Counts::new());
    let mut opened = Opened::new(nursery().on(stepped.runtime()));
    let mut join = Box::pin(opened.n.fork(async { Ok(5) }));
    let (gate, guard) = (Gate::new(), counts.guard());
    let wait = gate.clone();
    opened.n.spawn(async move {
        wait.wait().await;
        drop(guard);
        Ok(())
    });
    assert!(join.as_mut().poll(&mut Context::from_waker(&bad_waker())).is_pending());
    opened.end.open();
    assert!(opened.run.as_mut().poll(&mut Context::from_waker(&bad_waker())).is_pending());
    stepped.run_until_stalled();
    assert_eq!(block_on(join).unwrap(), 5);
    gate.open();
    stepped.run_until_stalled();
    assert_eq!((stepped.tasks(), counts.drops()), (0, 1));
    assert!(matches!(opened.poll(), Poll::Ready(Ok(()))));
}

#[test]
fn f18_panics_in_the_runtimes_wakers() {
    for cancel in CANCELS {
        let stepped = Stepped::with(1, Manner { at_wake: AtWake::Panic, ..Manner::default() });
        let counts = Counts::new();
        let opened = Opened::new(nursery().on(stepped.runtime()));
        (0..100).for_each(|_| drop(opened.n.spawn(counts.parked().child())));
        stepped.run_until_stalled();
        cancel(&opened.n);
        ends(opened, &stepped, &counts, 100);
        // The nursery cannot notify a waiting carrier that it has ended.
        stepped.shutdown();
    }
    // Seventeen children in one carrier: it gives the runtime a turn through such a waker.
    let stepped = Stepped::with(1, Manner { at_wake: AtWake::Panic, ..Manner::default() });
    let mut opened = Opened::new(nursery().on(stepped.runtime()));
    (0..100).for_each(|_| drop(opened.n.spawn(async { Ok(()) })));
    stepped.run_until_stalled();
    assert!(matches!(opened.finish(), Poll::Ready(Ok(()))));
    stepped.shutdown();
}

#[test]
fn c12_sweep_of_many() {
    const MANY: usize = 10_000;
    for (abort, cancel) in CANCELS.into_iter().enumerate() {
        for threads in [1, 4] {
            let (stepped, counts) = (Stepped::new(threads), Counts::new());
            let opened = Opened::new(nursery().on(stepped.runtime()));
            (0..MANY).for_each(|_| drop(opened.n.spawn(counts.parked().child())));
            stepped.run_until_stalled();
            assert_eq!((stepped.tasks(), counts.polls()), (1, MANY));
            cancel(&opened.n);
            assert_eq!(counts.drops(), abort * MANY, "an abort is done on return");
            ends(opened, &stepped, &counts, MANY);
            assert_eq!(counts.polls(), (2 - abort) * MANY);
        }
    }
}

#[test]
fn c05_abort_needs_no_turn_of_the_runtime() {
    let stepped = Stepped::with(1, Manner { at_wake: AtWake::Hold, ..Manner::default() });
    let counts = Counts::new();
    let mut opened = Opened::new(nursery().on(stepped.runtime()));
    (0..3).for_each(|_| drop(opened.n.spawn(counts.parked().child())));
    stepped.run_until_stalled();
    opened.n.cancel();
    stepped.run_until_stalled();
    assert_eq!((counts.polls(), counts.drops()), (3, 0), "its wakes are held back");
    assert!(opened.finish().is_pending());
    opened.n.abort();
    assert_eq!((counts.polls(), counts.drops()), (3, 3));
    assert!(opened.poll().is_ready());
    assert_eq!((stepped.remember(), stepped.run_until_stalled(), stepped.tasks()), (1, 1, 0));
}
