//! A runtime for tasks that stay on one thread.

use crate::{IntoRuntime, RuntimeSource, SpawnLocal};
use std::fmt;
use std::rc::Rc;

/// What a local nursery is opened on: a spawner of this thread, and the runtime beside it. Cloning
/// costs one increment.
///
/// The spawner runs the children. The runtime has the clock, the blocking pool and the budget of a
/// poll, and runs the nurseries inside that are not local. The spawner stays on its thread, and so
/// does this.
///
/// # Examples
///
/// ```
/// use allhome_rt::{IntoLocalRuntime, LocalRuntime, LocalTask, Runtime, Spawn, SpawnLocal, Task};
/// use std::rc::Rc;
///
/// /// Drops what it is given.
/// struct Discard;
/// impl Spawn for Discard {
///     fn spawn(&self, task: Task) { drop(task) }
/// }
/// impl SpawnLocal for Discard {
///     fn spawn_local(&self, task: LocalTask) { drop(task) }
/// }
///
/// let local = LocalRuntime::new(Runtime::new("discard", Discard), Rc::new(Discard));
/// assert_eq!(local.runtime().find().unwrap().name(), "discard");
/// local.clone().into_local_runtime().spawner().spawn_local(LocalTask::from_future(async {}));
/// ```
#[derive(Clone)]
pub struct LocalRuntime {
    runtime: RuntimeSource,
    spawner: Rc<dyn SpawnLocal>,
}

impl LocalRuntime {
    /// Makes one of a runtime and a spawner of this thread.
    pub fn new(runtime: impl IntoRuntime, spawner: Rc<dyn SpawnLocal>) -> LocalRuntime {
        LocalRuntime { runtime: runtime.source(), spawner }
    }

    /// Returns the runtime, or how to look for it.
    pub fn runtime(&self) -> RuntimeSource {
        self.runtime.clone()
    }

    /// Returns the spawner.
    pub fn spawner(&self) -> &Rc<dyn SpawnLocal> {
        &self.spawner
    }
}

impl fmt::Debug for LocalRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalRuntime").field("runtime", &self.runtime).finish_non_exhaustive()
    }
}

/// A place to open a local nursery on: a [`LocalRuntime`], or a value that stands for one.
pub trait IntoLocalRuntime {
    /// Returns the runtime. If it has ended, it drops each task that it is given.
    fn into_local_runtime(self) -> LocalRuntime;
}

impl IntoLocalRuntime for LocalRuntime {
    fn into_local_runtime(self) -> LocalRuntime {
        self
    }
}

impl IntoLocalRuntime for &LocalRuntime {
    fn into_local_runtime(self) -> LocalRuntime {
        self.clone()
    }
}
