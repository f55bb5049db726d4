//! Lists whose items hold their own links: nothing is allocated to stand in one, and whoever does
//! leaves it in constant time. And how a waiter that stands in one knows its waker again.

mod identity;
mod list;
mod queue;

pub(crate) use identity::Identity;
pub(crate) use list::{Linked, Links, List};
pub(crate) use queue::Queue;
