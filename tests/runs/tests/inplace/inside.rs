//! What is opened inside a child: nurseries, scopes, recursion.

use super::{Count, drive, for_ever, poll};
use allhome::cancel::cancelled;
use allhome::in_place::LocalScope;
use allhome::limit::AcquireError;
use allhome::runtime::LocalExecutor;
use allhome::{Nursery, Reason, Scope, Semaphore, nursery, scope};
use allhome_conformance::Gate;
use allhome_runs::Wakes;
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn i17_a_nursery_in_a_child_goes_with_it() {
    let local = LocalExecutor::new();
    let (home, kept) = (Arc::new(AtomicUsize::new(0)), Gate::new());
    let (started, seen) = (Gate::new(), Gate::new());
    let joined = local.run(scope().local().run(async |s: LocalScope<'_, Infallible>| {
        let child = s.fork(async {
            let (home, kept) = (home.clone(), kept.clone());
            let (started, seen) = (started.clone(), seen.clone());
            let run = nursery().on(&local).run(async |n: Nursery<Infallible>| {
                n.spawn(async move {
                    started.open();
                    let why = cancelled().await;
                    assert_eq!(why.message(), "enough");
                    allhome::shield(std::time::Duration::MAX, async move {
                        seen.open();
                        kept.wait().await;
                        home.fetch_add(1, Ordering::SeqCst);
                    })
                    .await;
                    Ok(())
                });
                for_ever().await
            });
            let ended: Result<(), _> = run.await;
            assert!(ended.is_err_and(|error| error.is_cancel()));
            Ok(())
        });
        started.wait().await;
        child.cancel_with(Reason::new("enough"));
        seen.wait().await;
        assert!(!child.is_ended(), "the nursery inside is not home");
        kept.open();
        // It sees how the nursery ended: a value that is ready in the last poll.
        child.await.unwrap();
        Ok(home.load(Ordering::SeqCst))
    }));
    assert_eq!(joined.unwrap(), 1);
}

#[test]
fn i17_a_scope_in_a_child_borrows_its_locals() {
    let words = "one two three".to_string();
    let sum = drive(scope().run(async |s: Scope<'_>| {
        let all = s.fork(async {
            let own: Vec<&str> = words.split(' ').collect();
            let lengths = scope().run(async |s: Scope<'_>| {
                let each: Vec<_> =
                    own.iter().map(|word| s.fork(async { Ok(word.len()) })).collect();
                let mut sum = 0;
                for one in each {
                    sum += one.await?;
                }
                Ok(sum)
            });
            Ok(lengths.await?)
        });
        Ok(all.await?)
    }));
    assert_eq!(sum.unwrap(), 11);
}

#[test]
fn i17_a_scope_in_a_scope_that_is_dropped() {
    let gone = Count::default();
    let wakes = Wakes::new();
    let mut run = Box::pin(scope().local().run(async |s: LocalScope<'_, Infallible>| {
        s.spawn(async {
            let own = gone.on_drop();
            scope()
                .local()
                .run(async |s: LocalScope<'_, Infallible>| {
                    s.go(async {
                        let _own = &own;
                        let _gone = gone.on_drop();
                        for_ever().await
                    });
                    for_ever().await
                })
                .await
                .map_err(|_| unreachable!())
        });
        for_ever::<Result<(), _>>().await
    }));
    assert!(poll(&mut run, &wakes).is_pending());
    drop(run);
    assert_eq!(gone.get(), 2);
}

/// With no nursery around: no task is known, and so no waker of one.
#[test]
fn c16_in_a_part_of_a_child_in_place() {
    let started = Gate::new();
    let said = drive(scope().run(async |s: Scope<'_>| {
        let child = s.fork(async {
            started.open();
            let mut parts: FuturesUnordered<_> = [cancelled()].into_iter().collect();
            let reason = parts.next().await.expect("there is a part");
            Ok(reason.message().to_string())
        });
        started.wait().await;
        child.cancel_with(Reason::new("enough"));
        Ok(child.await?)
    }));
    assert_eq!(said.unwrap(), "enough");
}

#[test]
fn s24_in_a_part_of_a_child_in_place() {
    let (started, semaphore) = (Gate::new(), Semaphore::new(1));
    let _held = semaphore.try_acquire().unwrap();
    let said = drive(scope().run(async |s: Scope<'_>| {
        let child = s.fork(async {
            started.open();
            let mut parts: FuturesUnordered<_> = [semaphore.acquire()].into_iter().collect();
            let acquired = parts.next().await.expect("there is a part");
            Ok(matches!(acquired, Err(AcquireError::Cancelled(_))))
        });
        started.wait().await;
        child.cancel_with(Reason::new("enough"));
        Ok(child.await?)
    }));
    assert!(said.unwrap(), "it has left");
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

fn sum(numbers: &[u64]) -> Boxed<'_, u64> {
    Box::pin(async move {
        let [first, rest @ ..] = numbers else { return 0 };
        if rest.is_empty() {
            return *first;
        }
        let (left, right) = numbers.split_at(numbers.len() / 2);
        let run = scope().run(async |s: Scope<'_, Infallible>| {
            let (left, right) =
                (s.fork(async { Ok(sum(left).await) }), s.fork(async { Ok(sum(right).await) }));
            Ok(left.value().await + right.value().await)
        });
        run.await.unwrap()
    })
}

#[test]
fn i26_recursion() {
    let numbers: Vec<u64> = (1..=1_000).collect();
    assert_eq!(drive(sum(&numbers)), 500_500);
    // async-scoped: a deadlock.
    fn deep(left: usize) -> Boxed<'static, usize> {
        Box::pin(async move {
            if left == 0 {
                return 0;
            }
            let run = scope().run(async |s: Scope<'_, Infallible>| {
                Ok(s.fork(async { Ok(deep(left - 1).await + 1) }).value().await)
            });
            run.await.unwrap()
        })
    }
    assert_eq!(drive(deep(50)), 50);
}
