//! A nursery inside a child of another: cancelled, aborted, dropped while its own child is polled.

use crate::home::{Fault, Home};
use crate::kid::{Kid, Until};
use crate::model;
use allhome::{Child, Nursery, nursery};
use loom::thread;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::Poll;

/// A child that opens a nursery with one child in it, and waits for that.
async fn parent(kid: Kid) -> Result<(), Fault> {
    let inner = nursery().run(|n: Nursery<Fault>| {
        n.spawn(kid.plain());
        std::future::ready(Ok(()))
    });
    inner.await.map_err(|_| Fault)
}

/// A nursery with such a child in it, which says when it goes on.
// A function of its own, because the models' stacks are small.
#[inline(never)]
fn home_of_parent(kid: Kid) -> (Home, Arc<AtomicBool>) {
    let went_on = Arc::new(AtomicBool::new(false));
    let goes_on = went_on.clone();
    let child = Box::pin(async move {
        parent(kid).await?;
        goes_on.store(true, Relaxed);
        Ok(())
    });
    let (home, _) = Home::open(move |n| n.spawn(child).id());
    (home, went_on)
}

/// The same, and then looks at that nursery no more: it is never ready.
async fn idle_parent(kid: Kid) -> Result<(), Fault> {
    let mut inner = std::pin::pin!(parent(kid));
    let mut first = true;
    std::future::poll_fn(move |cx| {
        if std::mem::take(&mut first) {
            assert!(inner.as_mut().poll(cx).is_pending());
        }
        Poll::Pending
    })
    .await
}

/// A nursery with such a child in it.
// As above.
#[inline(never)]
fn home_of_idle_parent(kid: Kid) -> Home {
    let child = Box::pin(idle_parent(kid));
    Home::open(move |n| n.spawn(child).id()).0
}

/// The outer child has seen its cancel and waits for the inner nursery: the last child to leave
/// that has to wake it, and it goes on.
#[test]
fn c07_cancel_versus_last_of_the_inner_nursery() {
    model(|| {
        let (kid, book) = Kid::new(Until::Cancel);
        let (mut home, went_on) = home_of_parent(kid);
        let outer = home.manual.parked();
        let inner = home.manual.parked();
        assert!(home.nursery.cancel());
        let other = thread::spawn(move || inner.run());
        let outer = outer.run();
        assert!(home.settle([outer, other.join().unwrap()]));
        assert!(went_on.load(Relaxed), "it was destroyed where it waited");
        book.check();
        home.close();
    });
}

/// A child that opens a nursery whose body ends when it sees a cancel.
async fn asks_in_a_body(began: Arc<AtomicBool>, ended: Arc<AtomicBool>) -> Result<(), Fault> {
    began.store(true, Relaxed);
    let inner = nursery().run(|_: Nursery<Fault>| {
        std::future::poll_fn(|_| {
            if allhome::is_cancelled() { Poll::Ready(Ok(())) } else { Poll::Pending }
        })
    });
    drop(inner.await);
    ended.store(true, Relaxed);
    Ok(())
}

#[inline(never)]
fn home_of_one_who_asks() -> (Home, Child<(), Fault>, [Arc<AtomicBool>; 2]) {
    let [began, ended] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
    let child = Box::pin(asks_in_a_body(began.clone(), ended.clone()));
    let (home, child) = Home::open(move |n| n.fork(child));
    (home, child, [began, ended])
}

/// The child alone is cancelled while it is polled: its last poll shows that in the body, too.
#[test]
fn c04_cancel_of_the_child_versus_a_poll_of_the_body_inside() {
    model(|| {
        let (mut home, child, [began, ended]) = home_of_one_who_asks();
        let outer = home.manual.job();
        let other = thread::spawn(move || outer.run());
        assert!(child.cancel());
        let outer = other.join().unwrap();
        drop(child);
        assert!(home.settle([outer]));
        let seen = ended.load(Relaxed) || !began.load(Relaxed);
        assert!(seen, "it was destroyed, and had not seen the cancel");
        home.close();
    });
}

/// The outer child waits for something else, but may not be destroyed before the inner nursery is
/// empty: it has to be woken even so.
#[test]
fn c07_cancel_versus_last_of_an_inner_nursery_that_is_not_joined() {
    model(|| {
        let (kid, book) = Kid::new(Until::Cancel);
        let mut home = home_of_idle_parent(kid);
        let outer = home.manual.parked();
        let inner = home.manual.parked();
        assert!(home.nursery.cancel());
        let other = thread::spawn(move || inner.run());
        let outer = outer.run();
        assert!(home.settle([outer, other.join().unwrap()]));
        book.check();
        home.close();
    });
}

#[test]
fn c04_cancel_of_the_child_versus_last_of_its_nursery() {
    model(|| {
        let (kid, book) = Kid::new(Until::Yields(1));
        let (mut home, child) = Home::open(move |n| n.fork(parent(kid)));
        let outer = home.manual.parked();
        let inner = home.manual.parked();
        let other = thread::spawn(move || inner.run());
        assert!(child.cancel());
        let outer = outer.run();
        drop(child);
        assert!(home.settle([outer, other.join().unwrap()]));
        book.check();
        home.close();
    });
}

/// The inner nursery is opened while the outer one is cancelled.
#[test]
fn c09_opening_versus_cancel() {
    model(|| {
        let (kid, book) = Kid::new(Until::Never);
        let (mut home, _) = Home::open(move |n| n.spawn(parent(kid)).id());
        let outer = home.manual.job();
        let other = thread::spawn(move || outer.run());
        assert!(home.nursery.cancel());
        assert!(home.settle([other.join().unwrap()]));
        book.check();
        home.close();
    });
}

/// The outer child is destroyed, and the inner nursery's future with it, while a child in there is
/// polled: the outer nursery has it until that poll ends.
#[test]
fn o05_drop_of_inner_run_versus_poll() {
    model(|| {
        let (kid, book) = Kid::new(Until::Never);
        let (mut home, child) = Home::open(move |n| n.fork(parent(kid)));
        let outer = home.manual.parked();
        let inner = home.manual.job();
        let other = thread::spawn(move || inner.run());
        assert!(child.abort());
        drop(child);
        if home.poll() {
            assert!(book.is_over(), "the outer nursery is ready, and an inner child is there");
        }
        assert!(home.settle([Some(outer), other.join().unwrap()]));
        assert!(book.polls() <= 1);
        book.check();
        home.close();
    });
}

/// The same with a child that ends by itself, and the outer nursery's future dropped.
#[test]
fn o19_drop_of_outer_run_versus_last_of_the_inner_nursery() {
    model(|| {
        let (kid, book) = Kid::new(Until::Yields(1));
        let (mut home, _) = Home::open(move |n| n.spawn(parent(kid)).id());
        let outer = home.manual.parked();
        let inner = home.manual.parked();
        let other = thread::spawn(move || inner.run());
        home.abandon();
        assert!(home.settle([Some(outer), other.join().unwrap()]));
        book.check();
        home.close();
    });
}
