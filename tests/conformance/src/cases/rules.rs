//! What a runtime owes a nursery: a first handful. (Rule r31 is 3.1 of the executor rules.)

use crate::probe::{Counts, eventually};
use allhome_rt::{Runtime, Task};
use std::cell::Cell;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Poll, Waker};

thread_local! {
    /// Whether this thread is inside a call that must not poll.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

fn inside(f: impl FnOnce()) {
    INSIDE.set(true);
    f();
    INSIDE.set(false);
}

pub(super) async fn r11_spawned_is_polled_or_dropped(runtime: Runtime) {
    let counts = Counts::new();
    for _ in 0..10_000 {
        let guard = counts.guard();
        runtime.spawn(Task::from_future(async move { drop(guard) }));
    }
    eventually(|| counts.drops() == 10_000).await;
}

pub(super) async fn r12_spawn_does_not_poll_inline(runtime: Runtime) {
    let inline = Arc::new(AtomicBool::new(false));
    for _ in 0..20 {
        let counts = Counts::new();
        let (guard, inline) = (counts.guard(), inline.clone());
        inside(|| {
            runtime.spawn(Task::from_future(async move {
                inline.fetch_or(INSIDE.get(), Ordering::SeqCst);
                drop(guard);
            }));
        });
        eventually(|| counts.drops() == 1).await;
    }
    assert!(!inline.load(Ordering::SeqCst), "spawn polled on the caller's stack");
}

struct SpawnsInDrop(Runtime, Counts);

impl Drop for SpawnsInDrop {
    fn drop(&mut self) {
        let guard = self.1.guard();
        self.0.spawn(Task::from_future(async move { drop(guard) }));
    }
}

pub(super) async fn r14_spawn_in_poll_and_in_drop(runtime: Runtime) {
    let counts = Counts::new();
    for _ in 0..10 {
        let (spawner, counts) = (runtime.clone(), counts.clone());
        runtime.spawn(Task::from_future(async move {
            for _ in 0..10 {
                let last = SpawnsInDrop(spawner.clone(), counts.clone());
                spawner.spawn(Task::from_future(async move { drop(last) }));
            }
        }));
    }
    eventually(|| counts.drops() == 100).await;
}

pub(super) async fn r22_no_poll_after_ready(runtime: Runtime) {
    let polls = Arc::new(AtomicUsize::new(0));
    let kept = Arc::new(Mutex::new(None::<Waker>));
    let (count, keep) = (polls.clone(), kept.clone());
    runtime.spawn(Task::from_future(poll_fn(move |cx| {
        *keep.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
        count.fetch_add(1, Ordering::SeqCst);
        Poll::Ready(())
    })));
    eventually(|| polls.load(Ordering::SeqCst) == 1).await;
    let waker = kept.lock().unwrap_or_else(PoisonError::into_inner).take();
    let waker = waker.expect("it was polled");
    for _ in 0..10 {
        waker.wake_by_ref();
        pump(&runtime).await;
    }
    assert_eq!(polls.load(Ordering::SeqCst), 1);
}

/// Runs some trivial tasks to their end: what was going to happen has happened then.
async fn pump(runtime: &Runtime) {
    for _ in 0..20 {
        let counts = Counts::new();
        for _ in 0..8 {
            let guard = counts.guard();
            runtime.spawn(Task::from_future(async move { drop(guard) }));
        }
        eventually(|| counts.drops() == 8).await;
    }
}

pub(super) async fn r31_wake_during_own_poll(runtime: Runtime) {
    let counts = Counts::new();
    let guard = counts.guard();
    let mut left = 300;
    runtime.spawn(Task::from_future(poll_fn(move |cx| {
        let _ = &guard;
        left -= 1;
        match left % 3 {
            0 => cx.waker().wake_by_ref(),
            1 => {
                // By value, which is another function than by reference.
                let own = cx.waker().clone();
                own.wake();
            }
            _ => {
                let clone = cx.waker().clone();
                cx.waker().wake_by_ref();
                drop(clone);
            }
        }
        if left == 0 { Poll::Ready(()) } else { Poll::Pending }
    })));
    eventually(|| counts.drops() == 1).await;
}

pub(super) async fn r32_wake_from_another_thread_during_poll(runtime: Runtime) {
    let counts = Counts::new();
    let guard = counts.guard();
    let mut left = 20;
    runtime.spawn(Task::from_future(poll_fn(move |cx| {
        let _ = &guard;
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        let waker = cx.waker().clone();
        std::thread::spawn(move || waker.wake()).join().expect("wake does not panic");
        Poll::Pending
    })));
    eventually(|| counts.drops() == 1).await;
}

pub(super) async fn r33_wake_from_a_foreign_thread(runtime: Runtime) {
    let (send, receive) = std::sync::mpsc::channel::<Waker>();
    let counts = Counts::new();
    let guard = counts.guard();
    let mut polls = 0;
    runtime.spawn(Task::from_future(poll_fn(move |cx| {
        let _ = &guard;
        polls += 1;
        if polls == 2 {
            return Poll::Ready(());
        }
        send.send(cx.waker().clone()).expect("the case listens");
        Poll::Pending
    })));
    let foreign = std::thread::spawn(move || receive.recv().expect("one is sent").wake());
    eventually(|| counts.drops() == 1).await;
    foreign.join().expect("wake does not panic");
}

pub(super) async fn r34_wake_does_not_poll_inline(runtime: Runtime) {
    let inline = Arc::new(AtomicBool::new(false));
    let kept = Arc::new(Mutex::new(None::<Waker>));
    let counts = Counts::new();
    let (guard, keep, seen, count) = (counts.guard(), kept.clone(), inline.clone(), counts.clone());
    let mut left = 20;
    runtime.spawn(Task::from_future(poll_fn(move |cx| {
        let _ = &guard;
        seen.fetch_or(INSIDE.get(), Ordering::SeqCst);
        left -= 1;
        if left == 0 {
            return Poll::Ready(());
        }
        *keep.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
        count.polled();
        Poll::Pending
    })));
    while counts.drops() == 0 {
        let waker = kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waker) = waker {
            inside(|| waker.wake());
        }
        allhome::yield_now().await;
    }
    assert!(!inline.load(Ordering::SeqCst), "wake polled on the caller's stack");
}
