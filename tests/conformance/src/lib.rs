//! A suite that verifies an executor for [allhome](https://docs.rs/allhome).
//!
//! It runs the rules of a runtime (`r..`: what a runtime owes a nursery) and those clauses of the
//! core that can be tested on any runtime (`o..` ownership, `e..` outcome, `f..` failure, `c..`
//! cancellation, `t..` time, `h..` shields, `n..` finalizers, `v..` values, `b..` blocking work, `x..`
//! capabilities), each on a fresh runtime. The rules and clauses themselves stand in docs/SPEC.md
//! under the same names.
//!
//! # Wiring it up
//!
//! In `Cargo.toml`: `[[test]] name = "conformance"`, `harness = false`. In
//! `tests/conformance.rs`:
//!
//! ```no_run
//! use allhome_conformance::{Host, Root, Runtime};
//! # use allhome_rt::{Spawn, Task};
//! # struct MyExecutor;
//! # impl MyExecutor { fn new() -> Self { MyExecutor } fn block_on(&mut self, _: Root<'_>) {}
//! #   fn spawner(&self) -> Spawner { Spawner } }
//! # struct Spawner;
//! # impl Spawn for Spawner { fn spawn(&self, task: Task) { drop(task) } }
//!
//! struct Mine(MyExecutor);
//!
//! impl Host for Mine {
//!     fn runtime(&self) -> Runtime {
//!         Runtime::new("mine", self.0.spawner())
//!     }
//!     fn block_on(&mut self, root: Root<'_>) {
//!         self.0.block_on(root)
//!     }
//! }
//!
//! # #[allow(clippy::needless_doctest_main, reason = "it shows the whole file, which has a main")]
//! fn main() -> std::process::ExitCode {
//!     allhome_conformance::main("mine", || Box::new(Mine(MyExecutor::new())))
//! }
//! ```

#![forbid(unsafe_code)]

mod bench;
mod candidate;
mod cases;
mod judge;
mod probe;
mod report;
mod rule;
mod rules;
mod suite;

pub use allhome_rt::Runtime;
pub use bench::Progress;
pub use candidate::{Candidate, Capabilities, Host, Root};
pub use probe::{Counts, DropPanics, Gate, Guard, Parked, eventually};
pub use report::{Outcome, Report, Verdict};
pub use rule::{Level, Need, Rule};
pub use suite::{main, run};
