//! A time limit around a shutdown, work that is refused meanwhile, and waiting for a drain.

use super::works;
use allhome::cancel::Level;
use allhome::{Nursery, move_on_after, nursery, sleep};
use allhome_runs::{Boxed, Log, MOMENT, Opened, SECOND, Stepped, everywhere, in_body};
use futures_util::FutureExt;
use std::convert::Infallible;
use std::time::Duration;

#[test]
fn d07_a_time_limit_around_a_shutdown_ends_it() {
    in_body(async |clock| {
        let run = nursery().run(async |n: Nursery<Infallible>| {
            n.spawn(works(60, 0));
            let limited = move_on_after(6 * SECOND, n.shutdown().drain(70 * SECOND));
            assert!(limited.await.is_none());
            assert_eq!((clock.elapsed(), n.level()), (6 * SECOND, Level::Draining));
            // Its own cancel does not cut it short, in a time limit either.
            let quick = n.shutdown().drain(SECOND);
            let report = move_on_after(60 * SECOND, quick).await.unwrap().unwrap();
            assert_eq!((report.level(), report.all_home()), (Level::Cancelled, true));
            Ok(())
        });
        run.await.unwrap();
        assert_eq!(clock.elapsed(), 7 * SECOND);
    });
}

/// The same in every schedule, and on threads.
#[test]
fn d07_a_time_limit_everywhere() {
    everywhere(async |_: Nursery<Boxed>| {
        let run = nursery().run(async |n: Nursery<Boxed>| {
            n.spawn(async {
                sleep(1_000 * MOMENT).await;
                Ok(())
            });
            let patient = n.shutdown().drain(Duration::MAX);
            assert!(move_on_after(MOMENT, patient).await.is_none());
            assert_eq!(n.level(), Level::Draining);
            n.abort();
            Ok(())
        });
        Ok(run.await?)
    });
}

/// Requests that are under way when the drain begins, and a follow-up of each.
#[test]
fn o27_the_report_of_a_shutdown_counts_what_was_refused() {
    everywhere(async |_: Nursery<Boxed>| {
        let run = nursery().run(async |n: Nursery<Boxed>| {
            for _ in 0..10 {
                let m = n.clone();
                n.spawn(async move {
                    sleep(2 * MOMENT).await;
                    m.spawn(async { Ok(()) });
                    Ok(())
                });
            }
            Ok(n.shutdown().await?)
        });
        let report = run.await?;
        assert_eq!((report.refused_count(), report.level()), (10, Level::Draining));
        assert!(report.to_string().contains(", 10 refused"), "{report}");
        Ok(())
    });
}

#[test]
fn d11_draining_by_handle_asks_the_nursery_that_is_named() {
    let log = Log::default();
    let inside = log.clone();
    in_body(async |_| {
        let run = nursery().run(async |server: Nursery<Infallible>| {
            let (stop, noted) = (server.draining(), inside.clone());
            server.spawn(async move {
                let own = nursery().run(async |_: Nursery<Infallible>| Ok(stop.await));
                noted.note(format!("{:?}", own.await.unwrap()));
                Ok(())
            });
            sleep(SECOND).await;
            inside.note("closes");
            server.close();
            Ok(())
        });
        run.await.unwrap();
    });
    assert_eq!(log.take(), ["closes", "Draining"]);
}

/// A nursery that ends takes no more children, although it was not raised.
#[test]
fn d11_draining_by_handle_is_ready_when_the_nursery_has_ended() {
    let stepped = Stepped::new(1);
    let mut opened = Opened::new(allhome::nursery().on(stepped.runtime()));
    let (before, dropped) = (opened.n.draining(), opened.n.draining());
    let mut before = Box::pin(before);
    assert!(before.as_mut().now_or_never().is_none());
    drop(dropped);
    let n = opened.n.clone();
    assert!(opened.finish().is_ready());
    assert_eq!(before.now_or_never(), Some(Level::Draining));
    assert_eq!(n.draining().now_or_never(), Some(Level::Draining));
}
