//! Local nurseries in the simulator.

use allhome::error::Cause;
use allhome::local::LocalNursery;
use allhome::sim::{SimError, SimLocal, inject};
use allhome::{Nursery, Simulator, nursery, sleep, yield_now};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

#[test]
fn m09_each_order_of_the_children_is_explored() {
    let seen = RefCell::new(BTreeSet::new());
    let explored = Simulator::new().exhaustive().check(async |_: Nursery<Infallible>| {
        let log = Rc::new(RefCell::new(String::new()));
        let run = nursery().local(SimLocal).run(async |n: LocalNursery<Infallible>| {
            for name in ["a", "b"] {
                let log = log.clone();
                n.go(async move {
                    log.borrow_mut().push_str(name);
                    yield_now().await;
                    log.borrow_mut().push_str(name);
                });
            }
            Ok(())
        });
        assert!(run.await.is_ok());
        seen.borrow_mut().insert(log.take());
        Ok(())
    });
    assert!(explored.is_complete(), "{explored}");
    let orders: Vec<_> = seen.into_inner().into_iter().collect();
    assert_eq!(orders, ["aabb", "abab", "abba", "baab", "baba", "bbaa"]);
}

#[test]
fn m09_an_hour_passes_in_no_time_and_a_child_is_dropped_at_its_end() {
    let run = Simulator::new().run(async |_: Nursery<Infallible>| {
        let held = Rc::new(Cell::new(0));
        let run = nursery().local(SimLocal).deadline(Duration::from_secs(3_600));
        let ended = run.run(async |n: LocalNursery<Infallible>| {
            let held = held.clone();
            n.go(async move {
                loop {
                    sleep(Duration::from_secs(60)).await;
                    held.set(held.get() + 1);
                }
            });
            std::future::pending::<Result<(), _>>().await
        });
        assert!(ended.await.is_err(), "the deadline has passed");
        Ok((held.get(), Rc::strong_count(&held)))
    });
    assert_eq!(run.unwrap(), (60, 1), "what is ready in the last poll counts");
}

#[test]
fn m09_nothing_is_left_wherever_it_is_struck() {
    let report = inject(|| {
        let held = Rc::new(());
        let kept = held.clone();
        let body = async move |_: Nursery<Infallible>| {
            let run = nursery().local(SimLocal).run(async |n: LocalNursery<Infallible>| {
                for _ in 0..2 {
                    let held = kept.clone();
                    n.go(async move {
                        yield_now().await;
                        sleep(Duration::from_secs(1)).await;
                        drop(held);
                    });
                }
                yield_now().await;
                Ok(())
            });
            drop(run.await);
            Ok::<_, Infallible>(())
        };
        (body, move || assert_eq!(Rc::strong_count(&held), 1, "a child is left"))
    });
    let report = report.unwrap();
    assert!(report.points() > 4, "{report}");
}

#[test]
fn m09_outside_of_a_simulation_there_is_none() {
    let run = nursery().local(SimLocal).run(async |_: LocalNursery<Infallible>| Ok(()));
    let error = allhome::block_on(run).unwrap_err();
    assert!(matches!(error.first().cause(), Cause::NoRuntime(_)), "{error}");
    assert!(error.to_string().contains("no simulation"), "{error}");
}

#[test]
fn y13_a_failure_names_the_children_of_a_local_nursery() {
    let run = Simulator::new().run(async |_: Nursery<Infallible>| {
        let run = nursery().local(SimLocal).run(async |n: LocalNursery<Infallible>| {
            n.task("left").go(std::future::pending());
            n.go(std::future::pending());
            Ok(())
        });
        drop(run.await);
        Ok(())
    });
    let Err(SimError::Failure(failure)) = run else { panic!("it does not hang") };
    let labels: Vec<_> = failure.tasks().iter().filter_map(|task| task.label.as_deref()).collect();
    assert!(labels.contains(&"`left`"), "{failure}");
    assert!(labels.iter().any(|label| label.starts_with("spawned at ")), "{failure}");
}
