//! The boundary between [allhome](https://docs.rs/allhome) and an async runtime.
//!
//! To connect a runtime, implement [`Spawn`] and, where the runtime has them, [`Timer`],
//! [`SpawnBlocking`] and [`SpawnLocal`]. A [`Runtime`] bundles them into the cheap handle that a
//! nursery is opened on. That is all. A runtime needs no abort, no join handle, no panic policy and
//! no error type, because runtimes differ in those; the core brings its own.
//!
//! # What is lent
//!
//! Every [`Runtime`] has a timer and a blocking pool. One that is built without them is lent both,
//! which keep the same contracts:
//!
//! - a timer on the system's monotonic clock. Its one thread starts with the first sleep.
//! - a blocking pool of at most 512 threads. A thread starts when a job finds no idle one, and ends
//!   when it has been idle for 10 seconds. A job for which no thread can be started waits for one
//!   that there is; if there is none, it is dropped, and its child is lost.
//!
//! They are there once a process, and their threads do not keep the process from ending. A target
//! without threads, such as `wasm32-unknown-unknown`, needs a runtime that brings its own: a sleep
//! of the timer that is lent panics there, and says so.
//!
//! This crate depends on nothing (on `wasm32-unknown-unknown` on `web-time`, for a clock) and
//! changes rarely: two versions of it would be two unrelated sets of traits.
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
mod instant;
mod lent;
mod local;
mod runtime;
mod task;
mod traits;

pub use hold::{assert_may_hold, refuse_holds_where};
pub use instant::Instant;
pub use lent::lent_timer;
pub use local::{IntoLocalRuntime, LocalRuntime};
pub use runtime::{IntoRuntime, NoRuntime, Runtime, RuntimeBuilder, RuntimeSource};
pub use task::{LocalTask, LocalWork, Task, TaskData, Work};
pub use traits::{BoxSleep, Job, Spawn, SpawnBlocking, SpawnLocal, Timer};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
