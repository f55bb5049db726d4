//! Clauses v..: values that are set for a scope.

use super::{Nursery, nursery};
use crate::probe::{Counts, Gate, eventually};
use allhome::runtime::Runtime;
use allhome::task::ScopedKey;
use allhome::yield_now;
use std::convert::Infallible;
use std::future::pending;
use std::sync::{Arc, Mutex};

static USER: ScopedKey<&'static str> = ScopedKey::new();
static OTHER: ScopedKey<&'static str> = ScopedKey::new();

fn user() -> Option<&'static str> {
    USER.get().as_deref().copied()
}

pub(super) async fn v01_value_is_inherited_by_all_inside(runtime: Runtime) {
    let run = nursery().on(&runtime).run(async |n: Nursery<Infallible>| {
        assert_eq!(user(), Some("ann"));
        let siblings = n.clone();
        let child = n.fork(async move {
            yield_now().await;
            let sibling = siblings.fork(async { Ok(user()) });
            let inner = nursery().run(async |inner: Nursery<Infallible>| {
                yield_now().await;
                Ok((user(), inner.fork(async { Ok(user()) }).await.unwrap()))
            });
            Ok((user(), sibling.await.unwrap(), inner.await.unwrap()))
        });
        let ann = Some("ann");
        assert_eq!(child.await.unwrap(), (ann, ann, (ann, ann)));
        Ok(())
    });
    USER.scope("ann", run).await.unwrap();
    assert_eq!(user(), None, "it is over");
    let run = nursery().on(runtime);
    let none =
        run.run(async |n: Nursery<Infallible>| Ok(n.fork(async { Ok(user()) }).await.unwrap()));
    assert_eq!(none.await.unwrap(), None);
}

pub(super) async fn v01_value_is_inherited_by_blocking_work(runtime: Runtime) {
    let run = nursery().on(runtime).run(async |n: Nursery<Infallible>| {
        let work = n.blocking(|cx| {
            // On another thread, so it is not a local one.
            let inside = allhome::nursery().run(async |inner: allhome::Nursery<Infallible>| {
                Ok(inner.fork(async { Ok(user()) }).await.unwrap())
            });
            Ok((user(), cx.block_on(inside).unwrap().unwrap()))
        });
        Ok(work.await.unwrap())
    });
    assert_eq!(USER.scope("ann", run).await.unwrap(), (Some("ann"), Some("ann")));
}

pub(super) async fn v02_child_has_the_values_of_its_nursery(runtime: Runtime) {
    let run = nursery().on(runtime).run(async |n: Nursery<Infallible>| {
        let spawning = async {
            assert_eq!(user(), Some("ben"));
            let child = n.fork(async { Ok(user()) });
            let fresh = nursery().run(async |inner: Nursery<Infallible>| {
                Ok(inner.fork(async { Ok(user()) }).await.unwrap())
            });
            (child.await.unwrap(), fresh.await.unwrap())
        };
        Ok(USER.scope("ben", spawning).await)
    });
    let found = USER.scope("ann", run).await.unwrap();
    assert_eq!(found, (Some("ann"), Some("ben")));
}

pub(super) async fn v03_scope_inside_sets_another(runtime: Runtime) {
    let run = nursery().on(runtime).run(async |n: Nursery<Infallible>| {
        let child = n.fork(async {
            let before = user();
            let inside = USER.scope("ben", async {
                yield_now().await;
                (user(), OTHER.get().as_deref().copied())
            });
            Ok((before, inside.await, user()))
        });
        Ok(child.await.unwrap())
    });
    let run = USER.scope("ann", OTHER.scope("other", run));
    let (ann, ben) = (Some("ann"), Some("ben"));
    assert_eq!(run.await.unwrap(), (ann, (ben, Some("other")), ann));
}

/// Notes the value that is set where it is dropped.
struct Notes(Arc<Mutex<Vec<Option<&'static str>>>>);

impl Drop for Notes {
    fn drop(&mut self) {
        self.0.lock().unwrap().push(user());
    }
}

pub(super) async fn v05_values_are_there_while_it_is_destroyed(runtime: Runtime) {
    let (seen, counts) = (Arc::default(), Counts::new());
    let run = nursery().on(runtime).run(async |n: Nursery<Infallible>| {
        for inside in [false, true] {
            let (notes, count) = (Notes(Arc::clone(&seen)), counts.clone());
            let waits = async move {
                let _notes = notes;
                count.polled();
                pending().await
            };
            if inside {
                n.spawn(USER.scope("ben", waits));
            } else {
                n.spawn(waits);
            }
        }
        eventually(|| counts.polls() == 2).await;
        n.abort();
        Ok(())
    });
    USER.scope("ann", run).await.unwrap();
    let mut seen = std::mem::take(&mut *seen.lock().unwrap());
    seen.sort();
    assert_eq!(seen, [Some("ann"), Some("ben")]);
}

pub(super) async fn v06_value_is_dropped_when_all_inside_is_over(runtime: Runtime) {
    static KEPT: ScopedKey<crate::probe::Guard> = ScopedKey::new();
    let (counts, gate) = (Counts::new(), Gate::new());
    let run = nursery().on(runtime).run(async |n: Nursery<Infallible>| {
        let inside = gate.clone();
        n.spawn(async move {
            inside.wait().await;
            assert!(KEPT.get().is_some());
            Ok(())
        });
        yield_now().await;
        assert_eq!(counts.drops(), 0);
        gate.open();
        Ok(())
    });
    KEPT.scope(counts.guard(), run).await.unwrap();
    // The thread that polled the child last may not have released the nursery yet.
    eventually(|| counts.drops() == 1).await;
}
