//! Lists whose items hold their own links: nothing is allocated to stand in one, and whoever does
//! leaves it in constant time.

mod list;
mod queue;

pub(crate) use list::{Linked, Links, List};
pub(crate) use queue::Queue;
