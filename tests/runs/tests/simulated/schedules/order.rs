//! Schedules: which orders there are, and which of them are taken.

use super::{Log, taken};
use allhome::sim::{Bare, SimHandle};
use allhome::{Nursery, Simulator, yield_now};
use std::convert::Infallible;
use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

/// Spawns tasks that write their number down, each so many times.
async fn writers(sim: SimHandle, tasks: usize, turns: usize) -> Vec<usize> {
    let log: Log<usize> = Log::default();
    let done = Arc::new(AtomicUsize::new(0));
    let root: Arc<Mutex<Option<Waker>>> = Arc::default();
    for number in 0..tasks {
        let (log, done, root) = (log.clone(), done.clone(), root.clone());
        sim.spawn_future(async move {
            for turn in 0..turns {
                if turn > 0 {
                    yield_now().await;
                }
                log.lock().unwrap().push(number);
            }
            if done.fetch_add(1, Ordering::SeqCst) + 1 == tasks {
                root.lock().unwrap().take().unwrap().wake();
            }
        });
    }
    poll_fn(|cx| {
        if done.load(Ordering::SeqCst) == tasks {
            return Poll::Ready(());
        }
        *root.lock().unwrap() = Some(cx.waker().clone());
        Poll::Pending
    })
    .await;
    taken(&log)
}

/// Runs it under all schedules, and returns how many those were and which orders they gave.
fn orders(simulator: Bare, tasks: usize, turns: usize) -> (u64, bool, usize) {
    let seen = Mutex::new(std::collections::BTreeSet::new());
    let found = simulator.explore(async |sim| {
        let order = writers(sim, tasks, turns).await;
        seen.lock().unwrap().insert(order);
    });
    let orders = seen.into_inner().unwrap().len();
    (found.schedules(), found.unwrap().is_complete(), orders)
}

#[test]
fn y04_exhaustive_takes_every_order_once() {
    let exhaustive = || Bare::new().exhaustive();
    assert_eq!(orders(exhaustive(), 4, 1), (24, true, 24), "4!");
    assert_eq!(orders(exhaustive(), 3, 2), (90, true, 90), "6! / (2!)^3");
    // With one deviation a task may be taken from any later place, once.
    let (schedules, complete, found) = orders(exhaustive().deviations(1), 4, 1);
    assert_eq!((schedules, complete, found), (1 + 3 + 2 + 1, false, 7));
    let (schedules, complete, _) = orders(exhaustive().depth(1), 4, 1);
    assert_eq!((schedules, complete), (4, false));
    let (schedules, complete, _) = orders(exhaustive().schedules(5), 4, 1);
    assert_eq!((schedules, complete), (5, false));
}

#[test]
fn y04_few_deviations_come_first() {
    // The root polls as long as it takes, so depth first alone comes to the first decision last.
    let found = Bare::new().exhaustive().explore(async |sim: SimHandle| {
        let log: Log<usize> = Log::default();
        for number in 0..2 {
            let log = log.clone();
            sim.spawn_future(async move { log.lock().unwrap().push(number) });
        }
        while log.lock().unwrap().len() < 2 {
            yield_now().await;
        }
        assert_eq!(taken(&log), [0, 1]);
    });
    assert!(found.schedules() < 10, "after {} schedules", found.schedules());
    assert_eq!(found.failure().unwrap().choices().to_string(), "sim1/0=1");
}

#[test]
fn y04_first_come_first_served_is_the_default() {
    let order = Bare::new().run(async |sim| writers(sim, 3, 2).await);
    assert_eq!(order.unwrap(), [0, 1, 2, 0, 1, 2]);
}

#[test]
fn y04_seeds_and_priorities_find_all_orders() {
    let simulator = Bare::new().seed(7).schedules(300);
    assert_eq!(orders(simulator.clone(), 4, 1), (300, false, 24));
    assert_eq!(orders(simulator.pct(2), 4, 1), (300, false, 24));
}

#[test]
fn y09_first_polls_of_children_are_in_any_order() {
    let seen = Mutex::new(std::collections::BTreeSet::new());
    let found = Simulator::new().exhaustive().check(async |n: Nursery<Infallible>| {
        let log: Log<u32> = Log::default();
        let children: Vec<_> = (0..3)
            .map(|number| {
                let log = log.clone();
                n.fork(async move {
                    log.lock().unwrap().push(number);
                    Ok(())
                })
            })
            .collect();
        for child in children {
            child.await.unwrap();
        }
        seen.lock().unwrap().insert(taken(&log));
        Ok(())
    });
    assert!(found.is_complete());
    assert_eq!(seen.into_inner().unwrap().len(), 6);
}
