//! What a scope's handle, and the tree of the nursery around, say of its children.

use super::{drive, for_ever, poll};
use allhome::cancel::Level;
use allhome::in_place::ScopeBuilder;
use allhome::runtime::LocalExecutor;
use allhome::see::Dump;
use allhome::task::{Opener, TaskState, Tree, task_id};
use allhome::{CancelToken, Nursery, Reason, Scope, cancelled, nursery, scope, yield_now};
use allhome_conformance::Gate;
use allhome_runs::Wakes;
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;

/// A scope with a child `left`, that waits, and a child `right`, that opens a scope with a child.
async fn request(gate: &Gate) {
    let parts = scope().name("parts").run(async |s: Scope<'_, Infallible>| {
        s.task("left").go(gate.wait());
        s.task("right").go(async {
            let inner = scope().name("inner").run(async |inner: Scope<'_, Infallible>| {
                inner.task("deep").go(gate.wait());
                Ok(())
            });
            inner.await.unwrap();
        });
        Ok(())
    });
    parts.await.unwrap();
}

/// Yields until the tree has so many tasks, and returns it.
async fn grown(n: &Nursery<Infallible>, tasks: usize) -> Tree {
    for _ in 0..1_000 {
        if n.tree().tasks() == tasks {
            break;
        }
        yield_now().await;
    }
    n.tree()
}

#[test]
fn i38_tree_of_the_nursery_around() {
    let gate = Arc::new(Gate::new());
    let local = LocalExecutor::new();
    let run = nursery().on(&local).name("server").run(async |n: Nursery<Infallible>| {
        let waits = gate.clone();
        let child = n.task("request").go(async move { request(&waits).await });
        let tree = grown(&n, 4).await;
        gate.open();
        n.idle().await;
        Ok((child.id().unwrap(), tree, n.tree()))
    });
    let (request, tree, after) = local.run(run).unwrap();
    let [_, parts, inner] = tree.nurseries() else { panic!("not two scopes:\n{tree}") };
    let named = |tasks: &[allhome::task::TaskInfo]| {
        tasks.iter().map(|task| task.name.as_deref().unwrap().to_string()).collect::<Vec<_>>()
    };
    assert_eq!((parts.depth, parts.in_place, inner.depth, inner.in_place), (1, true, 2, true));
    assert_eq!((parts.name.as_deref(), parts.opened_by), (Some("parts"), Opener::Task(request)));
    assert_eq!(named(&parts.tasks), ["left", "right"]);
    assert!(parts.tasks.iter().all(|task| task.state == TaskState::Waiting && task.polls == 1));
    assert_eq!(inner.opened_by, Opener::Task(parts.tasks[1].id), "by the child, not the task");
    assert_eq!(named(&inner.tasks), ["deep"]);
    let lines: Vec<_> = tree.to_string().lines().map(str::to_string).collect();
    let at = |what: &str| lines.iter().position(|line| line.contains(what)).unwrap();
    let order = ["server", "request", "`parts`", "left", "right", "`inner`", "deep"].map(at);
    assert_eq!(order, [0, 1, 2, 3, 4, 5, 6], "{tree}");
    assert!(lines[2].trim_start().starts_with("scope "), "{tree}");
    let waits = format!("waiting for scope {}, 1 poll", parts.id);
    assert!(lines[1].contains(&waits), "and not for what its children wait for:\n{tree}");
    let dump = Dump::of(vec![tree.clone()]).to_string();
    let lots = ["1 waiting for a scope", "3 waiting in a scope, where it is not noted for what"];
    assert!(lots.iter().all(|lot| dump.contains(lot)), "{dump}");
    assert_eq!(after.nurseries().len(), 1, "a scope that has ended is not there:\n{after}");
}

#[test]
fn i38_tree_shows_a_scope_of_the_body_and_one_that_is_dropped_leaves_it() {
    let local = LocalExecutor::new();
    let run = nursery().on(&local).run(async |n: Nursery<Infallible>| {
        let mut open = Box::pin(scope().run(async |s: Scope<'_, Infallible>| {
            s.go(for_ever());
            s.go(for_ever());
            for_ever::<Result<(), Infallible>>().await
        }));
        assert!(super::poll(&mut open, &allhome_runs::Wakes::new()).is_pending());
        let seen = n.tree();
        drop(open);
        Ok::<((), Tree, Tree), _>(((), seen, n.tree()))
    });
    let ((), seen, after) = local.run(run).unwrap();
    assert_eq!((seen.nurseries().len(), seen.tasks()), (2, 2));
    assert_eq!(seen.nurseries()[1].opened_by, Opener::Body);
    assert_eq!((after.nurseries().len(), after.tasks()), (1, 0));
}

#[test]
fn i38_tree_of_a_scope() {
    let gate = Gate::new();
    drive(scope().name("s").run(async |s: Scope<'_, Infallible>| {
        let states = |tree: Tree| {
            let states = tree.nurseries()[0].tasks.iter().map(|task| (task.state, task.polls));
            states.collect::<Vec<_>>()
        };
        assert!(states(s.tree()).is_empty());
        let waits = s.task("waits").fork(async {
            gate.wait().await;
            Ok(task_id())
        });
        assert_eq!(states(s.tree()), [(TaskState::Queued, 0)]);
        let looks = s.clone();
        let sees = s.fork(async move { Ok(looks.tree()) }).await.unwrap();
        assert_eq!(states(sees), [(TaskState::Waiting, 1), (TaskState::Running, 1)]);
        assert_eq!(states(s.tree()), [(TaskState::Waiting, 1)]);
        gate.open();
        let id = waits.await.unwrap();
        assert!(id.is_some() && states(s.tree()).is_empty());
        // More than are given back at a time, and again in the seats of those.
        for _ in 0..3 {
            for _ in 0..100 {
                s.go(async {});
            }
            assert_eq!(s.tree().tasks(), 100);
            s.idle().await;
            assert_eq!(s.tree().tasks(), 0);
        }
        assert_eq!((s.level(), s.close(), s.close()), (Level::Running, true, false));
        s.cancel();
        assert_eq!(s.level(), Level::Cancelled);
        Ok(())
    }))
    .unwrap();
}

/// Returns the level at which `draining` is ready, of a scope that `end` ends from outside.
fn drained(
    open: ScopeBuilder,
    end: impl AsyncFnOnce(Scope<'static, Infallible>),
) -> (Level, Level) {
    let (handle, wakes) = (Mutex::new(None), Wakes::new());
    let mut run = Box::pin(open.run(async |s: Scope<'static, Infallible>| {
        *handle.lock().unwrap() = Some(s.clone());
        s.go(for_ever());
        for_ever::<Result<(), Infallible>>().await
    }));
    assert!(poll(&mut run, &wakes).is_pending());
    let s = handle.lock().unwrap().take().unwrap();
    let (before, mut waits, woken) = (s.level(), Box::pin(s.draining()), Wakes::new());
    assert!(poll(&mut waits, &woken).is_pending());
    let mut end = Box::pin(end(s));
    assert!(poll(&mut end, &wakes).is_ready());
    drop(poll(&mut run, &wakes));
    assert_eq!(woken.count(), 1, "it is woken, once");
    let Poll::Ready(level) = poll(&mut waits, &woken) else { panic!("it waits still") };
    (before, level)
}

#[test]
fn i19_draining_is_ready_when_no_child_is_admitted() {
    let closed = drained(scope(), async |s| assert!(s.close()));
    assert_eq!(closed, (Level::Running, Level::Draining));
    assert_eq!(drained(scope(), async |s| assert!(s.cancel())).1, Level::Cancelled);
    let token = CancelToken::new();
    let drains = drained(scope().token(&token), async |_| {
        assert_eq!(token.escalate(Reason::new("closing time")), Level::Draining)
    });
    assert_eq!(drains, (Level::Running, Level::Draining));
}

#[test]
fn i19_a_scope_that_has_ended_is_draining() {
    let mut kept = None;
    drive(scope().run(async |s: Scope<'_, Infallible>| {
        kept = Some(s.clone());
        Ok(())
    }))
    .unwrap();
    let s = kept.unwrap();
    assert_eq!((s.level(), drive(s.draining())), (Level::Draining, Level::Draining));
}

#[test]
fn i39_children_are_cancelled_one_by_one_and_together() {
    let ended = Mutex::new(Vec::new());
    let child = async |name: &'static str| {
        let reason = cancelled().await;
        ended.lock().unwrap().push((name, reason.kind()));
    };
    drive(scope().run(async |s: Scope<'_, Infallible>| {
        let ids = ["a", "b", "c"].map(|name| s.go(child(name)).id().unwrap());
        yield_now().await;
        let other = scope().run(async |other: Scope<'_, Infallible>| {
            let id = other.go(for_ever()).id().unwrap();
            assert!(!s.cancel_task(id), "it is another scope's");
            other.cancel_children();
            Ok(())
        });
        other.await.unwrap();
        assert_eq!((s.cancel_task(ids[1]), s.cancel_task(ids[1])), (true, false));
        while s.len() == 3 {
            yield_now().await;
        }
        assert!(!s.cancel_task(ids[1]), "it has ended");
        assert_eq!((s.cancel_children(), s.cancel_children()), (2, 0));
        s.idle().await;
        assert!(!s.is_cancelled());
        assert_eq!(s.fork(async { Ok(7) }).await.unwrap(), 7);
        Ok(())
    }))
    .unwrap();
    let ended = ended.into_inner().unwrap();
    assert_eq!(ended.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["b", "a", "c"]);
}

#[test]
fn i39_children_are_cancelled_from_another_thread() {
    let left = AtomicUsize::new(0);
    drive(scope().run(async |s: Scope<'_, Infallible>| {
        for _ in 0..200 {
            s.go(async {
                cancelled().await;
                left.fetch_add(1, Ordering::Relaxed);
            });
        }
        yield_now().await;
        let others = || [0, 1].map(|_| s.clone());
        let counts = std::thread::scope(|threads| {
            let cancel = |s: Scope<'_, Infallible>| s.cancel_children();
            others().map(|s| threads.spawn(move || cancel(s))).map(|thread| thread.join().unwrap())
        });
        assert_eq!(counts.iter().sum::<usize>(), 200, "each by one of them");
        s.idle().await;
        Ok(())
    }))
    .unwrap();
    assert_eq!(left.into_inner(), 200);
}

#[test]
fn i40_a_failure_that_is_told_counts() {
    let error = drive(scope().run(async |s: Scope<'_, String>| {
        let worker = s.clone();
        s.task("writer").spawn(async move {
            cancelled().await;
            assert!(worker.fail("3 records lost".to_string()));
            Ok(())
        });
        yield_now().await;
        s.cancel();
        Ok(())
    }))
    .unwrap_err();
    assert_eq!((error.first().name(), error.failures().len()), (Some("writer"), 1));
    assert_eq!(error.into_error().unwrap(), "3 records lost");
}

#[test]
fn i40_the_body_and_other_tasks_may_fail_it_until_it_has_ended() {
    let (mut kept, waits) = (None, Mutex::new(None));
    let error = drive(scope().name("s").run(async |s: Scope<'_, String>| {
        kept = Some(s.clone());
        s.go(async { *waits.lock().unwrap() = Some(cancelled().await.kind()) });
        yield_now().await;
        assert!(s.fail("first".to_string()));
        std::thread::scope(|threads| {
            threads.spawn(|| s.fail("second".to_string())).join().unwrap()
        });
        assert!(s.is_cancelled());
        Ok(())
    }))
    .unwrap_err();
    assert_eq!(error.errors().collect::<Vec<_>>(), ["first", "second"]);
    assert!(waits.lock().unwrap().is_some(), "the others are cancelled");
    assert!(!kept.unwrap().fail("late".to_string()));
}
