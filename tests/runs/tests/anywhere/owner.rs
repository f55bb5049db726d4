//! `open()` and its `Owner`: what it promises while all goes well.

use crate::{open, open_as};
use allhome::cancel::{Level, ReasonKind};
use allhome::error::{Cause, PanicPolicy};
use allhome::task::Opener;
use allhome::{
    GroupError, JoinError, Nursery, Owner, Policy, Simulator, fail_after, move_on_after, nursery,
    shield, sleep, yield_now,
};
use allhome_conformance::{Counts, Gate, eventually};
use allhome_runs::{Log, Opened, SECOND, Stepped, Wakes, poll_once, world};
use futures_util::FutureExt;
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;

type Never = Nursery<Infallible>;

#[test]
fn a12_it_is_open_until_it_is_closed() {
    let stepped = Stepped::new(1);
    let (n, owner) = open(&stepped.runtime());
    let (gate, counts) = (Gate::new(), Counts::new());
    let (wait, guard) = (gate.clone(), counts.guard());
    stepped.run_until_stalled();
    n.spawn(async move {
        wait.wait().await;
        drop(guard);
        Ok(())
    });
    stepped.run_until_stalled();
    assert_eq!((n.level(), n.name(), n.len()), (Level::Running, Some("opened"), 1));
    let wakes = Wakes::new();
    let mut close = Box::pin(owner.close());
    assert_eq!(n.level(), Level::Running, "a future does nothing before it is polled");
    assert!(poll_once(&mut close, &wakes).is_pending());
    assert!(n.spawn(async { Ok(()) }).refused().is_some(), "it takes no more");
    stepped.run_until_stalled();
    assert!(poll_once(&mut close, &wakes).is_pending());
    gate.open();
    stepped.run_until_stalled();
    assert_eq!((counts.drops(), wakes.count()), (1, 1));
    assert!(matches!(poll_once(&mut close, &wakes), Poll::Ready(Ok(()))));
    drop((close, n));
    assert_eq!(stepped.tasks(), 0, "the driver has ended");
}

#[test]
fn a12_failures_come_out_of_close() {
    let stepped = Stepped::new(1);
    let open: Result<(Nursery<String>, Owner<String>), _> = open_as(&stepped.runtime());
    let (n, owner) = open.unwrap();
    n.task("disk").spawn(async { Err("full".to_string()) });
    stepped.run_until_stalled();
    assert!(n.is_cancelled(), "the first failure cancels");
    let error = stepped.drive(owner.close()).unwrap_err();
    assert_eq!(error.to_string(), "nursery `opened`: task `disk` failed: full");
    // No cancel by the failure: both are there.
    let builder = nursery().on(stepped.runtime()).policy(Policy::WaitAll);
    let (n, owner) = builder.open::<String, _>().unwrap();
    for i in 0..2 {
        n.spawn(async move { Err(format!("{i}")) });
    }
    assert_eq!(stepped.drive(owner.close()).unwrap_err().failures().len(), 2);
}

#[test]
fn a12_a_panic_goes_on_in_close() {
    let stepped = Stepped::new(1);
    let (n, owner) = open(&stepped.runtime());
    n.spawn(async { panic!("a bug") });
    stepped.run_until_stalled();
    let closed = catch_unwind(AssertUnwindSafe(|| stepped.drive(owner.close())));
    assert_eq!(closed.unwrap_err().downcast_ref(), Some(&"a bug"));
    let builder = nursery().on(stepped.runtime()).panics(PanicPolicy::Report);
    let (n, owner) = builder.open::<Infallible, _>().unwrap();
    n.spawn(async { panic!("a bug") });
    assert_eq!(stepped.drive(owner.close()).unwrap_err().panics().count(), 1);
    // Dropped with it.
    let (n, owner) = open(&stepped.runtime());
    n.spawn(async { panic!("a bug") });
    stepped.run_until_stalled();
    drop(owner);
    assert_eq!(stepped.run_until_stalled(), 0);
    assert_eq!(stepped.tasks(), 0);
}

#[test]
fn a12_a_cancel_alone_is_no_failure_but_a_deadline_is() {
    let ends: [fn(&Never); 2] = [|n| _ = n.cancel(), |n| _ = n.abort()];
    for end in ends {
        let (stepped, counts) = (Stepped::new(1), Counts::new());
        let (n, owner) = open(&stepped.runtime());
        n.spawn(counts.parked().child());
        stepped.run_until_stalled();
        end(&n);
        stepped.run_until_stalled();
        assert_eq!((counts.drops(), stepped.tasks()), (1, 0), "it ends while the owner is kept");
        stepped.drive(owner.close()).unwrap();
    }
    let (stepped, clock, runtime) = world();
    let (n, owner) = nursery().on(runtime).deadline(SECOND).open::<Infallible, _>().unwrap();
    n.spawn(async {
        sleep(2 * SECOND).await;
        Ok(())
    });
    assert!(clock.drive(&stepped, owner.close()).unwrap_err().is_timeout());
}

/// Whether the deadline comes before `close` or during it, the error counts the same.
#[test]
fn a12_the_error_of_a_deadline_counts_what_it_cut_off() {
    for during in [false, true] {
        let (stepped, clock, runtime) = world();
        let (n, owner) = nursery().on(runtime).deadline(SECOND).open::<String, _>().unwrap();
        let counts = Counts::new();
        for _ in 0..2 {
            let part = counts.parked();
            n.spawn(async move { part.child::<String>().await });
        }
        n.spawn(async {
            allhome::cancelled().await;
            Err("an echo".to_string())
        });
        stepped.run_until_stalled();
        if !during {
            clock.advance(2 * SECOND);
            stepped.run_until_stalled();
        }
        let error = clock.drive(&stepped, owner.close()).unwrap_err();
        assert!(error.is_timeout() && error.is_cancel(), "{error:?}");
        assert_eq!((counts.drops(), error.cancelled_count()), (2, 3), "during: {during}");
        assert_eq!((error.failures().len(), error.echoes().len()), (1, 1), "during: {during}");
    }
}

/// No one awaits anything, and all that the nursery promises takes effect.
#[test]
fn a13_its_times_hold_while_nothing_is_awaited() {
    let (stepped, clock, runtime) = world();
    let (log, counts) = (Log::default(), Counts::new());
    let builder = nursery().on(runtime).deadline(SECOND).grace(SECOND);
    let (n, owner) = builder.open::<Infallible, _>().unwrap();
    n.spawn(counts.parked().child());
    let line = log.clone();
    let registered = n.defer(SECOND, async move {
        line.note("finalized");
        Ok(())
    });
    assert!(registered);
    let pass = || {
        stepped.run_until_stalled();
        clock.advance(SECOND / 2);
        stepped.run_until_stalled();
    };
    pass();
    assert_eq!(n.level(), Level::Running);
    pass();
    assert_eq!((n.level(), counts.drops()), (Level::Cancelled, 0));
    pass();
    assert!(log.is_empty(), "a child is there");
    pass();
    assert_eq!((n.level(), counts.drops()), (Level::Aborted, 1));
    assert_eq!(log.take(), ["finalized"]);
    assert_eq!((stepped.tasks(), clock.sleeps()), (0, 0), "nothing is left but the owner");
    let error = stepped.drive(owner.close()).unwrap_err();
    assert!(error.is_timeout() && matches!(error.first().cause(), Cause::Cancelled(_)));
}

/// It is inside of the nursery, and not of the task or the scopes in which it is opened.
#[test]
fn a14_it_belongs_to_the_nursery_around() {
    let (stepped, clock, runtime) = world();
    let counts = Counts::new();
    let run = nursery().on(runtime).name("app").run(async |n: Never| {
        // A constructor in a child that ends, in a scope with a deadline, in a shield.
        let guard = counts.clone();
        let child = n.fork(async move {
            let connect = async {
                let (m, owner) = nursery().name("client").open::<Infallible, _>().unwrap();
                m.spawn(guard.parked().child());
                (m, owner)
            };
            let opened = fail_after(SECOND, shield(SECOND, connect)).await;
            Ok(opened.unwrap())
        });
        let (m, owner) = child.await.unwrap();
        sleep(5 * SECOND).await;
        assert_eq!(m.level(), Level::Running, "its scope's time is no matter of it");
        let tree = n.tree();
        let client = &tree.nurseries()[1];
        assert_eq!((client.name.as_deref(), client.opened_by), (Some("client"), Opener::Outside));
        // The shield was no matter of it either.
        n.cancel();
        assert!(m.is_cancelled());
        shield(SECOND, owner.close()).await.unwrap();
        assert_eq!(counts.drops(), 1);
        Ok(())
    });
    clock.drive(&stepped, run).unwrap();
}

/// What is opened outlives the task that opens it, so that a nursery which takes no more refuses it,
/// from its own tasks too. A nursery that ends before its task is a part of the task.
#[test]
fn a14_a_nursery_that_takes_no_more_refuses_it() {
    async fn within_the_task() -> Option<u8> {
        let run = nursery().run(async |m: Never| Ok(m.fork(async { Ok(7) }).await.ok()));
        run.await.ok().flatten()
    }
    fn refusal() -> Option<ReasonKind> {
        let refused = nursery().open::<Infallible, _>().err()?;
        match refused.first().cause() {
            Cause::Cancelled(reason) => Some(reason.kind()),
            _ => None,
        }
    }

    let stepped = Stepped::new(1);
    let run = nursery().on(stepped.runtime()).run(async |n: Never| {
        let child = n.fork(async {
            allhome::draining().await;
            Ok((refusal(), within_the_task().await))
        });
        yield_now().await;
        n.close();
        let expected = (Some(ReasonKind::Closed), Some(7));
        assert_eq!(child.await.ok(), Some(expected), "in a child");
        assert_eq!((refusal(), within_the_task().await), expected, "in the body");
        Ok(())
    });
    stepped.drive(run).unwrap();
}

/// An owner that is kept elsewhere does not hold up a nursery that is cancelled; one that is kept
/// holds up one that is not.
#[test]
fn a14_the_nursery_around_waits_for_it() {
    for cancels in [false, true] {
        let stepped = Stepped::new(1);
        let mut outer = Opened::new(nursery().on(stepped.runtime()));
        let counts = Counts::new();
        let open = outer.n.nursery().open::<Infallible, _>();
        let (n, owner) = open.unwrap();
        n.spawn(counts.parked().child());
        stepped.run_until_stalled();
        assert!(outer.finish().is_pending());
        if cancels {
            outer.n.cancel();
        } else {
            drop(owner);
        }
        stepped.run_until_stalled();
        assert!(outer.poll().is_ready() && counts.drops() == 1);
    }
    // Of one that has ended.
    let stepped = Stepped::new(1);
    let mut outer = Opened::new(nursery().on(stepped.runtime()));
    assert!(outer.finish().is_ready());
    let refused: GroupError<Infallible> = outer.n.nursery().open().unwrap_err();
    let Cause::Cancelled(reason) = refused.first().cause() else { panic!("{refused}") };
    assert_eq!((reason.kind(), stepped.tasks()), (ReasonKind::Closed, 0));
}

#[test]
fn a12_without_a_runtime_it_is_an_error() {
    let lost: GroupError<Infallible> = nursery().open().unwrap_err();
    assert!(matches!(lost.first().cause(), Cause::NoRuntime(_)));
}

#[test]
fn a12_in_every_schedule() {
    let explored = Simulator::new().seed(1).schedules(1_000).check(async |_: Never| {
        let counts = Counts::new();
        let (n, owner) = nursery().open::<Infallible, _>().unwrap();
        for i in 0..3 {
            let guard = counts.guard();
            n.spawn(async move {
                let _guard = guard;
                for _ in 0..i {
                    yield_now().await;
                }
                Ok(())
            });
        }
        let joined: Result<u8, JoinError<_>> = n.fork(async { Ok(1) }).await;
        assert_eq!(joined.ok(), Some(1));
        owner.close().await.unwrap();
        assert_eq!((counts.drops(), n.len()), (3, 0));
        // Dropped in any state: the nursery around waits for what is polled.
        let (n, owner) = nursery().open::<Infallible, _>().unwrap();
        n.spawn(counts.parked().child());
        yield_now().await;
        let closing = move_on_after(std::time::Duration::ZERO, owner.close());
        assert!(closing.await.is_none());
        assert_eq!(counts.drops(), 4, "dropped, it destroys at once");
        eventually(|| n.is_empty()).await;
        Ok(())
    });
    assert!(explored.failure().is_none() && explored.schedules() > 100);
}

#[test]
fn a12_the_owner_is_send() {
    fn is_send<T: Send + Sync + 'static>(_: &T) {}
    let stepped = Stepped::new(1);
    let (_, owner) = open(&stepped.runtime());
    is_send(&owner);
    let close = owner.close();
    is_send(&close);
    assert!(close.now_or_never().is_none());
}
