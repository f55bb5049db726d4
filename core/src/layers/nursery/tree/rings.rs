//! Rings, and the tasks that can go on no more: what two looks at a tree have found.
//!
//! One look reads each nursery at another moment. So what it finds counts only if a second look finds
//! it again, and no task of it was polled in between: what keeps a waker of a task got it in a poll of
//! that task, or gave it up at the end of what is waited for. So all of it was there all that time, and
//! with as many wakers: none was made, because wakers are made of wakers, or in a poll.

use super::graph::{By, Graph, Node};
use super::info::{NextPoll, TaskInfo};
use super::{NurseryInfo, Tree};
use crate::layers::base::id::{NurseryId, Owner, TaskId};
use crate::layers::base::wait_mark::Kind;
use crate::layers::limit::look::{Request, RequestId, requests};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::panic::Location;

/// Tasks of which each needs the next, and the last the first: none of them can go on before itself.
/// A ring of one needs itself.
///
/// # Examples
///
/// The task holds the only permit while it waits for a child that wants it.
///
/// ```
/// use allhome::{Nursery, Semaphore, Simulator, sleep};
/// use std::convert::Infallible;
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// let tree = Simulator::new().run(async |n: Nursery<Infallible>| {
///     let db = Arc::new(Semaphore::new(1).named("db"));
///     let own = n.clone();
///     n.task("request").go(async move {
///         let _connection = db.acquire().await;
///         let second = db.clone();
///         let query = own.task("query").fork(async move { Ok(drop(second.acquire().await)) });
///         drop(query.await);
///     });
///     sleep(Duration::from_secs(1)).await;
///     let tree = n.tree();
///     n.abort();
///     Ok(tree)
/// })?;
/// let [ring] = tree.rings() else { panic!("there is one:\n{tree}") };
/// assert_eq!(ring.links.len(), 2);
/// assert!(tree.to_string().contains("each of these needs the next"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ring {
    /// What is in it, each with what it needs of the next; the first is the one with the lowest id.
    pub links: Vec<Link>,
    /// Whether nothing but a cancel can lead to another poll of any of them: the only waker of each is
    /// with the next. `false` also where wakers are not counted, and where permits are in it: these may
    /// have been handed on, and may be given back by another task.
    pub only_by_cancel: bool,
}

/// One of a [`Ring`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Link {
    /// What waits.
    pub waiter: Waiter,
    /// What it needs of the next.
    pub needs: Need,
}

/// What can wait: a task, or the body of the outermost nursery. Bodies of others are a part of the
/// task that awaits the nursery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Waiter {
    /// The body of this nursery.
    Body(NurseryId),
    /// This task.
    Task(TaskId),
}

/// What a task needs of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Need {
    /// Its end: it is joined, by its handle.
    End,
    /// The end of this nursery, in which it is.
    Nursery(NurseryId),
    /// Permits that it acquired, here.
    Permit(&'static Location<'static>),
}

impl Ring {
    /// Returns the tasks that are in it.
    pub fn tasks(&self) -> impl Iterator<Item = TaskId> {
        self.links.iter().filter_map(|link| link.waiter.task())
    }
}

impl Waiter {
    /// Returns the task, if it is one.
    pub fn task(self) -> Option<TaskId> {
        match self {
            Waiter::Task(task) => Some(task),
            Waiter::Body(_) => None,
        }
    }

    fn of(owner: Owner) -> Waiter {
        match owner {
            Owner::Body(nursery) => Waiter::Body(nursery),
            Owner::Task(task) => Waiter::Task(task),
        }
    }
}

/// A ring: what is in it, how often each was polled, and what it needs; and whether all of it is dead.
type FoundRing = (Vec<(Owner, u32, By)>, bool);

/// What one look has found.
#[derive(Default)]
struct Found {
    rings: Vec<FoundRing>,
    /// The dead, and how often each was polled.
    dead: BTreeMap<Owner, u32>,
    /// The same, with lines.
    stuck: BTreeMap<Owner, u32>,
    /// Some of the dead have a waker.
    more_than_lost: bool,
}

impl Found {
    fn of(mut graph: Graph<'_>, before: Option<&Found>) -> Found {
        let was = |set: fn(&Found) -> &BTreeMap<Owner, u32>| {
            move |node: &Node<'_>| {
                before.is_none_or(|before| set(before).get(&node.owner) == Some(&node.polls))
            }
        };
        let dead = graph.dead(false, was(|found| &found.dead));
        let stuck = graph.dead(true, was(|found| &found.stuck));
        graph.add_stuck(&stuck);
        let named = |set: &[bool]| {
            let nodes = graph.nodes.iter().zip(set).filter(|(_, is)| **is);
            nodes.map(|(node, _)| (node.owner, node.polls)).collect::<BTreeMap<_, _>>()
        };
        let lost = |node: &Node<'_>| node.task.is_some_and(|task| task.wakers == Some(0));
        let mut nodes = graph.nodes.iter().zip(&stuck);
        let more_than_lost = nodes.any(|(node, stuck)| *stuck && !lost(node));
        let (rings, dead) = (rings(&graph, &dead), named(&dead));
        Found { rings, dead, stuck: named(&stuck), more_than_lost }
    }
}

/// Returns the rings that one look has found.
fn rings(graph: &Graph<'_>, dead: &[bool]) -> Vec<FoundRing> {
    let next = |at: usize| {
        let needs = if graph.nodes[at].parked { graph.needs(at) } else { &[] };
        needs.iter().rev().filter(|need| graph.nodes[need.node].parked)
    };
    let mut rings = Vec::new();
    let mut seen = BTreeSet::new();
    for start in graph.needy() {
        // The way to here, with what each on it needs of the next, and what of each was not tried yet.
        // A loop, not a recursion.
        let mut way: Vec<(usize, Option<By>)> = Vec::new();
        let mut rest = vec![vec![(start, None)]];
        while let Some(last) = rest.last_mut() {
            let Some((at, by)) = last.pop() else {
                rest.pop();
                way.pop();
                continue;
            };
            if let Some(last) = way.last_mut() {
                last.1 = by;
            }
            if let Some(from) = way.iter().position(|(on, _)| *on == at) {
                let ring = way[from..].iter().filter_map(|(at, by)| Some((*at, (*by)?)));
                rings.push(ring.collect::<Vec<_>>());
            } else if seen.insert(at) {
                way.push((at, None));
                rest.push(next(at).map(|need| (need.node, Some(need.by))).collect());
            }
        }
    }
    let rings = rings.into_iter().map(|mut ring| {
        let owner = |at: usize| graph.nodes[at].owner;
        let first = ring.iter().enumerate().min_by_key(|(_, (at, _))| owner(*at));
        let first = first.map_or(0, |(first, _)| first);
        ring.rotate_left(first);
        let all_dead = ring.iter().all(|(at, _)| dead[*at]);
        let named = ring.iter().map(|(at, by)| (owner(*at), graph.nodes[*at].polls, *by));
        (named.collect(), all_dead)
    });
    rings.collect()
}

/// Looks, and looks again where something is found.
pub(super) fn looked(look: impl Fn() -> Vec<NurseryInfo>) -> Tree {
    let looked = || {
        let nurseries = look();
        // After the tasks: at the moment between two looks what the second has seen was there.
        let requests = if wait_for_permits(&nurseries) { requests() } else { Vec::new() };
        (nurseries, requests)
    };
    let (nurseries, requests) = looked();
    let first = Found::of(Graph::new(&nurseries, &requests, |_| true), None);
    let named = |set: BTreeMap<Owner, u32>| set.into_keys().map(Waiter::of).collect();
    if first.rings.is_empty() && !first.more_than_lost {
        // Those that have no waker left were seen so in one load.
        return Tree { nurseries, rings: Vec::new(), dead: Vec::new(), stuck: named(first.stuck) };
    }
    let known: BTreeSet<RequestId> = requests.iter().map(|request| request.id).collect();
    let (mut nurseries, requests) = looked();
    let known = |request: &Request| known.contains(&request.id);
    let mut second = Found::of(Graph::new(&nurseries, &requests, known), Some(&first));
    second.rings.retain(|ring| first.rings.contains(ring));
    second.rings.sort();
    let rings = second.rings.into_iter().map(|(links, only_by_cancel)| Ring {
        links: links.into_iter().map(link).collect(),
        only_by_cancel,
    });
    let rings = rings.collect();
    for task in nurseries.iter_mut().flat_map(|nursery| &mut nursery.tasks) {
        if second.dead.contains_key(&Owner::Task(task.id)) && task.wakers != Some(0) {
            task.next_poll = NextPoll::Dead;
        }
    }
    Tree { nurseries, rings, dead: named(second.dead), stuck: named(second.stuck) }
}

fn link((owner, _, by): (Owner, u32, By)) -> Link {
    let needs = match by {
        By::Join => Need::End,
        By::Nursery(id) => Need::Nursery(id),
        By::Permit(location, _) => Need::Permit(location),
    };
    Link { waiter: Waiter::of(owner), needs }
}

/// Returns `true` if a task, or a body, waits for a permit or a slot.
fn wait_for_permits(nurseries: &[NurseryInfo]) -> bool {
    let mut marks = nurseries.iter().flat_map(|nursery| {
        let tasks = nursery.tasks.iter().map(|task| task.edges.mark);
        tasks.chain(nursery.body.as_ref().map(|body| body.edges.mark))
    });
    marks.any(|mark| matches!(mark.kind(), Some(Kind::Permit | Kind::Slot)))
}

/// So many links of a ring are shown.
const SHOWN: usize = 32;

impl Ring {
    /// Says what it is, without what is in it.
    pub(crate) fn title(&self) -> String {
        let what = match self.links.len() {
            1 => "this needs itself, so it cannot go on",
            _ => "each of these needs the next, so none can go on",
        };
        let ends = if self.only_by_cancel { "; only a cancel ends them" } else { "" };
        format!("{what}{ends}")
    }

    /// Says of each of its links what it needs, until there are too many; of tasks that are `known`
    /// with their names and places.
    pub(crate) fn lines<'a>(&self, known: impl Fn(TaskId) -> Option<&'a TaskInfo>) -> Vec<String> {
        let next = self.links.iter().cycle().skip(1).map(|link| link.waiter);
        let links = self.links.iter().zip(next).take(SHOWN);
        let mut lines: Vec<_> = links
            .map(|(link, next)| {
                let needed = Needed(link.needs, next);
                match link.waiter.task().and_then(&known) {
                    Some(task) => {
                        format!("{} needs {needed}, spawned at {}", task.label(), task.location)
                    }
                    None => format!("{} needs {needed}", link.waiter),
                }
            })
            .collect();
        if self.links.len() > SHOWN {
            lines.push(format!(".. and {} more", self.links.len() - SHOWN));
        }
        lines
    }
}

impl fmt::Display for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.title())?;
        self.lines(|_| None).iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

/// What is needed, and of what.
struct Needed(Need, Waiter);

impl fmt::Display for Needed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Needed(need, of) = self;
        match need {
            Need::End => write!(f, "the end of {of}"),
            Need::Nursery(id) => write!(f, "the end of nursery {id}, where {of} is"),
            Need::Permit(location) => write!(f, "a permit that {of} acquired at {location}"),
        }
    }
}

impl fmt::Display for Waiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Waiter::Body(nursery) => write!(f, "the body of nursery {nursery}"),
            Waiter::Task(task) => write!(f, "task {task}"),
        }
    }
}
