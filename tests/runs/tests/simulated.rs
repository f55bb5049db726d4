//! Clauses Y: what the simulator promises.

use allhome::sim::{Bare, Event, Faults, SimHandle, Simulation};
use allhome::sim::{FailureKind, SimError, Trace};
use allhome::{GroupError, Nursery, Semaphore, Simulator, move_on_after, sleep, yield_now};
use allhome_conformance::Counts;
use allhome_rt::{Spawn, SpawnBlocking, Task, Timer};
use allhome_runs::within;
use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);
const WHO: &str = "Y01_IN_A_PROCESS_OF_ITS_OWN";

type Log<T> = Arc<Mutex<Vec<T>>>;

fn taken<T>(log: &Log<T>) -> Vec<T> {
    std::mem::take(&mut *log.lock().unwrap())
}

/// A bit of everything: turns, sleeps, permits, blocking work, cancels.
async fn program(n: Nursery<allhome::Unsupported>) -> Result<(), allhome::Unsupported> {
    let limit = Arc::new(Semaphore::new(2));
    for number in 0..10 {
        let limit = limit.clone();
        n.spawn(async move {
            let permit = limit.acquire().await;
            sleep(SECOND * (number % 3)).await?;
            yield_now().await;
            drop(permit);
            Ok(())
        });
    }
    let work = n.blocking(|_| Ok(7))?;
    let endless = n.fork(pending::<Result<(), _>>());
    let _ = work.join().await;
    let _ = move_on_after(SECOND, pending::<()>()).await;
    endless.abort();
    Ok(())
}

fn trace_of(simulator: &Simulator) -> Trace {
    let record = simulator.clone().trace(true).record(program);
    record.result.unwrap().unwrap();
    record.trace
}

#[test]
fn y01_same_seed_is_the_same_run() {
    for simulator in [
        Simulator::new(),
        Simulator::new().seed(7),
        Simulator::new().pct(2).seed(7),
        Simulator::new().seed(7).faults(Faults { spurious_wakes: true, ..Faults::default() }),
        Simulator::new().seed(7).faults(Faults {
            threads: 2,
            foreign_wakes: true,
            ..Faults::default()
        }),
    ] {
        let first = trace_of(&simulator);
        assert!(first.len() > 50, "{first}");
        assert_eq!(first.to_string(), trace_of(&simulator).to_string());
    }
    let traces = [1, 2, 3].map(|seed| trace_of(&Simulator::new().seed(seed)).to_string());
    assert!(traces[0] != traces[1] || traces[1] != traces[2], "the seed decides nothing");
}

#[test]
fn y01_same_seed_is_the_same_run_in_another_process() {
    if std::env::var_os(WHO).is_some() {
        println!("<<<\n{}>>>", trace_of(&Simulator::new().seed(7)));
        return;
    }
    let run = || {
        let own = std::env::current_exe().unwrap();
        let mut command = Command::new(own);
        let name = "y01_same_seed_is_the_same_run_in_another_process";
        let output = command.args(["--exact", name, "--nocapture"]).env(WHO, "1").output().unwrap();
        let output = String::from_utf8(output.stdout).unwrap();
        let (_, trace) = output.split_once("<<<\n").expect("it prints its trace");
        trace.split_once(">>>").expect("to the end").0.to_owned()
    };
    let first = run();
    assert_eq!(first, run());
    assert_eq!(first, trace_of(&Simulator::new().seed(7)).to_string());
}

#[test]
fn y02_clock_stands_still_while_somebody_is_runnable() {
    let times = Simulator::new().run(async |n: Nursery<allhome::Unsupported>| {
        let timer = n.runtime().timer().unwrap().clone();
        let start = timer.now();
        let sleeper = n.fork(async { sleep(SECOND).await });
        let mut times = Vec::new();
        for _ in 0..1_000 {
            yield_now().await;
            times.push(timer.now() - start);
        }
        let _ = sleeper.join().await;
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
    let run = Simulator::new().run(async |n: Nursery<allhome::Unsupported>| {
        let timer = n.runtime().timer().unwrap().clone();
        let start = timer.now();
        assert!(move_on_after(SECOND, sleep(SECOND * 100)).await?.is_none());
        sleep(SECOND).await?;
        Ok(timer.now() - start)
    });
    assert_eq!(run.unwrap(), SECOND * 2);
}

#[test]
fn y03_blocking_job_is_a_step_of_its_own() {
    let run = Simulator::new().trace(true).record(async |n: Nursery<Infallible>| {
        let home = thread::current().id();
        let work = n.blocking(move |_| Ok(thread::current().id() == home)).unwrap();
        Ok(work.join().await.unwrap())
    });
    assert!(run.result.unwrap().unwrap(), "it is called on the thread that drives");
    assert!(run.trace.events().contains(&Event::Job(1)));
}

#[test]
fn y03_job_that_was_not_called_is_dropped_with_the_runtime() {
    let counts = Counts::new();
    let simulation = Simulator::new().start();
    let guard = counts.guard();
    simulation.handle().spawn_blocking(Box::new(move || drop(guard)));
    assert_eq!(counts.drops(), 0);
    drop(simulation);
    assert_eq!(counts.drops(), 1);
}

/// Spawns tasks that write their number down, each so many times.
async fn writers(sim: SimHandle, tasks: usize, turns: usize) -> Vec<usize> {
    let log: Log<usize> = Log::default();
    let done = Arc::new(AtomicUsize::new(0));
    let root: Arc<Mutex<Option<Waker>>> = Arc::default();
    for number in 0..tasks {
        let (log, done, root) = (log.clone(), done.clone(), root.clone());
        sim.spawn_future(async move {
            for turn in 0..turns {
                if turn > 0 {
                    yield_now().await;
                }
                log.lock().unwrap().push(number);
            }
            if done.fetch_add(1, Ordering::SeqCst) + 1 == tasks {
                root.lock().unwrap().take().unwrap().wake();
            }
        });
    }
    poll_fn(|cx| {
        if done.load(Ordering::SeqCst) == tasks {
            return Poll::Ready(());
        }
        *root.lock().unwrap() = Some(cx.waker().clone());
        Poll::Pending
    })
    .await;
    taken(&log)
}

/// Runs it under all schedules, and returns how many those were and which orders they gave.
fn orders(simulator: Bare, tasks: usize, turns: usize) -> (u64, bool, usize) {
    let seen = Mutex::new(std::collections::BTreeSet::new());
    let found = simulator.explore(async |sim| {
        let order = writers(sim, tasks, turns).await;
        seen.lock().unwrap().insert(order);
    });
    let orders = seen.into_inner().unwrap().len();
    (found.schedules(), found.unwrap().is_complete(), orders)
}

#[test]
fn y04_exhaustive_takes_every_order_once() {
    let exhaustive = || Bare::new().exhaustive();
    assert_eq!(orders(exhaustive(), 4, 1), (24, true, 24), "4!");
    assert_eq!(orders(exhaustive(), 3, 2), (90, true, 90), "6! / (2!)^3");
    // With one deviation a task may be taken from any later place, once.
    let (schedules, complete, found) = orders(exhaustive().deviations(1), 4, 1);
    assert_eq!((schedules, complete, found), (1 + 3 + 2 + 1, false, 7));
    let (schedules, complete, _) = orders(exhaustive().depth(1), 4, 1);
    assert_eq!((schedules, complete), (4, false));
    let (schedules, complete, _) = orders(exhaustive().schedules(5), 4, 1);
    assert_eq!((schedules, complete), (5, false));
}

#[test]
fn y04_first_come_first_served_is_the_default() {
    let order = Bare::new().run(async |sim| writers(sim, 3, 2).await);
    assert_eq!(order.unwrap(), [0, 1, 2, 0, 1, 2]);
}

#[test]
fn y04_seeds_and_priorities_find_all_orders() {
    let simulator = Bare::new().seed(7).schedules(300);
    assert_eq!(orders(simulator.clone(), 4, 1), (300, false, 24));
    assert_eq!(orders(simulator.pct(2), 4, 1), (300, false, 24));
}

#[test]
fn y05_deadlock_names_every_task() {
    let run = Simulator::new().run(async |n: Nursery<Infallible>| {
        n.named("left").spawn(pending());
        n.named("right").spawn(pending());
        Ok(())
    });
    let Err(SimError::Failure(failure)) = run else { panic!("it is a deadlock") };
    assert_eq!(failure.kind(), FailureKind::Deadlock);
    assert_eq!(failure.tasks().len(), 3);
    let text = failure.to_string();
    for part in
        ["`left` waiting, 1 polls", "`right`", "(the root) waits", "tests/simulated.rs", "sim1"]
    {
        assert!(text.contains(part), "no {part} in\n{text}");
    }
}

#[test]
fn y05_sleep_is_no_deadlock() {
    let run = Simulator::new()
        .run(async |_: Nursery<allhome::Unsupported>| sleep(SECOND * 1_000_000).await);
    run.unwrap();
}

#[test]
fn y06_livelock_is_a_failure() {
    let run = Simulator::new().steps(1_000).run(async |n: Nursery<Infallible>| {
        n.named("spinner").spawn(async {
            loop {
                yield_now().await;
            }
        });
        Ok(())
    });
    let Err(SimError::Failure(failure)) = run else { panic!("it is a livelock") };
    assert_eq!((failure.kind(), failure.steps()), (FailureKind::Livelock, 1_000));
    assert!(failure.to_string().contains("spinner"));
}

/// Waits for a thread that wakes it once the run has nothing else to do, as far as one can tell.
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

/// The root waits for a sleep that another thread makes for it. Nobody else is there.
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
                        // Kept, or nobody would be woken.
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

#[test]
fn y09_first_polls_of_children_are_in_any_order() {
    let seen = Mutex::new(std::collections::BTreeSet::new());
    let found = Simulator::new().exhaustive().check(async |n: Nursery<Infallible>| {
        let log: Log<u32> = Log::default();
        let children: Vec<_> = (0..3)
            .map(|number| {
                let log = log.clone();
                n.fork(async move {
                    log.lock().unwrap().push(number);
                    Ok(())
                })
            })
            .collect();
        for child in children {
            child.join().await.unwrap();
        }
        seen.lock().unwrap().insert(taken(&log));
        Ok(())
    });
    assert!(found.is_complete());
    assert_eq!(seen.into_inner().unwrap().len(), 6);
}

#[test]
fn y12_dropped_simulation_drops_every_task_once() {
    let counts = Counts::new();
    let mut simulation = Simulator::new().start();
    let handle = simulation.handle();
    let waker: Arc<Mutex<Option<Waker>>> = Arc::default();
    for _ in 0..10 {
        let (guard, keep) = (counts.guard(), waker.clone());
        simulation.handle().spawn_future(async move {
            poll_fn(|cx| {
                *keep.lock().unwrap() = Some(cx.waker().clone());
                Poll::<()>::Pending
            })
            .await;
            drop(guard);
        });
    }
    simulation.run_until_stalled().unwrap();
    // Not polled by then.
    let (guard, again) = (counts.guard(), handle.clone());
    handle.spawn_future(async move {
        drop(again);
        drop(guard);
    });
    drop(simulation);
    assert_eq!(counts.drops(), 11);
    // What is kept does nothing any more.
    waker.lock().unwrap().take().unwrap().wake();
    let guard = counts.guard();
    handle.spawn(Task::from_future(async move { drop(guard) }));
    assert_eq!(counts.drops(), 12);
    let mut sleep = handle.sleep_until(Instant::now() + SECOND);
    let mut cx = std::task::Context::from_waker(Waker::noop());
    assert!(sleep.as_mut().poll(&mut cx).is_pending());
}

#[test]
fn y12_destructors_may_spawn_and_wake() {
    struct Spawns(SimHandle, Counts, Waker);
    impl Drop for Spawns {
        fn drop(&mut self) {
            let guard = self.1.guard();
            self.0.spawn_future(async move { drop(guard) });
            self.2.wake_by_ref();
        }
    }
    let counts = Counts::new();
    let mut simulation = Simulator::new().start();
    for _ in 0..4 {
        let (handle, counts) = (simulation.handle(), counts.clone());
        simulation.handle().spawn_future(async move {
            let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
            let _spawns = Spawns(handle, counts, waker);
            pending::<()>().await;
        });
    }
    simulation.run_until_stalled().unwrap();
    drop(simulation);
    assert_eq!(counts.drops(), 4, "what they spawned was dropped unpolled");
}

#[test]
fn y12_panic_of_a_task_is_a_failure_of_the_run() {
    let failure = Bare::new().run(async |sim| {
        sim.spawn_future(async { panic!("thrown on purpose") });
        pending::<()>().await;
    });
    let failure = failure.unwrap_err();
    assert_eq!(
        (failure.kind(), failure.message()),
        (FailureKind::Panic, "task 1: thrown on purpose")
    );
}

#[test]
fn y12_error_of_the_nursery_is_returned() {
    let run = Simulator::new().run(async |_: Nursery<&str>| Err::<(), _>("no luck"));
    let Err(SimError::Nursery(error)) = run else { panic!("it is the nursery's") };
    let _: GroupError<&str> = error;
}

#[test]
fn types_of_the_simulator_go_between_threads() {
    fn both<T: Send + Sync>() {}
    both::<Simulator>();
    both::<Bare>();
    both::<SimHandle>();
    both::<allhome::sim::Outside>();
    both::<allhome::sim::Failure>();
    both::<allhome::sim::Explored>();
    both::<allhome::sim::Injected>();
    both::<allhome::sim::Record<()>>();
    both::<SimError<String>>();
}

#[test]
fn y01_trace_tells_who_did_what() {
    let record = Bare::new().trace(true).record(async |sim: SimHandle| {
        let wakes = |elsewhere| {
            let mut left = 2;
            poll_fn(move |cx| {
                left -= 1;
                if left == 0 {
                    return Poll::Ready(());
                }
                let waker = cx.waker().clone();
                match elsewhere {
                    true => thread::spawn(move || waker.wake()).join().unwrap(),
                    false => waker.wake(),
                }
                Poll::Pending
            })
        };
        sim.spawn_future(wakes(false));
        sim.spawn_future(wakes(true));
        sim.sleep_until(sim.now() + SECOND).await;
    });
    let expected = [
        Event::Spawn(1, Some(0)),
        Event::Spawn(2, Some(0)),
        Event::Wait(0),
        Event::Wake(1, Some(1)),
        Event::Wait(1),
        Event::Wake(2, None),
        Event::Wait(2),
        Event::Done(1),
        Event::Done(2),
        Event::Time(SECOND),
        Event::Wake(0, None),
        Event::Done(0),
    ];
    assert_eq!(record.trace.events(), expected);
}
