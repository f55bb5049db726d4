//! Futures of 400 KiB, on threads with a stack of 2 MiB, without optimizations: what is moved through
//! more than a few frames does not fit.

use allhome::cancel::{CancelExt, cancellable};
use allhome::runtime::{LocalExecutor, ThreadPool};
use allhome::task::ScopedKey;
use allhome::time::{before_deadline, fail_at, move_on_at, now};
use allhome::{
    CancelToken, Nursery, Simulator, block_on, fail_after, move_on_after, nursery, shield,
    yield_now,
};
use allhome_rt::{LocalTask, Spawn, SpawnLocal, Task};
use std::convert::Infallible;
use std::future::Future;
use std::hint::black_box;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

const SIZE: usize = 400 << 10;
const STACK: usize = 2 << 20;
const LONG: Duration = Duration::from_secs(3_600);

static KEY: ScopedKey<u8> = ScopedKey::new();

/// Keeps so much across an await.
fn big() -> impl Future<Output = Result<(), Infallible>> + Send {
    keeps::<SIZE>()
}

async fn unit() {
    big().await.unwrap();
}

/// Keeps so many bytes across an await.
async fn keeps<const N: usize>() -> Result<(), Infallible> {
    let page = [1_u8; N];
    yield_now().await;
    assert_eq!(black_box(&page)[N / 2], 1);
    Ok(())
}

/// Runs it on a thread with such a stack.
fn fits(call: fn()) {
    thread::Builder::new().stack_size(STACK).spawn(call).unwrap().join().unwrap();
}

/// Runs a body on the pool.
macro_rules! in_body {
    (|$n:ident| $do:expr) => {
        in_body!(|$n| $do, limit usize::MAX)
    };
    (|$n:ident| $do:expr, limit $limit:expr) => {
        fits(|| {
            let builder = nursery().on(ThreadPool::global()).limit($limit);
            block_on(builder.run(async |$n: Nursery<Infallible>| Ok($do))).unwrap()
        })
    };
    (|$n:ident| $do:expr, unlimited) => {
        fits(|| {
            let builder = nursery().on(ThreadPool::global());
            block_on(builder.run(async |$n: Nursery<Infallible>| Ok($do))).unwrap()
        })
    };
}

/// Awaits it in a child.
macro_rules! in_child {
    ($waits:expr) => {
        in_body!(
            |n| n
                .fork(async {
                    let _ended = $waits;
                    Ok(())
                })
                .await
                .unwrap(),
            unlimited
        )
    };
}

macro_rules! cases {
    ($($name:ident: $do:expr;)*) => {
        $(#[test]
        fn $name() {
            $do;
        })*
    };
}

cases! {
    x18_fork: in_body!(|n| n.fork(big()).await.unwrap(), unlimited);
    x18_try_spawn: in_body!(|n| assert!(n.try_spawn(big()).is_ok()), unlimited);
    x18_go: in_body!(|n| drop(n.go(unit())), unlimited);
    x18_named_spawn: in_body!(|n| drop(n.task("big").spawn(big())), unlimited);
    x18_named_fork: in_body!(|n| n.task("big").fork(big()).await.unwrap(), unlimited);
    x18_named_go: in_body!(|n| drop(n.task("big").go(unit())), unlimited);
    x18_named_try_spawn: in_body!(|n| assert!(n.task("big").try_spawn(big()).is_ok()), unlimited);
    x18_spawn_in_a_bounded_nursery: in_body!(|n| drop(n.spawn(big())), limit 1);
    x18_fork_in_a_bounded_nursery: in_body!(|n| n.fork(big()).await.unwrap(), limit 1);
    x18_slot_spawn: in_body!(|n| drop(n.reserve().await.unwrap().spawn(big())), limit 1);
    x18_slot_fork:
        in_body!(|n| n.reserve().await.unwrap().fork(big()).await.unwrap(), limit 1);
    x18_try_spawn_in_a_bounded_nursery: in_body!(|n| assert!(n.try_spawn(big()).is_ok()), limit 1);
    x18_slot_try_spawn:
        in_body!(|n| assert!(n.reserve().await.unwrap().try_spawn(big()).is_ok()), limit 1);
    x18_refused: in_body!(|n| {
        n.close();
        drop(n.try_spawn(big()).unwrap_err().into_future());
    }, unlimited);
    x18_slot_blocking: in_body!(|n| {
        let slot = n.reserve().await.unwrap();
        let page = [1_u8; SIZE];
        let work = slot.blocking(move |_| Ok(black_box(&page)[SIZE / 2]));
        drop(work);
    }, limit 1);
    x18_blocking: in_body!(|n| {
        let page = [1_u8; SIZE];
        let work = n.blocking(move |_| Ok(black_box(&page)[SIZE / 2]));
        drop(work);
    }, unlimited);
    x18_named_blocking: in_body!(|n| {
        let page = [1_u8; SIZE];
        let work = n.task("big").blocking(move |_| Ok(black_box(&page)[SIZE / 2]));
        drop(work);
    }, unlimited);
    x18_block_on_in_blocking_work: in_body!(|n| {
        drop(n.blocking(|cx| Ok(cx.block_on(big()).unwrap())));
    }, unlimited);
    x18_defer: in_body!(|n| assert!(n.defer(LONG, big())), unlimited);
    x18_body: fits(|| {
        block_on(nursery().on(ThreadPool::global()).run(|_: Nursery<Infallible>| big())).unwrap();
    });
    x18_move_on_after: in_child!(move_on_after(LONG, keeps::<SIZE>()).await);
    x18_fail_after: in_child!(fail_after(LONG, keeps::<SIZE>()).await.unwrap().unwrap());
    x18_move_on_after_named: in_child!(move_on_after(LONG, keeps::<SIZE>()).named("big").await);
    x18_fail_after_named:
        in_child!(fail_after(LONG, keeps::<SIZE>()).named("big").await.unwrap().unwrap());
    x18_named_twice: in_child!(
        fail_after(LONG, keeps::<SIZE>()).named("big").named("bigger").await.unwrap().unwrap()
    );
    x18_move_on_at_named: in_child!(move_on_at(now() + LONG, keeps::<SIZE>()).named("big").await);
    x18_fail_at_named:
        in_child!(fail_at(now() + LONG, keeps::<SIZE>()).named("big").await.unwrap().unwrap());
    x18_before_deadline_named:
        in_child!(before_deadline(LONG, keeps::<SIZE>()).named("big").await.unwrap().unwrap());
    x18_scopes_in_scopes: in_child!(
        shield(LONG, cancellable(fail_after(LONG, KEY.scope(1, keeps::<SIZE>())).named("big")))
            .await
            .unwrap()
            .unwrap()
            .unwrap()
    );
    x18_attach: in_body!(|n| n.attach(keeps::<SIZE>()).await.unwrap().unwrap(), unlimited);
    x18_body_with_a_deadline: fits(|| {
        let builder = nursery().on(ThreadPool::global()).deadline(LONG).name("big").grace(LONG);
        block_on(builder.run(|_: Nursery<Infallible>| big())).unwrap();
    });
    x18_cancel_when: fits(|| {
        let builder = nursery().on(ThreadPool::global()).cancel_when(unit()).name("big");
        assert!(block_on(builder.run(async |n: Nursery<Infallible>| {
            while !n.is_cancelled() {
                yield_now().await;
            }
            Ok(())
        })).is_ok());
    });
    x18_settle: fits(|| {
        let builder = nursery().on(ThreadPool::global()).name("big");
        let run = builder.run(|_: Nursery<Infallible>| big());
        assert!(block_on(run.settle()).error.is_none());
    });
    x18_body_that_keeps_it: fits(|| {
        let page = [1_u8; SIZE];
        let builder = nursery().on(ThreadPool::global()).name("big");
        let run = builder.run(async move |_: Nursery<Infallible>| Ok(page[SIZE / 2]));
        assert_eq!(block_on(run).unwrap(), 1);
    });
    x18_shield: in_child!(shield(LONG, keeps::<SIZE>()).await.unwrap());
    x18_cancellable: in_child!(cancellable(keeps::<SIZE>()).await.unwrap().unwrap());
    x18_scoped_value: in_child!(KEY.scope(1, keeps::<SIZE>()).await.unwrap());
    x18_until_cancelled: in_child!(keeps::<SIZE>().until_cancelled(&CancelToken::new()).await.unwrap().unwrap());
    x18_block_on: fits(|| block_on(big()).unwrap());
    x18_local_run: fits(|| LocalExecutor::new().run(big()).unwrap());
    x18_local_spawn: fits(|| {
        let executor = LocalExecutor::new();
        executor.spawn_future(async { big().await.unwrap() });
        while executor.tasks() > 0 {
            executor.run(yield_now());
        }
    });
    x18_local_spawner: fits(|| {
        let executor = LocalExecutor::new();
        executor.spawner().spawn_future(async { big().await.unwrap() });
        while executor.tasks() > 0 {
            executor.run(yield_now());
        }
    });
    x18_local_task: fits(|| {
        let executor = LocalExecutor::new();
        executor.spawn_local(LocalTask::from_future(async { big().await.unwrap() }));
        while executor.tasks() > 0 {
            executor.run(yield_now());
        }
    });
    x18_task: fits(|| {
        let (tx, rx) = mpsc::channel();
        ThreadPool::global().spawn(Task::from_future(async move { tx.send(big().await).unwrap() }));
        rx.recv().unwrap().unwrap();
    });
    x18_simulator: fits(|| Simulator::new().seed(1).run(|_| big()).unwrap());
}

#[test]
fn x18_spawn() {
    in_body!(|n| drop(n.spawn(big())), unlimited);
}

/// The yardstick.
#[test]
fn tokio_takes_it() {
    fits(|| {
        let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
        tokio.block_on(async { tokio::spawn(big()).await.unwrap().unwrap() });
    });
}

#[test]
fn tokio_takes_the_part() {
    fits(|| {
        let tokio = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        tokio.block_on(async {
            let waits =
                async { tokio::time::timeout(LONG, keeps::<SIZE>()).await.unwrap().unwrap() };
            tokio::spawn(waits).await.unwrap()
        });
    });
}
