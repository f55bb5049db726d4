//! What waits for the dead is dead; and rings of needs: joins, nurseries, permits.

use allhome::see::{Need, NextPoll, Ring, TaskInfo, Tree, Waiter};
use allhome::{Nursery, Semaphore, nursery, sleep};
use allhome_runs::{Opened, Stepped, world};
use std::convert::Infallible;
use std::future::{Future, pending};
use std::sync::Arc;
use std::time::Duration;

type Never = Nursery<Infallible>;

fn task<'a>(tree: &'a Tree, name: &str) -> &'a TaskInfo {
    let mut tasks = tree.nurseries().iter().flat_map(|nursery| &nursery.tasks);
    let found = tasks.find(|task| task.name.as_deref() == Some(name));
    found.unwrap_or_else(|| panic!("no {name}:\n{tree}"))
}

fn names<'a>(tree: &'a Tree, ring: &Ring) -> Vec<&'a str> {
    let tasks = || tree.nurseries().iter().flat_map(|nursery| &nursery.tasks);
    let name = |id| tasks().find(|task| task.id == id).and_then(|task| task.name.as_deref());
    ring.tasks().map(|id| name(id).unwrap_or("?")).collect()
}

/// Runs what was spawned until nothing goes on; looks; ends it.
fn looked(spawn: impl FnOnce(&Never)) -> Tree {
    let (stepped, _, runtime) = world();
    let mut opened = Opened::new(nursery().on(&runtime));
    let n = opened.n.clone();
    spawn(&n);
    stepped.run_until_stalled();
    let tree = n.tree();
    n.abort();
    assert!(opened.finish().is_ready());
    tree
}

async fn done<T>(future: impl Future<Output = T>) -> Result<(), Infallible> {
    drop(future.await);
    Ok(())
}

async fn inside(body: impl AsyncFnOnce(Never)) {
    let run = nursery().run(async |inner: Never| {
        body(inner).await;
        Ok::<_, Infallible>(())
    });
    drop(run.await);
}

#[test]
fn u25_what_waits_for_the_dead_alone_is_dead() {
    let mut kept = None;
    let tree = looked(|n| {
        let lost = n.task("lost").fork(pending::<Result<(), _>>());
        let joins = n.task("joins").fork(done(lost));
        n.task("joins that").go(async move { drop(joins.await) });
        n.task("runs").go(inside(async |inner: Never| drop(inner.go(pending()))));
        n.task("runs a body").go(inside(async |inner: Never| {
            let lost = inner.fork(pending::<Result<(), _>>());
            drop(lost.await);
        }));
        // What else may wake them, and what may end the nursery that they run.
        let other = n.fork(pending::<Result<(), _>>());
        n.task("limited").go(async move {
            let _ = allhome::move_on_after(Duration::from_secs(9), other).await;
        });
        n.task("runs a live one").go(inside(async |inner: Never| {
            inner.go(pending());
            inner.go(sleep(Duration::from_secs(9)));
        }));
        n.task("has a deadline").go(async {
            let timed = nursery().deadline(Duration::from_secs(9));
            drop(timed.run(async |inner: Never| Ok(inner.go(pending()))).await);
        });
        let third = n.task("third").fork(pending::<Result<(), _>>());
        let seen = n.task("has a handle").fork(done(third));
        kept = Some(seen.task_handle());
    });
    for dead in ["joins", "joins that", "runs", "runs a body"] {
        assert_eq!(task(&tree, dead).next_poll, NextPoll::Dead, "{dead}:\n{tree}");
        assert!(tree.dead().contains(&Waiter::Task(task(&tree, dead).id)), "{dead}:\n{tree}");
    }
    for alive in ["limited", "runs a live one", "has a deadline", "has a handle"] {
        assert_eq!(task(&tree, alive).next_poll, NextPoll::ByWaker, "{alive}:\n{tree}");
    }
    assert_eq!(task(&tree, "lost").next_poll, NextPoll::OnlyByCancel);
    drop(kept);
    let line = task(&tree, "joins that").to_string();
    assert!(line.contains(", and only a cancel ends it, 1 poll"), "{line}");
}

/// One that holds a permit waits for one that wants it: by a join, as the runner of its nursery, as
/// the body of that, or as itself.
#[test]
fn u26_a_permit_that_is_held_by_what_waits() {
    let db = || Arc::new(Semaphore::new(1).named("db"));
    let tree = looked(|n| {
        let (own, db) = (n.clone(), db());
        n.task("holds").go(async move {
            let _held = db.acquire().await;
            let second = db.clone();
            let wants = own.task("wants").fork(done(second.acquire_owned()));
            drop(wants.await);
        });
    });
    let [ring] = tree.rings() else { panic!("{tree}") };
    assert_eq!(names(&tree, ring), ["holds", "wants"]);
    assert!(matches!([ring.links[0].needs, ring.links[1].needs], [Need::End, Need::Permit(_)]));
    assert!(!ring.only_by_cancel, "a permit may be handed on");
    assert_eq!(task(&tree, "wants").next_poll, NextPoll::ByWaker);

    let tree = looked(|n| {
        let db = db();
        n.task("holds").go(async move {
            let _held = db.acquire().await;
            inside(async |inner: Never| {
                let second = db.clone();
                inner.task("sleeps").go(sleep(Duration::from_secs(9)));
                inner.task("wants").go(async move { drop(second.acquire().await) });
            })
            .await;
        });
    });
    let [ring] = tree.rings() else { panic!("{tree}") };
    assert_eq!(names(&tree, ring), ["holds", "wants"]);
    assert_eq!(ring.links[0].needs, Need::Nursery(tree.nurseries()[1].id));

    let tree = looked(|n| {
        let db = db();
        n.task("opens").go(inside(async move |inner: Never| {
            // The body acquires it, and is a part of the task.
            let _held = db.acquire().await;
            let second = db.clone();
            let wants = inner.task("wants").fork(done(second.acquire_owned()));
            drop(wants.await);
        }));
    });
    let [ring] = tree.rings() else { panic!("{tree}") };
    assert_eq!(names(&tree, ring), ["opens", "wants"], "{tree}");

    let tree = looked(|n| {
        let db = db();
        n.task("twice").go(async move {
            let _held = db.acquire().await;
            drop(db.acquire().await);
        });
    });
    let [ring] = tree.rings() else { panic!("{tree}") };
    assert_eq!(names(&tree, ring), ["twice"]);
}

#[test]
fn u26_a_ring_of_locks() {
    let tree = looked(|n| {
        let locks: Vec<_> = (0..3).map(|_| Arc::new(Semaphore::new(1))).collect();
        for at in 0..3 {
            let (first, second) = (locks[at].clone(), locks[(at + 1) % 3].clone());
            n.task(format!("{at}")).go(async move {
                let _first = first.acquire().await;
                allhome::yield_now().await;
                drop(second.acquire().await);
            });
        }
    });
    let [ring] = tree.rings() else { panic!("{tree}") };
    assert_eq!(names(&tree, ring), ["0", "1", "2"]);
    let text = ring.to_string();
    assert!(
        text.contains(" needs a permit that task ") && text.contains(" acquired at tests/"),
        "{text}"
    );
}

/// What may be given back by one that is not in the ring leads to none: it may go on.
#[test]
fn u26_no_ring_where_another_may_give_the_permit() {
    let two = || Arc::new(Semaphore::new(2));
    let holds_and_joins = |n: &Never, db: &Arc<Semaphore>| {
        let (own, db) = (n.clone(), db.clone());
        n.task("holds").go(async move {
            let _held = db.acquire().await;
            allhome::yield_now().await;
            let second = db.clone();
            let wants = own.task("wants").fork(done(second.acquire_owned()));
            drop(wants.await);
        });
    };
    let tree = looked(|n| {
        let db = two();
        holds_and_joins(n, &db);
        n.task("sleeps").go(async move {
            let _held = db.acquire().await;
            sleep(Duration::from_secs(9)).await;
        });
    });
    assert!(tree.rings().is_empty(), "{tree}");
    // But if the other waits for it, too, none of the two can.
    let tree = looked(|n| {
        let db = two();
        holds_and_joins(n, &db);
        n.task("lost").go(async move {
            let _held = db.acquire().await;
            pending::<()>().await;
        });
    });
    let [ring] = tree.rings() else { panic!("{tree}") };
    assert_eq!(names(&tree, ring), ["holds", "wants"]);
}

/// The holder is no task of the tree, or the waker in the line is not the task's.
#[test]
fn u26_what_is_not_known_is_not_claimed() {
    let db = Arc::new(Semaphore::new(1));
    let held = db.try_acquire();
    let tree = looked(|n| {
        let (own, db) = (n.clone(), db.clone());
        n.task("joins").go(async move {
            let wants = own.fork(done(db.acquire_owned()));
            drop(wants.await);
        });
    });
    assert!(tree.rings().is_empty() && tree.dead().is_empty(), "{tree}");
    drop(held);
    let stepped = Stepped::new(1);
    let mut opened = Opened::new(nursery().on(stepped.runtime()));
    let n = opened.n.clone();
    // Another one waits for a permit, by its own waker: the book is read.
    let gate = Arc::new(Semaphore::new(1));
    let _shut = gate.clone().try_acquire_owned();
    n.go(async move { drop(gate.acquire_owned().await) });
    n.go(async move {
        let held = db.acquire().await;
        // By a waker of its own.
        let mut several = futures_util::stream::FuturesUnordered::new();
        several.push(db.acquire());
        futures_util::StreamExt::next(&mut several).await;
        drop(held);
    });
    stepped.run_until_stalled();
    assert!(n.tree().rings().is_empty(), "{}", n.tree());
    n.abort();
    assert!(opened.finish().is_ready());
}
