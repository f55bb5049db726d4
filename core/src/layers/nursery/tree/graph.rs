//! Which task of a tree waits for which, and which of them can go on no more.
//!
//! A task that waits by an await of this crate has left a waker in an object of this crate, and that
//! waker *is* its record. So what may wake a task is read from the objects, and nothing is recorded for it.
//! A *keep* is one such object:
//!
//! | a keep is | it keeps a waker of | it wakes when |
//! |---|---|---|
//! | the handle of a child | the task that joins the child | the child ends |
//! | a nursery | the task that runs it | all that is in it has ended; before that, if a child fails, by the cancel that follows |
//! | a line of a semaphore | the task that waits in it | permits come back, or a waiter in front leaves |
//!
//! A task is *dead* if it waits, and each of its wakers is in a keep that only dead tasks can make
//! wake. So it is about the largest set of tasks for which that holds: all that wait are in it at
//! first, and those leave it that have a waker more than keeps of theirs are in the set. One with no
//! waker is in the set by itself.
//!
//! *Lines* are only in the larger of two sets. A permit may have been handed on to another task, or
//! to none; and a resize of the semaphore may make some.
//!
//! *Needs.* A task needs another if it cannot go on before that one does: the child that it joins,
//! each task of the nursery that it runs, the holder of the permits that it waits for, or each of
//! several that are all dead. A way that
//! comes back to where it began is a [ring](super::rings).

use super::info::{NurseryInfo, TaskInfo};
use crate::layers::base::id::{NurseryId, Owner};
use crate::layers::base::intrusive::Identity;
use crate::layers::group::walk::Opener;
use crate::layers::limit::look::{Request, RequestId};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::Location;

/// A task, or the body of the outermost nursery.
pub(super) struct Node<'a> {
    pub(super) owner: Owner,
    pub(super) parked: bool,
    pub(super) polls: u32,
    /// None: not counted.
    wakers: Option<u32>,
    cancelled: bool,
    /// None: the body.
    pub(super) task: Option<&'a TaskInfo>,
}

/// What a task needs.
#[derive(Clone, Copy)]
pub(super) struct Need {
    pub(super) node: usize,
    pub(super) by: By,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum By {
    Join,
    Nursery(NurseryId),
    Permit(&'static Location<'static>, RequestId),
}

/// See the table.
struct Keep {
    /// Whose waker it keeps.
    of: usize,
    /// What makes it wake. None: something that is not in the tree.
    by: Option<Vec<usize>>,
    /// A line of a semaphore.
    line: bool,
}

pub(super) struct Graph<'a> {
    pub(super) nodes: Vec<Node<'a>>,
    keeps: Vec<Keep>,
    needs: BTreeMap<usize, Vec<Need>>,
    /// Of what waits for permits that several hold: any of them may give it what it needs.
    one_of: Vec<(usize, Vec<Need>)>,
}

/// Finds nodes.
struct Index<'a> {
    nurseries: &'a [NurseryInfo],
    /// Where the tasks of each begin.
    begin: Vec<usize>,
    by_id: BTreeMap<NurseryId, usize>,
    by_wakes: BTreeMap<Identity, usize>,
    body: Option<usize>,
}

impl Index<'_> {
    fn tasks(&self, nursery: usize) -> std::ops::Range<usize> {
        let begin = self.begin[nursery];
        begin..begin + self.nurseries[nursery].tasks.len()
    }

    fn of(&self, owner: Owner) -> Option<usize> {
        match owner {
            Owner::Task(id) => {
                let nursery = *self.by_id.get(&id.nursery())?;
                let tasks = &self.nurseries[nursery].tasks;
                let at = tasks.binary_search_by_key(&id, |task| task.id).ok()?;
                Some(self.begin[nursery] + at)
            }
            Owner::Body(nursery) => {
                let at = *self.by_id.get(&nursery)?;
                let nursery = &self.nurseries[at];
                nursery.body.as_ref()?;
                // It is a part of the task that runs the nursery.
                self.body
                    .filter(|_| at == 0)
                    .or_else(|| self.by_wakes.get(&nursery.run.by?).copied())
            }
        }
    }
}

impl<'a> Graph<'a> {
    /// Makes it of what one look has seen. Of the requests for permits those that are `known` count:
    /// others are of tasks outside of the tree.
    pub(super) fn new(
        nurseries: &'a [NurseryInfo],
        requests: &[Request],
        known: impl Fn(&Request) -> bool,
    ) -> Graph<'a> {
        let mut graph = Graph {
            nodes: Vec::new(),
            keeps: Vec::new(),
            needs: BTreeMap::new(),
            one_of: Vec::new(),
        };
        let index = graph.add_nodes(nurseries);
        graph.add_joins(&index);
        graph.add_nurseries(&index);
        graph.add_lines(&index, requests, known);
        graph
    }

    fn add_nodes(&mut self, nurseries: &'a [NurseryInfo]) -> Index<'a> {
        let mut begin = Vec::with_capacity(nurseries.len());
        for nursery in nurseries {
            begin.push(self.nodes.len());
            self.nodes.extend(nursery.tasks.iter().map(|task| Node {
                owner: Owner::Task(task.id),
                parked: task.edges.parked,
                polls: task.polls,
                wakers: task.wakers,
                cancelled: task.cancelled,
                task: Some(task),
            }));
        }
        let root = &nurseries[0];
        let body = root.body.as_ref().map(|body| {
            self.nodes.push(Node {
                owner: Owner::Body(root.id),
                parked: body.edges.parked,
                polls: body.turn,
                wakers: body.wakers,
                cancelled: root.reason.is_some(),
                task: None,
            });
            self.nodes.len() - 1
        });
        // Only those are looked up whose wakers are in a keep.
        let joined = self.nodes.iter().filter_map(|node| node.task?.edges.joined_by);
        let run = nurseries.iter().filter_map(|nursery| nursery.run.by);
        let kept: BTreeSet<_> = joined.chain(run).collect();
        let wakes = |node: &Node<'_>| match node.task {
            Some(task) => task.edges.wakes,
            None => root.run.by,
        };
        let nodes = self.nodes.iter().enumerate();
        let found = nodes.filter_map(|(at, node)| Some((wakes(node)?, at)));
        let by_wakes = found.filter(|(wakes, _)| kept.contains(wakes)).collect();
        let by_id = nurseries.iter().enumerate().map(|(at, nursery)| (nursery.id, at)).collect();
        Index { nurseries, begin, by_id, by_wakes, body }
    }

    fn need(&mut self, of: usize, node: usize, by: By) {
        self.needs.entry(of).or_default().push(Need { node, by });
    }

    fn add_joins(&mut self, index: &Index<'_>) {
        for node in 0..self.nodes.len() {
            let joined_by = self.nodes[node].task.and_then(|task| task.edges.joined_by);
            if let Some(of) = joined_by.and_then(|by| index.by_wakes.get(&by)).copied() {
                self.keeps.push(Keep { of, by: Some(vec![node]), line: false });
                self.need(of, node, By::Join);
            }
        }
    }

    fn add_nurseries(&mut self, index: &Index<'_>) {
        // What is inside, and no task of the nursery, or its body, runs it.
        let mut strays = BTreeMap::<usize, Vec<usize>>::new();
        let mut around: Vec<usize> = Vec::new();
        for (at, nursery) in index.nurseries.iter().enumerate() {
            around.truncate(nursery.depth);
            if let (Some(outer), Opener::Outside) = (around.last(), nursery.opened_by) {
                strays.entry(*outer).or_default().extend(index.tasks(at));
            }
            around.push(at);
        }
        for (at, nursery) in index.nurseries.iter().enumerate() {
            let run_by = nursery.run.by.filter(|_| !nursery.in_place);
            let Some(of) = run_by.and_then(|by| index.by_wakes.get(&by)).copied() else { continue };
            let tasks = index.tasks(at);
            let by: Vec<_> = tasks.clone().chain(strays.remove(&at).unwrap_or_default()).collect();
            let joins = nursery.body.is_none();
            // With nothing in it, it is about to wake. One that has a time wakes by that.
            let wakes_itself = nursery.run.timed || (joins && by.is_empty());
            let by = (!wakes_itself).then_some(by);
            self.keeps.push(Keep { of, by, line: false });
            if joins {
                tasks.for_each(|node| self.need(of, node, By::Nursery(nursery.id)));
            }
        }
    }

    fn add_lines(
        &mut self,
        index: &Index<'_>,
        requests: &[Request],
        known: impl Fn(&Request) -> bool,
    ) {
        let mut lines = BTreeMap::<u64, Vec<(&Request, Option<usize>)>>::new();
        for request in requests {
            let node = request.owner.filter(|_| known(request)).and_then(|owner| index.of(owner));
            lines.entry(request.semaphore).or_default().push((request, node));
        }
        for line in lines.into_values() {
            let waiters = line.iter().filter(|(request, _)| request.itself);
            for (_, node) in waiters {
                let Some(of) = *node else { continue };
                let by = line.iter().map(|(_, node)| *node).collect();
                self.keeps.push(Keep { of, by, line: true });
                let holders = line.iter().filter(|(request, _)| !request.waits);
                let needs = holders.map(|(request, node)| {
                    let by = By::Permit(request.location, request.id);
                    node.map(|node| Need { node, by })
                });
                match needs.collect::<Option<Vec<_>>>().as_deref() {
                    Some([need]) => self.need(of, need.node, need.by),
                    Some(several) if !several.is_empty() => self.one_of.push((of, several.into())),
                    Some(_) | None => {}
                }
            }
        }
    }

    /// Adds the needs for permits that several hold, where all of these are stuck.
    pub(super) fn add_stuck(&mut self, stuck: &[bool]) {
        for (of, needs) in std::mem::take(&mut self.one_of) {
            if needs.iter().all(|need| stuck[need.node]) {
                self.needs.entry(of).or_default().extend(needs);
            }
        }
    }

    pub(super) fn needs(&self, node: usize) -> &[Need] {
        self.needs.get(&node).map_or(&[], |needs| &needs[..])
    }

    /// Returns the nodes that have needs.
    pub(super) fn needy(&self) -> impl Iterator<Item = usize> {
        self.needs.keys().copied()
    }

    /// Returns the dead, of those that `may` be. With `lines`, the larger of the two sets.
    pub(super) fn dead(&self, lines: bool, may: impl Fn(&Node<'_>) -> bool) -> Vec<bool> {
        let keeps = || self.keeps.iter().enumerate().filter(|(_, keep)| lines || !keep.line);
        let can = |node: &Node<'_>| node.parked && !node.cancelled && node.wakers.is_some();
        let mut dead: Vec<bool> = self.nodes.iter().map(|node| can(node) && may(node)).collect();
        // How many of its wakers are in keeps that the set alone can make wake.
        let mut kept = vec![0_u32; self.nodes.len()];
        let mut kept_by = BTreeMap::<usize, Vec<usize>>::new();
        let mut holds = vec![false; self.keeps.len()];
        for (at, keep) in keeps() {
            let Some(by) = &keep.by else { continue };
            if by.iter().all(|node| dead[*node]) {
                holds[at] = true;
                kept[keep.of] += 1;
                by.iter().for_each(|node| kept_by.entry(*node).or_default().push(at));
            }
        }
        let lives = |node: usize, kept: &[u32]| self.nodes[node].wakers != Some(kept[node]);
        let mut leave: Vec<_> =
            (0..dead.len()).filter(|node| dead[*node] && lives(*node, &kept)).collect();
        while let Some(node) = leave.pop() {
            if !std::mem::take(&mut dead[node]) {
                continue;
            }
            for at in kept_by.remove(&node).unwrap_or_default() {
                if std::mem::take(&mut holds[at]) {
                    let of = self.keeps[at].of;
                    kept[of] -= 1;
                    leave.push(of);
                }
            }
        }
        dead
    }
}
