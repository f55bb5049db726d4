//! Clause Y15: a future is dropped at each of its await points.

use allhome::cancel::{Stopped, cancel_safe};
use allhome::{Nursery, Semaphore, block_on, nursery, sleep, yield_now};
use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

#[test]
fn y15_each_await_point_once_and_then_to_the_end() {
    let log = RefCell::new(Vec::new());
    struct Gone<'a>(&'a RefCell<Vec<String>>);
    impl Drop for Gone<'_> {
        fn drop(&mut self) {
            self.0.borrow_mut().push("gone".to_string());
        }
    }
    let make = || {
        let gone = Gone(&log);
        async move {
            let _gone = gone;
            yield_now().await;
            yield_now().await;
            7
        }
    };
    let points = block_on(cancel_safe(make, |stopped| {
        if let Stopped::Ready(value) = stopped {
            assert_eq!(value, 7);
        }
        log.borrow_mut().push(stopped.to_string());
    }));
    assert_eq!(points, 2);
    let runs =
        ["dropped before its first poll", "dropped after 1 poll", "dropped after 2 polls", "ready"];
    let gone = runs.iter().flat_map(|run| ["gone", run]);
    assert!(log.borrow().iter().eq(gone), "{:?}", log.borrow());
}

#[test]
fn y15_a_future_that_does_not_wait_is_dropped_once() {
    let runs = Cell::new(0);
    let points = block_on(cancel_safe(async || {}, |_| runs.set(runs.get() + 1)));
    assert_eq!((points, runs.get()), (0, 2));
}

#[test]
fn y15_a_check_that_fails_panics() {
    let lost = Cell::new(0);
    let make = || async {
        lost.set(lost.get() + 1);
        yield_now().await;
        lost.set(lost.get() - 1);
    };
    let run = || block_on(cancel_safe(make, |_| assert_eq!(lost.get(), 0, "one is lost")));
    let panic = catch_unwind(AssertUnwindSafe(run)).unwrap_err();
    assert!(panic.downcast_ref::<String>().unwrap().contains("one is lost"));
    assert_eq!(lost.get(), 1, "at the first that is lost");
}

#[test]
fn y15_the_waits_of_tokio_and_of_ours_under_paused_time() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let permits = Semaphore::new(1);
    let hour = Duration::from_secs(3_600);
    let make = || async {
        let permit = permits.acquire().await.unwrap();
        tokio::time::sleep(hour).await;
        drop(permit);
        sleep(hour).await;
    };
    let points = runtime.block_on(cancel_safe(make, |stopped| {
        assert_eq!(permits.available(), 1, "{stopped}");
    }));
    assert!(points >= 2, "{points}");
}

#[test]
fn y15_a_nursery_leaves_nothing_at_any_of_its_await_points() {
    let permits = std::sync::Arc::new(Semaphore::new(2));
    let make = || {
        nursery().run(async |n: Nursery<Infallible>| {
            for _ in 0..3 {
                let permits = permits.clone();
                n.go(async move {
                    let _permit = permits.acquire().await;
                    yield_now().await;
                });
            }
            yield_now().await;
            Ok(())
        })
    };
    let local = allhome::runtime::LocalExecutor::new();
    let run = nursery().on(&local).run(async |_: Nursery<Infallible>| {
        let points = cancel_safe(make, |stopped| {
            assert_eq!(permits.available(), 2, "{stopped}");
        });
        Ok(points.await)
    });
    assert!(local.run(run).unwrap() >= 2);
}

#[test]
#[should_panic(expected = "is not ready")]
fn y15_a_future_that_is_woken_for_ever_is_given_up() {
    let woken_for_ever = || {
        std::future::poll_fn(|cx| {
            cx.waker().wake_by_ref();
            std::task::Poll::<()>::Pending
        })
    };
    block_on(cancel_safe(woken_for_ever, |_| {}));
}
