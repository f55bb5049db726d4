//! The clock: when it moves, and when it waits for a thread outside.

use super::{Log, SECOND, taken};
use allhome::sim::{Bare, SimHandle, Simulation};
use allhome::{Nursery, Simulator, move_on_after, sleep, yield_now};
use allhome_rt::Timer;
use allhome_runs::within;
use std::convert::Infallible;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

#[test]
fn y02_clock_stands_still_while_somebody_is_runnable() {
    let times = Simulator::new().run(async |n: Nursery<std::convert::Infallible>| {
        let timer = n.runtime().timer().clone();
        let start = timer.now();
        let sleeper = n.fork(async {
            sleep(SECOND).await;
            Ok(())
        });
        let mut times = Vec::new();
        for _ in 0..1_000 {
            yield_now().await;
            times.push(timer.now() - start);
        }
        let _ = sleeper.await;
        times.push(timer.now() - start);
        Ok(times)
    });
    let mut times = times.unwrap();
    assert_eq!(times.pop(), Some(SECOND));
    assert!(times.iter().all(Duration::is_zero));
}

/// Spawns sleepers, which write down when they have woken.
fn sleepers(simulation: &Simulation, seconds: &[u32]) -> Log<(usize, Duration)> {
    let log: Log<_> = Log::default();
    for (number, seconds) in seconds.iter().enumerate() {
        let (log, handle) = (log.clone(), simulation.handle());
        let at = handle.now() + SECOND * *seconds;
        simulation.handle().spawn_future(async move {
            handle.sleep_until(at).await;
            log.lock().unwrap().push((number, handle.elapsed()));
        });
    }
    log
}

#[test]
fn y02_advance_goes_from_deadline_to_deadline() {
    let mut simulation = Simulator::new().start();
    let log = sleepers(&simulation, &[3, 1, 2, 1, 9]);
    simulation.advance(SECOND * 5).unwrap();
    let expected = [(1, SECOND), (3, SECOND), (2, SECOND * 2), (0, SECOND * 3)];
    assert_eq!(taken(&log), expected);
    assert_eq!((simulation.elapsed(), simulation.tasks()), (SECOND * 5, 1));
    simulation.settle().unwrap();
    assert_eq!(taken(&log), [(4, SECOND * 9)]);
}

#[test]
fn y02_run_until_stalled_leaves_the_clock() {
    let mut simulation = Simulator::new().start();
    let log = sleepers(&simulation, &[0, 1]);
    simulation.run_until_stalled().unwrap();
    assert_eq!(taken(&log), [(0, Duration::ZERO)]);
    assert_eq!((simulation.sleeps(), simulation.elapsed()), (1, Duration::ZERO));
}

#[test]
fn y02_sleep_that_is_dropped_moves_no_clock() {
    let run = Simulator::new().run(async |n: Nursery<std::convert::Infallible>| {
        let timer = n.runtime().timer().clone();
        let start = timer.now();
        assert!(move_on_after(SECOND, sleep(SECOND * 100)).await.is_none());
        sleep(SECOND).await;
        Ok(timer.now() - start)
    });
    assert_eq!(run.unwrap(), SECOND * 2);
}

/// Waits for a thread that wakes it once the run has nothing else to do, as far as a thread can know.
async fn woken_from_elsewhere(keep: impl Send + 'static) {
    let done = Arc::new(AtomicBool::new(false));
    let (set, mut keep) = (done.clone(), Some(keep));
    poll_fn(move |cx| {
        if done.load(Ordering::SeqCst) {
            return Poll::Ready(());
        }
        if let Some(keep) = keep.take() {
            let (set, waker) = (set.clone(), cx.waker().clone());
            thread::spawn(move || {
                set.store(true, Ordering::SeqCst);
                waker.wake();
                drop(keep);
            });
        }
        Poll::Pending
    })
    .await;
}

#[test]
fn y07_wake_from_outside_is_waited_for() {
    for _ in 0..20 {
        let run = Simulator::new().external_wakes(true).run(async |n: Nursery<Infallible>| {
            n.spawn(async {
                woken_from_elsewhere(()).await;
                Ok(())
            });
            Ok(())
        });
        run.unwrap();
    }
}

#[test]
fn y07_clock_stands_still_while_somebody_outside_is_waited_for() {
    for _ in 0..20 {
        let simulator = Bare::new();
        let elapsed = simulator.run(async |sim: SimHandle| {
            // It would be the next thing to happen.
            let mut sleep = sim.sleep_until(sim.now() + SECOND);
            poll_fn(|cx| Poll::Ready(sleep.as_mut().poll(cx).is_pending())).await;
            woken_from_elsewhere(sim.outside()).await;
            sim.elapsed()
        });
        assert_eq!(elapsed.unwrap(), Duration::ZERO);
    }
}

/// The root waits for a sleep that another thread makes for it. No other task is there.
#[test]
fn y07_sleep_of_somebody_outside_is_waited_for() {
    for _ in 0..20 {
        within(|| {
            let simulator = Bare::new().external_wakes(true);
            let elapsed = simulator.run(async |sim: SimHandle| {
                let mut elsewhere = None;
                poll_fn(|cx| {
                    if elsewhere.is_some() {
                        return Poll::Ready(());
                    }
                    let (timer, waker) = (sim.clone(), cx.waker().clone());
                    elsewhere = Some(thread::spawn(move || {
                        let mut sleep = timer.sleep_until(timer.now() + SECOND);
                        let poll = sleep.as_mut().poll(&mut Context::from_waker(&waker));
                        assert!(poll.is_pending());
                        // Kept, or it would wake no task.
                        sleep
                    }));
                    Poll::Pending
                })
                .await;
                drop(elsewhere.unwrap().join().expect("no panic"));
                sim.elapsed()
            });
            assert_eq!(elapsed.unwrap(), SECOND);
        });
    }
}
