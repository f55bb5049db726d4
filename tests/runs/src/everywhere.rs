//! One program in many schedules of the simulator, and on real threads: it has one right outcome.

use crate::within;
use allhome::runtime::{Runtime, ThreadPool};
use allhome::{GroupError, Nursery, Simulator, Tokio, block_on, nursery};
use allhome_rt::IntoRuntime;
use std::error::Error;
use std::future::Future;
use std::time::Duration;

/// What a program's errors are.
pub type Boxed = Box<dyn Error + Send + Sync>;

/// A moment of such a program: virtual in the simulator, and long enough on a slow machine.
pub const MOMENT: Duration = Duration::from_millis(10);

const SCHEDULES: u64 = 1_000;
const ROUNDS: usize = 3;

/// Runs a program, which asserts, in a thousand schedules of the simulator.
///
/// # Panics
///
/// Panics if an assertion fails or the program returns an error, with how to replay the schedule.
#[track_caller]
pub fn in_all_schedules<F, Fut>(program: F)
where
    F: Fn(Nursery<Boxed>) -> Fut,
    Fut: Future<Output = Result<(), Boxed>>,
{
    let _explored = Simulator::new().schedules(SCHEDULES).check(program);
}

/// Runs a program, which asserts, on our pool and on tokio's threads, some times each.
///
/// # Panics
///
/// Panics if an assertion fails, the program returns an error, or it hangs.
pub fn on_threads<F, Fut>(program: F)
where
    F: Fn(Nursery<Boxed>) -> Fut + Send + 'static,
    Fut: Future<Output = Result<(), Boxed>>,
{
    within(move || {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let tokio = builder.worker_threads(2).enable_time().build().expect("tokio starts");
        let pool = ThreadPool::global().into_runtime().expect("the pool is there");
        let on_tokio = Tokio::on(tokio.handle()).into_runtime().expect("tokio is there");
        for _ in 0..ROUNDS {
            run_on(&pool, &program).expect("on our pool");
            run_on(&on_tokio, &program).expect("on tokio");
        }
    });
}

fn run_on<F, Fut>(runtime: &Runtime, program: &F) -> Result<(), GroupError<Boxed>>
where
    F: Fn(Nursery<Boxed>) -> Fut,
    Fut: Future<Output = Result<(), Boxed>>,
{
    block_on(nursery().on(runtime).run(program))
}

/// Runs a program in both ways.
///
/// # Panics
///
/// As [`in_all_schedules`] and [`on_threads`].
#[track_caller]
pub fn everywhere<F, Fut>(program: F)
where
    F: Fn(Nursery<Boxed>) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Result<(), Boxed>>,
{
    in_all_schedules(program.clone());
    on_threads(program);
}
