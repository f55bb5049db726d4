//! A nursery that others raise: they take its shutdown on, and may be waited for to begin.

use super::{LADDER, NEVER, lines, on, report, shielded, steps, works};
use allhome::cancel::Level;
use allhome::{CancelToken, Nursery, Reason, nursery, shield, sleep};
use allhome_runs::{Opened, SECOND, Wakes, poll_once, world};
use futures_util::future::join;
use std::convert::Infallible;
use std::future::{Future, pending};
use std::task::Poll;
use std::time::Duration;

#[test]
fn d05_whoever_raises_the_nursery_takes_it_on() {
    let token = CancelToken::new();
    let operator = token.clone();
    let report = report(
        |runtime| nursery().on(runtime).token(&token),
        |n, clock| async move {
            n.task("slow").spawn(works(100, 100));
            let impatient = async {
                sleep(2 * SECOND).await;
                assert_eq!(operator.escalate(Reason::new("asked")), Level::Draining);
                assert_eq!(operator.escalate(Reason::new("asked again")), Level::Cancelled);
                sleep(SECOND).await;
                assert_eq!(n.level(), Level::Cancelled);
                assert_eq!(operator.escalate(Reason::new("once more")), Level::Aborted);
                assert_eq!(operator.escalate(Reason::new("and again")), Level::Aborted);
            };
            let (report, ()) = join(steps(n.shutdown(), LADDER), shielded_body(impatient)).await;
            assert_eq!(clock.elapsed(), 5 * SECOND, "two for the last step");
            report.unwrap()
        },
    );
    assert_eq!(report.level(), Level::Aborted);
    assert_eq!(report.reason().unwrap().message(), "asked again", "the first reason");
    assert_eq!(lines(&report), [("slow", None, 5)]);
}

async fn shielded_body(inside: impl Future<Output = ()>) {
    shield(Duration::MAX, inside).await;
}

#[test]
fn d06_it_may_wait_for_somebody_to_begin() {
    type Raise = fn(&Nursery<Infallible>);
    let raises: [(Raise, Level, u64); 3] = [
        (|n| assert!(n.close()), Level::Draining, 10),
        (|n| assert!(n.cancel()), Level::Cancelled, 0),
        (|n| assert!(n.abort()), Level::Aborted, 0),
    ];
    for (raise, first, drained) in raises {
        let report = report(on, |n, clock| async move {
            n.task("long").spawn(works(100, 1));
            n.spawn(works(3, 0));
            let raiser = async {
                sleep(20 * SECOND).await;
                assert_eq!(n.level(), Level::Running);
                raise(&n);
                assert_eq!(n.level(), first);
            };
            let ladder = steps(n.shutdown(), LADDER).when_raised();
            let (report, ()) = join(ladder, shielded_body(raiser)).await;
            assert_eq!(clock.elapsed().as_secs(), 20 + report.as_ref().unwrap().took().as_secs());
            report.unwrap()
        });
        let step = first.max(Level::Cancelled);
        let took = drained + u64::from(first < Level::Aborted);
        if first < Level::Aborted {
            assert_eq!(lines(&report), [("long", Some(step), took)]);
        }
        assert_eq!((report.level(), report.took().as_secs()), (step, took));
    }
    // A failure is one way to begin, and an empty nursery is the other end.
    let ended = report(on, |n, _| async move {
        n.spawn(works(3, 0));
        steps(n.shutdown(), LADDER).when_raised().await.unwrap()
    });
    assert_eq!((ended.level(), ended.took()), (Level::Running, Duration::ZERO));
    assert!(ended.to_string().contains("no task was running"), "{ended}");
}

#[test]
fn d06_from_outside_it_is_woken_by_every_rise() {
    let (stepped, _clock, runtime) = world();
    let (wakes, mut opened) = (Wakes::new(), Opened::new(nursery().on(runtime)));
    opened.n.spawn(shielded(pending()));
    stepped.run_until_stalled();
    let mut shutdown = Box::pin(steps(opened.n.shutdown(), NEVER).when_raised());
    let raises: [fn(&Nursery<Infallible>) -> bool; 3] =
        [Nursery::close, |n| n.cancel(), |n| n.abort()];
    for raise in raises {
        assert!(poll_once(&mut shutdown, &wakes).is_pending());
        let before = wakes.count();
        assert!(raise(&opened.n));
        assert_eq!(wakes.count(), before + 1);
    }
    // The body has seen it, and ends.
    assert!(poll_once(&mut shutdown, &wakes).is_pending());
    assert!(opened.poll().is_pending());
    assert!(poll_once(&mut shutdown, &wakes).is_pending());
    // A shield does not keep what is dropped; the clock stands still.
    stepped.shutdown();
    assert!(opened.poll().is_ready());
    let Poll::Ready(Ok(report)) = poll_once(&mut shutdown, &wakes) else { unreachable!() };
    assert_eq!(lines(&report), [("-", Some(Level::Aborted), 0), ("-", Some(Level::Aborted), 0)]);
}

#[test]
fn d06_the_nursery_is_dropped_meanwhile() {
    let (stepped, _clock, runtime) = world();
    let (wakes, opened) = (Wakes::new(), Opened::new(nursery().on(runtime)));
    opened.n.task("child").spawn(pending());
    stepped.run_until_stalled();
    let mut shutdown = Box::pin(steps(opened.n.shutdown(), NEVER));
    assert!(poll_once(&mut shutdown, &wakes).is_pending());
    drop(opened.run);
    assert!(wakes.count() > 0);
    let Poll::Ready(Ok(report)) = poll_once(&mut shutdown, &wakes) else { unreachable!() };
    assert_eq!(
        lines(&report),
        [("-", Some(Level::Aborted), 0), ("child", Some(Level::Aborted), 0)]
    );
}
