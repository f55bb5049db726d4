//! What Go's `context` and `errgroup` promise, row by row as in docs/GO.md, and what ours does.

use allhome::cancel::{Level, ReasonKind, cancel_reason};
use allhome::join::race;
use allhome::runtime::ThreadPool;
use allhome::task::ScopedKey;
use allhome::time::{deadline, move_on_at, remaining};
use allhome::{CancelToken, Nursery, Reason, block_on, cancelled, is_cancelled, nursery, shield};
use allhome_conformance::{Counts, Gate};
use allhome_runs::{Opened, Stepped, Wakes, poll_once};
use std::convert::Infallible;
use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn g01_with_cancel() {
    let background = CancelToken::new();
    let parent = background.child();
    let (one, other) = (parent.child(), parent.child());
    assert!(one.cancel(), "the function that `WithCancel` returns is a method");
    assert!(!parent.is_cancelled() && !other.is_cancelled());
    parent.cancel();
    assert!(other.is_cancelled() && !background.is_cancelled());
    assert!(parent.child().is_cancelled(), "derived from one that is done");
    // In Go, a context that is never cancelled stays with its parent: `go vet` looks for it.
    let forgotten = background.child();
    drop(forgotten);
    assert!(background.cancel());
}

#[test]
fn g02_cancel_func() {
    let token = CancelToken::new();
    let first = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| first.fetch_add(usize::from(token.cancel()), Ordering::SeqCst));
        }
    });
    assert_eq!(first.into_inner(), 1, "the others did nothing");
    // It does not wait for the work to stop; that is what the nursery does.
    let (stepped, counts) = (Stepped::new(1), Counts::new());
    let mut opened = Opened::new(nursery().on(stepped.runtime()));
    opened.n.spawn(counts.parked().child());
    stepped.run_until_stalled();
    assert!(opened.n.cancel());
    assert_eq!(counts.drops(), 0);
    assert!(opened.finish().is_pending());
    stepped.run_until_stalled();
    assert!(opened.poll().is_ready() && counts.drops() == 1);
}

#[test]
fn g03_with_cancel_cause() {
    let parent = CancelToken::new();
    let (early, late) = (parent.child(), parent.child());
    assert!(early.reason().is_none(), "Cause is nil before");
    early.cancel_with(Reason::new("own"));
    parent.cancel_with(Reason::new("parent's"));
    assert!(!late.cancel_with(Reason::new("too late")));
    assert_eq!(early.reason().unwrap().message(), "own", "the first of both");
    assert!(late.reason().unwrap().same(&parent.reason().unwrap()));
    // A reason may have a cause of its own, which Go does with wrapped errors.
    let wrapped = Reason::new("outer").caused_by(Reason::new("inner"));
    assert_eq!(wrapped.cause().unwrap().message(), "inner");
}

#[test]
fn g04_with_deadline() {
    let pool = ThreadPool::new(1).unwrap();
    let soon = Instant::now() + HOUR;
    let run = nursery().on(&pool).deadline_at(soon).run(async |n: Nursery<Infallible>| {
        assert_eq!((n.deadline(), deadline()), (Some(soon), Some(soon)));
        let later =
            nursery().deadline_at(soon + HOUR).run(async |n: Nursery<Infallible>| Ok(n.deadline()));
        assert_eq!(later.await.unwrap(), Some(soon), "the earlier one holds");
        let scope = move_on_at(soon - HOUR / 2, async { deadline() }).await;
        assert_eq!(scope.unwrap(), Some(soon - HOUR / 2));
        assert!(remaining().unwrap() <= HOUR);
        Ok(())
    });
    block_on(run).unwrap();
    let past = Instant::now();
    let run = nursery().on(&pool).deadline_at(past).run(async |n: Nursery<Infallible>| {
        // Like a context that is done at once.
        assert_eq!(cancelled().await.kind(), ReasonKind::Deadline);
        n.set_deadline(None);
        pending::<Result<(), _>>().await
    });
    assert!(block_on(run).unwrap_err().is_timeout(), "Go: DeadlineExceeded");
    assert_eq!(deadline(), None, "Go: ok is false");
}

#[test]
fn g05_with_timeout() {
    let pool = ThreadPool::new(1).unwrap();
    let run = nursery().on(&pool).deadline(Duration::ZERO).run(async |n: Nursery<Infallible>| {
        let child = n.fork(async { Ok(()) });
        assert_eq!(child.await.unwrap_err().reason().unwrap().kind(), ReasonKind::Deadline);
        Ok(is_cancelled())
    });
    assert!(block_on(run).unwrap());
    // In Go `Err` of a context that a caller cancelled is `Canceled`, however close its
    // deadline.
    let run = nursery().on(&pool).deadline(HOUR).run(async |n: Nursery<Infallible>| {
        n.cancel();
        pending::<Result<(), _>>().await
    });
    let error = block_on(run).unwrap_err();
    assert!(!error.is_timeout() && error.reason().unwrap().kind() == ReasonKind::Requested);
}

#[test]
fn g06_after_func() {
    let token = CancelToken::new();
    let (send, receive) = mpsc::channel();
    for number in 0..3 {
        let send = send.clone();
        let here = thread::current().id();
        let note = move |_: &Reason| {
            send.send((number, thread::current().id() == here)).unwrap();
        };
        token.on_cancel(note).keep();
    }
    assert!(receive.try_recv().is_err());
    token.cancel();
    // Go: each in a goroutine of its own, in no order, and perhaps later.
    assert_eq!(receive.try_iter().collect::<Vec<_>>(), [(0, true), (1, true), (2, true)]);
    token.on_cancel(move |_| send.send((9, true)).unwrap()).keep();
    assert_eq!(receive.try_recv(), Ok((9, true)), "at once on one that is done");
}

#[test]
fn g07_after_funcs_stop() {
    let (token, counts) = (CancelToken::new(), Counts::new());
    let (count, guard) = (counts.clone(), counts.guard());
    let stopped = token.on_cancel(move |_| {
        let _guard = &guard;
        count.polled();
    });
    assert!(stopped.remove(), "it stopped f");
    assert_eq!(counts.drops(), 1, "and what f holds is free");
    let count = counts.clone();
    let (late, own) = (token.on_cancel(move |_| count.polled()), Arc::new(Mutex::new(None)));
    let (inside, seen) = (own.clone(), counts.clone());
    let running = token.on_cancel(move |_| {
        let registration: Option<allhome::cancel::Registration> = inside.lock().unwrap().take();
        assert!(!registration.unwrap().remove(), "it does not wait for f, which this is");
        seen.polled();
    });
    *own.lock().unwrap() = Some(running);
    token.cancel();
    assert!(!late.remove(), "f has been started");
    assert_eq!(counts.polls(), 2);
}

static USER: ScopedKey<u32> = ScopedKey::new();

#[test]
fn g08_without_cancel() {
    let parent = CancelToken::new();
    let detached = parent.detached();
    parent.cancel();
    assert!(!detached.is_cancelled() && detached.reason().is_none());
    // In a task it is a shield, which has a budget where Go's has none.
    let pool = ThreadPool::new(1).unwrap();
    let run = nursery().on(&pool).deadline(HOUR).run(async |n: Nursery<Infallible>| {
        n.cancel();
        let inside = shield(Duration::MAX, async {
            allhome::yield_now().await;
            assert!(!is_cancelled() && cancel_reason().is_none() && deadline().is_none());
            USER.get().as_deref().copied()
        });
        let inside = inside.await;
        assert!(is_cancelled() && deadline().is_some());
        Ok(inside)
    });
    assert_eq!(block_on(USER.scope(7, run)).unwrap(), Some(7), "values are kept");
}

#[test]
fn g09_with_value() {
    static OTHER: ScopedKey<u32> = ScopedKey::new();
    let run = async {
        assert_eq!((USER.get().as_deref(), OTHER.get().as_deref()), (Some(&1), None));
        let inner = USER.scope(2, async { USER.get().as_deref().copied() }).await;
        (inner, USER.get().as_deref().copied())
    };
    let found = block_on(USER.scope(1, run));
    assert_eq!(found, (Some(2), Some(1)), "the innermost; the outer is not changed");
    assert_eq!(USER.get(), None, "nil");
}

#[test]
fn g10_done_and_err() {
    let (token, wakes) = (CancelToken::new(), Wakes::new());
    let mut done = Box::pin(token.cancelled());
    assert!(poll_once(&mut done, &wakes).is_pending());
    assert!(token.reason().is_none(), "Err is nil");
    token.escalate_to(Level::Draining, Reason::new("Go has no such thing"));
    assert!(poll_once(&mut done, &wakes).is_pending() && token.reason().is_none());
    token.cancel();
    // Go: Done may be closed after `cancel` has returned.
    assert_eq!(wakes.count(), 1);
    let Poll::Ready(reason) = poll_once(&mut done, &wakes) else { panic!("it is done") };
    token.escalate_to(Level::Aborted, Reason::new("later"));
    assert!(token.reason().unwrap().same(&reason), "Err gives the same from then on");
    assert!(block_on(token.cancelled()).same(&reason), "and Done stays closed");
}

#[test]
fn g11_errgroup_with_context() {
    let (stepped, gate) = (Stepped::new(1), Gate::new());
    let counts = Counts::new();
    let mut opened = Opened::<&str>::fallible(nursery().on(stepped.runtime()));
    let token = opened.n.token();
    for error in ["first", "second"] {
        let (gate, count) = (gate.clone(), counts.clone());
        opened.n.spawn(async move {
            gate.wait().await;
            count.polled();
            Err(error)
        });
    }
    let guard = counts.guard();
    opened.n.spawn(async move {
        let _guard = guard;
        cancelled().await;
        Ok(())
    });
    stepped.run_until_stalled();
    assert!(!token.is_cancelled());
    gate.open();
    stepped.run_until_stalled();
    assert_eq!(token.reason().unwrap().kind(), ReasonKind::ChildFailed);
    let late = opened.n.spawn(async { Ok(()) });
    assert!(late.refused().is_some(), "Go runs it");
    let Poll::Ready(Err(error)) = opened.finish() else { panic!("all are home") };
    assert_eq!((*error.first().error().unwrap(), counts.drops()), ("first", 1));
    assert_eq!((error.failures().len(), error.echoes().len()), (1, 1), "Go drops the second");
    // Go: the context is cancelled when `Wait` returns, also if all went well.
    let mut opened = Opened::<&str>::fallible(nursery().on(stepped.runtime()));
    let token = opened.n.token();
    assert!(matches!(opened.finish(), Poll::Ready(Ok(()))));
    assert!(!token.is_cancelled() && opened.n.spawn(async { Ok(()) }).refused().is_some());
}

#[test]
fn g12_background() {
    let (background, mut done) = (CancelToken::new(), Box::pin(cancelled()));
    assert!(!background.is_cancelled() && !is_cancelled() && deadline().is_none());
    assert!(poll_once(&mut done, &Wakes::new()).is_pending(), "Done is nil: it waits for ever");
    assert_eq!(USER.get(), None);
}

/// Go: the first function sends its result and returns an error, which cancels the context; the
/// caller has to tell that error from others.
#[test]
fn g13_the_first_result() {
    let stepped = Stepped::new(1);
    let mut opened = Opened::<&str>::fallible(nursery().on(stepped.runtime()));
    let (counts, gate) = (Counts::new(), Gate::new());
    let guard = counts.guard();
    let slow = opened.n.fork(async move {
        let _guard = guard;
        Err(cancelled().await.kind()).map_err(|_| "context canceled")
    });
    let wait = gate.clone();
    let fast = opened.n.fork(async move {
        wait.wait().await;
        Ok(7)
    });
    let mut first = Box::pin(race([slow, fast]));
    stepped.run_until_stalled();
    assert!(poll_once(&mut first, &Wakes::new()).is_pending());
    gate.open();
    stepped.run_until_stalled();
    assert!(poll_once(&mut first, &Wakes::new()).is_pending());
    stepped.run_until_stalled();
    assert!(matches!(poll_once(&mut first, &Wakes::new()), Poll::Ready(Ok(7))));
    assert_eq!((counts.drops(), opened.n.len()), (1, 0));
    assert!(matches!(opened.finish(), Poll::Ready(Ok(()))), "no error is made up, and none told");
}
