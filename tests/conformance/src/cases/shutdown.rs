//! Clauses d..: shutting down step by step.

use super::{Nursery, nursery};
use crate::probe::{Counts, Gate, eventually};
use allhome::cancel::Level;
use allhome::runtime::Runtime;
use allhome::shutdown::{Shutdown, ShutdownError};
use allhome::{CancelToken, Reason, cancelled, draining};
use std::convert::Infallible;
use std::future::pending;
use std::thread;
use std::time::Duration;

fn patient(n: &Nursery<Infallible>) -> Shutdown {
    n.shutdown().drain(Duration::MAX).cancel(Duration::MAX).abort(Duration::MAX)
}

pub(super) async fn d02_drains_until_everybody_is_home(runtime: Runtime) {
    let counts = Counts::new();
    let report = nursery()
        .on(runtime)
        .run(async |n: Nursery<Infallible>| {
            for _ in 0..20 {
                let counts = counts.clone();
                n.spawn(async move {
                    draining().await;
                    counts.polled();
                    Ok(())
                });
            }
            Ok(patient(&n).await.unwrap())
        })
        .await
        .unwrap();
    assert_eq!((report.level(), report.stragglers().len()), (Level::Draining, 0));
    assert_eq!(counts.polls(), 20, "no child was cancelled");
}

pub(super) async fn d03_late_ones_are_named_with_their_level(runtime: Runtime) {
    let (counts, ready) = (Counts::new(), Counts::new());
    let report = nursery()
        .on(runtime)
        .run(async |n: Nursery<Infallible>| {
            n.task("parked").spawn(counts.parked().child());
            let (inside, polled) = (counts.clone(), ready.clone());
            n.task("outer").spawn(async move {
                let inner = nursery().run(async |n: Nursery<Infallible>| {
                    n.task("inner").spawn(inside.parked().child());
                    polled.polled();
                    pending::<Result<(), _>>().await
                });
                drop(inner.await);
                Ok(())
            });
            eventually(|| ready.polls() == 1 && counts.polls() == 2).await;
            let report = patient(&n).drain(Duration::ZERO).await.unwrap();
            assert_eq!(counts.drops(), 2, "they are home");
            Ok(report)
        })
        .await
        .unwrap();
    let mut names: Vec<_> = report.stragglers().iter().map(|late| late.name().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["inner", "outer", "parked"]);
    assert!(report.stragglers().iter().all(|late| late.left() == Some(Level::Cancelled)));
    assert!(report.all_home());
}

pub(super) async fn d05_a_token_takes_it_on_from_another_thread(runtime: Runtime) {
    let (operator, gate) = (CancelToken::new(), Gate::new());
    let report = nursery()
        .on(runtime)
        .token(&operator)
        .run(async |n: Nursery<Infallible>| {
            let opened = gate.clone();
            n.task("late").spawn(async move {
                opened.open();
                cancelled().await;
                Ok(())
            });
            gate.wait().await;
            let shutdown = patient(&n).when_raised();
            let operator = operator.clone();
            let thread = thread::spawn(move || {
                assert_eq!(operator.escalate(Reason::new("asked")), Level::Draining);
                assert_eq!(operator.escalate(Reason::new("asked again")), Level::Cancelled);
            });
            let report = shutdown.await.unwrap();
            thread.join().unwrap();
            Ok(report)
        })
        .await
        .unwrap();
    assert_eq!(report.level(), Level::Cancelled);
    assert_eq!(report.reason().unwrap().message(), "asked again");
    assert_eq!(report.stragglers()[0].name(), Some("late"));
}

pub(super) async fn d07_a_task_inside_is_refused(runtime: Runtime) {
    nursery()
        .on(runtime)
        .run(async |n: Nursery<Infallible>| {
            let (id, inside) = (n.id(), n.clone());
            let answer = n.fork(async move { Ok(patient(&inside).await.map(drop)) });
            assert_eq!(answer.await.unwrap(), Err(ShutdownError::Inside(id)));
            assert_eq!(n.level(), Level::Running);
            Ok(())
        })
        .await
        .unwrap();
}
