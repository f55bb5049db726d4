//! Scopes under the simulator: every order of a small program, and an end at every await point.

use allhome::in_place::ScopeChild;
use allhome::{Nursery, Policy, Scope, Semaphore, Simulator, scope, sleep, yield_now};
use allhome_runs::SECOND;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts what is alive.
#[derive(Clone, Default)]
struct Live(Arc<AtomicUsize>);

impl Live {
    fn guard(&self) -> Live {
        self.0.fetch_add(1, Ordering::SeqCst);
        Live(self.0.clone())
    }
}

/// A scope whose children borrow, fail under a policy that isolates, wait and are joined.
async fn rich(live: &Live) {
    let (words, permits) = (["a", "bcd"], Semaphore::new(1));
    let (words, permits) = (&words, &permits);
    let run = scope().limit(2).policy(Policy::Isolate).run(async |s: Scope<'_, &str>| {
        let lengths = words.map(|word| -> ScopeChild<usize, &str> {
            let own = live.0.clone();
            own.fetch_add(1, Ordering::SeqCst);
            let own = Own(own);
            s.fork(async move {
                let _own = own;
                let _permit = permits.acquire().await;
                yield_now().await;
                Ok(word.len())
            })
        });
        s.spawn(async {
            sleep(SECOND).await;
            Err("isolated")
        });
        let own = Own(live.guard().0);
        s.defer(SECOND, async move {
            yield_now().await;
            drop(own);
            Ok(())
        });
        for length in lengths {
            // It may have been struck.
            drop(length.await);
        }
        Ok(())
    });
    drop(run.await);
}

struct Own(Arc<AtomicUsize>);

impl Drop for Own {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn i37_an_end_at_every_await_point() {
    let report = Simulator::new().inject(|| {
        let live = Live::default();
        let check = live.clone();
        let body = async move |n: Nursery<Infallible>| {
            n.go(async move { rich(&live).await });
            Ok(())
        };
        (body, move || assert_eq!(check.0.load(Ordering::SeqCst), 0, "something is left"))
    });
    println!("{report}");
    assert!(report.points() >= 9, "children count: {report}");
    assert!(report.panics() > 5, "{report}");
    report.unwrap();
}

#[test]
fn i37_every_order_of_a_scope_and_a_task_that_wakes_it() {
    let runs = Arc::new(AtomicUsize::new(0));
    let found = Simulator::new().exhaustive().check(async |n: Nursery<Infallible>| {
        runs.fetch_add(1, Ordering::SeqCst);
        let permits = Arc::new(Semaphore::new(1));
        for _ in 0..2 {
            let permits = permits.clone();
            n.go(async move {
                let _permit = permits.acquire().await;
                yield_now().await;
            });
        }
        let run = scope().run(async |s: Scope<'_, Infallible>| {
            let parts = [1, 2].map(|part| {
                let permits = &permits;
                s.fork(async move {
                    let _permit = permits.acquire().await;
                    Ok(part)
                })
            });
            let mut sum = 0;
            for part in parts {
                sum += part.value().await;
            }
            Ok(sum)
        });
        assert_eq!(run.await.unwrap(), 3);
        Ok(())
    });
    println!("{found}");
    assert!(found.is_complete());
    assert!(runs.load(Ordering::SeqCst) > 1);
}
