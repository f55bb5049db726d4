//! Timeouts: a future that is ready after so many polls, with a deadline that it meets. Made, polled
//! by hand until it is ready, and dropped.
//!
//! All sides are polled without tokio's budget, which a loop in one poll of a task would use up: a
//! tokio sleep without budget enters no timer.

use std::convert::Infallible;
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use allhome::runtime::{ThreadPool, Tokio};
use allhome::time::MoveOnAfter;
use allhome::{Nursery, block_on, move_on_after, nursery};
use futures_timer::Delay;
use futures_util::future::{Select, select};
use tokio::task::coop::unconstrained;
use tokio::time::{Timeout, timeout};

use super::token::{MANY, poll_once};
use crate::case::{Case, Goal, Measure, Side};
use crate::host::{Flavor, Host};
use crate::watch::{Sample, Watch};

/// Never reached.
const HOUR: Duration = Duration::from_secs(3600);

/// As many polls before those that are measured one by one: by then all is set up.
const POLLS_BEFORE: usize = 16;

pub(super) fn cases() -> Vec<Case> {
    let goals = [(0, Some(1.5)), (1, Some(1.4)), (2, None), (4, None), (16, None)];
    let mut cases: Vec<_> = goals.map(|(pending, goal)| meets(pending, goal)).into();
    cases.push(further_poll());
    cases.push(sleep());
    cases
}

/// Runs a side `timeout/PENDING|poll|sleep[/pool|/tokio]` N times. Returns `false` if there is no
/// such side.
pub fn count(side: &str, n: usize) -> bool {
    let Some(side) = side.strip_prefix("timeout/") else { return false };
    let (what, by) = side.split_once('/').unwrap_or((side, "ours"));
    let mut side = match (what, what.parse(), by) {
        ("poll", _, "ours") => on_tokio("", || polls(ours)),
        ("poll", _, "pool") => on_pool("", || polls(ours)),
        ("poll", _, "tokio") => peer("", || polls(tokios)),
        ("sleep", _, "ours") => on_tokio("", || sleeps(allhome::sleep)),
        ("sleep", _, "pool") => on_pool("", || sleeps(allhome::sleep)),
        ("sleep", _, "tokio") => peer("", || sleeps(tokio::time::sleep)),
        (_, Ok(pending), "ours") => on_tokio("", move || meet(pending, ours)),
        (_, Ok(pending), "pool") => on_pool("", move || meet(pending, ours)),
        (_, Ok(pending), "tokio") => peer("", move || meet(pending, tokios)),
        _ => return false,
    };
    // One pass is so many of them.
    let _ = (side.run)((n as u64).div_ceil(MANY));
    true
}

fn case(name: &str, sides: impl Fn() -> Vec<Side> + 'static) -> Case {
    let (name, measure) = (format!("timeout/{name}"), Measure::Nanoseconds);
    Case { name, ops: MANY, measure, heavy: false, sides: Box::new(sides) }
}

/// Returns the case of a future that is ready after so many polls.
pub fn of(pending: u32) -> Case {
    meets(pending, None)
}

fn meets(pending: u32, goal: Option<f64>) -> Case {
    case(&format!("pending/{pending}"), move || {
        let tokio = peer("timeout (tokio)", move || meet(pending, tokios));
        vec![
            on_tokio("ours", move || meet(pending, ours)),
            Side { goal: goal.map(Goal::Ratio), ..tokio },
            peer("futures-timer", move || meet(pending, futures_timers)),
            on_pool("ours, on the pool", move || meet(pending, ours)),
        ]
    })
}

/// One poll more of a future that waits.
fn further_poll() -> Case {
    case("further_poll", || {
        vec![
            on_tokio("ours", || polls(ours)),
            peer("timeout (tokio)", || polls(tokios)).goal(Goal::Ratio(0.40)),
            peer("futures-timer", || polls(futures_timers)),
            on_pool("ours, on the pool", || polls(ours)),
        ]
    })
}

/// A sleep that is made, polled once and dropped.
fn sleep() -> Case {
    case("sleep", || {
        vec![
            on_tokio("ours", || sleeps(allhome::sleep)),
            peer("Sleep (tokio)", || sleeps(tokio::time::sleep)),
            on_pool("ours, on the pool", || sleeps(allhome::sleep)),
        ]
    })
}

/// Is ready after so many polls that find it pending.
struct ReadyAfter {
    pending: u32,
}

impl Future for ReadyAfter {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if self.pending == 0 {
            return Poll::Ready(());
        }
        self.pending -= 1;
        Poll::Pending
    }
}

fn ours(future: ReadyAfter) -> MoveOnAfter<ReadyAfter> {
    move_on_after(HOUR, future)
}

fn tokios(future: ReadyAfter) -> Timeout<ReadyAfter> {
    timeout(HOUR, future)
}

fn futures_timers(future: ReadyAfter) -> Select<ReadyAfter, Delay> {
    select(future, Delay::new(HOUR))
}

fn meet<F: Future>(pending: u32, wrap: fn(ReadyAfter) -> F) -> impl FnMut(u64) -> Sample {
    move |times| {
        let mut cx = Context::from_waker(Waker::noop());
        let watch = Watch::start();
        for _ in 0..times * MANY {
            let mut future = pin!(wrap(ReadyAfter { pending: black_box(pending) }));
            while future.as_mut().poll(&mut cx).is_pending() {}
        }
        watch.stop()
    }
}

fn polls<F: Future>(wrap: fn(ReadyAfter) -> F) -> impl FnMut(u64) -> Sample {
    move |times| {
        let mut future = pin!(wrap(ReadyAfter { pending: u32::MAX }));
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..POLLS_BEFORE {
            poll_once(future.as_mut());
        }
        let watch = Watch::start();
        for _ in 0..times * MANY {
            black_box(future.as_mut().poll(&mut cx).is_pending());
        }
        watch.stop()
    }
}

fn sleeps<F: Future>(sleep: fn(Duration) -> F) -> impl FnMut(u64) -> Sample {
    move |times| {
        let watch = Watch::start();
        for _ in 0..times * MANY {
            poll_once(pin!(sleep(HOUR)));
        }
        watch.stop()
    }
}

/// Measures in the body of a nursery on tokio.
fn on_tokio<S>(name: &'static str, make: impl Fn() -> S + Copy + Send + 'static) -> Side
where
    S: FnMut(u64) -> Sample,
{
    let host = Host::new(Flavor::CurrentThread);
    Side::new(name, move |times| {
        let run = nursery().on(Tokio).run(async move |_: Nursery<Infallible>| {
            Ok(unconstrained(async move { make()(times) }).await)
        });
        host.run(run).expect("nothing fails")
    })
}

/// Measures in the body of a nursery on our pool.
fn on_pool<S>(name: &'static str, make: impl Fn() -> S + 'static) -> Side
where
    S: FnMut(u64) -> Sample,
{
    Side::new(name, move |times| {
        let run = nursery().on(ThreadPool::global());
        block_on(run.run(async |_: Nursery<Infallible>| Ok(make()(times)))).expect("nothing fails")
    })
}

/// Measures in a task of tokio's.
fn peer<S>(name: &'static str, make: impl Fn() -> S + Copy + Send + 'static) -> Side
where
    S: FnMut(u64) -> Sample,
{
    let host = Host::new(Flavor::CurrentThread);
    Side::new(name, move |times| host.run(unconstrained(async move { make()(times) })))
}
