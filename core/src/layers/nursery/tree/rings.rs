//! Rings: tasks of which each joins the next.
//!
//! A child's handle keeps the waker of the task that joins it, and that waker *is* the record of the
//! task, or what the task's carrier keeps, too. So which task joins which is in the records, and
//! costs nothing.
//!
//! One look reads each nursery at another moment. So a ring that it finds is a ring only if a second
//! look finds the same one, and no task of it was polled in between: a handle's joiner changes in a
//! poll of the task that joins, or at the end of the child, so all of it was there all that time.

use super::{NurseryInfo, Tree};
use crate::layers::base::id::TaskId;
use crate::layers::base::intrusive::Identity;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Tasks of which each joins the next by its handle, and the last the first: none of them can end
/// before itself.
///
/// # Examples
///
/// Each of the two waits for the other's value.
///
/// ```
/// use allhome::{Child, Nursery, Simulator, sleep, yield_now};
/// use std::convert::Infallible;
/// use std::sync::{Arc, Mutex};
/// use std::time::Duration;
///
/// let tree = Simulator::new().run(async |n: Nursery<Infallible>| {
///     let given = Arc::new(Mutex::new(None::<Child<(), Infallible>>));
///     let taken = given.clone();
///     let left = n.task("left").fork(async move {
///         yield_now().await;
///         let right = taken.lock().unwrap().take();
///         Ok(drop(right.expect("it was given").await))
///     });
///     let right = n.task("right").fork(async move { Ok(drop(left.await)) });
///     *given.lock().unwrap() = Some(right);
///     sleep(Duration::from_secs(1)).await;
///     let tree = n.tree();
///     n.abort();
///     Ok(tree)
/// })?;
/// let [ring] = tree.rings() else { panic!("there is one:\n{tree}") };
/// assert_eq!(ring.tasks.len(), 2);
/// assert!(tree.to_string().contains("each of these joins the next"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ring {
    /// The tasks; the first is the one with the lowest id.
    pub tasks: Vec<TaskId>,
    /// Whether nothing but a cancel can lead to another poll of any of them: the only waker of each is
    /// that by which it joins the next. `false` also where wakers are not counted.
    pub only_by_cancel: bool,
}

/// A ring, and how often each of its tasks was polled.
type Found = (Vec<(TaskId, u32)>, bool);

/// Returns the rings that one look has found.
fn found(nurseries: &[NurseryInfo]) -> Vec<Found> {
    let tasks = || nurseries.iter().flat_map(|nursery| &nursery.tasks);
    let joined = tasks().filter(|task| task.edges.joined_by.is_some());
    let mut of = BTreeMap::<Identity, Vec<usize>>::new();
    // The tasks that are joined, and, by what wakes a task, which of them it joins.
    let joined: Vec<_> = joined.collect();
    for (at, task) in joined.iter().enumerate() {
        task.edges.joined_by.into_iter().for_each(|by| of.entry(by).or_default().push(at));
    }
    let next = |at: usize| {
        let task = joined[at];
        let parked = task.edges.parked;
        task.edges.wakes.filter(|_| parked).and_then(|wakes| of.get(&wakes)).into_iter().flatten()
    };
    let mut rings = Vec::new();
    let mut seen = BTreeSet::new();
    for start in 0..joined.len() {
        // The way to here, and what of each on it was not tried yet. A loop, not a recursion.
        let mut way: Vec<usize> = Vec::new();
        let mut rest = vec![vec![start]];
        while let Some(last) = rest.last_mut() {
            let Some(at) = last.pop() else {
                rest.pop();
                way.pop();
                continue;
            };
            if let Some(from) = way.iter().position(|on| *on == at) {
                rings.push(way[from..].iter().map(|at| joined[*at]).collect::<Vec<_>>());
            } else if seen.insert(at) {
                way.push(at);
                rest.push(next(at).copied().collect());
            }
        }
    }
    let rings = rings.into_iter().map(|mut ring| {
        let first = ring.iter().enumerate().min_by_key(|(_, task)| task.id);
        let first = first.map_or(0, |(at, _)| at);
        ring.rotate_left(first);
        let alone = ring.iter().all(|task| task.wakers == Some(1) && !task.cancelled);
        (ring.iter().map(|task| (task.id, task.polls)).collect(), alone)
    });
    rings.collect()
}

/// Looks for rings, and looks again where it finds one.
pub(super) fn looked(look: impl Fn() -> Vec<NurseryInfo>) -> Tree {
    let nurseries = look();
    let first = found(&nurseries);
    if first.is_empty() {
        return Tree { nurseries, rings: Vec::new() };
    }
    let nurseries = look();
    let mut second = found(&nurseries);
    second.retain(|ring| first.contains(ring));
    second.sort();
    let rings = second.into_iter().map(|(tasks, only_by_cancel)| Ring {
        tasks: tasks.into_iter().map(|(id, _)| id).collect(),
        only_by_cancel,
    });
    Tree { nurseries, rings: rings.collect() }
}

impl fmt::Display for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("each of these joins the next, so none can end: ")?;
        for id in &self.tasks {
            write!(f, "{id} -> ")?;
        }
        write!(f, "{}", self.tasks[0])?;
        if self.only_by_cancel { f.write_str("; only a cancel ends them") } else { Ok(()) }
    }
}
