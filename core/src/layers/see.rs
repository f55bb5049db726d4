//! Looking at all that is running, and why it waits: the module `see` of `lib.rs` has its docs.

pub(crate) mod clock;
pub(crate) mod dump;
pub(crate) mod guard;
pub(crate) mod note;
pub mod stacks;
pub(crate) mod through;
pub(crate) mod waiting_on;
pub(crate) mod watch;

use crate::layers::group::registry::Phase;
use crate::layers::group::roots;

pub use crate::layers::base::age::Age;
#[doc(no_inline)]
pub use crate::layers::base::outcome::TaskState;
#[doc(no_inline)]
pub use crate::layers::nursery::tree::{
    BodyInfo, Link, Need, NextPoll, NurseryInfo, Ring, TaskInfo, Tree, Wait, WaitOn, Waiter,
};
pub use clock::{Clock, clock};
pub use dump::{Color, Dump, Page, dump, page};
pub use guard::{Guard, guard};
pub use note::note;
pub use through::{Through, through};
pub use waiting_on::{WaitingOn, waiting_on};
pub use watch::{Alarm, AlarmKind, Watch, Watchdog, Watching, watch};

/// Returns the tree of each nursery in this process that is open and in no other: of those that
/// [`run`](crate::Builder::run), [`open`](crate::Builder::open) or a
/// [thread scope](crate::thread_scope) has opened outside of any nursery, local ones too, the oldest
/// first. No handle is needed.
///
/// A nursery whose future was dropped is there as long as it has a task: those are the
/// [orphans](crate::task::orphans). What is inside a nursery is in its tree, also each
/// [scope](crate::scope) that is polled in it; a scope outside of any nursery is in none.
///
/// Tests that run in parallel see the nurseries of each other. They tell them apart by the
/// [name or the id](Tree::root) of the outermost one, as below.
///
/// It may be called anywhere, also inside a task, and in a panic hook. No lock is held for longer
/// than it takes to read two thousand tasks. What it costs: opening and ending an outermost nursery pays for
/// its place in a list; a child and a nursery inside another pay nothing.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{Nursery, block_on, nursery, see};
/// use std::convert::Infallible;
///
/// block_on(nursery().name("shop").run(async |n: Nursery<Infallible>| {
///     n.task("till").go(std::future::pending());
///     let mut trees = see::trees();
///     trees.retain(|tree| tree.root().id == n.id());
///     assert_eq!(trees[0].root().name.as_deref(), Some("shop"));
///     assert_eq!(trees[0].tasks(), 1);
///     n.abort();
///     Ok(())
/// }))?;
/// assert!(see::trees().iter().all(|tree| tree.root().name.as_deref() != Some("shop")));
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn trees() -> Vec<Tree> {
    let mut groups = roots::all();
    groups.retain(|group| group.locked(|registry| registry.phase != Phase::Closed));
    groups.iter().map(Tree::of).collect()
}
