//! A child with more wakers than its state word can count.

use allhome::nursery;
use allhome_conformance::Counts;
use allhome_runs::{Opened, Stepped};
use allocation_counter::measure;
use std::convert::Infallible;
use std::future::poll_fn;
use std::sync::{Arc, Barrier, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::thread;

/// One test at a time: the core's list of such children is shared, and keeps room for one.
static ALONE: Mutex<()> = Mutex::new(());

/// More than 22 bits count.
const MANY: usize = (1 << 22) + 100;

/// A child that waits for ever, and the waker that it was first polled with.
struct Scene {
    stepped: Stepped,
    opened: Opened<Infallible>,
    counts: Counts,
    waker: Waker,
}

impl Scene {
    fn new() -> Scene {
        let (stepped, counts) = (Stepped::new(1), Counts::new());
        let opened = Opened::new(nursery().on(stepped.runtime()));
        let kept = Arc::new(Mutex::new(None));
        let (guard, inside, keep) = (counts.guard(), counts.clone(), kept.clone());
        opened.n.spawn(poll_fn(move |cx| {
            let _inside = &guard;
            inside.polled();
            keep.lock().unwrap().get_or_insert_with(|| cx.waker().clone());
            Poll::Pending
        }));
        stepped.run_until_stalled();
        let waker = kept.lock().unwrap().take().expect("it was polled");
        Scene { stepped, opened, counts, waker }
    }

    /// Returns `true` if a wake leads to one poll.
    fn polls_for(&self, wake: impl FnOnce()) -> bool {
        let before = self.counts.polls();
        wake();
        self.stepped.run_until_stalled();
        self.counts.polls() == before + 1
    }
}

#[test]
fn x16_four_million_wakers_of_one_child() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    // The first time allocates what stays.
    four_million_wakers();
    assert_eq!(measure(four_million_wakers).bytes_current, 0);
}

fn four_million_wakers() {
    let mut scene = Scene::new();
    let mut wakers: Vec<_> = (0..MANY).map(|_| scene.waker.clone()).collect();
    let of_last = wakers.last().unwrap().clone();
    for waker in [&scene.waker, &wakers[0], &wakers[MANY / 2], &wakers[MANY - 1], &of_last] {
        assert!(scene.polls_for(|| waker.wake_by_ref()));
    }
    let last = wakers.pop().unwrap();
    assert!(scene.polls_for(|| last.wake()), "by value");
    // Those that are counted first, then those that are not; and again.
    wakers.truncate(wakers.len() - 1);
    drop(wakers.drain(..MANY / 2));
    wakers.extend((0..MANY / 2).map(|_| of_last.clone()));
    let last = wakers.pop().unwrap();
    drop(wakers);
    assert!(scene.polls_for(|| last.wake_by_ref()));
    assert!(scene.polls_for(|| of_last.wake()));
    // Beyond the child's life.
    scene.opened.n.abort();
    assert_eq!(scene.counts.drops(), 1);
    assert!(scene.opened.finish().is_ready());
    last.wake_by_ref();
    let Scene { opened, stepped, waker, counts } = scene;
    drop((opened, stepped, waker, counts));
    last.wake_by_ref();
    drop(last);
}

#[test]
fn x16_wakers_are_made_and_dropped_by_several_threads() {
    const THREADS: usize = 4;
    const EACH: usize = 900_000;
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let scene = Scene::new();
    let start = Barrier::new(THREADS);
    thread::scope(|threads| {
        for thread in 0..THREADS {
            let (waker, start) = (scene.waker.clone(), &start);
            threads.spawn(move || {
                start.wait();
                let mut kept = Vec::new();
                for number in 0..EACH {
                    kept.push(waker.clone());
                    // Around the limit they come and go.
                    if number % 5 == thread {
                        kept.swap_remove(number % kept.len());
                    }
                }
                start.wait();
                drop(waker);
                drop(kept);
            });
        }
    });
    assert!(scene.polls_for(|| scene.waker.wake_by_ref()));
    assert_eq!(scene.counts.polls(), 2);
}
