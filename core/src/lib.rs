//! Structured concurrency for any async runtime: every task has an owner, and when its nursery
//! ends, every task is home.
//!
//! A **nursery** is opened by awaiting [`run`](Builder::run). Its *body* gets a handle, spawns
//! *children* with it, and may await their values. `run` is ready when the body and all children
//! are *home*: dropped, with their destructors finished. Nothing outlives it.
//!
//! ```
//! # #[cfg(feature = "executors")] {
//! use allhome::{GroupError, block_on, nursery};
//!
//! let result: Result<u32, GroupError<String>> =
//!     block_on(nursery().name("demo").run(async |n| {
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
//! The names that most programs need are here; the others are in a module each.
//!
//! - Open a nursery: [`nursery`], or `run` in a `main` that is not async. [`Builder`] has
//!   names, the [runtime](Builder::on), [policies](Policy) and what to do about
//!   [panics](error::PanicPolicy); [`open`](Builder::open) gives one that a struct can own.
//! - Spawn: [`Nursery::spawn`] for a child that may fail, [`go`](Nursery::go) for one that cannot,
//!   [`fork`](Nursery::fork) for a value, [`blocking`](Nursery::blocking) for work that blocks its
//!   thread; [`task`](Nursery::task) gives it a name.
//! - Await, cancel, abort one child: [`Child`]; without its value: [`TaskHandle`](task::TaskHandle).
//!   It ends as one of five: [`Outcome`](task::Outcome).
//! - Await many: [`join_all`]; the first, some, or each as it ends: [`join`].
//! - End all of them: [`Nursery::cancel`], [`abort`](Nursery::abort), or drop the future.
//! - Shut down step by step: [`Nursery::shutdown`], and the module [`shutdown`], with signals.
//! - Find out what is not home, and why: [`Nursery::tree`], [`see`], [`task::orphans`].
//! - Ask, from inside a task: [`is_cancelled`], [`cancelled`], [`draining`], [`checkpoint`], and
//!   more in [`cancel`] and [`task`].
//! - Wait: [`sleep`], and intervals and instants in [`time`], by the clock of the runtime.
//! - Limit the time: [`Builder::deadline`], [`Builder::children_deadline`] for what is there in
//!   time, [`move_on_after`] and [`fail_after`] inside a task.
//! - Tidy up: [`Builder::grace`], [`shield`], [`Nursery::defer`].
//! - Hand values down: [`ScopedKey`](task::ScopedKey).
//! - Cancel what is in no nursery: [`CancelToken`]; hang a nursery on one: [`Builder::token`].
//! - Limit how many children run at the same time: [`Builder::limit`], [`Nursery::reserve`]; how
//!   many do something else at the same time, and how often it is begun: [`Semaphore`], and those of
//!   [`limit`].
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
//! Any other runtime: implement [`Spawn`](runtime::Spawn) and make a [`Runtime`](runtime::Runtime) of
//! it. Every runtime has a timer and a pool for blocking work, which are lent where it brings none.
//!
//! # What is promised
//!
//! docs/SPEC.md lists it, clause by clause, with a test for each.

#![deny(unsafe_code)]
// What the examples show compiles without a warning in a user's crate, too.
#![doc(test(attr(deny(unused_must_use))))]
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

    // Scopes in place: children that borrow, polled by the caller's own task.
    pub(crate) mod in_place;

    // Thread scopes: children that borrow, on threads while the caller's waits.
    pub(crate) mod threads;

    // `block_on` and `run`, which enter the global pool.
    #[cfg(feature = "executors")]
    pub(crate) mod entry;
    // Looking at all that is running, and why it waits.
    pub(crate) mod see;
    // Many items: a future for each of a source, so many at a time.
    pub(crate) mod many;
    // Shutting down step by step.
    pub(crate) mod shutdown;
    // A token that SIGINT and SIGTERM raise.
    #[cfg(all(feature = "signals", unix))]
    pub(crate) mod signals;
    // The simulator's side of nurseries.
    #[cfg(feature = "executors")]
    pub mod sim;

    // A signal that has what is running printed.
    #[cfg(all(feature = "signals", unix))]
    pub(crate) mod dump_signal;
}

pub use layers::base::as_error::BoxError;
pub use layers::base::join_error::JoinError;
pub use layers::base::reason::Reason;
pub use layers::cancel::CancelToken;
pub use layers::context::task::{cancelled, checkpoint, draining, is_cancelled};
pub use layers::context::yield_now::yield_now;
pub use layers::group::config::Policy;
pub use layers::in_place::builder::scope;
pub use layers::in_place::handle::Scope;
pub use layers::limit::Semaphore;
pub use layers::nursery::Nursery;
pub use layers::nursery::builder::{Builder, nursery};
pub use layers::nursery::child::Child;
pub use layers::nursery::error::GroupError;
pub use layers::nursery::join_all::join_all;
pub use layers::nursery::owner::Owner;
pub use layers::scope::deadline::{fail_after, move_on_after};
pub use layers::scope::shield::shield;
pub use layers::threads::builder::thread_scope;
pub use layers::threads::handle::ThreadScope;
pub use layers::time::sleep;

#[cfg(feature = "tokio")]
pub use allhome_tokio::Tokio;
#[cfg(feature = "executors")]
pub use layers::entry::{block_on, run};
#[cfg(feature = "executors")]
pub use layers::sim::{self, Simulator};

pub mod task {
    //! What is spawned, and what becomes of it: the future of a nursery, builders, outcomes, ids and
    //! the tree of those that are alive.

    pub use crate::layers::base::id::{NurseryId, TaskId};
    pub use crate::layers::base::outcome::{Outcome, TaskState};
    pub use crate::layers::context::task::{Exit, exit, task_id};
    pub use crate::layers::context::yield_now::YieldNow;
    pub use crate::layers::group::walk::Opener;
    pub use crate::layers::nursery::blocking::BlockingCx;
    pub use crate::layers::nursery::cancel_on_drop::CancelOnDrop;
    pub use crate::layers::nursery::idle::Idle;
    #[doc(no_inline)]
    pub use crate::layers::nursery::join_all::JoinAll;
    pub use crate::layers::nursery::owner::Close;
    pub use crate::layers::nursery::run::Run;
    pub use crate::layers::nursery::run::settle::Settle;
    pub use crate::layers::nursery::settled::Settled;
    pub use crate::layers::nursery::spawned::{Refused, Spawned};
    pub use crate::layers::nursery::task_builder::TaskBuilder;
    pub use crate::layers::nursery::task_handle::TaskHandle;
    pub use crate::layers::nursery::tree::{
        BodyInfo, NextPoll, NurseryInfo, Ring, TaskInfo, Tree, Wait, WaitOn, orphans,
    };
    pub use crate::layers::nursery::value::{Value, Values};
    pub use crate::layers::scope::value::{Scoped, ScopedKey};
    #[doc(no_inline)]
    pub use crate::{Builder, Child, Nursery, Owner, Policy, join_all, nursery, yield_now};
}

pub mod join {
    #![doc = include_str!("layers/nursery/join/join.md")]

    pub use crate::layers::nursery::join::children::{Children, JoinNext};
    pub use crate::layers::nursery::join::hedge::{Hedge, hedge};
    pub use crate::layers::nursery::join::join_with::{JoinWith, join_with};
    pub use crate::layers::nursery::join::joinable::Joinable;
    pub use crate::layers::nursery::join::joined::Joined;
    pub use crate::layers::nursery::join::joiner::Joiner;
    pub use crate::layers::nursery::join::joiners::{
        First, FirstOk, Outcomes, Quorum, UntilMatch, first_ok, join_outcomes, quorum, race,
        until_match,
    };
    pub use crate::layers::nursery::join::not_enough::NotEnough;
    pub use crate::layers::nursery::join::race_ext::{Race, RaceExt, Until};
    pub use crate::layers::nursery::join_all::JoinAll;
    #[doc(no_inline)]
    pub use crate::{JoinError, join_all};
}

pub mod many {
    //! Many items: a future for each, of an iterator or a stream, so many at once.
    //!
    //! | wanted | method | gives |
    //! |---|---|---|
    //! | an output for each item | [`map_concurrent`](ConcurrentExt::map_concurrent) | a stream of outputs, in the order of the items |
    //! | .. as each is there | [`unordered`](MapConcurrent::unordered) | the same, as they end |
    //! | .. until one fails | [`try_map_concurrent`](ConcurrentExt::try_map_concurrent) | a stream of results |
    //! | nothing | [`for_each_concurrent`](ConcurrentExt::for_each_concurrent) | a future of `()` |
    //! | .. until one fails | [`try_for_each_concurrent`](ConcurrentExt::try_for_each_concurrent) | a future of a `Result` |
    //!
    //! Children by key, at most one at a time for each: [`KeyedNursery`].
    //!
    //! The futures run in place, polled by the task that polls the stream; with
    //! [`on(&n)`](MapConcurrent::on) they are children of a nursery, and run in parallel.

    pub use crate::layers::many::children::{Host, InNursery};
    pub use crate::layers::many::ext::{ConcurrentExt, ConcurrentStreamExt, Items};
    pub use crate::layers::many::for_each::{ForEachConcurrent, TryForEachConcurrent};
    pub use crate::layers::many::here::InPlace;
    pub use crate::layers::many::keyed::taken::KeyTaken;
    pub use crate::layers::many::keyed::{KeyedJoin, KeyedNursery};
    pub use crate::layers::many::map::MapConcurrent;
    pub use crate::layers::many::place::Place;
    pub use crate::layers::many::take::{Collect, Next, TryCollect};
    pub use crate::layers::many::try_map::TryMapConcurrent;
}

pub mod in_place {
    //! Scopes: children that borrow from the caller, and run in the caller's own task.

    pub use crate::layers::base::mode::{Local, Sendable};
    pub use crate::layers::in_place::builder::ScopeBuilder;
    pub use crate::layers::in_place::child::{ScopeChild, ScopeValue};
    pub use crate::layers::in_place::handle::LocalScope;
    pub use crate::layers::in_place::handle::bounded::ScopeReserve;
    pub use crate::layers::in_place::handle::draining::ScopeDraining;
    pub use crate::layers::in_place::handle::idle::ScopeIdle;
    pub use crate::layers::in_place::mode::Mode;
    pub use crate::layers::in_place::run::ScopeRun;
    pub use crate::layers::in_place::run::settle::ScopeSettle;
    pub use crate::layers::in_place::task_builder::ScopeTask;
    #[doc(no_inline)]
    pub use crate::{Scope, scope};
}

pub mod threads {
    //! Thread scopes: children that borrow from the caller, and run in parallel while its thread
    //! waits.

    pub use crate::layers::threads::builder::ThreadScopeBuilder;
    pub use crate::layers::threads::child::{ThreadChild, ThreadValue};
    pub use crate::layers::threads::reserve::ThreadReserve;
    pub use crate::layers::threads::task_builder::ThreadTask;
    #[doc(no_inline)]
    pub use crate::{ThreadScope, thread_scope};
}

pub mod error {
    //! What went wrong: the failures of a nursery, and how they are shown.

    pub use crate::layers::base::as_error::{AsError, ErrorView};
    pub use crate::layers::base::panic::Panic;
    pub use crate::layers::group::config::PanicPolicy;
    pub use crate::layers::group::failure_info::FailureInfo;
    pub use crate::layers::nursery::error::{Cause, Deadlock, Failure};
    #[doc(no_inline)]
    pub use crate::{BoxError, GroupError, JoinError};
}

pub mod cancel {
    //! Cancellation: tokens, levels, reasons, shields, and a test of what a cancel leaves behind.

    pub use crate::layers::base::reason::{Level, ReasonKind};
    pub use crate::layers::cancel::{
        CancelExt, CancelStreamExt, Cancelled, CancelledOwned, Draining, Registration,
        UntilCancelled, UntilCancelledStream,
    };
    pub use crate::layers::context::drop_guard::DropGuard;
    pub use crate::layers::context::task::{
        TaskCancelled, TaskDraining, cancel_reason, cancel_token,
    };
    pub use crate::layers::nursery::draining::NurseryDraining;
    pub use crate::layers::scope::cancel_safe::{Stopped, cancel_safe};
    pub use crate::layers::scope::cancellable::{Cancellable, cancellable};
    pub use crate::layers::scope::shield::Shield;
    #[doc(no_inline)]
    pub use crate::{CancelToken, Reason, cancelled, checkpoint, draining, is_cancelled, shield};
}

pub mod limit {
    //! How many at once, and how often: permits, rates, and the places of a bounded nursery.

    #[doc(no_inline)]
    pub use crate::Semaphore;
    pub use crate::layers::limit::{
        Acquire, AcquireBoth, AcquireError, AcquireOwned, AcquireRate, HolderInfo, KeyedSemaphore,
        OwnedPermit, Permit, Rate, RateLimiter, TryAcquireError,
    };
    pub use crate::layers::nursery::reserve::Reserve;
    pub use crate::layers::nursery::reserve_error::{ReserveError, TryReserveError};
}

pub mod time {
    //! Time: sleeps, intervals, deadlines and cancel scopes, by the clock of the runtime.

    pub use crate::layers::scope::deadline::{
        Elapsed, FailAfter, MoveOnAfter, before_deadline, fail_at, move_on_at,
    };
    pub use crate::layers::time::interval::{Interval, Tick, interval};
    pub use crate::layers::time::{Sleep, deadline, now, remaining, sleep_until};
    #[doc(no_inline)]
    pub use crate::{fail_after, move_on_after, sleep};
    pub use allhome_rt::Instant;
}

pub mod shutdown {
    //! Shutting down step by step, by the clock or by signals, and the report of it.

    pub use crate::layers::shutdown::{Echo, Shutdown, ShutdownError, ShutdownReport, Straggler};
    #[cfg(all(feature = "signals", unix))]
    pub use crate::layers::signals::{Signals, signals};
}

pub mod see {
    #![doc = include_str!("layers/see/see.md")]

    #[cfg(all(feature = "signals", unix))]
    pub use crate::layers::dump_signal::{DumpOnSignal, Signal, dump_on_signal};
    pub use crate::layers::see::{
        Age, Alarm, AlarmKind, Clock, Color, Dump, Guard, Page, Through, WaitingOn, Watch,
        Watchdog, Watching, clock, dump, guard, note, page, stacks, through, trees, waiting_on,
        watch,
    };
    #[doc(no_inline)]
    pub use crate::layers::see::{
        BodyInfo, Link, Need, NextPoll, NurseryInfo, Ring, TaskInfo, TaskState, Tree, Wait, WaitOn,
        Waiter,
    };
}

pub mod local {
    //! Nurseries of children that stay on their thread: [`Builder::local`](crate::Builder::local).

    pub use crate::layers::base::mode::{Local, Sendable};
    pub use crate::layers::nursery::local::LocalNursery;
    pub use crate::layers::nursery::local::reserve::LocalReserve;
    pub use crate::layers::nursery::local::task_builder::LocalTaskBuilder;
    pub use crate::layers::nursery::mode::NurseryMode;
    #[doc(no_inline)]
    pub use crate::runtime::{IntoLocalRuntime, LocalRuntime};
}

pub mod runtime {
    //! Runtimes: what [`Builder::on`](crate::Builder::on) takes, and what makes one of any executor:
    //! [`Spawn`], given to [`Runtime::new`].
    //!
    //! The traits are those of the crate `allhome-rt`, on which an adapter depends instead.

    #[cfg(feature = "tokio")]
    #[doc(no_inline)]
    pub use crate::Tokio;
    #[cfg(feature = "async-std")]
    pub use allhome_async_std::AsyncStd;
    #[cfg(feature = "executors")]
    pub use allhome_executors::{LocalExecutor, ThreadPool};
    pub use allhome_rt::{
        BoxSleep, IntoLocalRuntime, IntoRuntime, Job, LocalRuntime, LocalTask, NoRuntime, Runtime,
        RuntimeBuilder, RuntimeSource, Spawn, SpawnBlocking, SpawnLocal, Task, Timer,
    };
    #[cfg(feature = "smol")]
    pub use allhome_smol::{Smol, SmolExecutor, SmolLocal};
    #[cfg(feature = "tokio")]
    pub use allhome_tokio::{TokioHandle, TokioLocal, TokioTaskPerChild};
}

/// The runtimes whose own context a caller outside of any nursery may be in. smol and async-std have
/// none: every thread is in it, so they are never taken unasked.
pub(crate) const AROUND: &[fn() -> Option<runtime::Runtime>] = &[
    #[cfg(feature = "tokio")]
    || runtime::IntoRuntime::into_runtime(Tokio).ok(),
];

#[cfg(all(doctest, feature = "executors"))]
#[doc = include_str!("../../docs/SIMULATOR.md")]
struct Simulators;
