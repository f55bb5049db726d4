//! The core on runtimes and against callers that do what they should not.

use allhome::{
    Child, Nursery, Reason, ReasonKind, TaskState, block_on, is_cancelled, nursery, nursery_on,
    yield_now,
};
use allhome_conformance::{Counts, Gate};
use allhome_runs::{
    AtSpawn, AtWake, Hold, Manner, Opened, Scheduled, Stepped, Wakes, poll_once, program, within,
};
use std::convert::Infallible;
use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex};
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
fn c06_abort_during_a_poll_takes_effect_after_it() {
    for of_nursery in [true, false] {
        within(move || {
            let (stepped, hold, counts) = (Stepped::new(1), Hold::new(), Counts::new());
            let mut opened = Opened::new(nursery_on::<Infallible>(stepped.runtime()));
            let child = opened.n.fork(hold.child(&counts, |_| Poll::Pending::<Result<(), _>>));
            let thread = stepped.step_on_a_thread();
            hold.wait_entered();
            assert!(if of_nursery { opened.n.abort() } else { child.abort() });
            assert_eq!(counts.drops(), 0, "it is being polled");
            assert_eq!((child.state(), opened.n.len()), (TaskState::Running, 1));
            assert!(opened.finish().is_pending());
            hold.release();
            thread.join().unwrap();
            assert_eq!((counts.polls(), counts.drops()), (1, 1));
            let joined = block_on(child.join()).unwrap_err();
            assert_eq!(joined.reason().unwrap().kind(), ReasonKind::Aborted);
            assert!(matches!(opened.poll(), Poll::Ready(Ok(()))));
            stepped.run_until_stalled();
            assert_eq!((stepped.tasks(), counts.polls()), (0, 1));
        });
    }
}

#[test]
fn c10_cancel_during_a_poll_gives_one_more() {
    for of_nursery in [true, false] {
        within(move || {
            let (stepped, hold) = (Stepped::new(1), Hold::new());
            let (counts, shown) = (Counts::new(), Counts::new());
            let mut opened = Opened::new(nursery_on::<Infallible>(stepped.runtime()));
            let (count, show) = (counts.clone(), shown.clone());
            let child = opened.n.fork(hold.child(&counts, move |_| {
                // The first poll may show a cancel that came in its midst; the last must.
                if count.polls() == 2 && is_cancelled() {
                    show.polled();
                }
                Poll::Pending::<Result<(), _>>
            }));
            let thread = stepped.step_on_a_thread();
            hold.wait_entered();
            let reason = Reason::new("stop");
            assert!(if of_nursery {
                opened.n.cancel_with(reason)
            } else {
                child.cancel_with(reason)
            });
            assert_eq!((counts.polls(), counts.drops()), (0, 0));
            hold.release();
            thread.join().unwrap();
            assert_eq!((counts.polls(), shown.polls(), counts.drops()), (2, 1, 1));
            let joined = block_on(child.join()).unwrap_err();
            assert_eq!(joined.reason().unwrap().message(), "stop");
            assert!(matches!(opened.finish(), Poll::Ready(Ok(()))));
            stepped.run_until_stalled();
            assert_eq!((stepped.tasks(), counts.polls()), (0, 2));
        });
    }
}

#[test]
fn c06_poll_during_a_destruction_waits_for_it() {
    within(|| {
        let (stepped, hold, counts) = (Stepped::new(1), Hold::new(), Counts::new());
        let mut opened = Opened::new(nursery_on::<Infallible>(stepped.runtime()));
        let (stay, gate, count) = (hold.clone(), Gate::new(), counts.clone());
        let wait = gate.clone();
        let child = opened.n.fork(async move {
            let _guard = count.guard();
            let _last = OnDrop(move || stay.stay());
            // So that a task of the runtime is its own, and may come while it is destroyed.
            for _ in 0..20 {
                yield_now().await;
            }
            wait.wait().await;
            count.polled();
            Ok(())
        });
        stepped.run_until_stalled();
        let thread = std::thread::spawn(move || child.abort());
        hold.wait_entered();
        gate.open();
        assert_eq!((stepped.run_until_stalled(), stepped.tasks()), (1, 1));
        assert!(opened.finish().is_pending(), "it is not home while it is being destroyed");
        hold.release();
        assert!(thread.join().unwrap());
        assert_eq!((counts.polls(), counts.drops()), (0, 1));
        assert!(matches!(opened.poll(), Poll::Ready(Ok(()))));
        assert_eq!((stepped.run_until_stalled(), stepped.tasks()), (1, 0));
    });
}

#[test]
fn c03_abort_after_cancel_keeps_the_first_reason() {
    for of_nursery in [true, false] {
        let (stepped, counts) = (Stepped::new(1), Counts::new());
        let opened = Opened::new(nursery_on::<Infallible>(stepped.runtime()));
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

/// What is to be cancelled or aborted, from wherever it is.
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
fn c11_cancel_from_inside_poll_waker_and_destructor() {
    for (abort, cancel) in CANCELS.into_iter().enumerate() {
        let polls = if abort == 1 { 3 } else { 6 };
        // In a poll, of a child that itself goes on to wait.
        let (stepped, counts) = (Stepped::new(1), Counts::new());
        let opened = Opened::new(nursery_on::<Infallible>(stepped.runtime()));
        (0..2).for_each(|_| drop(opened.n.spawn(counts.parked().child())));
        let (n, count, guard) = (opened.n.clone(), counts.clone(), counts.guard());
        opened.n.spawn(poll_fn(move |_| {
            let _inside = &guard;
            count.polled();
            cancel(&n);
            Poll::Pending
        }));
        ends(opened, &stepped, &counts, 3);
        assert_eq!(counts.polls(), polls);
        // In a destructor: of a child that ends, and of those who are cancelled because of it.
        let (stepped, counts) = (Stepped::new(1), Counts::new());
        let opened = Opened::new(nursery_on::<Infallible>(stepped.runtime()));
        for i in 0..3 {
            let (n, counts) = (opened.n.clone(), counts.clone());
            opened.n.spawn(async move {
                let _guard = counts.guard();
                let _last = OnDrop(move || cancel(&n));
                if i < 2 { counts.parked().child().await } else { Ok(()) }
            });
        }
        ends(opened, &stepped, &counts, 5);
        assert_eq!(counts.polls(), if abort == 1 { 2 } else { 4 });
        // In a waker: of who joins.
        let (stepped, counts) = (Stepped::new(1), Counts::new());
        let opened = Opened::new(nursery_on::<Infallible>(stepped.runtime()));
        (0..3).for_each(|_| drop(opened.n.spawn(counts.parked().child())));
        let mut join = Box::pin(opened.n.fork(async { Ok(5) }).join());
        let n = opened.n.clone();
        let waker = Waker::from(Arc::new(OnWake(move || cancel(&n))));
        assert!(join.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        ends(opened, &stepped, &counts, 3);
        assert_eq!((counts.polls(), block_on(join).unwrap()), (polls, 5));
    }
}

fn bad_waker() -> Waker {
    Waker::from(Arc::new(OnWake(|| panic!("a waker's panic"))))
}

#[test]
fn f18_panic_in_a_waker_harms_nobody() {
    // The waker of a joiner, and of the nursery's future.
    let (stepped, counts) = (Stepped::new(1), Counts::new());
    let mut opened = Opened::new(nursery_on::<Infallible>(stepped.runtime()));
    let mut join = Box::pin(opened.n.fork(async { Ok(5) }).join());
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
        let opened = Opened::new(nursery_on::<Infallible>(stepped.runtime()));
        (0..100).for_each(|_| drop(opened.n.spawn(counts.parked().child())));
        stepped.run_until_stalled();
        cancel(&opened.n);
        ends(opened, &stepped, &counts, 100);
        // The carrier that waits cannot be told that its nursery has ended.
        stepped.shutdown();
    }
    // Seventeen children in one carrier: it gives the runtime a turn through such a waker.
    let stepped = Stepped::with(1, Manner { at_wake: AtWake::Panic, ..Manner::default() });
    let mut opened = Opened::new(nursery_on::<Infallible>(stepped.runtime()));
    (0..100).for_each(|_| drop(opened.n.spawn(async { Ok(()) })));
    stepped.run_until_stalled();
    assert!(matches!(opened.finish(), Poll::Ready(Ok(()))));
    stepped.shutdown();
}

#[test]
fn o20_spawn_in_a_destructor_while_aborting() {
    for in_poll in [false, true] {
        let (stepped, counts, late) = (Stepped::new(1), Counts::new(), Counts::new());
        let mut opened = Opened::new(nursery_on::<Infallible>(stepped.runtime()));
        let refusals = Arc::new(Mutex::new(Vec::new()));
        for _ in 0..100 {
            let (n, late, refusals) = (opened.n.clone(), late.clone(), refusals.clone());
            let (last, guard) = (counts.parked().child(), late.guard());
            opened.n.spawn(async move {
                let _last = OnDrop(move || {
                    let _guard = &guard;
                    let spawned = n.spawn(late.parked().child());
                    refusals.lock().unwrap().push(spawned.refused().unwrap().kind());
                });
                last.await
            });
        }
        stepped.run_until_stalled();
        if in_poll {
            let n = opened.n.clone();
            opened.n.spawn(async move {
                n.abort();
                Ok(())
            });
            stepped.run_until_stalled();
        } else {
            opened.n.abort();
        }
        assert_eq!((counts.polls(), counts.drops()), (100, 100));
        assert_eq!((late.polls(), late.drops()), (0, 200));
        assert_eq!(*refusals.lock().unwrap(), [ReasonKind::Aborted; 100]);
        assert!(opened.finish().is_ready());
        stepped.run_until_stalled();
        assert_eq!(stepped.tasks(), 0);
    }
}

type Own = Arc<Mutex<Option<Child<(), Infallible>>>>;

/// Spawns a child that does this with its own handle, in its first poll, and then waits.
fn turned_on_itself(does: fn(&mut Option<Child<(), Infallible>>)) -> (Counts, Own, bool) {
    let (stepped, counts, own) = (Stepped::new(1), Counts::new(), Own::default());
    let mut opened = Opened::new(nursery_on::<Infallible>(stepped.runtime()));
    let (count, handle, guard) = (counts.clone(), own.clone(), counts.guard());
    let child = opened.n.fork(poll_fn(move |_| {
        let _inside = &guard;
        count.polled();
        if count.polls() == 1 {
            does(&mut handle.lock().unwrap());
            assert_eq!(count.drops(), 0, "not under its feet");
        }
        Poll::Pending
    }));
    *own.lock().unwrap() = Some(child);
    stepped.run_until_stalled();
    let waits = !opened.n.is_empty();
    opened.n.abort();
    assert!(opened.finish().is_ready());
    stepped.run_until_stalled();
    assert_eq!((stepped.tasks(), counts.drops()), (0, 1));
    (counts, own, waits)
}

#[test]
fn e15_child_dropped_by_its_own_poll() {
    let (counts, own, waits) = turned_on_itself(|own| drop(own.take()));
    assert_eq!((counts.polls(), waits), (1, true), "a handle neither kills nor detaches");
    assert!(own.lock().unwrap().is_none());
    let reason = |own: Own| {
        let joined = own.lock().unwrap().take().unwrap().try_join().unwrap();
        joined.unwrap_err().reason().unwrap().kind()
    };
    let (counts, own, waits) = turned_on_itself(|own| assert!(own.as_ref().unwrap().abort()));
    assert_eq!((counts.polls(), waits, reason(own)), (1, false, ReasonKind::Aborted));
    let (counts, own, waits) = turned_on_itself(|own| assert!(own.as_ref().unwrap().cancel()));
    assert_eq!((counts.polls(), waits, reason(own)), (2, false, ReasonKind::Requested));
}

#[test]
fn c12_sweep_of_many() {
    const MANY: usize = 10_000;
    for (abort, cancel) in CANCELS.into_iter().enumerate() {
        for threads in [1, 4] {
            let (stepped, counts) = (Stepped::new(threads), Counts::new());
            let opened = Opened::new(nursery_on::<Infallible>(stepped.runtime()));
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
    let mut opened = Opened::new(nursery_on::<Infallible>(stepped.runtime()));
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

type Late = Arc<Mutex<Option<Scheduled>>>;

/// Waits for a nursery with one child in it, whose carrier is polled, and ends it, at the end of the
/// poll of this one that shows the cancel.
async fn home_too_late(late: Late, went_on: Counts) -> Result<(), Infallible> {
    let run = nursery::<Infallible>().run(async move |n| {
        n.spawn(pending());
        Ok(())
    });
    let mut run = pin!(run);
    let home = poll_fn(|cx| {
        let polled = run.as_mut().poll(cx);
        if let Some(carrier) = late.lock().unwrap().take() {
            assert!(is_cancelled() && polled.is_pending());
            carrier.poll();
        }
        polled
    });
    home.await.unwrap();
    went_on.polled();
    Ok(())
}

#[test]
fn c07_nursery_that_comes_home_during_the_last_poll() {
    for in_a_task in [true, false] {
        within(move || {
            let (stepped, late, went_on) = (Stepped::new(1), Late::default(), Counts::new());
            let waits = home_too_late(late.clone(), went_on.clone());
            let outside = Arc::new(Mutex::new(None));
            let inside = outside.clone();
            let mut run = Box::pin(nursery_on::<Infallible>(stepped.runtime()).run(async |n| {
                *inside.lock().unwrap() = Some(n.clone());
                if in_a_task {
                    n.spawn(waits);
                    Ok(())
                } else {
                    waits.await
                }
            }));
            let wakes = Wakes::new();
            assert!(poll_once(&mut run, &wakes).is_pending());
            stepped.run_until_stalled();
            outside.lock().unwrap().take().unwrap().cancel();
            // The innermost is told first.
            *late.lock().unwrap() = stepped.take();
            let _ = stepped.drive(run);
            assert_eq!(went_on.polls(), 1, "in a task: {in_a_task}");
        });
    }
}
