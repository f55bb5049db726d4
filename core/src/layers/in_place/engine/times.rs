//! The moments at which a scope's future has something to do: the end of its time, and of the grace
//! that it gives.

use crate::layers::base::outcome::TaskState;
use crate::layers::base::reason::{Reason, ReasonKind};
use crate::layers::group::config::{Config, When};
use crate::layers::in_place::control::{Control, Stage};
use crate::layers::in_place::seats::{Reach, Seat};
use crate::layers::time::alarm::Alarm;
use std::collections::VecDeque;
use std::task::{Context, Poll};

#[derive(Default)]
pub(super) struct Times {
    deadline: Option<Alarm>,
    /// Every grace is as long as the others, so the first that began is the first to end.
    graces: VecDeque<(Of, Alarm)>,
}

/// Whose grace it is.
enum Of {
    All,
    One(Reach),
}

impl Times {
    pub(super) fn new(config: &Config) -> Times {
        let deadline = config.deadline.map(|when| match when {
            When::After(after) => Alarm::after(after),
            When::At(at) => Alarm::at_instant(at),
        });
        Times { deadline, graces: VecDeque::new() }
    }

    /// Counts from now on. A time that is over is so before the body is called.
    pub(super) fn begin(&mut self, control: &Control) {
        let Some(alarm) = &mut self.deadline else { return };
        let over = alarm.begin();
        if let Some(at) = alarm.at() {
            control.set_deadline(at);
        }
        if over {
            control.end_time();
        }
    }

    /// Begins the grace of one child, or of all that is left.
    pub(super) fn begin_grace(&mut self, control: &Control, one: Option<&Seat>) {
        let Some(grace) = control.grace() else { return };
        let mut alarm = Alarm::after(grace);
        alarm.begin();
        let of = one.map_or(Of::All, |seat| Of::One(seat.reach()));
        self.graces.push_back((of, alarm));
    }

    /// Does what is due, of which there may be more. Pending: nothing is, and the task is woken when
    /// something will be.
    pub(super) fn poll(&mut self, control: &Control, cx: &mut Context<'_>) -> Poll<()> {
        if control.stage() >= Stage::Cancelled {
            self.deadline = None;
        }
        if self.deadline.as_mut().is_some_and(|alarm| alarm.wait(cx).is_ready()) {
            self.deadline = None;
            control.end_time();
            return Poll::Ready(());
        }
        while let Some((of, alarm)) = self.graces.front_mut() {
            let ended = matches!(of, Of::One(core) if core.state() == TaskState::Ended);
            if !ended && alarm.wait(cx).is_pending() {
                return Poll::Pending;
            }
            let of = self.graces.pop_front().map(|(of, _)| of);
            match of.filter(|_| !ended) {
                Some(Of::All) => drop(control.abort(over(control))),
                Some(Of::One(core)) => drop(core.abort(over(control))),
                None => continue,
            }
            return Poll::Ready(());
        }
        Poll::Pending
    }

    /// No sleep is left.
    pub(super) fn stop(&mut self) {
        *self = Times::default();
    }
}

/// What is aborted keeps the reason of its cancel; this is for what has none.
fn over(control: &Control) -> Reason {
    control.new_reason(ReasonKind::Aborted)
}
