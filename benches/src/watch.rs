//! What one pass over a scenario took: time, allocations, bytes.

use std::hint::black_box;
use std::ops::AddAssign;
use std::time::{Duration, Instant};

use crate::alloc;

/// A stopwatch that also reads the counting allocator.
#[derive(Clone, Copy, Debug)]
pub struct Watch {
    started: Instant,
    allocations: u64,
    live_bytes: i64,
}

/// What went by on a [`Watch`]. Allocations and bytes are zero unless counting was on.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// Time.
    pub elapsed: Duration,
    /// Allocations and reallocations.
    pub allocations: u64,
    /// Bytes allocated and not freed.
    pub live_bytes: i64,
    /// Live bytes on the way, each with the number of operations done by then.
    pub marks: Vec<(u64, i64)>,
}

impl Watch {
    /// Starts the watch.
    pub fn start() -> Self {
        let (allocations, live_bytes) = (alloc::allocations(), alloc::live_bytes());
        Self { started: Instant::now(), allocations, live_bytes }
    }

    /// Returns the bytes allocated since the start and not freed.
    pub fn live_bytes(&self) -> i64 {
        alloc::live_bytes() - self.live_bytes
    }

    /// Returns what went by since the start.
    pub fn stop(&self) -> Sample {
        Sample {
            elapsed: self.started.elapsed(),
            allocations: alloc::allocations() - self.allocations,
            live_bytes: self.live_bytes(),
            marks: Vec::new(),
        }
    }
}

impl Sample {
    /// Runs it so many times, and adds up what each takes.
    pub fn of(times: u64, run: impl Fn() -> u64) -> Sample {
        let mut total = Sample::default();
        for _ in 0..times {
            let watch = Watch::start();
            black_box(run());
            total += watch.stop();
        }
        total
    }
}

impl AddAssign for Sample {
    fn add_assign(&mut self, other: Self) {
        self.elapsed += other.elapsed;
        self.allocations += other.allocations;
        self.live_bytes += other.live_bytes;
        self.marks.extend(other.marks);
    }
}
