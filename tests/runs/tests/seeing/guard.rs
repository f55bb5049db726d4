//! A guard: what would hang fails, with names; what goes on does not; what is left over fails the test.

use allhome::error::{Cause, Deadlock};
use allhome::runtime::{Smol, ThreadPool, Tokio};
use allhome::see::guard;
use allhome::{Child, GroupError, Nursery, Policy, Semaphore, block_on, nursery, sleep};
use allhome_runs::within;
use futures_channel::oneshot;
use std::convert::Infallible;
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use std::time::Duration;

type Never = Nursery<Infallible>;
type Ended = Result<(), GroupError<Infallible>>;

/// So long that a test which waits for it is ended first.
const LONG: Duration = Duration::from_secs(3_600);

fn deadlock(ended: &Ended) -> &Deadlock {
    let error = ended.as_ref().expect_err("it would hang");
    let Cause::Deadlock(deadlock) = error.first().cause() else { panic!("{error:?}") };
    deadlock
}

fn on_each_runtime(test: impl Fn(&dyn Fn(&str) -> allhome::Builder, &dyn Fn(Run) -> Ended)) {
    let pool = |name: &str| nursery().name(name).on(ThreadPool::global());
    test(&pool, &|run| block_on(run));
    let smol = |name: &str| nursery().name(name).on(Smol);
    test(&smol, &|run| block_on(run));
    let tokio = |name: &str| nursery().name(name).on(Tokio);
    for threads in [1, 2] {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let multi = builder.worker_threads(threads).enable_time().build().unwrap();
        test(&tokio, &|run| multi.block_on(run));
    }
    let current = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    test(&tokio, &|run| current.block_on(run));
}

type Run = std::pin::Pin<Box<dyn Future<Output = Ended>>>;

/// Patience does not come in: nothing has a handle, so each is certain.
#[test]
fn u27_what_would_hang_fails_with_names() {
    within(|| {
        on_each_runtime(|builder, block| {
            let _guard = guard().patience(LONG);
            let lost = builder("lost").run(async |n: Never| {
                n.task("lost").go(pending());
                Ok(())
            });
            let ended = block(Box::pin(lost));
            assert_eq!(deadlock(&ended).tasks().len(), 1);
            let text = ended.unwrap_err().to_string();
            assert!(
                text.starts_with("nursery `lost`: deadlock: 1 task waits, and nothing"),
                "{text}"
            );
            assert!(text.contains("`lost` waiting, with no waker left"), "{text}");

            let nested = builder("nested").run(async |n: Never| {
                n.task("runs").go(async {
                    let inner = nursery().run(async |n: Never| {
                        let lost = n.task("lost").fork(pending::<Result<(), Infallible>>());
                        n.task("joins").go(async move { drop(lost.await) });
                        Ok(())
                    });
                    drop(inner.await);
                });
                Ok(())
            });
            let ended = block(Box::pin(nested));
            assert_eq!(deadlock(&ended).tasks().len(), 3, "{ended:?}");

            let ring = builder("ring").run(async |n: Never| {
                let (tell_left, told_left) = oneshot::channel::<Child<(), Infallible>>();
                let (tell_right, told_right) = oneshot::channel::<Child<(), Infallible>>();
                let part = async |told: oneshot::Receiver<Child<(), Infallible>>| {
                    // Woken often: it would be bound if it were not guarded.
                    for _ in 0..40 {
                        allhome::yield_now().await;
                    }
                    drop(told.await.expect("it is sent").await);
                    Ok(())
                };
                let (left, right) = (n.fork(part(told_left)), n.fork(part(told_right)));
                drop((tell_left.send(right), tell_right.send(left)));
                Ok(())
            });
            let ended = block(Box::pin(ring));
            assert_eq!(deadlock(&ended).tasks().len(), 2);
            let text = ended.unwrap_err().to_string();
            assert!(text.contains("each of these needs the next, so none can go on"), "{text}");
        });
    });
}

/// The handle is with the body, or with a task; the permit with one that waits.
#[test]
fn u27_what_may_still_be_cancelled_is_given_time() {
    within(|| {
        let patience = || guard().patience(Duration::from_millis(1));
        on_each_runtime(|builder, block| {
            let _guard = patience();
            let body = builder("body").run(async |_n: Never| {
                pending::<()>().await;
                Ok(())
            });
            let ended = block(Box::pin(body));
            assert!(deadlock(&ended).tasks().is_empty());
            let text = ended.unwrap_err().to_string();
            assert!(text.contains("deadlock: the body waits, and nothing"), "{text}");

            let joins = builder("joins").run(async |n: Never| {
                let lost = n.fork(pending::<Result<(), Infallible>>());
                drop(lost.await);
                Ok(())
            });
            assert_eq!(deadlock(&block(Box::pin(joins))).tasks().len(), 1);

            let handle = builder("handle").run(async |n: Never| {
                let own = n.clone();
                n.go(async move {
                    pending::<()>().await;
                    drop(own);
                });
                Ok(())
            });
            assert_eq!(deadlock(&block(Box::pin(handle))).tasks().len(), 1);

            let permit = builder("permit").run(async |n: Never| {
                let db = Arc::new(Semaphore::new(1).named("db"));
                n.task("request").go(async move {
                    let _held = db.acquire().await;
                    let inner = nursery().run(async |n: Never| {
                        let db = db.clone();
                        n.task("query").go(async move { drop(db.acquire().await) });
                        Ok(())
                    });
                    drop(inner.await);
                });
                Ok(())
            });
            let ended = block(Box::pin(permit));
            assert_eq!(deadlock(&ended).tasks().len(), 2);
            let text = ended.unwrap_err().to_string();
            assert!(text.contains("needs a permit that task"), "{text}");
        });
    });
}

/// What is woken from outside, has a time, a token, a condition, or a body that goes on.
#[test]
fn u27_what_has_another_way_out_does_not_fail() {
    within(|| {
        let _guard = guard().patience(Duration::ZERO);
        let looks = looks_of_the_guard;
        let (tell, told) = oneshot::channel::<()>();
        let outside = std::thread::spawn(move || {
            looks();
            tell.send(())
        });
        let run = nursery().run(async |n: Never| {
            n.go(async { assert!(told.await.is_ok()) });
            Ok(())
        });
        assert!(block_on(run).is_ok());
        assert!(outside.join().unwrap().is_ok());

        let run = nursery().run(async |n: Never| {
            n.go(sleep(Duration::from_millis(60)));
            Ok(())
        });
        assert!(block_on(run).is_ok());

        let run = nursery().deadline(Duration::from_millis(60));
        let run = run.run(async |n: Never| {
            n.go(pending());
            Ok(())
        });
        assert!(block_on(run).is_ok_and(|()| true), "its body has returned");

        let token = allhome::CancelToken::new();
        let cancels = token.clone();
        let outside = std::thread::spawn(move || {
            looks();
            cancels.cancel();
        });
        let run = nursery().token(&token);
        let run = run.run(async |n: Never| {
            n.go(pending());
            Ok(())
        });
        assert!(block_on(run).is_ok());
        outside.join().unwrap();

        let run = nursery().cancel_when(sleep(Duration::from_millis(60)));
        let run = run.run(async |n: Never| {
            n.go(pending());
            Ok(())
        });
        assert!(block_on(run).is_ok());

        let scoped = async {
            let run = nursery().run(async |n: Never| {
                n.go(pending());
                Ok(())
            });
            allhome::move_on_after(Duration::from_millis(60), run).await
        };
        assert!(block_on(scoped).is_none_or(|ended| ended.is_ok()));
    });
}

/// A handle that is kept outside may cancel it, however long it waits.
#[test]
fn u27_a_handle_outside_is_a_way_out() {
    within(|| {
        let _guard = guard().patience(LONG);
        let (give, given) = std::sync::mpsc::channel();
        let outside = std::thread::spawn(move || {
            let handle: Never = given.recv().unwrap();
            looks_of_the_guard();
            handle.cancel();
        });
        let run = nursery().run(async |n: Never| {
            n.go(pending());
            assert!(give.send(n).is_ok());
            Ok(())
        });
        assert!(block_on(run).is_ok());
        outside.join().unwrap();
    });
}

/// Its last waker is gone, and it is not polled yet: it goes on, though it has no waker.
#[test]
fn u27_a_body_that_was_woken_goes_on() {
    within(|| {
        let _guard = guard().patience(Duration::ZERO);
        let (tell, told) = oneshot::channel();
        let mut run = Box::pin(nursery().run(async |_n: Never| Ok(told.await.is_ok())));
        let mut poll = || block_on(poll_fn(|cx| Poll::Ready(run.as_mut().poll(cx))));
        assert!(poll().is_pending());
        tell.send(()).unwrap();
        looks_of_the_guard();
        assert!(matches!(poll(), Poll::Ready(Ok(true))));
    });
}

/// Waits until the guard has looked several times: a nursery that hangs is found in one or two.
fn looks_of_the_guard() {
    for _ in 0..3 {
        let _guard = guard();
        let run = nursery().run(async |n: Never| {
            n.go(pending());
            Ok(())
        });
        assert!(block_on(run).is_err());
    }
}

/// Whatever the policy, and with a failure that is told.
#[test]
fn u27_it_is_a_failure_and_cancels() {
    within(|| {
        let _guard = guard();
        for policy in [Policy::FailFast, Policy::WaitAll, Policy::Isolate, Policy::Supervise] {
            let told = Arc::new(AtomicU32::new(0));
            let tell = told.clone();
            let builder = nursery().policy(policy).on_failure(move |failure| {
                assert!(failure.to_string().starts_with("deadlock: "), "{failure}");
                tell.fetch_add(1, Ordering::Relaxed);
            });
            let run = builder.run(async |n: Never| {
                n.go(pending());
                Ok(())
            });
            let ended = block_on(run);
            assert_eq!(deadlock(&ended).tasks().len(), 1, "{policy:?}");
            let error = ended.unwrap_err();
            assert_eq!(error.failures().len(), 1, "{error:?}");
            assert_eq!(told.load(Ordering::Relaxed), 1, "{policy:?}");
        }
    });
}

#[test]
fn u27_by_the_builder_and_on_another_thread() {
    within(|| {
        let hangs = || {
            nursery().guarded().run(async |n: Never| {
                n.go(pending());
                Ok(())
            })
        };
        assert_eq!(deadlock(&block_on(hangs())).tasks().len(), 1);
        let other = std::thread::spawn(move || {
            let run = nursery().guarded().run(async |n: Never| {
                n.go(pending());
                Ok(())
            });
            deadlock(&block_on(run)).tasks().len()
        });
        assert_eq!(other.join().unwrap(), 1);
    });
}

/// Polls a nursery once and leaves it.
fn left_open() -> Run {
    let mut run: Run = Box::pin(nursery().name("left").run(async |n: Never| {
        n.task("over").go(sleep(LONG));
        Ok(())
    }));
    block_on(poll_fn(|cx| {
        assert!(run.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    }));
    run
}

#[test]
fn u28_what_is_left_over_fails_the_test() {
    within(|| {
        let outer = guard();
        let inner = guard();
        let left = left_open();
        let panic = catch_unwind(AssertUnwindSafe(|| drop(inner))).unwrap_err();
        let text = panic.downcast_ref::<String>().expect("a text");
        assert!(text.starts_with("nurseries of this test are still open: 1 task"), "{text}");
        assert!(text.contains("`over`"), "{text}");
        drop(left);
        // The one around is about those that were opened in its time.
        let run = nursery().run(async |n: Never| {
            n.go(async {});
            Ok(())
        });
        assert!(block_on(run).is_ok());
        drop(outer);
    });
}

#[test]
fn u28_parallel_tests_are_apart() {
    within(|| {
        let guard = guard();
        let other = std::thread::spawn(left_open_is_send);
        let left = other.join().unwrap();
        drop(guard);
        drop(left);
    });
}

/// Opens one on a thread that has no guard.
fn left_open_is_send() -> impl Send {
    let mut run = Box::pin(nursery().run(async |n: Never| {
        n.go(sleep(LONG));
        Ok(())
    }));
    block_on(poll_fn(|cx| {
        assert!(run.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    }));
    run
}

/// In a panic the guard adds no second one.
#[test]
fn u28_in_a_panic_it_prints() {
    within(|| {
        let mut left = None;
        let panic = catch_unwind(AssertUnwindSafe(|| {
            let _guard = guard();
            left = Some(left_open());
            panic!("the test's own");
        }));
        assert!(left.is_some());
        let panic = panic.unwrap_err();
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"the test's own"));
    });
}
