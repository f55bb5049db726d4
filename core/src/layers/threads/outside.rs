//! What is around the call of a thread scope, and cancels it.
//!
//! Cancel scopes and scopes in place end what is in them when their own future is polled; a nursery
//! keeps its time when a task of its runtime is polled. All of these may stand further out on the
//! very thread that the call blocks. So the call looks for itself: it has its own sleep until the
//! earliest deadline around, by the clock of the scope's runtime, and hears of cancels of scopes in
//! place. A nursery's cancel reaches the nurseries inside in any case.
//!
//! What has to be polled to come true, as the condition of a `cancel_when` around, does not.

use crate::layers::base::reason::Reason;
use crate::layers::context::host::Waiter;
use crate::layers::context::{self, scope};
use crate::layers::time;
use allhome_rt::{BoxSleep, Instant, Runtime};
use std::task::{Context, Poll};

pub(super) struct Outside {
    waiter: Waiter,
    /// Until this deadline.
    sleep: Option<(Instant, BoxSleep)>,
    is_over: bool,
}

impl Outside {
    pub(super) fn new() -> Outside {
        Outside { waiter: Waiter::new(), sleep: None, is_over: false }
    }

    /// Ready once when what is around is cancelled, or its time is over. It is polled where the call
    /// is.
    pub(super) fn poll(&mut self, clock: &Runtime, cx: &mut Context<'_>) -> Poll<Reason> {
        if self.is_over {
            return Poll::Pending;
        }
        // Before it looks: of a cancel that comes between, it hears.
        scope::await_ends(self.waiter, cx.waker());
        loop {
            let reason = context::current(|frame| {
                scope::is_cancelled(frame, false).then(|| scope::reason(frame, false)).flatten()
            });
            if let Some(reason) = reason {
                self.is_over = true;
                return Poll::Ready(reason);
            }
            // One that has passed, and ends nothing, is that of a shield's budget, say.
            let now = time::now();
            let Some(at) = time::deadline().filter(|&at| at > now) else { break };
            if self.sleep.as_ref().is_none_or(|(until, _)| *until != at) {
                let sleep = clock.timer().sleep_after(at.saturating_duration_since(now));
                self.sleep = sleep.map(|(_, sleep)| (at, sleep));
            }
            let Some((_, sleep)) = &mut self.sleep else { break };
            if sleep.as_mut().poll(cx).is_pending() {
                break;
            }
            // The clock around may be another one.
            self.sleep = None;
        }
        Poll::Pending
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        scope::forget_waiter(self.waiter);
    }
}
