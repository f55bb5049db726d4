//! The body of a scope: it is polled as a child is, and a failure of it is the scope's.

use super::{Engine, inject};
use crate::layers::base::big::Inner;
use crate::layers::base::guarded::Foreign;
use crate::layers::base::outcome::Ending;
use crate::layers::base::panic;
use crate::layers::base::reason::{Reason, ReasonKind};
use crate::layers::base::sync::Arc;
use crate::layers::context::in_place::Requested;
use crate::layers::context::notes::Notes;
use crate::layers::group::config::Policy;
use crate::layers::group::describe;
use crate::layers::group::registry::report::Entry;
use crate::layers::in_place::mode::Mode;
use crate::layers::in_place::part::Polled;
use crate::layers::record::Ended;
use std::future::Future;
use std::pin::Pin;

impl<M: Mode> Engine<'_, M> {
    /// Calls the function that makes the body, as a part of the body.
    pub(in crate::layers::in_place) fn call(
        &mut self,
        f: impl FnOnce(),
    ) -> Result<(), panic::Payload> {
        self.body.call(f)
    }

    pub(super) fn poll_body<R, E, Fut>(
        &mut self,
        body: Pin<&mut Option<Inner<Fut>>>,
        value: &mut Option<R>,
    ) where
        Fut: Future<Output = Result<R, E>>,
        E: Send + Sync + 'static,
    {
        if body.is_none() {
            return;
        }
        self.body.seat.unschedule();
        let notes = Notes::default();
        let polled = match self.body.cut_for(true) {
            Some(reason) => Polled::Ended(self.body.cut(body, &reason)),
            None => self.poll_or_suffer(body, &notes),
        };
        if !matches!(polled, Polled::Waits) {
            self.body.seat.end();
        }
        match polled {
            Polled::Waits => {}
            Polled::Returned(Ok(returned)) => *value = Some(returned),
            Polled::Returned(Err(error)) => {
                self.body_returned(Ending::Err(Arc::new(error)), &notes);
            }
            Polled::Ended(ended) => self.body_ended(ended),
        }
    }

    fn poll_or_suffer<F: Future>(
        &mut self,
        mut body: Pin<&mut Option<F>>,
        notes: &Notes,
    ) -> Polled<F::Output> {
        let polled = self.body.poll(body.as_mut(), notes);
        if self.is_injected && matches!(polled, Polled::Waits) {
            return inject::suffer(&mut self.body, body).map_or(Polled::Waits, Polled::Ended);
        }
        polled
    }

    /// The body has returned an error: a failure, or an echo of what is known.
    fn body_returned(&mut self, error: Ending, notes: &Notes) {
        let (told, heard) = (notes.is_told(), notes.take_heard());
        let why = self.body.seat.reason().or_else(|| heard.clone());
        let who = self.body.seat.who();
        match why.filter(|_| told || !self.report.is_empty()) {
            None => self.body_ended(error.into()),
            Some(reason) => {
                if let Ending::Err(error) = &error {
                    let echo = Ending::Echo(Box::new((reason, error.clone())));
                    self.tell_failure(&echo.into(), || who.clone());
                }
                drop(self.report.add_echo(Entry::new(error, who)));
                if let Some(reason) = heard {
                    self.end_body(reason);
                }
            }
        }
    }

    pub(in crate::layers::in_place) fn body_panicked(&mut self, payload: panic::Payload) {
        let panic = self.body.panic(payload);
        self.body.seat.end();
        self.body_ended(Ending::Panicked(panic).into());
    }

    /// A panic of the condition is one of the body, which goes on to its end.
    pub(super) fn condition_panicked(&mut self, payload: panic::Payload) {
        let panic = self.body.panic(payload);
        self.body_ended(Ending::Panicked(panic).into());
    }

    fn body_ended(&mut self, ended: Ended) {
        match ended.ending {
            Ending::Cancelled(reason) => match reason.kind() {
                // It has ended itself: its scope waits for the children.
                ReasonKind::Exited => drop(self.report.set_body_reason(reason)),
                _ => self.end_body(reason),
            },
            _ => {
                let who = self.body.seat.who();
                let message = describe(&ended.ending);
                self.tell_panics(&ended);
                self.tell_failure(&ended, || who.clone());
                drop(self.report.note(Foreign::new(ended), || who.clone()));
                self.failed(&who, message);
            }
        }
    }

    /// The body ends without a value, for a reason that is no failure of its own.
    fn end_body(&mut self, reason: Reason) {
        drop(self.report.set_body_reason(reason.clone()));
        if self.config.policy != Policy::WaitAll {
            self.control().cancel(reason);
        }
    }
}
