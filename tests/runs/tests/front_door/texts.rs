//! What the small errors, and what describes tasks and events, show of themselves: `{}`, `{:?}` and
//! the chain of sources.

use super::{Load, boot, joined, on_fire};

use allhome::error::{FailureInfo, PanicPolicy};
use allhome::limit::{
    AcquireError, Rate, RateLimiter, ReserveError, TryAcquireError, TryReserveError,
};
use allhome::runtime::{IntoRuntime, NoRuntime, ThreadPool};
use allhome::shutdown::ShutdownError;
use allhome::task::{NurseryInfo, TaskInfo, TaskState};
use allhome::time::fail_at;
use allhome::{
    Nursery, Policy, Reason, Semaphore, Simulator, block_on, fail_after, nursery, yield_now,
};
use std::error::Error;
use std::fmt::Debug;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Puts `P` for each place in the source.
fn plain(text: &str) -> String {
    let mut parts = text.split(file!());
    let mut plain = parts.next().unwrap_or_default().to_string();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c == ':' || c.is_ascii_digit());
        plain += "P";
        plain += rest;
    }
    plain
}

/// Looks at an error's text and at those of its sources.
#[track_caller]
fn check(error: &(dyn Error + 'static)) {
    let text = error.to_string();
    assert!(!text.is_empty() && !text.contains('\n') && !text.ends_with('.'), "{text}");
    if let Some(source) = error.source() {
        assert!(!text.contains(&source.to_string()), "it says its source twice: {text}");
        check(source);
    }
}

/// Looks at what `{:?}` shows.
#[track_caller]
fn check_debug(value: &dyn Debug) {
    let text = format!("{value:?}");
    assert!(!text.contains('\n'), "more than a line: {text}");
    assert!(!text.contains("Location"), "a place as a struct: {text}");
}

fn reason() -> Reason {
    Reason::new("stop").caused_by(Reason::new("the disk is full"))
}

/// All small errors.
fn small() -> Vec<Box<dyn Error>> {
    let mut all: Vec<Box<dyn Error>> = vec![Box::new(reason()), Box::new(NoRuntime::new("none"))];
    let (semaphore, closed) = (Semaphore::new(1), Semaphore::new(1));
    closed.close();
    let held = semaphore.try_acquire();
    all.push(Box::new(semaphore.try_acquire().unwrap_err()));
    all.push(Box::new(semaphore.try_acquire_many(2).unwrap_err()));
    all.push(Box::new(closed.try_acquire().unwrap_err()));
    all.push(Box::new(block_on(semaphore.acquire_many(2)).unwrap_err()));
    all.push(Box::new(block_on(closed.acquire()).unwrap_err()));
    all.push(Box::new(AcquireError::Cancelled(reason())));
    drop(held);
    all.push(Box::new(ReserveError::Refused(reason())));
    all.push(Box::new(ReserveError::Cancelled(reason())));
    all.push(Box::new(ReserveError::LimiterClosed));
    all.push(Box::new(TryReserveError::Refused(reason())));
    all.push(Box::new(TryReserveError::LimiterClosed));
    all.push(Box::new(TryReserveError::Full));
    let late = || pending::<()>();
    all.push(Box::new(block_on(fail_after(Duration::ZERO, late())).unwrap_err()));
    all.push(Box::new(block_on(fail_after(Duration::ZERO, late()).named("x")).unwrap_err()));
    all.push(Box::new(block_on(fail_at(allhome::time::now(), late())).unwrap_err()));
    let run = nursery().on(ThreadPool::global()).run(async |n: Nursery<String>| {
        n.cancel_with(reason());
        let id = n.tree().nurseries()[0].id;
        Ok((n.try_spawn(async { Ok(()) }).unwrap_err(), ShutdownError::Inside(id)))
    });
    let (refused, inside) = block_on(run).unwrap();
    all.push(Box::new(refused));
    all.push(Box::new(inside));
    all
}

#[test]
fn f40_an_error_s_text_is_a_line_and_has_nothing_of_its_source() {
    for error in small() {
        check(&*error);
        check_debug(&error);
    }
    check(&boot(Load(on_fire())));
    check(boot(Load(on_fire())).first());
    check(&joined(Load(on_fire())));
    let run = Simulator::new().seed(1).run(async |n: Nursery| {
        n.spawn(async { Err(Load(on_fire()).into()) });
        Ok(())
    });
    check(&run.unwrap_err());
}

#[test]
fn f40_the_texts_of_the_small_errors() {
    let texts: Vec<_> = small().iter().map(|error| plain(&error.to_string())).collect();
    let expected = [
        "cancel requested: stop (at P)",
        "none",
        "there are not enough permits just now",
        "asked for 2 permits, which is more than the capacity of 1",
        "the limit is closed",
        "asked for 2 permits, which is more than the capacity of 1",
        "the limit is closed",
        "the wait was cancelled: cancel requested: stop (at P)",
        "the nursery takes no more children: cancel requested: stop (at P)",
        "the wait for a slot was cancelled: cancel requested: stop (at P)",
        "the nursery's limiter is closed",
        "the nursery takes no more children: cancel requested: stop (at P)",
        "the nursery's limiter is closed",
        "no slot of the nursery is free just now",
        "timed out after 0ns (at P)",
        "`x` took longer than 0ns (at P)",
        "timed out at its deadline (at P)",
        "the nursery takes no more children: cancel requested: stop (at P)",
    ];
    assert_eq!(texts[..expected.len()], expected);
    assert_eq!(texts.len(), expected.len() + 1);
    let last = texts.last().unwrap();
    assert!(last.ends_with(" cannot wait for its shutdown: it would wait for itself"), "{last}");
}

/// In an error that is printed with its causes, each text stands once.
#[test]
fn f40_a_cancelled_acquire_says_its_reason_once() {
    let report = format!("{:?}", anyhow::Error::from(AcquireError::Cancelled(reason())));
    assert_eq!(report.matches("stop").count(), 1, "{report}");
    assert_eq!(report.matches("the disk is full").count(), 1, "{report}");
    assert_eq!(format!("{:?}", TryAcquireError::Closed), "Closed");
}

/// A tree as the body sees it when both children wait. A task that has been polled once may still be running on
/// another thread: what is asked for is the state itself.
fn tree() -> (NurseryInfo, TaskInfo) {
    let run = nursery().on(ThreadPool::global()).name("crawl").run(async |n: Nursery<String>| {
        n.task("fetch").spawn(pending());
        n.task("parse").spawn(pending());
        while n.tree().nurseries()[0].tasks.iter().any(|task| task.state != TaskState::Waiting) {
            yield_now().await;
        }
        let nursery = n.tree().nurseries()[0].clone();
        let task = nursery.tasks[0].clone();
        n.cancel();
        Ok((nursery, task))
    });
    block_on(run).unwrap()
}

#[test]
fn f40_a_nursery_is_a_line_and_its_tasks_are_listed() {
    let (nursery, task) = tree();
    let (id, other) = (nursery.id, nursery.tasks[1].id);
    let line = format!("nursery {id} `crawl`, at P");
    assert_eq!(plain(&nursery.to_string()), line);
    assert_eq!(plain(&format!("{nursery:?}")), format!("NurseryInfo({line}, 2 tasks)"));
    let lost = ", with no waker left: only a cancel ends it";
    let first = format!("task {} `fetch` waiting{lost}, 1 poll, at P", task.id);
    assert_eq!(plain(&format!("{task:?}")), format!("TaskInfo({first})"));
    let second = format!("task {other} `parse` waiting{lost}, 1 poll, at P");
    let listed =
        format!("NurseryInfo(\n    {line},\n    [\n        {first},\n        {second},\n    ],\n)");
    assert_eq!(plain(&format!("{nursery:#?}")), listed);
}

#[test]
fn f40_limits_show_who_holds_and_how_many_wait() {
    let semaphore = Arc::new(Semaphore::new(2).named("db").time_holders(true));
    let shared = semaphore.clone();
    let run = nursery().on(ThreadPool::global()).run(async |n: Nursery<String>| {
        let two = shared.try_acquire_many(2).map_err(|error| error.to_string())?;
        let waits = shared.clone();
        n.spawn(async move { waits.acquire().await.map(drop).map_err(|error| error.to_string()) });
        while shared.waiters() == 0 {
            yield_now().await;
        }
        let text = format!("{shared:?}");
        let holders = shared.holders();
        drop(two);
        Ok((text, holders))
    });
    let (text, holders) = block_on(run).unwrap();
    let expected =
        r#"Semaphore { name: "db", available: 0, capacity: 2, waiters: 1, closed: false, .. }"#;
    assert_eq!(text, expected);
    let lines: Vec<_> = holders.iter().map(|info| plain(&info.to_string())).collect();
    let holds = &lines[usize::from(holders[0].is_waiting())];
    let waits = &lines[usize::from(!holders[0].is_waiting())];
    assert!(
        holds.starts_with("the body of nursery ") && holds.contains(" has held 2 permits for "),
        "{holds}"
    );
    assert!(waits.contains(" has waited for 1 permit for "), "{waits}");
    assert!(lines.iter().all(|line| line.ends_with(", by an acquire at P")), "{lines:?}");
    holders.iter().for_each(|info| check_debug(info));
    let limiter =
        RateLimiter::new(&ThreadPool::global().into_runtime().unwrap(), Rate::per_second(1), 1);
    assert!(format!("{limiter:?}").contains("waiters: 0"));
}

#[test]
fn f40_what_a_hook_and_a_report_give_is_a_line() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let note = told.clone();
    let hook = move |failure: &FailureInfo<'_>| {
        check_debug(failure);
        note.lock().unwrap().push(failure.to_string());
    };
    let server = nursery().on(ThreadPool::global()).policy(Policy::WaitAll).on_failure(hook);
    let run = server.panics(PanicPolicy::Report).run(async |n: Nursery<String>| {
        n.task("echo").spawn(async {
            allhome::cancelled().await;
            Err("too late".to_string())
        });
        n.task("bug").spawn(async { panic!("a bug") });
        while n.tree().tasks() > 1 || n.tree().nurseries()[0].tasks[0].polls == 0 {
            yield_now().await;
        }
        let step = Duration::from_secs(60);
        let shutdown = n.shutdown().drain(Duration::ZERO).cancel(step).abort(step);
        let report = shutdown.await.map_err(|error| error.to_string())?;
        check_debug(&report);
        report.echoes().iter().for_each(|echo| check_debug(echo));
        report.stragglers().iter().for_each(|late| check_debug(late));
        Ok(report.stragglers().len())
    });
    let settled = block_on(run.settle());
    assert_eq!(settled.value, Some(1));
    let mut told = told.lock().unwrap().clone();
    told.sort();
    assert_eq!(told, ["task `bug` panicked: a bug", "task `echo` failed: too late"]);
}
