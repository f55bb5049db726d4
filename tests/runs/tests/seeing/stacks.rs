//! Stacks: where each task waits, by name.

use allhome::see::stacks::{self, Stack};
use allhome::see::{self, Dump, TaskInfo};
use allhome::{Nursery, nursery, sleep};
use allhome_runs::{Opened, Stepped, world};
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::convert::Infallible;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;
use tokio::sync::{Mutex, Notify, oneshot};

type Never = Nursery<Infallible>;

/// Returns the names of a stack's frames.
fn names(stack: &Stack) -> Vec<&str> {
    let name = |name: &'static str| name;
    let _ = name;
    stack.frames.iter().map(|frame| frame.function.rsplit("::").next().unwrap()).collect()
}

/// Returns the leaf of each of a task's stacks, and the frames of the program.
fn shown(task: &TaskInfo) -> Vec<(String, Vec<String>)> {
    let stacks = task.stacks.to_vec();
    let own = |stack: &Stack| names(stack).into_iter().map(str::to_string).collect();
    stacks.iter().map(|stack| (stack.leaf.as_deref().unwrap_or("").into(), own(stack))).collect()
}

async fn load_user(lock: Arc<Mutex<u32>>) -> u32 {
    *lock.lock().await
}

async fn page(lock: Arc<Mutex<u32>>) -> u32 {
    load_user(lock).await + 1
}

async fn either(first: Arc<Notify>, second: oneshot::Receiver<()>) {
    tokio::select! {
        () = first.notified() => {}
        _ = second => {}
    }
}

#[test]
fn demo() {
    let (stepped, _, runtime) = world();
    let mut opened = Opened::new(nursery().name("u40").stacks(true).on(&runtime));
    let n = opened.n.clone();
    let lock = Arc::new(Mutex::new(1));
    let held = lock.clone().try_lock_owned().unwrap();
    for _ in 0..3 {
        let lock = lock.clone();
        n.go(async move { drop(page(lock).await) });
    }
    let (_tell, told) = oneshot::channel();
    n.task("either").go(either(Arc::default(), told));
    n.task("sleep").go(sleep(Duration::from_secs(9)));
    n.task("opens").go(async {
        let run = nursery().name("inside").run(async |n: Never| {
            n.task("reads").go(see::waiting_on("socket", sleep(Duration::from_secs(1))));
            Ok(())
        });
        drop(run.await);
    });
    stepped.run_until_stalled();
    println!("{}", see::dump());
    println!("{}", n.tree());
    for task in &n.tree().root().tasks { println!("{:?}", shown(task)); }
    drop(held);
    n.abort();
    assert!(opened.finish().is_ready());
}
