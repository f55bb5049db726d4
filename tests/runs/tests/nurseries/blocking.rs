//! Blocking work, on a pool that runs a job when the test says so.

use allhome::cancel::ReasonKind;
use allhome::error::PanicPolicy;
use allhome::task::{NurseryInfo, Opener, TaskState, exit};
use allhome::{
    Child, Nursery, Policy, Reason, block_on, cancelled, is_cancelled, move_on_after, nursery,
    yield_now,
};
use allhome_conformance::{Counts, Gate};
use allhome_runs::{Hold, Jobs, Opened, Stepped, Wakes, poll_once, within};
use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::thread;
use std::time::Duration;

type Failure = Arc<str>;

fn open(stepped: &Stepped, jobs: &Jobs) -> Opened<Failure> {
    let builder = nursery().on(stepped.runtime_with(jobs));
    Opened::fallible(builder.policy(Policy::Isolate).panics(PanicPolicy::Report))
}

fn reason_of<T: std::fmt::Debug>(child: Child<T, Failure>) -> Reason {
    block_on(child).unwrap_err().reason().expect("it was cancelled").clone()
}

#[test]
fn b01_told_work_that_errs_is_cancelled() {
    within(|| {
        let (stepped, jobs, hold) = (Stepped::new(1), Jobs::new(), Hold::new());
        let mut opened = open(&stepped, &jobs);
        let stay = hold.clone();
        let told = opened.n.blocking(move |cx| {
            assert!(cx.check().is_ok() && !cx.is_cancelled() && !cx.token().is_cancelled());
            stay.stay();
            assert!(cx.is_cancelled() && cx.token().is_cancelled());
            cx.check().map_err(|_| Failure::from("gave up"))
        });
        let thread = thread::spawn(jobs.take().unwrap());
        hold.wait_entered();
        assert_eq!(told.state(), TaskState::Running);
        assert!(told.cancel_with(Reason::new("leave")));
        hold.release();
        thread.join().unwrap();
        assert_eq!(reason_of(told).message(), "leave");
        assert!(matches!(opened.finish(), Poll::Ready(Ok(()))), "a cancel is no failure");
        stepped.shutdown();
    });
}

#[test]
fn b01_value_wins_and_error_of_work_that_did_not_ask_is_an_echo() {
    within(|| {
        let (stepped, jobs) = (Stepped::new(1), Jobs::new());
        let mut opened = open(&stepped, &jobs);
        for ask in [true, false] {
            let hold = Hold::new();
            let stay = hold.clone();
            let child = opened.n.blocking(move |cx| {
                stay.stay();
                assert!(!ask || cx.check().is_err());
                if ask { Ok(7) } else { Err(Failure::from("my own")) }
            });
            let thread = thread::spawn(jobs.take().unwrap());
            hold.wait_entered();
            assert!(child.cancel());
            hold.release();
            thread.join().unwrap();
            match (ask, block_on(child)) {
                (true, Ok(value)) => assert_eq!(value, 7),
                (false, Err(error)) => assert!(error.reason().is_some(), "{error}"),
                (_, other) => panic!("{other:?}"),
            }
        }
        assert!(matches!(opened.finish(), Poll::Ready(Ok(()))));
        stepped.shutdown();
    });
}

/// The scope of a timeout reports its own cancel, and not the work's.
#[test]
fn b01_told_by_a_scope_inside_is_not_told() {
    let (stepped, jobs) = (Stepped::new(1), Jobs::new());
    let pool = allhome::runtime::ThreadPool::new(1).unwrap();
    let run = nursery().on(&pool).policy(Policy::Isolate).run(async |n: Nursery<Failure>| {
        let work = n.blocking(|cx| {
            let inside = cx.block_on(move_on_after(Duration::ZERO, async {
                assert!(cx.check().is_err(), "the time of the scope is over");
                pending::<()>().await;
            }));
            assert_eq!(inside.unwrap(), None);
            assert!(cx.check().is_ok());
            Err::<(), _>(Failure::from("my own"))
        });
        Ok(work.await.unwrap_err().error().cloned())
    });
    assert_eq!(block_on(run).unwrap().as_deref(), Some("my own"));
    drop((stepped, jobs));
}

#[test]
fn b02_cancelled_before_it_began_is_dropped_uncalled() {
    for of_nursery in [true, false] {
        let (stepped, jobs, counts) = (Stepped::new(1), Jobs::new(), Counts::new());
        let mut opened = open(&stepped, &jobs);
        let guard = counts.guard();
        let child = opened.n.blocking(move |_| {
            drop(guard);
            unreachable!("it is not called");
            #[expect(unreachable_code)]
            Ok(())
        });
        assert!(if of_nursery { opened.n.cancel() } else { child.cancel() });
        assert_eq!((counts.drops(), child.state()), (1, TaskState::Ended));
        assert_eq!(reason_of(child).kind(), ReasonKind::Requested);
        assert!(matches!(opened.finish(), Poll::Ready(Ok(()))));
        assert!(jobs.run(), "the runtime still has it, and may call it");
        drop(opened);
        stepped.shutdown();
    }
}

/// The runtime calls the job while another thread is dropping the work. If that miscounts, it shows
/// later: the nursery does not learn that waiting children are lost.
#[test]
fn b02_job_that_comes_while_the_work_is_being_dropped() {
    struct Slow(Hold);
    impl Drop for Slow {
        fn drop(&mut self) {
            self.0.stay();
        }
    }
    within(|| {
        let (stepped, jobs, hold) = (Stepped::new(1), Jobs::new(), Hold::new());
        let mut opened = open(&stepped, &jobs);
        let slow = Slow(hold.clone());
        let work = opened.n.blocking(move |_| {
            drop(slow);
            Ok(())
        });
        let cancel = thread::spawn(move || assert!(work.cancel()));
        hold.wait_entered();
        assert!(jobs.run());
        hold.release();
        cancel.join().unwrap();
        let counts = Counts::new();
        let parked = opened.n.fork(counts.parked().child());
        opened.end.open();
        assert!(opened.poll().is_pending());
        stepped.run_until_stalled();
        assert_eq!((counts.polls(), stepped.tasks()), (1, 1), "a carrier stays for it");
        stepped.shutdown();
        assert!(block_on(parked).unwrap_err().is_lost());
        assert!(opened.poll().is_ready());
    });
}

fn named<'a>(at: &'a NurseryInfo, name: &str) -> &'a allhome::task::TaskInfo {
    at.tasks.iter().find(|task| task.name.as_deref() == Some(name)).expect("it is listed")
}

#[test]
fn b03_block_on_is_a_part_of_the_work() {
    within(|| {
        let (stepped, jobs, gate) = (Stepped::new(1), Jobs::new(), Gate::new());
        let mut opened = open(&stepped, &jobs);
        let (inside, id) = (gate.clone(), opened.n.id());
        let work = opened.n.task("work").blocking(move |cx| {
            let run = nursery().name("inner").run(async |n: Nursery<Failure>| {
                n.spawn(async move {
                    inside.wait().await;
                    Ok(())
                });
                Ok(allhome::task::task_id())
            });
            assert_eq!(cx.block_on(run).unwrap().unwrap(), None, "a body is no task");
            assert_eq!(
                cx.block_on(async { allhome::task::task_id() }).unwrap(),
                allhome::task::task_id()
            );
            Ok(6)
        });
        let thread = thread::spawn(jobs.take().unwrap());
        while opened.n.tree().nurseries().len() < 2 || stepped.run_until_stalled() > 0 {
            thread::yield_now();
        }
        let tree = opened.n.tree();
        assert_eq!(tree.nurseries()[0].id, id);
        assert_eq!(named(&tree.nurseries()[0], "work").id, work.id().unwrap());
        assert_eq!(tree.nurseries()[1].opened_by, Opener::Task(work.id().unwrap()));
        gate.open();
        while !thread.is_finished() {
            stepped.run_until_stalled();
        }
        thread.join().unwrap();
        assert_eq!(block_on(work).unwrap(), 6);
        assert!(matches!(opened.finish(), Poll::Ready(Ok(()))));
        stepped.shutdown();
    });
}

#[test]
fn b04_cancel_ends_block_on_after_one_last_poll() {
    within(|| {
        for of_nursery in [true, false] {
            let (stepped, jobs, counts) = (Stepped::new(1), Jobs::new(), Counts::new());
            let mut opened = open(&stepped, &jobs);
            let (inside, cancels) = (counts.clone(), Arc::new(AtomicUsize::new(0)));
            let (guard, seen) = (counts.guard(), cancels.clone());
            let work = opened.n.blocking(move |cx| {
                let reason = cx.block_on(poll_fn(move |_| {
                    let _guard = &guard;
                    seen.fetch_add(usize::from(is_cancelled()), Ordering::SeqCst);
                    inside.polled();
                    Poll::<()>::Pending
                }));
                let reason = reason.unwrap_err();
                assert_eq!(reason.message(), "leave");
                assert!(cx.check().unwrap_err().same(&reason));
                // A value that is ready in the only poll wins.
                assert_eq!(cx.block_on(async { 7 }).unwrap(), 7);
                Err::<(), _>(Failure::from(reason.message()))
            });
            let thread = thread::spawn(jobs.take().unwrap());
            while counts.polls() == 0 {
                thread::yield_now();
            }
            let reason = Reason::new("leave");
            if of_nursery {
                opened.n.cancel_with(reason)
            } else {
                work.cancel_with(reason)
            };
            thread.join().unwrap();
            assert_eq!((cancels.load(Ordering::SeqCst), counts.drops()), (1, 1));
            assert_eq!(reason_of(work).message(), "leave");
            assert!(matches!(opened.finish(), Poll::Ready(Ok(()))));
            stepped.shutdown();
        }
    });
}

#[test]
fn b04_block_on_waits_for_a_nursery_inside() {
    within(|| {
        let (stepped, jobs, hold, counts) =
            (Stepped::new(1), Jobs::new(), Hold::new(), Counts::new());
        let mut opened = open(&stepped, &jobs);
        let (child, ended) =
            (hold.child(&counts, |_| Poll::Pending), Arc::new(AtomicUsize::new(0)));
        let end = ended.clone();
        let work = opened.n.blocking(move |cx| {
            let inner = nursery().run(async |n: Nursery<Failure>| {
                n.spawn(child);
                pending::<Result<(), _>>().await
            });
            let result = cx.block_on(inner);
            end.store(1, Ordering::SeqCst);
            // The nursery came to its own end, which is a value.
            assert!(result.unwrap().unwrap_err().reason().is_some());
            cx.check().map_err(|reason| Failure::from(reason.message()))
        });
        let thread = thread::spawn(jobs.take().unwrap());
        while stepped.tasks() == 0 {
            thread::yield_now();
        }
        let poll = stepped.step_on_a_thread();
        hold.wait_entered();
        assert!(work.cancel_with(Reason::new("leave")));
        assert!(opened.finish().is_pending());
        assert_eq!((ended.load(Ordering::SeqCst), work.is_ended()), (0, false));
        hold.release();
        poll.join().unwrap();
        while !thread.is_finished() {
            stepped.run_until_stalled();
        }
        thread.join().unwrap();
        assert_eq!((ended.load(Ordering::SeqCst), counts.drops()), (1, 1));
        assert_eq!(reason_of(work).message(), "leave");
        assert!(matches!(opened.poll(), Poll::Ready(Ok(()))));
        stepped.shutdown();
    });
}

#[test]
fn b09_nursery_waits_for_work_that_runs() {
    within(|| {
        for abort in [true, false] {
            let (stepped, jobs, hold) = (Stepped::new(1), Jobs::new(), Hold::new());
            let mut opened = open(&stepped, &jobs);
            let (stay, counts) = (hold.clone(), Counts::new());
            let guard = counts.guard();
            let work = opened.n.blocking(move |_| {
                let _guard = &guard;
                stay.stay();
                Ok(())
            });
            let thread = thread::spawn(jobs.take().unwrap());
            hold.wait_entered();
            assert!(if abort { opened.n.abort() } else { opened.n.cancel() });
            assert!(opened.finish().is_pending());
            assert_eq!((opened.n.len(), counts.drops()), (1, 0));
            hold.release();
            thread.join().unwrap();
            assert_eq!((opened.n.len(), counts.drops()), (0, 1));
            assert!(block_on(work).is_ok(), "its value was ready");
            assert!(matches!(opened.poll(), Poll::Ready(Ok(()))));
            stepped.shutdown();
        }
    });
}

#[test]
fn b09_dropped_nursery_hands_running_work_to_its_parent() {
    within(|| {
        let (stepped, jobs, hold) = (Stepped::new(1), Jobs::new(), Hold::new());
        let mut opened = open(&stepped, &jobs);
        let stay = hold.clone();
        let child = opened.n.fork(async {
            let mut inner = Box::pin(nursery().run(async move |n: Nursery<Failure>| {
                let work = n.blocking(move |_| {
                    stay.stay();
                    Ok(())
                });
                drop(work);
                pending::<Result<(), _>>().await
            }));
            assert!(poll_once(&mut inner, &Wakes::new()).is_pending());
            yield_now().await;
            drop(inner);
            Ok(())
        });
        assert!(stepped.step());
        let thread = thread::spawn(jobs.take().unwrap());
        hold.wait_entered();
        stepped.run_until_stalled();
        block_on(child).unwrap();
        assert!(opened.finish().is_pending(), "the work is out");
        hold.release();
        thread.join().unwrap();
        assert!(matches!(opened.poll(), Poll::Ready(Ok(()))));
        stepped.shutdown();
    });
}

#[test]
fn b10_exit_inside_block_on_ends_the_work() {
    within(|| {
        let (stepped, jobs, counts) = (Stepped::new(1), Jobs::new(), Counts::new());
        let mut opened = open(&stepped, &jobs);
        let guard = counts.guard();
        let work = opened.n.blocking(move |cx| {
            let reason = cx.block_on(async move {
                let _guard = guard;
                yield_now().await;
                match exit().await {}
            });
            let reason = reason.unwrap_err();
            assert_eq!((reason.kind(), counts.drops()), (ReasonKind::Exited, 1));
            assert!(cx.check().is_ok(), "it was not cancelled");
            Err::<(), _>(Failure::from("on the way out"))
        });
        assert!(jobs.run());
        assert_eq!(reason_of(work).kind(), ReasonKind::Exited);
        assert!(matches!(opened.finish(), Poll::Ready(Ok(()))));
    });
}

#[test]
fn b04_block_on_with_cancelled_inside() {
    within(|| {
        let (stepped, jobs, counts) = (Stepped::new(1), Jobs::new(), Counts::new());
        let opened = open(&stepped, &jobs);
        let inside = counts.clone();
        let work = opened.n.blocking(move |cx| {
            let seen = cx.block_on(async {
                inside.polled();
                cancelled().await.message().to_string()
            });
            Ok(seen.unwrap())
        });
        let thread = thread::spawn(jobs.take().unwrap());
        while counts.polls() == 0 {
            thread::yield_now();
        }
        assert!(work.cancel_with(Reason::new("leave")));
        thread.join().unwrap();
        assert_eq!(block_on(work).unwrap(), "leave", "ready in the last poll");
        stepped.shutdown();
    });
}
