//! Three replicas of a store: a read that needs two of them, and one that asks the next replica when
//! the first is slow.
//!
//! ```sh
//! cargo run --example replicas
//! ```
//!
//! It runs in the simulator, so that its times are the same in each run; on any other runtime the
//! code is the same.

use allhome::join::{hedge, quorum};
use allhome::time::now;
use allhome::{Child, GroupError, Nursery, Policy, Simulator, cancelled, nursery, sleep};
use std::error::Error;
use std::future::pending;
use std::time::Duration;

type Failure = Box<dyn Error + Send + Sync>;

#[derive(Clone, Copy)]
struct Replica {
    name: &'static str,
    latency: Duration,
    /// What it answers, if it is up.
    version: Option<u64>,
}

const fn replica(name: &'static str, ms: u64, version: Option<u64>) -> Replica {
    Replica { name, latency: Duration::from_millis(ms), version }
}

/// Asks a replica. A request that is not needed any more says so.
fn ask(n: &Nursery<Failure>, replica: Replica) -> Child<u64, Failure> {
    n.task(replica.name).fork(async move {
        let goodbye = async {
            let reason = cancelled().await;
            println!("  {}: {}", replica.name, reason.kind());
            pending().await
        };
        let answer = async {
            sleep(replica.latency).await;
            replica.version.ok_or_else(|| Failure::from("connection refused"))
        };
        allhome::join::RaceExt::race(answer, goodbye).await
    })
}

/// The newest of two answers. A replica that is down is no failure as long as two are up.
async fn read_two(replicas: [Replica; 3]) -> Result<u64, GroupError<Failure>> {
    nursery()
        .name("read")
        .policy(Policy::Isolate)
        .run(async |n: Nursery<Failure>| {
            let versions = quorum(2, replicas.map(|replica| ask(&n, replica))).await?;
            Ok(versions.into_iter().max().unwrap_or_default())
        })
        .await
}

/// The first answer; the next replica is asked when one takes longer than 50 ms, or is down.
async fn read_fast(replicas: [Replica; 3]) -> Result<u64, GroupError<Failure>> {
    nursery()
        .name("fast")
        .policy(Policy::Isolate)
        .run(async |n: Nursery<Failure>| {
            let attempts = replicas.into_iter().map(|replica| ask(&n, replica));
            Ok(hedge(Duration::from_millis(50), attempts).await?)
        })
        .await
}

/// Prints what came of it, and when.
async fn shown(what: &str, read: impl Future<Output = Result<u64, GroupError<Failure>>>) {
    println!("{what}:");
    let start = now();
    let result = read.await;
    let ms = (now() - start).as_millis();
    match result {
        Ok(version) => println!("  version {version} after {ms} ms"),
        Err(error) => println!("  none after {ms} ms: {error}"),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let (near, far) = (replica("near", 10, Some(7)), replica("far", 90, Some(8)));
    let (slow, down) = (replica("slow", 900, Some(8)), replica("down", 1, None));
    Simulator::new().run(async |_: Nursery<Failure>| {
        shown("two of three", read_two([near, slow, far])).await;
        shown("two of three, and one is down", read_two([near, down, far])).await;
        shown("two of three, and two are down", read_two([near, down, down])).await;
        shown("the first, and it is slow", read_fast([slow, near, far])).await;
        shown("the first, and it is down", read_fast([down, near, far])).await;
        Ok(())
    })?;
    Ok(())
}
