//! Where each task waits: its async stack, on any runtime, with no annotation.
//!
//! Three ways lead to them, from outside in:
//!
//! | what | looks at |
//! |---|---|
//! | the environment: `ALLHOME_STACKS=1`, and `=1/50` for one outermost nursery in fifty | the process, from its first nursery on |
//! | [`arm`] | the process, from then on |
//! | [`Builder::stacks`](crate::Builder::stacks) | one nursery, and what is inside it |
//!
//! A poll that is looked at sees each future that takes the task's waker, and where on the stack that
//! is. So a task has a [stack](Stack) for each place in which it waits, of its *last poll*, and
//! [`TaskInfo::stacks`](crate::task::TaskInfo::stacks) and [`dump`](crate::see::dump) show them. A task
//! that was not polled since has none. What a combinator polls with a waker of its own
//! (`FuturesUnordered`, a `join_all` of many) is seen by [`through`](crate::see::through) alone.
//!
//! **What it costs.** A poll that is not looked at pays one load. One that is looked at pays some 25 to 90
//! nanoseconds, for a stack of up to twelve functions, where stacks are told apart by a scan: on Linux,
//! on x86-64 and aarch64. On other systems with an unwinder (macOS, FreeBSD) it pays some microseconds,
//! and elsewhere std makes a text of each, which takes a millisecond. On targets of less than 64 bits, and
//! on wasm, there are no stacks: [`is_possible`] says so. `ALLHOME_STACKS=unwind` has each stack walked
//! by the unwinder, and `=std` has std describe it: to find out if a scan is wrong. A scan is compared
//! with a walk now and then, and given up for the process if they differ. A future that skips taking
//! the waker because it has one that would do takes it in each poll meanwhile.
//!
//! **What it needs.** `debug = "line-tables-only"` in the profile has the line of each await, `debug =
//! "limited"` the functions' whole names, too. With no debug information there are the names of those
//! functions that were not inlined, and in a program without symbols addresses, for `addr2line`.
//!
//! # Examples
//!
//! ```
//! # #[cfg(all(feature = "executors", target_pointer_width = "64"))] {
//! use allhome::{Nursery, block_on, nursery, yield_now};
//! use std::convert::Infallible;
//! use std::task::{Poll, Waker};
//!
//! /// Waits for what never comes.
//! async fn load_user() {
//!     let mut kept: Option<Waker> = None;
//!     std::future::poll_fn(|cx| {
//!         kept = Some(cx.waker().clone());
//!         Poll::<()>::Pending
//!     })
//!     .await
//! }
//!
//! block_on(nursery().stacks(true).run(async |n: Nursery<Infallible>| {
//!     n.go(load_user());
//!     while n.tree().root().tasks[0].stacks.is_empty() {
//!         yield_now().await;
//!     }
//!     let stacks = n.tree().root().tasks[0].stacks.to_vec();
//!     assert_eq!(stacks.len(), 1);
//!     assert!(stacks[0].to_string().contains("load_user"));
//!     n.abort();
//!     Ok(())
//! }))?;
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::layers::base::stacks::armed;

pub use crate::layers::base::stacks::armed::Arm;
pub use crate::layers::base::stacks::seen::Stacks;
pub use crate::layers::base::stacks::stack::{Frame, Stack};

/// Says which polls are looked at from now on, in place of what was said before, and of what
/// `ALLHOME_STACKS` says.
///
/// It may be called at any time, by any thread: a server may arm for a minute, take a dump, and disarm.
///
/// # Examples
///
/// ```
/// use allhome::see::stacks::{self, Arm};
///
/// stacks::arm(Arm::OneIn(50));
/// assert_eq!(stacks::is_armed(), stacks::is_possible());
/// stacks::arm(Arm::Off);
/// assert!(!stacks::is_armed());
/// ```
pub fn arm(arm: Arm) {
    armed::arm(arm);
}

/// Returns `true` if [`arm`] or the environment has all polls looked at, or those of some nurseries.
pub fn is_armed() -> bool {
    armed::is_armed()
}

/// Returns `true` if stacks can be seen on this target.
pub fn is_possible() -> bool {
    armed::is_possible()
}
