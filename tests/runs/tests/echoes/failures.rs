//! What stays a failure, also after a cancel, and in every schedule.

use crate::{begun, programs};
use allhome::error::{FailureInfo, PanicPolicy};
use allhome::runtime::Runtime;
use allhome::{
    BoxError, CancelToken, GroupError, Nursery, Policy, Reason, Semaphore, cancelled, checkpoint,
    move_on_after, nursery, shield, yield_now,
};
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

programs! {
    body_cancels_and_fails(on) -> "the body failed: giving up" {
        nursery().on(on).run(async |n: Nursery<String>| {
            n.spawn(pending());
            n.cancel();
            Err::<(), _>("giving up".to_string())
        })
    }
    body_is_cancelled_and_fails(on) -> "the body failed: giving up" {
        let token = CancelToken::new();
        nursery().on(on).token(&token).run(async move |n: Nursery<String>| {
            n.spawn(pending());
            token.cancel();
            Err::<(), _>("giving up".to_string())
        })
    }
    child_cancels_and_fails(on) -> "task `fatal` failed: disk full" {
        nursery().on(on).run(async |n: Nursery<String>| {
            let own = n.clone();
            n.task("fatal").spawn(async move {
                own.cancel();
                Err("disk full".to_string())
            });
            pending::<Result<(), _>>().await
        })
    }
    child_cancels_with_a_reason_and_fails(on) -> "task `fatal` failed: disk full" {
        nursery().on(on).policy(Policy::WaitAll).run(async |n: Nursery<String>| {
            let own = n.clone();
            n.task("fatal").spawn(async move {
                yield_now().await;
                own.cancel_with(Reason::new("fatal"));
                Err("disk full".to_string())
            });
            n.spawn(async {
                cancelled().await;
                Err("stopped".to_string())
            });
            pending::<Result<(), _>>().await
        })
    }
    child_cancels_by_a_token_and_fails(on) -> "task `fatal` failed: disk full" {
        nursery().on(on).run(async |n: Nursery<String>| {
            let token = n.token();
            n.task("fatal").spawn(async move {
                token.cancel();
                Err("disk full".to_string())
            });
            pending::<Result<(), _>>().await
        })
    }
    child_cancels_in_a_nursery_inside_and_fails(on) -> "task `fatal` failed: disk full" {
        nursery().on(on).run(async |n: Nursery<String>| {
            let own = n.clone();
            n.task("fatal").spawn(async move {
                // The body is a part of the task.
                let inside = nursery().run(async |_: Nursery<String>| Ok(own.cancel())).await;
                assert!(inside.is_ok());
                Err("disk full".to_string())
            });
            pending::<Result<(), _>>().await
        })
    }
    child_cancels_itself_and_fails(on) -> "task `alone` failed: disk full" {
        nursery().on(on).policy(Policy::WaitAll).run(async |n: Nursery<String>| {
            for reason in [None, Some(Reason::new("by another"))] {
                let (sender, receiver) = tokio::sync::oneshot::channel::<allhome::Child<(), _>>();
                let name = if reason.is_none() { "alone" } else { "other" };
                let child = n.task(name).fork(async move {
                    let own = receiver.await.map_err(|error| error.to_string())?;
                    match reason {
                        None => own.cancel(),
                        Some(reason) => own.cancel_with(reason),
                    };
                    Err("disk full".to_string())
                });
                assert!(sender.send(child).is_ok());
            }
            Ok(())
        })
    }
    finalizer_after_a_cancel(on) -> "a finalizer failed: not flushed" {
        nursery().on(on).run(async |n: Nursery<String>| {
            n.defer(LONG, async {
                yield_now().await;
                Err("not flushed".to_string())
            });
            n.cancel();
            Ok(())
        })
    }
    panic_after_a_cancel(on) -> "task `p` panicked: a bug" {
        nursery().on(on).panics(PanicPolicy::Report).grace(LONG).run(async |n: Nursery<String>| {
            n.task("p").spawn(async {
                cancelled().await;
                yield_now().await;
                std::panic::resume_unwind(Box::new("a bug"))
            });
            begun(&n).await;
            n.cancel();
            Ok(())
        })
    }
    reported_after_a_cancel(on) -> "task `writer` failed: 3 records lost" {
        nursery().on(on).run(async |n: Nursery<String>| {
            let own = n.clone();
            n.task("writer").spawn(async move {
                let why = cancelled().await;
                assert!(own.fail("3 records lost".to_string()));
                Err(why.to_string())
            });
            begun(&n).await;
            n.cancel();
            Ok(())
        })
    }
    joiner_of_one_that_was_cancelled_alone(on) -> "the body failed: task `part` was cancelled: cancel requested" {
        nursery().on(on).run(async |n: Nursery<String>| {
            let part = n.task("part").fork(pending::<Result<u32, _>>());
            part.cancel();
            part.await.map_err(|error| error.to_string())
        })
    }
    joiner_in_a_shield(on) -> r#""task `j` failed: task `part` was cancelled: cancel requested""# {
        nursery().on(on).run(async |n: Nursery<String>| {
            let part = n.task("part").fork(pending::<Result<u32, String>>());
            let (sender, result) = tokio::sync::oneshot::channel();
            n.spawn(async move {
                let inside = nursery().run(async |m: Nursery<String>| {
                    m.task("j").spawn(async move {
                        part.await.map(drop).map_err(|error| error.to_string())
                    });
                    Ok(())
                });
                let inside = shield(LONG, inside).await;
                drop(sender.send(crate::text(inside)));
                Ok(())
            });
            begun(&n).await;
            n.cancel();
            let _ = allhome::shield(LONG, async {}).await;
            let waits = shield(LONG, result).await;
            waits.map_err(|error| error.to_string())
        })
    }
    channel_of_one_that_failed(on) -> "task `source` failed: no such file; task `sink` failed: too early" {
        nursery().on(on).policy(Policy::WaitAll).run(async |n: Nursery<String>| {
            let (sender, mut receiver) = tokio::sync::mpsc::channel::<u32>(1);
            let source = n.task("source").fork::<(), _>(async move {
                let _sender = sender;
                yield_now().await;
                Err("no such file".to_string())
            });
            let watch = n.clone();
            n.task("sink").spawn(async move {
                while receiver.recv().await.is_some() {}
                // So that the two are listed in one order.
                while watch.len() > 1 {
                    yield_now().await;
                }
                Err("too early".to_string())
            });
            drop(source);
            Ok(())
        })
    }
    while_it_drains(on) -> "task `t` failed: real" {
        nursery().on(on).run(async |n: Nursery<String>| {
            n.task("t").spawn(async {
                allhome::draining().await;
                Err("real".to_string())
            });
            begun(&n).await;
            n.close();
            pending::<Result<(), _>>().await
        })
    }
    end_of_a_scope(on) -> "task `t` failed: no permit" {
        nursery().on(on).run(async |n: Nursery| {
            n.task("t").spawn(async {
                let semaphore = Semaphore::new(0);
                let _ = move_on_after(Duration::ZERO, semaphore.acquire()).await;
                Err::<(), BoxError>("no permit".into())
            });
            pending::<Result<(), _>>().await
        })
    }
    server_that_isolates(on) -> "task `connection 1` failed: reset by peer; task `connection 2` panicked: a bug" {
        serve(on, Policy::Isolate)
    }
    server_that_supervises(on) -> r#""4 connections served""# {
        serve(on, Policy::Supervise)
    }
    told_in_an_earlier_poll(on) -> "task `k` failed: known; task `t` failed: real" {
        nursery().on(on).policy(Policy::WaitAll).run(async |n: Nursery<String>| {
            let known = n.task("k").fork(async { Err::<(), _>("known".to_string()) });
            let all = n.clone();
            n.task("t").spawn(async move {
                assert!(known.await.is_err());
                while all.len() > 1 {
                    yield_now().await;
                }
                assert!(checkpoint().await.is_ok());
                Err("real".to_string())
            });
            Ok(())
        })
    }
}

/// A server of four connections, of which one fails and one panics; what it serves, it returns.
async fn serve(on: Runtime, policy: Policy) -> Result<&'static str, GroupError<String>> {
    let server = nursery().on(on).policy(policy).panics(PanicPolicy::Report);
    let told = Arc::new(AtomicUsize::new(0));
    let count = told.clone();
    let hook = move |_: &FailureInfo<'_>| _ = count.fetch_add(1, Ordering::SeqCst);
    let run = server.on_failure(hook).run(async |n: Nursery<String>| {
        for i in 0..4 {
            // One after the other has its error, so that the two are listed in one order.
            let all = n.clone();
            n.task(format!("connection {i}")).spawn(async move {
                match i {
                    1 => Err("reset by peer".to_string()),
                    2 => {
                        while all.tree().nurseries()[0]
                            .tasks
                            .iter()
                            .any(|task| task.name.as_deref() == Some("connection 1"))
                        {
                            yield_now().await;
                        }
                        std::panic::resume_unwind(Box::new("a bug"))
                    }
                    _ => Ok(()),
                }
            });
        }
        while !n.is_empty() {
            yield_now().await;
        }
        assert_eq!(told.load(Ordering::SeqCst), 2, "told before the end");
        Ok("4 connections served")
    });
    run.await
}
