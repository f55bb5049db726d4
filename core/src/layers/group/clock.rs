//! A nursery's time: its deadline, and the grace that it gives to cancelled tasks.
//!
//! [`timer`](super::timer) waits for the next of these moments. A nursery without any of them pays one
//! load a poll.

use super::Group;
use super::config::{Config, When};
use super::registry::clock::{Clock, Due as AllDue};
use super::registry::{GraceEnd, Phase, patience};
use crate::layers::base::guarded;
use crate::layers::base::id::TaskId;
use crate::layers::base::reason::{Level, Reason, ReasonKind};
use crate::layers::base::sync::{Arc, Ordering};
use crate::layers::base::tick;
use crate::layers::context::term::earlier;
use crate::layers::context::{Notes, clock};
use crate::layers::record::mark::Mark;
use allhome_rt::{Instant, Runtime, Timer};
use std::panic::Location;
use std::time::Duration;

/// A moment that has come.
enum Due {
    All(AllDue),
    Task(GraceEnd),
}

/// When what begins with a cancel is over.
pub(super) struct Ends {
    pub(super) grace: Option<Instant>,
    patience: Option<Instant>,
    look: Option<Instant>,
}

impl Config {
    /// Asks the timer for a sleep, if the nursery is opened with times: a timer that panics does so
    /// here, in the task that opens the nursery, and not later, where the panic would be contained
    /// and the nursery would keep no time.
    pub(crate) fn ask_timer(&self, runtime: &Runtime) {
        let counts = |time: Option<Duration>| time.is_some_and(|time| time < Duration::MAX);
        let grace = counts(self.grace.filter(|grace| !grace.is_zero())) || counts(self.stuck_after);
        let never = matches!(self.deadline, None | Some(When::After(Duration::MAX)));
        if grace || !never {
            let timer = runtime.timer();
            drop(timer.sleep_until(timer.now() + ASKED));
        }
    }
}

/// A time that is not over before the sleep is dropped.
const ASKED: Duration = Duration::from_secs(60);

/// Returns the present tick of a runtime, 0 if none is counted.
pub(super) fn tick(timer: &Arc<dyn Timer>) -> u32 {
    if timer.is_virtual() { tick::of(timer.now()) } else { tick::now() }
}

impl Group {
    /// Returns the present instant by the runtime's clock; by the caller's if the nursery has
    /// ended. No lock is held: the clock is the runtime's.
    pub(crate) fn now(&self) -> Instant {
        guarded::assert_none("a clock is read");
        self.timer().map_or_else(clock::now, |timer| timer.now())
    }

    /// Returns the present tick: of the virtual clock, if its runtime has one, and else of the
    /// process, 0 if it counts none. No lock is held.
    #[inline(always)]
    pub(crate) fn tick(&self) -> u32 {
        if self.is_virtual { self.virtual_tick() } else { tick::now() }
    }

    #[cold]
    fn virtual_tick(&self) -> u32 {
        tick::of(self.now())
    }

    /// Returns the present tick for a look: that of the process is read from its clock. No lock is
    /// held.
    pub(crate) fn tick_of_look(&self) -> u32 {
        if self.is_virtual { self.virtual_tick() } else { tick::of(tick::present()) }
    }

    /// Returns what a task that parks notes: the tick, and what it waits for.
    #[inline(always)]
    pub(super) fn mark(&self, notes: &Notes) -> Mark {
        Mark::new(self.tick(), notes.waits.get())
    }

    /// As [`mark`](Group::mark), for the body.
    pub(crate) fn mark_of_body(&self, notes: &Notes) -> Mark {
        self.mark(notes)
    }

    /// Returns since which tick every park notes one; none if they do not. Those that noted none are
    /// older.
    pub(crate) fn ticks_since(&self) -> Option<u32> {
        if self.is_virtual { Some(self.opened) } else { tick::since() }
    }

    /// Creates a reason of the present moment. No lock is held.
    pub(crate) fn reason(
        &self,
        kind: ReasonKind,
        message: String,
        by: Option<TaskId>,
        location: &'static Location<'static>,
    ) -> Reason {
        Reason::since(self.now(), kind, message, by, location)
    }

    /// Begins to keep the times that the nursery was opened with.
    pub(crate) fn start_clock(&self) {
        let deadline = match self.config.deadline {
            Some(When::At(at)) => Some(at),
            Some(When::After(after)) => self.now().checked_add(after),
            None => None,
        };
        if deadline.is_some() {
            self.locked(|registry| registry.clock.open(deadline, self.config.partial));
            self.timed.store(true, Ordering::Relaxed);
            self.limited.store(true, Ordering::Relaxed);
        }
    }

    /// Moves the nursery's own deadline, or takes it away. Returns false if it is cancelled or
    /// closed.
    pub(crate) fn move_deadline(&self, at: Option<Instant>) -> bool {
        let moved = self.locked(|registry| {
            let moved =
                self.requested_level() < Level::Cancelled && registry.phase != Phase::Closed;
            if moved {
                registry.clock.set_deadline(at);
                self.timed.store(true, Ordering::Relaxed);
            }
            moved
        });
        if !moved {
            return false;
        }
        if at.is_some() {
            self.limit();
        }
        self.arm();
        true
    }

    /// Returns the earliest of the deadlines of the nursery and of what it is in.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let (mut least, mut at) = (None, Some(self.weak()));
        while let Some(group) = at {
            let (own, parent) =
                group.locked(|registry| (registry.clock.deadline(), registry.parent()));
            least = earlier(least, own);
            let terms = group.terms.iter().filter_map(|term| term.deadline());
            least = earlier(least, terms.min());
            at = if group.shielded { None } else { parent };
        }
        least
    }

    /// Returns when what begins now is over. No lock is held: the clock is the runtime's.
    pub(super) fn ends(&self) -> Ends {
        let ends = |after: Option<Duration>| {
            // What is never over needs no clock.
            let after = after.filter(|&after| after < Duration::MAX)?;
            self.now().checked_add(after)
        };
        Ends {
            grace: ends(self.grace()),
            look: ends(self.config.stuck_after.map(patience::between)),
            patience: ends(self.config.stuck_after),
        }
    }

    /// Begins the grace of all. The caller holds the lock, and calls [`arm`](Group::arm) after it.
    pub(super) fn begin_grace(&self, clock: &mut Clock, ends: &Ends) {
        if let Some(end) = ends.grace {
            clock.begin_grace(end);
            self.timed.store(true, Ordering::Relaxed);
        }
    }

    /// Begins to count how long blocking work is waited for. As
    /// [`begin_grace`](Group::begin_grace).
    pub(super) fn begin_patience(&self, clock: &mut Clock, ends: &Ends) {
        if ends.patience.is_some_and(|end| clock.begin_patience(ends.look, end)) {
            self.timed.store(true, Ordering::Relaxed);
        }
    }

    /// Returns how long a cancelled task may go on, if it may.
    pub(super) fn grace(&self) -> Option<Duration> {
        self.config.grace.filter(|grace| !grace.is_zero())
    }

    /// Returns `true` if a cancelled task may go on.
    pub(crate) fn is_in_grace(&self) -> bool {
        self.grace().is_some() && self.level() < Level::Aborted
    }

    /// Does what is due.
    pub(super) fn fire(&self) {
        let now = self.now();
        while let Some(due) = self.due(now) {
            match due {
                Due::All(AllDue::Deadline { partial, promised }) => {
                    let reason = promised.unwrap_or_else(|| self.deadline_reason());
                    if partial {
                        self.stay_open(&reason);
                    }
                    self.raise_tree(Level::Cancelled, &reason);
                }
                Due::All(AllDue::Grace) => {
                    let reason = self.locked(|registry| registry.cancel.reason().cloned());
                    let place = self.config.place;
                    let over = || self.reason(ReasonKind::Aborted, String::new(), None, place);
                    self.raise_tree(Level::Aborted, &reason.unwrap_or_else(over));
                }
                Due::All(AllDue::Stuck { over }) => self.look_at_threads(over),
                Due::Task(end) => self.end_grace(end),
            }
        }
    }

    /// Looks which members hold a thread. With `over`, `stuck_after` has passed.
    pub(super) fn look_at_threads(&self, over: bool) {
        self.locked(|registry| {
            registry.members.queue_woken(&self.woken);
            registry.look_at_threads(over);
        });
    }

    fn due(&self, now: Instant) -> Option<Due> {
        self.locked(|registry| {
            let due = registry.clock.due(now, self.config.stuck_after).map(Due::All);
            due.or_else(|| registry.end_grace(now, &self.woken).map(Due::Task))
        })
    }
}
