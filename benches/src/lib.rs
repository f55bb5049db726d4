//! allhome side by side with what its users would otherwise write.
//!
//! ```text
//! cargo bench -p allhome-benches -- [FILTER] [--json FILE] [--quick] [--list]
//! ```
//!
//! A [`Case`](case::Case) is one scenario with several sides: the first is allhome, the others
//! are its peers. All sides of a case run in one process and take turns round by round, so that a
//! noisy machine hurts them alike; the ratio that is reported is the median of the ratios of the
//! rounds, not the ratio of two medians that were taken at different times.
//!
//! Time and memory are measured in separate passes of the same code: the counting allocator counts
//! only when it is switched on, since its counters would cost more than some of what is timed.
//!
//! The binary `count` runs one side alone, for callgrind; `rmw.sh` turns that into instructions
//! and atomic read-modify-writes per child. The binary `resident` prints resident memory per parked
//! child, where the allocator's rounding shows that a count of requested bytes hides. The binary
//! `growth` does something to many children at once; `growth.sh` prints how the cost grows. The
//! binary `longest_wait` prints how long one spawn takes at most when eight threads spawn into one
//! nursery, and `longest_wait.sh` compares that with another commit. The binary `performance` writes
//! docs/PERFORMANCE.md.

#![deny(unsafe_code)]

pub mod alloc;
pub mod case;
pub mod cases;
mod go;
pub mod host;
pub mod measure;
pub mod ours;
pub mod peers;
pub mod report;
pub mod stepped;
pub mod waits;
pub mod watch;
pub mod work;
