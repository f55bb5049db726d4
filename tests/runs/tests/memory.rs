//! What a nursery keeps of its children: nothing, once they are home.

use allhome::nursery_on;
use allhome_conformance::eventually;
use allhome_runs::Stepped;
use cap::Cap;
use std::alloc::System;
use std::convert::Infallible;

#[global_allocator]
static ALLOCATED: Cap<System> = Cap::new(System, usize::MAX);

const LIVE: usize = 100;
const EARLY: usize = 100_000;
const LATE: usize = 1_000_000;

#[test]
fn o21_memory_is_of_live_children() {
    let stepped = Stepped::new(2);
    let run = nursery_on::<Infallible>(stepped.runtime()).run(async |n| {
        let mut early = 0;
        for spawned in (0..LATE).step_by(LIVE) {
            if spawned == EARLY {
                early = ALLOCATED.allocated();
            }
            for i in 0..LIVE / 2 {
                n.named("spawned").spawn(async move {
                    if i % 10 == 0 {
                        allhome::yield_now().await;
                    }
                    Ok(())
                });
                // Nobody takes its value.
                drop(n.fork(async { Ok([0_u8; 100]) }));
            }
            eventually(|| n.is_empty()).await;
        }
        let grown = ALLOCATED.allocated().saturating_sub(early);
        assert!(grown < 64 * 1024, "grown by {grown} bytes");
        Ok(())
    });
    stepped.drive(run).unwrap();
    stepped.shutdown();
}
