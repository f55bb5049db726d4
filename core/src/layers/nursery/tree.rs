//! A snapshot of what is running: the tasks of a nursery and of the nurseries inside it.

mod edges;
mod graph;
pub(crate) mod info;
pub(crate) mod rings;
mod runner;
mod show;
pub(crate) mod wait;

use super::Nursery;
use crate::layers::base::counted::Weak;
use crate::layers::context::shown::Shown;
use crate::layers::group::registry::Place;
use crate::layers::group::walk::{At, Opener, Visit};
use crate::layers::group::{Group, roots};
use info::Now;

pub use info::{BodyInfo, NextPoll, NurseryInfo, TaskInfo};
pub use rings::{Link, Need, Ring, Waiter};
pub use wait::{Wait, WaitOn};

/// A snapshot of a nursery, or of a scope in place, and of all that are open inside it, outermost
/// first.
///
/// Its text has each nursery and scope inside below the task that opened it. Those that the body
/// opened, or a task that is not in the tree, come first, and say so. Of a task that waits it says for what, if
/// that is an await of this crate: `waiting for a permit of `db``. Plain `waiting` is for something
/// else: a channel, a socket, a future of the program's own. Of one that no waker leads to any more it
/// says that only a cancel ends it.
///
/// Each nursery is read under its own lock, one after the other: what is said of a task is exact, and
/// the whole is of no single moment. A nursery with thousands of tasks is read in parts, so that none
/// of them waits for long. Taking it polls nothing.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{Nursery, block_on, nursery};
///
/// block_on(nursery().name("crawl").run(async |n: Nursery<std::io::Error>| {
///     n.task("fetch").spawn(std::future::pending());
///     let tree = n.tree();
///     assert_eq!(tree.tasks(), 1);
///     assert!(tree.to_string().contains("fetch"));
///     n.cancel();
///     Ok(())
/// }))?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Tree {
    nurseries: Vec<NurseryInfo>,
    rings: Vec<Ring>,
    dead: Vec<Waiter>,
    stuck: Vec<Waiter>,
}

impl<E: Send + Sync + 'static> Nursery<E> {
    /// Returns a snapshot of the nursery's tasks and of the nurseries inside it.
    pub fn tree(&self) -> Tree {
        Tree::of(&self.group.downgrade())
    }
}

impl Tree {
    /// Takes the snapshot of a scope in place, alone.
    pub(crate) fn of_scope(scope: &dyn Shown) -> Tree {
        let scope = NurseryInfo::of_scope(scope, 0, Opener::Outside);
        Tree { nurseries: vec![scope], rings: Vec::new(), dead: Vec::new(), stuck: Vec::new() }
    }

    /// Takes the snapshot.
    pub(crate) fn of(group: &Weak<Group>) -> Tree {
        rings::looked(|| {
            let mut nurseries = look(group);
            info::resolve(&mut nurseries);
            nurseries
        })
    }

    /// Returns the outermost nursery.
    ///
    /// # Panics
    ///
    /// Never: a tree has at least that one.
    pub fn root(&self) -> &NurseryInfo {
        &self.nurseries[0]
    }

    /// Returns the nurseries and scopes, each before those inside it.
    pub fn nurseries(&self) -> &[NurseryInfo] {
        &self.nurseries
    }

    /// Returns the rings: tasks of which each needs the next.
    pub fn rings(&self) -> &[Ring] {
        &self.rings
    }

    /// Returns the dead, if some wait for others: all that wait, and of which all wakers are with the
    /// dead themselves, so that nothing but a cancel can lead to another poll of any of them. Those
    /// of which [no waker is left](NextPoll::OnlyByCancel) are among them, then.
    pub fn dead(&self) -> &[Waiter] {
        &self.dead
    }

    /// Returns those that would be dead if each permit were still with the task that acquired it.
    pub(crate) fn stuck(&self) -> &[Waiter] {
        &self.stuck
    }

    /// Returns the number of tasks in the whole tree.
    pub fn tasks(&self) -> usize {
        self.nurseries.iter().map(|nursery| nursery.tasks.len()).sum()
    }
}

/// Reads the nurseries, each under its lock.
fn look(group: &Weak<Group>) -> Vec<NurseryInfo> {
    // Before the locks: it may ask the runtime's clock.
    let now = Now::of(group);
    let (mut nurseries, mut rest) = (Vec::new(), Vec::new());
    group.walk(|Visit { at, depth, opened_by }| {
        nurseries.push(match at {
            At::Nursery(group, registry) => {
                let mut nursery = NurseryInfo::of((group, registry), depth, opened_by, now);
                let more = nursery.read_tasks(&Place::default(), (group, registry), now);
                rest.extend(more.map(|place| (nurseries.len(), group.clone(), place)));
                nursery
            }
            At::Scope(scope) => NurseryInfo::of_scope(scope, depth, opened_by),
        });
    });
    for (at, group, mut place) in rest {
        let nursery: &mut NurseryInfo = &mut nurseries[at];
        while let Some(next) =
            group.locked(|registry| nursery.read_tasks(&place, (&group, registry), now))
        {
            // What it replaces may be the last of a record: no lock is held here.
            place = next;
        }
    }
    nurseries.iter_mut().for_each(NurseryInfo::sort);
    nurseries
}

/// Returns the nurseries whose root future was dropped while tasks of theirs were being polled, and
/// that still have such a task.
///
/// A nursery that is dropped destroys every task that is not being polled, and hands the others to
/// its nearest living ancestor. Only a root has no ancestor: its tasks end with the poll that they
/// are in, and stand here until then.
///
/// # Examples
///
/// ```
/// assert!(allhome::task::orphans().is_empty());
/// ```
pub fn orphans() -> Vec<Tree> {
    let mut groups = roots::all();
    groups.retain(|group| group.locked(|registry| registry.is_adopted()));
    let trees = groups.iter().map(Tree::of).filter(|tree| tree.tasks() > 0);
    trees.collect()
}
