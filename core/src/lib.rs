//! Structured concurrency for any async runtime: every task has an owner, and when its nursery
//! ends, every task is home.
//!
//! A **nursery** is opened by awaiting [`run`](Builder::run). Its *body* gets a handle, spawns
//! *children* with it, and may await their values. `run` is ready when the body and all children
//! are *home*: dropped, with their destructors finished. Nothing outlives it.
//!
//! ```
//! # #[cfg(feature = "executors")] {
//! use allhome::{GroupError, ThreadPool, block_on, nursery};
//!
//! let result: Result<u32, GroupError<String>> =
//!     block_on(nursery().on(ThreadPool::global()).name("demo").run(async |n| {
//!         let six = n.fork(async { Ok(6) });
//!         n.task("bad").spawn(async { Err("no luck".to_string()) });
//!         Ok(six.await.map_err(|error| error.to_string())? * 7)
//!     }));
//! // The first failure cancels the others, and is reported when all are home.
//! assert_eq!(result.unwrap_err().first().name(), Some("bad"));
//! # }
//! ```
//!
//! # What is where
//!
//! - Open a nursery: [`nursery`], on the runtime of the task around, or [`on`](Builder::on) another
//!   one; [`Builder`] has names, [policies](Policy) and what to do about [panics](PanicPolicy).
//! - Spawn: [`Nursery::spawn`] for a child that may fail, [`go`](Nursery::go) for one that cannot,
//!   [`fork`](Nursery::fork) for a value, [`blocking`](Nursery::blocking) for work that blocks its
//!   thread; [`task`](Nursery::task) gives it a name.
//! - Await, cancel, abort one child: [`Child`]; await many: [`join_all`]. It ends as one of five: [`Outcome`].
//! - End all of them: [`Nursery::cancel`], [`abort`](Nursery::abort), or drop the future.
//! - Shut down step by step: [`Nursery::shutdown`], and `signals`.
//! - Find out which tasks are not home: [`Nursery::tree`]; and which a dropped root has left:
//!   [`orphans`].
//! - Ask, from inside a task: [`is_cancelled`], [`cancel_reason`], [`cancelled`], [`draining`],
//!   [`checkpoint`], [`task_id`]; leave it from any depth: [`exit`].
//! - Wait: [`sleep`], [`interval`], [`now`], on the timer of the runtime, or outside of any nursery.
//! - Limit the time: [`Builder::deadline`], [`Builder::children_deadline`] for what is there in
//!   time, [`move_on_after`] and [`fail_after`] inside a task, [`remaining`], [`before_deadline`].
//! - Tidy up: [`Builder::grace`], [`shield`], [`cancellable`], [`Nursery::defer`].
//! - Hand values down: [`ScopedKey`].
//! - Cancel what is in no nursery: [`CancelToken`]; hang a nursery on one: [`Builder::token`].
//! - Limit how many children run at the same time: [`Builder::limit`], [`Nursery::reserve`]; how
//!   many do something else at the same time: [`Semaphore`], [`KeyedSemaphore`] to be fair among
//!   tenants; how often it is begun: [`RateLimiter`]; and [`AcquireBoth`] takes of two.
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
//! Any other runtime: implement `allhome_rt::Spawn` and make a [`Runtime`] of it. Every runtime has a
//! timer and a pool for blocking work: one that brings none is lent them, in threads of std.
//!
//! # What is promised
//!
//! docs/SPEC.md lists it, clause by clause, with a test for each.

#![deny(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

// All there is, from the lowest layer up. A module uses those of the layers above it in this list,
// never its neighbour, and none below; `tests/runs/tests/tidy/rooms.rs` has the table and checks
// it. What users see of it is below: modules of theirs have other names.
mod layers {
    // Words and tools that know of no task: locks, lists, ids, reasons, outcomes.
    pub(crate) mod base;

    // The token tree, which knows of no nursery.
    pub(crate) mod cancel;
    // The memory of one child.
    pub(crate) mod record;

    // Whose poll this is, and what may be asked about it.
    pub(crate) mod context;

    // Permits and rates, which know of no nursery.
    pub(crate) mod limit;
    // Clocks and sleeps.
    pub(crate) mod time;

    // Futures that bound a part of a task: deadlines, shields, scoped values.
    pub(crate) mod scope;

    // The engine: what the handles, the future and the carriers of a nursery share.
    pub(crate) mod group;

    // The slot of a child of a bounded nursery, and to which tasks it is lent.
    pub(crate) mod lending;

    // What users hold: nursery, builder, future, children, errors, the tree.
    pub(crate) mod nursery;

    // Shutting down step by step.
    pub(crate) mod shutdown;
    // A token that SIGINT and SIGTERM raise.
    #[cfg(all(feature = "signals", unix))]
    pub(crate) mod signals;
    // The simulator's side of nurseries.
    #[cfg(feature = "executors")]
    pub mod sim;
}

pub use layers::base::as_error::{AsError, BoxError, ErrorView};
pub use layers::base::id::{NurseryId, TaskId};
pub use layers::base::join_error::JoinError;
pub use layers::base::outcome::{Outcome, TaskState};
pub use layers::base::panic::Panic;
pub use layers::base::reason::{Level, Reason, ReasonKind};
pub use layers::cancel::{
    CancelExt, CancelStreamExt, CancelToken, Cancelled, CancelledOwned, Draining, Registration,
    UntilCancelled, UntilCancelledStream,
};
pub use layers::context::drop_guard::DropGuard;
pub use layers::context::task::{
    Exit, TaskCancelled, TaskDraining, cancel_reason, cancel_token, cancelled, checkpoint,
    draining, exit, is_cancelled, task_id,
};
pub use layers::context::yield_now::{YieldNow, yield_now};
pub use layers::group::config::{PanicPolicy, Policy};
pub use layers::group::failure_info::FailureInfo;
pub use layers::limit::{
    Acquire, AcquireBoth, AcquireError, AcquireOwned, AcquireRate, HolderInfo, KeyedSemaphore,
    OwnedPermit, Permit, Rate, RateLimiter, Semaphore, TryAcquireError,
};
pub use layers::nursery::Nursery;
pub use layers::nursery::blocking::BlockingCx;
pub use layers::nursery::builder::{Builder, nursery};
pub use layers::nursery::child::Child;
pub use layers::nursery::draining::NurseryDraining;
pub use layers::nursery::error::{Cause, Failure, GroupError};
pub use layers::nursery::join_all::{JoinAll, join_all};
pub use layers::nursery::reserve::Reserve;
pub use layers::nursery::reserve_error::{ReserveError, TryReserveError};
pub use layers::nursery::run::Run;
pub use layers::nursery::run::settle::Settle;
pub use layers::nursery::settled::Settled;
pub use layers::nursery::spawned::{Refused, Spawned};
pub use layers::nursery::task_builder::TaskBuilder;
pub use layers::nursery::tree::{NurseryInfo, TaskInfo, Tree, orphans};
pub use layers::nursery::value::{Value, Values};
pub use layers::scope::cancellable::{Cancellable, cancellable};
pub use layers::scope::deadline::{
    Elapsed, FailAfter, MoveOnAfter, before_deadline, fail_after, fail_at, move_on_after,
    move_on_at,
};
pub use layers::scope::shield::{Shield, shield};
pub use layers::scope::value::{Scoped, ScopedKey};
pub use layers::shutdown::{Echo, Shutdown, ShutdownError, ShutdownReport, Straggler};
#[cfg(all(feature = "signals", unix))]
pub use layers::signals::{Signals, signals};
pub use layers::time::interval::{Interval, Tick, interval};
pub use layers::time::{Sleep, deadline, now, remaining, sleep, sleep_until};

pub use allhome_rt::{Instant, IntoRuntime, NoRuntime, Runtime};

#[cfg(feature = "async-std")]
pub use allhome_async_std::AsyncStd;

#[cfg(feature = "smol")]
pub use allhome_smol::{Smol, SmolExecutor, SmolLocal};

#[cfg(feature = "tokio")]
pub use allhome_tokio::{Tokio, TokioHandle, TokioLocal, TokioTaskPerChild};

/// The runtimes whose own context a caller outside of any nursery may be in. smol and async-std have
/// none: every thread is in it, so they are never taken unasked.
pub(crate) const AROUND: &[fn() -> Option<Runtime>] = &[
    #[cfg(feature = "tokio")]
    || Tokio.into_runtime().ok(),
];

#[cfg(feature = "executors")]
pub use allhome_executors::{LocalExecutor, ThreadPool, block_on};
#[cfg(feature = "executors")]
pub use layers::sim::{self, Simulator};

#[cfg(all(doctest, feature = "executors"))]
#[doc = include_str!("../../docs/SIMULATOR.md")]
struct Simulators;
