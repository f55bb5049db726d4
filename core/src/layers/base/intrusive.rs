//! Lists whose items hold their own links: an item stands in one without an allocation, and leaves
//! it in constant time. And how a waiter that stands in one recognizes its waker.

mod identity;
mod list;
mod queue;

pub(crate) use identity::Identity;
pub(crate) use list::{Linked, Links, List};
pub(crate) use queue::Queue;
