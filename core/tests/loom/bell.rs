//! The bell of a cancel scope's sleep: a timer that rings it while the scope is polled or dropped.

use crate::manual::Flag;
use crate::model;
use allhome::runtime::Runtime;
use allhome::{GroupError, Nursery, move_on_after, nursery};
use allhome_rt::{BoxSleep, Spawn, Task, Timer};
use loom::sync::Mutex;
use loom::thread;
use std::convert::Infallible;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);

struct NoSpawn;

impl Spawn for NoSpawn {
    fn spawn(&self, task: Task) {
        drop(task);
    }
}

/// A clock that stands still until it rings, and the waker of its one sleep.
#[derive(Clone)]
struct Clock(Arc<Mutex<(Instant, Option<Waker>)>>);

struct Sleep(Clock, Instant);

impl Timer for Clock {
    fn now(&self) -> Instant {
        self.0.lock().unwrap().0
    }

    fn sleep_until(&self, at: Instant) -> BoxSleep {
        Box::pin(Sleep(self.clone(), at))
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let new = cx.waker().clone();
        let mut state = self.0.0.lock().unwrap();
        if state.0 >= self.1 {
            return Poll::Ready(());
        }
        let old = state.1.replace(new);
        drop(state);
        drop(old);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        let old = self.0.0.lock().unwrap().1.take();
        drop(old);
    }
}

impl Clock {
    /// The time comes, and the sleep is woken.
    fn ring(&self) {
        let mut state = self.0.lock().unwrap();
        state.0 += SECOND;
        let waker = state.1.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }

    /// The timer wants another poll of the sleep: it forgets the waker.
    fn nudge(&self) {
        let waker = self.0.lock().unwrap().1.take();
        waker.into_iter().for_each(Waker::wake);
    }
}

type Run = Pin<Box<dyn Future<Output = Result<Option<()>, GroupError<Infallible>>>>>;

/// A scope that has a bell, in the body of a nursery; its clock; what its bell wakes.
fn on_line() -> (Run, Clock, Arc<Flag>) {
    let clock = Clock(Arc::new(Mutex::new((Instant::now(), None))));
    let runtime = Runtime::builder("loom", NoSpawn).timer(clock.clone()).build();
    let mut run: Run = Box::pin(
        nursery()
            .on(runtime)
            .run(async |_: Nursery<Infallible>| Ok(move_on_after(SECOND, pending::<()>()).await)),
    );
    let flag = Flag::new(false);
    for _ in 0..3 {
        assert!(poll(&mut run, &flag).is_pending());
    }
    (run, clock, flag)
}

fn poll(run: &mut Run, flag: &Arc<Flag>) -> Poll<()> {
    let waker = Waker::from(flag.clone());
    let polled = run.as_mut().poll(&mut Context::from_waker(&waker));
    polled.map(|result| assert_eq!(result.unwrap(), None, "its time is over"))
}

/// Polls it for as long as it is woken, to its end.
#[track_caller]
fn ends(mut run: Run, flag: &Arc<Flag>) {
    while flag.take() {
        if poll(&mut run, flag).is_ready() {
            return;
        }
    }
    panic!("it was not woken");
}

#[test]
fn t15_a_ring_versus_a_poll_with_the_same_waker() {
    model(|| {
        let (mut run, clock, flag) = on_line();
        let thread = thread::spawn(move || clock.ring());
        let polled = poll(&mut run, &flag);
        thread.join().unwrap();
        if polled.is_pending() {
            ends(run, &flag);
        }
        assert_eq!(Arc::strong_count(&flag), 1, "no waker is left");
    });
}

#[test]
fn t15_a_ring_versus_a_poll_with_another_waker() {
    model(|| {
        let (mut run, clock, first) = on_line();
        let second = Flag::new(false);
        let thread = thread::spawn(move || clock.ring());
        let polled = poll(&mut run, &second);
        thread.join().unwrap();
        if polled.is_pending() {
            ends(run, &second);
        }
        assert_eq!((Arc::strong_count(&first), Arc::strong_count(&second)), (1, 1));
    });
}

#[test]
fn t15_a_nudge_and_a_ring_versus_two_polls() {
    model(|| {
        let (mut run, clock, first) = on_line();
        let second = Flag::new(false);
        let thread = thread::spawn(move || {
            clock.nudge();
            clock.ring();
        });
        let polled = poll(&mut run, &second);
        let polled = if polled.is_pending() { poll(&mut run, &second) } else { polled };
        thread.join().unwrap();
        if polled.is_pending() {
            ends(run, &second);
        }
        assert_eq!((Arc::strong_count(&first), Arc::strong_count(&second)), (1, 1));
    });
}

#[test]
fn t05_a_ring_versus_a_drop() {
    model(|| {
        let (run, clock, flag) = on_line();
        let rings = clock.clone();
        let thread = thread::spawn(move || rings.ring());
        drop(run);
        thread.join().unwrap();
        assert_eq!(Arc::strong_count(&flag), 1, "no waker is left");
        assert!(clock.0.lock().unwrap().1.is_none(), "and no sleep");
    });
}

/// A timer that keeps the waker of a sleep that was dropped keeps no waker of the task.
#[test]
fn t05_a_bell_that_is_kept_versus_a_drop() {
    model(|| {
        let (run, clock, flag) = on_line();
        let bell = clock.0.lock().unwrap().1.clone().unwrap();
        let thread = thread::spawn(move || bell.clone());
        drop(run);
        let kept = thread.join().unwrap();
        assert_eq!(Arc::strong_count(&flag), 1);
        drop(kept);
    });
}
