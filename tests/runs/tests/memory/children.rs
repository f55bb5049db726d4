//! What a nursery keeps of its children: nothing, once they are home.

use allhome::{Policy, nursery, yield_now};
use allhome_runs::{Opened, Stepped};
use allocation_counter::measure;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

const LIVE: usize = 100;
const EARLY: usize = 100_000;
const LATE: usize = 1_000_000;

#[test]
fn o21_memory_is_of_live_children() {
    let stepped = Stepped::new(2);
    let mut opened = Opened::new(nursery().on(stepped.runtime()));
    let n = &opened.n;
    let spawn = |children: usize| {
        for _ in (0..children).step_by(LIVE) {
            for number in 0..LIVE / 2 {
                n.task("spawned").spawn(async move {
                    if number % 10 == 0 {
                        yield_now().await;
                    }
                    Ok(())
                });
                // Its value is taken by none.
                drop(n.fork(async { Ok([0_u8; 100]) }));
            }
            stepped.run_until_stalled();
            assert!(n.is_empty());
        }
    };
    spawn(EARLY);
    let grown = measure(|| spawn(LATE - EARLY)).bytes_current;
    assert!(grown < 1024, "grown by {grown} bytes");
    assert!(opened.finish().is_ready());
    stepped.shutdown();
}

#[test]
fn f36_memory_of_a_million_failed_children() {
    let stepped = Stepped::new(2);
    let told = Arc::new(AtomicUsize::new(0));
    let counts = told.clone();
    let builder = nursery().on(stepped.runtime()).policy(Policy::Supervise);
    let builder = builder.on_failure(move |failure| {
        assert!(failure.task().is_some() && !failure.is_echo());
        counts.fetch_add(1, Relaxed);
    });
    let mut opened = Opened::fallible(builder);
    let n = &opened.n;
    let spawn = |children: usize| {
        for _ in (0..children).step_by(LIVE) {
            for _ in 0..LIVE / 2 {
                n.task("spawned").spawn(async { Err("reset by peer") });
                drop(n.fork::<(), _>(async { Err("reset by peer") }));
            }
            stepped.run_until_stalled();
            assert!(n.is_empty());
        }
    };
    spawn(EARLY);
    let grown = measure(|| spawn(LATE - EARLY)).bytes_current;
    assert!(grown < 1024, "grown by {grown} bytes");
    assert!(opened.finish().is_ready());
    assert_eq!(told.load(Relaxed), LATE);
    stepped.shutdown();
}
