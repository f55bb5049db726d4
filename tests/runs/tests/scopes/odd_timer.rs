//! Time on a timer that cannot be relied on: its clock is right, and its sleeps are not.

use allhome::time::{before_deadline, sleep_until};
use allhome::{Nursery, cancelled, fail_after, move_on_after, nursery, shield, sleep, yield_now};
use allhome_conformance::Counts;
use allhome_rt::{BoxSleep, Runtime, Timer};
use allhome_runs::{SECOND, Stepped, Wakes, poll_once, world};
use std::convert::Infallible;
use std::future::{Future, pending, ready};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};

/// What a sleep says.
#[derive(Clone, Copy)]
enum Says {
    /// It is never over.
    Late,
    /// It is over at once.
    Early,
}

/// A clock that the test moves, with sleeps that do not look at it.
#[derive(Clone)]
struct Odd {
    says: Says,
    now: Arc<Mutex<Instant>>,
    sleeps: Arc<AtomicUsize>,
    looks: Arc<AtomicUsize>,
}

impl Odd {
    fn new(says: Says) -> Odd {
        let now = Arc::new(Mutex::new(Instant::now()));
        Odd { says, now, sleeps: Arc::default(), looks: Arc::default() }
    }

    fn advance(&self, by: Duration) {
        *self.now.lock().unwrap() += by;
    }

    /// How often it was asked for a sleep, and for the time.
    fn asked(&self) -> (usize, usize) {
        (self.sleeps.load(Ordering::Relaxed), self.looks.load(Ordering::Relaxed))
    }

    fn runtime(&self, stepped: &Stepped) -> Runtime {
        Runtime::builder("odd", stepped.spawner()).timer(self.clone()).build()
    }
}

impl Timer for Odd {
    fn now(&self) -> Instant {
        self.looks.fetch_add(1, Ordering::Relaxed);
        *self.now.lock().unwrap()
    }

    fn sleep_until(&self, _: Instant) -> BoxSleep {
        self.sleeps.fetch_add(1, Ordering::Relaxed);
        match self.says {
            Says::Late => Box::pin(pending()),
            Says::Early => Box::pin(std::future::ready(())),
        }
    }
}

/// So many polls of a scope may leave the time to a sleep, which may be late.
const LATEST: usize = 33;

/// Polls this as a body, and again after two seconds less a nanosecond, and after two seconds:
/// it is over then in so many polls, and not before.
fn takes_two_seconds<F: Future<Output = ()>>(what: &str, most: usize, body: impl Fn(Odd) -> F) {
    for says in [Says::Late, Says::Early] {
        let (stepped, wakes, odd) = (Stepped::new(1), Wakes::new(), Odd::new(says));
        let inside = odd.clone();
        let runtime = odd.runtime(&stepped);
        let mut run = Box::pin(nursery().on(runtime).run(async |_: Nursery<Infallible>| {
            body(inside).await;
            Ok(())
        }));
        assert!(poll_once(&mut run, &wakes).is_pending(), "{what}: it has begun");
        odd.advance(2 * SECOND - Duration::from_nanos(1));
        let before = wakes.count();
        assert!(poll_once(&mut run, &wakes).is_pending(), "{what}: too early");
        if matches!(says, Says::Early) {
            assert!(wakes.count() > before, "{what}: its word is not taken, so it looks again");
        }
        odd.advance(Duration::from_nanos(1));
        let over = (0..most).any(|_| match poll_once(&mut run, &wakes) {
            Poll::Ready(result) => result.is_ok(),
            Poll::Pending => false,
        });
        assert!(over, "{what}: too late");
    }
}

#[test]
fn t15_the_timers_clock_decides_and_not_its_sleeps() {
    takes_two_seconds("sleep", 1, async |_| sleep(2 * SECOND).await);
    takes_two_seconds("sleep_until", 1, async |odd: Odd| {
        sleep_until(odd.now() + 2 * SECOND).await;
    });
    takes_two_seconds("move_on_after", LATEST, async |_| {
        assert_eq!(move_on_after(2 * SECOND, pending::<()>()).await, None);
    });
    takes_two_seconds("fail_after", LATEST, async |_| {
        assert!(fail_after(2 * SECOND, pending::<()>()).named("it").await.is_err());
    });
    takes_two_seconds("shield", 1, async |_| {
        let inside = async {
            cancelled().await;
        };
        let shielded = async { shield(2 * SECOND, inside).await };
        assert_eq!(move_on_after(Duration::ZERO, shielded).await, Some(()));
    });
}

/// On a runtime that no thread drives: its children are never polled.
#[test]
fn t15_deadline_of_a_nursery_ends_for_the_task_that_waits() {
    for says in [Says::Late, Says::Early] {
        let (stepped, wakes, odd) = (Stepped::new(1), Wakes::new(), Odd::new(says));
        let (counts, reserved) = (Counts::new(), Counts::new());
        let (guard, passed) = (counts.guard(), reserved.clone());
        let builder = nursery().on(odd.runtime(&stepped)).deadline(3 * SECOND);
        let mut run = Box::pin(builder.run(async move |n: Nursery<Infallible>| {
            n.spawn(async move {
                let _guard = guard;
                pending().await
            });
            assert!(before_deadline(SECOND, pending::<()>()).named("it").await.is_err());
            passed.polled();
            pending::<Result<(), _>>().await
        }));
        for second in 0..3 {
            // As often as it takes the scope to look.
            for _ in 0..LATEST {
                assert!(poll_once(&mut run, &wakes).is_pending());
            }
            assert_eq!((reserved.polls(), counts.drops()), (usize::from(second == 2), 0));
            odd.advance(SECOND);
        }
        let Poll::Ready(result) = poll_once(&mut run, &wakes) else { panic!("too late") };
        assert!(result.unwrap_err().is_timeout());
        assert_eq!(counts.drops(), 1);
    }
}

/// A future that is ready in its first poll pays for one look at the clock; a second poll for a
/// sleep, and the one that finds it ready for nothing.
#[test]
fn t05_a_scope_asks_for_a_sleep_when_what_is_inside_waits() {
    let (stepped, odd) = (Stepped::new(1), Odd::new(Says::Late));
    let (runtime, inside) = (odd.runtime(&stepped), odd.clone());
    let run = nursery().on(runtime).run(async |_: Nursery<Infallible>| {
        assert_eq!(move_on_after(SECOND, ready(7)).await, Some(7));
        assert_eq!(inside.asked(), (0, 1));
        assert_eq!(move_on_after(SECOND, yield_now()).await, Some(()));
        assert_eq!(inside.asked(), (1, 2));
        Ok(())
    });
    stepped.drive(run).unwrap();
}

/// A scope that is polled often leaves the time to the waker of its sleep; one poll in 32 looks at
/// the clock, so that a timer whose sleeps are late does not hold it up for ever.
#[test]
fn t15_a_scope_that_is_polled_often_looks_seldom() {
    let (stepped, wakes, odd) = (Stepped::new(1), Wakes::new(), Odd::new(Says::Late));
    let mut run = Box::pin(
        nursery()
            .on(odd.runtime(&stepped))
            .run(async |_: Nursery<Infallible>| Ok(move_on_after(SECOND, pending::<()>()).await)),
    );
    let mut polls = |times| (0..times).find(|_| poll_once(&mut run, &wakes).is_ready());
    assert_eq!(polls(4), None);
    let (sleeps, looks) = odd.asked();
    assert_eq!(polls(320), None);
    assert_eq!(odd.asked(), (sleeps, looks + 9), "one look in 33 polls");
    odd.advance(SECOND);
    assert!(polls(LATEST).is_some(), "it is seen at last");
}

/// The waker of the latest poll is woken, and no other is kept.
#[test]
fn t15_the_latest_waker_is_woken_when_the_time_is_over() {
    let (stepped, clock, runtime) = world();
    let (first, second) = (Wakes::new(), Wakes::new());
    let mut run = Box::pin(
        nursery()
            .on(runtime)
            .run(async |_: Nursery<Infallible>| Ok(move_on_after(SECOND, pending::<()>()).await)),
    );
    for _ in 0..5 {
        assert!(poll_once(&mut run, &first).is_pending());
    }
    for wakes in [&second, &first, &second] {
        assert!(poll_once(&mut run, wakes).is_pending());
    }
    assert!(clock.step() && !stepped.step());
    assert_eq!((first.count(), second.count()), (0, 1));
    assert!(poll_once(&mut run, &second).is_ready());
    assert_eq!(clock.sleeps(), 0);
}
