//! A suite that verifies an executor for [allhome](https://docs.rs/allhome).
//!
//! It runs the rules of a runtime (`r..` and `w..`: what a runtime owes a nursery, stated on the
//! bare boundary of `allhome-rt`) and those clauses of the core that can be tested on any runtime
//! (`o..` ownership, `e..` outcome, `f..` failure, `c..` cancellation, `t..` time, `h..` shields,
//! `n..` finalizers, `v..` values, `l..` limits, `b..` blocking work, `d..` shutdown, `x..`
//! runtimes), each on a fresh runtime. docs/SPEC.md has the rules and clauses under the same names.
//! docs/BRING-YOUR-OWN-RUNTIME.md goes from an empty file to a green report.
//! # Wiring it up
//!
//! In `Cargo.toml`: `[[test]] name = "conformance"`, `harness = false`. In
//! `tests/conformance.rs`:
//!
//! ```no_run
//! use allhome_conformance::{Candidate, Capabilities, Host, Root, Runtime};
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
//!     Candidate::new("mine", || Box::new(Mine(MyExecutor::new())))
//!         .declares(Capabilities::new().shutdown())
//!         .main()
//! }
//! ```
//!
//! # What is run, and how
//!
//! Each rule and each clause runs in a process of its own, which is the test's own binary once
//! more. A rule that hangs, or ends its process, has failed, and the report says its last step. A
//! rule about a capability that is not declared is skipped, and so is one that cannot be tested on
//! a candidate of this kind, such as one with a virtual clock; the report says which and why. When
//! the candidate cannot be started (`w41`), does not drive its root (`w42`) or polls no task
//! (`r19`), the rules that rest on that are not run. After a hang the others get less time. So the
//! author of an executor has a report soon.
//!
//! MUST rules fail the run; SHOULD rules fail it only with `--strict`. A
//! [deviation](Candidate::deviates) is reported with its reason; a deviation that turns out to hold
//! fails the run.
//!
//! The arguments are libtest's, so filters, `--list` and nextest work. There are two more:
//! `--strict`, and `--report text`, `json` or `junit`, with which the report is all that is
//! printed. Nextest passes on neither: there, `ALLHOME_CONFORMANCE_STRICT=1` does what `--strict`
//! does.
//!
//! # The JSON report
//!
//! | field | what it is |
//! |---|---|
//! | `suite` | the version of this crate |
//! | `strict`, `passed` | booleans |
//! | `candidates[].name`, `.threads`, `.declares` | a string, a number, a list of capabilities |
//! | `candidates[].summary` | how many `pass`, `must` and `should` (that fail), `known`, `skipped` (with those that are `unasked`) |
//! | `candidates[].rules[].id`, `.name`, `.group` | `R31`, `r31_wake_during_own_poll`, `wake` |
//! | `.requirement` | `MUST` or `SHOULD` |
//! | `.outcome` | `pass`, `fail`, `hang`, `crash`, `skipped`, `unasked`, `known` (a deviation), `surprise` (a deviation that holds) |
//! | `.message`, `.step`, `.cause` | what was seen, the last step, the most likely cause |
//! | `.millis` | how long it took, in milliseconds |

#![forbid(unsafe_code)]

mod candidate;
mod cases;
mod fixture;
mod memory;
mod probe;
mod progress;
mod report;
mod rests;
mod rule;
mod rules;
mod run;
mod runner;
mod shown;
mod subject;
mod suite;
mod text;

pub use allhome_rt::Runtime;
pub use candidate::{Candidate, Capabilities, Host, Root};
#[doc(hidden)]
pub use memory::resident;
pub use probe::{Counts, DropPanics, Gate, Guard, Parked, eventually};
pub use progress::Progress;
pub use report::{Outcome, Report, Verdict};
pub use rule::{Need, Requirement, Rule};
pub use suite::{main, run};
