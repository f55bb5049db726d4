//! What a nursery needs of its runtime, and what it does on a runtime that lacks it.

use allhome::error::Cause;
use allhome::runtime::{IntoRuntime, Runtime, ThreadPool};
use allhome::time::{now, sleep_until};
use allhome::{Nursery, Tokio, block_on, fail_after, move_on_after, nursery, sleep, yield_now};
use allhome_conformance::{Counts, Gate};
use allhome_rt::Task;
use allhome_runs::{Opened, Stepped, Wakes, poll_once};
use futures_util::FutureExt;
use std::convert::Infallible;
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;

#[test]
fn x06_outside_of_any_nursery_there_is_a_timer() {
    assert_eq!(sleep(Duration::ZERO).now_or_never(), Some(()));
    assert_eq!(sleep(Duration::MAX).now_or_never(), None);
    assert_eq!(sleep_until(now()).now_or_never(), Some(()));
    let start = now();
    block_on(sleep(Duration::from_millis(2)));
    assert!(now() - start >= Duration::from_millis(2));
}

/// Tokio's, whose clock stands still here: an hour passes in no time.
#[test]
fn x06_in_tokios_context_it_is_tokios() {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let tokio = builder.enable_time().start_paused(true).build().unwrap();
    let hour = Duration::from_secs(3_600);
    let (began, took) = tokio.block_on(async {
        let (began, start) = (tokio::time::Instant::now(), now());
        sleep(hour).await;
        assert_eq!(move_on_after(hour, std::future::pending::<()>()).await, None);
        assert!(fail_after(hour, std::future::pending::<()>()).await.is_err());
        (began.elapsed(), now() - start)
    });
    assert_eq!((began, took), (3 * hour, 3 * hour));
}

/// The thread that `block_on` holds is the one that would wake tokio's sleeps.
#[test]
fn x06_inside_block_on_it_is_not_tokios() {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let tokio = builder.enable_time().start_paused(true).build().unwrap();
    let moment = Duration::from_millis(1);
    tokio.block_on(async {
        let tokios = tokio::time::Instant::now();
        block_on(async {
            sleep(moment).await;
            assert_eq!(move_on_after(moment, std::future::pending::<()>()).await, None);
        });
        assert_eq!(tokios.elapsed(), Duration::ZERO);
    });
}

/// Nothing panics to find out what tokio has: a panic hook may end the process.
#[test]
fn x06_tokio_without_time_is_asked_by_what_sleeps_only() {
    let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let timeless = || nursery().on(Tokio::on(tokio.handle()));
    let run =
        timeless().run(async |n: Nursery<Infallible>| Ok(n.fork(async { Ok(7) }).await.unwrap()));
    assert_eq!(tokio.block_on(run).unwrap(), 7);
    let sleeps = timeless()
        .policy(allhome::Policy::Isolate)
        .panics(allhome::error::PanicPolicy::Report)
        .run(async |n: Nursery<Infallible>| {
            let slept = n.fork(async {
                sleep(Duration::from_secs(1)).await;
                Ok(())
            });
            Ok(slept.await.unwrap_err().panic().unwrap().message().to_string())
        });
    let text = tokio.block_on(sleeps).unwrap();
    assert!(text.contains("enable_time"), "tokio's own text says what to do: {text}");
}

async fn edges_of_time(runtime: Runtime) {
    let now = runtime.timer().now();
    let run = nursery().on(runtime).run(async |_: Nursery<Infallible>| {
        sleep(Duration::ZERO).await;
        sleep_until(now).await;
        if let Some(past) = now.checked_sub(Duration::from_millis(1)) {
            sleep_until(past).await;
        }
        let mut never = Box::pin(sleep(Duration::MAX));
        let wakes = Wakes::new();
        for _ in 0..3 {
            assert!(poll_once(&mut never, &wakes).is_pending());
        }
        drop(never);
        assert_eq!(wakes.count(), 0);
        Ok(())
    });
    run.await.unwrap();
}

#[test]
fn x06_edges_of_time() {
    let pool = ThreadPool::new(1).unwrap();
    block_on(edges_of_time((&pool).into_runtime().unwrap()));
    let tokio = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let runtime = Tokio::on(tokio.handle()).into_runtime().unwrap();
    tokio.block_on(edges_of_time(runtime));
}

const MANY: usize = 1000;

#[test]
fn x07_carrier_gives_others_a_turn() {
    for threads in [1, 4] {
        let (stepped, children, foreign) = (Stepped::new(threads), Counts::new(), Counts::new());
        let mut opened = Opened::new(nursery().on(stepped.runtime()));
        for _ in 0..MANY {
            let children = children.clone();
            opened.n.spawn(async move {
                children.polled();
                Ok(())
            });
        }
        let (done, seen) = (foreign.clone(), children.clone());
        stepped.runtime().spawn(Task::from_future(async move {
            assert!(seen.polls() < MANY, "all had their turn before");
            done.polled();
        }));
        while foreign.polls() == 0 {
            assert!(stepped.step());
        }
        // A spare carrier may have been launched before it.
        assert!(children.polls() <= 16 * (threads + 1), "{} children first", children.polls());
        stepped.run_until_stalled();
        assert_eq!(children.polls(), MANY);
        assert!(matches!(opened.finish(), Poll::Ready(Ok(()))));
    }
}

#[test]
fn x09_children_that_never_wait_share_carriers() {
    for threads in [1, 4] {
        let (stepped, children) = (Stepped::new(threads), Counts::new());
        let mut opened = Opened::new(nursery().on(stepped.runtime()));
        for _ in 0..MANY {
            let children = children.clone();
            opened.n.spawn(async move {
                children.polled();
                Ok(())
            });
        }
        assert!(stepped.tasks() <= threads);
        stepped.run_until_stalled();
        assert_eq!((children.polls(), stepped.tasks()), (MANY, 1), "one carrier waits for more");
        assert!(stepped.spawns() <= threads + 1, "{} tasks of the runtime", stepped.spawns());
        assert!(matches!(opened.finish(), Poll::Ready(Ok(()))));
        stepped.run_until_stalled();
        assert_eq!(stepped.tasks(), 0, "it ends with its nursery");
    }
}

/// The carrier of a child that fails takes the next one only after the cancel that follows.
#[test]
fn e08_cancel_before_the_first_poll_ends_the_child_at_once() {
    let (stepped, counts) = (Stepped::new(2), Counts::new());
    let mut opened = Opened::new(nursery().on(stepped.runtime()));
    let children: Vec<_> = (0..50).map(|_| opened.n.fork(counts.parked().child())).collect();
    for (ended, mut child) in (1..).zip(children) {
        assert!(child.cancel() && child.is_ended());
        assert_eq!((counts.polls(), counts.drops()), (0, ended));
        assert!(child.try_join().unwrap().unwrap_err().reason().is_some());
    }
    assert!(opened.finish().is_ready());
}

#[test]
fn e08_next_in_the_queue_when_a_child_fails() {
    for threads in [1, 4] {
        let (stepped, counts) = (Stepped::new(threads), Counts::new());
        let mut opened = Opened::<&str>::fallible(nursery().on(stepped.runtime()));
        opened.n.spawn(async { Err("first") });
        (0..3).for_each(|_| drop(opened.n.spawn(counts.parked().child())));
        stepped.run_until_stalled();
        assert_eq!((counts.polls(), counts.drops()), (0, 3));
        let Poll::Ready(Err(error)) = opened.poll() else { panic!("all are home") };
        stepped.run_until_stalled();
        assert_eq!(stepped.tasks(), 0);
        assert_eq!((error.cancelled_count(), error.into_error().ok()), (3, Some("first")));
    }
}

/// Opens children that wait at a gate after so many polls.
fn at_gates(
    n: &Nursery<Infallible>,
    stepped: &Stepped,
    many: usize,
    polls: usize,
) -> Vec<(Counts, Gate)> {
    let children = (0..many).map(|i| {
        if i % 10 == 0 {
            // Children that wait keep no other from its first poll.
            stepped.run_until_stalled();
        }
        let (counts, gate) = (Counts::new(), Gate::new());
        let (count, wait) = (counts.clone(), gate.clone());
        n.spawn(async move {
            for _ in 1..polls {
                count.polled();
                yield_now().await;
            }
            count.polled();
            wait.wait().await;
            count.polled();
            Ok(())
        });
        (counts, gate)
    });
    let children = children.collect();
    stepped.run_until_stalled();
    children
}

const WAITING: usize = 100;

/// How often a child is woken before it has a task of its own, and more.
const OFTEN: usize = 20;

/// Opens children that wait at so many gates, one after the other.
fn at_many_gates(n: &Nursery<Infallible>, stepped: &Stepped, many: usize) -> Vec<Vec<Gate>> {
    let children = (0..many).map(|_| {
        let gates: Vec<_> = (0..=2 * OFTEN).map(|_| Gate::new()).collect();
        let waits = gates.clone();
        n.spawn(async move {
            for gate in waits {
                gate.wait().await;
            }
            Ok(())
        });
        gates
    });
    let children = children.collect();
    stepped.run_until_stalled();
    children
}

#[test]
fn x10_child_that_is_woken_often_and_alone_has_its_own_task() {
    for threads in [1, 4] {
        let stepped = Stepped::new(threads);
        let mut opened = Opened::new(nursery().on(stepped.runtime()));
        let children = at_many_gates(&opened.n, &stepped, 10);
        for round in 0..OFTEN {
            children.iter().for_each(|gates| gates[round].open());
            stepped.run_until_stalled();
        }
        assert_eq!(stepped.tasks(), 1, "they are woken together, and share one");
        for (i, gates) in children.iter().enumerate() {
            gates[OFTEN].open();
            stepped.run_until_stalled();
            // One more parks, as long as there is a child that has none of its own.
            let others = usize::from(i + 1 < children.len());
            assert_eq!(stepped.tasks(), i + 1 + others, "child {i} has one of its own");
        }
        for gates in &children {
            let before = stepped.polls();
            gates[OFTEN + 1].open();
            stepped.run_until_stalled();
            assert_eq!(stepped.polls() - before, 1, "the runtime polls it, and nothing else");
        }
        children.iter().flatten().for_each(Gate::open);
        assert!(matches!(stepped_to_the_end(&stepped, &mut opened), Poll::Ready(Ok(()))));
        assert_eq!(stepped.tasks(), 0);
    }
}

fn stepped_to_the_end(
    stepped: &Stepped,
    opened: &mut Opened<Infallible>,
) -> Poll<Result<(), allhome::GroupError<Infallible>>> {
    stepped.run_until_stalled();
    let ended = opened.finish();
    stepped.run_until_stalled();
    ended
}

#[test]
fn x11_child_that_waits_costs_no_task() {
    for threads in [1, 4] {
        let stepped = Stepped::new(threads);
        let mut opened = Opened::new(nursery().on(stepped.runtime()));
        let children = at_gates(&opened.n, &stepped, WAITING, 1);
        assert_eq!(stepped.tasks(), 1);
        let before = stepped.spawns();
        // Woken out of order, all at once: each is polled once more.
        children.iter().rev().for_each(|(_, gate)| gate.open());
        stepped.run_until_stalled();
        assert!(children.iter().all(|(counts, _)| counts.polls() == 2));
        let spawns = stepped.spawns() - before;
        assert!(spawns <= threads, "{spawns} tasks of the runtime");
        assert!(matches!(opened.finish(), Poll::Ready(Ok(()))));
        stepped.run_until_stalled();
        assert_eq!(stepped.tasks(), 0);
    }
}

#[test]
fn x12_wakers_may_be_kept_and_used_for_ever() {
    let (stepped, counts) = (Stepped::new(1), Counts::new());
    let mut opened = Opened::new(nursery().on(stepped.runtime()));
    let kept = Arc::new(Mutex::new(Vec::new()));
    let (keep, count, guard) = (kept.clone(), counts.clone(), counts.guard());
    opened.n.spawn(poll_fn(move |cx| {
        let _inside = &guard;
        keep.lock().unwrap().push(cx.waker().clone());
        count.polled();
        if count.polls() < 40 { Poll::Pending } else { Poll::Ready(Ok(())) }
    }));
    stepped.run_until_stalled();
    for polls in 1..40 {
        assert_eq!(counts.polls(), polls);
        let last = kept.lock().unwrap().last().unwrap().clone();
        last.wake_by_ref();
        last.wake();
        stepped.run_until_stalled();
    }
    assert_eq!((counts.polls(), counts.drops()), (40, 1));
    let wakers = std::mem::take(&mut *kept.lock().unwrap());
    wakers.iter().for_each(Waker::wake_by_ref);
    assert!(matches!(opened.finish(), Poll::Ready(Ok(()))));
    drop(opened);
    wakers.iter().for_each(Waker::wake_by_ref);
    stepped.run_until_stalled();
    stepped.shutdown();
    wakers.into_iter().for_each(Waker::wake);
    assert_eq!((counts.polls(), counts.drops()), (40, 1));
}

#[test]
fn x13_child_that_wakes_itself_gives_the_runtime_a_turn() {
    let (stepped, counts) = (Stepped::new(1), Counts::new());
    let mut opened = Opened::new(nursery().on(stepped.runtime()));
    let count = counts.clone();
    opened.n.spawn(async move {
        loop {
            count.polled();
            yield_now().await;
        }
    });
    for polls in 1..50 {
        assert!(stepped.step());
        assert_eq!(counts.polls(), polls, "one poll of the child a turn");
    }
    opened.n.abort();
    assert!(opened.finish().is_ready());
    stepped.shutdown();
}

#[test]
fn o16_no_runtime_is_a_clear_error() {
    let counts = Counts::new();
    for (builder, message) in [
        (
            nursery(),
            "no runtime is known here: name one with `nursery().on(..)`, or open it in tokio's \
             context (feature `tokio`) or inside `allhome::block_on` (feature `executors`)",
        ),
        (nursery().on(Tokio), "the caller is not inside a tokio runtime: name one with Tokio::on"),
    ] {
        let guard = counts.guard();
        let run = builder.name("lonely").run(async |_: Nursery<Infallible>| {
            counts.polled();
            drop(guard);
            Ok(())
        });
        let error = run.now_or_never().expect("ready at once").unwrap_err();
        let Cause::NoRuntime(cause) = error.first().cause() else { panic!("{error}") };
        assert_eq!(cause.to_string(), message);
        let text = format!("nursery `lonely`: not opened: {message}");
        assert_eq!((error.to_string(), error.failures().len()), (text, 1));
    }
    assert_eq!((counts.polls(), counts.drops()), (0, 2), "the body is dropped uncalled");
}
