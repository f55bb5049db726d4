//! Structured concurrency for any async runtime: every task has an owner, and when its nursery
//! ends, every task is home.
//!
//! A **nursery** is opened by awaiting [`run`](Builder::run). Its *body* gets a handle, spawns
//! *children* with it, and may await their values. `run` is ready when the body and all children
//! are *home*: dropped, with their destructors finished. Nothing outlives it.
//!
//! ```
//! # #[cfg(feature = "executors")] {
//! use allhome::{GroupError, ThreadPool, block_on, nursery_on};
//!
//! let result: Result<u32, GroupError<String>> =
//!     block_on(nursery_on(ThreadPool::global()).name("demo").run(async |n| {
//!         let six = n.fork(async { Ok(6) });
//!         n.named("bad").spawn(async { Err("no luck".to_string()) });
//!         Ok(six.join().await.map_err(|error| error.to_string())? * 7)
//!     }));
//! // The first failure cancels the others, and is reported when all are home.
//! assert_eq!(result.unwrap_err().first().name(), Some("bad"));
//! # }
//! ```
//!
//! # What is where
//!
//! - Open a nursery: [`nursery_on`] a runtime, or [`nursery`] on that of the task around;
//!   [`Builder`] has names, [policies](Policy) and what to do about [panics](PanicPolicy).
//! - Spawn: [`Nursery::spawn`], [`fork`](Nursery::fork) for a value,
//!   [`fork_with`](Nursery::fork_with) for a child that spawns siblings,
//!   [`blocking`](Nursery::blocking) for work that blocks its thread.
//! - Join, cancel, abort one child: [`Child`]. It ends as one of five: [`Outcome`].
//! - End all of them: [`Nursery::cancel`], [`abort`](Nursery::abort), or drop the future.
//! - Shut down step by step: [`Nursery::shutdown`], and `signals`.
//! - Find out who is out: [`Nursery::tree`]; and who was left by a dropped root: [`strays`].
//! - Ask, from inside a task: [`is_cancelled`], [`cancel_reason`], [`cancelled`], [`draining`],
//!   [`checkpoint`], [`task_id`]; leave it from any depth: [`exit`].
//! - Limit the time: [`Builder::deadline`], [`Builder::timeout`] for what is there in time,
//!   [`move_on_after`] and [`fail_after`] inside a task, [`remaining`], [`reserve`].
//! - Tidy up: [`Builder::grace`], [`shield`], [`island`], [`Nursery::defer`].
//! - Hand values down: [`ScopedKey`].
//! - Cancel what is in no nursery: [`CancelToken`]; hang a nursery on one: [`Builder::token`].
//! - Limit how many children run at the same time: [`Builder::limit`], [`Nursery::reserve`]; how many
//!   do something else at the same time: [`Semaphore`], [`KeyedSemaphore`] to be fair among tenants;
//!   how often it is begun: [`RateLimiter`]; and [`Both`].
//!
//! # Runtimes
//!
//! The crate has none of its own; each is a feature, and features add up.
//!
//! | feature | gives | for |
//! |---|---|---|
//! | `tokio` | `Tokio` | tokio, multi-thread and current-thread; `Tokio::local` for a `LocalSet`; `Tokio::task_per_child` for ids and the console |
//! | `smol` | `Smol` | smol: its own threads, or an executor of yours; `Smol::local` for a local one |
//! | `async-std` | `AsyncStd` | async-std |
//! | `executors` | `ThreadPool`, `LocalExecutor`, `block_on` | no other runtime at all |
//! | `executors` | `Simulator`, `sim` | tests: virtual time, schedules, replay, injection |
//!
//! One more feature, `signals`, gives a token that SIGINT and SIGTERM raise, on Unix.
//!
//! Any other runtime: implement `allhome_rt::Spawn` and make a [`Runtime`] of it.
//!
//! # What is promised
//!
//! docs/SPEC.md lists it, clause by clause, with a test for each.

#![deny(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod ambient;
mod big;
mod blocking;
mod builder;
mod cancel;
mod child;
mod context;
mod counted;
mod error;
mod group;
#[allow(dead_code, reason = "locks move to it one by one")]
mod guarded;
mod id;
mod intrusive;
mod invariant;
mod last_poll;
mod limit;
mod lock;
mod named;
mod nursery;
mod outcome;
mod panic;
mod reason;
mod record;
mod run;
mod scope;
mod shutdown;
#[cfg(all(feature = "signals", unix))]
mod signals;
#[cfg(feature = "executors")]
pub mod sim;
mod slot;
#[cfg_attr(not(feature = "executors"), allow(dead_code, reason = "only a simulator injects"))]
mod strike;
mod sync;
mod time;
mod tree;
mod value;

pub use ambient::{
    Exit, TaskCancelled, TaskDraining, cancel_reason, cancel_token, cancelled, checkpoint,
    draining, exit, is_cancelled, task_id,
};
pub use blocking::BlockingCx;
pub use builder::{Builder, PanicPolicy, Policy, nursery, nursery_on};
pub use cancel::{
    CancelExt, CancelStreamExt, CancelToken, Cancelled, CancelledOwned, Draining, DropGuard, Guard,
    Registration, UntilCancelled,
};
pub use child::{Child, Join, JoinMut, Spawned, TaskState};
pub use error::{Cause, Failure, GroupError};
pub use group::finale::DeferError;
pub use group::stray::strays;
pub use id::{NurseryId, TaskId};
pub use limit::{
    Acquire, AcquireBoth, AcquireError, AcquireOwned, AcquireRate, Both, HolderInfo,
    KeyedSemaphore, Limit, OwnedPermit, Permit, Rate, RateLimiter, Semaphore, TryAcquireError,
};
pub use named::Named;
pub use nursery::Nursery;
pub use outcome::{JoinError, Outcome};
pub use panic::Panic;
pub use reason::{Level, Reason, ReasonKind};
pub use run::Run;
pub use scope::island::{Island, island};
pub use scope::shield::{Shield, shield};
pub use scope::timeout::{
    Elapsed, FailAfter, MoveOnAfter, TimeoutError, fail_after, fail_at, move_on_after, move_on_at,
    reserve,
};
pub use shutdown::{Ladder, Shutdown, ShutdownError, ShutdownReport, Straggler};
#[cfg(all(feature = "signals", unix))]
pub use signals::{Signals, signals};
pub use slot::{Reserve, ReserveError, Slot, TryReserveError};
pub use time::{Sleep, Unsupported, YieldNow, deadline, remaining, sleep, sleep_until, yield_now};
pub use tree::{NurseryInfo, TaskInfo, Tree};
pub use value::{Scoped, ScopedKey};

pub use allhome_rt::{IntoRuntime, NoRuntime, Runtime};

#[cfg(feature = "async-std")]
pub use allhome_async_std::AsyncStd;

#[cfg(feature = "smol")]
pub use allhome_smol::{Smol, SmolExecutor, SmolLocal};

#[cfg(feature = "tokio")]
pub use allhome_tokio::{Tokio, TokioHandle, TokioLocal, TokioTaskPerChild};

#[cfg(feature = "executors")]
pub use allhome_executors::{LocalExecutor, ThreadPool, block_on};
#[cfg(feature = "executors")]
pub use sim::Simulator;

#[cfg(all(doctest, feature = "executors"))]
#[doc = include_str!("../../README.md")]
struct Readme;

#[cfg(all(doctest, feature = "executors"))]
#[doc = include_str!("../../docs/SIMULATOR.md")]
struct Simulators;
