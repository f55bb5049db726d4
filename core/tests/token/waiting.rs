//! Everything that waits: futures, guards, streams.

use crate::{Count, calls, poll};
use allhome::cancel::{CancelExt, CancelStreamExt, Level};
use allhome::{CancelToken, Reason};
use futures_core::Stream;
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

#[test]
fn k06_waker_may_poll_register_cancel_and_drop() {
    type Slot = Mutex<Option<Pin<Box<dyn Future<Output = Reason> + Send>>>>;
    let root = CancelToken::new();
    let child = root.child();
    let slot: Arc<Slot> = Arc::default();
    *slot.lock().unwrap() = Some(Box::pin(child.clone().cancelled_owned()));
    let (inside, polled) = (slot.clone(), Arc::new(Count::default()));
    let (counted, token) = (polled.clone(), Mutex::new(Some(child)));
    let other = root.clone();
    let waker = calls(move || {
        let mut future = inside.lock().unwrap().take().unwrap();
        assert!(poll(future.as_mut(), Waker::noop()).is_ready());
        drop(future);
        let token = token.lock().unwrap().take().unwrap();
        assert!(!token.cancel() && !other.cancel() && token.child().is_cancelled());
        assert!(poll(pin!(token.cancelled()), Waker::noop()).is_ready());
        let ran = counted.clone();
        token.on_cancel(move |_| ran.add()).keep();
        assert!(other.escalate_to(Level::Aborted, Reason::new("")));
        drop(token);
    });
    let future = slot.lock().unwrap().take();
    let mut future = future.unwrap();
    assert!(poll(future.as_mut(), &waker).is_pending());
    *slot.lock().unwrap() = Some(future);
    drop(waker);
    root.cancel();
    assert_eq!(polled.get(), 1);
    assert_eq!(root.level(), Level::Aborted);
}

#[test]
fn k07_waiter_is_woken_once_by_its_latest_waker() {
    let token = CancelToken::new();
    let (first, latest) = (Arc::new(Count::default()), Arc::new(Count::default()));
    let mut waiting = pin!(token.cancelled());
    let mut owned = pin!(token.clone().cancelled_owned());
    for count in [&first, &latest, &latest] {
        let waker = Waker::from(count.clone());
        assert!(poll(waiting.as_mut(), &waker).is_pending());
        assert!(poll(owned.as_mut(), &waker).is_pending());
    }
    assert_eq!((Arc::strong_count(&first), Arc::strong_count(&latest)), (1, 3));
    token.escalate_to(Level::Draining, Reason::new(""));
    assert_eq!(latest.get(), 0);
    token.cancel();
    token.escalate_to(Level::Aborted, Reason::new(""));
    assert_eq!((first.get(), latest.get()), (0, 2));
    for _ in 0..2 {
        assert!(poll(waiting.as_mut(), Waker::noop()).is_ready());
        assert!(poll(owned.as_mut(), Waker::noop()).is_ready());
    }
}

#[test]
fn k07_waiters_are_woken_in_the_order_of_their_coming() {
    let token = CancelToken::new();
    let order: Arc<Mutex<Vec<usize>>> = Arc::default();
    let mut waiters: Vec<_> = (0..5).map(|_| Box::pin(token.cancelled())).collect();
    for (number, waiter) in waiters.iter_mut().enumerate() {
        let order = order.clone();
        let waker = calls(move || order.lock().unwrap().push(number));
        assert!(poll(waiter.as_mut(), &waker).is_pending());
    }
    token.cancel();
    assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3, 4]);
}

#[test]
fn k08_dropped_waiter_is_not_woken_and_not_kept() {
    let token = CancelToken::new();
    let counts: Vec<_> = (0..3).map(|_| Arc::new(Count::default())).collect();
    for dropped in 0..3 {
        let mut waiters: Vec<_> = counts.iter().map(|_| Box::pin(token.cancelled())).collect();
        for (waiter, count) in waiters.iter_mut().zip(&counts) {
            assert!(poll(waiter.as_mut(), &Waker::from(count.clone())).is_pending());
        }
        drop(waiters.remove(dropped));
        assert_eq!(Arc::strong_count(&counts[dropped]), 1);
    }
    let mut last = pin!(token.cancelled());
    assert!(poll(last.as_mut(), &Waker::from(counts[0].clone())).is_pending());
    token.cancel();
    assert_eq!(counts.iter().map(|count| count.get()).collect::<Vec<_>>(), [1, 0, 0]);
}

#[test]
fn k09_panics_harm_nobody_else() {
    struct Bad;
    impl Drop for Bad {
        fn drop(&mut self) {
            panic!("a destructor's");
        }
    }
    let root = CancelToken::new();
    let counts: Vec<_> = (0..2).map(|_| Arc::new(Count::default())).collect();
    let wakers = [
        Waker::from(counts[0].clone()),
        calls(|| panic!("a waker's")),
        Waker::from(counts[1].clone()),
    ];
    let child = root.child();
    let mut waiters: Vec<_> = wakers.iter().map(|_| Box::pin(child.cancelled())).collect();
    for (waiter, waker) in waiters.iter_mut().zip(&wakers) {
        assert!(poll(waiter.as_mut(), waker).is_pending());
    }
    let ran = Arc::new(Count::default());
    let count = || {
        let ran = ran.clone();
        move |_: &Reason| ran.add()
    };
    child.on_cancel(count()).keep();
    child.on_cancel(|_| panic!("a callback's")).keep();
    child.on_cancel(|_| std::panic::panic_any(Bad)).keep();
    child.on_cancel(count()).keep();
    assert!(root.cancel());
    assert_eq!((counts[0].get(), counts[1].get(), ran.get()), (1, 1, 2));
    root.on_cancel(|_| panic!("at once")).keep();
    assert!(
        CancelToken::new()
            .on_cancel({
                let bad = Bad;
                move |_| drop(bad)
            })
            .remove()
    );
    let token = CancelToken::new();
    token
        .on_cancel({
            let bad = Bad;
            move |_| drop(bad)
        })
        .keep();
    drop(token);
}

/// Ready with the number of its poll when it finds the token cancelled, if it looks.
fn polled<'a>(
    token: &'a CancelToken,
    polls: &'a Cell<u32>,
    looks: bool,
) -> impl Future<Output = u32> + 'a {
    poll_fn(move |_| {
        polls.set(polls.get() + 1);
        if looks && token.is_cancelled() { Poll::Ready(polls.get()) } else { Poll::Pending }
    })
}

#[test]
fn k10_until_cancelled_polls_once_more_and_a_value_wins() {
    for looks in [true, false] {
        let (token, polls) = (CancelToken::new(), Cell::new(0));
        let count = Arc::new(Count::default());
        let waker = Waker::from(count.clone());
        let mut until = pin!(polled(&token, &polls, looks).until_cancelled(&token));
        for _ in 0..3 {
            assert!(poll(until.as_mut(), &waker).is_pending());
        }
        token.cancel();
        assert_eq!((polls.get(), count.get()), (3, 1));
        match poll(until.as_mut(), &waker) {
            Poll::Ready(Ok(value)) => assert_eq!((value, looks), (4, true)),
            Poll::Ready(Err(reason)) => assert!(!looks && reason.same(&token.reason().unwrap())),
            Poll::Pending => panic!("it was cancelled"),
        }
        assert_eq!(polls.get(), 4);
    }
}

/// In each window: before the first poll, and inside of a poll.
#[test]
fn k10_until_cancelled_cancelled_before_and_during_a_poll() {
    let (token, polls) = (CancelToken::new(), Cell::new(0));
    token.cancel();
    let first = poll(pin!(polled(&token, &polls, true).until_cancelled(&token)), Waker::noop());
    assert!(matches!(first, Poll::Ready(Ok(1))));
    let never = poll(pin!(polled(&token, &polls, false).until_cancelled(&token)), Waker::noop());
    assert!(matches!(never, Poll::Ready(Err(_))));
    assert_eq!(polls.get(), 2);

    let (token, polls) = (CancelToken::new(), Cell::new(0));
    let inside = poll_fn(|_| {
        polls.set(polls.get() + 1);
        token.cancel();
        Poll::<()>::Pending
    });
    assert!(matches!(
        poll(pin!(inside.until_cancelled(&token)), Waker::noop()),
        Poll::Ready(Err(_))
    ));
    assert_eq!(polls.get(), 2, "the poll that did not see it, and the last");
}

/// Gives what is left of its items; waits when there are none.
struct Items(Vec<u32>);

impl Stream for Items {
    type Item = u32;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u32>> {
        match self.0.pop() {
            Some(0) => Poll::Ready(None),
            Some(item) => Poll::Ready(Some(item)),
            None => Poll::Pending,
        }
    }
}

#[test]
fn k11_stream_ends_at_a_cancel_after_an_item_that_is_ready() {
    let next = |stream: Pin<&mut dyn Stream<Item = u32>>, waker: &Waker| {
        stream.poll_next(&mut Context::from_waker(waker))
    };
    let (token, count) = (CancelToken::new(), Arc::new(Count::default()));
    let waker = Waker::from(count.clone());
    let mut busy = pin!(Items(vec![4, 3, 2, 1]).until_cancelled(&token));
    let mut quiet = pin!(Items(vec![9]).until_cancelled(&token));
    let mut over = pin!(Items(vec![5, 0]).until_cancelled(&token));
    assert_eq!(next(busy.as_mut(), &waker), Poll::Ready(Some(1)));
    assert_eq!(next(quiet.as_mut(), &waker), Poll::Ready(Some(9)));
    assert_eq!(next(quiet.as_mut(), &waker), Poll::Pending);
    for _ in 0..2 {
        assert_eq!(next(over.as_mut(), &waker), Poll::Ready(None));
    }
    token.cancel();
    assert_eq!(count.get(), 1, "only the one that waits");
    assert_eq!(next(busy.as_mut(), &waker), Poll::Ready(Some(2)), "it was ready");
    assert_eq!(busy.size_hint(), (0, Some(0)));
    for stream in [&mut busy as &mut dyn Unpinned, &mut quiet] {
        assert_eq!(stream.next(&waker), Poll::Ready(None));
        assert_eq!(stream.next(&waker), Poll::Ready(None));
    }
}

/// A pinned stream as an object.
trait Unpinned {
    fn next(&mut self, waker: &Waker) -> Poll<Option<u32>>;
}

impl<S: Stream<Item = u32>> Unpinned for Pin<&mut S> {
    fn next(&mut self, waker: &Waker) -> Poll<Option<u32>> {
        self.as_mut().poll_next(&mut Context::from_waker(waker))
    }
}

#[test]
fn k21_draining_is_waited_for_apart() {
    for level in [Level::Draining, Level::Cancelled, Level::Aborted] {
        let root = CancelToken::new();
        let token = root.child();
        let (first, latest, gone) =
            (Arc::new(Count::default()), Arc::new(Count::default()), Arc::new(Count::default()));
        let mut waiting = pin!(token.draining());
        for count in [&first, &latest, &latest] {
            assert!(poll(waiting.as_mut(), &Waker::from(count.clone())).is_pending());
        }
        let mut dropped = Box::pin(token.draining());
        assert!(poll(dropped.as_mut(), &Waker::from(gone.clone())).is_pending());
        drop(dropped);
        assert_eq!((Arc::strong_count(&first), Arc::strong_count(&gone)), (1, 1));
        root.escalate_to(level, Reason::new(""));
        root.escalate_to(Level::Aborted, Reason::new(""));
        assert_eq!((first.get(), latest.get(), gone.get()), (0, 1, 0));
        for _ in 0..2 {
            assert_eq!(poll(waiting.as_mut(), Waker::noop()), Poll::Ready(Level::Aborted));
        }
    }
    // A callback of the cancel is not called by it, and is afterwards.
    let token = CancelToken::new();
    let count = Arc::new(Count::default());
    let called = count.clone();
    let registration = token.on_cancel(move |_| called.add());
    assert_eq!(token.escalate(Reason::new("")), Level::Draining);
    assert_eq!(count.get(), 0);
    assert_eq!(token.escalate(Reason::new("")), Level::Cancelled);
    assert_eq!(count.get(), 1);
    assert!(!registration.remove());
    assert_eq!(poll(pin!(token.draining()), Waker::noop()), Poll::Ready(Level::Cancelled));
}

#[test]
fn k22_steps_go_one_by_one_also_from_many_threads() {
    for _ in 0..100 {
        let token = CancelToken::new();
        let step = |token: &CancelToken| token.escalate(Reason::new("asked"));
        let mut levels = std::thread::scope(|scope| {
            let threads = [(); 3].map(|()| scope.spawn(|| step(&token)));
            threads.map(|thread| thread.join().unwrap())
        });
        levels.sort_unstable();
        assert_eq!(levels, [Level::Draining, Level::Cancelled, Level::Aborted]);
        assert_eq!(step(&token), Level::Aborted, "it stays there");
    }
}
