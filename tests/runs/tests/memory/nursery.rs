//! A nursery that has ended is freed, whatever it had: a timer, tokens, scopes around it, nurseries
//! inside, finalizers; also one whose future was dropped early.

use allhome::cancel::cancel_token;
use allhome::{Nursery, cancelled, move_on_after, nursery};
use allhome_runs::{Clock, Stepped, Wakes, poll_once};
use allocation_counter::measure;
use futures_util::FutureExt;
use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn o10_a_nursery_that_has_ended_is_freed() {
    let (stepped, clock, wakes) = (Stepped::new(1), Clock::new(), Wakes::new());
    let runtime = clock.runtime(&stepped);
    let round = |number| {
        let outer = nursery().on(&runtime).deadline(9 * SECOND).grace(SECOND);
        let run = outer.run(async move |n: Nursery<Infallible>| {
            n.defer(SECOND, async { Ok::<(), Infallible>(()) });
            n.token().on_cancel(|_| ()).keep();
            n.spawn(async {
                assert!(cancelled().now_or_never().is_none());
                drop(cancel_token());
                let inner =
                    nursery().children_deadline(SECOND).run(async |n: Nursery<Infallible>| {
                        n.fork(pending::<Result<(), _>>()).cancel();
                        Ok(())
                    });
                let _ = move_on_after(SECOND, inner).await;
                Ok(())
            });
            let child = n.fork(pending::<Result<(), Infallible>>());
            child.cancel();
            let _ = child.await;
            if number % 3 == 0 { Ok(()) } else { pending().await }
        });
        let mut run = Box::pin(run);
        let _ = poll_once(&mut run, &wakes);
        if number % 2 == 0 {
            stepped.run_until_stalled();
            clock.advance(10 * SECOND);
            stepped.run_until_stalled();
            let _ = poll_once(&mut run, &wakes);
        }
        drop(run);
        stepped.run_until_stalled();
        assert_eq!(clock.sleeps(), 0);
    };
    (0..100).for_each(round);
    let grown = measure(|| (0..20_000).for_each(round)).bytes_current;
    assert!(grown < 1024, "grown by {grown} bytes");
}
