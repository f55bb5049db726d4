//! Slots that are lent while their tasks wait for others that need one.

use allhome::{
    AcquireError, IntoRuntime, Nursery, Permit, Reason, ReserveError, Semaphore, ThreadPool,
    block_on, is_cancelled, move_on_after, nursery, nursery_on, yield_now,
};
use allhome_conformance::{Counts, Gate};
use allhome_runs::{
    AtSpawn, AtWake, Jobs, Manner, Opened, SECOND, Stepped, Wakes, poll_once, within, world,
};
use futures_util::future::{join, poll_immediate};
use std::convert::Infallible;
use std::future::{Future, pending};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

type Never = Result<(), Infallible>;
type Walk = Pin<Box<dyn Future<Output = Result<usize, Infallible>> + Send>>;

fn bounded(stepped: &Stepped, limiter: &Arc<Semaphore>) -> Opened<Infallible> {
    Opened::new(nursery_on::<Infallible>(stepped.runtime()).limiter(limiter))
}

/// How a node of a tree begins the walks below it.
#[derive(Clone, Copy)]
enum How {
    Reserve,
    Plain,
    Joined,
}

/// Counts the nodes of a tree, one task a node.
fn walk(how: How, depth: usize, width: usize, limiter: Arc<Semaphore>, count: Counts) -> Walk {
    Box::pin(async move {
        count.polled();
        if depth == 0 {
            return Ok(1);
        }
        let run = nursery::<Infallible>().limiter(&limiter).run(async |n: Nursery<Infallible>| {
            let mut below = Vec::new();
            for _ in 0..width {
                let next = walk(how, depth - 1, width, limiter.clone(), count.clone());
                below.push(match how {
                    How::Reserve => n.reserve().await.unwrap().fork(next),
                    How::Plain | How::Joined => n.fork(next),
                });
            }
            let mut nodes = 1;
            if matches!(how, How::Joined) {
                for child in below.drain(..) {
                    nodes += child.join().await.unwrap();
                }
            }
            Ok((nodes, below))
        });
        let (mut nodes, below) = run.await.unwrap();
        for child in below {
            nodes += child.join().await.unwrap();
        }
        Ok(nodes)
    })
}

fn nodes(depth: usize, width: usize) -> usize {
    (0..=depth).map(|level| width.pow(u32::try_from(level).unwrap())).sum()
}

#[test]
fn l15_a_thousand_deep_with_one_slot() {
    for how in [How::Reserve, How::Plain, How::Joined] {
        let stepped = Stepped::new(1);
        let limiter = Arc::new(Semaphore::new(1));
        let count = Counts::new();
        let run = nursery_on::<Infallible>(stepped.runtime()).limiter(&limiter).run(async |n| {
            let first = walk(how, 1_000, 1, limiter.clone(), count.clone());
            Ok(n.reserve().await.unwrap().fork(first).join().await.unwrap())
        });
        assert_eq!(stepped.drive(run).unwrap(), 1_001);
        assert_eq!((count.polls(), limiter.available(), limiter.waiters()), (1_001, 1, 0));
    }
}

/// Runtimes that poll inside `spawn` and `wake`, or on another thread each time.
#[test]
fn l15_on_runtimes_with_other_manners() {
    within(|| {
        let manners = [
            Manner { at_spawn: AtSpawn::Poll, ..Manner::default() },
            Manner { at_wake: AtWake::Poll, ..Manner::default() },
            Manner { at_spawn: AtSpawn::Poll, at_wake: AtWake::Poll, ..Manner::default() },
            Manner { at_spawn: AtSpawn::Thread, at_wake: AtWake::Thread, ..Manner::default() },
            Manner { spurious: true, ..Manner::default() },
            Manner { at_wake: AtWake::Panic, ..Manner::default() },
        ];
        for (manner, how) in manners
            .into_iter()
            .flat_map(|manner| [How::Reserve, How::Plain, How::Joined].map(|how| (manner, how)))
        {
            let stepped = Stepped::with(2, manner);
            for (depth, width, slots) in [(20, 1, 1), (4, 2, 1), (3, 3, 2)] {
                let limiter = Arc::new(Semaphore::new(slots));
                let runtime = stepped.runtime();
                let run = nursery_on::<Infallible>(runtime).limiter(&limiter).run(async |n| {
                    let first = walk(how, depth, width, limiter.clone(), Counts::new());
                    Ok(n.fork(first).join().await.unwrap())
                });
                let mut run = Box::pin(run);
                let wakes = Wakes::new();
                let counted = loop {
                    match poll_once(&mut run, &wakes) {
                        Poll::Ready(counted) => break counted.unwrap(),
                        Poll::Pending => {}
                    }
                    if !stepped.step() {
                        std::thread::yield_now();
                    }
                };
                stepped.join_threads();
                assert_eq!(counted, nodes(depth, width));
                assert_eq!((limiter.available(), limiter.waiters()), (slots, 0));
            }
        }
    });
}

#[test]
fn l15_branching_on_threads() {
    within(|| {
        for (how, depth, width, slots) in [
            (How::Reserve, 8, 2, 1),
            (How::Plain, 8, 2, 1),
            (How::Joined, 8, 2, 2),
            (How::Reserve, 1_000, 1, 1),
            (How::Joined, 1_000, 1, 2),
            (How::Plain, 6, 3, 4),
            (How::Reserve, 4, 5, 3),
        ] {
            let limiter = Arc::new(Semaphore::new(slots));
            let count = Counts::new();
            let run =
                nursery_on::<Infallible>(ThreadPool::global()).limiter(&limiter).run(async |n| {
                    let first = walk(how, depth, width, limiter.clone(), count.clone());
                    Ok(n.fork(first).join().await.unwrap())
                });
            assert_eq!(block_on(run).unwrap(), nodes(depth, width));
            assert_eq!((limiter.available(), limiter.waiters()), (slots, 0));
        }
    });
}

/// While the nursery inside is open, but nobody is in it, the task has its slot.
#[test]
fn l16_back_when_nobody_is_in() {
    let stepped = Stepped::new(1);
    let limiter = Arc::new(Semaphore::new(1));
    let mut opened = bounded(&stepped, &limiter);
    let (ends, inner) = (Gate::new(), limiter.clone());
    let wait = ends.clone();
    opened.n.spawn(async move {
        let run = nursery::<Infallible>().limiter(&inner).run(async |n| {
            n.reserve().await.unwrap().fork(async { Ok(()) }).join().await.unwrap();
            wait.wait().await;
            n.fork(async { Ok(()) }).join().await.unwrap();
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

/// Counts who goes on with a slot.
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
                    let run = nursery::<Infallible>().limiter(&limiter).run(async |n| {
                        n.fork(sort(depth - 1, limiter.clone(), busy.clone())).join().await.ok();
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
            let run =
                nursery_on::<Infallible>(ThreadPool::global()).limiter(&limiter).run(async |n| {
                    Ok(n.fork(sort(7, limiter.clone(), busy.clone())).join().await.is_ok())
                });
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
        let run = nursery::<Infallible>().limiter(&inner).run(async |n| {
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

/// Whoever lends and takes back all the time does not starve the first in line.
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
                let run = nursery::<Infallible>().limiter(&inner).run(async |n| {
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

/// A task that lends, and its nested child, which waits for the gate; what it does then.
fn lender<F: Future<Output = ()> + Send>(
    limiter: &Arc<Semaphore>,
    gate: &Gate,
    after: impl FnOnce() -> F + Send + 'static,
) -> impl Future<Output = Never> + Send + 'static {
    let (limiter, gate) = (limiter.clone(), gate.clone());
    async move {
        let run = nursery::<Infallible>().limiter(&limiter).run(async |n| {
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

/// Takes the only permit from somebody who lends.
fn borrow<'a>(limiter: &'a Arc<Semaphore>, stepped: &Stepped, gate: &Gate) -> Permit<'a> {
    let (mut waits, wakes) = (Box::pin(limiter.acquire()), Wakes::new());
    assert!(poll_once(&mut waits, &wakes).is_pending());
    gate.open();
    stepped.run_until_stalled();
    match poll_once(&mut waits, &wakes) {
        Poll::Ready(Ok(permit)) => permit,
        other => panic!("{other:?}"),
    }
}

#[test]
fn l18_the_cancelled_go_without() {
    for of_nursery in [true, false] {
        let stepped = Stepped::new(1);
        let limiter = Arc::new(Semaphore::new(1));
        let mut opened = bounded(&stepped, &limiter);
        let (gate, went_on) = (Gate::new(), Counts::new());
        let count = went_on.clone();
        let child = opened.n.fork(lender(&limiter, &gate, move || {
            assert!(is_cancelled());
            count.polled();
            pending()
        }));
        stepped.run_until_stalled();
        let borrowed = borrow(&limiter, &stepped, &gate);
        assert_eq!((limiter.waiters(), went_on.polls()), (1, 0), "it wants it back");
        assert!(if of_nursery { opened.n.cancel() } else { child.cancel() });
        stepped.run_until_stalled();
        assert_eq!((limiter.waiters(), went_on.polls()), (0, 1));
        assert!(opened.n.is_empty());
        drop(borrowed);
        assert_eq!(limiter.available(), 1);
        assert!(opened.finish().is_ready());
    }
}

#[test]
fn l18_dropped_in_each_state() {
    // Lent to its own child; to somebody else; wanted; granted and not polled.
    for state in 0..4 {
        let stepped = Stepped::new(1);
        let limiter = Arc::new(Semaphore::new(1));
        let mut opened = bounded(&stepped, &limiter);
        let gate = Gate::new();
        let child = opened.n.fork(lender(&limiter, &gate, pending));
        stepped.run_until_stalled();
        let other = if state == 0 { None } else { Some(borrow(&limiter, &stepped, &gate)) };
        if state == 2 {
            assert_eq!(limiter.waiters(), 1);
        }
        if state == 3 {
            drop(other);
            assert_eq!((limiter.waiters(), limiter.available()), (0, 0));
            assert!(child.abort());
        } else {
            assert!(child.abort());
            drop(other);
        }
        assert_eq!((limiter.available(), limiter.waiters()), (1, 0), "state {state}");
        stepped.run_until_stalled();
        assert!(opened.n.is_empty());
        assert!(opened.finish().is_ready());
    }
}

#[test]
fn l18_a_limiter_without_slots_holds_nobody_up() {
    for close in [true, false] {
        let stepped = Stepped::new(1);
        let limiter = Arc::new(Semaphore::new(1));
        let mut opened = bounded(&stepped, &limiter);
        let gate = Gate::new();
        let child = opened.n.fork(lender(&limiter, &gate, || std::future::ready(())));
        stepped.run_until_stalled();
        let borrowed = borrow(&limiter, &stepped, &gate);
        if close {
            assert!(limiter.close());
        } else {
            limiter.resize(0);
        }
        stepped.run_until_stalled();
        assert!(block_on(child.join()).is_ok());
        drop(borrowed);
        assert_eq!(limiter.available(), usize::from(close));
        assert!(opened.finish().is_ready());
    }
}

/// A nested nursery that is dropped half-way: the task is stopped until it has its slot.
#[test]
fn l19_stopped_where_it_went_on_without() {
    let (stepped, clock, runtime) = world();
    let limiter = Arc::new(Semaphore::new(1));
    let (never, went_on) = (Gate::new(), Counts::new());
    let mut opened = Opened::new(nursery_on::<Infallible>(runtime).limiter(&limiter));
    let (inner, count, gate) = (limiter.clone(), went_on.clone(), never.clone());
    opened.n.spawn(async move {
        let nested = lender(&inner, &gate, || std::future::ready(()));
        let out = move_on_after(SECOND, nested).await.unwrap();
        assert!(out.is_some(), "the nursery ends, cancelled");
        count.polled();
        yield_now().await;
        count.polled();
        Ok(())
    });
    stepped.run_until_stalled();
    let (mut other, wakes) = (Box::pin(limiter.acquire()), Wakes::new());
    assert!(poll_once(&mut other, &wakes).is_pending());
    let (mut late, late_wakes) = (Box::pin(limiter.acquire()), Wakes::new());
    assert!(poll_once(&mut late, &late_wakes).is_pending());
    let (mut later, later_wakes) = (Box::pin(limiter.acquire()), Wakes::new());
    assert!(poll_once(&mut later, &later_wakes).is_pending());
    assert!(clock.step());
    stepped.run_until_stalled();
    assert_eq!(went_on.polls(), 1, "not beyond the poll that it was in");
    assert_eq!((limiter.waiters(), wakes.count()), (3, 1));
    let Poll::Ready(Ok(permit)) = poll_once(&mut other, &wakes) else { panic!() };
    drop(permit);
    assert_eq!(late_wakes.count(), 0, "the task stands in front of the line");
    stepped.run_until_stalled();
    assert_eq!((late_wakes.count(), later_wakes.count()), (1, 0));
    drop((late, later));
    assert_eq!((went_on.polls(), limiter.available(), opened.n.len()), (2, 1, 0));
    assert!(opened.finish().is_ready());
}

/// Other parts of the task go on while it lends, and while the nested nursery waits for the slot.
#[test]
fn l19_other_parts_go_on() {
    let stepped = Stepped::new(1);
    let limiter = Arc::new(Semaphore::new(1));
    let mut opened = bounded(&stepped, &limiter);
    let (gate, ticks) = (Gate::new(), Gate::new());
    let served = Counts::new();
    let nested = lender(&limiter, &gate, || std::future::ready(()));
    let (count, tick) = (served.clone(), ticks.clone());
    opened.n.spawn(async move {
        let server = async move {
            tick.wait().await;
            count.polled();
        };
        let (nested, ()) = join(nested, server).await;
        nested
    });
    stepped.run_until_stalled();
    let borrowed = borrow(&limiter, &stepped, &gate);
    assert_eq!(limiter.waiters(), 1);
    ticks.open();
    stepped.run_until_stalled();
    assert_eq!((served.polls(), opened.n.len()), (1, 1));
    drop(borrowed);
    stepped.run_until_stalled();
    assert!(opened.n.is_empty());
    assert_eq!(limiter.available(), 1);
    assert!(opened.finish().is_ready());
}

/// A child that spawns siblings lends while it waits to be given a slot.
#[test]
fn l20_siblings_with_one_slot() {
    for threads in [false, true] {
        fn crawl(n: Nursery<Infallible>, left: usize, count: Counts) -> Walk {
            Box::pin(async move {
                count.polled();
                for _ in 0..left.min(2) {
                    let next = crawl(n.clone(), left / 2, count.clone());
                    let next = async move { next.await.map(drop) };
                    n.reserve().await.unwrap().spawn(next);
                }
                Ok(0)
            })
        }
        let (stepped, count) = (Stepped::new(1), Counts::new());
        let runtime = match threads {
            true => ThreadPool::global().into_runtime().unwrap(),
            false => stepped.runtime(),
        };
        let counted = count.clone();
        let run = nursery_on::<Infallible>(runtime).limit(1).run(async move |n| {
            n.fork(crawl(n.clone(), 64, counted)).join().await.unwrap();
            Ok(())
        });
        match threads {
            true => within(move || block_on(run).unwrap()),
            false => stepped.drive(run).unwrap(),
        }
        assert_eq!(count.polls(), 191);
    }
}

/// A task runs on the slot that it was given for its own, until that is used; then it is stopped.
#[test]
fn l20_lent_until_it_is_used() {
    for used in [true, false] {
        let stepped = Stepped::new(1);
        let mut opened = Opened::new(nursery_on::<Infallible>(stepped.runtime()).limit(1));
        let (go, hold, turns) = (Gate::new(), Gate::new(), Counts::new());
        let (n, wait, held, count) = (opened.n.clone(), go.clone(), hold.clone(), turns.clone());
        opened.n.spawn(async move {
            let slot = n.reserve().await.unwrap();
            // With the slot in its hands it goes on, over any number of polls.
            yield_now().await;
            wait.wait().await;
            count.polled();
            if used {
                slot.spawn(async move {
                    held.wait().await;
                    Ok(())
                });
            } else {
                drop(slot);
            }
            yield_now().await;
            count.polled();
            Ok(())
        });
        stepped.run_until_stalled();
        assert_eq!((turns.polls(), opened.n.limiter().unwrap().available()), (0, 0));
        go.open();
        stepped.run_until_stalled();
        assert_eq!(turns.polls(), if used { 1 } else { 2 });
        hold.open();
        stepped.run_until_stalled();
        assert_eq!((turns.polls(), opened.n.limiter().unwrap().available()), (2, 1));
        assert!(opened.finish().is_ready());
    }
}

/// Whoever comes from outside into a nursery of a task that has the only slot is lent that.
#[test]
fn l21_lent_to_who_comes_from_outside() {
    for reserve in [true, false] {
        let stepped = Stepped::new(1);
        let limiter = Arc::new(Semaphore::new(1));
        let mut opened = bounded(&stepped, &limiter);
        let (handle, end) = (Arc::new(Mutex::new(None)), Gate::new());
        let (keep, wait, inner) = (handle.clone(), end.clone(), limiter.clone());
        opened.n.spawn(async move {
            let run = nursery::<Infallible>().limiter(&inner).run(async move |n| {
                *keep.lock().unwrap() = Some(n);
                wait.wait().await;
                Ok(())
            });
            run.await.unwrap();
            Ok(())
        });
        stepped.run_until_stalled();
        assert_eq!(limiter.available(), 0, "nobody is in there: it is not lent");
        let nested: Nursery<Infallible> = handle.lock().unwrap().take().unwrap();
        let open = end.clone();
        let child = async move {
            open.open();
            Ok(())
        };
        if reserve {
            let (mut waits, wakes) = (Box::pin(nested.reserve()), Wakes::new());
            assert!(poll_once(&mut waits, &wakes).is_pending());
            stepped.run_until_stalled();
            let Poll::Ready(Ok(slot)) = poll_once(&mut waits, &wakes) else { panic!() };
            slot.spawn(child);
        } else {
            nested.spawn(child);
        }
        stepped.run_until_stalled();
        assert_eq!((limiter.available(), opened.n.len()), (1, 0));
        assert!(opened.finish().is_ready());
    }
}

/// Blocking work that waits for a nursery lends its slot, too.
#[test]
fn l22_blocking_work_lends() {
    let jobs = Jobs::new();
    let stepped = Stepped::new(1);
    let limiter = Arc::new(Semaphore::new(1));
    let builder = nursery_on::<Infallible>(stepped.runtime_with(&jobs)).limiter(&limiter);
    let mut opened = Opened::new(builder);
    let (inner, ran) = (limiter.clone(), Counts::new());
    let count = ran.clone();
    let work = opened.n.try_reserve().unwrap().blocking(move |cx| {
        let run = nursery_on::<Infallible>(ThreadPool::global()).limiter(&inner).run(async |n| {
            let slot = n.reserve().await.unwrap();
            Ok(slot.fork(async { Ok(7) }).join().await.unwrap())
        });
        let seven = cx.block_on(run).unwrap().unwrap();
        count.polled();
        assert_eq!(inner.available(), 0, "it has it back");
        Ok(seven)
    });
    let job = std::thread::spawn({
        let jobs = jobs.clone();
        move || assert!(jobs.run())
    });
    job.join().unwrap();
    assert_eq!((block_on(work.unwrap().join()).unwrap(), ran.polls()), (7, 1));
    assert_eq!(limiter.available(), 1);
    assert!(opened.finish().is_ready());
}

/// A destructor that waits for a slot is given that of its own task.
#[test]
fn l22_reserve_in_a_destructor() {
    struct Farewell(Nursery<Infallible>, Counts);
    /// A future that is dropped with what it has, and not in its last poll.
    struct Ends(Gate, Farewell);
    impl Future for Ends {
        type Output = Never;
        fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Never> {
            let _ = &self.1;
            pin!(self.0.wait()).poll(cx).map(Ok)
        }
    }
    impl Drop for Farewell {
        fn drop(&mut self) {
            let spawned = match block_on(self.0.reserve()) {
                Ok(slot) => slot.spawn(async { Ok(()) }).is_admitted(),
                Err(ReserveError::Refused(_) | ReserveError::Cancelled(_)) => false,
                Err(error) => panic!("{error}"),
            };
            if spawned {
                self.1.polled();
            }
        }
    }
    for cancelled in [false, true] {
        let stepped = Stepped::new(1);
        let mut opened = Opened::new(nursery_on::<Infallible>(stepped.runtime()).limit(1));
        let (said, gate) = (Counts::new(), Gate::new());
        let farewell = Farewell(opened.n.clone(), said.clone());
        let child = opened.n.fork(Ends(gate.clone(), farewell));
        stepped.run_until_stalled();
        if cancelled {
            opened.n.cancel_with(Reason::new("over"));
        }
        gate.open();
        stepped.run_until_stalled();
        drop(child);
        assert_eq!(said.polls(), usize::from(!cancelled));
        assert_eq!((opened.n.len(), opened.n.limiter().unwrap().available()), (0, 1));
        assert!(opened.finish().is_ready());
    }
}

/// A plain acquire of a shared limiter lends nothing: it is not a slot.
#[test]
fn l22_an_acquire_lends_nothing() {
    let stepped = Stepped::new(1);
    let limiter = Arc::new(Semaphore::new(1));
    let mut opened = bounded(&stepped, &limiter);
    let shared = limiter.clone();
    let child = opened.n.fork(async move { Ok(shared.acquire().await.map(drop)) });
    stepped.run_until_stalled();
    assert_eq!((limiter.available(), limiter.waiters()), (0, 1));
    assert!(child.cancel());
    stepped.run_until_stalled();
    assert!(matches!(block_on(child.join()), Ok(Err(AcquireError::Cancelled(_)))));
    assert_eq!(limiter.available(), 1);
    assert!(opened.finish().is_ready());
}
