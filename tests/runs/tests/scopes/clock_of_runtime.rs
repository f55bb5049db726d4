//! Whose clock it is where runtimes have different ones.

use allhome::time::{now, remaining};
use allhome::{Nursery, Tokio, move_on_after, nursery, sleep};
use futures_util::FutureExt;
use std::convert::Infallible;
use std::time::Duration;

/// A nursery's clock is that of its own runtime, wherever it is awaited: one stands still here, and
/// the other does not.
#[test]
fn x06_in_a_nursery_it_is_that_of_its_runtime() {
    let new = |paused| {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_time().start_paused(paused).build().unwrap()
    };
    let (still, runs, hour) = (new(true), new(false), Duration::from_secs(3_600));
    let took = |host: &tokio::runtime::Runtime| {
        let run = nursery().on(Tokio::on(still.handle())).run(async |_: Nursery<Infallible>| {
            let start = now();
            let mut first = Box::pin(sleep(hour));
            assert!((&mut first).now_or_never().is_none());
            Ok((now() - start, remaining_of(move_on_after(hour, async { remaining() }).await)))
        });
        host.block_on(run).unwrap()
    };
    for host in [&still, &runs] {
        assert_eq!(took(host), (Duration::ZERO, hour), "its clock stands still");
    }
}

fn remaining_of(found: Option<Option<Duration>>) -> Duration {
    found.flatten().expect("a deadline holds in a scope")
}
