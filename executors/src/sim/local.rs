//! Local tasks of a simulation, which need not be `Send`.
//!
//! The simulation has them as tasks like all others. What it has is a [`Stays`], which is `Send` and
//! leads to the task itself, on the shelf of the thread that drives.
//!
//! # Invariants
//!
//! 1. A task stands on the shelf, under its `Stays`' key, until that is dropped; but during its poll it
//!    is with the poll.
//! 2. A task is taken from the shelf on the thread that put it there. A `Stays` that is dropped on
//!    another thread leaves it there until the thread ends.

use super::world::World;
use crate::guarded::{Foreign, Kept};
use allhome_rt::{
    IntoLocalRuntime, LocalRuntime, LocalTask, NoRuntime, Runtime, SpawnLocal, Task, TaskData, Work,
};
use slab::Slab;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread::{self, ThreadId};

thread_local! {
    /// The world that this thread drives.
    static DRIVEN: Kept<Option<Arc<World>>> = const { Kept::new(None) };

    static SHELF: Kept<Slab<Option<Foreign<LocalTask>>>> = const { Kept::new(Slab::new()) };
}

/// The local tasks of the simulation around: with it a nursery in a simulated program may have
/// children that are not `Send`.
///
/// They are tasks of the simulation in all else: the schedule decides about each, the clock is
/// virtual, and a failure lists them.
///
/// # Errors
///
/// A nursery that is opened with it where no simulation drives the thread, or on a thread that a
/// simulation [polls elsewhere](super::Faults::threads) with, is not opened: the error says that
/// there is no runtime.
///
/// # Examples
///
/// ```
/// use allhome_executors::sim::{SimLocal, Simulator};
/// use allhome_rt::{IntoLocalRuntime, LocalTask};
/// use std::cell::Cell;
/// use std::rc::Rc;
///
/// let ran = Rc::new(Cell::new(false));
/// let raise = ran.clone();
/// let run = Simulator::new().run(async |_| {
///     let local = SimLocal.into_local_runtime();
///     local.spawner().spawn_local(LocalTask::from_future(async move { raise.set(true) }));
///     while !ran.get() {
///         std::future::poll_fn(|cx| {
///             cx.waker().wake_by_ref();
///             if ran.get() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
///         })
///         .await;
///     }
/// });
/// assert!(run.is_ok());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SimLocal;

const NONE_AROUND: NoRuntime = NoRuntime::new("no simulation drives this thread");

impl IntoLocalRuntime for SimLocal {
    fn into_local_runtime(self) -> LocalRuntime {
        // At the thread's end it may be gone.
        let world = DRIVEN.try_with(|driven| driven.locked(|world| world.clone()));
        match world.ok().flatten() {
            Some(world) => {
                let runtime = super::SimHandle { world: world.clone() };
                LocalRuntime::new(runtime, Rc::new(Spawner { world: Some(world) }))
            }
            None => LocalRuntime::new(Nowhere, Rc::new(Spawner { world: None })),
        }
    }
}

/// There is no runtime.
struct Nowhere;

impl allhome_rt::IntoRuntime for Nowhere {
    fn into_runtime(self) -> Result<Runtime, NoRuntime> {
        Err(NONE_AROUND)
    }
}

struct Spawner {
    world: Option<Arc<World>>,
}

impl SpawnLocal for Spawner {
    /// Takes the task, or drops it if the simulation has ended.
    fn spawn_local(&self, task: LocalTask) {
        let Some(world) = &self.world else { return };
        let stays = Foreign::new(Task::new(Arc::new(Stays::new(task)), TaskData::default()));
        world.spawn_local(stays).into_iter().for_each(Foreign::discard);
    }
}

/// Leads to a task on the shelf.
struct Stays {
    key: usize,
    thread: ThreadId,
}

impl Stays {
    fn new(task: LocalTask) -> Stays {
        let task = Foreign::new(task);
        let key = SHELF.with(|shelf| shelf.locked(|shelf| shelf.insert(Some(task))));
        Stays { key, thread: thread::current().id() }
    }

    fn is_here(&self) -> bool {
        self.thread == thread::current().id()
    }
}

impl Work for Stays {
    fn poll(&self, _: &mut TaskData, cx: &mut Context<'_>) -> Poll<()> {
        assert!(self.is_here(), "a simulation with local tasks is driven on another thread");
        let taken = SHELF.with(|shelf| shelf.locked(|shelf| shelf[self.key].take()));
        let mut task = taken.expect("it is polled by one poll at a time, and not after a panic");
        let polled = Pin::new(&mut *task).poll(cx);
        SHELF.with(|shelf| shelf.locked(|shelf| shelf[self.key] = Some(task)));
        polled
    }

    /// The task goes with this.
    fn discard(&self, _: &mut TaskData) {}

    fn label(&self, _: &mut TaskData) -> Option<String> {
        if !self.is_here() {
            return None;
        }
        // None while it is polled.
        SHELF.with(|shelf| shelf.locked(|shelf| shelf.get_mut(self.key)?.as_mut()?.label()))
    }
}

impl Drop for Stays {
    fn drop(&mut self) {
        if !self.is_here() {
            return;
        }
        // At the thread's end the shelf may be gone, with what is on it.
        let task = SHELF.try_with(|shelf| shelf.locked(|shelf| shelf.try_remove(self.key)));
        task.ok().flatten().flatten().into_iter().for_each(Foreign::discard);
    }
}

/// The thread drives this world, until the result is dropped.
pub(super) struct Drives(Option<Arc<World>>);

impl Drives {
    pub(super) fn new(world: &Arc<World>) -> Drives {
        let world = Some(world.clone());
        // At the thread's end it may be gone: there are no local tasks then.
        let before =
            DRIVEN.try_with(|driven| driven.locked(|driven| std::mem::replace(driven, world)));
        Drives(before.ok().flatten())
    }
}

impl Drop for Drives {
    fn drop(&mut self) {
        let before = self.0.take();
        let _world =
            DRIVEN.try_with(|driven| driven.locked(|driven| std::mem::replace(driven, before)));
    }
}

impl fmt::Debug for Spawner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spawner").field("is_in_simulation", &self.world.is_some()).finish()
    }
}
