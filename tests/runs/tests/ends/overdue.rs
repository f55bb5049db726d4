//! Code that computes and does not wait: it asks whether it is cancelled, and sees a deadline that
//! has passed although nothing was polled since.

use allhome::cancel::{ReasonKind, cancel_reason, cancel_token, cancellable};
use allhome::time::{before_deadline, remaining};
use allhome::{
    Nursery, Reason, checkpoint, fail_after, is_cancelled, move_on_after, nursery, shield,
    yield_now,
};
use allhome_conformance::Counts;
use allhome_rt::{BoxSleep, Runtime, Timer};
use allhome_runs::{Clock, Jobs, SECOND, Stepped, Wakes, in_body, poll_once, world};
use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};

/// Computes until a second is over.
fn compute(clock: &Clock) {
    clock.advance(SECOND);
}

/// All that is said of a deadline that is over agrees. Returns the reason.
#[track_caller]
fn is_over() -> Reason {
    assert!(is_cancelled() && remaining() == Some(Duration::ZERO));
    let reason = cancel_reason().unwrap();
    assert_eq!(reason.kind(), ReasonKind::Deadline);
    let token = cancel_token();
    assert!(token.is_cancelled() && token.reason().unwrap().same(&reason), "one that is made now");
    assert!(cancel_reason().unwrap().same(&reason), "the same each time");
    reason
}

#[track_caller]
fn is_on() {
    assert!(!is_cancelled() && cancel_reason().is_none() && !cancel_token().is_cancelled());
}

#[test]
fn t16_scope_of_its_own_and_around() {
    in_body(async |clock| {
        let computed = move_on_after(SECOND, async {
            is_on();
            compute(&clock);
            is_over()
        });
        assert!(computed.await.is_some(), "a value wins");
        is_on();
        let computed = fail_after(2 * SECOND, async {
            let inner = fail_after(SECOND, async {
                compute(&clock);
                assert_eq!(is_over().message(), "inner");
                compute(&clock);
                assert_eq!(is_over().message(), "inner", "the first stays");
                pending::<()>().await
            })
            .named("inner");
            assert!(inner.await.is_err());
            is_over().message().to_string()
        })
        .named("outer");
        assert_eq!(computed.await.unwrap(), "outer");
        let told = move_on_after(SECOND, async {
            compute(&clock);
            checkpoint().await
        });
        assert!(told.await.is_none(), "the scope tells it");
        let told = nursery().deadline(SECOND).run(async |_: Nursery<Infallible>| {
            compute(&clock);
            Ok(checkpoint().await.unwrap_err().kind())
        });
        assert_eq!(told.await.unwrap(), ReasonKind::Deadline);
    });
}

/// What it says is what the next poll does: one more, with the cancel visible, and then the end.
#[test]
fn t16_scope_ends_after_one_more_poll() {
    in_body(async |clock| {
        let counts = Counts::new();
        let (count, mut reasons) = (counts.clone(), Vec::new());
        let cut = move_on_after(
            SECOND,
            poll_fn(|_| {
                count.polled();
                if count.polls() == 1 {
                    compute(&clock);
                }
                reasons.push(is_over());
                Poll::<()>::Pending
            }),
        );
        assert_eq!(cut.await, None);
        assert_eq!(counts.polls(), 2);
        assert!(reasons[0].same(&reasons[1]));
    });
}

#[test]
fn t16_shield_keeps_it_away_until_its_budget_is_spent() {
    in_body(async |clock| {
        let cut = move_on_after(SECOND, async {
            shield(SECOND, async {
                compute(&clock);
                is_on();
                assert!(cancellable(poll_fn(|_| Poll::Ready(is_cancelled()))).await.unwrap());
                // The budget is counted from the poll that sees what it keeps away.
                yield_now().await;
                is_on();
                compute(&clock);
                is_over();
            })
            .await;
        });
        assert_eq!(cut.await, Some(()));
        // `before_deadline` follows a deadline that is moved.
        let inner = nursery().deadline(3 * SECOND).run(async |n: Nursery<Infallible>| {
            let kept = before_deadline(2 * SECOND, async {
                n.set_deadline(Some(clock.now() + 4 * SECOND));
                compute(&clock);
                is_on();
                compute(&clock);
                is_over();
            })
            .named("it");
            kept.await.unwrap();
            is_on();
            Ok(())
        });
        inner.await.unwrap();
    });
}

#[test]
fn t16_nursery() {
    let (stepped, clock, runtime) = world();
    let seen = Arc::new(Mutex::new(None));
    let (see, inside) = (seen.clone(), clock.clone());
    let run = nursery().on(&runtime).deadline(SECOND).run(async |n: Nursery<Infallible>| {
        n.spawn(async move {
            is_on();
            compute(&inside);
            *see.lock().unwrap() = Some(is_over());
            pending().await
        });
        pending::<Result<(), _>>().await
    });
    let error = clock.drive(&stepped, run).unwrap_err();
    assert!(error.is_timeout());
    assert!(error.reason().unwrap().same(&seen.lock().unwrap().take().unwrap()));
    // A body: the deadline cannot be moved any more, and no child is admitted.
    let run = nursery().on(&runtime).deadline(SECOND).run(async |n: Nursery<Infallible>| {
        compute(&clock);
        let reason = is_over();
        assert!(!n.set_deadline(None));
        assert!(n.is_cancelled() && n.reason().unwrap().same(&reason));
        assert!(!n.spawn(pending()).is_admitted());
        assert!(n.token().reason().unwrap().same(&reason));
        yield_now().await;
        Ok(is_over().same(&reason))
    });
    assert!(clock.drive(&stepped, run).unwrap());
    // An error because of it is an echo.
    let run = nursery().on(&runtime).deadline(SECOND).run(async |n: Nursery<Reason>| {
        let (handle, clock) = (n.clone(), clock.clone());
        n.spawn(async move {
            let _handle = handle;
            compute(&clock);
            checkpoint().await
        });
        pending::<Result<(), _>>().await
    });
    let error = clock.drive(&stepped, run).unwrap_err();
    assert!(error.is_timeout() && error.errors().next().is_none(), "{error:?}");
}

/// The token is made while the deadline is over and the timer has not fired.
#[test]
fn t16_nursery_with_a_token_ends_all_the_same() {
    for ask_first in [false, true] {
        let (stepped, clock, runtime) = world();
        let inside = clock.clone();
        let run = nursery().on(&runtime).deadline(SECOND).run(async |n: Nursery<Infallible>| {
            let early = ask_first.then(cancel_token);
            n.spawn(async move {
                let early = ask_first.then(cancel_token);
                compute(&inside);
                let late = is_over();
                let _waits = (early, late, cancel_token());
                pending().await
            });
            let _early = early;
            pending::<Result<(), _>>().await
        });
        assert!(clock.drive(&stepped, run).unwrap_err().is_timeout());
        assert_eq!(clock.sleeps(), 0);
    }
}

#[test]
fn t16_timeout_leaves_the_body_out() {
    let (stepped, clock, runtime) = world();
    let inside = clock.clone();
    let run =
        nursery().on(&runtime).children_deadline(SECOND).run(async |n: Nursery<Infallible>| {
            let child = n.fork(async move {
                compute(&inside);
                Ok(is_over())
            });
            let reason = child.await.unwrap();
            is_on();
            yield_now().await;
            is_on();
            assert!(n.is_cancelled());
            Ok(reason.kind())
        });
    assert_eq!(clock.drive(&stepped, run).unwrap(), ReasonKind::Deadline);
}

/// The deadline is of a nursery further out, set before what is inside is opened or after, or of a
/// scope that it was opened in.
#[test]
fn t16_what_is_around() {
    for late in [false, true] {
        for protected in [false, true] {
            let (stepped, clock, runtime) = world();
            let inside = clock.clone();
            let outer = nursery().on(&runtime);
            let outer = if late { outer } else { outer.deadline(SECOND) };
            let run = outer.run(async move |n: Nursery<Infallible>| {
                let middle = nursery().run(async |_: Nursery<Infallible>| {
                    let inner = nursery().run(async |inner: Nursery<Infallible>| {
                        if late {
                            n.set_deadline(Some(inside.now() + SECOND));
                        }
                        let clock = inside.clone();
                        let child = inner.fork(async move {
                            compute(&clock);
                            if protected {
                                is_on()
                            } else {
                                drop(is_over())
                            }
                            Ok(())
                        });
                        Ok(child.await.is_ok())
                    });
                    Ok(if protected { shield(SECOND, inner).await } else { inner.await })
                });
                Ok(middle.await.unwrap().unwrap())
            });
            let _ended = clock.drive(&stepped, run);
        }
    }
}

#[test]
fn t16_scope_around_a_nursery() {
    in_body(async |clock| {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (see, inside) = (seen.clone(), clock.clone());
        let cut = fail_after(SECOND, async move {
            let inner = nursery().run(async |n: Nursery<Infallible>| {
                n.spawn(async move {
                    is_on();
                    compute(&inside);
                    see.lock().unwrap().push(is_over());
                    allhome::cancelled().await;
                    see.lock().unwrap().push(is_over());
                    Ok(())
                });
                pending::<Result<(), _>>().await
            });
            // Ready only outside of the scope: see T18.
            inner.await
        })
        .named("scope");
        let error = cut.await.unwrap_err().to_string();
        assert!(error.starts_with("`scope` took longer than 1s"), "{error}");
        let seen = seen.lock().unwrap();
        assert!(seen.len() == 2 && seen.iter().all(|reason| reason.same(&seen[0])));
        assert_eq!(seen[0].message(), "scope");
    });
}

/// One that has left the scope that it was opened in does not see its deadline any more.
#[test]
fn t16_scope_that_is_gone() {
    in_body(async |clock| {
        let inside = clock.clone();
        let left = move_on_after(SECOND, async {
            let mut run = Box::pin(nursery().run(async |n: Nursery<Infallible>| {
                yield_now().await;
                let clock = inside.clone();
                let child = n.fork(async move {
                    compute(&clock);
                    is_on();
                    Ok(())
                });
                Ok(child.await.is_ok())
            }));
            assert!(poll_once(&mut run, &Wakes::new()).is_pending());
            (run,)
        });
        let (run,) = left.await.unwrap();
        assert!(run.await.unwrap());
    });
}

#[test]
fn t16_blocking_work() {
    let (stepped, clock, jobs, wakes) = (Stepped::new(1), Clock::new(), Jobs::new(), Wakes::new());
    let builder = Runtime::builder("stepped", stepped.spawner());
    let runtime = builder.timer(clock.clone()).blocking(jobs.clone()).build();
    let inside = clock.clone();
    let mut run =
        Box::pin(nursery().on(runtime).deadline(SECOND).run(async move |n: Nursery<Reason>| {
            let work = n.blocking(move |cx| {
                cx.check()?;
                compute(&inside);
                assert!(cx.is_cancelled() && cx.token().is_cancelled());
                is_over();
                cx.check()
            });
            drop(work);
            pending::<Result<(), _>>().await
        }));
    assert!(poll_once(&mut run, &wakes).is_pending());
    (jobs.take().unwrap())();
    let Poll::Ready(result) = poll_once(&mut run, &wakes) else { panic!("it is over") };
    let error = result.unwrap_err();
    assert!(error.is_timeout() && error.errors().next().is_none(), "{error:?}");
}

/// Where no deadline holds, the clock is not looked at.
#[test]
fn t16_no_deadline_no_look_at_the_clock() {
    struct Counting(Arc<AtomicUsize>);
    impl Timer for Counting {
        fn now(&self) -> Instant {
            self.0.fetch_add(1, Ordering::Relaxed);
            Instant::now()
        }
        fn sleep_until(&self, _: Instant) -> BoxSleep {
            Box::pin(pending())
        }
    }
    let (stepped, looks) = (Stepped::new(1), Arc::new(AtomicUsize::new(0)));
    let timer = Counting(looks.clone());
    let runtime = Runtime::builder("stepped", stepped.spawner()).timer(timer).build();
    let run = nursery().on(runtime).run(async |n: Nursery<Infallible>| {
        let ask = async || {
            move_on_after(Duration::MAX, async { is_on() }).await;
            shield(Duration::MAX, async { is_on() }).await;
            nursery()
                .run(async |_: Nursery<Infallible>| {
                    is_on();
                    Ok(())
                })
                .await
                .unwrap();
        };
        ask().await;
        let child = n.fork(async {
            is_on();
            Ok(())
        });
        Ok(child.await.is_ok())
    });
    assert!(stepped.drive(run).unwrap());
    assert_eq!(looks.load(Ordering::Relaxed), 0);
}
