//! A runtime that can only spawn is lent a timer and a blocking pool; the clocks that reasons and
//! books are read from; intervals.

use allhome::runtime::Runtime;
use allhome::time::{before_deadline, interval, now};
use allhome::{
    Nursery, Semaphore, Simulator, block_on, fail_after, move_on_after, nursery, shield, sleep,
};
use allhome_rt::{Spawn, Task};
use allhome_runs::{SECOND, in_body};
use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

const MOMENT: Duration = Duration::from_millis(2);
const LONG: Duration = Duration::from_secs(3_600);

/// A thread for each task, and nothing else.
struct Threads;

impl Spawn for Threads {
    fn spawn(&self, task: Task) {
        thread::spawn(|| block_on(task));
    }
}

fn bare() -> Runtime {
    Runtime::new("bare", Threads)
}

#[test]
fn t11_runtime_that_can_only_spawn_keeps_every_time() {
    let pends = nursery().on(bare()).deadline(MOMENT).run(async |n: Nursery<Infallible>| {
        n.spawn(pending());
        pending::<Result<(), _>>().await
    });
    assert!(block_on(pends).unwrap_err().is_timeout());

    let deferred = Arc::new(AtomicUsize::new(0));
    let count = deferred.clone();
    let run = nursery().on(bare()).grace(LONG).run(async |n: Nursery<Infallible>| {
        assert_eq!(move_on_after(MOMENT, pending::<()>()).await, None);
        assert!(fail_after(MOMENT, pending::<()>()).await.is_err());
        assert!(n.set_deadline(Some(now() + LONG)));
        let early = before_deadline(LONG - MOMENT, pending::<()>()).await;
        assert!(early.is_err());
        assert!(n.defer(LONG, async move {
            sleep(MOMENT).await;
            count.fetch_add(1, SeqCst);
            Ok(())
        }));
        n.cancel();
        assert_eq!(shield(LONG, async { sleep(MOMENT).await }).await, ());
        Ok(n.fork(async { Ok(()) }).await.is_err())
    });
    assert!(block_on(run).unwrap());
    assert_eq!(deferred.load(SeqCst), 1);
}

#[test]
fn x08_runtime_that_can_only_spawn_has_blocking_work() {
    let caller = thread::current().id();
    let run = nursery().on(bare()).blocking_limit(2).run(async |n: Nursery<Infallible>| {
        let works: Vec<_> = (0..10_u32)
            .map(|number| {
                n.blocking(move |cx| {
                    let inner = nursery().run(async |n: Nursery<Infallible>| {
                        Ok(n.fork(async move { Ok(number) }).await.unwrap())
                    });
                    assert_ne!(thread::current().id(), caller);
                    Ok(cx.block_on(inner).unwrap().unwrap())
                })
            })
            .collect();
        let mut sum = 0;
        for work in works {
            sum += work.await.unwrap();
        }
        Ok(sum)
    });
    assert_eq!(block_on(run).unwrap(), 45);
}

#[test]
fn x21_ticks_are_skipped_when_they_are_missed() {
    in_body(async |clock| {
        let mut ticks = interval(10 * SECOND);
        let start = now();
        let mut seen = Vec::new();
        for work in [0, 3, 25, 20, 0, 0] {
            let due = ticks.tick().await;
            seen.push(((due - start).as_secs(), clock.elapsed().as_secs()));
            sleep(work * SECOND).await;
        }
        // Late by 25: the tick at 30 comes at 45, those at 40 is lost. On time again at 50, and late
        // by exactly two periods, which is a tick on time.
        assert_eq!(seen, [(0, 0), (10, 10), (20, 20), (30, 45), (50, 65), (70, 70)]);
    });
}

#[test]
fn x21_dropped_tick_is_waited_for_by_the_next() {
    in_body(async |clock| {
        let mut ticks = interval(10 * SECOND);
        ticks.tick().await;
        assert_eq!(move_on_after(4 * SECOND, ticks.tick()).await, None);
        ticks.tick().await;
        assert_eq!(clock.elapsed(), 10 * SECOND);
        let mut never = interval(Duration::MAX);
        never.tick().await;
        assert_eq!(move_on_after(SECOND, never.tick()).await, None);
    });
}

#[test]
#[should_panic = "an interval needs a period that is longer than zero"]
fn x21_period_of_zero_panics() {
    let _ = interval(Duration::ZERO);
}

/// In virtual time a cancel after an hour is an hour after the start.
#[test]
fn x22_reason_tells_the_time_by_the_clock_of_the_runtime() {
    let run = Simulator::new().run(async |n: Nursery<String>| {
        let (start, token) = (now(), allhome::CancelToken::new());
        let child = n.fork(pending::<Result<(), String>>());
        let exits = n.fork(async {
            sleep(LONG).await;
            match allhome::task::exit().await {}
        });
        let _: Result<(), _> = exits.await;
        child.cancel();
        token.cancel();
        let times = [
            child.await.unwrap_err().reason().unwrap().at() - start,
            token.reason().unwrap().at() - start,
        ];
        let inner = nursery().deadline(LONG).run(async |n: Nursery<String>| {
            n.spawn(pending());
            pending::<Result<(), _>>().await
        });
        let over = inner.await.unwrap_err().reason().unwrap().at() - start;
        n.close();
        let refused = n.spawn(pending()).refused().unwrap().at() - start;
        Ok((times, over, refused))
    });
    assert_eq!(run.unwrap(), ([LONG; 2], 2 * LONG, 2 * LONG));
}

#[test]
fn x22_book_of_holders_tells_the_time_by_the_clock_of_the_task() {
    let run = Simulator::new().run(async |n: Nursery<Infallible>| {
        let semaphore = Arc::new(Semaphore::new(1).time_holders(true));
        let (start, held) = (now(), semaphore.acquire().await.unwrap());
        let waits = semaphore.clone();
        let waiter = n.fork(async move {
            sleep(SECOND).await;
            let _permit = waits.acquire().await.unwrap();
            Ok(waits.holders()[0].since())
        });
        sleep(LONG).await;
        let texts: Vec<_> = semaphore.holders().iter().map(ToString::to_string).collect();
        assert!(texts[0].contains("for 3600.0s") && texts[1].contains("for 3599.0s"), "{texts:?}");
        drop(held);
        Ok(waiter.await.unwrap() - start)
    });
    assert_eq!(run.unwrap(), LONG);
}
