//! Injection: a program is ended at each of its await points.

use super::Small;
use allhome::{Nursery, sim, yield_now};
use std::convert::Infallible;
use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

#[test]
fn y11_every_await_point_is_struck_by_each() {
    let ends: Arc<Mutex<Vec<String>>> = Arc::default();
    let report = sim::inject(|| {
        let ends = ends.clone();
        let body = async move |n: Nursery<Infallible>| {
            let child = n.fork(async {
                yield_now().await;
                Ok(())
            });
            let outcome = child.await;
            let what = match &outcome {
                Ok(()) => "ok",
                Err(error) if error.panic().is_some() => "panic",
                Err(error) if error.reason().is_some() => "cancelled",
                Err(_) => "lost",
            };
            ends.lock().unwrap().push(what.to_owned());
            Ok(())
        };
        (body, || {})
    });
    let report = report.unwrap();
    // The body's join, and the child's turn.
    assert_eq!((report.points(), report.runs()), (2, 1 + 2 * 3 + 1));
    assert_eq!((report.cancels(), report.drops(), report.panics(), report.losses()), (2, 2, 2, 1));
    let ends = ends.lock().unwrap();
    for what in ["ok", "panic", "cancelled", "lost"] {
        assert!(ends.iter().any(|end| end == what), "no {what} in {ends:?}");
    }
}

/// A finalizer is in the middle of its work when the nursery is cancelled, and when the program is
/// dropped; it is done either way.
#[test]
fn y11_finalizers_are_struck_by_what_they_must_outlast() {
    let report = sim::inject(|| {
        let tidied = Arc::new(AtomicUsize::new(0));
        let own = tidied.clone();
        let body = async move |n: Nursery<Infallible>| {
            let tidy = async move {
                yield_now().await;
                yield_now().await;
                own.fetch_add(1, Ordering::SeqCst);
                Ok::<_, Infallible>(())
            };
            n.defer(Duration::MAX, tidy);
            Ok(())
        };
        (body, move || assert_eq!(tidied.load(Ordering::SeqCst), 1, "it is done once"))
    });
    let report = report.unwrap();
    assert_eq!((report.points(), report.runs()), (2, 1 + 2 * 2));
    assert_eq!((report.cancels(), report.drops(), report.panics(), report.losses()), (2, 2, 0, 0));
}

#[test]
fn y11_permit_that_is_kept_is_found() {
    let report = sim::inject(|| {
        let limit = Small { sound: true, ..Small::default() };
        let own = limit.clone();
        let body = async move |n: Nursery<Infallible>| {
            // It has no guard: a child that is ended between the two keeps the permit.
            n.spawn(async move {
                own.acquire().await;
                yield_now().await;
                own.release();
                Ok(())
            });
            Ok(())
        };
        (body, move || assert!(!limit.lock().taken, "the permit is back"))
    });
    // The child's turn, struck by each of four; a cancel leaves it one more poll, in which it
    // comes to its end.
    assert_eq!((report.points(), report.failed()), (1, 3));
    assert!(report.failures()[0].contains("the permit is back"), "{report}");
    assert!(std::panic::catch_unwind(|| drop(report.unwrap())).is_err());
}

#[test]
fn y11_hang_and_leftovers_are_found() {
    let report = sim::inject(|| {
        let body = async |n: Nursery<Infallible>| {
            let (runtime, turns) = (n.runtime().clone(), n.clone());
            // A task of the runtime, in no nursery, that ends when the test says so.
            let told = Arc::new(Mutex::new(false));
            let tell = told.clone();
            runtime.spawn(allhome_rt::Task::from_future(async move {
                std::future::poll_fn(|_| match *told.lock().unwrap() {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                })
                .await;
            }));
            *tell.lock().unwrap() = true;
            turns.spawn(async {
                yield_now().await;
                Ok(())
            });
            Ok(())
        };
        (body, || {})
    });
    assert_eq!(report.unwrap().failed(), 0);
    let report = sim::inject(|| {
        let body = async |n: Nursery<Infallible>| {
            n.runtime().spawn(allhome_rt::Task::from_future(pending()));
            Ok(())
        };
        (body, || {})
    });
    assert_eq!(report.failed(), 1);
    assert!(report.failures()[0].contains("1 tasks and 0 sleeps are left"), "{report}");
}
