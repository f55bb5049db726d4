//! Straggler logs: the tasks that have left late, and how to wake the shutdown that asks.

use super::report::Entry;
use crate::layers::base::as_error::View;
use crate::layers::base::guarded::{Foreign, Guarded};
use crate::layers::base::id::{NurseryId, TaskId};
use crate::layers::base::outcome::Ending;
use crate::layers::base::reason::Level;
use crate::layers::base::sync::{Arc, AtomicU8, GlobalU64, Ordering};
use crate::layers::base::who::Who;
use std::any::Any;
use std::collections::BTreeMap;
use std::mem;
use std::task::Waker;

/// The logs of one nursery, by their numbers: to remove one costs little, however many shutdowns
/// were given up before.
#[derive(Default)]
pub(crate) struct StragglerLogs {
    logs: BTreeMap<u64, Arc<StragglerLog>>,
    /// A departure was noted, and the shutdowns were not woken for it yet.
    changed: bool,
}

/// How many echoes a log names; the others are counted.
const KEPT: usize = 64;

static LAST: GlobalU64 = GlobalU64::new(0);

/// The tasks that have left since the shutdown looked last, and how to wake it.
pub(crate) struct StragglerLog {
    number: u64,
    /// The nursery whose body counts; that of one inside is a part of a task.
    root: NurseryId,
    /// The step that the shutdown takes. A task in a nursery with a shield around it does not see
    /// it, and leaves at it anyway.
    step: AtomicU8,
    state: Guarded<State>,
}

struct State {
    /// The shutdown is given up, or over. A nursery that was opened meanwhile may still have the
    /// log.
    over: bool,
    left: Vec<Departure>,
    /// At most [`KEPT`].
    echoes: Vec<Echoed>,
    more_echoes: usize,
    waker: Option<Foreign<Waker>>,
}

/// A task, or a body, that has ended with an echo.
pub(crate) struct Echoed {
    pub(crate) id: TaskId,
    pub(crate) who: Who,
    pub(crate) error: Foreign<Arc<dyn Any + Send + Sync>>,
    pub(crate) view: View,
}

/// A task, or a body, that has left late.
pub(crate) struct Departure {
    pub(crate) id: TaskId,
    pub(crate) who: Who,
    pub(crate) level: Level,
}

impl StragglerLog {
    pub(crate) fn new(root: NurseryId) -> Arc<StragglerLog> {
        let (left, echoes) = (Vec::new(), Vec::new());
        let state = State { over: false, left, echoes, more_echoes: 0, waker: None };
        // Relaxed: only uniqueness matters.
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        Arc::new(StragglerLog { number, root, step: AtomicU8::new(0), state: Guarded::new(state) })
    }

    pub(crate) fn step(&self, step: Level) {
        // Relaxed: a task that this step cancels takes a lock after this.
        self.step.store(step as u8, Ordering::Relaxed);
    }

    /// Has this waker woken when a task leaves.
    pub(crate) fn wake_by(&self, waker: &Waker) {
        let waker = Foreign::new(waker.clone());
        drop(self.state.locked(|state| state.waker.replace(waker)));
    }

    /// Wakes and notes nothing any more: the shutdown is given up, or over.
    pub(crate) fn give_up(&self) {
        drop(self.state.locked(|state| {
            state.over = true;
            (state.waker.take(), mem::take(&mut state.left), mem::take(&mut state.echoes))
        }));
    }

    /// Takes the tasks that have ended with an echo, and the number of those that did not fit.
    pub(crate) fn take_echoes(&self) -> (Vec<Echoed>, usize) {
        self.state.locked(|state| (mem::take(&mut state.echoes), mem::take(&mut state.more_echoes)))
    }

    /// Returns the tasks that have left since.
    pub(crate) fn take_departures(&self) -> Vec<Departure> {
        self.state.locked(|state| mem::take(&mut state.left))
    }
}

impl StragglerLogs {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.logs.is_empty()
    }

    /// Returns `true` if a departure was noted since [`wakers`](StragglerLogs::wakers).
    #[inline]
    pub(crate) fn have_departures(&self) -> bool {
        self.changed
    }

    /// Returns the logs, which a nursery inside takes over.
    pub(crate) fn all(&self) -> Vec<Arc<StragglerLog>> {
        self.logs.values().cloned().collect()
    }

    /// Inserts a log, unless it is here.
    pub(crate) fn insert(&mut self, log: &Arc<StragglerLog>) {
        self.logs.entry(log.number).or_insert_with(|| log.clone());
    }

    pub(crate) fn remove(&mut self, log: &StragglerLog) {
        self.logs.remove(&log.number);
    }

    /// Records a departure in each log that counts it, if the nursery, or the step of the log, is
    /// cancelled. `body_of`: it is the body of that nursery.
    pub(crate) fn record(
        &mut self,
        body_of: Option<NurseryId>,
        requested: Level,
        left: impl Fn(Level) -> Departure,
    ) {
        for log in self.logs.values() {
            // Relaxed: as in `step`.
            let level = requested.max(Level::from_u8(log.step.load(Ordering::Relaxed)));
            let counts = body_of.is_none_or(|body_of| log.root == body_of);
            if counts && level >= Level::Cancelled {
                let left = left(level);
                log.state.locked(|state| {
                    if !state.over {
                        state.left.push(left);
                    }
                });
                self.changed = true;
            }
        }
    }

    /// Records a task that has ended with an echo. `body_of`: it is the body of that nursery.
    pub(crate) fn record_echo(
        &self,
        body_of: Option<NurseryId>,
        id: TaskId,
        echo: &Entry,
        view: View,
    ) {
        let Ending::Err(error) = &*echo.ending else { return };
        let counts = |log: &&Arc<StragglerLog>| body_of.is_none_or(|body_of| log.root == body_of);
        for log in self.logs.values().filter(counts) {
            log.state.locked(|state| match state.echoes.len() {
                _ if state.over => {}
                KEPT.. => state.more_echoes += 1,
                _ => {
                    let (who, error) = (echo.who.clone(), Foreign::new(error.clone()));
                    state.echoes.push(Echoed { id, who, error, view });
                }
            });
        }
    }

    /// Takes the wakers of the shutdowns that the logs are for.
    pub(crate) fn wakers(&mut self) -> Vec<Foreign<Waker>> {
        self.changed = false;
        let wakers = self.logs.values().map(|log| log.state.locked(|state| state.waker.take()));
        wakers.flatten().collect()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Departure, Level, NurseryId, StragglerLog, StragglerLogs, TaskId, Waker, Who};
    use std::panic::Location;

    fn left(number: u64) -> impl Fn(Level) -> Departure {
        move |level| Departure {
            id: TaskId { nursery: NurseryId::next(), number },
            who: Who { task: None, name: None, place: Location::caller(), finalizer: false },
            level,
        }
    }

    #[test]
    fn a_departure_before_the_cancel_is_not_noted() {
        let (mut logs, log) = (StragglerLogs::default(), StragglerLog::new(NurseryId::next()));
        logs.insert(&log);
        logs.record(None, Level::Draining, left(1));
        assert!(!logs.have_departures());
        logs.record(None, Level::Cancelled, left(2));
        log.step(Level::Aborted);
        logs.record(None, Level::Running, left(3));
        let noted: Vec<_> = log.take_departures().iter().map(|l| (l.id.number, l.level)).collect();
        assert_eq!(noted, [(2, Level::Cancelled), (3, Level::Aborted)]);
    }

    #[test]
    fn the_body_of_the_root_counts_and_that_of_a_nursery_inside_does_not() {
        let (root, inside) = (NurseryId::next(), NurseryId::next());
        let (mut logs, log) = (StragglerLogs::default(), StragglerLog::new(root));
        logs.insert(&log);
        logs.record(Some(inside), Level::Cancelled, left(0));
        assert!(!logs.have_departures());
        logs.record(Some(root), Level::Cancelled, left(0));
        assert_eq!(log.take_departures().len(), 1);
    }

    #[test]
    fn a_waker_is_taken_once_and_a_roll_that_is_over_notes_nothing() {
        let (mut logs, log) = (StragglerLogs::default(), StragglerLog::new(NurseryId::next()));
        logs.insert(&log);
        log.wake_by(Waker::noop());
        logs.record(None, Level::Cancelled, left(1));
        assert!(logs.have_departures());
        assert_eq!((logs.wakers().len(), logs.wakers().len()), (1, 0));
        assert!(!logs.have_departures());
        log.give_up();
        logs.record(None, Level::Cancelled, left(2));
        assert!(log.take_departures().is_empty());
        logs.remove(&log);
        assert!(logs.is_empty());
    }
}
