//! Clauses Y: what the simulator promises.

mod clock;
mod order;

use allhome::sim::{Bare, Event, Faults, SimHandle};
use allhome::sim::{FailureKind, SimError, Trace};
use allhome::{GroupError, Nursery, Semaphore, Simulator, move_on_after, sleep, yield_now};
use allhome_conformance::Counts;
use allhome_rt::{Spawn, SpawnBlocking, Task, Timer};
use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);
const WHO: &str = "Y01_IN_A_PROCESS_OF_ITS_OWN";

type Log<T> = Arc<Mutex<Vec<T>>>;

fn taken<T>(log: &Log<T>) -> Vec<T> {
    std::mem::take(&mut *log.lock().unwrap())
}

/// A bit of everything: turns, sleeps, permits, blocking work, cancels.
async fn program(n: Nursery<std::convert::Infallible>) -> Result<(), std::convert::Infallible> {
    let limit = Arc::new(Semaphore::new(2));
    for number in 0..10 {
        let limit = limit.clone();
        n.spawn(async move {
            let permit = limit.acquire().await;
            sleep(SECOND * (number % 3)).await;
            yield_now().await;
            drop(permit);
            Ok(())
        });
    }
    let work = n.blocking(|_| Ok(7));
    let endless = n.fork(pending::<Result<(), _>>());
    let _ = work.await;
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
        let name = "schedules::y01_same_seed_is_the_same_run_in_another_process";
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

#[test]
fn y03_blocking_job_is_a_step_of_its_own() {
    let run = Simulator::new().trace(true).record(async |n: Nursery<Infallible>| {
        let home = thread::current().id();
        let work = n.blocking(move |_| Ok(thread::current().id() == home));
        Ok(work.await.unwrap())
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

#[test]
fn y05_deadlock_names_every_task() {
    let run = Simulator::new().run(async |n: Nursery<Infallible>| {
        n.task("left").spawn(pending());
        n.task("right").spawn(pending());
        Ok(())
    });
    let Err(SimError::Failure(failure)) = run else { panic!("it is a deadlock") };
    assert_eq!(failure.kind(), FailureKind::Deadlock);
    assert_eq!(failure.tasks().len(), 3);
    let text = failure.to_string();
    for part in [
        "`left` waiting, 1 poll",
        "`right`",
        "(the root) waits",
        "tests/simulated/schedules.rs",
        "sim1",
    ] {
        assert!(text.contains(part), "no {part} in\n{text}");
    }
}

#[test]
fn y05_sleep_is_no_deadlock() {
    let run = Simulator::new().run(async |_: Nursery<std::convert::Infallible>| {
        sleep(SECOND * 1_000_000).await;
        Ok(())
    });
    run.unwrap();
}

#[test]
fn y06_livelock_is_a_failure() {
    let run = Simulator::new().steps(1_000).run(async |n: Nursery<Infallible>| {
        n.task("spinner").spawn(async {
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
