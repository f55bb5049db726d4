//! Errors that are nothing but the echo of one's own cancel.

use allhome::error::Cause;
use allhome::{Nursery, Reason, Semaphore, checkpoint, move_on_after, nursery, shield, sleep};
use allhome_runs::{SECOND, in_body, world};
use std::error::Error;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

type Boxed = Box<dyn Error + Send + Sync>;
type Work = Pin<Box<dyn Future<Output = Result<(), Boxed>> + Send>>;

/// What waits for something that never comes, and says `?` to the cancel.
fn waiters(semaphore: &Arc<Semaphore>) -> Vec<(&'static str, Work)> {
    let [acquire, inside, limiter] = [(); 3].map(|()| semaphore.clone());
    vec![
        (
            "acquire",
            Box::pin(async move { acquire.acquire().await.map(drop).map_err(Boxed::from) }),
        ),
        (
            "checkpoint",
            Box::pin(async {
                while checkpoint().await.is_ok() {
                    sleep(SECOND).await;
                }
                Ok(checkpoint().await?)
            }),
        ),
        (
            "nursery",
            Box::pin(async move {
                let run = nursery().run(async |n: Nursery<Boxed>| {
                    n.spawn(async move { inside.acquire().await.map(drop).map_err(Boxed::from) });
                    pending::<Result<(), _>>().await
                });
                Ok(run.await.map_err(|error| error.to_string())?)
            }),
        ),
        (
            "slot",
            Box::pin(async move {
                let run = nursery().limiter(&limiter).run(async |n: Nursery<Boxed>| {
                    n.reserve().await?.spawn(pending());
                    Ok(())
                });
                Ok(run.await.map_err(|error| error.to_string())?)
            }),
        ),
    ]
}

#[test]
fn f22_an_echo_of_the_own_cancel_is_no_failure() {
    for index in 0..4 {
        for alone in [false, true] {
            let (stepped, clock, runtime) = world();
            let semaphore = Arc::new(Semaphore::new(1));
            let (name, work) = waiters(&semaphore).remove(index);
            let held = semaphore.try_acquire().unwrap();
            let run = nursery().on(runtime).run(async |n: Nursery<Boxed>| {
                let child = n.fork(work);
                sleep(5 * SECOND).await;
                if !alone {
                    n.cancel();
                    return Ok(());
                }
                child.cancel_with(Reason::new("enough"));
                let error = child.await.expect_err(name);
                assert_eq!(error.reason().expect(name).message(), "enough", "{name}");
                Ok(())
            });
            clock.drive(&stepped, run).unwrap_or_else(|error| panic!("{name}: {error}"));
            drop(held);
            assert_eq!((semaphore.available(), semaphore.waiters()), (1, 0));
        }
    }
}

#[test]
fn f22_an_echo_of_the_body() {
    for index in 0..4 {
        let (stepped, clock, runtime) = world();
        let semaphore = Arc::new(Semaphore::new(1));
        let (name, work) = waiters(&semaphore).remove(index);
        let _held = semaphore.try_acquire().unwrap();
        let run = nursery().on(runtime).deadline(5 * SECOND).run(|_: Nursery<Boxed>| work);
        let error = clock.drive(&stepped, run).unwrap_err();
        assert!(error.is_timeout() && error.failures().len() == 1, "{name}: {error}");
        assert!(matches!(error.first().cause(), Cause::Cancelled(_)), "{name}: {error}");
    }
}

/// The scope's time is over, and no task was cancelled.
#[test]
fn f22_an_error_of_a_scope_s_own_end_is_a_failure() {
    in_body(|_| async {
        let semaphore = Semaphore::new(1);
        let _held = semaphore.try_acquire().unwrap();
        let run = nursery().run(async |_: Nursery<Boxed>| {
            let inside = move_on_after(SECOND, semaphore.acquire()).await;
            Err::<(), _>(format!("{inside:?}").into())
        });
        let error = run.await.unwrap_err();
        assert!(matches!(error.first().cause(), Cause::Error(_)), "{error}");
    });
}

#[test]
fn f22_an_error_after_the_cancel_is_an_echo_however_late() {
    in_body(|_| async {
        let run = nursery().grace(9 * SECOND).run(async |n: Nursery<Boxed>| {
            let late = n.fork(async {
                let told = semaphore_like().await.is_err();
                sleep(SECOND).await;
                assert!(told);
                Err::<(), _>("while it tidied up".into())
            });
            let other = n.fork(async {
                shield(Duration::MAX, sleep(SECOND)).await;
                Err::<(), _>("in its own time".into())
            });
            sleep(Duration::from_millis(1)).await;
            n.cancel();
            for child in [late, other] {
                let error = child.await.expect_err("it has no value");
                assert!(error.reason().is_some(), "{error}");
            }
            Ok(())
        });
        run.await.expect("an echo is no failure");
    });
}

/// Waits until a cancel ends it with an error.
async fn semaphore_like() -> Result<(), Reason> {
    loop {
        allhome::cancelled().await;
        checkpoint().await?;
    }
}
