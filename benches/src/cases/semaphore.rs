//! Semaphores: permits that are free, permits that are handed on, and 64 tasks that want them.

mod children;
pub(super) mod line;
mod peer;

use std::future::poll_fn;
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;

use crate::case::{Case, Goal, Measure, Side};
use crate::host::{FLAVORS, Flavor, Host};
use crate::watch::{Sample, Watch};
use peer::{AsyncLock, Intrusive, Mea, Nothing, Ours, Peer, Tokio};

/// Operations in one pass of what takes nanoseconds.
const MANY: u64 = 1_000;

/// How many tasks compete, and how often each acquires.
const TASKS: u64 = 64;
const TURNS: u64 = 100;

/// Permits at once, in the weighted cases.
const SOME: usize = 5;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![
        free("free/1", 1),
        free(&format!("free/{SOME}"), SOME),
        free_for_two_threads(),
        try_free(),
        try_taken(),
        handoff(),
        drop_queued(),
    ];
    for flavor in FLAVORS {
        for permits in [1, 8] {
            for holds in [Holds::NoWait, Holds::Yield] {
                cases.push(tasks(flavor, permits, holds));
            }
            cases.push(children::over_a_yield(flavor, permits));
        }
    }
    cases.push(tracked());
    cases
}

fn case(name: &str, ops: u64, sides: impl Fn() -> Vec<Side> + 'static) -> Case {
    let (name, measure) = (format!("semaphore/{name}"), Measure::Nanoseconds);
    Case { name, ops, measure, heavy: false, sides: Box::new(sides) }
}

/// A side that does the same over and over.
fn looped<P: Peer>(permits: usize, once: impl Fn(&P) + 'static) -> Side {
    let semaphore = P::new(permits);
    Side::new(P::NAME, move |times| {
        let watch = Watch::start();
        for _ in 0..times * MANY {
            once(black_box(&semaphore));
        }
        watch.stop()
    })
}

/// Polls a future with a waker that does nothing.
#[inline]
fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Acquired with no other task about, and given back.
#[inline]
fn free_once<P: Peer>(semaphore: &P, count: usize) {
    let grant = poll(pin!(semaphore.acquire(count)));
    assert!(black_box(&grant).is_ready());
}

fn free(name: &str, count: usize) -> Case {
    fn side<P: Peer>(count: usize) -> Side {
        looped::<P>(8, move |semaphore| free_once(semaphore, count))
    }
    case(name, MANY, move || {
        let mut sides = vec![
            side::<Ours>(count),
            side::<Tokio>(count).goal(Goal::Ratio(0.5)),
            side::<Intrusive>(count).goal(Goal::Ratio(0.65)),
            side::<Mea>(count),
        ];
        if count == 1 {
            sides.push(side::<AsyncLock>(count));
        }
        sides
    })
}

/// Both threads acquire and give back; there are enough for both.
fn free_for_two_threads() -> Case {
    fn side<P: Peer>() -> Side {
        let semaphore = P::new(8);
        Side::new(P::NAME, move |times| {
            let watch = Watch::start();
            thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| {
                        (0..times * 10 * MANY).for_each(|_| free_once(black_box(&semaphore), 1));
                    });
                }
            });
            watch.stop()
        })
    }
    case("free/2_threads", 20 * MANY, || {
        vec![side::<Ours>(), side::<Tokio>(), side::<Intrusive>(), side::<AsyncLock>()]
    })
}

fn try_free() -> Case {
    fn side<P: Peer>() -> Side {
        looped::<P>(8, |semaphore| assert!(semaphore.try_acquire(1)))
    }
    case("try/free", MANY, || {
        vec![
            side::<Ours>(),
            side::<Tokio>().goal(Goal::Ratio(0.5)),
            side::<Intrusive>().goal(Goal::Ratio(0.5)),
            side::<AsyncLock>(),
            side::<Mea>(),
        ]
    })
}

/// Tried in vain.
fn try_taken() -> Case {
    fn side<P: Peer>() -> Side {
        Side::new(P::NAME, |times| {
            let semaphore = P::new(1);
            let _taken = poll(pin!(semaphore.acquire(1)));
            let watch = Watch::start();
            for _ in 0..times * MANY {
                assert!(!black_box(&semaphore).try_acquire(1));
            }
            watch.stop()
        })
    }
    case("try/taken", MANY, || {
        vec![side::<Ours>(), side::<Tokio>(), side::<Intrusive>(), side::<AsyncLock>()]
    })
}

/// One holds the only permit, another joins the line, the first gives up, the other has it.
fn hand_on<P: Peer>(semaphore: &P, times: u64) {
    let mut held = poll(pin!(semaphore.acquire(1)));
    for _ in 0..times {
        let mut next = pin!(semaphore.acquire(1));
        assert!(poll(next.as_mut()).is_pending());
        drop(held);
        held = poll(next.as_mut());
        assert!(held.is_ready());
    }
}

fn handoff() -> Case {
    fn side<P: Peer>() -> Side {
        let semaphore = P::new(1);
        Side::new(P::NAME, move |times| {
            let watch = Watch::start();
            hand_on(&semaphore, times * MANY);
            watch.stop()
        })
    }
    case("handoff", MANY, || {
        vec![
            side::<Ours>(),
            side::<Tokio>(),
            side::<Intrusive>().goal(Goal::Ratio(1.0)),
            side::<AsyncLock>(),
            side::<Mea>(),
        ]
    })
}

/// 1,000 wait, and are dropped in a random order; only that is timed.
fn drop_queued() -> Case {
    fn side<P: Peer>() -> Side {
        Side::new(P::NAME, |times| {
            let semaphore = P::new(1);
            let _taken = poll(pin!(semaphore.acquire(1)));
            let mut total = Sample::default();
            for _ in 0..times {
                let mut queued: Vec<_> =
                    (0..MANY).map(|_| Box::pin(semaphore.acquire(1))).collect();
                assert!(queued.iter_mut().all(|future| poll(future.as_mut()).is_pending()));
                let mut seed = 1_u64;
                let watch = Watch::start();
                while !queued.is_empty() {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    drop(queued.swap_remove((seed >> 33) as usize % queued.len()));
                }
                total += watch.stop();
            }
            total
        })
    }
    case("drop_queued/1k", MANY, || {
        vec![side::<Ours>(), side::<Tokio>(), side::<Intrusive>(), side::<AsyncLock>()]
    })
}

#[derive(Clone, Copy)]
enum Holds {
    NoWait,
    Yield,
}

impl Holds {
    /// What a task does with its permit.
    async fn work(self) {
        match self {
            Holds::NoWait => (),
            Holds::Yield => give_way().await,
        }
    }
}

/// Lets the other tasks have a turn.
async fn give_way() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// 64 tasks take turns.
fn tasks(flavor: Flavor, permits: usize, holds: Holds) -> Case {
    fn side<P: Peer>(host: &Rc<Host>, permits: usize, holds: Holds) -> Side {
        let host = Rc::clone(host);
        Side::new(P::NAME, move |times| {
            host.run(async move {
                let semaphore = Arc::new(P::new(permits));
                let watch = Watch::start();
                let tasks: Vec<_> = (0..TASKS)
                    .map(|_| {
                        let semaphore = Arc::clone(&semaphore);
                        tokio::spawn(async move {
                            for _ in 0..times * TURNS {
                                let grant = semaphore.acquire(1).await;
                                holds.work().await;
                                drop(grant);
                            }
                        })
                    })
                    .collect();
                for task in tasks {
                    task.await.expect("it ended");
                }
                watch.stop()
            })
        })
    }
    /// What no fair semaphore can avoid: a task that waits is woken and polled again.
    fn switches(host: &Rc<Host>) -> Side {
        let host = Rc::clone(host);
        Side::new("switches", move |times| {
            host.run(async move {
                let watch = Watch::start();
                let task = || async move {
                    for _ in 0..2 * times * TURNS {
                        give_way().await;
                    }
                };
                let tasks: Vec<_> = (0..TASKS).map(|_| tokio::spawn(task())).collect();
                for task in tasks {
                    task.await.expect("it ended");
                }
                watch.stop()
            })
        })
    }
    let held = match holds {
        Holds::NoWait => "no_wait",
        Holds::Yield => "yield",
    };
    let name = format!("{TASKS}_tasks/{permits}_permits/{flavor}/{held}");
    case(&name, TASKS * TURNS, move || {
        let host = Rc::new(Host::new(flavor));
        let mut sides = vec![
            side::<Ours>(&host, permits, holds),
            side::<Tokio>(&host, permits, holds).goal(Goal::Ratio(0.75)),
            side::<Intrusive>(&host, permits, holds).goal(Goal::Ratio(0.75)),
            side::<AsyncLock>(&host, permits, holds),
        ];
        if let Holds::Yield = holds {
            sides.push(switches(&host));
        }
        sides
    })
}

/// What it costs to note since when permits are held.
fn tracked() -> Case {
    fn side(name: &'static str, track: bool) -> Side {
        let semaphore = Ours::new(8).time_holders(track);
        Side::new(name, move |times| {
            let watch = Watch::start();
            (0..times * MANY).for_each(|_| free_once(black_box(&semaphore), 1));
            watch.stop()
        })
    }
    case("tracked", MANY, || vec![side("ours", true), side("not tracked", false)])
}

/// 64 children, or tasks, with `n` turns of each, for callgrind.
pub fn count_children(side: &str, n: usize) -> bool {
    let (host, n) = (Host::new(Flavor::CurrentThread), n as u64 / TASKS);
    match side {
        "children/semaphore" => host.run(children::children::<Ours>(1, n)),
        "children/tokio" => host.run(children::tasks::<Tokio>(1, n)),
        _ => return false,
    };
    true
}

/// Runs one side so many times, for callgrind: `count semaphore/5 N`.
pub fn count(side: &str, n: usize) -> bool {
    fn run<P: Peer>(what: &str, n: usize) -> bool {
        let semaphore = P::new(if what == "handoff" { 1 } else { 8 });
        match what {
            "1" => (0..n).for_each(|_| free_once(black_box(&semaphore), 1)),
            "5" => (0..n).for_each(|_| free_once(black_box(&semaphore), SOME)),
            "try" => (0..n).for_each(|_| assert!(black_box(&semaphore).try_acquire(1))),
            "handoff" => hand_on(&semaphore, n as u64),
            _ => return false,
        }
        true
    }
    let Some((semaphore, what)) = side.split_once('/') else { return false };
    match semaphore {
        "semaphore" => run::<Ours>(what, n),
        "tokio" => run::<Tokio>(what, n),
        "async-lock" => run::<AsyncLock>(what, n),
        "futures-intrusive" => run::<Intrusive>(what, n),
        "mea" => run::<Mea>(what, n),
        "nothing" => run::<Nothing>(what, n),
        _ => false,
    }
}
