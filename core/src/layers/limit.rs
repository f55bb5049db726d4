//! Limits: how many may do something at the same time.
//!
//! The semaphore's state is in [`gate`] and [`held`]; waiters stand in the [`line`](mod@line),
//! which is the wait queue of every limit. docs/LIMITS.md explains how and why.

mod acquire;
mod both;
mod bucket;
mod error;
mod gate;
mod held;
mod holders;
mod keyed;
mod lanes;
mod line;
mod permit;
mod rate;
mod semaphore;
mod share;
mod slots;
mod stop;
mod supply;
mod wait;
mod waiter;
mod waiting;

pub use acquire::{Acquire, AcquireOwned};
pub use both::{AcquireBoth, Both, Limit};
pub use bucket::Rate;
pub use error::{AcquireError, TryAcquireError};
pub use holders::HolderInfo;
pub use keyed::KeyedSemaphore;
pub use permit::{OwnedPermit, Permit};
pub use rate::{AcquireRate, RateLimiter};
pub use semaphore::Semaphore;
