//! Slots that are lent while their tasks wait for others that need one: how they come back.

mod others;
mod walk;
mod without;

use allhome::runtime::ThreadPool;
use allhome::{Nursery, Semaphore, block_on, nursery, yield_now};
use allhome_conformance::{Counts, Gate};
use allhome_runs::{Opened, Stepped, Wakes, poll_once, within};
use futures_util::future::{join, poll_immediate};
use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::Poll;

type Never = Result<(), Infallible>;
type Walk = Pin<Box<dyn Future<Output = Result<usize, Infallible>> + Send>>;

fn bounded(stepped: &Stepped, limiter: &Arc<Semaphore>) -> Opened<Infallible> {
    Opened::new(nursery().on(stepped.runtime()).limiter(limiter))
}

/// A task that lends, and its nested child, which waits for the gate; what it does then.
fn lender<F: Future<Output = ()> + Send>(
    limiter: &Arc<Semaphore>,
    gate: &Gate,
    after: impl FnOnce() -> F + Send + 'static,
) -> impl Future<Output = Never> + Send + 'static {
    let (limiter, gate) = (limiter.clone(), gate.clone());
    async move {
        let run = nursery().limiter(&limiter).run(async |n: Nursery<Infallible>| {
            n.spawn(async move {
                gate.wait().await;
                Ok(())
            });
            Ok(())
        });
        let _ = run.await;
        after().await;
        Ok(())
    }
}

/// While the nursery inside is open, but has no child, the task has its slot.
#[test]
fn l16_back_when_nobody_is_in() {
    let stepped = Stepped::new(1);
    let limiter = Arc::new(Semaphore::new(1));
    let mut opened = bounded(&stepped, &limiter);
    let (ends, inner) = (Gate::new(), limiter.clone());
    let wait = ends.clone();
    opened.n.spawn(async move {
        let run = nursery().limiter(&inner).run(async |n: Nursery<Infallible>| {
            n.reserve().await.unwrap().fork(async { Ok(()) }).await.unwrap();
            wait.wait().await;
            n.fork(async { Ok(()) }).await.unwrap();
            Ok(())
        });
        run.await.unwrap();
        Ok(())
    });
    stepped.run_until_stalled();
    assert_eq!((limiter.available(), opened.n.len()), (0, 1));
    ends.open();
    stepped.run_until_stalled();
    assert_eq!((limiter.available(), opened.n.len()), (1, 0));
    assert!(opened.finish().is_ready());
}

/// Two nurseries of one task, side by side: its slot is back when the second has ended.
#[test]
fn l16_side_by_side() {
    let stepped = Stepped::new(1);
    let limiter = Arc::new(Semaphore::new(1));
    let mut opened = bounded(&stepped, &limiter);
    let gates = [Gate::new(), Gate::new()];
    let ended = Arc::new(Mutex::new(Vec::new()));
    let [one, two] = [0, 1].map(|at| {
        let (ended, seen) = (ended.clone(), limiter.clone());
        lender(&limiter, &gates[at], move || async move {
            ended.lock().unwrap().push((at, seen.available()));
        })
    });
    opened.n.spawn(async move {
        let (one, two) = join(one, two).await;
        one.and(two)
    });
    stepped.run_until_stalled();
    assert_eq!((limiter.available(), limiter.waiters()), (0, 1), "one child after the other");
    gates[0].open();
    stepped.run_until_stalled();
    assert_eq!(ended.lock().unwrap().len(), 1, "it is lent to the other's child");
    gates[1].open();
    stepped.run_until_stalled();
    assert_eq!(ended.lock().unwrap()[1], (1, 0), "it is back");
    assert_eq!((limiter.available(), opened.n.len()), (1, 0));
    assert!(opened.finish().is_ready());
}

/// Counts the tasks that go on with a slot.
#[derive(Clone, Default)]
struct Busy(Arc<(AtomicUsize, AtomicUsize)>);

impl Busy {
    /// Works for a while; no wait in it.
    fn work(&self) {
        self.0.1.fetch_max(self.0.0.fetch_add(1, SeqCst) + 1, SeqCst);
        std::hint::spin_loop();
        self.0.0.fetch_sub(1, SeqCst);
    }

    fn most(&self) -> usize {
        self.0.1.load(SeqCst)
    }
}

/// What comes after the nested nursery is work with a slot, also in the very poll that ends it.
#[test]
fn l16_back_before_the_task_goes_on() {
    within(|| {
        fn sort(depth: u32, limiter: Arc<Semaphore>, busy: Busy) -> Walk {
            Box::pin(async move {
                busy.work();
                if depth > 0 {
                    let run = nursery().limiter(&limiter).run(async |n: Nursery<Infallible>| {
                        n.fork(sort(depth - 1, limiter.clone(), busy.clone())).await.ok();
                        n.spawn({
                            let more = sort(depth - 1, limiter.clone(), busy.clone());
                            async move { more.await.map(drop) }
                        });
                        Ok(())
                    });
                    run.await.unwrap();
                    busy.work();
                    yield_now().await;
                    busy.work();
                }
                Ok(0)
            })
        }
        for slots in [1, 2] {
            let (limiter, busy) = (Arc::new(Semaphore::new(slots)), Busy::default());
            let run = nursery().on(ThreadPool::global()).limiter(&limiter).run(
                async |n: Nursery<Infallible>| {
                    Ok(n.fork(sort(7, limiter.clone(), busy.clone())).await.is_ok())
                },
            );
            assert!(block_on(run).unwrap());
            assert!(busy.most() <= slots, "{} with {slots} slots", busy.most());
            assert_eq!(limiter.available(), slots);
        }
    });
}

#[test]
fn l16_waits_for_its_slot_in_front_of_the_line() {
    let stepped = Stepped::new(1);
    let limiter = Arc::new(Semaphore::new(1));
    let mut opened = bounded(&stepped, &limiter);
    let (gate, log) = (Gate::new(), Arc::new(Mutex::new(Vec::new())));
    let (wait, note, inner) = (gate.clone(), log.clone(), limiter.clone());
    opened.n.spawn(async move {
        let run = nursery().limiter(&inner).run(async |n: Nursery<Infallible>| {
            n.spawn(async move {
                wait.wait().await;
                Ok(())
            });
            Ok(())
        });
        run.await.unwrap();
        note.lock().unwrap().push("back");
        Ok(())
    });
    stepped.run_until_stalled();
    assert_eq!((limiter.available(), opened.n.len()), (0, 1));
    // Two from outside stand in line: the first has the place before the lender is home again.
    let (mut first, first_wakes) = (Box::pin(limiter.acquire()), Wakes::new());
    let (mut second, second_wakes) = (Box::pin(limiter.acquire()), Wakes::new());
    assert!(poll_once(&mut first, &first_wakes).is_pending());
    assert!(poll_once(&mut second, &second_wakes).is_pending());
    gate.open();
    stepped.run_until_stalled();
    assert_eq!((first_wakes.count(), second_wakes.count()), (1, 0));
    assert!(log.lock().unwrap().is_empty(), "it waits for its slot");
    assert_eq!(limiter.waiters(), 2);
    let Poll::Ready(Ok(permit)) = poll_once(&mut first, &first_wakes) else { panic!() };
    drop(permit);
    assert_eq!(second_wakes.count(), 0, "the lender comes before it");
    stepped.run_until_stalled();
    assert_eq!((log.lock().unwrap().len(), second_wakes.count()), (1, 1));
    assert!(poll_once(&mut second, &second_wakes).is_ready());
    drop(second);
    assert_eq!((limiter.available(), opened.n.len()), (1, 0));
    assert!(opened.finish().is_ready());
}

/// A task that lends and takes back all the time does not starve the first waiter.
#[test]
fn l17_the_first_in_line_is_not_starved() {
    let stepped = Stepped::new(1);
    let limiter = Arc::new(Semaphore::new(2));
    let mut opened = bounded(&stepped, &limiter);
    let turns = Counts::new();
    for _ in 0..2 {
        let (inner, turns) = (limiter.clone(), turns.clone());
        opened.n.spawn(async move {
            while inner.waiters() < 1 {
                yield_now().await;
            }
            for _ in 0..1_000 {
                turns.polled();
                let run = nursery().limiter(&inner).run(async |n: Nursery<Infallible>| {
                    // Lends, and gives up.
                    let _ = poll_immediate(pin!(n.reserve())).await;
                    yield_now().await;
                    Ok(())
                });
                run.await.unwrap();
            }
            Ok(())
        });
    }
    while limiter.available() > 0 {
        assert!(stepped.step());
    }
    let (mut large, wakes) = (Box::pin(limiter.acquire_many(2)), Wakes::new());
    assert!(poll_once(&mut large, &wakes).is_pending());
    let mut steps = 0;
    while wakes.count() == 0 {
        assert!(stepped.step());
        steps += 1;
        assert!(steps < 10_000 && turns.polls() < 200, "starved: {} turns", turns.polls());
    }
    assert!(turns.polls() >= 10, "they came first at times: {}", turns.polls());
    assert!(poll_once(&mut large, &wakes).is_ready());
    drop(large);
    stepped.run_until_stalled();
    assert_eq!((turns.polls(), opened.n.len(), limiter.available()), (2_000, 0, 2));
    assert!(opened.finish().is_ready());
}
