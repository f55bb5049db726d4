//! Stacks: where each task waits, by the names of its functions.

use allhome::runtime::{Smol, ThreadPool};
use allhome::see::{self, TaskInfo};
use allhome::{Nursery, Tokio, block_on, cancelled, nursery, yield_now};
use allhome_rt::IntoRuntime;
use allhome_runs::{Opened, Stepped};
use futures_util::future::{join, select};
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use tokio::sync::{Mutex, Notify, oneshot};

type Never = Nursery<Infallible>;

/// Returns what each stack of a task shows: `leaf < inner < outer`, the program's functions alone and
/// without their modules.
pub(crate) fn shown(task: &TaskInfo) -> Vec<String> {
    let stacks = task.stacks.to_vec();
    let shown = stacks.iter().map(|stack| {
        let own = stack.frames.iter().filter(|frame| frame.function.starts_with("seeing::"));
        let own = own.map(|frame| frame.function.rsplit("::").next().unwrap());
        stack.leaf.as_deref().into_iter().chain(own).collect::<Vec<_>>().join(" < ")
    });
    shown.collect()
}

/// Returns what the task of this name shows, without the function of the test.
pub(crate) fn stacks_of(n: &Never, name: &str) -> Vec<String> {
    let tree = n.tree();
    let task = tree.root().tasks.iter().find(|task| task.name.as_deref() == Some(name));
    let shown = shown(task.expect("it is there"));
    shown.into_iter().map(|stack| stack.split(" < u4").next().unwrap().to_string()).collect()
}

const LOCK: &str = "tokio::sync::mutex::Mutex::lock";

/// Nothing else of a stack is asked for where the compiler may inline: a build with optimizations.
pub(crate) const EXACT: bool = cfg!(all(
    target_pointer_width = "64",
    debug_assertions,
    // Other symbols, and frames of the sanitizer.
    not(allhome_no_scan)
));

async fn load_user(lock: Arc<Mutex<u32>>) -> u32 {
    *lock.lock().await
}

pub(crate) async fn page(lock: Arc<Mutex<u32>>) -> u32 {
    load_user(lock).await + 1
}

async fn either(first: Arc<Notify>, second: Arc<Mutex<u32>>) {
    let first = async { first.notified().await };
    let _either = select(pin!(first), pin!(load_user(second))).await;
}

/// Is woken again and again until it has a task of the runtime for its own.
async fn often(lock: Arc<Mutex<u32>>) -> u32 {
    for _ in 0..40 {
        yield_now().await;
    }
    load_user(lock).await
}

/// A future that takes a waker only if it has none that would do.
pub(crate) async fn keeps() {
    let mut kept: Option<Waker> = None;
    poll_fn(|cx| {
        if !kept.as_ref().is_some_and(|kept| kept.will_wake(cx.waker())) {
            kept = Some(cx.waker().clone());
        }
        Poll::Pending
    })
    .await
}

/// Takes a waker in its first poll alone.
async fn takes_once() {
    let mut kept: Option<Waker> = None;
    poll_fn(|cx| {
        kept.get_or_insert_with(|| cx.waker().clone());
        Poll::Pending
    })
    .await
}

/// A stepped executor, and a nursery on it whose polls are looked at.
pub(crate) fn seen() -> (Stepped, Opened<Infallible>) {
    let stepped = Stepped::new(1);
    let opened = Opened::new(nursery().stacks(true).on(stepped.runtime()));
    (stepped, opened)
}

/// Runs a program in a nursery whose polls are looked at, on each runtime.
fn on_each<Fut: Future<Output = ()>>(program: impl Fn(Never) -> Fut) {
    let run = |runtime: allhome::runtime::Runtime| {
        let run = nursery().stacks(true).on(&runtime).run(async |n: Never| {
            program(n.clone()).await;
            n.abort();
            Ok(())
        });
        block_on(run).expect("no child fails");
    };
    run(ThreadPool::global().into_runtime().expect("the pool is there"));
    run(Smol.into_runtime().expect("smol is there"));
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    run(Tokio::on(tokio.handle()).into_runtime().expect("tokio is there"));
}

/// Gives others a turn until each task has stacks.
async fn until_seen(n: &Never) {
    while n.tree().root().tasks.iter().any(|task| task.stacks.is_empty()) {
        yield_now().await;
    }
}

#[test]
fn u40_each_place_in_which_a_task_waits_on_any_runtime() {
    on_each(|n| async move {
        let lock = Arc::new(Mutex::new(1));
        let held = lock.clone().try_lock_owned().expect("it is free");
        for name in ["page", "often", "either"] {
            let lock = lock.clone();
            n.task(name).go(async move {
                match name {
                    "page" => drop(page(lock).await.to_string()),
                    "often" => drop(often(lock).await.to_string()),
                    _ => either(Arc::default(), lock).await,
                }
            });
        }
        until_seen(&n).await;
        let mut looks = 0;
        while EXACT && stacks_of(&n, "often") != [format!("{LOCK} < load_user < often")] {
            looks += 1;
            assert!(looks < 100_000, "{:?}", stacks_of(&n, "often"));
            yield_now().await;
        }
        if EXACT {
            assert_eq!(stacks_of(&n, "page"), [format!("{LOCK} < load_user < page")]);
            assert_eq!(
                stacks_of(&n, "either"),
                [
                    format!("{LOCK} < load_user < either"),
                    "tokio::sync::notify::Notified < either < either".into()
                ]
            );
        }
        drop(held);
    });
}

#[test]
fn u40_a_body_that_no_task_polls() {
    let stepped = Stepped::new(1);
    let lock = Arc::new(Mutex::new(1));
    let held = lock.clone().try_lock_owned().unwrap();
    let run = nursery().stacks(true).on(stepped.runtime()).name("u40 body");
    let mut run = pin!(run.run(async |_: Never| Ok(page(lock).await)));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(run.as_mut().poll(&mut cx).is_pending());
    let trees = see::trees();
    let named = |tree: &&see::Tree| tree.root().name.as_deref() == Some("u40 body");
    let body = trees.iter().find(named).unwrap().root().body.clone().unwrap();
    let stacks = body.stacks.to_vec();
    assert_eq!(stacks.len(), usize::from(cfg!(target_pointer_width = "64")));
    if EXACT {
        assert!(stacks[0].to_string().contains("load_user"), "{}", stacks[0]);
        assert!(see::Dump::of(trees).to_string().contains("seeing::stacks::load_user"));
    }
    drop(held);
    assert!(run.as_mut().poll(&mut cx).is_ready());
}

#[test]
#[cfg(target_pointer_width = "64")]
fn u41_stacks_are_those_of_the_last_poll() {
    let (stepped, mut opened) = seen();
    let n = opened.n.clone();
    let wake = Arc::new(Notify::new());
    for (name, number) in [("keeps", 0), ("takes once", 1), ("moves on", 2)] {
        let wake = wake.clone();
        n.task(name).go(async move {
            let first = pin!(wake.notified());
            match number {
                0 => drop(join(first, keeps()).await),
                1 => drop(join(first, takes_once()).await),
                _ => {
                    first.await;
                    keeps().await;
                }
            }
        });
    }
    stepped.run_until_stalled();
    let count = |name| stacks_of(&n, name).len();
    assert_eq!((count("keeps"), count("takes once"), count("moves on")), (2, 2, 1));
    wake.notify_waiters();
    stepped.run_until_stalled();
    assert_eq!((count("keeps"), count("takes once"), count("moves on")), (1, 0, 1));
    if EXACT {
        assert_eq!(stacks_of(&n, "moves on"), ["keeps"]);
    }
    n.abort();
    assert!(opened.finish().is_ready());
}

#[test]
#[cfg(target_pointer_width = "64")]
fn u42_several_are_a_set_in_any_order_and_too_many_say_so() {
    let (stepped, mut opened) = seen();
    let n = opened.n.clone();
    let lock = Arc::new(Mutex::new(1));
    let held = lock.clone().try_lock_owned().unwrap();
    for turned in [false, true] {
        let lock = lock.clone();
        n.go(async move {
            let (mut user, mut keeps) = (pin!(load_user(lock)), pin!(keeps()));
            poll_fn(|cx| {
                for first in [turned, !turned] {
                    match first {
                        true => drop(user.as_mut().poll(cx)),
                        false => drop(keeps.as_mut().poll(cx)),
                    }
                }
                Poll::<()>::Pending
            })
            .await;
        });
    }
    n.go(poll_fn(|cx| {
        drop(cx.waker().clone());
        drop(cx.waker().clone());
        drop(cx.waker().clone());
        drop(cx.waker().clone());
        drop(cx.waker().clone());
        Poll::Pending
    }));
    stepped.run_until_stalled();
    let tree = n.tree();
    let [one, other, many] = &tree.root().tasks[..] else { panic!("{tree}") };
    assert_eq!((shown(one), one.stacks.len(), one.stacks.has_more()), (shown(other), 2, false));
    assert!(many.stacks.has_more(), "{many}");
    drop(held);
    n.abort();
    assert!(opened.finish().is_ready());
}

#[test]
fn u44_what_is_kept_is_the_tasks_own_waker() {
    for are_seen in [false, true] {
        let stepped = Stepped::new(1);
        let mut opened = Opened::new(nursery().stacks(are_seen).on(stepped.runtime()));
        let n = opened.n.clone();
        let polls = Arc::new(AtomicUsize::new(0));
        let (kept, counted) = (Arc::new(std::sync::Mutex::new(Vec::new())), polls.clone());
        let keep = kept.clone();
        n.task("kept").go(poll_fn(move |cx| {
            counted.fetch_add(1, Ordering::Relaxed);
            keep.lock().unwrap().push(cx.waker().clone());
            Poll::Pending
        }));
        n.task("waits for its cancel").go(async { drop(cancelled().await) });
        stepped.run_until_stalled();
        // No token, and no waker: a cancel reaches it with its last poll.
        assert_eq!(n.tree().root().tasks[1].wakers, Some(0));
        for count in 1..4 {
            let waker = kept.lock().unwrap().last().unwrap().clone();
            assert!(kept.lock().unwrap().iter().all(|kept| kept.will_wake(&waker)));
            assert_eq!(polls.load(Ordering::Relaxed), count);
            waker.wake();
            stepped.run_until_stalled();
        }
        n.abort();
        assert!(opened.finish().is_ready());
    }
}

#[test]
#[cfg(target_pointer_width = "64")]
fn u46_a_dump_shows_equal_stacks_once() {
    let (stepped, mut opened) = seen();
    let n = opened.n.clone();
    let lock = Arc::new(Mutex::new(1));
    let held = lock.clone().try_lock_owned().unwrap();
    for _ in 0..3 {
        let lock = lock.clone();
        n.go(async move { drop(page(lock).await.to_string()) });
    }
    let (_tell, told) = oneshot::channel::<()>();
    n.task("other").go(async move { drop(told.await) });
    stepped.run_until_stalled();
    let mut trees = see::trees();
    trees.retain(|tree| tree.root().id == n.id());
    let text = see::Dump::of(trees).to_string();
    let shown = text.matches("load_user").count();
    assert!(shown == 1 || !EXACT && shown == 0, "{text}");
    if EXACT {
        let lot = format!("3 waiting for {LOCK}\n        seeing::stacks::load_user");
        assert!(text.contains(&lot), "{text}");
        assert!(text.contains("1 waiting for tokio::sync::oneshot::Receiver\n"), "{text}");
        let tree = n.tree().to_string();
        assert!(
            tree.contains(&format!("waiting for {LOCK} in seeing::stacks::load_user")),
            "{tree}"
        );
    }
    assert!(!text.contains("no stacks are known"), "{text}");
    drop(held);
    n.abort();
    assert!(opened.finish().is_ready());
}
