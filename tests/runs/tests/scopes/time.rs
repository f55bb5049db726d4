//! Deadlines of nurseries, and timeouts, on a clock that the test moves.

use allhome::cancel::{ReasonKind, cancel_token};
use allhome::error::Cause;
use allhome::runtime::ThreadPool;
use allhome::time::{deadline, move_on_at, remaining};
use allhome::{
    Nursery, block_on, cancelled, fail_after, is_cancelled, move_on_after, nursery, shield, sleep,
    yield_now,
};
use allhome_conformance::Counts;
use allhome_rt::{BoxSleep, Instant, Runtime, Timer};
use allhome_runs::{Clock, SECOND, Stepped, Wakes, in_body, poll_once, world};
use std::convert::Infallible;
use std::future::{Future, pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;
use std::time::Duration;

#[test]
fn t01_deadline_cancels_the_nursery_and_what_is_in_it() {
    let (stepped, clock, runtime) = world();
    let (counts, inside) = (Counts::new(), Counts::new());
    let (count, deep) = (counts.clone(), inside.clone());
    let run = nursery().on(runtime).deadline(5 * SECOND).run(async |n: Nursery<Infallible>| {
        n.spawn(count.parked().child());
        n.spawn(async move {
            let inner = nursery().run(async |n: Nursery<Infallible>| {
                n.spawn(deep.parked().child());
                pending::<Result<(), _>>().await
            });
            let error = inner.await.unwrap_err();
            assert_eq!(error.reason().unwrap().kind(), ReasonKind::Deadline);
            Ok(())
        });
        pending::<Result<(), _>>().await
    });
    let error = clock.drive(&stepped, run).unwrap_err();
    assert!(error.is_timeout());
    assert_eq!(error.reason().unwrap().kind(), ReasonKind::Deadline);
    assert!(matches!(error.first().cause(), Cause::Cancelled(_)), "the body, which had no value");
    assert_eq!((counts.polls(), counts.drops()), (2, 1), "one last poll");
    assert_eq!((inside.polls(), inside.drops()), (2, 1), "one last poll");
    assert_eq!(clock.elapsed(), 5 * SECOND);
}

#[test]
fn t02_earliest_deadline_on_the_way_down_holds() {
    let (stepped, clock, runtime) = world();
    let start = clock.now();
    let at = |seconds| Some(start + seconds * SECOND);
    let run = nursery().on(runtime).deadline(10 * SECOND).run(async |n: Nursery<Infallible>| {
        assert_eq!((deadline(), n.deadline()), (at(10), at(10)));
        let later = nursery().deadline(20 * SECOND).run(async |n: Nursery<Infallible>| {
            let child = n.fork(async { Ok(deadline()) });
            Ok((n.deadline(), child.await.unwrap()))
        });
        assert_eq!(later.await.unwrap(), (at(10), at(10)), "that of the nursery around");
        let earlier = nursery().deadline(3 * SECOND).run(async |n: Nursery<Infallible>| {
            let child = n.fork(async { Ok(deadline()) });
            Ok(child.await.unwrap())
        });
        assert_eq!(earlier.await.unwrap(), at(3));
        let scope = move_on_after(7 * SECOND, async {
            sleep(SECOND).await;
            let inner = nursery().run(async |n: Nursery<Infallible>| {
                Ok((remaining(), n.fork(async { Ok(deadline()) }).await.unwrap()))
            });
            (deadline(), inner.await.unwrap())
        });
        let found = scope.await.unwrap();
        assert_eq!(found, (at(7), (Some(6 * SECOND), at(7))), "that of a scope");
        assert_eq!(remaining(), Some(9 * SECOND));
        let shielded = shield(4 * SECOND, async { (deadline(), remaining()) });
        assert_eq!(shielded.await, (None, None), "a shield keeps them away");
        let inner = nursery().run(async |n: Nursery<Infallible>| Ok((n.deadline(), deadline())));
        let shielded = shield(4 * SECOND, inner).await;
        assert_eq!(shielded.unwrap(), (None, None), "and from a nursery that is opened in it");
        Ok(())
    });
    clock.drive(&stepped, run).unwrap();
    assert_eq!((deadline(), remaining()), (None, None), "nowhere");
}

#[test]
fn t03_zero_past_far_and_never_are_fine() {
    let (stepped, clock, runtime) = world();
    clock
        .drive(
            &stepped,
            nursery().on(&runtime).run(async |_: Nursery<Infallible>| {
                sleep(SECOND).await;
                Ok(())
            }),
        )
        .unwrap();
    let past = clock.now() - SECOND / 2;
    let builder = || nursery().on(&runtime);
    for builder in [builder().deadline(Duration::ZERO), builder().deadline_at(past)] {
        let run = builder.run(async |n: Nursery<Infallible>| {
            assert!(is_cancelled(), "from the first poll on");
            assert!(!n.spawn(pending()).is_admitted());
            pending::<Result<(), _>>().await
        });
        assert!(clock.drive(&stepped, run).unwrap_err().is_timeout());
    }
    // A value that is ready in the poll that shows it wins.
    let at_once = builder().deadline(Duration::ZERO).run(async |_: Nursery<Infallible>| Ok(7));
    assert_eq!(clock.drive(&stepped, at_once).unwrap(), 7);
    for far in [Duration::MAX, Duration::from_secs(u64::MAX), 1_000_000_000 * SECOND] {
        let run = builder()
            .deadline(far)
            .grace(far)
            .run(async |n| n.fork(async { Ok(7) }).await.map_err(|_| unreachable!()));
        assert_eq!(clock.drive(&stepped, run).unwrap(), 7);
    }
    in_body(async move |clock| {
        for zero in [
            move_on_after(Duration::ZERO, ready_at(&clock, 0)),
            move_on_at(past, ready_at(&clock, 0)),
        ] {
            assert_eq!(zero.await, Some(()), "one poll");
        }
        for zero in [move_on_after(Duration::ZERO, pending()), move_on_at(past, pending::<()>())] {
            assert_eq!(zero.await, None);
        }
        let mut told = Vec::new();
        let zero = poll_fn(|_| {
            told.push(is_cancelled() && cancel_token().is_cancelled());
            Poll::<()>::Pending
        });
        assert_eq!(move_on_after(Duration::ZERO, zero).await, None);
        assert_eq!(told, [true], "told before its one poll");
        for far in [Duration::MAX, Duration::from_secs(u64::MAX)] {
            assert_eq!(move_on_after(far, sleep(SECOND)).await, Some(()));
        }
    });
    // `Duration::MAX` asks for no timer.
    let timeless = Stepped::new(1);
    let run = nursery().on(timeless.runtime()).deadline(Duration::MAX).run(
        async |_: Nursery<Infallible>| {
            assert_eq!(move_on_after(Duration::MAX, ready(7)).await, Some(7));
            assert_eq!(shield(Duration::MAX, ready(7)).await, 7);
            Ok(())
        },
    );
    timeless.drive(run).unwrap();
}

/// Is ready when so many seconds have passed, when it is polled.
fn ready_at(clock: &Clock, seconds: u32) -> impl Future<Output = ()> + use<> {
    let clock = clock.clone();
    poll_fn(
        move |_| if clock.elapsed() >= seconds * SECOND { Poll::Ready(()) } else { Poll::Pending },
    )
}

#[test]
fn t04_deadline_can_be_moved_while_it_runs() {
    for (to, ends_after) in [(Some(2), 2), (Some(20), 20), (None, 30)] {
        let (stepped, clock, runtime) = world();
        let start = clock.now();
        let run =
            nursery().on(runtime).deadline(10 * SECOND).run(async |n: Nursery<Infallible>| {
                let mover = n.clone();
                n.spawn(async move {
                    sleep(SECOND).await;
                    let at = to.map(|seconds| start + seconds * SECOND);
                    assert!(mover.set_deadline(at));
                    assert_eq!(mover.deadline(), at);
                    pending().await
                });
                sleep(30 * SECOND).await;
                n.cancel();
                assert!(!n.set_deadline(Some(start)), "it is cancelled");
                Ok(())
            });
        let result = clock.drive(&stepped, run);
        assert_eq!(result.is_err_and(|error| error.is_timeout()), to.is_some());
        assert_eq!(clock.elapsed(), ends_after * SECOND, "moved to {to:?}");
        assert_eq!(clock.sleeps(), 0);
    }
    // Set by the body, while the nursery's future is polled.
    let (stepped, clock, runtime) = world();
    let run = nursery().on(runtime).run(async |n: Nursery<Infallible>| {
        assert!(n.set_deadline(Some(start_of(&clock) + 4 * SECOND)));
        n.close();
        pending::<Result<(), _>>().await
    });
    assert!(clock.drive(&stepped, run).unwrap_err().is_timeout());
    assert_eq!(clock.elapsed(), 4 * SECOND);
    // Set in the poll in which the nursery's future looks at its clock, by a child of the pool.
    let run = nursery().on(ThreadPool::global()).run(async |n: Nursery<Infallible>| {
        let mover = n.clone();
        n.spawn(async move {
            let now = mover.runtime().timer().now();
            mover.set_deadline(Some(now));
            pending().await
        });
        pending::<Result<(), _>>().await
    });
    assert!(block_on(run).unwrap_err().is_timeout());
}

fn start_of(clock: &Clock) -> std::time::Instant {
    clock.now() - clock.elapsed()
}

#[test]
fn t05_timers_are_released_when_the_scope_ends() {
    let (stepped, clock, runtime) = world();
    let (wakes, held) = (Wakes::new(), Counts::new());
    let run = nursery().on(&runtime).deadline(10 * SECOND).run(async |_: Nursery<Infallible>| {
        assert_eq!(move_on_after(SECOND, yield_now()).await, Some(()));
        assert!(fail_after(SECOND, yield_now()).named("it").await.is_ok());
        let mut kept = Box::pin(move_on_after(SECOND, yield_now()));
        assert_eq!(kept.as_mut().await, Some(()));
        assert_eq!(clock.sleeps(), 1, "the nursery's own");
        Ok(())
    });
    clock.drive(&stepped, run).unwrap();
    assert_eq!(clock.sleeps(), 0);
    // Dropped early.
    let mut dropped =
        Box::pin(nursery().on(&runtime).deadline(SECOND).run(async |_: Nursery<Infallible>| {
            let _held = held.guard();
            move_on_after(SECOND, pending::<()>()).await;
            Ok(())
        }));
    assert!(poll_once(&mut dropped, &wakes).is_pending());
    assert_eq!(clock.sleeps(), 2);
    drop(dropped);
    assert_eq!((clock.sleeps(), held.drops()), (0, 1));
}

#[test]
fn t10_children_deadline_leaves_the_body_what_there_is() {
    let (stepped, clock, runtime) = world();
    let run =
        nursery().on(&runtime).children_deadline(5 * SECOND).run(async |n: Nursery<Infallible>| {
            let children: Vec<_> = (3..8u32)
                .map(|seconds| {
                    n.fork(async move {
                        sleep(seconds * SECOND).await;
                        Ok(seconds)
                    })
                })
                .collect();
            let mut found = Vec::new();
            for child in children {
                match child.await {
                    Ok(seconds) => found.push(seconds),
                    Err(error) => assert_eq!(error.reason().unwrap().kind(), ReasonKind::Deadline),
                }
            }
            assert!(!is_cancelled() && n.is_cancelled(), "the children are, and not the body");
            assert!(!n.spawn(pending()).is_admitted());
            Ok(found)
        });
    let found = clock.drive(&stepped, run).unwrap();
    assert!(found == [3, 4] || found == [3, 4, 5], "five is a draw: {found:?}");
    assert_eq!(clock.elapsed(), 5 * SECOND);
    // The body sees its own cancel, and not the children's.
    let begun = clock.now();
    let run =
        nursery().on(&runtime).children_deadline(SECOND).run(async |n: Nursery<Infallible>| {
            let (token, early) = (cancel_token(), move_on_after(5 * SECOND, cancelled()).await);
            assert!(
                early.is_some() && clock.now() - begun == 5 * SECOND,
                "told by the scope alone"
            );
            assert!(
                n.token().is_cancelled() && !token.is_cancelled() && !cancel_token().is_cancelled()
            );
            n.cancel();
            assert!(is_cancelled() && token.is_cancelled() && cancel_token().is_cancelled());
            Ok(cancelled().await.kind())
        });
    assert_eq!(clock.drive(&stepped, run).unwrap(), ReasonKind::Deadline, "the nursery's first");
    // Any other cancel ends the body too, before the timeout and after it.
    for before in [true, false] {
        let (stepped, clock, runtime) = world();
        let run = nursery().on(runtime).run(async |outer: Nursery<Infallible>| {
            let canceller = outer.clone();
            outer.spawn(async move {
                sleep(if before { SECOND } else { 3 * SECOND }).await;
                canceller.cancel();
                Ok(())
            });
            let inner = nursery()
                .children_deadline(2 * SECOND)
                .run(async |_: Nursery<Infallible>| pending::<Result<(), _>>().await);
            assert_eq!(inner.await.unwrap_err().is_timeout(), !before);
            Ok(())
        });
        clock.drive(&stepped, run).unwrap();
        assert_eq!(clock.elapsed(), if before { SECOND } else { 3 * SECOND });
    }
}

/// A timer that panics when it is asked for a sleep, as tokio's does on a runtime without time.
struct NoTime;

impl Timer for NoTime {
    fn sleep_until(&self, _: Instant) -> BoxSleep {
        panic!("this runtime has no time");
    }
}

#[test]
fn t11_timer_that_panics_does_so_where_the_nursery_is_opened() {
    let stepped = Stepped::new(1);
    let runtime = Runtime::builder("timeless", stepped.spawner()).timer(NoTime).build();
    let builder = || nursery().on(&runtime);
    let cases = [
        builder().deadline(SECOND),
        builder().children_deadline(SECOND),
        builder().grace(SECOND),
        builder().stuck_after(SECOND),
    ];
    for builder in cases {
        let run = builder.run(async |_: Nursery<Infallible>| -> Result<(), _> {
            unreachable!("it is not called")
        });
        let opened = catch_unwind(AssertUnwindSafe(|| stepped.drive(run)));
        let panic = opened.map(drop).unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"this runtime has no time"));
    }
    let never = builder().deadline(Duration::MAX).grace(Duration::ZERO);
    stepped.drive(never.run(async |_: Nursery<Infallible>| Ok(()))).unwrap();
}

#[test]
fn t13_kind_of_the_cancel_tells_and_not_the_clock() {
    let (stepped, clock, runtime) = world();
    let start = clock.now();
    let run = nursery().on(&runtime).deadline(SECOND).run(async |n: Nursery<Infallible>| {
        fn_at(start + SECOND).await;
        // It is due, and cancelled by a call first.
        n.cancel();
        pending::<Result<(), _>>().await
    });
    let mut run = Box::pin(run);
    let wakes = Wakes::new();
    assert!(poll_once(&mut run, &wakes).is_pending());
    assert!(clock.step());
    let error = clock.drive(&stepped, run).unwrap_err();
    let kind = error.reason().unwrap().kind();
    assert_eq!(error.is_timeout(), kind == ReasonKind::Deadline);
    // A cancel of the task is not taken for the scope's own time.
    let (stepped, clock, runtime) = world();
    let run = nursery().on(runtime).run(async |n: Nursery<Infallible>| {
        let child = n.fork(async {
            let ended = fail_after(5 * SECOND, async {
                cancelled().await;
                "left"
            })
            .named("scope");
            Ok(ended.await)
        });
        sleep(SECOND).await;
        child.cancel();
        Ok(child.await.unwrap())
    });
    assert_eq!(clock.drive(&stepped, run).unwrap(), Ok("left"));
}

async fn fn_at(at: std::time::Instant) {
    allhome::time::sleep_until(at).await;
}
