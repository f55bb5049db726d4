//! The boundary between [allhome](https://docs.rs/allhome) and an async runtime.
//!
//! To connect a runtime, implement [`Spawn`] and, where the runtime has them, [`Timer`],
//! [`SpawnBlocking`] and [`SpawnLocal`]. A [`Runtime`] bundles them into the cheap handle that a
//! nursery is opened on. That is all. A runtime needs no abort, no join handle, no panic policy and
//! no error type, because runtimes differ in those; the core brings its own.
//!
//! This crate depends on nothing and changes rarely: two versions of it would be two unrelated sets
//! of traits.
//!
//! # A runtime in ten lines
//!
//! ```
//! use allhome_rt::{Runtime, Spawn, Task};
//! use std::task::{Context, Poll, Waker};
//!
//! /// Gives every task a thread of its own that polls until the task is done.
//! struct Threads;
//!
//! impl Spawn for Threads {
//!     fn spawn(&self, mut task: Task) {
//!         std::thread::spawn(move || {
//!             let mut cx = Context::from_waker(Waker::noop());
//!             while std::pin::Pin::new(&mut task).poll(&mut cx).is_pending() {
//!                 std::thread::yield_now();
//!             }
//!         });
//!     }
//! }
//!
//! # use std::future::Future;
//! let runtime = Runtime::new("threads", Threads);
//! let (tx, rx) = std::sync::mpsc::channel();
//! runtime.spawn(Task::from_future(async move { tx.send(7).unwrap() }));
//! assert_eq!(rx.recv(), Ok(7));
//! ```

#![forbid(unsafe_code)]

mod hold;
mod runtime;
mod task;
mod traits;

pub use hold::{assert_may_hold, refuse_holds_where};
pub use runtime::{IntoRuntime, NoRuntime, Runtime, RuntimeBuilder, RuntimeSource};
pub use task::{LocalTask, LocalWork, Task, TaskData, Work};
pub use traits::{BoxSleep, Job, Spawn, SpawnBlocking, SpawnLocal, Timer};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
