//! The capabilities, one trait each. Every contract is a list of numbered clauses; the
//! conformance suite tests them.

use crate::{LocalTask, Task};
use std::future::Future;
use std::pin::Pin;
use std::sync::OnceLock;
use std::time::Instant;

/// Runs [`Task`]s: the one capability that every runtime has.
///
/// # Contract
///
/// 1. **Poll to the end, or drop.** A spawned task is polled until it returns `Ready`, or it is
///    dropped. Nothing else may happen to it; above all it is never leaked or forgotten.
/// 2. **Poll first, and after every wake.** It is polled once without being woken, and again
///    after each wake, from whatever thread the wake came, also when the wake arrives during a
///    poll.
/// 3. **One poll at a time.** `&mut` says so already; a runtime that hands tasks between threads
///    orders the polls (each happens before the next).
/// 4. **Any thread may spawn**, also from inside a poll, a wake and a destructor.
/// 5. **After the runtime's end** a task is dropped unpolled, by `spawn` itself or soon after.
/// 6. `spawn` does not block and does not panic.
/// 7. **Budget.** A runtime that limits what a task may do in one poll answers
///    [`has_budget`](Spawn::has_budget), and gives each call of
///    [`with_budget`](Spawn::with_budget) a whole budget. When it begins a poll of a task, there is
///    budget. Neither call panics.
///
/// A task never panics out of `poll` or `drop`: what user code throws is caught inside.
///
/// It is best, but not required, that `spawn` and `wake` return before the task is polled: the
/// core holds no lock across either and works when they poll inline.
pub trait Spawn: Send + Sync {
    /// Takes the task and polls it to its end, or drops it.
    fn spawn(&self, task: Task);

    /// Returns how many tasks the runtime can poll at once; asked once, when a
    /// [`Runtime`](crate::Runtime) is made. Default: the number of cores.
    ///
    /// A nursery keeps as many tasks ready as this says, while children wait for their first
    /// poll. Too small a number holds up children behind one that blocks its thread; too large a
    /// number costs a few idle tasks.
    fn threads(&self) -> usize {
        static CORES: OnceLock<usize> = OnceLock::new();
        *CORES.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from))
    }

    /// Returns `true` if every child of a nursery must be a task of its own, from its first poll.
    /// [`Runtime`](crate::Runtime) asks once, when it is made. The default is `false`: children
    /// that wait share tasks.
    ///
    /// It is for runtimes that choose which task is polled next, and so have to see all that there
    /// are: simulators, above all; and for tools that show a runtime's tasks. It costs a task for
    /// each child.
    fn keeps_tasks_apart(&self) -> bool {
        false
    }

    /// Returns `true` if the task that this thread is polling has budget left in this poll.
    /// Default: yes, for a runtime that has no such limit; and so it is on a thread that polls no
    /// task of this runtime.
    ///
    /// A task without budget waits for things that are there: it is told that they are not, and is
    /// polled again in a later turn. What must see all that is there, as the last poll of a
    /// cancelled body, waits for that turn.
    fn has_budget(&self) -> bool {
        true
    }

    /// Calls `poll` once, before it returns, with the budget that a poll of a task begins with.
    /// Returns `false` if `poll` has used it up. Default: only calls it.
    ///
    /// A nursery polls several children in one poll of a task, each by one such call. So a child
    /// finds what it would find in a task of its own, whatever its siblings have used. After
    /// `false` the nursery gives the runtime a turn. Where the task had no budget when the call
    /// began, there is none inside, and the answer is `false`.
    fn with_budget(&self, poll: &mut dyn FnMut()) -> bool {
        poll();
        true
    }
}

/// Runs [`LocalTask`]s, which stay on the thread they were spawned on.
///
/// # Contract
///
/// That of [`Spawn`], and: the task is polled and dropped on the spawning thread only, whichever
/// thread wakes it.
pub trait SpawnLocal {
    /// Takes the task and polls it on this thread to its end, or drops it.
    fn spawn_local(&self, task: LocalTask);
}

/// A piece of blocking work.
pub type Job = Box<dyn FnOnce() + Send>;

/// Runs blocking work where it does not hold up async tasks.
///
/// # Contract
///
/// 1. A job is called once, or dropped (at the runtime's end); nothing else happens to it.
/// 2. While jobs block, tasks go on.
/// 3. Jobs may wait in a queue, but none waits for ever as long as others return.
///
/// A job never panics: what user code throws is caught inside.
pub trait SpawnBlocking: Send + Sync {
    /// Takes the job and calls it on a thread that may block, or drops it.
    fn spawn_blocking(&self, job: Job);
}

/// What [`Timer::sleep_until`] returns.
pub type BoxSleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Tells the time and waits for it.
///
/// # Contract
///
/// 1. A sleep is never early: when it is ready, [`now`](Timer::now) is at or after its instant.
/// 2. An instant in the past, and one that no clock will reach, are both fine: the one is ready
///    when polled, the other never is.
/// 3. Only the waker of the latest poll counts. Dropping a sleep releases it.
/// 4. A sleep may be polled by any executor, on any thread.
pub trait Timer: Send + Sync {
    /// Returns the present instant on this timer's clock.
    fn now(&self) -> Instant {
        Instant::now()
    }

    /// Waits until `at` has come on this timer's clock.
    fn sleep_until(&self, at: Instant) -> BoxSleep;
}
