//! Time on a timer that cannot be relied on: its clock is right, and its sleeps are not.

use allhome::time::{before_deadline, sleep_until};
use allhome::{Nursery, cancelled, fail_after, move_on_after, nursery, shield, sleep};
use allhome_conformance::Counts;
use allhome_rt::{BoxSleep, Runtime, Timer};
use allhome_runs::{SECOND, Stepped, Wakes, poll_once};
use std::convert::Infallible;
use std::future::{Future, pending};
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
}

impl Odd {
    fn new(says: Says) -> Odd {
        Odd { says, now: Arc::new(Mutex::new(Instant::now())), sleeps: Arc::default() }
    }

    fn advance(&self, by: Duration) {
        *self.now.lock().unwrap() += by;
    }

    fn runtime(&self, stepped: &Stepped) -> Runtime {
        Runtime::builder("odd", stepped.spawner()).timer(self.clone()).build()
    }
}

impl Timer for Odd {
    fn now(&self) -> Instant {
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

/// Polls this as a body, and again after two seconds less a nanosecond, and after two seconds:
/// it is over then, and not before.
fn takes_two_seconds<F: Future<Output = ()>>(what: &str, body: impl Fn(Odd) -> F) {
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
        let Poll::Ready(result) = poll_once(&mut run, &wakes) else { panic!("{what}: too late") };
        result.unwrap();
    }
}

#[test]
fn t15_the_timers_clock_decides_and_not_its_sleeps() {
    takes_two_seconds("sleep", async |_| sleep(2 * SECOND).await);
    takes_two_seconds("sleep_until", async |odd: Odd| {
        sleep_until(odd.now() + 2 * SECOND).await;
    });
    takes_two_seconds("move_on_after", async |_| {
        assert_eq!(move_on_after(2 * SECOND, pending::<()>()).await, None);
    });
    takes_two_seconds("fail_after", async |_| {
        assert!(fail_after(2 * SECOND, pending::<()>()).named("it").await.is_err());
    });
    takes_two_seconds("shield", async |_| {
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
            assert!(poll_once(&mut run, &wakes).is_pending());
            assert_eq!((reserved.polls(), counts.drops()), (usize::from(second == 2), 0));
            odd.advance(SECOND);
        }
        let Poll::Ready(result) = poll_once(&mut run, &wakes) else { panic!("too late") };
        assert!(result.unwrap_err().is_timeout());
        assert_eq!(counts.drops(), 1);
    }
}
