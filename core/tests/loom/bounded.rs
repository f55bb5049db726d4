//! Slots: reserved against the end of the nursery, lent and taken back against release.
//!
//! Every model ends with all permits back.

use crate::home::{Fault, Home};
use crate::kid::{Kid, Until};
use crate::model;
use crate::waiting::Waiting;
use allhome::limit::{AcquireOwned, OwnedPermit, Reserve, ReserveError};
use allhome::task::TaskBuilder;
use allhome::{Nursery, Semaphore, nursery};
use loom::thread;
use std::sync::Arc;
use std::task::Poll;

type Reserving = Waiting<Reserve<Fault>>;
type Reserved = Result<TaskBuilder<'static, Fault>, ReserveError>;

/// A nursery of one slot, whose body stays; the slot, and a reservation that waits for it.
fn reserving() -> (Home, TaskBuilder<'static, Fault>, Reserving) {
    let limiter = Arc::new(Semaphore::new(1));
    let (home, (slot, reserve)) =
        Home::held_limited(&limiter, |n| (n.try_reserve().unwrap(), n.reserve()));
    (home, slot, Waiting::new(reserve))
}

/// The result that it got on a thread, or gets now: the thread that decides it wakes it.
#[track_caller]
fn end((waiting, poll): (Reserving, Poll<Reserved>)) -> Reserved {
    match poll {
        Poll::Ready(reserved) => reserved,
        Poll::Pending => waiting.ready(),
    }
}

fn turns(mut waiting: Reserving) -> (Reserving, Poll<Reserved>) {
    let poll = waiting.turns();
    (waiting, poll)
}

#[track_caller]
fn close(mut home: Home) {
    let limiter = home.nursery.limiter().unwrap().clone();
    // The body was cut off, where it was cancelled.
    home.settle([]);
    assert_eq!((limiter.available(), limiter.waiters()), (1, 0));
    home.close();
}

#[test]
fn l06_reserve_versus_cancel() {
    model(|| {
        let (home, slot, waiting) = reserving();
        let thread = thread::spawn(move || turns(waiting));
        assert!(home.nursery.cancel());
        assert!(matches!(end(thread.join().unwrap()), Err(ReserveError::Refused(_))));
        drop(slot);
        close(home);
    });
}

#[test]
fn l06_reserve_versus_close() {
    model(|| {
        let (home, slot, waiting) = reserving();
        let thread = thread::spawn(move || turns(waiting));
        assert!(home.nursery.close());
        assert!(matches!(end(thread.join().unwrap()), Err(ReserveError::Refused(_))));
        drop(slot);
        close(home);
    });
}

/// Granted or refused, and nothing else; a slot that was used still comes back.
#[test]
fn l06_granted_versus_cancel() {
    model(|| {
        let (home, slot, mut waiting) = reserving();
        assert!(waiting.turns().is_pending());
        let nursery = home.nursery.clone();
        let thread = thread::spawn(move || nursery.cancel());
        drop(slot);
        let reserved = end(turns(waiting));
        assert!(thread.join().unwrap());
        match reserved {
            Ok(slot) => assert!(slot.spawn(async { Ok(()) }).refused().is_some()),
            Err(error) => assert!(error.reason().is_some()),
        }
        close(home);
    });
}

#[test]
fn l07_dropped_versus_granted() {
    model(|| {
        let (home, slot, mut waiting) = reserving();
        assert!(waiting.turns().is_pending());
        let thread = thread::spawn(move || drop(waiting));
        drop(slot);
        thread.join().unwrap();
        close(home);
    });
}

/// An acquire that leaves because of its task's cancel while it is granted: the permit is used, or
/// goes back.
#[test]
fn s23_cancel_versus_release() {
    model(|| {
        let limiter = Arc::new(Semaphore::new(1));
        let permit = limiter.clone().try_acquire_owned().unwrap();
        let shared = limiter.clone();
        let child = Box::pin(async move { shared.acquire().await.map(drop).or(Ok(())) });
        let (mut home, _) = Home::open(move |n| n.spawn(child).id());
        let job = home.manual.parked();
        home.nursery.cancel();
        let thread = thread::spawn(move || job.run());
        drop(permit);
        let job = thread.join().unwrap();
        home.settle([job]);
        assert_eq!((limiter.available(), limiter.waiters()), (1, 0));
        home.close();
    });
}

/// The slot comes after the cancel, as the slot of a cancelled sibling does: a child whose first
/// poll is under way meanwhile is not let in by it.
#[test]
fn l03_first_poll_versus_cancel_and_then_release() {
    model(|| {
        let (kid, book) = Kid::new(Until::Yields(0));
        let limiter = Arc::new(Semaphore::new(1));
        let permit = limiter.clone().try_acquire_owned().unwrap();
        let (mut home, _) = Home::limited(&limiter, move |n| n.spawn(kid.plain()).id());
        let job = home.manual.job();
        let thread = thread::spawn(move || job.run());
        assert!(home.nursery.cancel());
        drop(permit);
        let job = thread.join().unwrap();
        assert!(home.settle([job]));
        assert_eq!(book.polls(), 0);
        book.check();
        assert_eq!((limiter.available(), limiter.waiters()), (1, 0));
        home.close();
    });
}

/// A child that has the only slot, and waits in a nursery on the same limiter for a child of that.
// A function of its own, because the models' stacks are small.
#[inline(never)]
fn lending(kid: Kid) -> (Home, Arc<Semaphore>) {
    let limiter = Arc::new(Semaphore::new(1));
    let inner = limiter.clone();
    let child = Box::pin(async move {
        let run = nursery().limiter(&inner).run(|n: Nursery<Fault>| {
            n.spawn(kid.plain());
            std::future::ready(Ok(()))
        });
        Box::pin(run).await.map_err(|_| Fault)?;
        Ok(())
    });
    let (home, _) = Home::limited(&limiter, move |n| n.try_reserve().unwrap().spawn(child).id());
    (home, limiter)
}

/// Lets the nested child end, and takes the slot before the lender has it back: that waits for it.
#[track_caller]
fn wanted(home: &mut Home, limiter: &Arc<Semaphore>) -> OwnedPermit {
    let outer = home.manual.parked();
    let inner = home.manual.job().run();
    let permit = limiter.clone().try_acquire_owned().unwrap();
    home.quiet([Some(outer), inner]);
    assert_eq!((home.nursery.len(), limiter.waiters()), (1, 1));
    permit
}

/// The nested child ends, and the lender takes back, while another task comes and goes.
#[test]
fn l16_taken_back_versus_acquire() {
    model(|| {
        let (kid, book) = Kid::new(Until::Yields(0));
        let (mut home, limiter) = lending(kid);
        let outer = home.manual.parked();
        let inner = home.manual.job();
        let thread = thread::spawn(move || inner.run());
        let mut other: Waiting<AcquireOwned> = Waiting::new(limiter.clone().acquire_owned());
        let got = other.turns();
        let outer = outer.run();
        home.quiet([outer, thread.join().unwrap()]);
        // A waiter is woken as soon as it is there.
        drop(match got {
            Poll::Ready(permit) => permit,
            Poll::Pending => other.ready(),
        });
        assert!(home.settle([]));
        book.check();
        assert_eq!((limiter.available(), limiter.waiters()), (1, 0));
        home.close();
    });
}

/// It waits for its slot, which comes back while another task asks for it.
#[test]
fn l16_wanted_versus_acquire_and_release() {
    model(|| {
        let (kid, book) = Kid::new(Until::Yields(0));
        let (mut home, limiter) = lending(kid);
        let permit = wanted(&mut home, &limiter);
        let thread = thread::spawn(move || drop(permit));
        let mut other: Waiting<AcquireOwned> = Waiting::new(limiter.clone().acquire_owned());
        let got = other.turns();
        thread.join().unwrap();
        let early = matches!(got, Poll::Ready(_));
        drop(got);
        home.quiet([]);
        if !early {
            drop(other.ready());
        }
        assert!(home.settle([]));
        book.check();
        assert_eq!((limiter.available(), limiter.waiters()), (1, 0));
        home.close();
    });
}

/// It waits for its slot, which comes back while it is cancelled.
#[test]
fn l18_wanted_and_cancelled_versus_release() {
    model(|| {
        let (kid, book) = Kid::new(Until::Yields(0));
        let (mut home, limiter) = lending(kid);
        let permit = wanted(&mut home, &limiter);
        let nursery = home.nursery.clone();
        let thread = thread::spawn(move || nursery.cancel());
        drop(permit);
        assert!(thread.join().unwrap());
        assert!(home.settle([]));
        book.check();
        assert_eq!((limiter.available(), limiter.waiters()), (1, 0));
        home.close();
    });
}
