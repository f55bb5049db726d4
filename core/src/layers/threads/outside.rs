//! The deadlines of the cancel scopes that the call of a thread scope is in.
//!
//! Such a scope ends what is in it when its own future is polled. That future is polled further out
//! on the very thread that the call blocks, so it is not: what the scope would do is done here.

use crate::layers::base::reason::Reason;
use crate::layers::base::sync::Arc;
use crate::layers::context::scope;
use crate::layers::context::term::Term;
use crate::layers::time;
use allhome_rt::{BoxSleep, Runtime};
use std::task::{Context, Poll};

pub(super) struct Outside {
    terms: Vec<Arc<Term>>,
    /// By the clock of the scope's runtime: that of the task around may need this very thread.
    sleep: Option<BoxSleep>,
}

impl Outside {
    /// Looks for what is around the caller.
    pub(super) fn look() -> Outside {
        Outside { terms: scope::around().terms, sleep: None }
    }

    /// Ready when one of the deadlines has passed.
    pub(super) fn poll(&mut self, clock: &Runtime, cx: &mut Context<'_>) -> Poll<Reason> {
        while !self.terms.is_empty() {
            let now = time::now();
            if let Some(reason) = self.terms.iter().find_map(|term| term.overdue(now)) {
                self.terms.clear();
                return Poll::Ready(reason);
            }
            let Some(at) = self.terms.iter().filter_map(|term| term.deadline()).min() else {
                break;
            };
            let sleep = match &mut self.sleep {
                Some(sleep) => sleep,
                None => {
                    let left = at.saturating_duration_since(now);
                    let Some((_, sleep)) = clock.timer().sleep_after(left) else { break };
                    self.sleep.insert(sleep)
                }
            };
            match sleep.as_mut().poll(cx) {
                Poll::Pending => break,
                // The deadline may have been moved.
                Poll::Ready(()) => self.sleep = None,
            }
        }
        Poll::Pending
    }
}
