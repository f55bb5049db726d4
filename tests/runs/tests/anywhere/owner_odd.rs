//! The rows of the owner's table in which something goes: the owner, the driver, the runtime.

use crate::{Opened, open};
use allhome::cancel::Level;
use allhome::runtime::Runtime;
use allhome::task::orphans;
use allhome::{Nursery, Owner, cancelled, nursery};
use allhome_conformance::Counts;
use allhome_runs::{
    AtSpawn, AtWake, Hold, Manner, SECOND, Stepped, Wakes, poll_once, within, world,
};
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::task::Poll;

/// Opens one with a child that waits for ever.
fn opened(stepped: &Stepped, counts: &Counts) -> Opened {
    let (n, owner) = open(&stepped.runtime());
    n.spawn(counts.parked().child());
    stepped.run_until_stalled();
    (n, owner)
}

/// Its future rests, or the driver was not even polled.
#[test]
fn a15_dropped_it_destroys_at_once() {
    for polled in [false, true] {
        let (stepped, counts) = (Stepped::new(1), Counts::new());
        let (n, owner) = open(&stepped.runtime());
        n.spawn(counts.parked().child());
        if polled {
            stepped.run_until_stalled();
        }
        drop(owner);
        assert_eq!((counts.drops(), n.level(), n.len()), (1, Level::Aborted, 0));
        assert!(n.tree().tasks() == 0 && n.spawn(async { Ok(()) }).refused().is_some());
        stepped.run_until_stalled();
        assert_eq!(stepped.tasks(), 0, "the driver has ended");
    }
}

/// The child is in a poll, on another thread.
#[test]
fn a15_what_is_polled_goes_after_its_poll() {
    within(|| {
        let (stepped, counts, hold) = (Stepped::new(1), Counts::new(), Hold::new());
        let (n, owner) = open(&stepped.runtime());
        stepped.run_until_stalled();
        n.spawn(hold.child(&counts, |_| Poll::Pending));
        let polling = stepped.step_on_a_thread();
        hold.wait_entered();
        let id = n.id();
        drop(owner);
        let listed = || orphans().iter().any(|tree| tree.nurseries()[0].id == id);
        assert!(counts.drops() == 0 && listed());
        hold.release();
        polling.join().unwrap();
        assert!(counts.drops() == 1 && !listed());
        stepped.run_until_stalled();
        assert_eq!(stepped.tasks(), 0);
    });
}

/// It ended before.
#[test]
fn a15_dropped_when_it_has_ended() {
    let (stepped, counts) = (Stepped::new(1), Counts::new());
    let (n, owner) = opened(&stepped, &counts);
    n.cancel();
    stepped.run_until_stalled();
    assert_eq!((stepped.tasks(), counts.drops()), (0, 1));
    drop(owner);
    assert_eq!(stepped.run_until_stalled(), 0);
}

/// `close` was polled, and is dropped.
#[test]
fn a15_a_close_that_is_dropped_drops_the_owner() {
    let (stepped, counts) = (Stepped::new(1), Counts::new());
    let (n, owner) = opened(&stepped, &counts);
    let wakes = Wakes::new();
    let mut close = Box::pin(owner.close());
    assert!(poll_once(&mut close, &wakes).is_pending());
    stepped.run_until_stalled();
    drop(close);
    assert_eq!((counts.drops(), n.level(), wakes.count()), (1, Level::Aborted, 0));
    stepped.run_until_stalled();
    assert_eq!(stepped.tasks(), 0);
}

#[test]
fn a15_dropped_during_a_panic() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("a second one");
        }
    }
    let (stepped, counts) = (Stepped::new(1), Counts::new());
    let (n, owner) = opened(&stepped, &counts);
    let bomb = Bomb;
    n.spawn(async move {
        let _bomb = bomb;
        std::future::pending().await
    });
    stepped.run_until_stalled();
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let _owner = owner;
        panic!("the first");
    }));
    assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"the first"));
    assert_eq!((counts.drops(), n.len()), (1, 0));
    stepped.run_until_stalled();
    assert_eq!(stepped.tasks(), 0);
}

/// Opened in a destructor, during a panic; and dropped there.
#[test]
fn a15_opened_during_a_panic() {
    struct Opens(Runtime, Counts);
    impl Drop for Opens {
        fn drop(&mut self) {
            let (n, owner) = open(&self.0);
            n.spawn(self.1.parked().child());
            drop(owner);
        }
    }
    let (stepped, counts) = (Stepped::new(1), Counts::new());
    let opens = Opens(stepped.runtime(), counts.clone());
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let _opens = opens;
        panic!("it unwinds");
    }));
    assert!(caught.is_err());
    stepped.run_until_stalled();
    assert_eq!((counts.drops(), stepped.tasks()), (1, 0));
}

/// The owner's place, for a child that has its own.
type Place = Arc<Mutex<Option<Owner<Infallible>>>>;

#[test]
fn a16_dropped_in_its_own_child() {
    let (stepped, counts) = (Stepped::new(1), Counts::new());
    let (n, owner) = opened(&stepped, &counts);
    let place: Place = Arc::new(Mutex::new(Some(owner)));
    let (inside, guard, others) = (place.clone(), counts.guard(), counts.clone());
    n.spawn(async move {
        let _guard = guard;
        drop(inside.lock().unwrap().take());
        assert_eq!(others.drops(), 1, "its sibling is gone at once, and it goes on");
        cancelled().await;
        std::future::pending().await
    });
    stepped.run_until_stalled();
    assert_eq!((counts.drops(), stepped.tasks(), n.level()), (2, 0, Level::Aborted));
    drop(place);
}

/// The driver destroys the child that has the owner: it is polling the future in that moment.
#[test]
fn a16_dropped_while_the_driver_polls() {
    {
        let (stepped, clock, runtime) = world();
        let counts = Counts::new();
        let open = nursery().on(runtime).deadline(SECOND).open::<Infallible, _>();
        let (n, owner) = open.unwrap();
        let (guard, bystander) = (counts.guard(), counts.guard());
        stepped.run_until_stalled();
        n.spawn(async move {
            let _child = (owner, guard);
            std::future::pending().await
        });
        n.spawn(async move {
            let _child = bystander;
            std::future::pending().await
        });
        // Not polled yet: so the one that keeps time destroys it. That is the driver, if it comes
        // before the carrier.
        clock.advance(SECOND);
        let (carrier, driver) = (stepped.take().unwrap(), stepped.take().unwrap());
        driver.poll();
        assert_eq!(counts.drops(), 2);
        carrier.poll();
        stepped.run_until_stalled();
        assert_eq!((stepped.tasks(), clock.sleeps(), n.len()), (0, 0, 0));
    }
}

#[test]
fn a16_close_in_its_own_child_is_refused() {
    within(|| {
        let (stepped, counts) = (Stepped::new(1), Counts::new());
        let (n, owner) = opened(&stepped, &counts);
        let child = n.task("self").fork(async move { Ok(owner.close().await.is_ok()) });
        let (id, wakes) = (child.id().unwrap(), Wakes::new());
        let mut join = Box::pin(child);
        stepped.run_until_stalled();
        let Poll::Ready(Err(error)) = poll_once(&mut join, &wakes) else { panic!("it waits") };
        let message = error.panic().expect("it panics").message().to_string();
        assert!(message.starts_with(&format!("`Owner::close` was awaited in task {id}")));
        // It had the owner.
        assert_eq!((counts.drops(), n.level(), stepped.tasks()), (1, Level::Aborted, 0));
    });
}

/// The runtime ends while the owner is kept: its children are lost, and a close says so.
#[test]
fn a17_the_runtime_ends_before_close() {
    let (stepped, counts) = (Stepped::new(1), Counts::new());
    let (n, owner) = opened(&stepped, &counts);
    stepped.shutdown();
    assert_eq!(counts.drops(), 1);
    let mut close = Box::pin(owner.close());
    let Poll::Ready(Err(error)) = poll_once(&mut close, &Wakes::new()) else { panic!("it waits") };
    assert!(matches!(error.first().cause(), allhome::error::Cause::Lost), "{error}");
    assert_eq!((n.len(), stepped.tasks()), (0, 0));
    // Nothing was in it.
    let stepped = Stepped::new(1);
    let (_, owner) = open(&stepped.runtime());
    stepped.shutdown();
    assert!(matches!(poll_once(&mut Box::pin(owner.close()), &Wakes::new()), Poll::Ready(Ok(()))));
}

#[test]
fn a17_the_runtime_ends_during_close() {
    let (stepped, counts) = (Stepped::new(1), Counts::new());
    let (_, owner) = opened(&stepped, &counts);
    let wakes = Wakes::new();
    let mut close = Box::pin(owner.close());
    assert!(poll_once(&mut close, &wakes).is_pending());
    stepped.run_until_stalled();
    stepped.shutdown();
    assert!(wakes.count() > 0, "it is woken");
    let Poll::Ready(Err(error)) = poll_once(&mut close, &wakes) else { panic!("it waits") };
    assert!(matches!(error.first().cause(), allhome::error::Cause::Lost), "{error}");
    assert_eq!(counts.drops(), 1);
}

/// The runtime drops its tasks in each order, and the owner is dropped, kept or closed.
#[test]
fn a17_the_driver_alone_is_lost() {
    for end in ["close", "drop", "cancel"] {
        let (stepped, counts) = (Stepped::new(1), Counts::new());
        let (n, owner) = open(&stepped.runtime());
        stepped.take().expect("the driver").discard();
        n.spawn(counts.parked().child());
        stepped.run_until_stalled();
        assert_eq!((n.level(), counts.polls(), counts.drops()), (Level::Running, 1, 0));
        match end {
            "close" => {
                let wakes = Wakes::new();
                let mut close = Box::pin(owner.close());
                assert!(poll_once(&mut close, &wakes).is_pending());
                n.cancel();
                stepped.run_until_stalled();
                assert!(wakes.count() > 0);
                assert!(matches!(poll_once(&mut close, &wakes), Poll::Ready(Ok(()))));
            }
            "drop" => drop(owner),
            _ => {
                // The nursery around does not wait for an owner that is kept.
                n.cancel();
                stepped.run_until_stalled();
                assert!(matches!(
                    poll_once(&mut Box::pin(owner.close()), &Wakes::new()),
                    Poll::Ready(Ok(()))
                ));
            }
        }
        stepped.run_until_stalled();
        assert_eq!((counts.drops(), stepped.tasks()), (1, 0), "{end}");
    }
}

#[test]
fn a17_a_lost_one_does_not_hold_up_the_nursery_around() {
    let (stepped, other) = (Stepped::new(1), Stepped::new(1));
    let mut outer = allhome_runs::Opened::new(nursery().on(stepped.runtime()));
    let open = outer.n.nursery().on(other.runtime()).open::<Infallible, _>();
    let (_n, owner) = open.unwrap();
    other.shutdown();
    outer.n.cancel();
    assert!(outer.finish().is_ready(), "the runtime that polled it has ended");
    drop(owner);
}

/// Runtimes with odd manners: that drop every task, that poll in `spawn` and in `wake`.
#[test]
fn a17_on_odd_runtimes() {
    within(|| {
        for (at_spawn, at_wake) in [
            (AtSpawn::Drop, AtWake::Queue),
            (AtSpawn::Poll, AtWake::Queue),
            (AtSpawn::Poll, AtWake::Poll),
            (AtSpawn::Queue, AtWake::Poll),
        ] {
            let dropped = at_spawn == AtSpawn::Drop;
            let stepped = Stepped::with(1, Manner { at_spawn, at_wake, ..Manner::default() });
            let counts = Counts::new();
            let (n, owner) = open(&stepped.runtime());
            n.spawn(counts.parked().child());
            assert_eq!(n.level() == Level::Running, !dropped, "a lost child is a failure");
            stepped.run_until_stalled();
            n.cancel();
            let closed = stepped.drive(owner.close());
            assert_eq!((closed.is_err(), counts.drops()), (dropped, 1));
            let (n, owner) = open(&stepped.runtime());
            n.spawn(counts.parked().child());
            stepped.run_until_stalled();
            drop(owner);
            stepped.run_until_stalled();
            assert_eq!((counts.drops(), n.len(), stepped.tasks()), (2, 0, 0));
        }
    });
}

/// Its failures may use it when they are dropped: no lock is held.
#[test]
fn a15_what_it_had_is_dropped_with_no_lock_held() {
    struct Uses(Nursery<Uses>, Counts);
    impl std::fmt::Debug for Uses {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("it uses the nursery")
        }
    }
    impl std::fmt::Display for Uses {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("it uses the nursery")
        }
    }
    impl std::error::Error for Uses {}
    impl Drop for Uses {
        fn drop(&mut self) {
            self.0.cancel();
            assert!(self.0.spawn(async { Ok(()) }).refused().is_some());
            self.1.polled();
        }
    }
    let (stepped, counts) = (Stepped::new(1), Counts::new());
    let open = nursery().on(stepped.runtime()).keep_failures(1).open::<Uses, _>();
    let (n, owner) = open.unwrap();
    for _ in 0..3 {
        let error = Uses(n.clone(), counts.clone());
        n.spawn(async move { Err(error) });
    }
    stepped.run_until_stalled();
    drop(owner);
    stepped.run_until_stalled();
    assert_eq!((counts.polls(), stepped.tasks()), (3, 0));
}
