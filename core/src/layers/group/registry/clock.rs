//! The moments at which a nursery has something to do, and the sleep until the next of them.
//!
//! # Invariants
//!
//! 1. A moment is taken once: [`due`](Clock::due) and [`due_grace`](Clock::due_grace) return it and
//!    forget it, but for the deadline, which is noted as `fired`.
//! 2. Once `stopped`, nothing is due and no sleep is set.

mod graces;
mod timer;

use super::members::Member;
use super::patience;
use crate::layers::base::reason::Reason;
use crate::layers::context::term::earlier;
use allhome_rt::Instant;
use graces::Graces;
use std::time::Duration;
use timer::NurseryTimer;

pub(crate) use timer::{Out, Stopped};

#[derive(Default)]
pub(crate) struct Clock {
    /// When the nursery is cancelled.
    deadline: Option<Instant>,
    /// It was cancelled for that.
    fired: bool,
    /// The body stays when it is.
    partial: bool,
    /// The reason of the deadline's cancel, which a caller asked for before the timer fired.
    promised: Option<Reason>,
    /// When every member is aborted: the nursery's grace is over.
    grace: Option<Instant>,
    /// When what holds a thread still is given up.
    patience: Option<Instant>,
    /// When it is looked for: see [`patience`](super::patience).
    stuck: Option<Instant>,
    /// When tasks that were cancelled on their own are aborted.
    graces: Graces,
    /// The nursery has ended: nothing is due any more.
    stopped: bool,
    timer: NurseryTimer,
}

/// A moment that has come, for the whole nursery.
pub(crate) enum Due {
    /// The deadline. `partial`: the body stays. `promised`: the reason that a caller was given
    /// before.
    Deadline { partial: bool, promised: Option<Reason> },
    /// The end of the nursery's grace.
    Grace,
    /// A look for tasks that hold their threads; with `over`, the last before they are given up.
    Stuck { over: bool },
}

impl Clock {
    /// Returns the next moment.
    pub(crate) fn next(&self) -> Option<Instant> {
        if self.stopped {
            return None;
        }
        earlier(earlier(self.coming(), self.grace), earlier(self.stuck, self.graces.next()))
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Returns the deadline if the nursery was not cancelled for it yet.
    pub(crate) fn coming(&self) -> Option<Instant> {
        self.deadline.filter(|_| !self.fired)
    }

    /// Sets the deadline that the nursery is opened with.
    pub(crate) fn open(&mut self, deadline: Option<Instant>, partial: bool) {
        (self.deadline, self.partial) = (deadline, partial);
    }

    /// Moves the deadline, or takes it away.
    pub(crate) fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
    }

    /// Says, before the timer fires, for what reason the deadline cancels the nursery: for this one
    /// if none was given out yet. None if there is no deadline any more. With true if the body
    /// stays.
    pub(crate) fn promise(&mut self, reason: Reason) -> Option<(Reason, bool)> {
        self.coming()?;
        Some((self.promised.get_or_insert(reason).clone(), self.partial))
    }

    /// Begins the grace of the whole nursery, which is over at `end`.
    pub(crate) fn begin_grace(&mut self, end: Instant) {
        self.grace = Some(end);
    }

    /// Begins the grace of one task, unless it has begun.
    pub(crate) fn begin_grace_of(&mut self, task: Member, end: Instant) {
        self.graces.begin(task, end);
    }

    /// Begins to look for tasks that hold their threads, first at `look`; they are given up at
    /// `end`. Returns false if that has begun.
    pub(crate) fn begin_patience(&mut self, look: Option<Instant>, end: Instant) -> bool {
        let begins = self.stuck.is_none();
        if begins {
            (self.stuck, self.patience) = (look, Some(end));
        }
        begins
    }

    /// Takes what has come. The looks for tasks that hold their threads go on.
    pub(crate) fn due(&mut self, now: Instant, stuck_after: Option<Duration>) -> Option<Due> {
        if self.stopped {
            return None;
        }
        let is_due = |at: &mut Instant| *at <= now;
        if self.coming().is_some_and(|at| at <= now) {
            self.fired = true;
            // It still says what remains, which is nothing; but for a body that goes on.
            self.deadline = self.deadline.filter(|_| !self.partial);
            return Some(Due::Deadline { partial: self.partial, promised: self.promised.clone() });
        }
        if self.grace.take_if(is_due).is_some() {
            return Some(Due::Grace);
        }
        if self.stuck.take_if(is_due).is_some() {
            let between = stuck_after.map(patience::between);
            self.stuck = between.and_then(|between| now.checked_add(between));
            return Some(Due::Stuck { over: self.patience.is_some_and(|at| at <= now) });
        }
        None
    }

    /// Takes the next task whose grace is over.
    pub(crate) fn due_grace(&mut self, now: Instant) -> Option<Member> {
        if self.stopped { None } else { self.graces.take_over(now) }
    }

    /// A task leaves.
    #[inline]
    pub(super) fn forget(&mut self, number: u64) {
        self.graces.forget(number);
    }

    /// Returns `true` if the grace of no member has begun.
    #[inline]
    pub(super) fn has_no_graces(&self) -> bool {
        self.graces.is_empty()
    }

    // ---- the sleep

    /// Takes the sleep out to set it for the next moment, if it is not set for that; with `again`,
    /// to poll it anyway. None if another thread has it, which does that then.
    pub(crate) fn take_out(
        &mut self,
        again: bool,
        waker: impl FnOnce() -> std::task::Waker,
    ) -> Option<Out> {
        let next = self.next();
        self.timer.take(next, again, waker)
    }

    /// Puts the sleep back; or gives it back to set it for another moment, or to poll it again.
    pub(crate) fn put_back(&mut self, out: Out) -> Option<Out> {
        let next = self.next();
        self.timer.put(out, next)
    }

    /// Returns `true` if a thread has the sleep.
    pub(crate) fn is_out(&self) -> bool {
        self.timer.is_out()
    }

    /// Nothing will be due any more. Returns the timer's, to be dropped with no lock held.
    #[must_use]
    pub(crate) fn stop(&mut self) -> Stopped {
        self.stopped = true;
        self.timer.stop()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Clock, Due, Member};
    use crate::layers::base::reason::Reason;
    use crate::layers::context::clock;
    use crate::layers::record::Ptr;
    use std::time::Duration;

    const SECOND: Duration = Duration::from_secs(1);

    fn task(number: u64) -> Member {
        Member { number, ptr: Ptr::dangling() }
    }

    #[test]
    fn the_deadline_is_due_once() {
        let (start, mut clock) = (clock::now(), Clock::default());
        let end = start + SECOND;
        clock.open(Some(end), false);
        assert_eq!(clock.next(), Some(end));
        assert!(clock.due(start, None).is_none());
        assert!(matches!(
            clock.due(end, None),
            Some(Due::Deadline { partial: false, promised: None })
        ));
        assert!(clock.due(end, None).is_none() && clock.next().is_none());
        assert_eq!(clock.deadline(), Some(end), "it says what remains");
    }

    #[test]
    fn a_reason_that_was_given_out_is_the_cancel_s() {
        let (start, mut clock) = (clock::now(), Clock::default());
        let (first, second) = (Reason::new("first"), Reason::new("second"));
        assert!(clock.promise(first.clone()).is_none(), "there is no deadline");
        clock.open(Some(start), true);
        for reason in [&first, &second] {
            let promised = clock.promise(reason.clone());
            assert!(promised.is_some_and(|(promised, partial)| promised.same(&first) && partial));
        }
        let Some(Due::Deadline { partial: true, promised: Some(promised) }) =
            clock.due(start, None)
        else {
            panic!("it is due")
        };
        assert!(promised.same(&first));
        assert_eq!(clock.deadline(), None, "the body goes on");
    }

    #[test]
    fn graces_end_in_order_and_begin_once() {
        let (start, mut clock) = (clock::now(), Clock::default());
        clock.begin_grace_of(task(1), start + 2 * SECOND);
        clock.begin_grace_of(task(2), start + SECOND);
        clock.begin_grace_of(task(2), start + 3 * SECOND);
        clock.begin_grace_of(task(3), start + SECOND);
        clock.forget(3);
        assert_eq!(clock.next(), Some(start + SECOND));
        assert!(clock.due_grace(start).is_none());
        let end = start + 3 * SECOND;
        assert!(clock.due_grace(end) == Some(task(2)));
        assert!(clock.due_grace(end) == Some(task(1)));
        assert!(clock.due_grace(end).is_none() && clock.next().is_none());
    }

    #[test]
    fn looks_go_on_until_they_are_over() {
        let (start, mut clock) = (clock::now(), Clock::default());
        let (half, end) = (start + SECOND, start + 2 * SECOND);
        assert!(clock.begin_patience(Some(half), end));
        assert!(!clock.begin_patience(Some(end), end), "it has begun");
        let stuck_after = Some(2 * SECOND);
        assert!(matches!(clock.due(half, stuck_after), Some(Due::Stuck { over: false })));
        assert_eq!(clock.next(), Some(end));
        assert!(matches!(clock.due(end, stuck_after), Some(Due::Stuck { over: true })));
        assert_eq!(clock.next(), Some(end + SECOND));
    }

    #[test]
    fn a_clock_that_is_stopped_has_nothing_due() {
        let (start, mut clock) = (clock::now(), Clock::default());
        clock.open(Some(start), false);
        clock.begin_grace(start);
        clock.begin_grace_of(task(1), start);
        drop(clock.stop());
        assert!(clock.next().is_none());
        assert!(clock.due(start, None).is_none() && clock.due_grace(start).is_none());
    }
}
