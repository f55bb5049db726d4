//! A scope's own end is told by the scope, and by nothing inside it.

use allhome::cancel::cancel_reason;
use allhome::limit::{AcquireBoth, AcquireError, KeyedSemaphore, Rate, RateLimiter};
use allhome::runtime::{IntoRuntime, ThreadPool};
use allhome::time::Elapsed;
use allhome::{
    Nursery, Semaphore, cancelled, checkpoint, fail_after, is_cancelled, move_on_after, nursery,
    shield, sleep, yield_now,
};
use allhome_conformance::Counts;
use allhome_runs::{Boxed, MOMENT, SECOND, everywhere, in_body, on_threads};
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::future::{Future, pending};
use std::sync::Arc;
use std::time::{Duration, Instant};

type Never = Result<(), Boxed>;

fn elapsed<T>(result: Result<T, Elapsed>) -> String {
    result.err().and_then(|elapsed| Some(elapsed.name()?.to_string())).unwrap_or_default()
}

/// A wait that a scope with a time of its own is put around gives `None`.
async fn is_too_slow<T>(wait: impl Future<Output = T>) -> bool {
    move_on_after(MOMENT, wait).await.is_none()
}

#[test]
fn t18_waits_for_a_permit_are_dropped_by_the_scope() {
    everywhere(async |n: Nursery<Boxed>| {
        let pool = Semaphore::new(1);
        let _held = pool.try_acquire()?;
        assert!(is_too_slow(pool.acquire()).await);
        assert_eq!(elapsed(fail_after(MOMENT, pool.acquire()).named("permit").await), "permit");
        let keyed = KeyedSemaphore::new(1);
        let _held_too = keyed.acquire(&"a").await?;
        assert!(is_too_slow(keyed.acquire(&"b")).await);
        let other = Semaphore::new(1);
        assert!(is_too_slow(AcquireBoth::new(pool.acquire(), other.acquire()).unwrap()).await);
        assert!(is_too_slow(shield(Duration::ZERO, pool.acquire())).await, "nor what is lifted");
        // A part of the task that has a waker of its own.
        let mut parts: FuturesUnordered<_> = [pool.acquire(), pool.acquire()].into_iter().collect();
        assert!(is_too_slow(parts.next()).await);
        drop(parts);
        assert_eq!((pool.waiters(), keyed.semaphore().waiters(), other.available()), (0, 0, 1));
        assert!(!is_cancelled() && !n.is_cancelled());
        Ok(())
    });
}

#[test]
fn t18_waits_of_every_other_kind_are_dropped_by_the_scope() {
    everywhere(async |n: Nursery<Boxed>| {
        let full = nursery().limit(1).run(async |m: Nursery<Boxed>| {
            let _slot = m.try_reserve()?;
            assert!(is_too_slow(m.reserve()).await);
            Ok(())
        });
        full.await?;
        assert!(move_on_after(Duration::ZERO, checkpoint()).await.is_none());
        assert!(is_too_slow(sleep(1_000 * MOMENT)).await);
        let child = n.fork(pending::<Never>());
        assert!(is_too_slow(child).await);
        assert!(is_too_slow(allhome::draining()).await && is_too_slow(n.draining()).await);
        n.cancel();
        Ok(())
    });
}

#[test]
fn t18_waits_for_a_rate_are_dropped_by_the_scope() {
    on_threads(async |_: Nursery<Boxed>| {
        let runtime = ThreadPool::global().into_runtime()?;
        let often = RateLimiter::new(&runtime, Rate::new(0, MOMENT), 1);
        often.try_acquire()?;
        assert!(is_too_slow(often.acquire()).await);
        assert_eq!(often.waiters(), 0);
        Ok(())
    });
}

/// The one that is cancelled is the task: then a wait says so, in a scope, too.
#[test]
fn t18_waits_tell_of_the_cancel_of_the_task() {
    everywhere(async |n: Nursery<Boxed>| {
        let pool = Semaphore::new(1);
        let _held = pool.try_acquire()?;
        n.cancel();
        let waits = move_on_after(1_000 * MOMENT, pool.acquire()).await;
        assert!(matches!(waits, Some(Err(AcquireError::Cancelled(_)))), "{waits:?}");
        assert!(move_on_after(1_000 * MOMENT, checkpoint()).await.unwrap().is_err());
        Ok(())
    });
}

/// Six attempts in the time of all of them: each is told by the scope around it.
#[test]
fn t07_the_scope_whose_time_is_over_says_so() {
    in_body(async |_| {
        let run = nursery().limit(1).run(async |n: Nursery<Boxed>| {
            let (_slot, mut tries) = (n.try_reserve()?, 0);
            let out = fail_after(100 * SECOND, async {
                loop {
                    tries += 1;
                    match fail_after(18 * SECOND, n.reserve()).named("attempt").await {
                        Err(_) => continue,
                        other => return other.map(drop).map_err(|error| error.to_string()),
                    }
                }
            })
            .named("overall");
            assert_eq!(elapsed(out.await), "overall");
            Ok(tries)
        });
        assert_eq!(run.await.unwrap(), 6);
    });
}

#[test]
fn t08_a_nursery_that_only_the_scope_ended_is_not_ready() {
    everywhere(async |_: Nursery<Boxed>| {
        let counts = Counts::new();
        let batch = async |counts: &Counts| {
            let child = counts.parked().child::<Boxed>();
            let run = nursery().run(async |m: Nursery<Boxed>| {
                m.spawn(child);
                pending::<Result<u32, Boxed>>().await
            });
            run.await
        };
        assert!(is_too_slow(batch(&counts)).await);
        assert_eq!(counts.drops(), 1, "its child is home");
        // Two deep: the one in the middle has nothing to tell but that, either.
        let deep = nursery().run(async |_: Nursery<Boxed>| Ok(batch(&counts).await?));
        assert!(is_too_slow(deep).await);
        assert_eq!(counts.drops(), 2);
        Ok(())
    });
}

#[test]
fn t08_a_nursery_in_a_scope_tells_what_is_its_own() {
    everywhere(async |_: Nursery<Boxed>| {
        let failed = nursery().run(async |m: Nursery<Boxed>| {
            m.spawn(async {
                cancelled().await;
                shield(Duration::MAX, yield_now()).await;
                panic!("on purpose")
            });
            pending::<Never>().await
        });
        let failed = std::panic::AssertUnwindSafe(move_on_after(MOMENT, failed));
        let caught = futures_util::FutureExt::catch_unwind(failed).await;
        assert!(caught.is_err(), "a real failure is not hidden by a timeout");
        let value = nursery().run(async |m: Nursery<Boxed>| {
            m.spawn(pending());
            cancelled().await;
            Ok(7)
        });
        assert_eq!(move_on_after(MOMENT, value).await.unwrap()?, 7);
        let earlier = nursery().deadline(MOMENT / 2);
        let earlier =
            move_on_after(1_000 * MOMENT, earlier.run(|_: Nursery<Boxed>| pending::<Never>()));
        assert!(earlier.await.unwrap().unwrap_err().is_timeout(), "a time of its own");
        Ok(())
    });
}

/// A future that was only lent to the scope is ready outside of it, and reports the cancel.
#[test]
fn t08_a_nursery_that_outlives_its_scope_is_ready() {
    in_body(async |_| {
        let mut run = Box::pin(nursery().run(|_: Nursery<Boxed>| pending::<Never>()));
        assert!(move_on_after(SECOND, &mut run).await.is_none());
        assert!(run.await.unwrap_err().is_timeout());
    });
}

#[test]
fn t18_code_that_asks_sees_the_scope_s_end() {
    everywhere(async |_: Nursery<Boxed>| {
        let reason = move_on_after(MOMENT, cancelled()).await.unwrap();
        let asked = move_on_after(MOMENT, async {
            allhome::cancel::cancel_token().cancelled().await;
            (is_cancelled(), cancel_reason().unwrap().kind())
        });
        assert_eq!(asked.await, Some((true, reason.kind())));
        let inside = move_on_after(MOMENT, allhome::cancel::cancellable(pending::<()>()));
        assert!(inside.await.unwrap().is_err());
        Ok(())
    });
}

/// No poll comes while it computes.
#[test]
fn t16_a_loop_that_computes_sees_the_scope_s_deadline() {
    on_threads(async |n: Nursery<Boxed>| {
        let start = Instant::now();
        let computes = move || async move {
            while !is_cancelled() {
                assert!(start.elapsed() < Duration::from_secs(20), "it does not see its deadline");
            }
            "saw it"
        };
        assert_eq!(move_on_after(MOMENT, computes()).await, Some("saw it"));
        let child = n.fork(async move { Ok(move_on_after(MOMENT, computes()).await) });
        assert_eq!(child.await?, Some("saw it"));
        Ok(())
    });
}

/// The time that a nursery inside waits for the slot that its task lent is no time of the scope's.
#[test]
fn l19_a_value_of_a_nursery_that_wants_its_slot_back_is_kept() {
    in_body(async |_| {
        let limiter = Arc::new(Semaphore::new(1));
        let outer = nursery().limiter(&limiter).run(async |n: Nursery<Boxed>| {
            let shared = limiter.clone();
            let lends = n.fork(async move {
                let inner = nursery().limiter(&shared).run(async |m: Nursery<Boxed>| {
                    m.spawn(sleep_for(SECOND));
                    Ok(7)
                });
                Ok(move_on_after(2 * SECOND, inner).await.map(Result::unwrap))
            });
            n.spawn(sleep_for(5 * SECOND));
            Ok(lends.await?)
        });
        assert_eq!(outer.await.unwrap(), Some(7));
    });
}

async fn sleep_for(time: Duration) -> Never {
    sleep(time).await;
    Ok(())
}
