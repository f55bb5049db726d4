//! What a tree says of a nursery, its body and its tasks.

use super::edges::Edges;
use super::runner::Runner;
use super::wait::{Wait, WaitOn};
use crate::layers::base::age::Age;
use crate::layers::base::id::{NurseryId, TaskId};
use crate::layers::base::intrusive::Identity;
use crate::layers::base::outcome::TaskState;
use crate::layers::base::reason::{Level, Reason};
use crate::layers::base::stacks;
use crate::layers::base::stacks::seen::Stacks;
use crate::layers::base::sync::Ordering;
use crate::layers::base::wait_mark::WaitMark;
use crate::layers::context::shown::{Shown, ShownTask};
use crate::layers::group::Group;
use crate::layers::group::registry::{BODY, Member, OpenedBy, Phase, Place, Registry, Seen, shown};
use crate::layers::group::walk::Opener;
use crate::layers::record::mark::Mark;
use crate::layers::record::{Doing, Header};
use std::collections::BTreeMap;
use std::panic::Location;

/// One nursery, or scope in place, of a [`Tree`](super::Tree).
///
/// `{:?}` is a line that counts the tasks, and `{:#?}` lists them, each on a line.
#[derive(Clone)]
#[non_exhaustive]
pub struct NurseryInfo {
    /// How deep it is in the tree; 0 for the outermost.
    pub depth: usize,
    /// Whether it is a scope in place: the task that opened it polls its tasks.
    pub in_place: bool,
    /// Its id.
    pub id: NurseryId,
    /// Its name, if it has one.
    pub name: Option<Box<str>>,
    /// Where it was opened.
    pub location: &'static Location<'static>,
    /// What opened it.
    pub opened_by: Opener,
    /// How long ago it was opened, if that is known: see [`clock`](crate::see::clock).
    pub age: Option<Age>,
    /// How far it is on its way to its end.
    pub level: Level,
    /// Why it was cancelled, if it was.
    pub reason: Option<Reason>,
    /// Whether its future was dropped: its tasks belong to its ancestors now.
    pub adopted: bool,
    /// Its body, while that is there.
    pub body: Option<BodyInfo>,
    /// Its tasks.
    pub tasks: Vec<TaskInfo>,
    pub(super) run: Runner,
}

/// The body of a nursery of a [`Tree`](super::Tree).
#[derive(Clone)]
#[non_exhaustive]
pub struct BodyInfo {
    /// What it says of itself: see [`note`](crate::see::note).
    pub note: Option<Box<str>>,
    /// Whether it is being polled.
    pub running: bool,
    /// What it waits for, if it waits and that is an await of this crate.
    pub waits: Option<Wait>,
    /// Where it waits, if its polls are looked at and it is polled by no task: else it is a part of
    /// the stacks of that task.
    pub stacks: Stacks,
    /// How long ago its last poll was, if it waits and that is known.
    pub since_poll: Option<Age>,
    /// How many wakers of it there are, if they are counted: where a guard is on.
    pub(super) wakers: Option<u32>,
    /// Changes with each poll, if that is counted.
    pub(super) turn: u32,
    pub(super) edges: Edges,
}

/// One task of a [`Tree`](super::Tree).
#[derive(Clone)]
#[non_exhaustive]
pub struct TaskInfo {
    /// Its id.
    pub id: TaskId,
    /// Its name, if it has one.
    pub name: Option<Box<str>>,
    /// What it says of itself: see [`note`](crate::see::note).
    pub note: Option<Box<str>>,
    /// Where it was spawned.
    pub location: &'static Location<'static>,
    /// How long ago it was spawned, if that is known: see [`clock`](crate::see::clock). It may have
    /// been spawned earlier, if its nursery has spawned others in more than 64 different moments
    /// since.
    pub age: Option<Age>,
    /// What it is doing.
    pub state: TaskState,
    /// What it waits for, if it waits and that is an await of this crate.
    pub waits: Option<Wait>,
    /// Where it waits, if its polls are looked at: see [`stacks`](crate::see::stacks).
    pub stacks: Stacks,
    /// What leads to its next poll.
    pub next_poll: NextPoll,
    /// How often it was polled.
    pub polls: u32,
    /// How long ago its last poll was, if it waits and that is known.
    pub since_poll: Option<Age>,
    /// How many wakers of it there are; none if they are not counted. It may be more than there are
    /// futures that it waits for: a waker that is kept wakes nothing, perhaps, and each
    /// [`TaskHandle`](crate::task::TaskHandle) counts as one.
    pub wakers: Option<u32>,
    /// Whether a cancel is visible to it.
    pub cancelled: bool,
    pub(super) edges: Edges,
}

/// What leads to the next poll of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NextPoll {
    /// Nothing more is needed: it is queued, or it is being polled.
    Due,
    /// A wake, or a cancel: it waits, and wakers of it are left.
    ByWaker,
    /// A cancel, and nothing else: it waits, and no waker of it is left, nor will be, because wakers
    /// are made of wakers, or in a poll.
    OnlyByCancel,
    /// A cancel, and nothing else: it waits, and all of its wakers are with tasks of the tree that are
    /// in this case, or [`OnlyByCancel`](NextPoll::OnlyByCancel), themselves. It joins one of them, say.
    Dead,
    /// It was cancelled, and still waits: a shield, its grace or a nursery inside keeps it.
    Cancelled,
    /// Not known: it waits, and has a task of the runtime for its own, whose wakers are the
    /// runtime's. That is so of a task that was woken often, and of all on a runtime that wants a task
    /// for each child, as the simulator does. Of a child of a scope in place it is never known.
    Unknown,
}

/// The ticks that ages are measured by.
#[derive(Clone, Copy)]
pub(super) struct Now {
    now: u32,
    since: Option<u32>,
}

impl Now {
    /// No lock is held.
    pub(super) fn of(group: &Group) -> Now {
        Now { now: group.tick_of_look(), since: group.ticks_since() }
    }

    fn age(self, tick: u32) -> Option<Age> {
        Age::of(tick, self.since, self.now)
    }
}

impl NextPoll {
    fn of(seen: &Seen, state: TaskState) -> NextPoll {
        match (state, seen.look.wakers) {
            (TaskState::Queued | TaskState::Running | TaskState::Ended, _) => NextPoll::Due,
            (TaskState::Waiting, _) if seen.look.risen => NextPoll::Cancelled,
            (TaskState::Waiting, None) => NextPoll::Unknown,
            (TaskState::Waiting, Some(0)) => NextPoll::OnlyByCancel,
            (TaskState::Waiting, Some(_)) => NextPoll::ByWaker,
        }
    }
}

impl TaskInfo {
    fn of(
        (member, header, seen): (Member, &Header, &Seen),
        (group, registry): (&Group, &Registry),
        now: Now,
    ) -> TaskInfo {
        let (number, mark) = (member.number(), seen.look.mark);
        let state = shown(seen.look.doing, seen.look.polls);
        let opened = || opened_by(registry, OpenedBy::Task(member));
        let id = group.task_id(header);
        let read = |mark: Mark| stacks::read_of(id, mark.waits());
        let (waits, stacks) = mark.map(read).unwrap_or_default();
        TaskInfo {
            id,
            name: header.name().map(Box::from),
            note: registry.notes.of(number).map(Box::from),
            location: header.location(),
            age: now.age(registry.births.of(number)),
            state,
            waits: Wait::of(waits, opened),
            stacks,
            next_poll: NextPoll::of(seen, state),
            polls: seen.look.polls,
            since_poll: mark.and_then(|mark| now.age(mark.tick())),
            wakers: seen.look.wakers,
            cancelled: seen.look.cancelled,
            edges: Edges {
                mark: waits,
                parked: seen.look.doing == Doing::Parked,
                in_place: false,
                wakes: seen.wakes,
                joined_by: seen.joined_by,
                blocks: seen.look.doing == Doing::Polled && registry.blocks(number),
                held: header.state().has_handle() && seen.joined_by.is_none(),
            },
        }
    }

    /// A child of a scope in place: the task that polls it has the wakers.
    fn in_place(task: &ShownTask<'_>) -> TaskInfo {
        TaskInfo {
            id: task.id,
            name: task.name.map(Box::from),
            note: None,
            location: task.place,
            age: None,
            state: task.state,
            waits: None,
            stacks: Stacks::default(),
            next_poll: match task.state {
                TaskState::Waiting => NextPoll::Unknown,
                TaskState::Queued | TaskState::Running | TaskState::Ended => NextPoll::Due,
            },
            polls: task.polls,
            since_poll: None,
            wakers: None,
            cancelled: task.cancelled,
            edges: Edges {
                mark: WaitMark::default(),
                parked: false,
                in_place: true,
                wakes: None,
                joined_by: None,
                blocks: false,
                held: false,
            },
        }
    }

    /// Returns `true` if it is a child of a scope in place, of which no waits are known.
    pub(crate) fn is_in_place(&self) -> bool {
        self.edges.in_place
    }

    /// Returns `true` if it is blocking work that runs.
    pub(crate) fn blocks(&self) -> bool {
        self.edges.blocks
    }

    /// Returns `true` if a handle of it is somewhere, with which no task joins it.
    pub(crate) fn is_held(&self) -> bool {
        self.edges.held
    }

    /// Returns `true` if only a cancel leads to another poll of it, and that is not what it waits for.
    pub(crate) fn is_unreachable(&self) -> bool {
        let wants_it = self.waits.as_ref().is_some_and(|wait| wait.on == WaitOn::Cancel);
        self.next_poll == NextPoll::OnlyByCancel && !wants_it
    }
}

impl BodyInfo {
    /// Changes with each poll, if that is counted.
    pub(crate) fn turn(&self) -> u32 {
        self.turn
    }

    fn of(group: &Group, registry: &Registry, now: Now) -> Option<BodyInfo> {
        if registry.phase != Phase::Body {
            return None;
        }
        let running = group.body_polled.load(Ordering::Relaxed);
        let watch = group.config.watch.as_ref();
        let mark = Some(registry.body_mark).filter(|mark| !running && *mark != Mark::NONE);
        let opened = || opened_by(registry, OpenedBy::Body);
        let (waits, stacks) = mark.map(|mark| stacks::read(mark.waits())).unwrap_or_default();
        Some(BodyInfo {
            note: registry.notes.of(BODY).map(Box::from),
            running,
            waits: Wait::of(waits, opened),
            stacks,
            since_poll: mark.and_then(|mark| now.age(mark.tick())),
            wakers: watch.and_then(|watch| watch.wakers()),
            turn: watch.map_or(0, |watch| watch.turn()),
            edges: Edges {
                mark: waits,
                parked: watch.map_or(mark.is_some(), |watch| watch.wakers().is_some()),
                in_place: false,
                wakes: registry.run_waker.as_ref().map(|waker| Identity::of(waker)),
                joined_by: None,
                blocks: false,
                held: false,
            },
        })
    }
}

impl NurseryInfo {
    /// Returns `true` if it ends something at a moment of the clock.
    pub(crate) fn is_timed(&self) -> bool {
        self.run.timed
    }

    /// Returns `true` if something else than its future can cancel it.
    pub(crate) fn is_held(&self) -> bool {
        self.run.held
    }

    /// Reads a scope in place.
    pub(super) fn of_scope(scope: &dyn Shown, depth: usize, opened_by: Opener) -> NurseryInfo {
        let mut tasks = Vec::new();
        scope.each_task(&mut |task| tasks.push(TaskInfo::in_place(&task)));
        NurseryInfo {
            depth,
            in_place: true,
            id: scope.id(),
            name: scope.name().map(Box::from),
            location: scope.place(),
            opened_by,
            age: None,
            level: scope.level(),
            reason: scope.reason(),
            adopted: false,
            body: None,
            tasks,
            run: Runner::default(),
        }
    }

    /// Reads one nursery, but for its tasks. Its lock is held.
    pub(super) fn of(
        (group, registry): (&Group, &Registry),
        depth: usize,
        opened_by: Opener,
        now: Now,
    ) -> NurseryInfo {
        NurseryInfo {
            depth,
            in_place: false,
            id: group.id,
            name: group.config.name.clone(),
            location: group.config.place,
            opened_by,
            age: now.age(group.opened),
            level: group.requested_level(),
            reason: registry.cancel.requested_reason(),
            adopted: registry.is_adopted(),
            body: BodyInfo::of(group, registry, now),
            tasks: Vec::with_capacity(registry.members.count()),
            run: Runner::of(group, registry),
        }
    }

    /// Reads its tasks, or some. Its lock is held. Returns how to go on, if there are more.
    pub(super) fn read_tasks(
        &mut self,
        place: &Place,
        (group, registry): (&Group, &Registry),
        now: Now,
    ) -> Option<Place> {
        registry.members.look(place, |member, header, seen| {
            self.tasks.push(TaskInfo::of((member, header, &seen), (group, registry), now));
        })
    }

    /// All tasks were read: each stands in the list once, in the order of the spawns.
    pub(super) fn sort(&mut self) {
        self.tasks.sort_by_key(|task| task.id);
        // Of one that was seen twice the last look counts.
        self.tasks.reverse();
        self.tasks.dedup_by_key(|task| task.id);
        self.tasks.reverse();
    }
}

/// Returns the nurseries inside that a task, or the body, has opened.
fn opened_by(registry: &Registry, opener: OpenedBy) -> Vec<NurseryId> {
    registry.nested.of(opener).map(|group| group.id).collect()
}

/// Finds out what is waited for that another nursery knows: which child each task joins that joins
/// one, and which nursery it waits for.
pub(super) fn resolve(nurseries: &mut [NurseryInfo]) {
    let tasks = || nurseries.iter().flat_map(|nursery| &nursery.tasks);
    let joined: BTreeMap<Identity, TaskId> =
        tasks().filter_map(|task| Some((task.edges.joined_by?, task.id))).collect();
    let ids: Vec<_> = nurseries.iter().map(|nursery| nursery.id).collect();
    let resolve = |waits: &mut Option<Wait>, edges: Edges| match waits {
        Some(Wait { on: WaitOn::Child(child), .. }) => {
            *child = edges.wakes.and_then(|wakes| joined.get(&wakes)).copied();
        }
        Some(Wait {
            on:
                WaitOn::Nursery(id @ None) | WaitOn::Scope(id) | WaitOn::Idle(id) | WaitOn::Shutdown(id),
            ..
        }) => *id = ids.iter().copied().find(|id| edges.mark.is_of(id.number())),
        _ => {}
    };
    for nursery in nurseries {
        nursery.tasks.iter_mut().for_each(|task| resolve(&mut task.waits, task.edges));
        nursery.body.iter_mut().for_each(|body| resolve(&mut body.waits, body.edges));
    }
}
