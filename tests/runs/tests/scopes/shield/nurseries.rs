//! Nurseries in shields, and shields in their bodies and children.

use super::{ENDS, ended_by};
use allhome::cancel::Level;
use allhome::{Nursery, is_cancelled, move_on_after, nursery, shield, sleep, yield_now};
use allhome_runs::{Log, SECOND, Wakes, poll_once, world};
use futures_util::future::{Either, select};
use std::convert::Infallible;
use std::future::pending;

#[test]
fn h06_nursery_in_a_shield_is_cancelled_when_it_is_lifted() {
    let ways = ENDS.into_iter().flat_map(|end| [(2, 3, end), (9, 5, end)]);
    for (budget, ends, end) in ways {
        let (after, log) = ended_by(end, |log| async move {
            let protected = shield(budget * SECOND, async move {
                let inner = nursery().run(async |n: Nursery<Infallible>| {
                    n.spawn(async move {
                        sleep(5 * SECOND).await;
                        log.note(format!("done, {}", is_cancelled()));
                        Ok(())
                    });
                    sleep(2 * SECOND).await;
                    assert!(!n.is_cancelled());
                    Ok(())
                });
                inner.await
            });
            let result = protected.await;
            assert!(result.is_ok(), "the body had its value: {result:?}");
        });
        assert_eq!(after, ends * SECOND, "budget {budget}");
        assert_eq!(log.len(), usize::from(budget > 5));
    }
}

#[test]
fn h11_body_has_shields_too() {
    for end in [Nursery::<Infallible>::cancel, Nursery::<Infallible>::abort] {
        let (stepped, clock, runtime) = world();
        let log = Log::default();
        let inside = log.clone();
        let run = nursery().on(runtime).run(async |n: Nursery<Infallible>| {
            end(&n);
            shield(2 * SECOND, sleep(SECOND)).await;
            let _guard = inside.on_drop("body");
            shield(2 * SECOND, pending::<()>()).await;
            Ok(())
        });
        assert!(clock.drive(&stepped, run).is_err());
        assert_eq!(clock.elapsed(), 3 * SECOND);
        assert_eq!(log.take(), ["body dropped, cancelled"]);
    }
}

/// The body of a nursery inside a task goes with the task.
#[test]
fn h11_shield_in_the_body_of_a_nursery_inside() {
    for end in ENDS {
        let (after, log) = ended_by(end, |log| async move {
            let inner = nursery().run(async |_: Nursery<Infallible>| {
                let innermost = nursery().run(async |_: Nursery<Infallible>| {
                    shield(5 * SECOND, sleep(3 * SECOND)).await;
                    log.note("done");
                    Ok(())
                });
                innermost.await.unwrap();
                Ok(())
            });
            inner.await.unwrap();
            yield_now().await;
            unreachable!("it was cancelled");
        });
        assert_eq!((after, log), (3 * SECOND, vec!["done".to_string()]));
    }
    // And with a scope.
    let (after, log) = ended_by(
        |_, _| {},
        |log| async move {
            let cut = move_on_after(2 * SECOND, async {
                let inner = nursery().run(async |_: Nursery<Infallible>| {
                    shield(9 * SECOND, sleep(5 * SECOND)).await;
                    log.note("done");
                    Ok(())
                });
                inner.await.is_ok()
            });
            assert_eq!(cut.await, Some(true));
        },
    );
    assert_eq!((after, log), (5 * SECOND, vec!["done".to_string()]));
}

#[test]
fn h14_drop_of_the_nursery_waits_for_its_shields_elsewhere() {
    let (stepped, clock, runtime) = world();
    let log = Log::default();
    let inside = log.clone();
    let run = nursery().on(runtime).run(async |n: Nursery<Infallible>| {
        let inner = nursery().run(async |n: Nursery<Infallible>| {
            n.task("kept").spawn(async move {
                let _guard = inside.on_drop("child");
                shield(9 * SECOND, sleep(5 * SECOND)).await;
                inside.note("done");
                Ok(())
            });
            pending::<Result<(), _>>().await
        });
        let cut = select(Box::pin(inner), Box::pin(sleep(SECOND)));
        let cut = cut.await;
        assert!(matches!(cut, Either::Right(_)));
        drop(cut);
        let tree = n.tree();
        let adopted = &tree.nurseries()[1];
        assert!(adopted.adopted && adopted.level == Level::Aborted);
        assert_eq!(adopted.tasks[0].name.as_deref(), Some("kept"));
        Ok(())
    });
    let mut run = Box::pin(run);
    let wakes = Wakes::new();
    assert!(poll_once(&mut run, &wakes).is_pending());
    clock.drive(&stepped, run).unwrap();
    assert_eq!(clock.elapsed(), 5 * SECOND, "the nursery around waited");
    assert_eq!(log.take().len(), 2);
}
