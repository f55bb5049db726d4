//! Stacks through combinators with wakers of their own, and stacks of generated programs.

use super::stacks::{EXACT, keeps, page, seen, shown, stacks_of};
use allhome::see;
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use tokio::sync::Mutex;

/// A combinator with a waker of its own.
struct Own<F>(Pin<Box<F>>);

struct Passes(std::sync::Mutex<Option<Waker>>);

impl Wake for Passes {
    fn wake(self: Arc<Self>) {
        self.0.lock().unwrap().iter().for_each(Waker::wake_by_ref);
    }
}

impl<F: Future> Future for Own<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let own = Arc::new(Passes(std::sync::Mutex::new(Some(cx.waker().clone()))));
        self.0.as_mut().poll(&mut Context::from_waker(&own.into()))
    }
}

#[test]
#[cfg(target_pointer_width = "64")]
fn u45_through_a_combinator_with_wakers_of_its_own() {
    let (stepped, mut opened) = seen();
    let n = opened.n.clone();
    let lock = Arc::new(Mutex::new(1));
    let held = lock.clone().try_lock_owned().unwrap();
    let (plain, through) = (lock.clone(), lock.clone());
    n.task("plain").go(async move { drop(Own(Box::pin(page(plain))).await.to_string()) });
    n.task("through").go(async move {
        drop(Own(Box::pin(see::through(page(through)))).await.to_string());
    });
    let many = lock.clone();
    n.task("many").go(async move {
        let mut all: FuturesUnordered<_> =
            [(); 3].map(|()| see::through(page(many.clone()))).into_iter().collect();
        while all.next().await.is_some() {}
    });
    stepped.run_until_stalled();
    assert_eq!(stacks_of(&n, "plain").len(), 1);
    assert_eq!(stacks_of(&n, "through").len(), 2);
    assert_eq!(stacks_of(&n, "many").len(), 2);
    if EXACT {
        let seen =
            |name| stacks_of(&n, name).iter().any(|stack| stack.contains("load_user < page"));
        assert!(!seen("plain") && seen("through") && seen("many"), "{}", n.tree());
    }
    drop(held);
    stepped.run_until_stalled();
    assert_eq!(n.tree().tasks(), 0);
    assert!(opened.finish().is_ready());
}

/// Three functions that call each other, by the digits of a number.
fn walk(path: u32, depth: u32) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    async fn a(path: u32, depth: u32) {
        walk(path / 3, depth - 1).await;
    }
    async fn b(path: u32, depth: u32) {
        walk(path / 3, depth - 1).await;
    }
    async fn c(path: u32, depth: u32) {
        walk(path / 3, depth - 1).await;
    }
    match (depth, path % 3) {
        (0, _) => Box::pin(keeps()),
        (_, 0) => Box::pin(a(path, depth)),
        (_, 1) => Box::pin(b(path, depth)),
        _ => Box::pin(c(path, depth)),
    }
}

/// Returns the functions from the innermost on, of a run of the same one once.
fn expected(path: u32, depth: u32) -> String {
    let mut names: Vec<_> =
        (0..depth).map(|at| ["a", "b", "c"][(path / 3_u32.pow(at) % 3) as usize]).collect();
    names.push("keeps");
    names.dedup();
    names.reverse();
    names.join(" < ")
}

#[test]
#[cfg(target_pointer_width = "64")]
fn u47_no_stack_is_anothers() {
    let (stepped, mut opened) = seen();
    let n = opened.n.clone();
    for round in 0..4 {
        for depth in 0..7 {
            for path in 0..3_u32.pow(depth) {
                n.task(format!("{path} {depth}")).go(walk(path, depth));
            }
        }
        stepped.run_until_stalled();
        for task in &n.tree().root().tasks {
            let (path, depth) = task.name.as_deref().unwrap().split_once(' ').unwrap();
            let expected = expected(path.parse().unwrap(), depth.parse().unwrap());
            let found = shown(task);
            assert_eq!(found.len(), 1, "round {round}: {task}");
            if EXACT {
                assert_eq!(found[0], expected, "round {round}");
            }
        }
    }
    n.abort();
    assert!(opened.finish().is_ready());
}
