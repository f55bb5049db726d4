//! The grace of cancelled tasks, on a clock that the test moves.

use allhome::cancel::Level;
use allhome::{Nursery, cancelled, is_cancelled, nursery, shield, sleep};
use allhome_runs::{SECOND, world};
use std::convert::Infallible;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[test]
fn t12_grace_is_time_to_leave() {
    for (needs, has) in [(2, 5), (5, 2)] {
        let (stepped, clock, runtime) = world();
        let run = nursery().on(runtime).grace(has * SECOND).run(async |n: Nursery<Infallible>| {
            // The body, a task, and one in a nursery inside, which has the grace of this one.
            n.spawn(async move {
                let inner = nursery().run(async |n: Nursery<Infallible>| {
                    n.spawn(leaves_slowly(needs));
                    leaves_slowly(needs).await
                });
                assert_eq!(inner.await.is_ok(), needs < has);
                Ok(())
            });
            n.spawn(leaves_slowly(needs));
            sleep(SECOND).await;
            n.cancel();
            leaves_slowly(needs).await
        });
        let result = clock.drive(&stepped, run);
        assert_eq!(result.is_ok(), needs < has);
        assert_eq!(clock.elapsed(), (1 + needs.min(has)) * SECOND);
        assert_eq!(clock.sleeps(), 0);
    }
    // A child that is cancelled on its own.
    for needs in [2, 5] {
        let (stepped, clock, runtime) = world();
        let run = nursery().on(runtime).grace(3 * SECOND).run(async |n: Nursery<Infallible>| {
            let sibling = n.fork(sleep_for(10));
            let child = n.fork(leaves_slowly(needs));
            sleep(SECOND).await;
            assert!(child.cancel());
            let left = child.await.is_ok();
            assert_eq!(clock.elapsed(), (1 + needs.min(3)) * SECOND);
            sibling.await.unwrap();
            Ok(left)
        });
        assert_eq!(clock.drive(&stepped, run).unwrap(), needs < 3);
    }
    // Without end.
    let (stepped, clock, runtime) = world();
    let run = nursery().on(runtime).grace(Duration::MAX).run(async |n: Nursery<Infallible>| {
        n.cancel();
        leaves_slowly(1_000).await
    });
    assert!(clock.drive(&stepped, run).is_ok());
}

async fn sleep_for(seconds: u32) -> Result<(), Infallible> {
    sleep(seconds * SECOND).await;
    Ok(())
}

async fn leaves_slowly(seconds: u32) -> Result<(), Infallible> {
    cancelled().await;
    assert!(is_cancelled());
    sleep_for(seconds).await
}

#[test]
fn t14_grace_ends_in_an_abort() {
    let (stepped, clock, runtime) = world();
    let levels = Arc::new(Mutex::new(Vec::new()));
    let seen = levels.clone();
    let run = nursery().on(runtime).grace(SECOND).run(async move |n: Nursery<Infallible>| {
        let token = n.token();
        let watch = n.clone();
        n.spawn(async move {
            // It never leaves, and never asks.
            pending::<()>().await;
            Ok(())
        });
        n.cancel();
        seen.lock().unwrap().push((watch.level(), token.level()));
        shield(Duration::MAX, sleep(2 * SECOND)).await;
        seen.lock().unwrap().push((watch.level(), token.level()));
        Ok(watch.len())
    });
    assert_eq!(clock.drive(&stepped, run).unwrap(), 0);
    let expected = [(Level::Cancelled, Level::Cancelled), (Level::Aborted, Level::Aborted)];
    assert_eq!(*levels.lock().unwrap(), expected);
}
