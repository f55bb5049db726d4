//! A task that needs the value of a child that has none.

use crate::{begun, programs};
use allhome::error::PanicPolicy;
use allhome::{Child, Nursery, Policy, block_on, nursery, yield_now};
use std::future::pending;
use std::time::Duration;

async fn bad() -> Result<u32, String> {
    yield_now().await;
    Err("bad".to_string())
}

/// Needs the value, and says so by its type.
async fn user(child: Child<u32, String>) -> Result<u32, String> {
    Ok(child.value().await)
}

programs! {
    there(on) -> "3" {
        nursery().on(on).run(async |n: Nursery<String>| {
            let child = n.fork(async { Ok(1) });
            let child = n.fork(async move { Ok(child.value().await + 1) });
            Ok(child.value().await + 1)
        })
    }
    of_a_panic(on) -> "task `p` panicked: a bug" {
        nursery().on(on).panics(PanicPolicy::Report).run(async |n: Nursery<String>| {
            let child = n.task("p").fork::<u32, _>(async {
                yield_now().await;
                std::panic::resume_unwind(Box::new("a bug"))
            });
            Ok(child.value().await)
        })
    }
    siblings_go_on(on) -> "task `a` failed: bad" {
        nursery().on(on).policy(Policy::WaitAll).run(async |n: Nursery<String>| {
            let child = n.task("a").fork(bad());
            n.spawn(async move { user(child).await.map(drop) });
            let other = n.fork(async {
                yield_now().await;
                Ok(())
            });
            assert!(other.await.is_ok());
            Ok(())
        })
    }
    isolated_in_the_body(on) -> "task `a` failed: bad" {
        nursery().on(on).policy(Policy::Isolate).run(async |n: Nursery<String>| {
            let child = n.task("a").fork(bad());
            n.spawn(pending());
            Ok(child.value().await)
        })
    }
    isolated_in_a_child(on) -> "task `a` failed: bad" {
        nursery().on(on).policy(Policy::Isolate).run(async |n: Nursery<String>| {
            let child = n.task("a").fork(bad());
            let joiner = n.fork(user(child));
            let error = joiner.await.expect_err("it has no value");
            assert!(error.reason().is_some(), "it ends as cancelled");
            Ok(())
        })
    }
    isolated_with_question_mark(on) -> "task `b` failed: task `a` failed: bad" {
        nursery().on(on).policy(Policy::Isolate).run(async |n: Nursery<String>| {
            let child = n.task("a").fork(bad());
            n.task("b").spawn(async {
                child.await.map(drop).map_err(|error| error.to_string())
            });
            Ok(())
        })
    }
    of_a_nursery_elsewhere(on) -> "the body needed a value, but task `x` failed: bad" {
        nursery().on(on).run(async |n: Nursery<String>| {
            let (sender, receiver) = tokio::sync::oneshot::channel();
            n.spawn(async {
                let inside = nursery().policy(Policy::WaitAll).run(async |m: Nursery<String>| {
                    drop(sender.send(m.task("x").fork(bad())));
                    Ok(())
                });
                assert!(inside.await.is_err());
                Ok(())
            });
            let child = receiver.await.map_err(|error| error.to_string())?;
            user(child).await
        })
    }
    of_one_that_was_cancelled_alone(on) -> "the body needed a value, but task `a` was cancelled: cancel requested" {
        nursery().on(on).run(async |n: Nursery<String>| {
            let child = n.task("a").fork(pending::<Result<u32, String>>());
            child.cancel();
            user(child).await
        })
    }
    of_one_that_was_cancelled_alone_in_a_child(on) -> "task `b` needed a value, but task `a` was cancelled: cancel requested" {
        nursery().on(on).run(async |n: Nursery<String>| {
            let child = n.task("a").fork(pending::<Result<u32, String>>());
            child.cancel();
            let joiner = n.task("b").fork(user(child));
            // That failure is reported, once.
            let last = n.fork(user(joiner));
            user(last).await
        })
    }
    of_one_that_was_refused(on) -> "the body needed a value, but the child was refused: the nursery takes no more children: nursery `n`" {
        nursery().on(on).name("n").run(async |n: Nursery<String>| {
            n.close();
            user(n.fork(async { Ok(1) })).await
        })
    }
    the_whole_task_ends(on) -> "task `a` failed: bad" {
        nursery().on(on).policy(Policy::WaitAll).run(async |n: Nursery<String>| {
            let child = n.task("a").fork(bad());
            let joiner = n.fork::<(), _>(async {
                let needs = std::pin::pin!(child.value());
                futures_util::future::select(needs, pending::<()>()).await;
                unreachable!("it is not only the branch that ends")
            });
            assert!(joiner.await.is_err());
            Ok(())
        })
    }
    in_a_finalizer(on) -> "task `a` failed: bad; a finalizer needed a value, but task `a` failed: bad" {
        nursery().on(on).policy(Policy::WaitAll).run(async |n: Nursery<String>| {
            let child = n.task("a").fork(bad());
            n.defer(Duration::from_secs(60), async { user(child).await.map(drop) });
            Ok(())
        })
    }
    of_a_cancelled_nursery(on) -> r#""stopped""# {
        nursery().on(on).run(async |n: Nursery<String>| {
            let child = n.fork(pending::<Result<u32, String>>());
            let joiner = n.fork(user(child));
            n.spawn(async { user(joiner).await.map(drop) });
            begun(&n).await;
            n.cancel();
            Ok("stopped")
        })
    }
}

#[test]
fn f28_outside_of_any_nursery_it_panics() {
    let pool = allhome::runtime::ThreadPool::new(1).unwrap();
    let forked = |cancels: bool| {
        let run = nursery().on(&pool).run(async |n: Nursery<String>| {
            let wait = if cancels { Duration::MAX } else { Duration::ZERO };
            let child = n.task("a").fork(async move {
                let _ = allhome::sleep(wait).await;
                Ok(())
            });
            if cancels {
                child.cancel();
            }
            Ok(child)
        });
        block_on(run).unwrap()
    };
    block_on(forked(false).value());
    let child = forked(true);
    let end = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| block_on(child.value())));
    let payload = end.expect_err("there is no task to end");
    let text = payload.downcast_ref::<String>().unwrap();
    assert!(text.contains("no task to end") && text.contains("task `a` was cancelled"), "{text}");
}

#[test]
fn f28_blocking_work_gets_the_reason() {
    let pool = allhome::runtime::ThreadPool::new(2).unwrap();
    for alone in [false, true] {
        let run = nursery().on(&pool).policy(Policy::WaitAll).run(async |n: Nursery<String>| {
            let child = match alone {
                true => n.task("a").fork(pending()),
                false => n.task("a").fork(bad()),
            };
            if alone {
                child.cancel();
            }
            let work = n.task("b").blocking(move |cx| {
                let reason = cx.block_on(child.value()).expect_err("there is no value");
                assert!(cx.check().is_ok());
                Err::<(), _>(format!("by itself, for {}", reason.message().is_empty()))
            });
            drop(work);
            Ok(())
        });
        let error = block_on(run).unwrap_err();
        // It was told before, and has asked again since: what it ends with is its own.
        assert!(error.failures().any(|failure| failure.name() == Some("b")), "{error}");
        assert_eq!(error.failures().len(), if alone { 1 } else { 2 }, "{error}");
        let run = nursery().on(&pool).policy(Policy::WaitAll).run(async |n: Nursery<String>| {
            let child = n.task("a").fork(bad());
            let work = n.blocking(move |cx| {
                cx.block_on(child.value()).map(drop).map_err(|reason| reason.to_string())
            });
            drop(work);
            Ok(())
        });
        let error = block_on(run).unwrap_err();
        assert_eq!((error.failures().len(), error.echoes().len()), (1, 1), "{error:?}");
    }
}
