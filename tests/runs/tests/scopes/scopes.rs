//! Scopes with a deadline, on a clock that the test moves.

use allhome::cancel::{ReasonKind, cancel_reason, cancel_token};
use allhome::time::{before_deadline, fail_at, remaining};
use allhome::{
    Nursery, cancelled, fail_after, is_cancelled, move_on_after, nursery, shield, sleep,
};
use allhome_conformance::Counts;
use allhome_rt::Timer;
use allhome_runs::{SECOND, in_body, world};
use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

#[test]
fn t06_move_on_gives_the_value_or_none() {
    in_body(async |clock| {
        assert_eq!(move_on_after(2 * SECOND, sleep(SECOND)).await, Some(()));
        assert_eq!(clock.elapsed(), SECOND);
        let (counts, seen) = (Counts::new(), Arc::new(Mutex::new(Vec::new())));
        let (count, sees) = (counts.clone(), seen.clone());
        let cut = move_on_after(SECOND, async move {
            let _guard = count.guard();
            poll_fn::<(), _>(|_| {
                sees.lock().unwrap().push(cancel_token().is_cancelled());
                Poll::Pending
            })
            .await;
        });
        assert_eq!(cut.await, None);
        assert_eq!((clock.elapsed(), counts.drops()), (2 * SECOND, 1));
        let seen = std::mem::take(&mut *seen.lock().unwrap());
        assert_eq!(seen.last(), Some(&true), "one last poll, then dropped");
        assert!(seen.len() <= 3, "and at most one before it in which the time was over");
        // A value that is ready in the poll that shows the end wins.
        let last = move_on_after(SECOND, async {
            let reason = cancelled().await;
            assert!(cancel_token().is_cancelled(), "one that is made now, too");
            (reason.kind(), is_cancelled())
        });
        assert_eq!(last.await, Some((ReasonKind::Deadline, true)));
        assert!(!is_cancelled() && cancel_reason().is_none(), "the rest goes on");
        let made_late = move_on_after(
            SECOND,
            poll_fn(|_| {
                if is_cancelled() {
                    Poll::Ready(cancel_token().is_cancelled())
                } else {
                    Poll::Pending
                }
            }),
        );
        assert_eq!(made_late.await, Some(true), "a token that is made in the last poll");
    });
}

#[test]
fn t07_error_names_the_scope_whose_own_time_was_over() {
    in_body(async |clock| {
        let outer = fail_after(2 * SECOND, async {
            let inner = fail_after(SECOND, pending::<()>()).named("inner").await;
            let elapsed = inner.unwrap_err();
            assert_eq!((elapsed.name(), elapsed.after()), (Some("inner"), Some(SECOND)));
            assert_eq!(elapsed.location().file(), file!());
            // The outer is over while the inner waits: the inner says nothing of it.
            fail_after(5 * SECOND, pending::<()>()).named("never").await
        })
        .named("outer");
        let error = outer.await.unwrap_err().to_string();
        assert!(error.starts_with("`outer` took longer than 2s (at "), "{error}");
        assert_eq!(clock.elapsed(), 2 * SECOND);
        let at = clock.now() + SECOND;
        let error = fail_at(at, pending::<()>()).named("till").await.unwrap_err().to_string();
        assert!(error.starts_with("`till` was not done by its deadline (at "), "{error}");
    });
}

#[test]
fn t08_scope_cancels_the_nurseries_inside_and_waits_for_them() {
    in_body(async |clock| {
        let (counts, last) = (Counts::new(), Arc::new(Mutex::new(None)));
        let (count, seen) = (counts.clone(), last.clone());
        let cut = move_on_after(SECOND, async move {
            let inner = nursery().run(async |n: Nursery<Infallible>| {
                n.spawn(async move {
                    let _guard = count.guard();
                    let why = cancelled().await;
                    *seen.lock().unwrap() = Some(why.kind());
                    // Protected: the nursery is not home before.
                    shield(5 * SECOND, sleep(SECOND)).await;
                    Ok(())
                });
                pending::<Result<(), _>>().await
            });
            inner.await
        });
        assert!(cut.await.is_none(), "joining is not cut short, and the scope tells why");
        assert_eq!(clock.elapsed(), 2 * SECOND);
        assert_eq!(*last.lock().unwrap(), Some(ReasonKind::Deadline));
        assert_eq!(counts.drops(), 1);
        // A nursery that is not awaited delays the scope, too: in a task that is not cancelled.
        let (count, seen) = (counts.clone(), Counts::new());
        let polled = seen.clone();
        let cut = move_on_after(SECOND, async move {
            let inner = nursery().run(async |n: Nursery<Infallible>| {
                n.spawn(async move {
                    cancelled().await;
                    shield(5 * SECOND, sleep(SECOND)).await;
                    count.polled();
                    Ok(())
                });
                pending::<Result<(), _>>().await
            });
            let mut inner = Box::pin(inner);
            let mut first = true;
            poll_fn(|cx| {
                if std::mem::take(&mut first) {
                    // No task is woken by it.
                    let mut noop = Context::from_waker(Waker::noop());
                    assert!(inner.as_mut().poll(&mut noop).is_pending());
                }
                let _waker = cx.waker();
                polled.polled();
                Poll::<()>::Pending
            })
            .await;
        });
        let task = nursery()
            .run(async |n: Nursery<Infallible>| Ok(n.fork(async { Ok(cut.await) }).await.unwrap()));
        assert_eq!(task.await.unwrap(), None);
        assert_eq!((clock.elapsed(), counts.polls()), (4 * SECOND, 1));
    });
}

/// A nursery comes home at the end of the poll that shows the scope's end: what waits for it goes
/// on.
#[test]
fn t08_nursery_that_comes_home_during_the_last_poll() {
    let (stepped, clock, runtime) = world();
    let inside = stepped.clone();
    let run = nursery().on(runtime).run(async move |_: Nursery<Infallible>| {
        let cut = move_on_after(SECOND, async move {
            let inner = nursery().run(async |n: Nursery<Infallible>| {
                n.spawn(pending());
                Ok(())
            });
            let mut inner = Box::pin(inner);
            let home = poll_fn(|cx| {
                let polled = inner.as_mut().poll(cx);
                if is_cancelled() {
                    inside.run_until_stalled();
                }
                polled
            });
            home.await.is_ok()
        });
        Ok(cut.await)
    });
    assert_eq!(clock.drive(&stepped, run).unwrap(), Some(true));
}

#[test]
fn t09_before_deadline_keeps_time_back() {
    let (stepped, clock, runtime) = world();
    let run = nursery().on(runtime).deadline(10 * SECOND).run(async |n: Nursery<Infallible>| {
        let talk = before_deadline(3 * SECOND, async {
            assert_eq!(remaining(), Some(7 * SECOND));
            pending::<()>().await;
        })
        .named("talk");
        assert!(talk.await.is_err());
        assert_eq!((clock.elapsed(), remaining()), (7 * SECOND, Some(3 * SECOND)));
        // The deadline is moved while it waits.
        let talk = before_deadline(SECOND, async {
            n.set_deadline(Some(clock.now() + 20 * SECOND));
            pending::<()>().await;
        })
        .named("talk");
        assert!(talk.await.is_err());
        assert_eq!(clock.elapsed(), 26 * SECOND);
        let none = before_deadline(60 * SECOND, pending::<()>()).named("talk");
        assert!(none.await.is_err(), "more than is left: one poll");
        n.set_deadline(None);
        assert!(
            before_deadline(SECOND, sleep(SECOND)).named("talk").await.is_ok(),
            "no deadline, no limit"
        );
        Ok(())
    });
    clock.drive(&stepped, run).unwrap();
    assert_eq!(clock.sleeps(), 0);
}
