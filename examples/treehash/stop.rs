//! Stopping before the end: at a timeout, at Ctrl-C, at SIGTERM.
//!
//! All three do the same: they cancel the nursery. The nursery keeps the reason of the first
//! cancel, which says which of them it was.

use crate::error::Error;
use allhome::task::{TaskState, task_id};
use allhome::{Nursery, Reason, sleep};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::process;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

/// Signals that come in this time after the first are taken for the same one: `timeout`, for one,
/// sends its signal to the process and then to the process's group.
const ECHO: Duration = Duration::from_millis(500);

/// The reasons to stop, and what was going on when one of them came.
pub(crate) struct Stops {
    timeout: Reason,
    interrupt: Reason,
    terminate: Reason,
    limit: Option<Duration>,
    running: OnceLock<Vec<String>>,
}

impl Stops {
    pub(crate) fn new(limit: Option<Duration>) -> Stops {
        Stops {
            timeout: Reason::new(format!("timed out after {:?}", limit.unwrap_or_default())),
            interrupt: Reason::new("interrupted"),
            terminate: Reason::new("terminated"),
            limit,
            running: OnceLock::new(),
        }
    }

    /// Stops the nursery at the timeout, if there is one.
    pub(crate) fn at_timeout(self: &Arc<Self>, n: &Nursery<Error>) {
        let Some(limit) = self.limit else { return };
        let (stops, nursery) = (self.clone(), n.clone());
        n.task("timeout").spawn(async move {
            sleep(limit).await;
            stops.stop(&nursery, &stops.timeout);
            Ok(())
        });
    }

    /// Stops the nursery at a signal. One that finds it stopped, or ready, ends the process.
    ///
    /// The thread is no child: it stays until the process ends, so that Ctrl-C still helps while
    /// the last lines wait for a reader that does not read.
    pub(crate) fn at_signals(self: &Arc<Self>, n: &Nursery<Error>) -> Result<(), Error> {
        let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(Error::Signals)?;
        let (stops, nursery) = (self.clone(), n.clone());
        let watch = move || {
            let mut stopped: Option<Instant> = None;
            for signal in signals.forever() {
                let reason = if signal == SIGINT { &stops.interrupt } else { &stops.terminate };
                if stops.stop(&nursery, reason) {
                    stopped = Some(Instant::now());
                } else if stopped.is_none_or(|at| at.elapsed() > ECHO) {
                    process::exit(stops.exit_code(reason).unwrap_or(1).into());
                }
            }
        };
        thread::Builder::new().name("signals".into()).spawn(watch).map_err(Error::Signals)?;
        Ok(())
    }

    /// Returns the exit code, if this is one of the reasons to stop.
    pub(crate) fn exit_code(&self, reason: &Reason) -> Option<u8> {
        let codes = [(&self.timeout, 124), (&self.interrupt, 130), (&self.terminate, 143)];
        codes.into_iter().find(|(known, _)| reason.same(known)).map(|(_, code)| code)
    }

    /// Returns the names of the children that were running when the nursery was stopped.
    pub(crate) fn running(&self) -> &[String] {
        self.running.get().map_or(&[], Vec::as_slice)
    }

    /// Returns `false` if the nursery was on its way out already.
    fn stop(&self, n: &Nursery<Error>, reason: &Reason) -> bool {
        // Looked at, and kept, before the cancel: afterwards they are on their way home, and the
        // report is printed as soon as they are. It is of use only if this is the reason that was
        // first.
        self.running.get_or_init(|| running(n));
        n.cancel_with(reason.clone())
    }
}

/// Returns the names of all children that are running, but for the one that asks.
fn running(n: &Nursery<Error>) -> Vec<String> {
    let tree = n.tree();
    let tasks = tree.nurseries().iter().flat_map(|nursery| &nursery.tasks);
    tasks
        .filter(|task| task.state == TaskState::Running && Some(task.id) != task_id())
        .filter_map(|task| task.name.as_deref().map(String::from))
        .collect()
}
