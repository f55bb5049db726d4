//! What is taken for an echo is easy to see; and what is not.

use crate::begun;
use allhome::cancel::{Level, ReasonKind};
use allhome::error::Cause;
use allhome::runtime::ThreadPool;
use allhome::task::Outcome;
use allhome::{
    CancelToken, Nursery, Policy, Reason, block_on, cancelled, nursery, shield, yield_now,
};
use allhome_runs::{SECOND, world};
use std::fmt;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

fn pool() -> &'static ThreadPool {
    ThreadPool::global()
}

/// Ends with an error as soon as it is cancelled.
async fn late(text: &'static str) -> Result<(), String> {
    cancelled().await;
    Err(text.to_string())
}

#[test]
fn f22_a_child_that_ends_with_an_echo_was_cancelled() {
    let run = nursery().on(pool()).run(async |n: Nursery<String>| {
        let child = n.task("late").fork(late("echo"));
        begun(&n).await;
        child.cancel_with(Reason::new("enough"));
        let end = child.await.expect_err("it has no value").into_outcome::<()>();
        let Some(Outcome::Cancelled(reason)) = end else { panic!("{end:?}") };
        assert_eq!((reason.message(), reason.kind()), ("enough", ReasonKind::Requested));
        assert!(!n.is_cancelled(), "an echo cancels nothing");
        Err::<(), _>("shown".to_string())
    });
    let error = block_on(run).unwrap_err();
    let echoes: Vec<_> = error.echoes().map(|echo| echo.to_string()).collect();
    assert_eq!(echoes, ["task `late` failed: echo"]);
    assert_eq!((error.failures().len(), error.cancelled_count()), (1, 1), "{error:?}");
    assert!(format!("{error:?}").contains("echo"));
}

#[test]
fn f22_ten_workers_fail_on_one_thing() {
    let (stepped, clock, runtime) = world();
    let run = nursery().on(runtime).run(async |n: Nursery<String>| {
        for _ in 0..10 {
            n.spawn(async {
                allhome::sleep(SECOND).await;
                Err("the database is gone".to_string())
            });
        }
        Ok(())
    });
    let error = clock.drive(&stepped, run).unwrap_err();
    assert_eq!((error.failures().len(), error.echoes().len()), (1, 9), "{error:?}");
    assert_eq!(error.cancelled_count(), 9);
}

/// A cancel by a reason that another task created is not the task's own.
#[test]
fn f22_the_task_that_asked_is_that_of_the_reason() {
    let run = nursery().on(pool()).run(async |n: Nursery<String>| {
        let reason = Reason::new("created in the body");
        assert!(reason.by().is_none());
        let own = n.clone();
        let child = n.fork::<(), _>(async move {
            let by = allhome::task::task_id();
            assert_eq!(Reason::new("").by(), by);
            let inside = nursery().run(async |_: Nursery<String>| Ok(Reason::new("").by())).await;
            assert_eq!(inside.unwrap(), by, "the body is a part of the task");
            own.cancel_with(reason);
            Err("echo".to_string())
        });
        // The cancel ends the body, too, which may have its last poll before the child has ended.
        let end = shield(60 * SECOND, child).await;
        Ok(end.expect_err("it has no value").reason().is_some())
    });
    assert!(block_on(run).unwrap(), "it has ended as cancelled");
}

#[test]
fn f24_an_error_of_the_body_beside_a_failure() {
    for fails in [false, true] {
        let (stepped, clock, runtime) = world();
        let run = nursery().on(runtime).grace(9 * SECOND).run(async |n: Nursery<String>| {
            n.task("first").spawn(async move {
                allhome::sleep(SECOND).await;
                if fails { Err("real".to_string()) } else { Ok(()) }
            });
            allhome::sleep(2 * SECOND).await;
            n.cancel();
            Err::<(), _>("the body's".to_string())
        });
        let error = clock.drive(&stepped, run).unwrap_err();
        let first = if fails { "real" } else { "the body's" };
        assert_eq!(error.first().error().map(String::as_str), Some(first));
        assert_eq!(error.failures().len(), 1, "{error:?}");
        assert_eq!(error.echoes().len(), usize::from(fails), "{error:?}");
    }
}

#[test]
fn f25_reported_by_a_task_by_the_body_and_from_elsewhere() {
    let pool = pool();
    let run = nursery().on(pool).policy(Policy::WaitAll).run(async |n: Nursery<String>| {
        let own = n.clone();
        let child = n.task("task").fork(async move {
            let inside = nursery().run(async |_: Nursery<String>| Ok(own.fail("1".to_string())));
            assert!(inside.await.unwrap());
            Ok(7)
        });
        assert_eq!(child.await.ok(), Some(7), "it goes on");
        assert!(n.fail("2".to_string()));
        let other = n.clone();
        std::thread::spawn(move || assert!(other.fail("3".to_string()))).join().unwrap();
        assert!(!n.is_cancelled());
        Ok(n)
    });
    let error = block_on(run).unwrap_err();
    let failures: Vec<_> = error.failures().map(|failure| failure.to_string()).collect();
    assert_eq!(failures, ["task `task` failed: 1", "the body failed: 2", "the body failed: 3"]);
    // By default it cancels the others, as the failure of a child does.
    let run = nursery().on(pool).run(async |n: Nursery<String>| {
        assert!(n.fail("enough".to_string()) && n.is_cancelled());
        pending::<Result<(), _>>().await
    });
    let error = block_on(run).unwrap_err();
    assert_eq!(error.reason().map(Reason::kind), Some(ReasonKind::BodyFailed));
    assert_eq!(error.into_error().ok().as_deref(), Some("enough"));
    let over = block_on(nursery().on(pool).run(async |n: Nursery<String>| Ok(n))).unwrap();
    assert!(!over.fail("too late".to_string()));
}

/// An error whose destructor uses the nursery: it runs with no lock held.
struct Nosy {
    n: Nursery<Nosy>,
    drops: Arc<AtomicUsize>,
}

impl Drop for Nosy {
    fn drop(&mut self) {
        let _ = (self.n.len(), self.n.tree());
        self.drops.fetch_add(1, Ordering::SeqCst);
    }
}

impl fmt::Debug for Nosy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nosy {}", self.n.len())
    }
}

impl fmt::Display for Nosy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nosy {}", self.n.len())
    }
}

impl std::error::Error for Nosy {}

#[test]
fn f26_echoes_are_bounded_and_no_lock_is_held_for_them() {
    let drops = Arc::new(AtomicUsize::new(0));
    let run = nursery().on(pool()).keep_failures(3).run(async |n: Nursery<Nosy>| {
        let nosy = || Nosy { n: n.clone(), drops: drops.clone() };
        for _ in 0..10 {
            let error = nosy();
            n.spawn(async move {
                cancelled().await;
                Err(error)
            });
        }
        // A child that was not polled when its nursery is cancelled would make no error.
        begun(&n).await;
        let child = n.fork::<u32, _>(pending());
        child.cancel();
        let needs = nosy();
        n.spawn(async move {
            let _needs = needs;
            child.value().await;
            Ok(())
        });
        cancelled().await;
        n.fail(nosy());
        pending::<Result<(), _>>().await
    });
    let error = block_on(run).unwrap_err();
    assert_eq!((error.echoes().len(), error.omitted_echo_count()), (3, 7), "{error:?}");
    assert_eq!(drops.load(Ordering::SeqCst), 8, "those that are not kept, and that of the joiner");
    drop(error);
    assert_eq!(drops.load(Ordering::SeqCst), 12);
}

#[test]
fn f26_the_report_of_a_shutdown_shows_them() {
    let pool = pool();
    let run = nursery().on(pool).name("server").run(async |n: Nursery<String>| {
        n.task("worker").spawn(late("3 records lost"));
        n.task("outer").spawn(async {
            let inside = nursery().run(async |m: Nursery<String>| {
                m.task("inner").spawn(late("of a nursery inside"));
                begun(&m).await;
                Ok(())
            });
            inside.await.map_err(|error| error.to_string())
        });
        while n.tree().tasks() < 3 {
            yield_now().await;
        }
        begun(&n).await;
        let (drain, long) = (Duration::ZERO, Duration::from_secs(60));
        let report = n.shutdown().drain(drain).cancel(long).abort(long).await;
        report.map_err(|error| error.to_string())
    });
    let report = block_on(run).expect("no echo is a failure");
    assert_eq!((report.level(), report.omitted_echo_count()), (Level::Cancelled, 0));
    let mut echoes: Vec<_> = report.echoes().iter().collect();
    echoes.sort_by_key(|echo| echo.name().map(str::to_string));
    let names: Vec<_> = echoes.iter().map(|echo| echo.name().unwrap()).collect();
    assert_eq!(names, ["inner", "worker"]);
    assert_eq!(echoes[1].error().to_string(), "3 records lost");
    assert!(echoes[1].task().is_some() && echoes[1].nursery() != echoes[0].nursery());
    assert_eq!(echoes[1].location().file(), file!());
    let text = report.to_string();
    assert!(text.contains("2 ended with an error after the cancel"), "{text}");
    assert!(text.contains("`worker` ended after the cancel with an error"), "{text}");
    assert!(format!("{report:?}").contains("3 records lost"));
}

#[test]
fn f23_a_nursery_that_ends_for_a_failure_around_it_says_so() {
    let run = nursery().on(pool()).policy(Policy::WaitAll).run(async |n: Nursery<String>| {
        let child = n.task("a").fork::<u32, _>(async {
            yield_now().await;
            Err("bad".to_string())
        });
        let task = child.id();
        let inside = nursery().policy(Policy::WaitAll);
        let inside = inside.run(async |_: Nursery<String>| Ok(child.value().await)).await;
        let error = inside.expect_err("its body has no value");
        let Cause::Cancelled(reason) = error.first().cause() else { panic!("{error:?}") };
        assert_eq!((reason.kind(), reason.by()), (ReasonKind::ChildFailed, task));
        Ok(())
    });
    assert_eq!(block_on(run).unwrap_err().failures().len(), 1);
}

/// A thread that only looks at a token acts on its cancel before the tokens below have risen: what
/// follows is seen by a child whose nursery knows nothing yet.
#[test]
fn f22_a_cancel_of_a_token_above() {
    let pool = pool();
    for _ in 0..200 {
        let operator = CancelToken::new();
        let token = (0..50).fold(operator.child(), |token, _| token.child());
        let (sender, mut receiver) = tokio::sync::mpsc::channel::<u32>(1);
        let looks = operator.clone();
        let thread = std::thread::spawn(move || {
            while !looks.is_cancelled() {
                std::hint::spin_loop();
            }
            drop(sender);
        });
        let run = nursery().on(pool).token(&token).run(async |n: Nursery<String>| {
            n.spawn(async move {
                while receiver.recv().await.is_some() {}
                Err("the source has ended early".to_string())
            });
            begun(&n).await;
            operator.cancel();
            Ok(())
        });
        assert_eq!(block_on(run).map_err(|error| error.to_string()), Ok(()));
        thread.join().unwrap();
    }
}
