//! R3: that a wake leads to a poll, from wherever and whenever it comes.

use super::probe::{Kept, Probe};
use crate::fixture::{
    Fixture, Progress, WAYS, before, first, inside, many, outside, outside_later, pump, pump_on,
    step, turn, until,
};
use crate::probe::{Counts, Gate};
use crate::rule::rules;
use std::future::{Future, poll_fn};
use std::task::{Poll, Waker};

rules! { "wake":
    Must r31_wake_during_own_poll []
        "A task gives the others a turn in this way."
        "a wake that arrives while the task is polled is forgotten: keep a `woken` state for it";
    Must r32_wake_from_another_thread_during_poll []
        "An event that a task waits for may come at any moment, also before its poll has returned."
        "the task is marked as waiting after its poll, which overwrites a wake during the poll";
    Must r33_wake_from_a_foreign_thread []
        "Timers, sockets and signals wake from threads of their own."
        "a wake queues the task and does not wake the threads that sleep";
    Should r34_wake_does_not_poll_inline []
        "The caller of a waker may hold a lock that the task takes."
        "`wake` polls the task, to save the way through the queue";
    Must r35_several_tasks_woken_at_once []
        "One event wakes many children."
        "the list of woken tasks has one place, or wakes during a sweep are lost";
    Must r36_every_wake_works_like_the_first []
        "A child may live for days."
        "a counter, a flag or a slot that is used once and not put back";
    Must r37_wake_after_the_end_does_nothing []
        "The owner of a waker does not know that the task has ended."
        "a wake assumes that there is a task";
    Should r38_one_poll_for_a_burst []
        "Ten events at once need one look at what happened."
        "each wake is queued, whether the task is in the queue or not";
    Must r39_wake_of_a_task_that_waits []
        "A child waits, and is woken."
        "`wake` does nothing, or does not find the task";
    Must r30_wake_of_a_task_in_the_queue []
        "A task that is woken, and woken again before its poll, has seen neither event."
        "the second wake takes the task out, or the first is cleared after the poll";
}

fn r31_wake_during_own_poll(fixture: &mut Fixture) {
    let (runtime, over, progress) = (fixture.runtime(), Counts::new(), Progress::current());
    let polled = Counts::new();
    fixture.drive(async {
        before(&["R18", "R13"], "the first poll");
        for wake in WAYS {
            let (guard, polled, progress, mut left) =
                (over.guard(), polled.clone(), progress.clone(), 20);
            runtime.run(poll_fn(move |cx| {
                let _ = &guard;
                polled.polled();
                left -= 1;
                if left == 0 {
                    return Poll::Ready(());
                }
                let held = "a lock that `wake` takes is held while a task is polled";
                progress.risks("the return of `wake`, called in the task's own poll", held);
                wake(cx.waker());
                progress.takes("another poll of a task that has woken itself");
                Poll::Pending
            }));
        }
        idle_until(|| over.drops() > 0).await;
    });
}

/// As [`until`], within the step that was taken last.
async fn idle_until(condition: impl Fn() -> bool) {
    while !condition() {
        turn().await;
    }
}

fn r32_wake_from_another_thread_during_poll(fixture: &mut Fixture) {
    let (runtime, counts) = (fixture.runtime(), Counts::new());
    fixture.drive(async {
        let guard = counts.guard();
        let mut left = 20;
        runtime.run(poll_fn(move |cx| {
            let _ = &guard;
            if left == 0 {
                return Poll::Ready(());
            }
            left -= 1;
            let waker = cx.waker().clone();
            outside(move || waker.wake()).join().expect("wake does not panic");
            Poll::Pending
        }));
        until("a task that others wake during its polls is dropped", || counts.drops() == 1).await;
    });
}

fn r33_wake_from_a_foreign_thread(fixture: &mut Fixture) {
    let (runtime, gate) = (fixture.runtime(), Gate::new());
    fixture.drive(async {
        before(&["R18", "R13"], "the first poll");
        WAYS.into_iter().for_each(|wake| runtime.run(woken_from_outside(gate.clone(), wake)));
        gate.wait().await;
    });
}

/// Waits for a wake from a thread that the runtime does not know, and opens the gate then.
pub(super) fn woken_from_outside(opens: Gate, wake: fn(&Waker)) -> impl Future<Output = ()> + Send {
    let (mut thread, progress) = (None, Progress::current());
    poll_fn(move |cx| {
        if thread.is_some() {
            opens.open();
            return Poll::Ready(());
        }
        progress.takes("all tasks wait for a wake from a foreign thread");
        let waker = cx.waker().clone();
        thread = Some(outside_later(move || wake(&waker)));
        Poll::Pending
    })
}

fn r34_wake_does_not_poll_inline(fixture: &mut Fixture) {
    let (runtime, probe) = (fixture.runtime(), Probe::new());
    fixture.drive(async {
        runtime.run(probe.future());
        for polls in 1..20 {
            until("the task is polled", || probe.polls() >= polls).await;
            inside(|| probe.waker().wake());
        }
        until("the last of its polls", || probe.polls() >= 20 || probe.polled_inside()).await;
        assert!(!probe.polled_inside(), "wake polled on the caller's stack");
        probe.finish();
        until("the task is dropped", || probe.drops() == 1).await;
    });
}

fn r35_several_tasks_woken_at_once(fixture: &mut Fixture) {
    let (runtime, number) = (fixture.runtime(), many(1_000));
    fixture.drive(async {
        let probes: Vec<_> = (0..number).map(|_| Probe::new()).collect();
        probes.iter().for_each(|probe| runtime.run(probe.future()));
        first("all are polled", || probes.iter().all(|probe| probe.polls() > 0)).await;
        probes.iter().for_each(Probe::finish);
        until("all that were woken are dropped", || probes.iter().all(|p| p.drops() == 1)).await;
    });
}

fn r36_every_wake_works_like_the_first(fixture: &mut Fixture) {
    let (runtime, probe) = (fixture.runtime(), Probe::new());
    fixture.drive(async {
        runtime.run(probe.future());
        first("the first poll", || probe.polls() > 0).await;
        for _ in 0..400 {
            let polls = probe.polls();
            probe.waker().wake_by_ref();
            until("a wake leads to a poll", || probe.polls() > polls).await;
        }
        let (counts, guarded) = (Counts::new(), Counts::new());
        let (count, guard) = (counts.clone(), guarded.guard());
        runtime.run(async move {
            for _ in 0..400 {
                turn().await;
                count.polled();
            }
            drop(guard);
        });
        until("a task that wakes itself 400 times ends", || guarded.drops() == 1).await;
        assert_eq!(counts.polls(), 400, "the task was dropped, not polled");
    });
}

fn r37_wake_after_the_end_does_nothing(fixture: &mut Fixture) {
    let (runtime, probe) = (fixture.runtime(), Probe::new());
    fixture.drive(async {
        runtime.run(probe.future());
        first("the first poll", || probe.polls() > 0).await;
        let kept = probe.waker();
        probe.finish();
        until("the task is dropped", || probe.drops() == 1).await;
        step("wakers of a task that is over are used");
        let polls = probe.polls();
        kept.wake_by_ref();
        let clone = kept.clone();
        outside(move || clone.wake()).join().expect("wake does not panic");
        kept.wake();
        pump(&runtime).await;
        assert_eq!(probe.polls(), polls, "the task was polled again");
    });
}

fn r38_one_poll_for_a_burst(fixture: &mut Fixture) {
    let (runtime, probe) = (fixture.runtime(), Probe::new());
    fixture.drive(async {
        runtime.run(probe.future());
        first("the first poll", || probe.polls() > 0).await;
        // From inside a poll of another, and then from one that keeps the only thread busy, a
        // runtime of one thread can do no more than note them. One of several may poll in between.
        let (waker, done) = (probe.waker(), Kept::default());
        let (noted, polled) = (done.clone(), probe.clone());
        runtime.run(async move {
            let before = polled.polls();
            (0..5_000).for_each(|_| waker.wake_by_ref());
            noted.put(polled.polls() - before);
        });
        let during = Kept::default();
        until("5,000 wakes were sent", || done.take().map(|polls| during.put(polls)).is_some())
            .await;
        let during: usize = during.take().unwrap_or(0);
        before(&["R91", "R18"], "trivial tasks run to their end");
        pump_on(&runtime).await;
        step("5,000 wakes lead to a poll");
        let polls = probe.polls() - 1;
        assert!(polls >= 1, "5,000 wakes led to no poll");
        assert!(polls <= during + 2, "5,000 wakes led to {polls} polls, {during} meanwhile");
        probe.finish();
        until("the task is dropped", || probe.drops() == 1).await;
    });
}

fn r39_wake_of_a_task_that_waits(fixture: &mut Fixture) {
    let (runtime, probe, mut turns) = (fixture.runtime(), Probe::new(), 0_u64);
    fixture.drive(async {
        runtime.run(probe.future());
        first("the first poll", || probe.polls() > 0).await;
        let (polls, waker) = (probe.polls(), probe.waker());
        step("the poll after wakes in every way");
        // That each way works, and ends a sleep, is the matter of other rules.
        while probe.polls() == polls {
            turns += 1;
            if turns.is_power_of_two() {
                let waker = waker.clone();
                match turns.trailing_zeros() % 3 {
                    0 => waker.wake_by_ref(),
                    1 => waker.wake(),
                    _ => outside(move || waker.wake()).join().expect("wake does not panic"),
                }
                runtime.run(async {});
            }
            turn().await;
        }
    });
}

fn r30_wake_of_a_task_in_the_queue(fixture: &mut Fixture) {
    let (runtime, probe) = (fixture.runtime(), Probe::new());
    fixture.drive(async {
        runtime.run(probe.future());
        first("the first poll", || probe.polls() > 0).await;
        for round in 0..50 {
            let (polls, waker) = (probe.polls(), probe.waker());
            // On the runtime's own thread, so that the task is in the queue at the second.
            runtime.run(async move {
                waker.wake_by_ref();
                if round % 2 == 0 {
                    waker.wake_by_ref();
                }
                waker.wake();
            });
            until("a task that was woken several times is polled", || probe.polls() > polls).await;
        }
        probe.finish();
        until("the task is dropped", || probe.drops() == 1).await;
    });
}
