//! Generated programs under a guard: each that hangs fails, and no other one does.
//!
//! A program is some tasks with steps that all come to an end: yields, short sleeps, oneshots that a
//! sibling or a thread sends, permits, joins of tasks that were spawned before, nurseries inside. In
//! some of them a task is planted that waits for nothing, or two that join each other.

use super::programs::config;
use allhome::error::Cause;
use allhome::runtime::{ThreadPool, Tokio};
use allhome::see::guard;
use allhome::{
    Builder, Child, GroupError, Nursery, Semaphore, block_on, nursery, sleep, yield_now,
};
use allhome_runs::within;
use futures_channel::oneshot;
use proptest::prelude::*;
use std::convert::Infallible;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

type Never = Nursery<Infallible>;
type Joins = Child<(), Infallible>;

#[derive(Clone, Debug)]
enum Step {
    Yields(usize),
    Sleep(u64),
    /// A sibling sends what this task waits for.
    Told,
    /// A thread does.
    FromOutside,
    Permit,
    /// Joins the task before this one, if no other does.
    Join,
    Nursery(usize),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Plant {
    Nothing,
    Lost,
    Ring,
    /// Inside a nursery of a task that another joins.
    Deep,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let one = prop_oneof![
        3 => (0..30_usize).prop_map(Step::Yields),
        1 => (0..3_u64).prop_map(Step::Sleep),
        2 => Just(Step::Told),
        1 => Just(Step::FromOutside),
        2 => Just(Step::Permit),
        2 => Just(Step::Join),
        2 => (0..3_usize).prop_map(Step::Nursery),
    ];
    proptest::collection::vec(one, 0..5)
}

fn programs() -> impl Strategy<Value = (Vec<Vec<Step>>, Plant)> {
    let plant = prop_oneof![
        7 => Just(Plant::Nothing),
        1 => Just(Plant::Lost),
        1 => Just(Plant::Ring),
        1 => Just(Plant::Deep),
    ];
    (proptest::collection::vec(steps(), 1..6), plant)
}

async fn act(step: Step, before: &mut Option<Joins>, told: oneshot::Receiver<()>, db: &Semaphore) {
    match step {
        Step::Yields(count) => {
            for _ in 0..count {
                yield_now().await;
            }
        }
        Step::Sleep(millis) => sleep(Duration::from_millis(millis)).await,
        Step::Told | Step::FromOutside => assert!(told.await.is_ok()),
        Step::Permit => {
            let permit = db.acquire().await;
            yield_now().await;
            drop(permit);
        }
        Step::Join => {
            if let Some(before) = before.take() {
                assert!(before.await.is_ok());
            }
        }
        Step::Nursery(children) => {
            let run = nursery().run(async |n: Never| {
                for _ in 0..children {
                    n.go(yield_now());
                }
                Ok(())
            });
            assert!(run.await.is_ok());
        }
    }
}

fn plant(n: &Never, what: Plant) {
    match what {
        Plant::Nothing => {}
        Plant::Lost => {
            n.go(pending());
        }
        Plant::Ring => {
            let (tell_left, told_left) = oneshot::channel::<Joins>();
            let (tell_right, told_right) = oneshot::channel::<Joins>();
            let part = async |told: oneshot::Receiver<Joins>| {
                let other = told.await.expect("it is sent");
                yield_now().await;
                drop(other.await);
                Ok(())
            };
            let (left, right) = (n.fork(part(told_left)), n.fork(part(told_right)));
            drop((tell_left.send(right), tell_right.send(left)));
        }
        Plant::Deep => {
            let runs: Joins = n.fork(async {
                let run = nursery().run(async |n: Never| {
                    n.go(pending());
                    Ok(())
                });
                drop(run.await);
                Ok(())
            });
            n.go(async move { drop(runs.await) });
        }
    }
}

fn run(builder: Builder, program: Vec<Vec<Step>>, planted: Plant) -> Ended {
    Box::pin(builder.run(async move |n: Never| {
        let db = Arc::new(Semaphore::new(1));
        let (mut tells, mut outside) = (Vec::new(), Vec::new());
        let mut before = None::<Joins>;
        for steps in program {
            let told = steps.iter().map(|step| {
                let (tell, told) = oneshot::channel();
                match step {
                    Step::FromOutside => outside.push(tell),
                    _ => tells.push(tell),
                }
                told
            });
            let told: Vec<_> = told.collect();
            let (db, mut joins) = (db.clone(), before.take());
            before = Some(n.fork(async move {
                for (step, told) in steps.into_iter().zip(told) {
                    act(step, &mut joins, told, &db).await;
                }
                drop(joins);
                Ok(())
            }));
        }
        drop(before);
        plant(&n, planted);
        n.go(async move {
            for tell in tells {
                yield_now().await;
                let _its_task_may_not_wait = tell.send(());
            }
        });
        std::thread::spawn(move || {
            for tell in outside {
                std::thread::yield_now();
                let _its_task_may_not_wait = tell.send(());
            }
        });
        Ok(())
    }))
}

type Ended = Pin<Box<dyn Future<Output = Result<(), GroupError<Infallible>>>>>;

fn check(ended: Result<(), GroupError<Infallible>>, planted: Plant) {
    match (ended, planted) {
        (Ok(()), Plant::Nothing) => {}
        (Err(error), Plant::Lost | Plant::Ring | Plant::Deep) => {
            assert!(matches!(error.first().cause(), Cause::Deadlock(_)), "{planted:?}: {error:?}");
        }
        (ended, _) => panic!("{planted:?}: {ended:?}"),
    }
}

proptest! {
    #![proptest_config(config(60))]

    #[test]
    fn u29_each_program_that_hangs_fails_and_no_other((program, planted) in programs()) {
        let twice = program.clone();
        within(move || {
            // Nothing has a handle of them, so time does not judge.
            let _guard = guard().patience(Duration::from_secs(3_600));
            check(block_on(run(nursery().on(ThreadPool::global()), program, planted)), planted);
            let mut tokio = tokio::runtime::Builder::new_multi_thread();
            let tokio = tokio.worker_threads(2).enable_time().build().unwrap();
            check(tokio.block_on(run(nursery().on(Tokio), twice, planted)), planted);
        });
    }
}
