//! Everything that is running in the process, in one text.

mod lots;
mod show;
mod stacks;

use super::trees;
use crate::layers::nursery::tree::Tree;
use crate::layers::nursery::tree::info::{NurseryInfo, TaskInfo};
use crate::layers::nursery::tree::rings::Ring;

/// Returns all that is running in this process, with no handle: for a signal, a panic hook, a page for
/// the operator, a test that hangs. Its text has, in this order:
///
/// 1. the *findings*: tasks that only a cancel ends, and [rings](Ring);
/// 2. the tasks in *lots*: by what they wait for, where they wait, if their [stacks](super::stacks) are
///    seen, and where they were spawned, the biggest lot first;
/// 3. the nurseries, each below the one that it is inside of.
///
/// It may be called anywhere: in a task, on any thread, beside one that is stuck in a poll, and in a
/// panic hook. It polls nothing and waits for no task. It takes the locks of the nurseries, one after
/// the other, which a task that is polled does not hold.
///
/// Names and notes stand in it, with control characters escaped: mind where it goes.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{Nursery, Semaphore, block_on, nursery, see, yield_now};
/// use std::convert::Infallible;
/// use std::sync::Arc;
///
/// block_on(nursery().name("shop").run(async |n: Nursery<Infallible>| {
///     let tills = Arc::new(Semaphore::new(1).named("tills"));
///     let _closed = tills.try_acquire().unwrap();
///     for _ in 0..3 {
///         let tills = tills.clone();
///         n.go(async move { drop(tills.acquire().await) });
///     }
///     while n.tree().root().tasks.iter().any(|task| task.waits.is_none()) {
///         yield_now().await;
///     }
///     let text = see::dump().to_string();
///     assert!(text.contains("3 waiting for a permit of `tills`"), "{text}");
///     n.cancel();
///     Ok(())
/// }))?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn dump() -> Dump {
    Dump { trees: trees() }
}

/// All that was running when [`dump`] was called.
#[derive(Debug, Clone)]
pub struct Dump {
    trees: Vec<Tree>,
}

impl Dump {
    /// Makes one of some trees alone: of those that a test has opened, say.
    ///
    /// # Examples
    ///
    /// ```
    /// use allhome::see::{self, Dump};
    ///
    /// let mut trees = see::trees();
    /// trees.retain(|tree| tree.root().name.as_deref() == Some("mine"));
    /// assert_eq!(Dump::of(trees).tasks(), 0);
    /// ```
    pub fn of(trees: Vec<Tree>) -> Dump {
        Dump { trees }
    }

    /// Returns the trees of the nurseries that are in no other, the oldest first.
    pub fn trees(&self) -> &[Tree] {
        &self.trees
    }

    /// Returns the number of tasks.
    pub fn tasks(&self) -> usize {
        self.trees.iter().map(Tree::tasks).sum()
    }

    /// Returns the tasks that wait, and that nothing but a cancel can lead to another poll: no waker
    /// of theirs is left. Those that wait for their own cancel are not among them.
    pub fn unreachable(&self) -> impl Iterator<Item = &TaskInfo> {
        self.all_tasks().filter(|task| task.is_unreachable())
    }

    /// Returns the rings: tasks of which each joins the next.
    pub fn rings(&self) -> impl Iterator<Item = &Ring> {
        self.trees.iter().flat_map(Tree::rings)
    }

    fn nurseries(&self) -> impl Iterator<Item = &NurseryInfo> {
        self.trees.iter().flat_map(Tree::nurseries)
    }

    fn all_tasks(&self) -> impl Iterator<Item = &TaskInfo> {
        self.nurseries().flat_map(|nursery| &nursery.tasks)
    }
}
