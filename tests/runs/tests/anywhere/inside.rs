//! `n.nursery()` and `n.attach(..)`: inside of a nursery, from any task.

use allhome::cancel::{Level, ReasonKind};
use allhome::error::Cause;
use allhome::runtime::Runtime;
use allhome::task::{Opener, task_id};
use allhome::time::deadline;
use allhome::{
    GroupError, Nursery, Reason, Simulator, Tokio, cancelled, is_cancelled, nursery, shield,
    yield_now,
};
use allhome_conformance::{Counts, eventually};
use allhome_runs::{Opened, SECOND, Stepped, Wakes, poll_once, within, world};
use std::convert::Infallible;
use std::future::{pending, ready};
use std::task::Poll;
use std::thread;

type Never = Nursery<Infallible>;
type End = fn(&Never);

fn reason_of<R>(result: Result<R, GroupError<Infallible>>) -> Reason {
    let Err(error) = result else { panic!("it was opened") };
    assert_eq!(error.failures().len(), 1);
    match error.into_first().into_cause() {
        Cause::Cancelled(reason) => reason,
        cause => panic!("{cause:?}"),
    }
}

#[test]
fn a06_it_is_listed_counted_and_waited_for() {
    let (stepped, counts) = (Stepped::new(1), Counts::new());
    let mut outer = Opened::new(nursery().on(stepped.runtime()).name("server"));
    // This test is the foreign task.
    let wakes = Wakes::new();
    let guard = counts.guard();
    let mut request = Box::pin(outer.n.nursery().name("request").run(async |n: Never| {
        assert_eq!((n.runtime().name(), task_id()), ("stepped", None));
        n.spawn(async move {
            yield_now().await;
            drop(guard);
            Ok(())
        });
        Ok(5)
    }));
    assert_eq!(outer.n.tree().nurseries().len(), 1, "nothing is opened before it is polled");
    assert!(poll_once(&mut request, &wakes).is_pending());
    let tree = outer.n.tree();
    let [_, inner] = tree.nurseries() else { panic!("{tree}") };
    assert_eq!(
        (inner.depth, inner.name.as_deref(), inner.opened_by),
        (1, Some("request"), Opener::Outside)
    );
    assert!(outer.finish().is_pending(), "it waits for the request");
    stepped.run_until_stalled();
    assert!(outer.poll().is_pending(), "its future has the last word");
    let before = outer.wakes.count();
    let Poll::Ready(Ok(5)) = poll_once(&mut request, &wakes) else { panic!("its child is home") };
    assert!(outer.wakes.count() > before && outer.poll().is_ready());
    assert_eq!(counts.drops(), 1);
}

#[test]
fn a06_it_is_cancelled_with_it_and_may_be_dropped_before() {
    let (stepped, counts, wakes) = (Stepped::new(1), Counts::new(), Wakes::new());
    let mut outer = Opened::new(nursery().on(stepped.runtime()));
    let mut requests = [(); 2].map(|()| {
        let run = outer.n.nursery().run(async |n: Never| {
            n.spawn(counts.parked().child());
            pending::<Result<(), _>>().await
        });
        let mut run = Box::pin(run);
        assert!(poll_once(&mut run, &wakes).is_pending());
        Some(run)
    });
    stepped.run_until_stalled();
    requests[0] = None;
    assert_eq!((counts.drops(), outer.n.tree().nurseries().len()), (1, 2));
    outer.n.cancel_with(Reason::new("stop"));
    stepped.run_until_stalled();
    assert!(outer.finish().is_pending(), "a request is there");
    let Poll::Ready(result) = poll_once(requests[1].as_mut().unwrap(), &wakes) else { panic!() };
    assert_eq!(reason_of(result).message(), "stop");
    assert!(outer.poll().is_ready());
}

#[test]
fn a07_refused_as_a_child_is_and_the_body_is_not_called() {
    let ends: [(&str, End); 3] = [
        ("closed", |n| _ = n.close()),
        ("cancelled", |n| _ = n.cancel()),
        ("aborted", |n| _ = n.abort()),
    ];
    for (name, end) in ends {
        let stepped = Stepped::new(1);
        let mut outer = Opened::new(nursery().on(stepped.runtime()).name("server"));
        let counts = Counts::new();
        // Made before the end: the look is at the first poll.
        let made = outer.n.nursery().run(|_: Never| {
            counts.polled();
            ready(Ok(()))
        });
        end(&outer.n);
        let refused = outer.n.spawn(async { Ok(()) }).refused().expect("no child").clone();
        let reason = reason_of(stepped.drive(made));
        assert_eq!((reason.kind(), counts.polls()), (refused.kind(), 0), "{name}");
        assert_eq!(
            stepped.drive(outer.n.attach(async { counts.polled() })).unwrap_err().kind(),
            refused.kind()
        );
        assert!(outer.finish().is_ready());
        let late = reason_of(stepped.drive(outer.n.nursery().run(|_: Never| ready(Ok(())))));
        assert_eq!((late.kind(), counts.polls()), (refused.kind(), 0), "{name}: it has ended");
        assert_eq!((stepped.tasks(), allhome::task::orphans().len()), (0, 0));
    }
}

/// A nursery that closes meanwhile on another thread has it, or refuses it: it is never ended with
/// one inside.
#[test]
fn a07_the_look_and_the_admission_are_one_step() {
    within(|| {
        let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        let (mut taken, mut refused) = (0, 0);
        for round in 0..2_000 {
            let counts = Counts::new();
            let (tx, rx) = std::sync::mpsc::channel();
            let go = std::sync::Arc::new(std::sync::Barrier::new(2));
            let start = go.clone();
            let inside = counts.clone();
            let other = thread::spawn(move || {
                let n: Never = rx.recv().unwrap();
                start.wait();
                let guard = inside.guard();
                allhome::block_on(n.nursery().run(async |n: Never| {
                    n.spawn(async move {
                        let _guard = guard;
                        Ok(())
                    });
                    Ok(())
                }))
            });
            let outer = nursery().on(Tokio::on(tokio.handle())).run(async |n: Never| {
                tx.send(n.clone()).unwrap();
                go.wait();
                if round % 2 == 0 {
                    yield_now().await;
                }
                Ok(n)
            });
            let n = tokio.block_on(outer).unwrap();
            assert_eq!(n.tree().nurseries().len(), 1, "it has ended with one inside");
            match other.join().unwrap() {
                Ok(()) => taken += 1,
                Err(error) => {
                    assert_eq!(reason_of(Err::<(), _>(error)).kind(), ReasonKind::Closed);
                    refused += 1;
                }
            }
            assert_eq!(counts.drops(), 1);
        }
        assert_eq!(taken + refused, 2_000);
    });
}

/// In a task or body of the nursery itself it is what `nursery()` is: also while it drains, and
/// when it is cancelled.
#[test]
fn a08_its_own_tasks_open_it_as_they_open_any() {
    for cancels in [false, true] {
        let stepped = Stepped::new(1);
        let run = nursery().on(stepped.runtime()).run(async |n: Never| {
            let own = n.clone();
            let child = n.fork(async move {
                let id = task_id();
                if cancels {
                    own.cancel();
                } else {
                    own.close();
                }
                let handle = own.clone();
                let opened = own.nursery().run(async |_: Never| {
                    let tree = handle.tree();
                    assert_eq!(tree.nurseries()[1].opened_by, Opener::Task(id.unwrap()));
                    assert_eq!(is_cancelled(), cancels);
                    // And from the one inside.
                    handle.nursery().run(async |_: Never| Ok(7)).await.map_err(|_| unreachable!())
                });
                Ok(opened.await.unwrap())
            });
            Ok(child.await.ok())
        });
        assert_eq!(stepped.drive(run).unwrap(), Some(7));
    }
}

#[test]
fn a09_attached_it_is_a_part_of_the_nursery() {
    let (stepped, clock, runtime) = world();
    let mut outer = Opened::new(nursery().on(runtime).name("server").deadline(SECOND));
    let (wakes, counts) = (Wakes::new(), Counts::new());
    let limited = stepped.drive(outer.n.attach(async { deadline().is_some() }));
    assert!(limited.unwrap());
    let n = outer.n.clone();
    let borrowed = counts.clone();
    let mut attached = Box::pin(n.attach(async {
        let inner = nursery().name("query").run(async |n: Never| {
            n.spawn(borrowed.parked().child());
            pending::<Result<(), _>>().await
        });
        inner.await.unwrap_err().reason().map(Reason::kind)
    }));
    assert!(poll_once(&mut attached, &wakes).is_pending());
    stepped.run_until_stalled();
    let tree = outer.n.tree();
    assert_eq!(tree.nurseries()[2].name.as_deref(), Some("query"), "{tree}");
    clock.advance(SECOND);
    stepped.run_until_stalled();
    // The value of its last poll wins.
    let ended = poll_once(&mut attached, &wakes);
    assert!(matches!(ended, Poll::Ready(Ok(Some(ReasonKind::Deadline)))), "{ended:?}");
    assert!(outer.finish().is_ready());
    assert_eq!((counts.drops(), clock.sleeps()), (1, 0));
}

#[test]
fn a09_its_cancel_ends_the_future() {
    let stepped = Stepped::new(1);
    let outer = Opened::new(nursery().on(stepped.runtime()));
    let (wakes, counts) = (Wakes::new(), Counts::new());
    let mut attached = Box::pin(outer.n.attach(counts.parked().child::<Infallible>()));
    assert!(poll_once(&mut attached, &wakes).is_pending());
    outer.n.cancel_with(Reason::new("bye"));
    let Poll::Ready(Err(reason)) = poll_once(&mut attached, &wakes) else { panic!("it goes on") };
    assert_eq!((reason.message(), counts.polls(), counts.drops()), ("bye", 2, 1));
    drop(outer);
    // A panic is that of the task that awaits it.
    let outer = Opened::new(nursery().on(stepped.runtime()));
    let panics = outer.n.attach(async { panic!("a bug") });
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| stepped.drive(panics)));
    assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"a bug"));
    assert_eq!((outer.n.level(), outer.n.is_cancelled()), (Level::Running, false));
}

/// The same in every schedule: of a foreign task that is attached, and a nursery that is cancelled.
#[test]
fn a09_in_every_schedule() {
    let explored = Simulator::new().seed(1).schedules(1_000).check(async |n: Never| {
        let counts = Counts::new();
        let inner = counts.clone();
        let outer = nursery().name("server").run(async |server: Never| {
            let handle = server.clone();
            // A sibling of the server: foreign to it.
            let foreign = n.fork(async move {
                let kept = inner.clone();
                let first = handle.attach(async {
                    let _guard = kept.guard();
                    cancelled().await.kind()
                });
                Ok((first.await, handle.attach(async {}).await.map_err(|reason| reason.kind())))
            });
            eventually(|| server.tree().nurseries().len() == 2).await;
            server.cancel();
            let joined = shield(SECOND, foreign).await;
            Ok(joined.ok())
        });
        let (first, again) = outer.await.unwrap().unwrap();
        assert_eq!(first.unwrap(), ReasonKind::Requested);
        assert_eq!(again, Err(ReasonKind::Requested));
        assert_eq!(counts.drops(), 1);
        Ok(())
    });
    assert!(explored.failure().is_none() && explored.schedules() > 100);
}

#[test]
fn a06_the_futures_are_send() {
    fn is_send<T: Send>(_: &T) {}
    let stepped = Stepped::new(1);
    let runtime: Runtime = stepped.runtime();
    let outer = Opened::new(nursery().on(runtime));
    is_send(&outer.n.nursery().run(async |_: Never| Ok(())));
    is_send(&outer.n.attach(async {}));
    is_send(&outer.n.idle());
    is_send(&nursery().run(async |n: Never| {
        n.spawn(async { Ok(()) });
        yield_now().await;
        Ok(())
    }));
}
