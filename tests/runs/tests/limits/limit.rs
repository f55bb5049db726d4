//! A semaphore in the tasks of a nursery.

use allhome::limit::AcquireError;
use allhome::runtime::ThreadPool;
use allhome::task::task_id;
use allhome::{Nursery, Semaphore, block_on, nursery};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

#[test]
fn s18_holders_are_tasks() {
    let semaphore = Semaphore::new(1).named("db").time_holders(true);
    let shared = Arc::new(semaphore);
    let run = nursery().on(ThreadPool::global()).run(async |n: Nursery<AcquireError>| {
        let outside = shared.try_acquire().expect("no other task holds it");
        assert!(shared.holders()[0].task().is_none(), "the body is no task");
        let semaphore = shared.clone();
        let child = n.fork(async move {
            let _permit = semaphore.acquire().await?;
            let holders = semaphore.holders();
            assert_eq!((holders.len(), holders[0].task()), (1, task_id()));
            assert!(holders[0].to_string().starts_with("task "));
            Ok(task_id())
        });
        while shared.waiters() == 0 {
            allhome::yield_now().await;
        }
        let waits = shared.holders().into_iter().find(|info| info.is_waiting());
        drop(outside);
        let id = child.await.expect("it does not fail");
        assert_eq!(waits.expect("it waits").task(), id);
        Ok(())
    });
    block_on(run).unwrap();
}

/// Cancelling a task drops its acquire: what it had comes back.
#[test]
fn s07_cancelled_tasks_give_back() {
    let semaphore = Arc::new(Semaphore::new(2));
    let inside = Arc::new(AtomicUsize::new(0));
    let (shared, count) = (semaphore.clone(), inside.clone());
    let run = nursery().on(ThreadPool::global()).run(async move |n: Nursery<AcquireError>| {
        for _ in 0..50 {
            let (semaphore, inside) = (shared.clone(), count.clone());
            n.spawn(async move {
                let _permit = semaphore.acquire().await?;
                inside.fetch_add(1, SeqCst);
                std::future::pending::<()>().await;
                Ok(())
            });
        }
        while count.load(SeqCst) < 2 || shared.waiters() < 48 {
            allhome::yield_now().await;
        }
        n.cancel();
        Ok(())
    });
    block_on(run).unwrap();
    assert!(inside.load(SeqCst) >= 2);
    assert_eq!((semaphore.available(), semaphore.waiters()), (2, 0));
}
