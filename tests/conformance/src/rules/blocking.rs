//! R7: blocking work.

use super::probe::{Flag, Probe};
use crate::fixture::{
    Fixture, OnRuntime, first, inside, is_inside, many, pump, settles, step, turn, until,
};
use crate::probe::{Counts, Guard};
use crate::rule::{Need, rules};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

rules! { "blocking":
    Must r71_tasks_go_on_while_jobs_block [ParallelJobs]
        "Blocking work exists so that tasks need not wait for it."
        "jobs run on the threads that poll tasks";
    Must w71_two_hundred_jobs_that_block [ParallelJobs]
        "A server waits for a slow disk in each of its requests."
        "the caller waits for a free thread, or jobs beyond a number are not called at all";
    Should r72_job_that_panics_harms_no_other []
        "One job's fault is not the end of the pool."
        "the panic ends the pool's thread, which is not replaced";
    Should r73_three_at_once [ParallelJobs]
        "Jobs that wait for each other, or for the same disk, run side by side."
        "one thread for all jobs";
    Must r74_each_job_is_called_once []
        "A job that is forgotten is a child that never comes home."
        "a queue of fixed size, or a thread that goes to sleep although a job has just come";
    Must r75_not_on_the_callers_stack []
        "A caller that hands in a job is a task that must not block."
        "when no thread is free, the caller runs the job itself";
    Must r76_jobs_spawn_and_wake []
        "A job hands its result to a task, and work to other jobs."
        "the pool's lock is held while a job runs";
    Must r77_jobs_at_the_end_are_called_or_dropped [Shutdown]
        "A child waits for each job's end."
        "the queue is leaked with the pool";
    Must r78_job_after_the_end_is_dropped_or_called [Shutdown]
        "A nursery's handle outlives its runtime."
        "jobs are put in a queue that no thread looks into any more";
}

/// Holds up jobs until it is opened. A gate for threads.
#[derive(Clone, Default)]
struct Barrier(Arc<(Mutex<bool>, Condvar)>);

impl Barrier {
    fn wait(&self) {
        let open = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.0.1.wait_while(open, |open| !*open).unwrap_or_else(PoisonError::into_inner));
    }

    fn open(&self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.1.notify_all();
    }
}

/// Opens the barrier also if the rule fails: a runtime may wait for its jobs at its end.
struct Opens(Barrier);

impl Drop for Opens {
    fn drop(&mut self) {
        self.0.open();
    }
}

/// Holds this many jobs, each counting a poll when it begins and a drop when it is over.
fn held(runtime: &OnRuntime, number: usize, counts: &Counts) -> Opens {
    let barrier = Barrier::default();
    for _ in 0..number {
        let (barrier, counts, guard) = (barrier.clone(), counts.clone(), counts.guard());
        let job = move || {
            let _guard: Guard = guard;
            counts.polled();
            // On the caller's stack, where no job belongs, it would wait for itself.
            if !is_inside() {
                barrier.wait();
            }
        };
        inside(|| runtime.job(job));
    }
    Opens(barrier)
}

fn r71_tasks_go_on_while_jobs_block(fixture: &mut Fixture) {
    let (runtime, counts) = (fixture.runtime(), Counts::new());
    // Here, so that it is opened when the driver unwinds.
    let opens = held(&runtime, 6, &counts);
    fixture.drive(async {
        until("a job begins", || counts.polls() > 0).await;
        pump(&runtime).await;
        drop(opens);
        until("the jobs are over", || counts.drops() == 6).await;
    });
}

fn w71_two_hundred_jobs_that_block(fixture: &mut Fixture) {
    let (runtime, counts) = (fixture.runtime(), Counts::new());
    step("200 jobs are handed in, which block");
    let opens = held(&runtime, 200, &counts);
    fixture.drive(async {
        step("tasks go on beside 200 jobs that block");
        pump(&runtime).await;
        drop(opens);
        until("the 200 jobs are over", || counts.drops() == 200).await;
        assert_eq!(counts.polls(), 200, "some jobs were dropped uncalled");
    });
}

fn r72_job_that_panics_harms_no_other(fixture: &mut Fixture) {
    let (runtime, counts) = (fixture.runtime(), Counts::new());
    fixture.drive(async {
        for _ in 0..8 {
            let guard = counts.guard();
            runtime.job(move || {
                let _guard = guard;
                panic!("on purpose");
            });
        }
        until("8 jobs have panicked", || counts.drops() == 8).await;
        let guard = counts.guard();
        runtime.job(move || drop(guard));
        until("the job after them is over", || counts.drops() == 9).await;
    });
}

fn r73_three_at_once(fixture: &mut Fixture) {
    let (runtime, counts) = (fixture.runtime(), Counts::new());
    let opens = held(&runtime, 3, &counts);
    fixture.drive(async {
        until("3 jobs have begun", || counts.polls() == 3).await;
        drop(opens);
        until("they are over", || counts.drops() == 3).await;
    });
}

fn r74_each_job_is_called_once(fixture: &mut Fixture) {
    let (runtime, counts, number) = (fixture.runtime(), Counts::new(), many(2_000));
    fixture.drive(async {
        for _ in 0..number {
            let (guard, count) = (counts.guard(), counts.clone());
            runtime.job(move || {
                let _guard = guard;
                count.polled();
            });
        }
        until("all jobs are over", || counts.drops() == number).await;
        assert_eq!(counts.polls(), number, "some jobs were dropped uncalled");
        // One at a time, so that each finds the pool at rest.
        for more in 1..20 {
            let guard = counts.guard();
            runtime.job(move || drop(guard));
            until("a single job is over", || counts.drops() == number + more).await;
        }
    });
}

fn r75_not_on_the_callers_stack(fixture: &mut Fixture) {
    let (runtime, counts) = (fixture.runtime(), Counts::new());
    let inline = Arc::new(AtomicBool::new(false));
    fixture.drive(async {
        for _ in 0..20 {
            let (guard, inline) = (counts.guard(), inline.clone());
            inside(|| {
                runtime.job(move || {
                    inline.fetch_or(is_inside(), Ordering::SeqCst);
                    drop(guard);
                });
            });
        }
        until("the jobs are over", || counts.drops() == 20).await;
    });
    assert!(!inline.load(Ordering::SeqCst), "a job was called on the caller's stack");
}

fn r76_jobs_spawn_and_wake(fixture: &mut Fixture) {
    let (runtime, counts) = (fixture.runtime(), Counts::new());
    let gate = crate::probe::Gate::new();
    fixture.drive(async {
        let (spawner, count, opens) = (runtime.clone(), counts.clone(), gate.clone());
        runtime.job(move || {
            let (guard, other) = (count.guard(), count.guard());
            spawner.job(move || drop(guard));
            spawner.run(async move {
                drop(other);
                opens.open();
            });
        });
        step("the root waits for a task that a job spawns");
        gate.wait().await;
        let woken = crate::probe::Gate::new();
        let opens = woken.clone();
        runtime.job(move || opens.open());
        step("the root waits for a wake by a job");
        woken.wait().await;
        let probe = Probe::new();
        runtime.run(probe.future());
        first("a task waits", || probe.polls() > 0).await;
        let (polls, waker) = (probe.polls(), probe.waker());
        runtime.job(move || waker.wake());
        until("a task is polled that a job has woken", || probe.polls() > polls).await;
        until("the job of a job is over", || counts.drops() == 2).await;
        turn().await;
    });
}

fn r77_jobs_at_the_end_are_called_or_dropped(fixture: &mut Fixture) {
    let (runtime, counts, number) = (fixture.runtime(), Counts::new(), many(200));
    // Some hold the pool up, so that others are in its queue at the end.
    let (ends, held) = (Flag::default(), fixture.declared.has(Need::ParallelJobs));
    fixture.drive(async {
        for at in 0..number {
            let (guard, ends, begun) = (counts.guard(), ends.clone(), Instant::now());
            runtime.job(move || {
                let mut holds = held && at < 64;
                while holds {
                    thread::yield_now();
                    holds = !ends.is_up() && begun.elapsed() < Duration::from_millis(20);
                }
                drop(guard);
            });
        }
    });
    step("the candidate is shut down");
    ends.raise();
    fixture.shut_down();
    settles("every job was called or dropped", || counts.drops() == number);
}

fn r78_job_after_the_end_is_dropped_or_called(fixture: &mut Fixture) {
    let (runtime, counts) = (fixture.runtime(), Counts::new());
    fixture.drive(async {});
    fixture.shut_down();
    let guard = counts.guard();
    runtime.job(move || drop(guard));
    drop(runtime);
    settles("a job that was handed in too late is gone", || counts.drops() == 1);
}
