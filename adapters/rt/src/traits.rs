//! The capabilities, one trait each. Each contract is a list of numbered clauses, which the
//! conformance suite tests.

use crate::{Instant, LocalTask, Task};
use std::future::Future;
use std::pin::Pin;
use std::sync::OnceLock;
use std::time::Duration;

/// Runs [`Task`]s: the one capability that every runtime has.
///
/// # Contract
///
/// 1. **Poll to the end, or drop.** The runtime polls a spawned task until it returns `Ready`, or
///    drops it. Nothing else may happen to it; above all it is never leaked or forgotten.
/// 2. **Poll first, and after every wake.** The first poll needs no wake. After each wake, from
///    whatever thread it comes, the runtime polls the task again, also when the wake arrives during
///    a poll.
/// 3. **One poll at a time.** `&mut` says so already; a runtime that hands tasks between threads
///    orders the polls (each happens before the next).
/// 4. **Any thread may spawn**, also from inside a poll, a wake or a destructor.
/// 5. **After the runtime's end** a task is dropped unpolled, by `spawn` itself or soon after.
/// 6. `spawn` does not block and does not panic.
/// 7. **Budget.** A runtime that limits what a task may do in one poll implements
///    [`has_budget`](Spawn::has_budget), and gives each call of [`with_budget`](Spawn::with_budget)
///    a whole budget. A poll of a task begins with budget. Neither call panics.
///
/// A task never panics out of `poll` or `drop`: it catches what user code throws.
///
/// `spawn` and `wake` should return before the task is polled. This is not required: the core holds
/// no lock across either and works when they poll inline.
pub trait Spawn: Send + Sync {
    /// Takes the task and polls it to its end, or drops it.
    fn spawn(&self, task: Task);

    /// Returns how many tasks the runtime can poll at once. [`Runtime`](crate::Runtime) asks once,
    /// when it is made. The default is the number of cores.
    ///
    /// A nursery keeps this many tasks ready while children wait for their first poll. If the
    /// number is too small, a child that blocks its thread holds up others; if it is too large, it
    /// costs a few idle tasks.
    fn threads(&self) -> usize {
        static CORES: OnceLock<usize> = OnceLock::new();
        *CORES.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from))
    }

    /// Returns `true` if every child of a nursery must be a task of its own, from its first poll.
    /// [`Runtime`](crate::Runtime) asks once, when it is made. The default is `false`: children
    /// that wait share tasks.
    ///
    /// Return `true` for a runtime that chooses which task is polled next, above all a simulator,
    /// and for a tool that shows a runtime's tasks. It costs a task for each child.
    fn task_per_child(&self) -> bool {
        false
    }

    /// Returns `true` if the task that this thread is polling has budget left in this poll. The
    /// default is `true`, for a runtime that has no such limit. On a thread that polls no task of
    /// this runtime the answer is `true`.
    ///
    /// A task without budget is refused things that are there, and is polled again in a later turn.
    /// A poll that must see all that is there, such as the last poll of a cancelled body, waits for
    /// that turn.
    fn has_budget(&self) -> bool {
        true
    }

    /// Calls `poll` once, before it returns, with the budget that a poll of a task begins with.
    /// Returns `false` if `poll` has used it up. The default only calls it and returns `true`.
    ///
    /// A nursery polls several children in one poll of a task, each by one such call. So a child
    /// finds the same budget as in a task of its own, whatever its siblings have used. After
    /// `false` the nursery gives the runtime a turn. If the task had no budget when the call began,
    /// there is none inside, and the answer is `false`.
    fn with_budget(&self, poll: &mut dyn FnMut()) -> bool {
        poll();
        true
    }
}

/// Runs [`LocalTask`]s, which stay on the thread they were spawned on.
///
/// # Contract
///
/// The contract of [`Spawn`], and: the task is polled and dropped only on the thread that spawned
/// it, whichever thread wakes it.
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
/// A job never panics: it catches what user code throws.
///
/// A runtime that has no pool is [lent](crate#what-is-lent) one.
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
/// 2. A sleep may have an instant in the past, or one that no clock will reach. The first is ready
///    when polled, the second never is.
/// 3. Only the waker of the latest poll counts. Dropping a sleep releases it.
/// 4. Any executor may poll a sleep, on any thread.
/// 5. [`sleep_after`](Timer::sleep_after) is the two calls in one: the instant that it returns is
///    the duration after [`now`](Timer::now), and the sleep is until that instant.
///
/// A runtime that has no timer is [lent](crate#what-is-lent) one.
pub trait Timer: Send + Sync {
    /// Returns the present instant on this timer's clock.
    fn now(&self) -> Instant {
        Instant::now()
    }

    /// Returns `true` if time passes on this clock only when its runtime says so, as in a simulation:
    /// then it says when things were done, and not the clock of the process. Asking for
    /// [`now`](Timer::now) should cost next to nothing there.
    ///
    /// The default is `false`.
    fn is_virtual(&self) -> bool {
        false
    }

    /// Waits until `at` has come on this timer's clock.
    fn sleep_until(&self, at: Instant) -> BoxSleep;

    /// Waits until `duration` has passed on this timer's clock. Returns the instant at which that
    /// is, and the sleep; `None` if no [`Instant`] is so far away.
    ///
    /// The default asks [`now`](Timer::now), and then [`sleep_until`](Timer::sleep_until). A timer
    /// that looks for its clock at every call looks once here.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let (timer, minute) = (allhome_rt::lent_timer(), Duration::from_secs(60));
    /// let before = timer.now();
    /// let (at, sleep) = timer.sleep_after(minute).expect("a minute is not far away");
    /// assert!(before + minute <= at && at <= timer.now() + minute);
    /// drop(sleep);
    /// assert!(timer.sleep_after(Duration::MAX).is_none());
    /// ```
    fn sleep_after(&self, duration: Duration) -> Option<(Instant, BoxSleep)> {
        let at = self.now().checked_add(duration)?;
        Some((at, self.sleep_until(at)))
    }
}
