//! Tasks that come late: the report names them all.

use super::{LADDER, SECOND, lines, on, report, shielded, steps, works};
use allhome::cancel::Level;
use allhome::{Nursery, nursery, sleep};
use allhome_conformance::Counts;
use allhome_runs::{Clock, Hold, Opened, Wakes, poll_once, world};
use std::convert::Infallible;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::task::Poll;

#[test]
fn d03_the_report_names_every_straggler() {
    let spawned = Arc::new(Mutex::new(0));
    let line = spawned.clone();
    let mut ids = None;
    let ids_out = &mut ids;
    let report = report(
        |runtime| nursery().on(runtime).name("server"),
        |n, _| async move {
            *line.lock().unwrap() = line!() + 1;
            let outer = n.task("request").fork(async move {
                let inner = nursery().name("fan-out").run(async |n: Nursery<Infallible>| {
                    n.task("lookup").spawn(works(100, 1));
                    Ok(())
                });
                drop(inner.await);
                works(0, 0).await
            });
            // Nothing notifies it of the cancel, and it still leaves late.
            n.task("shielded").spawn(shielded(async {
                let inner = nursery().run(async |n: Nursery<Infallible>| {
                    n.task("kept away").spawn(works(12, 0));
                    Ok(())
                });
                inner.await.unwrap();
            }));
            n.task("done").spawn(works(1, 0));
            n.task("asleep").spawn(works(100, 30));
            *ids_out = outer.id();
            steps(n.shutdown(), LADDER).await.unwrap()
        },
    );
    let (cancelled, out) = (Some(Level::Cancelled), None);
    assert_eq!(
        lines(&report),
        [
            ("asleep", out, 17),
            ("kept away", cancelled, 12),
            ("lookup", cancelled, 11),
            ("request", cancelled, 11),
            ("shielded", cancelled, 12)
        ]
    );
    let request = report.stragglers().iter().find(|late| late.name() == Some("request")).unwrap();
    assert_eq!((request.task(), Some(request.nursery())), (ids, ids.map(|id| id.nursery())));
    assert_eq!(request.location().file(), file!());
    assert_eq!(request.location().line(), *spawned.lock().unwrap());
    assert!(!report.all_home());
    assert_eq!(report.still_out().count(), 1);

    let text = report.to_string();
    let mut rows = text.lines();
    let first = rows.next().unwrap();
    assert!(first.contains("`server`: aborted, 17.000s, 4 came late, 1 still out"), "{text}");
    let rows: Vec<_> = rows.collect();
    assert_eq!(rows.len(), 5);
    assert!(rows.iter().any(|row| row.contains("`asleep` is still out after 17.000s")), "{text}");
    assert!(rows.iter().all(|row| row.contains(file!())), "{text}");
}

#[test]
fn d03_somebody_in_a_poll_is_named() {
    let (stepped, clock, runtime) = world();
    let (hold, mut opened) = (Hold::new(), Opened::new(nursery().on(runtime)));
    let stays = hold.clone();
    opened.n.task("blocks").spawn(async move {
        stays.stay();
        Ok(())
    });
    let thread = stepped.step_on_a_thread();
    hold.wait_entered();
    // From outside: the body is one of them, too. It is not polled.
    let report = drive_alone(&clock, steps(opened.n.shutdown(), LADDER)).unwrap();
    assert_eq!(lines(&report), [("-", None, 17), ("blocks", None, 17)]);
    let body = report.stragglers().iter().find(|late| late.task().is_none()).unwrap();
    assert!(body.to_string().starts_with("body of nursery"), "{body}");
    hold.release();
    thread.join().unwrap();
    assert!(opened.poll().is_ready());
}

/// Polls the future, and moves the clock, until it is ready.
fn drive_alone<F: Future>(clock: &Clock, future: F) -> F::Output {
    let (mut future, wakes) = (Box::pin(future), Wakes::new());
    loop {
        if let Poll::Ready(output) = poll_once(&mut future, &wakes) {
            return output;
        }
        assert!(clock.step(), "it waits for ever");
    }
}

#[test]
fn d10_ten_thousand_are_listed_once() {
    let counts = Counts::new();
    let parked = counts.clone();
    let report = report(on, |n, _| async move {
        for _ in 0..10_000 {
            n.spawn(parked.parked().child());
        }
        steps(n.shutdown(), LADDER).await.unwrap()
    });
    assert_eq!((report.stragglers().len(), counts.drops()), (10_000, 10_000));
    assert!(report.all_home());
    let mut ids: Vec<_> = report.stragglers().iter().map(|late| late.task()).collect();
    ids.dedup();
    assert_eq!(ids.len(), 10_000);
}

/// A server's requests have nurseries of their own, and some are cut off: by their deadline, or by
/// each other. That is no shutdown's business, before it begins and while it drains.
#[test]
fn d15_a_cancel_of_a_nursery_inside_makes_no_task_late() {
    let report = report(on, |n, clock| async move {
        let server = n.clone();
        for _ in 0..20 {
            n.task("request").spawn(async {
                let inner = nursery().deadline(SECOND).run(async |n: Nursery<Infallible>| {
                    n.task("lookup").spawn(works(100, 1));
                    n.task("other").fork(works(100, 0)).cancel();
                    Ok(())
                });
                drop(inner.await);
                Ok(())
            });
        }
        n.task("raises").spawn(async move {
            sleep(9 * SECOND).await;
            server.close();
            Ok(())
        });
        n.task("lasts").spawn(works(12, 0));
        let report = steps(n.shutdown().when_raised(), LADDER).await.unwrap();
        assert_eq!(clock.elapsed(), 12 * SECOND);
        report
    });
    assert_eq!((lines(&report), report.echoes().len()), (Vec::new(), 0));
    assert_eq!(report.took(), 3 * SECOND, "it began when it was raised");
    assert!(report.all_home());
}

/// The tasks of a nursery inside are late when the one around is cancelled, by whatever.
#[test]
fn d15_a_cancel_of_the_nursery_around_does() {
    for by_token in [false, true] {
        let report = report(on, |n, _| async move {
            let token = n.token();
            n.task("request").spawn(async {
                let inner = nursery().run(async |n: Nursery<Infallible>| {
                    n.task("lookup").spawn(works(100, 1));
                    Ok(())
                });
                drop(inner.await);
                Ok(())
            });
            let shutdown = steps(n.shutdown().when_raised(), LADDER);
            let server = n.clone();
            n.spawn(async move {
                sleep(SECOND).await;
                match by_token {
                    true => token.cancel(),
                    false => server.cancel(),
                };
                Ok(())
            });
            shutdown.await.unwrap()
        });
        let late = lines(&report);
        let cancelled = Some(Level::Cancelled);
        assert!(late.contains(&("lookup", cancelled, 1)), "{late:?}");
        assert!(late.contains(&("request", cancelled, 1)), "{late:?}");
    }
}
