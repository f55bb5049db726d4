//! What a limit may be, what it counts, and whose it is.

use super::{Log, Waiting, child, free, open};
use allhome::limit::{ReserveError, TryReserveError};
use allhome::task::{Outcome, task_id};
use allhome::{Nursery, Policy, Semaphore, block_on, nursery};
use allhome_conformance::{Counts, Gate};
use allhome_runs::{Jobs, Opened, Stepped};
use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

#[test]
fn l08_limits_that_are_too_high_or_closed() {
    let (stepped, counts) = (Stepped::new(1), Counts::new());
    // More than there can be.
    let mut opened = open(&stepped, usize::MAX);
    assert_eq!(opened.n.limit(), Some(Semaphore::MAX_PERMITS));
    assert!(opened.finish().is_ready());
    // A limiter that is closed, before or while a task waits.
    let limiter = Arc::new(Semaphore::new(1));
    let mut opened = Opened::new(nursery().on(stepped.runtime()).limiter(&limiter));
    let slot = opened.n.try_reserve().unwrap();
    let mut waiting = Waiting::new(&opened.n);
    let child = opened.n.fork(counts.parked().child());
    stepped.run_until_stalled();
    assert!(limiter.close());
    assert!(matches!(waiting.poll(), Some(Err(ReserveError::LimiterClosed))));
    stepped.run_until_stalled();
    let error = block_on(child).unwrap_err();
    assert_eq!(error.reason().unwrap().message(), "the nursery's limiter is closed");
    assert!(matches!(opened.n.try_reserve(), Err(TryReserveError::LimiterClosed)));
    assert!(opened.n.spawn(counts.parked().child()).refused().is_some());
    assert!(slot.spawn(async { Ok(()) }).is_admitted(), "a slot that was granted stays");
    stepped.run_until_stalled();
    assert_eq!((counts.polls(), counts.drops()), (0, 2));
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
        assert_eq!(log.lock().unwrap().len(), 3, "no child is let in until below the limit");
    }
    gates[2].open();
    stepped.run_until_stalled();
    assert_eq!(*log.lock().unwrap(), ["a", "b", "c", "d"]);
    // Down to nothing: children that are in go on, and those that wait are kept.
    let mut waiting = Waiting::new(&opened.n);
    assert!(opened.n.set_limit(0));
    gates[3].open();
    stepped.run_until_stalled();
    assert_eq!((opened.n.len(), log.lock().unwrap().len()), (1, 4));
    assert!(waiting.poll().is_none());
    assert!(opened.n.set_limit(1));
    stepped.run_until_stalled();
    assert_eq!(log.lock().unwrap().len(), 5);
    gates[4].open();
    stepped.run_until_stalled();
    drop(waiting.poll().expect("it is its turn").unwrap());
    assert!(matches!(opened.finish(), Poll::Ready(Ok(()))));
}

#[test]
fn l11_shared_and_not_inherited() {
    let stepped = Stepped::new(1);
    let limiter = Arc::new(Semaphore::new(1));
    let build = || nursery().on(stepped.runtime()).limiter(&limiter);
    let (mut one, mut other) = (Opened::new(build()), Opened::new(build()));
    assert!(Arc::ptr_eq(one.n.limiter().unwrap(), &limiter));
    let slot = one.n.try_reserve().unwrap();
    assert!(matches!(other.n.try_reserve(), Err(TryReserveError::Full)));
    drop(slot);
    assert!(other.n.set_limit(2));
    assert_eq!(one.n.limit(), Some(2));
    // A nursery inside has the limit that it is opened with, or none.
    let child = one.n.fork(async {
        let plain = nursery().run(async |n: Nursery<Infallible>| Ok((n.limit(), n.set_limit(7))));
        let own = nursery().limit(5).run(async |n: Nursery<Infallible>| Ok((n.limit(), true)));
        Ok((plain.await.unwrap(), own.await.unwrap()))
    });
    stepped.run_until_stalled();
    assert_eq!(block_on(child).unwrap(), ((None, false), (Some(5), true)));
    assert!(one.finish().is_ready() && other.finish().is_ready());
}

/// Where there is no limit there is a slot at once.
#[test]
fn l12_without_a_limit() {
    let stepped = Stepped::new(1);
    let mut opened = Opened::new(nursery().on(stepped.runtime()));
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
    let builder = nursery().on(stepped.runtime_with(&jobs));
    let builder = builder.policy(Policy::WaitAll).limit(1);
    let mut opened = Opened::new(builder);
    let slot = opened.n.try_reserve().unwrap();
    // Blocking work, unless it has a slot.
    let plain = opened.n.blocking(|_| Ok(1));
    assert!(jobs.run());
    assert_eq!(block_on(plain).unwrap(), 1);
    let limiter = opened.n.limiter().unwrap().clone();
    let counted = slot.name("counted").blocking(move |_| Ok(limiter.available()));
    assert_eq!(free(&opened.n), 0);
    assert!(jobs.run());
    assert_eq!((block_on(counted).unwrap(), free(&opened.n)), (0, 1));
    // Work that is never begun gives it back, too.
    let lost = opened.n.try_reserve().unwrap().blocking(|_| Ok(()));
    drop(jobs.take());
    let lost = block_on(lost).unwrap_err().into_outcome::<()>();
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
    opened.n.defer(Duration::MAX, defer);
    assert!(opened.finish().is_pending());
    stepped.run_until_stalled();
    assert_eq!(ran.drops(), 1);
    assert!(opened.poll().is_ready());
    drop(slot);
}

#[test]
fn l14_holders_are_the_children() {
    let stepped = Stepped::new(1);
    let limiter = Arc::new(Semaphore::new(2).time_holders(true));
    let mut opened = Opened::new(nursery().on(stepped.runtime()).limiter(&limiter));
    let slot = opened.n.try_reserve().unwrap();
    assert_eq!(limiter.holders()[0].task(), None, "a slot belongs to no task yet");
    let seen = limiter.clone();
    let reserved = slot.fork(async move {
        let mine = seen.holders().iter().any(|info| info.task() == task_id());
        Ok(mine)
    });
    let waits = opened.n.spawn(pending()).id();
    stepped.run_until_stalled();
    assert!(block_on(reserved).unwrap());
    let holders = limiter.holders();
    assert_eq!((holders.len(), holders[0].task()), (1, waits));
    assert!(holders[0].location().file().ends_with("limits.rs"));
    opened.n.abort();
    assert!(limiter.holders().is_empty());
    assert!(opened.finish().is_ready());
}
