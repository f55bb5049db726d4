//! What cancels a scope from outside of it, besides its handles: a token, and a condition.

use super::Engine;
use crate::layers::base::reason::{Level, Reason, ReasonKind};
use crate::layers::base::sync::Arc;
use crate::layers::cancel::{CancelToken, Registration};
use crate::layers::in_place::control::{Control, Stage};
use crate::layers::in_place::mode::Mode;
use crate::layers::nursery::condition::Condition;
use std::task::{Context, Poll};

pub(super) struct Watch {
    condition: Option<Box<Condition>>,
    /// Of the token: they go with the scope.
    registrations: Vec<Registration>,
}

impl Watch {
    pub(super) fn new(condition: Option<Box<Condition>>) -> Watch {
        Watch { condition, registrations: Vec::new() }
    }

    /// From now on the scope rises with the token.
    pub(super) fn begin(&mut self, token: Option<CancelToken>, control: &Arc<Control>) {
        let Some(token) = token else { return };
        for level in [Level::Draining, Level::Cancelled, Level::Aborted] {
            let control = control.clone();
            let follow = move |reason: Option<&_>| match (level, reason.cloned()) {
                (Level::Cancelled, Some(reason)) => drop(control.cancel(reason)),
                (Level::Aborted, Some(reason)) => drop(control.abort(reason)),
                _ => control.drain(),
            };
            self.registrations.push(Registration::at(&token, level, follow));
        }
    }

    /// The scope has ended: nothing is left.
    pub(super) fn stop(&mut self) {
        *self = Watch::new(None);
    }
}

impl<M: Mode> Engine<'_, M> {
    /// Polls the condition, in front of the body and as a part of it.
    pub(super) fn poll_condition(&mut self, cx: &mut Context<'_>) {
        let Some(condition) = &mut self.watch.condition else { return };
        let mut polled = Poll::Pending;
        let called = self.body.call(|| polled = condition.poll_inside(cx));
        let place = condition.location();
        if called.is_ok() && polled.is_pending() && self.control().stage() < Stage::Cancelled {
            return;
        }
        self.watch.condition = None;
        match called {
            Err(payload) => self.condition_panicked(payload),
            Ok(()) if polled.is_ready() => {
                let reason = Reason::of(ReasonKind::Requested, String::new(), None, place);
                self.control().cancel(reason);
            }
            Ok(()) => {}
        }
    }
}
