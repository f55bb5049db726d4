//! What a nursery keeps of its children: nothing, once they are home.

use allhome::{nursery, yield_now};
use allhome_runs::{Opened, Stepped};
use allocation_counter::measure;

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
