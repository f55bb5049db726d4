//! Generated programs: what a look claims is true to the end, and what is planted is found.
//!
//! A program is some tasks, each with a list of steps. Tasks join each other, wait for oneshots and
//! permits, open nurseries, keep each other's wakers, wake by them and drop them, wait for nothing.
//! Looks are taken while it runs. A task that a look has claimed to be unreachable, or in a ring that
//! only a cancel ends, is there when nothing goes on any more, and was not polled since. And then each
//! task that waits for nothing is claimed, and each ring.

use allhome::runtime::ThreadPool;
use allhome::see::{NextPoll, TaskInfo, TaskState, Tree};
use allhome::task::TaskId;
use allhome::{Child, Nursery, Semaphore, Simulator, block_on, nursery, yield_now};
use allhome_runs::{Opened, Stepped, within};
use futures_channel::oneshot;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

type Never = Nursery<Infallible>;

/// So many tasks has a program at most, and so many oneshots, and places for wakers.
const MOST: usize = 6;

#[derive(Clone, Debug)]
enum Step {
    Yield,
    /// Joins the task with this number, if no other one does.
    Join(usize),
    Send(usize),
    Receive(usize),
    Permit,
    /// Keeps its waker here, and waits until it was woken.
    Keep(usize),
    /// Wakes by the waker that is kept there, which goes with that.
    Wake(usize),
    WakeByRef(usize),
    DropWaker(usize),
    Nursery(Box<Step>),
    /// Waits for nothing.
    Pending,
    /// The same, after its waker was cloned and dropped.
    Lost,
}

/// What a task waits for at present, as the program knows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Waits {
    Something,
    Nothing,
    Join(usize),
}

#[derive(Default)]
struct World {
    children: Mutex<Vec<Option<Child<(), Infallible>>>>,
    senders: Mutex<BTreeMap<usize, oneshot::Sender<()>>>,
    receivers: Mutex<BTreeMap<usize, oneshot::Receiver<()>>>,
    wakers: Mutex<BTreeMap<usize, Waker>>,
    waits: Mutex<BTreeMap<usize, Waits>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    fn new(tasks: usize) -> Arc<World> {
        let world = World::default();
        lock(&world.children).resize_with(tasks, || None);
        for number in 0..MOST {
            let (sender, receiver) = oneshot::channel();
            lock(&world.senders).insert(number, sender);
            lock(&world.receivers).insert(number, receiver);
        }
        Arc::new(world)
    }

    fn waits(&self, task: usize, waits: Waits) {
        lock(&self.waits).insert(task, waits);
    }

    /// Nothing goes on any more: what is kept of the tasks' wakers goes.
    fn drop_wakers(&self) {
        drop(std::mem::take(&mut *lock(&self.wakers)));
    }

    fn take(&self, number: usize) -> Option<Child<(), Infallible>> {
        let mut children = lock(&self.children);
        let number = number % children.len();
        children[number].take()
    }
}

async fn wait_for_nothing(world: &World, task: usize, lost: bool) {
    world.waits(task, Waits::Nothing);
    if lost {
        poll_fn(|cx| {
            drop(cx.waker().clone());
            Poll::<()>::Pending
        })
        .await;
    }
    pending::<()>().await;
}

async fn keep(world: &World, place: usize) {
    let mut polls = 0;
    poll_fn(|cx| {
        polls += 1;
        if polls > 1 {
            return Poll::Ready(());
        }
        let waker = cx.waker().clone();
        let old = lock(&world.wakers).insert(place, waker);
        drop(old);
        Poll::Pending
    })
    .await;
}

/// Does one step. A nursery inside is a part of the task: what that waits for is no child's.
async fn step(world: &World, permits: &Semaphore, task: usize, step: &Step) {
    world.waits(task, Waits::Something);
    match step {
        Step::Yield => yield_now().await,
        Step::Join(number) => {
            if let Some(child) = world.take(*number) {
                let joined = number % lock(&world.children).len();
                world.waits(task, Waits::Join(joined));
                drop(child.await);
            }
        }
        Step::Send(number) => {
            let sender = lock(&world.senders).remove(number);
            let _sent = sender.map(|sender| sender.send(()));
        }
        Step::Receive(number) => {
            let receiver = lock(&world.receivers).remove(number);
            if let Some(receiver) = receiver {
                let _told = receiver.await;
            }
        }
        Step::Permit => {
            let permit = permits.acquire().await;
            yield_now().await;
            drop(permit);
        }
        Step::Keep(place) => keep(world, *place).await,
        Step::Wake(place) => {
            let waker = lock(&world.wakers).remove(place);
            waker.into_iter().for_each(Waker::wake);
        }
        Step::WakeByRef(place) => {
            let waker = lock(&world.wakers).get(place).cloned();
            waker.iter().for_each(Waker::wake_by_ref);
        }
        Step::DropWaker(place) => drop(lock(&world.wakers).remove(place)),
        Step::Nursery(inner) => {
            let run = nursery().run(async |n: Never| {
                match **inner {
                    Step::Pending => n.go(pending()),
                    _ => n.go(yield_now()),
                };
                Ok(())
            });
            drop(run.await);
        }
        Step::Pending => wait_for_nothing(world, task, false).await,
        Step::Lost => wait_for_nothing(world, task, true).await,
    }
}

/// Spawns the program; returns the ids of its tasks.
fn spawn(n: &Never, world: &Arc<World>, program: &[Vec<Step>]) -> Vec<TaskId> {
    let permits = Arc::new(Semaphore::new(1));
    let spawn = |(task, steps): (usize, &Vec<Step>)| {
        let (world, permits, steps) = (world.clone(), permits.clone(), steps.clone());
        let own = world.clone();
        let child = n.fork(async move {
            for one in &steps {
                step(&world, &permits, task, one).await;
            }
            world.waits(task, Waits::Something);
            Ok(())
        });
        let id = child.id().expect("it is admitted");
        lock(&own.children)[task] = Some(child);
        id
    };
    program.iter().enumerate().map(spawn).collect()
}

fn tasks(tree: &Tree) -> impl Iterator<Item = &TaskInfo> {
    tree.nurseries().iter().flat_map(|nursery| &nursery.tasks)
}

/// What looks have claimed: the tasks that only a cancel ends, with their polls.
#[derive(Default)]
struct Claims(BTreeMap<TaskId, u32>);

impl Claims {
    fn look(&mut self, tree: &Tree) {
        let polls: BTreeMap<_, _> = tasks(tree).map(|task| (task.id, task.polls)).collect();
        let claims =
            |task: &&TaskInfo| matches!(task.next_poll, NextPoll::OnlyByCancel | NextPoll::Dead);
        let lost = tasks(tree).filter(claims);
        let dead = tree.rings().iter().filter(|ring| ring.only_by_cancel);
        let claimed =
            lost.map(|task| task.id).chain(dead.flat_map(|ring| ring.tasks().collect::<Vec<_>>()));
        for id in claimed {
            let polls = polls[&id];
            assert_eq!(*self.0.entry(id).or_insert(polls), polls, "{id} went on:\n{tree}");
        }
    }

    /// Nothing goes on any more.
    fn check(&self, tree: &Tree) {
        for (id, polls) in &self.0 {
            let there = tasks(tree).find(|task| task.id == *id).map(|task| task.polls);
            assert_eq!(there, Some(*polls), "{id} was claimed:\n{tree}");
        }
    }
}

/// Each that waits for nothing is claimed, and each ring; no other ring is.
fn check_planted(tree: &Tree, world: &World, ids: &[TaskId], counted: bool) {
    let waits = lock(&world.waits).clone();
    let there: BTreeMap<_, _> = tasks(tree).map(|task| (task.id, task)).collect();
    for (task, waits) in &waits {
        let Some(seen) = there.get(&ids[*task]).filter(|_| *waits == Waits::Nothing) else {
            continue;
        };
        let expected = if counted { NextPoll::OnlyByCancel } else { NextPoll::Unknown };
        assert_eq!(seen.next_poll, expected, "{}:\n{tree}", seen.id);
    }
    let next = |task: usize| match waits.get(&task) {
        Some(Waits::Join(next)) if there.contains_key(&ids[task]) => Some(*next),
        _ => None,
    };
    let mut rings = BTreeSet::new();
    for start in 0..ids.len() {
        let mut way = vec![start];
        while let Some(at) = way.last().and_then(|last| next(*last)) {
            if at == start {
                rings.insert(way.iter().map(|task| ids[*task]).collect::<BTreeSet<_>>());
                break;
            }
            if way.contains(&at) {
                break;
            }
            way.push(at);
        }
    }
    let found: BTreeSet<BTreeSet<_>> =
        tree.rings().iter().map(|ring| ring.tasks().collect()).collect();
    assert_eq!(found, rings, "\n{tree}");
    // What joins a task that waits for nothing, or one of a ring, or one that joins such a task.
    let goes_on = |task: usize| {
        let mut at = task;
        for _ in 0..ids.len() {
            match waits.get(&at) {
                Some(Waits::Join(next)) if there.contains_key(&ids[*next]) => at = *next,
                Some(Waits::Nothing) => return false,
                _ => return true,
            }
        }
        false
    };
    for (task, waits) in waits.iter().filter(|(task, _)| there.contains_key(&ids[**task])) {
        let dead = matches!(waits, Waits::Join(_)) && !goes_on(*task);
        let seen = there[&ids[*task]].next_poll;
        assert!(!(counted && dead) || seen == NextPoll::Dead, "{}:\n{tree}", ids[*task]);
    }
    assert!(tree.rings().iter().all(|ring| ring.only_by_cancel == counted), "\n{tree}");
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let number = || 0..MOST;
    let one = prop_oneof![
        4 => Just(Step::Yield),
        6 => number().prop_map(Step::Join),
        2 => number().prop_map(Step::Send),
        2 => number().prop_map(Step::Receive),
        2 => Just(Step::Permit),
        3 => number().prop_map(Step::Keep),
        3 => number().prop_map(Step::Wake),
        1 => number().prop_map(Step::WakeByRef),
        2 => number().prop_map(Step::DropWaker),
        1 => Just(Step::Nursery(Box::new(Step::Yield))),
        1 => Just(Step::Nursery(Box::new(Step::Pending))),
        1 => Just(Step::Pending),
        1 => Just(Step::Lost),
    ];
    proptest::collection::vec(one, 0..6)
}

fn programs() -> impl Strategy<Value = Vec<Vec<Step>>> {
    proptest::collection::vec(steps(), 1..=MOST)
}

/// `ALLHOME_PROGRAMS` is how many programs each test runs.
pub(crate) fn config(programs: u32) -> ProptestConfig {
    let asked = std::env::var("ALLHOME_PROGRAMS").ok().and_then(|text| text.parse().ok());
    let cases = asked.unwrap_or(programs);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(300))]

    /// A look after each step of a stepped executor.
    #[test]
    fn u20_no_claim_is_false_and_each_ring_is_found(program in programs()) {
        let stepped = Stepped::new(1);
        let mut opened = Opened::new(nursery().on(stepped.runtime()));
        let (world, mut claims) = (World::new(program.len()), Claims::default());
        let ids = spawn(&opened.n, &world, &program);
        loop {
            claims.look(&opened.n.tree());
            if !stepped.step() {
                break;
            }
        }
        world.drop_wakers();
        let tree = opened.n.tree();
        claims.check(&tree);
        check_planted(&tree, &world, &ids, true);
        opened.n.abort();
        prop_assert!(opened.finish().is_ready());
    }

    /// Any order of the tasks, with wakers that are not counted.
    #[test]
    fn u20_in_the_simulator(program in programs(), seed in 0..1_000_u64) {
        let run = Simulator::new().seed(seed).run(async |n: Never| {
            let world = World::new(program.len());
            let ids = spawn(&n, &world, &program);
            // Later than all that goes on.
            allhome::sleep(std::time::Duration::from_secs(1)).await;
            let tree = n.tree();
            check_planted(&tree, &world, &ids, false);
            n.abort();
            Ok(())
        });
        prop_assert!(run.is_ok());
    }
}

/// Looks from this thread while those of the pool poll.
fn on_threads(program: &[Vec<Step>]) {
    let world = World::new(program.len());
    let run = nursery().on(ThreadPool::global()).run(async |n: Never| {
        let ids = spawn(&n, &world, program);
        let mut claims = Claims::default();
        let (mut before, mut same) = (Vec::new(), 0);
        // Twice the same, and all wait: nothing from outside wakes them.
        while same < 2 {
            let tree = n.tree();
            claims.look(&tree);
            let now: Vec<_> = tasks(&tree).map(|task| (task.id, task.polls)).collect();
            let waits = tasks(&tree).all(|task| task.state == TaskState::Waiting);
            same = if waits && now == before { same + 1 } else { 0 };
            before = now;
            std::thread::yield_now();
        }
        world.drop_wakers();
        let tree = n.tree();
        claims.check(&tree);
        check_planted(&tree, &world, &ids, true);
        n.abort();
        Ok(())
    });
    block_on(run).expect("no child fails");
}

proptest! {
    #![proptest_config(config(200))]

    #[test]
    fn u20_on_threads(program in programs()) {
        within(move || on_threads(&program));
    }
}
