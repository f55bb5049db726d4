//! Each program has one outcome: in a thousand schedules of the simulator, random ones and ones by
//! priorities, and in two thousand runs on real threads, half of them on each of two runtimes.

use crate::{Line, Program, calm, failures, values};
use allhome::runtime::{IntoRuntime, Runtime, ThreadPool};
use allhome::{Simulator, Tokio, block_on};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::poll_fn;
use std::thread;

const SCHEDULES: u64 = 1_000;
/// On each runtime.
const RUNS: u64 = 1_000;

fn all() -> impl Iterator<Item = &'static Program> {
    [calm::PROGRAMS, failures::PROGRAMS, values::PROGRAMS].into_iter().flatten()
}

/// Counts the outcomes.
#[derive(Default)]
struct Seen(BTreeMap<String, u32>);

impl Seen {
    fn note(&mut self, outcome: String) {
        *self.0.entry(outcome).or_default() += 1;
    }

    /// Says what is wrong.
    fn check(&self, program: &Program) -> Option<String> {
        let one = self.0.keys().map(String::as_str).eq([program.outcome]);
        let shown: Vec<_> = self.0.iter().take(3).collect();
        (!one).then(|| format!("{}: {shown:?}, and not {:?}", program.name, program.outcome))
    }
}

/// Counts the outcomes of each program, and expects one.
fn each(
    programs: impl Iterator<Item = &'static Program>,
    times: u64,
    run: impl Fn(&Program, u64) -> String,
) {
    let wrong = programs.filter_map(|program| {
        let mut seen = Seen::default();
        (0..times).for_each(|time| seen.note(run(program, time)));
        seen.check(program)
    });
    let wrong: Vec<_> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn in_schedules(simulator: impl Fn(u64) -> Simulator) {
    each(all(), SCHEDULES, |program, seed| {
        let run = simulator(seed)
            .run::<_, Infallible, _, _, _>(async |n| Ok((program.run)(n.runtime().clone()).await));
        run.unwrap_or_else(|error| error.to_string())
    });
}

#[test]
fn f27_one_outcome_in_every_schedule() {
    in_schedules(|seed| Simulator::new().seed(seed));
}

#[test]
fn f27_one_outcome_in_every_schedule_by_priorities() {
    in_schedules(|seed| Simulator::new().seed(seed).pct(3));
}

fn on_threads(runtime: Runtime) {
    each(all().chain(calm::ON_THREADS), RUNS, |program, _| {
        block_on(giving_way((program.run)(runtime.clone())))
    });
}

/// Gives the rest of its thread's time to others when it waits. A body that looks again and again
/// whether its children are there would use it up, and they have to run for that.
async fn giving_way(mut line: Line) -> String {
    poll_fn(|cx| {
        let polled = line.as_mut().poll(cx);
        if polled.is_pending() {
            thread::yield_now();
        }
        polled
    })
    .await
}

#[test]
fn f27_one_outcome_on_the_pool() {
    let pool = ThreadPool::new(2).unwrap();
    on_threads((&pool).into_runtime().unwrap());
}

#[test]
fn f27_one_outcome_on_tokio() {
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let tokio = tokio.unwrap();
    let runtime = tokio.block_on(async { Tokio.into_runtime().unwrap() });
    on_threads(runtime);
}
