//! Nurseries with a limit: who is let in, and when a place is given back.

use allhome::{
    Child, Level, Nursery, Outcome, Policy, Reason, ReasonKind, Reserve, ReserveError, Semaphore,
    Slot, ThreadPool, TryReserveError, block_on, nursery, nursery_on, task_id,
};
use allhome_conformance::{Counts, Gate};
use allhome_runs::{Jobs, Opened, Stepped, Wakes, poll_once, within};
use std::convert::Infallible;
use std::error::Error;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

type Never = Result<(), Infallible>;

fn open(stepped: &Stepped, limit: usize) -> Opened<Infallible> {
    Opened::new(nursery_on::<Infallible>(stepped.runtime()).limit(limit))
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

    fn poll(&mut self) -> Option<Result<Slot<Infallible>, ReserveError>> {
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
        let run = nursery_on::<Infallible>(ThreadPool::global()).limit(3).run(async |n| {
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
    assert!(slot.named("first").spawn(child(&log, "a", &gate)).is_admitted());
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
    let joined = slot.fork_with(|n| async move { Ok(n.len()) });
    stepped.run_until_stalled();
    assert_eq!(block_on(joined.join()).unwrap(), 2);
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
    let cut = opened.n.named("late").fork(late.parked().child());
    let cut_too = opened.n.fork(late.parked().child());
    stepped.run_until_stalled();
    let reason = Reason::new("not any more");
    assert!(cut.cancel_with(reason.clone()));
    stepped.run_until_stalled();
    assert_eq!((late.polls(), late.drops()), (0, 1));
    assert!(block_on(cut.join()).unwrap_err().reason().unwrap().same(&reason));
    assert_eq!(opened.n.limiter().unwrap().waiters(), 1);
    opened.n.cancel_with(reason.clone());
    stepped.run_until_stalled();
    assert_eq!((late.polls(), late.drops()), (0, 2));
    assert!(block_on(cut_too.join()).unwrap_err().reason().unwrap().same(&reason));
    assert!(block_on(waits.join()).is_err());
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

#[derive(Debug)]
struct Failed;

/// What a child does once it has its slot, and what is done to it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Ok,
    Err,
    Panic,
    Cancelled,
    CancelledUnpolled,
    Aborted,
    Lost,
    Dropped,
    Exit,
    PanicInDrop,
}

#[test]
fn l04_given_back_when_home() {
    use Way::*;
    for way in
        [Ok, Err, Panic, Cancelled, CancelledUnpolled, Aborted, Lost, Dropped, Exit, PanicInDrop]
    {
        for reserved in [true, false] {
            given_back(way, reserved);
        }
    }
}

fn given_back(way: Way, reserved: bool) {
    let stepped = Stepped::new(1);
    let limiter = Arc::new(Semaphore::new(1));
    let builder = nursery_on::<Failed>(stepped.runtime())
        .policy(Policy::Isolate)
        .panics(allhome::PanicPolicy::Report)
        .limiter(&limiter);
    let mut opened = Opened::new(builder);
    let counts = Counts::new();
    let (guard, seen, gate) = (counts.guard(), limiter.clone(), Gate::new());
    let wait = gate.clone();
    let future = async move {
        // Dropped first, when the place is still taken.
        let _guard = (Taken(seen, way == Way::PanicInDrop), guard);
        match way {
            Way::Ok | Way::PanicInDrop => wait.wait().await,
            Way::Err => {
                wait.wait().await;
                return Err(Failed);
            }
            Way::Panic => {
                wait.wait().await;
                panic!("as planned");
            }
            Way::Exit => {
                allhome::exit().await.unwrap();
            }
            _ => pending().await,
        }
        Result::Ok(())
    };
    let child = match reserved {
        true => opened.n.try_reserve().unwrap().fork(future),
        false => opened.n.fork(future),
    };
    if way != Way::CancelledUnpolled {
        stepped.run_until_stalled();
    }
    let left = way == Way::Exit;
    assert_eq!(limiter.available(), usize::from(left || !reserved && counts_none(way)), "{way:?}");
    match way {
        Way::Cancelled | Way::CancelledUnpolled => assert!(child.cancel()),
        Way::Aborted => assert!(child.abort()),
        Way::Lost => stepped.shutdown(),
        Way::Dropped => {
            drop(std::mem::replace(&mut opened.run, Box::pin(async { Result::Ok(()) })))
        }
        _ => gate.open(),
    }
    stepped.run_until_stalled();
    assert_eq!((counts.drops(), limiter.available()), (1, 1), "{way:?} {reserved}");
    drop(child);
    if way != Way::Dropped {
        assert!(opened.finish().is_ready());
    }
}

/// Nobody has asked for a slot yet.
fn counts_none(way: Way) -> bool {
    way == Way::CancelledUnpolled
}

struct Taken(Arc<Semaphore>, bool);

impl Drop for Taken {
    fn drop(&mut self) {
        assert_eq!(self.0.available(), 0, "the future goes before the slot");
        assert!(!self.1, "a destructor that panics");
    }
}

/// A child that is being polled when its nursery's future is dropped is the ancestors', with its slot.
#[test]
fn l04_adopted_with_its_slot() {
    let stepped = Stepped::new(1);
    let opened = Arc::new(Mutex::new(Some(open(&stepped, 1))));
    let n = opened.lock().unwrap().as_ref().unwrap().n.clone();
    let (limiter, drops) = (n.limiter().unwrap().clone(), opened.clone());
    let seen = limiter.clone();
    n.try_reserve().unwrap().spawn(async move {
        drop(drops.lock().unwrap().take());
        assert_eq!(seen.available(), 0);
        pending::<Never>().await
    });
    stepped.run_until_stalled();
    assert_eq!((limiter.available(), n.level()), (1, Level::Aborted));
}

#[test]
fn l05_unused_slots_give_back() {
    let stepped = Stepped::new(1);
    let mut opened = open(&stepped, 1);
    let slot = opened.n.try_reserve().unwrap();
    let mut next = Waiting::new(&opened.n);
    drop(slot);
    assert_eq!(next.wakes.count(), 1);
    let slot = next.poll().unwrap().unwrap();
    // On another thread.
    std::thread::scope(|scope| scope.spawn(move || drop(slot)).join().unwrap());
    let slot = opened.n.try_reserve().unwrap();
    let spawned = std::thread::scope(|scope| {
        scope.spawn(move || slot.spawn(async { Ok(()) }).is_admitted()).join().unwrap()
    });
    assert!(spawned);
    assert_eq!(free(&opened.n), 0);
    stepped.run_until_stalled();
    assert_eq!(free(&opened.n), 1);
    // Granted and never polled.
    let slot = opened.n.try_reserve().unwrap();
    let waiting = Waiting::new(&opened.n);
    drop(slot);
    drop(waiting);
    assert_eq!(free(&opened.n), 1);
    assert!(opened.finish().is_ready());
}

#[test]
fn l05_used_after_the_end() {
    for end in ["closed", "cancelled", "ended"] {
        let stepped = Stepped::new(1);
        let mut opened = open(&stepped, 3);
        let n = opened.n.clone();
        let slots: Vec<_> = (0..3).map(|_| n.try_reserve().unwrap()).collect();
        match end {
            "closed" => assert!(n.close()),
            "cancelled" => assert!(n.cancel_with(Reason::new("over"))),
            _ => assert!(opened.finish().is_ready()),
        }
        let counts = Counts::new();
        let [a, b, c] = <[_; 3]>::try_from(slots).unwrap();
        assert!(a.spawn(counts.parked().child()).refused().is_some());
        let joined: Child<(), _> = b.fork(counts.parked().child());
        assert!(block_on(joined.join()).unwrap_err().reason().is_some());
        drop(c);
        assert_eq!((counts.polls(), counts.drops(), free(&n)), (0, 2, 3), "{end}");
        let Err(error) = n.try_reserve() else { panic!() };
        let reason = error.reason().expect("it says why");
        assert_eq!(reason.message() == "over", end == "cancelled");
        assert!(matches!(block_on(n.reserve()), Err(ReserveError::Refused(_))));
    }
}

#[test]
fn l06_a_wait_ends_with_the_nursery() {
    for end in ["closed", "cancelled", "aborted", "token", "ended", "dropped"] {
        let stepped = Stepped::new(1);
        let mut opened = open(&stepped, 1);
        let n = opened.n.clone();
        let slot = n.try_reserve().unwrap();
        // In no nursery, and in another one.
        let mut outside = Waiting::new(&n);
        let mut other = Opened::new(nursery_on::<Infallible>(stepped.runtime()));
        let there = n.clone();
        let inside = other.n.fork(async move { Ok(there.reserve().await.map(drop)) });
        stepped.run_until_stalled();
        assert_eq!(n.limiter().unwrap().waiters(), 2);
        let reason = Reason::new("over");
        match end {
            "closed" => assert!(n.close()),
            "cancelled" => assert!(n.cancel_with(reason)),
            "aborted" => assert!(n.abort()),
            "token" => assert!(n.token().cancel_with(reason)),
            "ended" => assert!(opened.finish().is_ready()),
            _ => drop(std::mem::replace(&mut opened.run, Box::pin(async { Ok(()) }))),
        }
        assert_eq!(outside.wakes.count(), 1, "{end}");
        let kind = match end {
            "closed" | "ended" => ReasonKind::Closed,
            "aborted" => ReasonKind::Aborted,
            "dropped" => ReasonKind::ScopeDropped,
            _ => ReasonKind::Requested,
        };
        stepped.run_until_stalled();
        let inside = block_on(inside.join()).unwrap();
        for error in [outside.poll().unwrap().unwrap_err(), inside.unwrap_err()] {
            let ReserveError::Refused(reason) = &error else { panic!("{end}: {error:?}") };
            assert_eq!(reason.kind(), kind, "{end}");
            assert!(error.to_string().contains(&reason.to_string()));
            assert!(error.source().is_some());
        }
        assert_eq!(n.limiter().unwrap().waiters(), 0);
        drop(slot);
        assert_eq!(free(&n), 1);
        assert!(other.finish().is_ready());
    }
}

/// When the cancel of the caller comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Window {
    BeforeItJoinsTheLine,
    InLine,
    GrantedAndNotPolled,
    Polled,
}

#[test]
fn l07_cancelled_in_each_window() {
    use Window::*;
    for window in [BeforeItJoinsTheLine, InLine, GrantedAndNotPolled, Polled] {
        let stepped = Stepped::new(1);
        let mut opened = open(&stepped, 1);
        let mut slot = Some(opened.n.try_reserve().unwrap());
        let mut callers = Opened::new(nursery_on::<Infallible>(stepped.runtime()));
        let n = opened.n.clone();
        let caller = callers.n.fork(async move {
            if window == BeforeItJoinsTheLine {
                allhome::yield_now().await;
            }
            let slot = n.reserve().await;
            // Cancelled, a child gets no further than this.
            Ok(slot.map(|slot| slot.spawn(pending()).is_admitted()))
        });
        match window {
            BeforeItJoinsTheLine => assert!(stepped.step()),
            _ => assert!(stepped.run_until_stalled() > 0),
        }
        let mut next = (window != BeforeItJoinsTheLine).then(|| Waiting::new(&opened.n));
        if matches!(window, GrantedAndNotPolled | Polled) {
            slot = None;
        }
        if window == Polled {
            stepped.run_until_stalled();
        }
        let reason = Reason::new("leave");
        callers.n.cancel_with(reason.clone());
        stepped.run_until_stalled();
        let spawned = matches!(window, GrantedAndNotPolled | Polled);
        match block_on(caller.join()).unwrap() {
            Ok(admitted) => assert!(spawned && admitted, "{window:?}"),
            Err(ReserveError::Cancelled(why)) => assert!(!spawned && why.same(&reason)),
            Err(error) => panic!("{window:?}: {error:?}"),
        }
        assert_eq!((opened.n.len(), free(&opened.n)), (usize::from(spawned), 0));
        opened.n.limiter().unwrap().resize(2);
        drop(slot);
        if let Some(next) = &mut next {
            assert!(next.poll().unwrap().is_ok());
        }
        opened.n.abort();
        assert_eq!((free(&opened.n), opened.n.limiter().unwrap().waiters()), (2, 0), "{window:?}");
        assert!(opened.finish().is_ready() && callers.finish().is_ready());
    }
}

#[test]
fn l08_limits_that_let_nobody_in() {
    let stepped = Stepped::new(1);
    let mut opened = open(&stepped, 0);
    assert_eq!(opened.n.limit(), Some(0));
    assert!(matches!(block_on(opened.n.reserve()), Err(ReserveError::NoSlots)));
    assert!(matches!(opened.n.try_reserve(), Err(TryReserveError::NoSlots)));
    let counts = Counts::new();
    let spawned = opened.n.spawn(counts.parked().child());
    assert_eq!(spawned.refused().unwrap().message(), "the nursery's limit is 0");
    let joined = opened.n.named("x").fork(counts.parked().child());
    assert!(block_on(joined.join()).unwrap_err().reason().is_some());
    assert_eq!((counts.polls(), counts.drops()), (0, 2));
    assert!(opened.finish().is_ready());
    // More than there can be.
    let mut opened = open(&stepped, usize::MAX);
    assert_eq!(opened.n.limit(), Some(Semaphore::MAX_PERMITS));
    assert!(opened.finish().is_ready());
    // A limiter that is closed, before or while somebody waits.
    let limiter = Arc::new(Semaphore::new(1));
    let mut opened = Opened::new(nursery_on::<Infallible>(stepped.runtime()).limiter(&limiter));
    let slot = opened.n.try_reserve().unwrap();
    let mut waiting = Waiting::new(&opened.n);
    let child = opened.n.fork(counts.parked().child());
    stepped.run_until_stalled();
    assert!(limiter.close());
    assert!(matches!(waiting.poll(), Some(Err(ReserveError::LimiterClosed))));
    stepped.run_until_stalled();
    let error = block_on(child.join()).unwrap_err();
    assert_eq!(error.reason().unwrap().message(), "the nursery's limiter is closed");
    assert!(matches!(opened.n.try_reserve(), Err(TryReserveError::LimiterClosed)));
    assert!(opened.n.spawn(counts.parked().child()).refused().is_some());
    assert!(slot.spawn(async { Ok(()) }).is_admitted(), "who has a slot has it");
    stepped.run_until_stalled();
    assert_eq!((counts.polls(), counts.drops()), (0, 4));
    assert!(matches!(opened.finish(), Poll::Ready(Ok(()))));
}

#[test]
fn l09_the_limit_may_be_moved() {
    let stepped = Stepped::new(1);
    let mut opened = open(&stepped, 2);
    let (log, gates) = (Log::default(), [(); 5].map(|()| Gate::new()));
    for (name, gate) in ["a", "b", "c", "d", "e"].into_iter().zip(&gates) {
        opened.n.spawn(child(&log, name, gate));
    }
    stepped.run_until_stalled();
    assert!(opened.n.set_limit(3));
    stepped.run_until_stalled();
    assert_eq!(*log.lock().unwrap(), ["a", "b", "c"]);
    assert!(opened.n.set_limit(1));
    for gate in &gates[..2] {
        gate.open();
        stepped.run_until_stalled();
        assert_eq!(log.lock().unwrap().len(), 3, "nobody is let in until below the limit");
    }
    gates[2].open();
    stepped.run_until_stalled();
    assert_eq!(*log.lock().unwrap(), ["a", "b", "c", "d"]);
    // Down to nothing: who waits is turned away, who is in goes on.
    let mut waiting = Waiting::new(&opened.n);
    assert!(opened.n.set_limit(0));
    assert!(matches!(waiting.poll(), Some(Err(ReserveError::NoSlots))));
    stepped.run_until_stalled();
    assert_eq!((opened.n.len(), log.lock().unwrap().len()), (1, 4));
    gates[3].open();
    stepped.run_until_stalled();
    assert!(matches!(opened.finish(), Poll::Ready(Ok(()))));
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
    assert!(matches!(opened.n.try_reserve(), Err(TryReserveError::Full)), "it is somebody else's");
    drop(waiting);
    assert!(opened.n.try_reserve().is_ok());
    assert!(opened.finish().is_ready());
}

#[test]
fn l11_shared_and_not_inherited() {
    let stepped = Stepped::new(1);
    let limiter = Arc::new(Semaphore::new(1));
    let build = || nursery_on::<Infallible>(stepped.runtime()).limiter(&limiter);
    let (mut one, mut other) = (Opened::new(build()), Opened::new(build()));
    assert!(Arc::ptr_eq(one.n.limiter().unwrap(), &limiter));
    let slot = one.n.try_reserve().unwrap();
    assert!(matches!(other.n.try_reserve(), Err(TryReserveError::Full)));
    drop(slot);
    assert!(other.n.set_limit(2));
    assert_eq!(one.n.limit(), Some(2));
    // A nursery inside has the limit that it is given, or none.
    let child = one.n.fork(async {
        let plain = nursery::<Infallible>().run(async |n| Ok((n.limit(), n.set_limit(7))));
        let own = nursery::<Infallible>().limit(5).run(async |n| Ok((n.limit(), true)));
        Ok((plain.await.unwrap(), own.await.unwrap()))
    });
    stepped.run_until_stalled();
    assert_eq!(block_on(child.join()).unwrap(), ((None, false), (Some(5), true)));
    assert!(one.finish().is_ready() && other.finish().is_ready());
}

/// Where there is no limit there is a slot at once.
#[test]
fn l12_without_a_limit() {
    let stepped = Stepped::new(1);
    let mut opened = Opened::new(nursery_on::<Infallible>(stepped.runtime()));
    assert!(opened.n.limit().is_none() && opened.n.limiter().is_none());
    let slots: Vec<_> = (0..100).map(|_| opened.n.try_reserve().unwrap()).collect();
    assert!(block_on(opened.n.reserve()).unwrap().spawn(async { Ok(()) }).is_admitted());
    for slot in slots {
        assert!(slot.spawn(async { Ok(()) }).is_admitted());
    }
    stepped.run_until_stalled();
    assert!(opened.n.is_empty());
    assert!(opened.finish().is_ready());
}

#[test]
fn l13_what_is_not_counted() {
    let (stepped, jobs) = (Stepped::new(1), Jobs::new());
    let builder = nursery_on::<Infallible>(stepped.runtime_with(&jobs));
    let builder = builder.policy(Policy::WaitAll).limit(1);
    let mut opened = Opened::new(builder);
    let slot = opened.n.try_reserve().unwrap();
    // Blocking work, unless it is given a slot.
    let plain = opened.n.blocking(|_| Ok(1)).unwrap();
    assert!(jobs.run());
    assert_eq!(block_on(plain.join()).unwrap(), 1);
    let limiter = opened.n.limiter().unwrap().clone();
    let counted = slot.named("counted").blocking(move |_| Ok(limiter.available())).unwrap();
    assert_eq!(free(&opened.n), 0);
    assert!(jobs.run());
    assert_eq!((block_on(counted.join()).unwrap(), free(&opened.n)), (0, 1));
    // Work that is never begun gives it back, too.
    let lost = opened.n.try_reserve().unwrap().blocking(|_| Ok(())).unwrap();
    drop(jobs.take());
    let lost = block_on(lost.join()).unwrap_err().into_outcome::<()>();
    assert!(matches!(lost, Some(Outcome::Lost)));
    assert_eq!(free(&opened.n), 1);
    // Finalizers.
    let slot = opened.n.try_reserve().unwrap();
    let ran = Counts::new();
    let guard = ran.guard();
    let defer = async move {
        drop(guard);
        Ok(())
    };
    opened.n.defer(Duration::MAX, defer).unwrap();
    assert!(opened.finish().is_pending());
    stepped.run_until_stalled();
    assert_eq!(ran.drops(), 1);
    assert!(opened.poll().is_ready());
    drop(slot);
}

#[test]
fn l14_holders_are_the_children() {
    let stepped = Stepped::new(1);
    let limiter = Arc::new(Semaphore::new(2).track_holders(true));
    let mut opened = Opened::new(nursery_on::<Infallible>(stepped.runtime()).limiter(&limiter));
    let slot = opened.n.try_reserve().unwrap();
    assert_eq!(limiter.holders()[0].task(), None, "a slot is nobody's yet");
    let seen = limiter.clone();
    let reserved = slot.fork(async move {
        let mine = seen.holders().iter().any(|info| info.task() == task_id());
        Ok(mine)
    });
    let waits = opened.n.spawn(pending()).id();
    stepped.run_until_stalled();
    assert!(block_on(reserved.join()).unwrap());
    let holders = limiter.holders();
    assert_eq!((holders.len(), holders[0].task()), (1, waits));
    assert!(holders[0].place().file().ends_with("bounded.rs"));
    opened.n.abort();
    assert!(limiter.holders().is_empty());
    assert!(opened.finish().is_ready());
}
