//! Executors: tasks that are polled, woken, dropped unpolled and dropped early; jobs; sleeps that
//! are begun, polled by another waker, over, and dropped; and the end of the executor amid all
//! that.

use super::alone;
use super::nosy::{Watch, at_each_call, sequences};
use allhome::Simulator;
use allhome::runtime::{LocalExecutor, ThreadPool};
use allhome_rt::{BoxSleep, Spawn, SpawnBlocking, Task, Timer};
use std::collections::BTreeSet;
use std::future::pending;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

#[derive(Clone, Copy, Debug)]
enum Step {
    Spawn,
    /// One that is there until the executor ends.
    SpawnLong,
    Job,
    /// The sleep is polled, with a waker of its own each time.
    Sleep,
    Wake,
    Leave,
    /// The executor does what it can.
    Run,
}

const STEPS: [Step; 7] =
    [Step::Spawn, Step::SpawnLong, Step::Job, Step::Sleep, Step::Wake, Step::Leave, Step::Run];

trait Runtime: Spawn + SpawnBlocking + Timer + Clone + 'static {}
impl<R: Spawn + SpawnBlocking + Timer + Clone + 'static> Runtime for R {}

/// What a nosy value does with the executor that it was given to.
fn look(runtime: &impl Runtime) {
    runtime.spawn(Task::from_future(async {}));
    runtime.spawn_blocking(Box::new(|| ()));
    let mut sleep = runtime.sleep_until(runtime.now() + Duration::from_secs(99));
    let _ = sleep.as_mut().poll(&mut Context::from_waker(Waker::noop()));
}

fn play<R: Runtime>(steps: &[Step], watch: &Arc<Watch>, runtime: &R, run: &mut dyn FnMut()) {
    let looked = runtime.clone();
    watch.looks(move || look(&looked));
    let (mut sleep, mut waker): (Option<BoxSleep>, Option<Waker>) = (None, None);
    for step in steps {
        watch.step(|| match step {
            Step::Spawn => runtime.spawn(Task::from_future(watch.nosy().future(1))),
            Step::SpawnLong => {
                let (begin, end) = (watch.nosy(), watch.nosy());
                runtime.spawn(Task::from_future(async move {
                    let _end = end;
                    begin.future(0).await;
                    pending::<()>().await;
                }));
            }
            Step::Job => {
                let nosy = watch.nosy();
                runtime.spawn_blocking(Box::new(move || nosy.called("job")));
            }
            Step::Sleep => {
                let at = runtime.now() + Duration::from_millis(1);
                let waker = waker.insert(watch.waker());
                let sleep = sleep.get_or_insert_with(|| runtime.sleep_until(at));
                let _ = sleep.as_mut().poll(&mut Context::from_waker(waker));
            }
            Step::Wake => waker.take().into_iter().for_each(Waker::wake),
            Step::Leave => sleep = None,
            Step::Run => run(),
        });
    }
    watch.step(|| drop(waker));
    watch.step(|| drop(sleep));
}

fn go_through(length: usize, program: impl Fn(&[Step], &Arc<Watch>)) -> Vec<&'static str> {
    let _alone = alone();
    let mut seen = BTreeSet::new();
    for steps in sequences(&STEPS, length) {
        seen.extend(at_each_call(&format!("{steps:?}"), |watch| program(&steps, watch)));
    }
    Vec::from_iter(seen)
}

const ALL: [&str; 5] = ["clone", "drop", "job", "poll", "wake"];

#[test]
fn the_simulator_holds_no_lock_and_stays_whole() {
    let seen = go_through(3, |steps, watch| {
        let mut simulation = Simulator::new().start();
        let handle = simulation.handle();
        // A panic of a task is a failure of the simulation, which still goes on.
        play(steps, watch, &handle, &mut || drop(simulation.settle()));
        watch.step(|| simulation.shutdown());
        assert_eq!((simulation.tasks(), simulation.sleeps()), (0, 0));
        watch.looks(|| ());
    });
    assert_eq!(seen, ALL);
}

#[test]
fn the_pool_holds_no_lock_and_stays_whole() {
    let seen = go_through(2, |steps, watch| {
        let pool = ThreadPool::new(1).unwrap();
        // Until its one worker comes to a task that was spawned last.
        let run = || {
            let (tx, rx) = std::sync::mpsc::channel();
            pool.spawn(Task::from_future(async move {
                let _ = tx.send(());
            }));
            let _ = rx.recv();
        };
        play(steps, watch, &pool, &mut { run });
        pool.shutdown();
        watch.looks(|| ());
    });
    assert_eq!(seen, ALL);
}

/// The executor's own, and what comes from another thread.
#[test]
fn the_local_executor_holds_no_borrow_and_stays_whole() {
    let seen = go_through(2, |steps, watch| {
        let executor = LocalExecutor::new();
        let handle = executor.handle();
        play(steps, watch, &handle, &mut || executor.run(allhome::yield_now()));
        executor.shutdown();
        assert_eq!(executor.tasks(), 0);
        watch.looks(|| ());
    });
    assert_eq!(seen, ALL);
}
