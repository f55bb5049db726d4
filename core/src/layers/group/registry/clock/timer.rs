//! The sleep of a nursery's timer: what it is set for, and whether a thread has taken it out.

use crate::layers::base::guarded::Foreign;
use crate::layers::base::sync::Arc;
use crate::layers::time::alarm::Asleep;
use allhome_rt::{Instant, Timer};
use std::task::{Context, Waker};

#[derive(Default)]
pub(super) struct NurseryTimer {
    /// What it is set for.
    at: Option<Instant>,
    sleep: Option<Foreign<Asleep>>,
    waker: Option<Waker>,
    /// A thread has taken it out.
    out: bool,
    /// The thread that has it polls the sleep again.
    again: bool,
}

/// What a thread has taken out.
pub(crate) struct Out {
    at: Option<Instant>,
    sleep: Option<Foreign<Asleep>>,
    waker: Waker,
}

impl Out {
    /// Waits for the moment. Returns true if it has come.
    pub(crate) fn set(&mut self, timer: Option<&Arc<dyn Timer>>) -> bool {
        let mut cx = Context::from_waker(&self.waker);
        if self.sleep.as_ref().is_none_or(|sleep| Some(sleep.at()) != self.at) {
            // The old one first.
            self.sleep = None;
            let set = self.at.zip(timer);
            self.sleep = set.map(|(at, timer)| Foreign::new(Asleep::new(timer.clone(), at)));
        }
        let over = self.sleep.as_mut().is_some_and(|sleep| sleep.poll(&mut cx).is_ready());
        if over {
            self.sleep = None;
        }
        over
    }
}

impl NurseryTimer {
    pub(super) fn take(
        &mut self,
        next: Option<Instant>,
        again: bool,
        new_waker: impl FnOnce() -> Waker,
    ) -> Option<Out> {
        if self.out {
            self.again |= again;
            return None;
        }
        if self.at == next && !(again && next.is_some()) {
            return None;
        }
        self.out = true;
        let waker = self.waker.take();
        let waker = waker.unwrap_or_else(new_waker);
        Some(Out { at: next, sleep: self.sleep.take(), waker })
    }

    /// Gives it back if the caller must set it for another moment, or poll it again.
    pub(super) fn put(&mut self, mut out: Out, next: Option<Instant>) -> Option<Out> {
        if std::mem::take(&mut self.again) || out.at != next {
            out.at = next;
            return Some(out);
        }
        let Out { at, sleep, waker } = out;
        // Kept only while there is a moment to wait for: it has a reference to the group, which
        // would keep itself by it.
        let waker = at.map(|_| waker);
        *self = NurseryTimer { at, sleep, waker, out: false, again: false };
        None
    }

    /// It is not set any more. Returns what it had, to be dropped with no lock held.
    #[must_use]
    pub(super) fn stop(&mut self) -> Stopped {
        self.at = None;
        (self.sleep.take(), self.waker.take())
    }

    pub(super) fn is_out(&self) -> bool {
        self.out
    }
}

/// What a clock that is stopped had: the timer's sleep, and the waker of it.
pub(crate) type Stopped = (Option<Foreign<Asleep>>, Option<Waker>);
