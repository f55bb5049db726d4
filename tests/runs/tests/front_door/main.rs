//! What a user meets first: error types that are found out, errors that say what happened, and
//! programs that the compiler refuses.

mod counts;
mod errors;
mod inference;
mod refused;
mod sources;
mod texts;

use allhome::error::AsError;
use allhome::runtime::ThreadPool;
use allhome::{GroupError, JoinError, Nursery, Policy, block_on, nursery, sleep};
use std::future::pending;
use std::io;
use std::time::Duration;

/// The error of a library.
#[derive(Debug, thiserror::Error)]
#[error("cannot load the configuration")]
struct Load(#[source] io::Error);

fn on_fire() -> io::Error {
    io::Error::new(io::ErrorKind::StorageFull, "disk on fire")
}

/// The error of a nursery in which a child failed with this one, and another was cancelled.
fn boot<E: AsError<M>, M>(error: E) -> GroupError<E> {
    let run = nursery().on(ThreadPool::global()).name("boot").run(async move |n: Nursery<E>| {
        n.spawn(pending());
        n.task("config").spawn(async { Err(error) });
        pending::<Result<(), E>>().await
    });
    block_on(run).unwrap_err()
}

/// What joining a child that failed with this error gives.
fn joined<E: AsError<M>, M>(error: E) -> JoinError<E> {
    let alone = nursery().on(ThreadPool::global()).policy(Policy::Isolate);
    let run = alone.run(async move |n: Nursery<E>| {
        let child = n.task("config").fork(async { Err::<(), _>(error) });
        Ok(child.await.unwrap_err())
    });
    block_on(run).unwrap()
}

async fn a_moment() {
    sleep(Duration::from_millis(1)).await;
}
