//! All roots, with no handle.

use allhome::task::{NurseryId, Tree};
use allhome::{Nursery, ThreadScope, nursery, see};
use allhome_runs::{Opened, Stepped, Wakes, poll_once};
use std::convert::Infallible;
use std::future::pending;

type Never = Nursery<Infallible>;

/// Returns the trees of the roots with this name: tests run in parallel.
fn named(name: &str) -> Vec<Tree> {
    let mut trees = see::trees();
    trees.retain(|tree| tree.root().name.as_deref() == Some(name));
    trees
}

fn ids(trees: &[Tree]) -> Vec<NurseryId> {
    trees.iter().map(|tree| tree.root().id).collect()
}

#[test]
fn u11_every_root_is_found_without_a_handle_until_it_ends() {
    let stepped = Stepped::new(1);
    let open = || Opened::new(nursery().name("u11").on(stepped.runtime()));
    let [mut one, two] = [open(), open()];
    one.n.task("holds").go(async {
        drop(nursery().name("inside").run(async |_: Never| pending::<Result<(), _>>().await).await);
    });
    stepped.run_until_stalled();
    let trees = named("u11");
    assert_eq!(ids(&trees), [one.n.id(), two.n.id()], "the oldest first, and none that is inside");
    assert_eq!(trees[0].nurseries().len(), 2);
    assert_eq!((trees[0].tasks(), trees[1].tasks()), (1, 0));
    one.n.abort();
    assert_eq!(named("u11").len(), 2, "its future was not polled");
    assert!(one.finish().is_ready());
    assert_eq!(ids(&named("u11")), [two.n.id()], "a handle does not keep it");
    drop(two.run);
    assert_eq!(named("u11").len(), 0);
}

#[test]
fn u11_before_its_first_poll_there_is_no_nursery() {
    let run = nursery().name("u11 unpolled").run(async |_: Never| Ok(()));
    assert_eq!(named("u11 unpolled").len(), 0);
    drop(run);
}

#[test]
fn u11_a_root_that_was_dropped_in_a_poll_is_there_until_that_ends() {
    let (stepped, wakes) = (Stepped::new(1), Wakes::new());
    let (mut inside, mut after) = (0, 0);
    let mut opened = Opened::new(nursery().name("u11 dropped").on(stepped.runtime()));
    let slot = std::sync::Arc::new(std::sync::Mutex::new(None));
    let (run, seen) = (slot.clone(), std::sync::Arc::new(std::sync::Mutex::new(0)));
    let sees = seen.clone();
    opened.n.go(async move {
        drop(run.lock().unwrap().take());
        *sees.lock().unwrap() = named("u11 dropped").len();
        pending().await
    });
    let _ = poll_once(&mut opened.run, &wakes);
    *slot.lock().unwrap() = Some(opened.run);
    stepped.run_until_stalled();
    inside += *seen.lock().unwrap();
    after += named("u11 dropped").len();
    assert_eq!((inside, after), (1, 0));
}

#[test]
fn u11_thread_scopes_are_nurseries_too() {
    let seen =
        nursery().name("u11 threads").thread_scope().run(async |s: ThreadScope<'_, Infallible>| {
            s.task("two").go(async {});
            Ok(named("u11 threads").len())
        });
    assert_eq!((seen.unwrap(), named("u11 threads").len()), (1, 0));
}

#[test]
fn u11_local_nurseries_are_nurseries_too() {
    let executor = allhome::runtime::LocalExecutor::new();
    let run = nursery()
        .name("u11 local")
        .local(&executor)
        .run(async |_| Ok::<_, Infallible>(named("u11 local").len()));
    assert_eq!((executor.run(run).unwrap(), named("u11 local").len()), (1, 0));
}
