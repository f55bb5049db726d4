//! The handle by which a program uses a simulated runtime.

use super::world::World;
use crate::guarded::Foreign;
use allhome_rt::Instant;
use allhome_rt::{
    BoxSleep, IntoRuntime, Job, NoRuntime, Runtime, Spawn, SpawnBlocking, Task, Timer,
};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// A handle to a simulated runtime: spawns, sleeps, opens nurseries. Clones name the same runtime.
///
/// It may be kept beyond the end of the run; then it drops every task and job that it is given.
///
/// # Examples
///
/// ```
/// use allhome_executors::sim::Simulator;
/// use allhome_rt::Timer;
/// use std::time::Duration;
///
/// let slept = Simulator::new().run(async |sim| {
///     let start = sim.now();
///     sim.sleep_until(start + Duration::from_secs(3_600)).await;
///     sim.now() - start
/// });
/// assert_eq!(slept.unwrap(), Duration::from_secs(3_600));
/// ```
#[derive(Clone)]
pub struct SimHandle {
    pub(super) world: Arc<World>,
}

impl SimHandle {
    /// Returns the virtual time since the start of the run.
    pub fn elapsed(&self) -> Duration {
        self.world.lock().elapsed(self.world.start)
    }

    /// Spawns any future; [`Spawn::spawn`] takes a task that was made of one.
    pub fn spawn_future(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.spawn(Task::from_future(future));
    }

    /// Says that another thread is going to wake a task, for as long as the guard exists. While no
    /// task is runnable, the run then waits for that wake, in real time, instead of moving its
    /// clock or reporting a deadlock. Such a run depends on that thread as well as on the seed.
    ///
    /// # Examples
    ///
    /// ```
    /// use allhome_executors::sim::Simulator;
    /// use std::{future::poll_fn, task::Poll, thread};
    ///
    /// let run = Simulator::new().run(async |sim| {
    ///     let mut guard = Some(sim.outside());
    ///     let mut polls = 0;
    ///     poll_fn(|cx| {
    ///         polls += 1;
    ///         let Some(guard) = guard.take() else { return Poll::Ready(polls) };
    ///         let waker = cx.waker().clone();
    ///         thread::spawn(move || {
    ///             waker.wake();
    ///             drop(guard);
    ///         });
    ///         Poll::Pending
    ///     })
    ///     .await
    /// });
    /// assert_eq!(run.unwrap(), 2);
    /// ```
    pub fn outside(&self) -> Outside {
        self.world.count_outside(true);
        Outside { world: Arc::clone(&self.world) }
    }
}

/// Says that a thread outside the simulation is going to wake a task; made by
/// [`SimHandle::outside`].
#[must_use = "dropping it says that no thread outside wakes a task any more"]
pub struct Outside {
    world: Arc<World>,
}

impl Drop for Outside {
    fn drop(&mut self) {
        self.world.count_outside(false);
    }
}

impl Spawn for SimHandle {
    fn spawn(&self, task: Task) {
        self.world.spawn(Foreign::new(task)).into_iter().for_each(Foreign::discard);
    }

    fn threads(&self) -> usize {
        1
    }

    fn task_per_child(&self) -> bool {
        true
    }
}

impl SpawnBlocking for SimHandle {
    /// Takes the job and calls it at a step of its own, on the thread that drives the run. So it
    /// must not wait for a task: nothing else runs meanwhile.
    fn spawn_blocking(&self, job: Job) {
        self.world.spawn_blocking(Foreign::new(job)).into_iter().for_each(Foreign::discard);
    }
}

impl Timer for SimHandle {
    fn now(&self) -> Instant {
        self.world.lock().now
    }

    fn is_virtual(&self) -> bool {
        true
    }

    fn sleep_until(&self, at: Instant) -> BoxSleep {
        Box::pin(Sleep { world: Arc::clone(&self.world), at, key: None })
    }
}

impl IntoRuntime for SimHandle {
    fn into_runtime(self) -> Result<Runtime, NoRuntime> {
        let builder = Runtime::builder("simulator", self.clone());
        Ok(builder.timer(self.clone()).blocking(self).build())
    }
}

impl IntoRuntime for &SimHandle {
    fn into_runtime(self) -> Result<Runtime, NoRuntime> {
        self.clone().into_runtime()
    }
}

impl fmt::Debug for SimHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimHandle").finish_non_exhaustive()
    }
}

impl fmt::Debug for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outside").finish_non_exhaustive()
    }
}

/// Ready once its instant has come on the virtual clock.
struct Sleep {
    world: Arc<World>,
    at: Instant,
    /// The key of its entry, which may be gone already.
    key: Option<(Instant, u64)>,
}

impl Sleep {
    fn disarm(&mut self) {
        if let Some(key) = self.key.take() {
            self.world.disarm(key).into_iter().for_each(Foreign::discard);
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = &mut *self;
        let waker = Foreign::cloned(cx.waker());
        match sleep.world.arm(sleep.at, &mut sleep.key, waker) {
            Ok(replaced) => {
                replaced.into_iter().for_each(Foreign::discard);
                Poll::Pending
            }
            Err(unused) => {
                unused.discard();
                sleep.disarm();
                Poll::Ready(())
            }
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.disarm();
    }
}
