//! Faults of a runtime, on request; and the threads that some of them need.
//!
//! The driving thread waits for every other thread that it gives something to do. So there is
//! never more than one that runs, and the run is as determined as without.

use super::quiet::Quiet;
use super::world::World;
use crate::panics::contain;
use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::Waker;
use std::thread::{self, JoinHandle};

/// The faults of a run. By default there are none.
///
/// They happen where the schedule says: with a seed now and then, in an exhaustive exploration at
/// every place, and in a replay at the same places.
///
/// # Examples
///
/// ```
/// use allhome_executors::sim::{Faults, Simulator};
///
/// let faults = Faults { spurious_wakes: true, threads: 2, ..Faults::default() };
/// let run = Simulator::new().seed(7).faults(faults).run(async |_| 7);
/// assert_eq!(run.unwrap(), 7);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Tasks that wait are polled without a wake.
    pub spurious_wakes: bool,
    /// Sleeps, and the wakes that are spurious, come from another thread.
    pub foreign_wakes: bool,
    /// On how many threads tasks are polled, by turns; with 0, on the thread that runs the program.
    /// The root always stays there.
    pub threads: usize,
    /// The step before which the runtime is shut down: it drops all tasks, jobs and timers, and new
    /// ones too. The root goes on.
    pub shutdown_at: Option<u64>,
}

/// Wakes from another thread, and waits until that has been done.
pub(super) fn wake_elsewhere(world: &Arc<World>, waker: Waker) {
    let (world, quiet) = (Arc::clone(world), Quiet::is_on());
    let woken = thread::spawn(move || {
        let _inside = world.enter();
        let _quiet = quiet.then(Quiet::begin);
        contain(|| waker.wake());
    });
    // It contains every panic, so there is none to report.
    let _ = woken.join();
}

type Call = Box<dyn FnOnce() + Send>;

/// Threads that poll tasks, one at a time.
pub(super) struct Threads {
    threads: Vec<(Sender<Call>, JoinHandle<()>)>,
    turn: usize,
}

impl Threads {
    pub(super) fn start(count: usize) -> Threads {
        let threads = (0..count).map(|_| {
            let (calls, inbox): (_, Receiver<Call>) = channel();
            (calls, thread::spawn(move || inbox.into_iter().for_each(|call| call())))
        });
        Threads { threads: threads.collect(), turn: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.threads.is_empty()
    }

    /// Calls `f` on the next thread and waits for the result.
    pub(super) fn call<T: Send + 'static>(
        &mut self,
        world: &Arc<World>,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        self.turn = (self.turn + 1) % self.threads.len();
        let (answer, wait) = channel();
        let (world, quiet) = (Arc::clone(world), Quiet::is_on());
        let call: Call = Box::new(move || {
            let _inside = world.enter();
            let _quiet = quiet.then(Quiet::begin);
            let _ = answer.send(f());
        });
        let thread = &self.threads[self.turn].0;
        thread.send(call).expect("the thread ends with its sender");
        wait.recv().expect("what is called contains its panics")
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        for (calls, thread) in self.threads.drain(..) {
            drop(calls);
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Threads").field("count", &self.threads.len()).finish()
    }
}
