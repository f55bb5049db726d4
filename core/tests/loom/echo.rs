//! Echoes: an error at the end of a poll, against a cancel that begins on another thread.

use crate::home::{Fault, Home, outcome};
use crate::kid::{Kid, Until};
use crate::model;
use allhome::{Child, Nursery, Policy};
use loom::sync::atomic::{AtomicBool, Ordering::SeqCst};
use loom::thread;
use std::sync::Arc;

/// The nursery's result says of the child what its handle says.
#[test]
fn f22_error_of_a_poll_versus_cancel() {
    model(|| {
        let (kid, book) = Kid::new(Until::Fails);
        let (mut home, child) = Home::open(move |n| n.fork(kid));
        let job = home.manual.job();
        let nursery = home.nursery.clone();
        let other = thread::spawn(move || nursery.cancel());
        let job = job.run();
        assert!(other.join().unwrap());
        let clean = home.settle([job]);
        let error = outcome(child).map(drop).expect_err("it has no value");
        match error.error() {
            Some(_) => assert!(!clean && book.polls() == 1, "a failure, of before the cancel"),
            None => assert!(clean && error.reason().is_some(), "an echo, or never polled"),
        }
        book.check();
        home.close();
    });
}

/// A child that fails if it sees something that followed from a cancel.
async fn collateral(closed: Arc<AtomicBool>) -> Result<(), Fault> {
    if closed.load(SeqCst) { Err(Fault) } else { Ok(()) }
}

fn collateral_versus(cancel: fn(&Nursery<Fault>)) {
    model(move || {
        let closed = Arc::new(AtomicBool::new(false));
        let (seen, close) = (closed.clone(), closed);
        let (mut home, _callback) = Home::open(move |n| {
            n.spawn(collateral(seen));
            n.token().on_cancel(move |_| close.store(true, SeqCst))
        });
        let job = home.manual.job();
        let nursery = home.nursery.clone();
        let other = thread::spawn(move || cancel(&nursery));
        let job = job.run();
        other.join().unwrap();
        assert!(home.settle([job]), "what follows from a cancel is no failure");
        drop(_callback);
        home.close();
    });
}

#[test]
fn f22_what_follows_from_a_cancel() {
    collateral_versus(|n| assert!(n.cancel()));
}

#[test]
fn f22_what_follows_from_a_cancel_of_the_token() {
    collateral_versus(|n| assert!(n.token().cancel()));
}

async fn join(child: Child<(), Fault>) -> Result<(), Fault> {
    child.await.map_err(|_| Fault)
}

async fn need(child: Child<(), Fault>) -> Result<(), Fault> {
    child.value().await;
    Ok(())
}

#[test]
fn f23_two_joiners_of_one_failure() {
    for needs in [false, true] {
        model(move || {
            let (kid, book) = Kid::new(Until::Fails);
            let (mut home, ()) = Home::with(Policy::WaitAll, 2, move |n| {
                let first = n.fork(kid.plain());
                let second = if needs { n.fork(need(first)) } else { n.fork(join(first)) };
                drop(n.spawn(join(second)));
            });
            let (first, second) = (home.manual.job(), home.manual.job());
            let other = thread::spawn(move || first.run());
            let jobs = [second.run(), other.join().unwrap()];
            assert!(!home.settle(jobs));
            assert_eq!(home.failures(), 1, "one failure is listed once");
            book.check();
            home.close();
        });
    }
}
