//! The owner of a nursery that is a value: it goes, or closes, while the driver polls or is dropped.

use crate::home::Fault;
use crate::kid::{Book, Kid, Until};
use crate::manual::{Flag, Job, Manual};
use crate::model;
use allhome::task::Close;
use allhome::{Nursery, Owner, nursery};
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// One with a child that waits for ever; and its driver's task, polled as often as it was woken.
#[inline(never)]
fn opened(cancels: bool) -> (Manual, Owner<Fault>, Nursery<Fault>, Job, Arc<Book>) {
    let (mut manual, runtime) = Manual::new(1);
    let (kid, book) = Kid::new(Until::Never);
    let (n, owner) = nursery().on(&runtime).open::<Fault, _>().expect("it is opened");
    let driver = manual.job().run().expect("it waits");
    n.spawn(kid.plain());
    let carrier = manual.job().run();
    manual.give(carrier);
    if cancels {
        n.cancel();
    }
    (manual, owner, n, driver, book)
}

fn poll(close: &mut Close<Fault>, woken: &Arc<Flag>) -> bool {
    let waker = Waker::from(woken.clone());
    match Pin::new(close).poll(&mut Context::from_waker(&waker)) {
        Poll::Ready(_) => true,
        Poll::Pending => false,
    }
}

/// Lets the rest come to its end: nothing is left of it.
#[track_caller]
fn settle(mut manual: Manual, n: Nursery<Fault>, driver: Option<Job>, book: &Book) {
    manual.give(driver);
    while manual.turns() {}
    assert!(n.is_empty() && book.is_over());
    book.check();
    manual.check();
    drop(n);
    assert!(manual.is_free(), "a nursery that was not freed");
}

#[test]
fn a15_drop_versus_the_driver() {
    model(|| {
        let (manual, owner, n, driver, book) = opened(true);
        let other = thread::spawn(move || driver.run());
        drop(owner);
        let driver = other.join().unwrap();
        settle(manual, n, driver, &book);
    });
}

#[test]
fn a17_drop_versus_the_loss_of_the_driver() {
    model(|| {
        let (manual, owner, n, driver, book) = opened(false);
        let other = thread::spawn(move || drop(driver));
        drop(owner);
        other.join().unwrap();
        settle(manual, n, None, &book);
    });
}

/// The wake that ends it comes with the driver's poll, or after it: none is lost.
#[test]
fn a12_close_versus_the_driver() {
    model(|| {
        let (mut manual, owner, n, driver, book) = opened(true);
        while manual.turns() {}
        let other = thread::spawn(move || driver.run());
        let (mut close, woken) = (owner.close(), Flag::new(false));
        let ready = poll(&mut close, &woken);
        let driver = other.join().unwrap();
        manual.give(driver);
        while manual.turns() {}
        assert!(ready || woken.take() && poll(&mut close, &woken), "`close` was not woken");
        drop(close);
        settle(manual, n, None, &book);
    });
}

#[test]
fn a17_close_versus_the_loss_of_the_driver() {
    model(|| {
        let (mut manual, owner, n, driver, book) = opened(true);
        while manual.turns() {}
        let other = thread::spawn(move || drop(driver));
        let (mut close, woken) = (owner.close(), Flag::new(false));
        let ready = poll(&mut close, &woken);
        other.join().unwrap();
        assert!(ready || woken.take() && poll(&mut close, &woken), "`close` was not woken");
        drop(close);
        settle(manual, n, None, &book);
    });
}

/// Its driver is lost, and two wakes poll it in place.
#[test]
fn a17_wakes_in_place() {
    model(|| {
        let (mut manual, owner, n, driver, book) = opened(false);
        drop(driver);
        let handle = n.clone();
        let other = thread::spawn(move || _ = handle.cancel());
        let (mut close, woken) = (owner.close(), Flag::new(false));
        let ready = poll(&mut close, &woken);
        other.join().unwrap();
        while manual.turns() {}
        assert!(ready || woken.take() && poll(&mut close, &woken), "`close` was not woken");
        drop(close);
        settle(manual, n, None, &book);
    });
}

/// The look and the admission of a nursery inside are one step: where it is admitted, the nursery
/// around has not ended.
#[test]
fn a07_opening_inside_versus_the_end() {
    model(|| {
        let (mut manual, runtime) = Manual::new(1);
        let (n, owner) = nursery().on(&runtime).open::<Fault, _>().expect("it is opened");
        drop(runtime);
        let driver = manual.job().run().expect("it waits");
        let handle = n.clone();
        let ended = Arc::new(AtomicBool::new(false));
        let end = ended.clone();
        let other = thread::spawn(move || {
            if let Ok((_, inside)) = handle.nursery().open::<Fault, _>() {
                assert!(!end.load(Ordering::SeqCst), "opened in a nursery that has ended");
                drop(inside);
            }
        });
        let (mut close, woken) = (owner.close(), Flag::new(false));
        let ready = poll(&mut close, &woken);
        manual.give(Some(driver));
        while manual.turns() {}
        let ready = ready || woken.take() && poll(&mut close, &woken);
        ended.store(ready, Ordering::SeqCst);
        other.join().unwrap();
        while manual.turns() {}
        assert!(ready || woken.take() && poll(&mut close, &woken), "`close` was not woken");
        drop(close);
        assert!(n.is_empty());
        manual.check();
        drop(n);
        assert!(manual.is_free(), "a nursery that was not freed");
    });
}
