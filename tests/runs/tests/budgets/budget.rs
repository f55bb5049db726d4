//! Budgets, on a runtime that counts what a task does in one poll.

use allhome::{CancelToken, Nursery, is_cancelled, move_on_after, nursery};
use allhome_conformance::{Counts, Gate, eventually};
use allhome_runs::budget::{BUDGET, budgeted, budgeted_outside, limited, units, use_up, without};
use allhome_runs::{Clock, Stepped, Wakes, poll_once};
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::Poll;
use std::time::Duration;

fn world() -> (Stepped, allhome::runtime::Runtime) {
    let stepped = Stepped::new(1);
    let runtime = budgeted(&stepped, &Clock::new());
    (stepped, runtime)
}

/// Counts the polls of a future.
async fn counted<F: Future>(counts: Counts, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        counts.polled();
        future.as_mut().poll(cx)
    })
    .await
}

/// Counts the polls that show a cancel.
async fn told<F: Future>(counts: Counts, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        if is_cancelled() {
            counts.polled();
        }
        future.as_mut().poll(cx)
    })
    .await
}

/// Uses up the budget before each of so many polls of the future, as another part of its task does.
async fn beside<F: Future>(greedy: Arc<AtomicUsize>, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        if greedy.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok() {
            use_up();
        }
        future.as_mut().poll(cx)
    })
    .await
}

/// Runs children that take so many units each. Returns how many polls they took, and how many the
/// runtime's tasks.
fn polls_of(children: usize, each: u32) -> (usize, usize) {
    let ((stepped, runtime), counts) = (world(), Counts::new());
    let run = nursery().on(runtime).run(async |n: Nursery<Infallible>| {
        for _ in 0..children {
            let child = counted(counts.clone(), units(each));
            n.spawn(async {
                child.await;
                Ok(())
            });
        }
        Ok(())
    });
    stepped.drive(limited(run)).unwrap();
    (counts.polls(), stepped.polls())
}

#[test]
fn x19_each_poll_of_a_child_begins_with_a_whole_budget() {
    assert_eq!(polls_of(16, BUDGET - 1), (16, 1), "they share a poll, and not its budget");
    assert_eq!(polls_of(16, BUDGET).0, 16);
    assert_eq!(polls_of(16, BUDGET + 1).0, 32, "what is above it waits for a turn");
}

#[test]
fn x19_a_child_that_uses_it_up_ends_the_carriers_poll() {
    assert_eq!(polls_of(16, 0), (16, 1));
    assert_eq!(polls_of(16, BUDGET), (16, 16));
}

#[test]
fn x19_a_carrier_that_has_no_budget_waits_for_a_turn() {
    let (stepped, counts, wakes) = (Stepped::new(1), Counts::new(), Wakes::new());
    let run = nursery().on(budgeted_outside(&stepped)).run(async |n: Nursery<Infallible>| {
        let child = counted(counts.clone(), units(1));
        n.spawn(async {
            child.await;
            Ok(())
        });
        Ok(())
    });
    let mut run = Box::pin(run);
    assert!(poll_once(&mut run, &wakes).is_pending());
    assert!(without(|| stepped.step()));
    assert_eq!(counts.polls(), 0, "there is nothing that it could do");
    assert!(stepped.step(), "it has woken itself");
    assert_eq!(counts.polls(), 1);
    assert!(poll_once(&mut run, &wakes).is_ready());
}

#[test]
fn e07_value_ready_in_the_last_poll_wins_whatever_the_siblings_use() {
    for each in [1, BUDGET - 1, BUDGET] {
        let ((stepped, runtime), gate, counts) = (world(), Gate::new(), Counts::new());
        let run = nursery().on(runtime).run(async |n: Nursery<Infallible>| {
            let child = || {
                let gate = gate.clone();
                counted(counts.clone(), async move {
                    gate.wait().await;
                    units(each).await;
                    Ok(())
                })
            };
            let children: Vec<_> = (0..100).map(|_| n.fork(child())).collect();
            eventually(|| counts.polls() == 100).await;
            gate.open();
            n.cancel();
            Ok(children)
        });
        let children = stepped.drive(limited(run)).unwrap();
        let had = children.into_iter().filter_map(|mut child| child.try_join()?.ok()).count();
        assert_eq!((had, counts.polls()), (100, 200), "children that need {each} units");
    }
}

/// Cancels a body that needs so many units then, beside a part of its task that uses up the budget
/// in so many turns. Returns whether it had its value, in how many polls that showed the cancel,
/// and in how many turns.
fn cancelled_body(needs: u32, greedy: usize) -> (bool, usize, usize) {
    let ((_stepped, runtime), token) = (world(), CancelToken::new());
    let (gate, counts, wakes) = (Gate::new(), Counts::new(), Wakes::new());
    let (wait, left) = (gate.clone(), Arc::new(AtomicUsize::new(0)));
    let body = told(counts.clone(), async move {
        wait.wait().await;
        units(needs).await;
        Ok(())
    });
    let run = nursery().on(runtime).token(&token).run(async |_: Nursery<Infallible>| body.await);
    let mut run = Box::pin(limited(beside(left.clone(), run)));
    assert!(poll_once(&mut run, &wakes).is_pending());
    left.store(greedy, SeqCst);
    token.cancel();
    gate.open();
    for turn in 1.. {
        let woken = wakes.count();
        if let Poll::Ready(result) = poll_once(&mut run, &wakes) {
            return (result.is_ok(), counts.polls(), turn);
        }
        assert!(wakes.count() > woken, "it is not woken");
    }
    unreachable!()
}

#[test]
fn c22_a_last_poll_that_has_no_budget_waits_one_turn() {
    assert_eq!(cancelled_body(BUDGET, 0), (true, 1, 1));
    assert_eq!(cancelled_body(BUDGET, 1), (true, 1, 2), "not polled when there was none");
    assert_eq!(cancelled_body(1, 2), (false, 1, 2), "no more than one turn");
}

#[test]
fn c22_a_last_poll_that_uses_up_the_budget_is_followed_by_one_more() {
    assert_eq!(cancelled_body(BUDGET + 1, 0), (true, 2, 2));
    assert_eq!(cancelled_body(2 * BUDGET + 1, 0), (false, 2, 2));
}

/// What a child has of a scope of no time whose inside needs so many units, in a poll in which the
/// child has used up its budget before; and in how many polls of the inside.
fn scope_of_no_time(needs: u32, used_up: bool) -> (Option<()>, usize) {
    let ((stepped, runtime), counts) = (world(), Counts::new());
    let inside = counted(counts.clone(), units(needs));
    let run = nursery().on(runtime).run(async |n: Nursery<Infallible>| {
        let child = n.fork(async move {
            if used_up {
                use_up();
            }
            Ok(move_on_after(Duration::ZERO, inside).await)
        });
        Ok(child.await.unwrap())
    });
    (stepped.drive(limited(run)).unwrap(), counts.polls())
}

#[test]
fn t03_a_value_wins_in_the_one_poll_of_a_scope_of_no_time() {
    assert_eq!(scope_of_no_time(BUDGET, false), (Some(()), 1));
    assert_eq!(scope_of_no_time(BUDGET, true), (Some(()), 1));
    assert_eq!(scope_of_no_time(BUDGET + 1, false), (Some(()), 2));
    assert_eq!(scope_of_no_time(2 * BUDGET + 1, false), (None, 2));
}

/// Cancels a child that uses up its budget in the last poll, and then awaits this.
fn in_the_last_poll<F>(then: F) -> Option<u32>
where
    F: Future<Output = u32> + Send + 'static,
{
    let ((stepped, runtime), gate, counts) = (world(), Gate::new(), Counts::new());
    let child = counted(counts.clone(), {
        let gate = gate.clone();
        async move {
            gate.wait().await;
            use_up();
            Ok(then.await)
        }
    });
    let run = nursery().on(runtime).run(async |n: Nursery<Infallible>| {
        let child = n.fork(child);
        eventually(|| counts.polls() == 1).await;
        gate.open();
        child.cancel();
        Ok(child.await.ok())
    });
    stepped.drive(limited(run)).unwrap()
}

#[test]
fn c22_the_task_around_is_not_ended_in_that_turn() {
    let scope = async { move_on_after(Duration::ZERO, units(1)).await.map_or(0, |()| 1) };
    assert_eq!(in_the_last_poll(scope), Some(1));
    let nothing = async {
        move_on_after(Duration::ZERO, std::future::pending::<()>()).await.map_or(2, |()| 0)
    };
    assert_eq!(in_the_last_poll(nothing), Some(2), "it goes on when the scope has ended");
    let inner = nursery().run(async |_: Nursery<Infallible>| {
        units(1).await;
        Ok(3)
    });
    assert_eq!(in_the_last_poll(async { inner.await.unwrap_or(0) }), Some(3));
    assert_eq!(
        in_the_last_poll(async {
            units(1).await;
            4
        }),
        None,
        "it had a whole budget"
    );
}
