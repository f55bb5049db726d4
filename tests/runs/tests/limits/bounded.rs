//! Nurseries with a limit: which children are let in, and in which order.

mod back;
mod limits;
mod pause;
mod waits;

use allhome::limit::{Reserve, ReserveError, TryReserveError};
use allhome::runtime::ThreadPool;
use allhome::task::TaskBuilder;
use allhome::{Nursery, Reason, block_on, nursery};
use allhome_conformance::{Counts, Gate};
use allhome_runs::{Opened, Stepped, Wakes, poll_once, within};
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::Poll;

type Never = Result<(), Infallible>;

fn open(stepped: &Stepped, limit: usize) -> Opened<Infallible> {
    Opened::new(nursery().on(stepped.runtime()).limit(limit))
}

fn free(n: &Nursery<Infallible>) -> usize {
    n.limiter().unwrap().available()
}

/// Says in a log that it was polled, and waits for the gate.
fn child(log: &Log, name: &'static str, gate: &Gate) -> impl Future<Output = Never> + use<> {
    let (log, gate) = (log.clone(), gate.clone());
    async move {
        log.lock().unwrap().push(name);
        gate.wait().await;
        Ok(())
    }
}

type Log = Arc<Mutex<Vec<&'static str>>>;

/// A reservation in a task of its own.
struct Waiting {
    future: Pin<Box<Reserve<Infallible>>>,
    wakes: Wakes,
}

impl Waiting {
    fn new(n: &Nursery<Infallible>) -> Waiting {
        let mut waiting = Waiting { future: Box::pin(n.reserve()), wakes: Wakes::new() };
        assert!(waiting.poll().is_none(), "it waits");
        waiting
    }

    fn poll(&mut self) -> Option<Result<TaskBuilder<'static, Infallible>, ReserveError>> {
        match poll_once(&mut self.future, &self.wakes) {
            Poll::Ready(ready) => Some(ready),
            Poll::Pending => None,
        }
    }
}

#[test]
fn l01_never_more_than_the_limit_are_in() {
    let stepped = Stepped::new(1);
    let mut opened = open(&stepped, 2);
    let (log, gate) = (Log::default(), Gate::new());
    for name in ["a", "b", "c", "d"] {
        assert!(opened.n.spawn(child(&log, name, &gate)).is_admitted());
    }
    stepped.run_until_stalled();
    assert_eq!(*log.lock().unwrap(), ["a", "b"]);
    assert_eq!((opened.n.len(), free(&opened.n), opened.n.limiter().unwrap().waiters()), (4, 0, 2));
    gate.open();
    stepped.run_until_stalled();
    assert_eq!(*log.lock().unwrap(), ["a", "b", "c", "d"], "first come, first served");
    assert_eq!((opened.n.len(), free(&opened.n)), (0, 2));
    assert!(opened.finish().is_ready());
}

#[test]
fn l01_on_threads() {
    within(|| {
        let (inside, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let run =
            nursery().on(ThreadPool::global()).limit(3).run(async |n: Nursery<Infallible>| {
                for at in 0..2_000 {
                    let (inside, most) = (inside.clone(), most.clone());
                    let child = async move {
                        most.fetch_max(inside.fetch_add(1, SeqCst) + 1, SeqCst);
                        if at % 3 == 0 {
                            allhome::yield_now().await;
                        }
                        inside.fetch_sub(1, SeqCst);
                        Ok(())
                    };
                    if at % 2 == 0 {
                        n.spawn(child);
                    } else {
                        n.reserve().await.unwrap().spawn(child);
                    }
                }
                Ok(())
            });
        block_on(run).unwrap();
        assert!((1..=3).contains(&most.load(SeqCst)));
    });
}

#[test]
fn l02_reserve_queues_the_caller() {
    let stepped = Stepped::new(1);
    let mut opened = open(&stepped, 1);
    let (log, gate) = (Log::default(), Gate::new());
    let slot = opened.n.try_reserve().unwrap();
    assert!(slot.nursery().id() == opened.n.id());
    assert!(slot.name("first").spawn(child(&log, "a", &gate)).is_admitted());
    let mut waiting = Waiting::new(&opened.n);
    // A child that waits stands behind it.
    opened.n.spawn(child(&log, "c", &gate));
    stepped.run_until_stalled();
    assert_eq!(*log.lock().unwrap(), ["a"]);
    assert_eq!(opened.n.tree().to_string().matches("first").count(), 1);
    gate.open();
    stepped.run_until_stalled();
    assert_eq!((waiting.wakes.count(), free(&opened.n)), (1, 0), "it is reserved");
    assert_eq!(*log.lock().unwrap(), ["a"]);
    let slot = waiting.poll().unwrap().unwrap();
    let n = opened.n.clone();
    let joined = slot.fork(async move { Ok(n.len()) });
    stepped.run_until_stalled();
    assert_eq!(block_on(joined).unwrap(), 2);
    assert_eq!(*log.lock().unwrap(), ["a", "c"]);
    assert!(opened.finish().is_ready());
}

#[test]
fn l03_a_plain_child_waits_unpolled() {
    let stepped = Stepped::new(1);
    let mut opened = open(&stepped, 1);
    let slot = opened.n.try_reserve().unwrap();
    let counts = Counts::new();
    let waits = opened.n.fork(counts.parked().child());
    stepped.run_until_stalled();
    assert_eq!((counts.polls(), counts.drops()), (0, 0));
    drop(slot);
    stepped.run_until_stalled();
    assert_eq!(counts.polls(), 1);
    // One that is cancelled while it waits is dropped there.
    let late = Counts::new();
    let cut = opened.n.task("late").fork(late.parked().child());
    let cut_too = opened.n.fork(late.parked().child());
    stepped.run_until_stalled();
    let reason = Reason::new("not any more");
    assert!(cut.cancel_with(reason.clone()));
    stepped.run_until_stalled();
    assert_eq!((late.polls(), late.drops()), (0, 1));
    assert!(block_on(cut).unwrap_err().reason().unwrap().same(&reason));
    assert_eq!(opened.n.limiter().unwrap().waiters(), 1);
    opened.n.cancel_with(reason.clone());
    stepped.run_until_stalled();
    assert_eq!((late.polls(), late.drops()), (0, 2));
    assert!(block_on(cut_too).unwrap_err().reason().unwrap().same(&reason));
    assert!(block_on(waits).is_err());
    assert_eq!((free(&opened.n), opened.n.limiter().unwrap().waiters()), (1, 0));
    assert!(opened.finish().is_ready());
}

/// One that was let in and cancelled before it was polled again is dropped unpolled, too.
#[test]
fn l03_let_in_and_cancelled() {
    let stepped = Stepped::new(1);
    let mut opened = open(&stepped, 1);
    let slot = opened.n.try_reserve().unwrap();
    let counts = Counts::new();
    let child = opened.n.fork(counts.parked().child());
    stepped.run_until_stalled();
    drop(slot);
    assert!(child.cancel());
    stepped.run_until_stalled();
    assert_eq!((counts.polls(), counts.drops(), free(&opened.n)), (0, 1, 1));
    assert!(opened.finish().is_ready());
}

#[test]
fn l10_try_reserve_does_not_wait() {
    let stepped = Stepped::new(1);
    let mut opened = open(&stepped, 1);
    let slot = opened.n.try_reserve().unwrap();
    let Err(error) = opened.n.try_reserve() else { panic!() };
    assert!(matches!(error, TryReserveError::Full) && error.reason().is_none());
    let waiting = Waiting::new(&opened.n);
    drop(slot);
    assert!(matches!(opened.n.try_reserve(), Err(TryReserveError::Full)), "it is the waiter's");
    drop(waiting);
    assert!(opened.n.try_reserve().is_ok());
    assert!(opened.finish().is_ready());
}
