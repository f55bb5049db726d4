//! Everything that is running in the process, in one text.

pub(crate) mod color;
pub(crate) mod count;
pub(crate) mod findings;
pub(crate) mod format;
pub(crate) mod json;
pub(crate) mod lots;
mod page;
pub(crate) mod show;
pub(crate) mod stacks;

use super::trees;
use crate::layers::nursery::tree::Tree;
use crate::layers::nursery::tree::info::{NextPoll, NurseryInfo, TaskInfo};
use crate::layers::nursery::tree::rings::Ring;
use std::collections::BTreeSet;
use std::io::{self, Write};

pub use color::Color;
pub use page::{Page, page};

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

    /// Writes the text, in colour or without: see [`Color::of`].
    ///
    /// It is written as it is made, in pieces of some kilobytes.
    ///
    /// # Errors
    ///
    /// Returns the first error of the writer.
    pub fn write_text(&self, out: &mut impl Write, color: Color) -> io::Result<()> {
        let mut out = io::BufWriter::new(out);
        write!(out, "{}", show::Text(self, color))?;
        out.flush()
    }

    /// Writes all of it as JSON, each task too, for programs: the format is that of
    /// [docs/SEEING.md](https://github.com/allhome-rs/allhome/blob/main/docs/SEEING.md).
    ///
    /// It is written as it is made, in pieces of some kilobytes.
    ///
    /// # Errors
    ///
    /// Returns the first error of the writer.
    ///
    /// # Examples
    ///
    /// ```
    /// use allhome::see;
    ///
    /// let mut json = Vec::new();
    /// see::dump().write_json(&mut json)?;
    /// assert!(json.starts_with(b"{\"allhome\":1,"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn write_json(&self, out: &mut impl Write) -> io::Result<()> {
        let mut out = io::BufWriter::new(out);
        write!(out, "{}", format::Format { dump: self, tasks: true })?;
        out.flush()
    }

    /// Answers a request, as [`page`] does, of this dump alone.
    ///
    /// # Examples
    ///
    /// ```
    /// use allhome::see::Dump;
    ///
    /// let page = Dump::of(Vec::new()).page("format=text");
    /// assert_eq!(page.body, "no tasks in no nurseries, no findings\n");
    /// ```
    pub fn page(&self, query: &str) -> Page {
        page::page_of(self, query)
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

    /// Returns the tasks that wait for tasks which go on no more: all their wakers are with those. Each
    /// of a [ring](Dump::rings) is one, too, and not among these.
    pub fn behind(&self) -> impl Iterator<Item = &TaskInfo> {
        let in_rings: BTreeSet<_> = self.rings().flat_map(Ring::tasks).collect();
        let dead = self.all_tasks().filter(|task| task.next_poll == NextPoll::Dead);
        dead.filter(move |task| !in_rings.contains(&task.id))
    }

    /// Returns the rings: tasks of which each needs the next.
    pub fn rings(&self) -> impl Iterator<Item = &Ring> {
        self.trees.iter().flat_map(Tree::rings)
    }

    pub(crate) fn nurseries(&self) -> impl Iterator<Item = &NurseryInfo> {
        self.trees.iter().flat_map(Tree::nurseries)
    }

    pub(crate) fn all_tasks(&self) -> impl Iterator<Item = &TaskInfo> {
        self.nurseries().flat_map(|nursery| &nursery.tasks)
    }
}
