//! Of a task: what tells which others it waits for, and which wait for it.

use crate::layers::base::intrusive::Identity;
use crate::layers::base::wait_mark::WaitMark;

/// By what a task is known to another that it joins, or that joins it, and what it has noted.
#[derive(Clone, Copy)]
pub(super) struct Edges {
    pub(super) mark: WaitMark,
    pub(super) parked: bool,
    /// A child of a scope in place: what it waits for is not noted.
    pub(super) in_place: bool,
    pub(super) wakes: Option<Identity>,
    pub(super) joined_by: Option<Identity>,
    /// It is blocking work, and runs.
    pub(super) blocks: bool,
    /// It has a handle by which no task joins it.
    pub(super) held: bool,
}
