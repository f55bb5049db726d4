//! A limit of 0 is a pause, a drain keeps what was reserved, and what is refused is counted.

use super::{Log, Waiting, child, open};
use allhome::limit::TryReserveError;
use allhome::{Nursery, Semaphore, block_on, nursery, sleep};
use allhome_conformance::Gate;
use allhome_runs::{Boxed, MOMENT, Opened, Stepped, everywhere};
use futures_util::FutureExt;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::task::Poll;
use std::time::Duration;

const NEVER: Duration = Duration::MAX;

#[test]
#[should_panic(expected = "use at least 1")]
fn l08_a_nursery_is_not_opened_with_a_limit_of_none() {
    let _ = nursery().limit(0);
}

#[test]
fn l08_a_pause_keeps_what_waits() {
    everywhere(async |_: Nursery<Boxed>| {
        let done = Arc::new(AtomicU32::new(0));
        let run = nursery().limit(1).run(async |n: Nursery<Boxed>| {
            let spawn = || {
                let done = done.clone();
                n.spawn(async move {
                    sleep(MOMENT / 10).await;
                    done.fetch_add(1, SeqCst);
                    Ok(())
                })
            };
            (0..10).for_each(|_| assert!(spawn().is_admitted()));
            n.set_limit(0);
            // One may have the slot still, however slow its thread is.
            let most = done.load(SeqCst) + 1;
            (0..10).for_each(|_| assert!(spawn().is_admitted(), "while it is paused, too"));
            assert!(matches!(n.try_reserve(), Err(TryReserveError::Full)));
            let waits = n.reserve();
            sleep(MOMENT * 2).await;
            let ended = done.load(SeqCst);
            assert!(ended <= most, "{ended} of at most {most}");
            n.set_limit(4);
            drop(waits.await?);
            Ok(())
        });
        run.await?;
        assert_eq!(done.load(SeqCst), 20);
        Ok(())
    });
}

/// A limiter that has no permits yet, or no more: opened paused, paused by its owner.
#[test]
fn l08_a_limiter_at_none_is_a_pause() {
    let stepped = Stepped::new(1);
    let limiter = Arc::new(Semaphore::new(0));
    let mut opened = Opened::new(nursery().on(stepped.runtime()).limiter(&limiter));
    let (log, gate) = (Log::default(), Gate::new());
    gate.open();
    assert!(opened.n.spawn(child(&log, "a", &gate)).is_admitted());
    stepped.run_until_stalled();
    let mut waiting = Waiting::new(&opened.n);
    stepped.run_until_stalled();
    assert!(log.lock().unwrap().is_empty() && waiting.poll().is_none());
    assert!(limiter.acquire().now_or_never().unwrap().is_err(), "a plain acquire is refused");
    limiter.resize(1);
    stepped.run_until_stalled();
    assert_eq!(*log.lock().unwrap(), ["a"]);
    let slot = waiting.poll().expect("it is its turn").unwrap();
    limiter.resize(0);
    assert!(slot.spawn(child(&log, "b", &gate)).is_admitted(), "a slot that was granted stays");
    assert!(opened.n.spawn(child(&log, "c", &gate)).is_admitted());
    stepped.run_until_stalled();
    assert_eq!(*log.lock().unwrap(), ["a", "b"]);
    // A cancel ends what waits.
    assert!(opened.n.cancel());
    stepped.run_until_stalled();
    assert!(opened.n.is_empty() && opened.finish().is_ready());
}

/// A place that was reserved before the drain still admits its child.
#[test]
fn l05_a_slot_is_used_while_the_nursery_drains() {
    everywhere(async |_: Nursery<Boxed>| {
        for bounded in [true, false] {
            let builder = if bounded { nursery().limit(3) } else { nursery() };
            let run = builder.run(async |n: Nursery<Boxed>| {
                let (one, two, late) = (n.reserve().await?, n.try_reserve()?, n.try_reserve()?);
                n.close();
                assert!(n.try_reserve().is_err() && n.reserve().await.is_err());
                let forked = one.fork(async { Ok(7) });
                assert!(two.spawn(async { Ok(()) }).is_admitted());
                let value = forked.await?;
                n.cancel();
                assert!(late.spawn(async { Ok(()) }).refused().is_some(), "a cancel refuses it");
                Ok(value)
            });
            assert_eq!(run.await?, 7);
        }
        Ok(())
    });
}

#[test]
fn o27_a_refusal_is_counted_and_is_no_failure() {
    everywhere(async |_: Nursery<Boxed>| {
        let run = nursery().run(async |n: Nursery<Boxed>| {
            n.close();
            for _ in 0..3 {
                n.spawn(pending());
            }
            assert!(n.fork(async { Ok(1) }).await.is_err());
            Ok(n.shutdown().await?.refused_count())
        });
        assert_eq!(run.await?, 4);
        let run = nursery().run(async |n: Nursery<Boxed>| {
            n.close();
            n.spawn(pending());
            Err::<(), _>("a failure beside it".into())
        });
        let error = run.await.unwrap_err();
        assert_eq!((error.failures().len(), error.refused_count()), (1, 1));
        Ok(())
    });
}

/// Children that were admitted, and get no slot because the limiter was closed, are counted, too.
#[test]
fn o27_children_that_a_closed_limiter_turns_away_are_counted() {
    let stepped = Stepped::new(1);
    let mut opened = open(&stepped, 1);
    let slot = opened.n.try_reserve().unwrap();
    opened.n.spawn(pending());
    stepped.run_until_stalled();
    assert!(opened.n.limiter().unwrap().close());
    stepped.run_until_stalled();
    opened.n.spawn(pending());
    drop(slot);
    let n = opened.n.clone();
    assert!(matches!(opened.finish(), Poll::Ready(Ok(()))));
    let report = block_on(n.shutdown().drain(NEVER).cancel(NEVER).abort(NEVER)).unwrap();
    assert_eq!(report.refused_count(), 2, "also when the nursery has ended");
}
