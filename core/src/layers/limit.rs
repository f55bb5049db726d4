//! Limits: how many may do something at the same time.
//!
//! The semaphore's state is in [`permits`] and [`locked`]; waiters stand in the [`wait_queue`](mod@wait_queue)
//! of a limit, of which there is one kind. docs/LIMITS.md explains how and why.

mod acquire;
mod book;
mod both;
mod bucket;
mod error;
mod fair_queue;
mod holders;
mod keyed;
mod locked;
pub(crate) mod look;
mod on_cancel;
mod permit;
mod permits;
mod rate;
mod semaphore;
mod share;
mod slots;
mod source;
mod wait;
mod wait_queue;
mod waiter;

pub use acquire::{Acquire, AcquireOwned};
pub use both::AcquireBoth;
pub use bucket::Rate;
pub use error::{AcquireError, TryAcquireError};
pub use holders::HolderInfo;
pub use keyed::KeyedSemaphore;
pub use permit::{OwnedPermit, Permit};
pub use rate::{AcquireRate, RateLimiter};
pub use semaphore::Semaphore;
