//! R8: the runtime's end.

use super::probe::{Flag, Probe};
use crate::fixture::{
    Fixture, OnRuntime, before, first, inside, is_inside, many, outside, settles, step, turn, until,
};
use crate::probe::{Counts, DropPanics, Guard};
use crate::rule::rules;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

rules! { "shutdown":
    Must r81_tasks_that_wait_are_dropped [Shutdown]
        "A nursery notices a task that the runtime drops; one that is forgotten keeps it waiting."
        "tasks hold the queue and the queue holds the tasks: a cycle that nothing breaks";
    Must r82_destructors_may_wake_and_spawn [Shutdown]
        "Destructors of children wake their siblings, and may try to spawn."
        "tasks are dropped with the runtime's lock held";
    Must r84_spawn_after_the_end_drops_the_task [Shutdown]
        "A nursery's handle outlives its runtime."
        "the task is put in a queue that no thread looks into any more";
    Should r85_threads_are_gone [Shutdown, JoinsThreads]
        "A program that starts runtimes again and again must not fill up with threads."
        "worker threads are asked to end and are not joined";
    Must r86_nothing_is_polled_after_the_end [Shutdown]
        "A resource that a task uses may be gone with the runtime."
        "a wake polls, or a worker thread goes on with its queue";
    Must r87_wakes_race_with_the_end [Shutdown]
        "The caller of a waker does not know that the runtime ends at this moment."
        "a task that is being woken is neither in the queue nor in the list of waiting tasks";
    Must r88_tasks_in_the_queue_are_dropped [Shutdown]
        "A task that was never polled still owns what it was given."
        "only the list of waiting tasks is emptied, and the queue leaked, or the reverse";
    Must r89_kept_wakers_keep_no_task [Shutdown]
        "A list elsewhere has the waker; it must not keep what the task owns."
        "the waker is the task: dropping the runtime drops one count of several";
    Must w81_wakers_work_after_the_end [Shutdown]
        "Timers and channels have wakers of tasks whose runtime is gone."
        "a wake assumes that there is a queue";
    Must w82_wake_destroys_nothing [Shutdown]
        "The caller of a waker may hold a lock that a destructor takes."
        "the owner of the last waker drops the task";
    Should w83_panics_in_destructors_spare_the_others [Shutdown]
        "One destructor's fault is not a leak of all others."
        "tasks are dropped in a loop outside of `catch_unwind`";
    Must w84_tasks_of_destructors_are_dropped [Shutdown]
        "A task that is spawned while the runtime ends must be dropped as well."
        "the queue is emptied once, before the last destructor has run";
}

/// Spawns probes, and drives until all of them wait.
fn parked(fixture: &mut Fixture, number: usize) -> Vec<Probe> {
    let (runtime, probes): (_, Vec<_>) =
        (fixture.runtime(), (0..number).map(|_| Probe::new()).collect());
    fixture.drive(async {
        probes.iter().for_each(|probe| runtime.run(probe.future()));
        first("the tasks wait", || probes.iter().all(|probe| probe.polls() > 0)).await;
    });
    probes
}

fn all_dropped_once(probes: &[Probe]) {
    let dropped = probes.iter().filter(|probe| probe.drops() == 1).count();
    assert_eq!(dropped, probes.len(), "not all tasks were dropped");
}

fn r81_tasks_that_wait_are_dropped(fixture: &mut Fixture) {
    let probes = parked(fixture, 50);
    probes.iter().for_each(Probe::forget_waker);
    fixture.shut_down();
    all_dropped_once(&probes);
}

fn r89_kept_wakers_keep_no_task(fixture: &mut Fixture) {
    let probes = parked(fixture, 50);
    let wakers: Vec<_> = probes.iter().map(Probe::waker).collect();
    fixture.shut_down();
    all_dropped_once(&probes);
    drop(wakers);
}

struct WakesAndSpawns(Probe, OnRuntime, Counts);

impl Drop for WakesAndSpawns {
    fn drop(&mut self) {
        self.0.waker().wake();
        let guard = self.2.guard();
        self.1.run(async move { drop(guard) });
    }
}

fn r82_destructors_may_wake_and_spawn(fixture: &mut Fixture) {
    let (runtime, counts) = (fixture.runtime(), Counts::new());
    let probes: Vec<_> = (0..8).map(|_| Probe::new()).collect();
    fixture.drive(async {
        for (at, probe) in probes.iter().enumerate() {
            let next = probes[(at + 1) % probes.len()].clone();
            let (future, last) =
                (probe.future(), WakesAndSpawns(next, runtime.clone(), counts.clone()));
            runtime.run(async move {
                let _last = last;
                future.await;
            });
        }
        first("the tasks wait", || probes.iter().all(|probe| probe.polls() > 0)).await;
    });
    fixture.shut_down();
    all_dropped_once(&probes);
}

/// Spawns one that does the same when it is dropped, so many times.
struct SpawnsInTurn(OnRuntime, usize, Guard);

impl Drop for SpawnsInTurn {
    fn drop(&mut self) {
        if self.1 > 0 {
            let next = SpawnsInTurn(self.0.clone(), self.1 - 1, self.2.another());
            self.0.run(async move { drop(next) });
        }
    }
}

fn w84_tasks_of_destructors_are_dropped(fixture: &mut Fixture) {
    let (runtime, counts, probe) = (fixture.runtime(), Counts::new(), Probe::new());
    fixture.drive(async {
        // It wakes only itself, so no other wake keeps it.
        let (future, other) = (probe.future(), probe.clone());
        let last = WakesAndSpawns(other, runtime.clone(), counts.clone());
        let more = SpawnsInTurn(runtime.clone(), 3, counts.guard());
        runtime.run(async move {
            let _last = (last, more);
            future.await;
        });
        first("the task waits", || probe.polls() > 0).await;
    });
    fixture.shut_down();
    drop(runtime);
    settles("what destructors spawned is dropped", || counts.drops() == 5);
}

fn r84_spawn_after_the_end_drops_the_task(fixture: &mut Fixture) {
    let (runtime, probe) = (fixture.runtime(), Probe::new());
    fixture.drive(async {});
    fixture.shut_down();
    step("a task is spawned after the end");
    runtime.run(probe.future());
    drop(runtime);
    settles("a task that was spawned too late is gone", || probe.drops() == 1);
    assert_eq!(probe.polls(), 0, "it was polled");
}

const HOUR: Duration = Duration::from_secs(3_600);

/// How many threads this process has, where that can be asked.
fn threads() -> Option<usize> {
    Some(std::fs::read_dir("/proc/self/task").ok()?.count())
}

/// Starts the candidate, leaves it with a sleep that waits and a thread that has called a job, and
/// ends it.
fn used(fixture: &mut Fixture) {
    let (runtime, timer, counts) = (fixture.runtime(), fixture.timer(), Counts::new());
    parked(fixture, 4);
    fixture.drive(async {
        let (guard, mut sleep) = (counts.guard(), timer.sleep_until(timer.now() + HOUR));
        let _ = sleep.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        runtime.run(sleep);
        runtime.job(move || drop(guard));
        until("a job is called", || counts.drops() == 1).await;
    });
    fixture.shut_down();
}

fn r85_threads_are_gone(fixture: &mut Fixture) {
    const TIMES: usize = 8;
    // The first may start threads that belong to the process. So may others, seldom: a pool that is
    // lent starts one more if the job before is not quite over. A runtime that leaves threads
    // leaves one each time.
    used(fixture);
    let before = threads();
    for _ in 0..TIMES {
        used(fixture);
    }
    // A thread that was joined may be listed for a moment still.
    settles("no more threads than before", || {
        threads().zip(before).is_none_or(|(now, before)| now < before + TIMES)
    });
}

fn r86_nothing_is_polled_after_the_end(fixture: &mut Fixture) {
    let (runtime, over) = (fixture.runtime(), Arc::new(AtomicBool::new(false)));
    let (late, inline) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let (counts, probe) = (Counts::new(), Probe::new());
    fixture.drive(async {
        for _ in 0..100 {
            let (over, late, inline) = (over.clone(), late.clone(), inline.clone());
            let (guard, count) = (counts.guard(), counts.clone());
            runtime.run(poll_fn(move |cx| {
                let _ = &guard;
                late.fetch_add(usize::from(over.load(Ordering::SeqCst)), Ordering::SeqCst);
                inline.fetch_or(is_inside(), Ordering::SeqCst);
                count.polled();
                cx.waker().wake_by_ref();
                Poll::Pending
            }));
        }
        runtime.run(probe.future());
        before(&["R91", "R95"], "tasks wake themselves");
        while counts.polls() < 200 || probe.polls() == 0 {
            turn().await;
        }
    });
    inside(|| fixture.shut_down());
    over.store(true, Ordering::SeqCst);
    let polls = probe.polls();
    probe.waker().wake();
    outside(|| ()).join().expect("it does nothing");
    assert_eq!(late.load(Ordering::SeqCst), 0, "a task was polled after the end");
    assert!(!inline.load(Ordering::SeqCst), "the shutdown polled a task on the caller's stack");
    assert_eq!(probe.polls(), polls, "a wake after the end polled a task");
    // Ever longer: this thread may have to wait for a core for as long as the poll takes.
    for millis in [10, 40, 160] {
        no_poll_outlives_the_end(&mut fixture.another(), Duration::from_millis(millis));
    }
}

/// With several threads, one may be in the middle of a poll.
fn no_poll_outlives_the_end(fixture: &mut Fixture, takes: Duration) {
    let (runtime, begun, polled) = (fixture.runtime(), Flag::default(), Flag::default());
    fixture.drive(async {
        let (begins, ends) = (begun.clone(), polled.clone());
        runtime.run(async move {
            begins.raise();
            let begun = Instant::now();
            while begun.elapsed() < takes {
                thread::yield_now();
            }
            ends.raise();
        });
        first("a poll begins", || begun.is_up()).await;
    });
    fixture.shut_down();
    assert!(polled.is_up(), "the shutdown returned in the middle of a poll");
}

fn r87_wakes_race_with_the_end(fixture: &mut Fixture) {
    for _ in 0..many(20) {
        let mut fixture = fixture.another();
        let probes = parked(&mut fixture, 4);
        let wakers: Vec<_> = probes.iter().map(Probe::waker).collect();
        let start = Arc::new(AtomicBool::new(false));
        let started = start.clone();
        let thread = outside(move || {
            started.store(true, Ordering::SeqCst);
            for _ in 0..20 {
                wakers.iter().for_each(Waker::wake_by_ref);
            }
        });
        settles("another thread wakes", || start.load(Ordering::SeqCst));
        fixture.shut_down();
        thread.join().expect("wake does not panic");
        probes.iter().for_each(Probe::forget_waker);
        all_dropped_once(&probes);
    }
}

fn r88_tasks_in_the_queue_are_dropped(fixture: &mut Fixture) {
    let (runtime, number, counts) = (fixture.runtime(), many(1_000), Counts::new());
    let probes: Vec<_> = (0..number).map(|_| Probe::new()).collect();
    fixture.drive(async {
        probes.iter().for_each(|probe| runtime.run(probe.future()));
        // Threads may have polled those before the end; these are in the queue whenever it comes.
        for _ in 0..100 {
            let guard = counts.guard();
            runtime.run(poll_fn(move |cx| {
                let _ = &guard;
                cx.waker().wake_by_ref();
                Poll::Pending
            }));
        }
    });
    fixture.shut_down();
    all_dropped_once(&probes);
    assert_eq!(counts.drops(), 100, "tasks that had woken themselves were not dropped");
}

fn w81_wakers_work_after_the_end(fixture: &mut Fixture) {
    let probes = parked(fixture, 4);
    let wakers: Vec<_> = probes.iter().map(Probe::waker).collect();
    fixture.shut_down();
    step("wakers are used after the end");
    wakers[0].wake_by_ref();
    let clone = wakers[1].clone();
    clone.wake();
    outside(move || wakers.into_iter().for_each(Waker::wake)).join().expect("wake does not panic");
}

fn w82_wake_destroys_nothing(fixture: &mut Fixture) {
    let probes = parked(fixture, 4);
    let wakers: Vec<_> = probes.iter().map(Probe::waker).collect();
    probes.iter().for_each(Probe::forget_waker);
    fixture.shut_down();
    inside(|| wakers.into_iter().for_each(Waker::wake));
    assert!(!probes.iter().any(Probe::dropped_inside), "a wake ran a destructor");
}

fn w83_panics_in_destructors_spare_the_others(fixture: &mut Fixture) {
    let (runtime, counts) = (fixture.runtime(), Counts::new());
    fixture.drive(async {
        for _ in 0..8 {
            let (mut probe, count, guard) =
                (Box::pin(Probe::new().future()), counts.clone(), counts.guard());
            let bomb = DropPanics("on purpose");
            runtime.run(poll_fn(move |cx| {
                let _ = (&bomb, &guard);
                let poll = probe.as_mut().poll(cx);
                count.polled();
                poll
            }));
        }
        first("the tasks wait", || counts.polls() == 8).await;
    });
    // Whether the shutdown itself panics then is not asked.
    let mut inner = fixture.another();
    std::mem::swap(&mut inner, fixture);
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || inner.shut_down()));
    assert_eq!(counts.drops(), 8, "after a panic in one destructor other tasks were not dropped");
}
