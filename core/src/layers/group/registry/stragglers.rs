//! Straggler logs: the tasks that have left late, and how to wake the shutdown that asks.

use super::report::Entry;
use crate::layers::base::as_error::View;
use crate::layers::base::guarded::{Foreign, Guarded};
use crate::layers::base::id::{NurseryId, TaskId};
use crate::layers::base::outcome::Ending;
use crate::layers::base::reason::Level;
use crate::layers::base::sync::{Arc, AtomicU8, GlobalU64, Ordering};
use crate::layers::base::who::Who;
use crate::layers::cancel::CancelToken;
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
    /// The level that `root` has, or is on its way to. One inside may be cancelled on its own, which
    /// makes no task late.
    risen: AtomicU8,
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
    /// That of `root`, which may be ahead of it.
    token: Option<Foreign<CancelToken>>,
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
        let state = State { over: false, left, echoes, more_echoes: 0, waker: None, token: None };
        // Relaxed: only uniqueness matters.
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        let (step, risen) = (AtomicU8::new(0), AtomicU8::new(0));
        Arc::new(StragglerLog { number, root, step, risen, state: Guarded::new(state) })
    }

    /// Returns how far the shutdown's nursery is, or is on its way.
    fn root_level(&self, token: Option<&Foreign<CancelToken>>) -> Level {
        let token = token.map_or(Level::Running, |token| token.level());
        // Relaxed: as in `step`.
        let [step, risen] = [&self.step, &self.risen].map(|level| level.load(Ordering::Relaxed));
        token.max(Level::from_u8(step.max(risen)))
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
            let (waker, token) = (state.waker.take(), state.token.take());
            (waker, token, mem::take(&mut state.left), mem::take(&mut state.echoes))
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

    /// The nursery `of` has this token, and is on its way to this level: the logs of its shutdowns
    /// count what leaves from the cancel on.
    pub(crate) fn rise(&self, of: NurseryId, level: Level, token: Option<CancelToken>) {
        for log in self.logs.values().filter(|log| log.root == of) {
            // Relaxed: as in `step`.
            log.risen.fetch_max(level as u8, Ordering::Relaxed);
            if let Some(token) = &token {
                log.state.locked(|state| {
                    state.token.get_or_insert_with(|| Foreign::new(token.clone()));
                });
            }
        }
    }

    /// Records a departure from the nursery `of`, perhaps of its body, in each log that counts it, if
    /// the shutdown's nursery is cancelled.
    pub(crate) fn record(&mut self, of: NurseryId, body: bool, left: impl Fn(Level) -> Departure) {
        for log in self.logs.values().filter(|log| !body || log.root == of) {
            self.changed |= log.state.locked(|state| {
                let level = log.root_level(state.token.as_ref());
                if level < Level::Cancelled {
                    return false;
                }
                if !state.over {
                    state.left.push(left(level));
                }
                true
            });
        }
    }

    /// Records a task of the nursery `of`, or its body, that has ended with an echo, as
    /// [`record`](StragglerLogs::record) does.
    pub(crate) fn record_echo(
        &self,
        of: NurseryId,
        body: bool,
        id: TaskId,
        echo: &Entry,
        view: View,
    ) {
        let Ending::Err(error) = &*echo.ending else { return };
        for log in self.logs.values().filter(|log| !body || log.root == of) {
            log.state.locked(|state| match state.echoes.len() {
                _ if state.over => {}
                _ if log.root_level(state.token.as_ref()) < Level::Cancelled => {}
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
    use super::{
        Arc, CancelToken, Departure, Level, NurseryId, StragglerLog, StragglerLogs, TaskId, Waker,
        Who,
    };
    use std::panic::Location;

    fn left(number: u64) -> impl Fn(Level) -> Departure {
        move |level| Departure {
            id: TaskId { nursery: NurseryId::next(), number },
            who: Who { task: None, name: None, place: Location::caller(), finalizer: false },
            level,
        }
    }

    fn logged() -> (StragglerLogs, Arc<StragglerLog>, NurseryId) {
        let root = NurseryId::next();
        let (mut logs, log) = (StragglerLogs::default(), StragglerLog::new(root));
        logs.insert(&log);
        (logs, log, root)
    }

    #[test]
    fn a_departure_before_the_cancel_is_not_noted() {
        let (mut logs, log, root) = logged();
        logs.rise(root, Level::Draining, None);
        logs.record(root, false, left(1));
        assert!(!logs.have_departures());
        logs.rise(root, Level::Cancelled, None);
        logs.record(root, false, left(2));
        log.step(Level::Aborted);
        logs.record(NurseryId::next(), false, left(3));
        let noted: Vec<_> = log.take_departures().iter().map(|l| (l.id.number, l.level)).collect();
        assert_eq!(noted, [(2, Level::Cancelled), (3, Level::Aborted)]);
    }

    #[test]
    fn the_cancel_of_a_nursery_inside_makes_no_task_late() {
        let (mut logs, log, root) = logged();
        logs.rise(NurseryId::next(), Level::Aborted, None);
        logs.record(NurseryId::next(), false, left(1));
        assert!(!logs.have_departures());
        let token = CancelToken::new();
        logs.rise(root, Level::Running, Some(token.clone()));
        logs.record(NurseryId::next(), false, left(2));
        assert!(!logs.have_departures());
        token.cancel();
        logs.record(NurseryId::next(), false, left(3));
        assert_eq!(log.take_departures().len(), 1, "its token is ahead of it");
    }

    #[test]
    fn the_body_of_the_root_counts_and_that_of_a_nursery_inside_does_not() {
        let (mut logs, log, root) = logged();
        logs.rise(root, Level::Cancelled, None);
        logs.record(NurseryId::next(), true, left(0));
        assert!(!logs.have_departures());
        logs.record(root, true, left(0));
        assert_eq!(log.take_departures().len(), 1);
    }

    #[test]
    fn a_waker_is_taken_once_and_a_roll_that_is_over_notes_nothing() {
        let (mut logs, log, root) = logged();
        logs.rise(root, Level::Cancelled, None);
        log.wake_by(Waker::noop());
        logs.record(root, false, left(1));
        assert!(logs.have_departures());
        assert_eq!((logs.wakers().len(), logs.wakers().len()), (1, 0));
        assert!(!logs.have_departures());
        log.give_up();
        logs.record(root, false, left(2));
        assert!(log.take_departures().is_empty());
        logs.remove(&log);
        assert!(logs.is_empty());
    }
}
