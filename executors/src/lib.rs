//! Small executors for [allhome](https://docs.rs/allhome), with no other runtime behind them.
//!
//! - [`block_on`] runs one future on the calling thread.
//! - [`ThreadPool`] runs tasks on a fixed number of threads and has a timer and threads for
//!   blocking work: everything that a nursery can ask of a runtime.
//! - [`LocalExecutor`] runs tasks on the calling thread, including those that are not `Send`.
//! - [`sim`] runs tasks for tests: one thread, a virtual clock, and a seed that decides which task
//!   runs.
//! - `ReferenceExecutor`, with the feature `reference`, is for reading. To learn how an executor
//!   keeps its promises, begin with its file, `reference.rs`.
//!
//! Nothing here does input or output. A library that does, and wakes its tasks through their
//! wakers, can be used with these executors.
//!
//! # Examples
//!
//! ```
//! use allhome_executors::{ThreadPool, block_on};
//! use allhome_rt::{Spawn, Task, Timer};
//! use std::sync::mpsc;
//! use std::time::Duration;
//!
//! let pool = ThreadPool::new(2)?;
//! let (tx, rx) = mpsc::channel();
//! let timer = pool.clone();
//! pool.spawn(Task::from_future(async move {
//!     timer.sleep_until(timer.now() + Duration::from_millis(1)).await;
//!     tx.send("slept on the pool").unwrap();
//! }));
//! assert_eq!(block_on(async { rx.recv() }), Ok("slept on the pool"));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # What it costs
//!
//! In the pool, a spawn, a turn and a wake each take the lock of a worker's queue once; if a worker
//! sleeps, it is unparked. A task that waits takes about 100 bytes beside its own. Once the pool is
//! warm, a task that ends after its wakers are gone allocates nothing. An idle pool does not wake
//! up. Sleeps stand in a timing wheel under one lock a pool: a sleep costs an allocation, a look at
//! the clock a poll, and the lock when it is polled and when it is dropped, however many there are.
//! Once the local executor is warm, it allocates only the future, and a wake on its own thread is a
//! push to a queue.
//!
//! # Use something else if ...
//!
//! - the tasks do network or file I/O through tokio: use tokio, and `allhome-tokio`.

#![forbid(unsafe_code)]

#[cfg(feature = "reference")]
mod reference;

mod block_on;
mod local;
mod pool;
pub mod sim;

mod blocking;
mod chunked_slab;
mod guarded;
mod timer;

mod current;
mod panics;
mod parker;
mod unique;

pub use block_on::block_on;
pub use local::{LocalExecutor, LocalHandle, LocalSpawner};
pub use pool::{ThreadPool, ThreadPoolBuilder};
#[cfg(feature = "reference")]
pub use reference::ReferenceExecutor;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
