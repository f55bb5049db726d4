//! The core on the simulator: a program that uses a bit of everything under many schedules and
//! faults, and another that is ended at each of its await points.

use allhome::runtime::IntoRuntime;
use allhome::sim::{Bare, Faults};
use allhome::{
    Nursery, Semaphore, Simulator, fail_after, move_on_after, nursery, shield, sleep, yield_now,
};
use allhome_conformance::Counts;
use allhome_runs::program;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn holds(simulator: &Bare, exact: bool) {
    let found = simulator.explore(async |sim| {
        let runtime = sim.into_runtime().expect("it is there");
        program(&runtime, exact).await;
    });
    assert!(found.failure().is_none(), "{found}");
}

#[test]
fn y04_everything_holds_under_many_schedules() {
    holds(&Bare::new(), true);
    holds(&Bare::new().seed(7).schedules(100), true);
    holds(&Bare::new().pct(3).seed(7).schedules(100), true);
}

#[test]
fn y10_everything_holds_with_faults() {
    let spurious = Faults { spurious_wakes: true, ..Faults::default() };
    holds(&Bare::new().seed(7).schedules(50).faults(spurious), false);
    let threads = Faults { threads: 2, ..Faults::default() };
    holds(&Bare::new().seed(7).schedules(5).faults(threads), true);
}

/// What a run of [`rich`] leaves.
#[derive(Clone)]
struct Left {
    limit: Arc<Semaphore>,
    counts: Counts,
    begun: Arc<AtomicUsize>,
    tidied: Arc<AtomicUsize>,
}

impl Left {
    fn new() -> Left {
        let (begun, tidied) = Default::default();
        Left { limit: Arc::new(Semaphore::new(2)), counts: Counts::new(), begun, tidied }
    }

    fn guard(&self) -> allhome_conformance::Guard {
        self.begun.fetch_add(1, Ordering::SeqCst);
        self.counts.guard()
    }

    fn check(&self) {
        assert_eq!(self.limit.available(), 2, "permits are back");
        assert_eq!(self.limit.waiters(), 0);
        assert_eq!(self.counts.drops(), self.begun.load(Ordering::SeqCst), "all are home");
        assert_eq!(self.tidied.load(Ordering::SeqCst), 1, "the finalizer ran once");
    }
}

async fn rich(n: Nursery<Infallible>, left: Left) -> Result<(), Infallible> {
    let (_home, tidied) = (left.guard(), left.tidied.clone());
    let tidy = async move {
        sleep(SECOND).await;
        tidied.fetch_add(1, Ordering::SeqCst);
        Ok(())
    };
    n.defer(SECOND * 60, tidy);
    for number in 0..4 {
        let left = left.clone();
        n.spawn(async move {
            let _home = left.guard();
            let _permit = left.limit.acquire().await;
            sleep(SECOND * number).await;
            yield_now().await;
            Ok(())
        });
    }
    let inside = left.clone();
    let nested = n.fork(async move {
        let _home = inside.guard();
        let run = nursery().grace(SECOND).limit(2).run(async |inner: Nursery<Infallible>| {
            for _ in 0..3 {
                let inside = inside.clone();
                inner.spawn(async move {
                    let _home = inside.guard();
                    let _ = shield(SECOND, sleep(SECOND * 2)).await;
                    let _ = move_on_after(SECOND, inside.limit.acquire()).await;
                    Ok(())
                });
            }
            yield_now().await;
            Ok(())
        });
        drop(run.await);
        Ok(())
    });
    let guard = left.guard();
    drop(n.blocking(move |_| {
        drop(guard);
        Ok(())
    }));
    let _ = nested.await;
    let _ = fail_after(SECOND, std::future::pending::<()>()).named("late").await;
    Ok(())
}

#[test]
fn y11_everything_is_home_wherever_it_is_struck() {
    for simulator in [Simulator::new(), Simulator::new().seed(7), Simulator::new().pct(2).seed(7)] {
        let report = simulator.inject(|| {
            let left = Left::new();
            let own = left.clone();
            (async move |n: Nursery<Infallible>| rich(n, own).await, move || left.check())
        });
        println!("{report}");
        assert!(report.points() > 15, "{report}");
        assert_eq!(report.failed(), 0, "{report}");
    }
}
