//! Clauses o..: which nursery owns which child.

use super::{BoxChild, Nursery, nursery};
use crate::probe::{Counts, Gate, eventually};
use allhome::cancel::ReasonKind;
use allhome::runtime::Runtime;
use allhome::task::Opener;
use allhome::yield_now;
use futures_util::FutureExt;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::Mutex;

pub(super) async fn o01_home_means_destroyed(runtime: Runtime) {
    let counts = Counts::new();
    nursery()
        .on(runtime)
        .run(async |n: Nursery<Infallible>| {
            for i in 0..100 {
                let guard = counts.guard();
                n.spawn(async move {
                    for _ in 0..i % 3 {
                        yield_now().await;
                    }
                    drop(guard);
                    Ok(())
                });
            }
            for _ in 0..100 {
                n.spawn(counts.parked().child());
            }
            eventually(|| counts.polls() == 100).await;
            n.cancel();
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(counts.drops(), 200);
}

pub(super) async fn o02_value_nobody_joins_is_dropped_first(runtime: Runtime) {
    let counts = Counts::new();
    nursery()
        .on(runtime)
        .run(async |n: Nursery<Infallible>| {
            for _ in 0..50 {
                let guard = counts.guard();
                drop(n.fork(async move { Ok(guard) }));
            }
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(counts.drops(), 50);
}

pub(super) async fn o03_run_waits_for_children_after_the_body(runtime: Runtime) {
    let gate = Gate::new();
    let counts = Counts::new();
    let mut run = Box::pin(nursery().on(runtime).run(async |n: Nursery<Infallible>| {
        let (gate, guard) = (gate.clone(), counts.guard());
        n.spawn(async move {
            gate.wait().await;
            drop(guard);
            Ok(())
        });
        Ok(5)
    }));
    for _ in 0..10 {
        assert!(run.as_mut().now_or_never().is_none(), "a child is out");
        yield_now().await;
    }
    gate.open();
    assert_eq!(run.await.unwrap(), 5);
    assert_eq!(counts.drops(), 1);
}

pub(super) async fn o04_drop_of_run_destroys_who_waits(runtime: Runtime) {
    let counts = Counts::new();
    let mut run = Box::pin(nursery().on(runtime).run(async |n: Nursery<Infallible>| {
        for _ in 0..20 {
            n.spawn(counts.parked().child());
        }
        std::future::pending::<Result<(), _>>().await
    }));
    assert!(run.as_mut().now_or_never().is_none());
    eventually(|| counts.polls() == 20).await;
    // A task that has just been polled may not have been put away yet: those are handed on.
    drop(run);
    eventually(|| counts.drops() == 20).await;
    assert_eq!(counts.polls(), 20, "no child was polled again");
}

pub(super) async fn o07_drop_of_handle_neither_kills_nor_detaches(runtime: Runtime) {
    let gate = Gate::new();
    let counts = Counts::new();
    nursery()
        .on(runtime)
        .run(async |n: Nursery<Infallible>| {
            let (wait, guard) = (gate.clone(), counts.guard());
            let child = n.fork(async move {
                wait.wait().await;
                Ok(guard)
            });
            drop(child);
            assert_eq!((n.len(), counts.drops()), (1, 0));
            gate.open();
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(counts.drops(), 1);
}

pub(super) async fn o08_spawn_after_close_is_refused(runtime: Runtime) {
    let counts = Counts::new();
    nursery()
        .on(runtime)
        .run(async |n: Nursery<Infallible>| {
            assert!(n.close());
            assert!(!n.close(), "it was closed before");
            let late = n.spawn(counts.parked().child());
            assert_eq!(late.refused().unwrap().kind(), ReasonKind::Closed);
            assert_eq!((counts.polls(), counts.drops()), (0, 1));
            let error = n.fork(counts.parked().child()).await.unwrap_err();
            assert_eq!(error.reason().unwrap().kind(), ReasonKind::Closed);
            assert_eq!((counts.polls(), counts.drops()), (0, 2));
            Ok(())
        })
        .await
        .unwrap();
}

pub(super) async fn o09_spawn_into_cancelled_is_refused_with_its_reason(runtime: Runtime) {
    let counts = Counts::new();
    nursery()
        .on(runtime)
        .run(async |n: Nursery<Infallible>| {
            n.cancel_with(allhome::Reason::new("enough"));
            let late = n.spawn(counts.parked().child());
            assert_eq!(late.refused().unwrap().message(), "enough");
            assert_eq!((counts.polls(), counts.drops()), (0, 1));
            Ok(())
        })
        .await
        .unwrap();
}

pub(super) async fn o10_children_in_flight_are_all_that_is_kept(runtime: Runtime) {
    nursery()
        .on(runtime)
        .run(async |n: Nursery<Infallible>| {
            for _ in 0..200 {
                for _ in 0..50 {
                    n.spawn(async { Ok(()) });
                }
                eventually(|| n.is_empty()).await;
            }
            assert_eq!(n.tree().tasks(), 0);
            Ok(())
        })
        .await
        .unwrap();
}

pub(super) async fn o11_nested_nursery_inherits_and_is_listed(runtime: Runtime) {
    let name = runtime.name();
    nursery()
        .on(runtime)
        .run(async |n: Nursery<Infallible>| {
            let inside = Gate::new();
            let go_on = Gate::new();
            let (tell, wait) = (inside.clone(), go_on.clone());
            n.spawn(async move {
                let inner = nursery().name("inner").run(async |inner: Nursery<Infallible>| {
                    assert_eq!(inner.runtime().name(), name);
                    inner.task("leaf").spawn(std::future::pending());
                    tell.open();
                    wait.wait().await;
                    inner.cancel();
                    Ok(())
                });
                inner.await.unwrap();
                Ok(())
            });
            inside.wait().await;
            let tree = n.tree();
            assert_eq!(tree.nurseries().len(), 2);
            let inner = &tree.nurseries()[1];
            assert_eq!((inner.name.as_deref(), inner.depth), (Some("inner"), 1));
            assert_eq!(inner.opened_by, Opener::Task(tree.nurseries()[0].tasks[0].id));
            assert_eq!(inner.tasks[0].name.as_deref(), Some("leaf"));
            go_on.open();
            Ok(())
        })
        .await
        .unwrap();
}

struct SpawnsInDrop(Nursery<Infallible>, Counts);

impl Drop for SpawnsInDrop {
    fn drop(&mut self) {
        let guard = self.1.guard();
        self.0.spawn(async move {
            drop(guard);
            Ok(())
        });
    }
}

pub(super) async fn o12_spawn_from_a_destructor(runtime: Runtime) {
    let counts = Counts::new();
    nursery()
        .on(runtime.clone())
        .run(async |n: Nursery<Infallible>| {
            for _ in 0..10 {
                let last = SpawnsInDrop(n.clone(), counts.clone());
                n.spawn(async move {
                    let _last = last;
                    Ok(())
                });
            }
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(counts.drops(), 10, "admitted, and waited for");
    let refused = Counts::new();
    nursery()
        .on(runtime)
        .run(async |n: Nursery<Infallible>| {
            for _ in 0..10 {
                let last = SpawnsInDrop(n.clone(), refused.clone());
                n.spawn(async move {
                    let _last = last;
                    std::future::pending().await
                });
            }
            n.abort();
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(refused.drops(), 10, "refused, and dropped");
}

pub(super) async fn o13_handle_after_the_end(runtime: Runtime) {
    let mut kept = None;
    nursery()
        .on(runtime)
        .run(async |n: Nursery<Infallible>| {
            kept = Some(n.clone());
            Ok(())
        })
        .await
        .unwrap();
    let n = kept.unwrap();
    let counts = Counts::new();
    let late = n.spawn(counts.parked().child());
    assert_eq!(late.refused().unwrap().kind(), ReasonKind::Closed);
    assert_eq!((counts.polls(), counts.drops()), (0, 1));
    n.cancel();
    n.abort();
    assert_eq!((n.len(), n.tree().tasks()), (0, 0));
}

pub(super) async fn o14_child_joined_after_the_end_and_elsewhere(runtime: Runtime) {
    let mut kept = None;
    nursery()
        .on(runtime.clone())
        .run(async |n: Nursery<Infallible>| {
            kept = Some(n.fork(async { Ok(7) }));
            Ok(())
        })
        .await
        .unwrap();
    let child = kept.unwrap();
    assert!(child.is_ended() && !child.cancel() && !child.abort());
    let joined = Arc::new(Mutex::new(0));
    let put = joined.clone();
    nursery()
        .on(runtime)
        .run(async |n: Nursery<Infallible>| {
            n.spawn(async move {
                *put.lock().unwrap() = child.await.unwrap();
                Ok(())
            });
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(*joined.lock().unwrap(), 7);
}

fn down(left: usize, counts: Counts, bottom: Gate) -> BoxChild<()> {
    Box::pin(async move {
        let _guard = counts.guard();
        if left == 0 {
            bottom.open();
            return std::future::pending().await;
        }
        let inner = nursery().run(async |n: Nursery<Infallible>| {
            n.spawn(down(left - 1, counts.clone(), bottom));
            Ok(())
        });
        let _cut = inner.await;
        Ok(())
    })
}

pub(super) async fn o15_ten_thousand_nurseries_deep(runtime: Runtime) {
    const DEPTH: usize = 10_000;
    for way in 0..3 {
        let counts = Counts::new();
        let bottom = Gate::new();
        let mut run =
            Box::pin(nursery().on(runtime.clone()).run(async |n: Nursery<Infallible>| {
                n.spawn(down(DEPTH, counts.clone(), bottom.clone()));
                bottom.wait().await;
                assert_eq!(n.tree().tasks(), DEPTH + 1);
                match way {
                    0 => drop(n.cancel()),
                    1 => drop(n.abort()),
                    _ => std::future::pending::<()>().await,
                }
                Ok(())
            }));
        if way < 2 {
            run.await.unwrap();
        } else {
            while run.as_mut().now_or_never().is_none() && counts.drops() == 0 {
                let open = bottom.wait().now_or_never().is_some();
                if open {
                    break;
                }
                yield_now().await;
            }
            drop(run);
            eventually(|| counts.drops() == DEPTH + 1).await;
        }
        assert_eq!(counts.drops(), DEPTH + 1);
    }
}

pub(super) async fn o17_child_spawns_siblings(runtime: Runtime) {
    let counts = Counts::new();
    let sum = nursery()
        .on(runtime)
        .run(async |n: Nursery<Infallible>| {
            let count = counts.clone();
            let siblings = n.clone();
            let child = n.fork(async move {
                for _ in 0..10 {
                    let guard = count.guard();
                    siblings.spawn(async move {
                        drop(guard);
                        Ok(())
                    });
                }
                Ok(3)
            });
            Ok(child.await.unwrap())
        })
        .await
        .unwrap();
    assert_eq!((sum, counts.drops()), (3, 10));
}
