//! Structured concurrency for any async runtime.
//!
//! Every task has an owner; when the owner's door closes, every task is home.
//!
//! To be completed.

#![deny(unsafe_code)]

mod ambient;
mod builder;
mod child;
mod context;
mod error;
mod group;
mod id;
mod nursery;
mod outcome;
mod panic;
mod reason;
mod record;
mod run;
mod sync;
mod time;
mod tree;

pub use ambient::{cancel_reason, is_cancelled, task_id};
pub use builder::{Builder, PanicPolicy, Policy, nursery, nursery_on};
pub use child::{Child, Join, JoinMut, Spawned, TaskState};
pub use error::{Cause, Failure, GroupError};
pub use group::stray::strays;
pub use id::{NurseryId, TaskId};
pub use nursery::{Named, Nursery};
pub use outcome::{JoinError, Outcome};
pub use panic::Panic;
pub use reason::{Level, Reason, ReasonKind};
pub use run::Run;
pub use time::{Sleep, Unsupported, YieldNow, sleep, sleep_until, yield_now};
pub use tree::{NurseryInfo, TaskInfo, Tree};

pub use allhome_rt::{IntoRuntime, NoRuntime, Runtime};

#[cfg(feature = "tokio")]
pub use allhome_tokio::{Tokio, TokioHandle};

#[cfg(feature = "executors")]
pub use allhome_executors::{ThreadPool, block_on};
