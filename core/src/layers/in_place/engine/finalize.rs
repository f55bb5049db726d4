//! Finalizers: what a scope does when its body and its children are gone.
//!
//! The scope's future polls them, one after the other, the last deferred first; each as a part of the
//! scope, in a shield, for as long as its budget is. If the future is dropped before, it polls nothing
//! any more: they are dropped unpolled, and told to the hook as lost.

use super::Engine;
use crate::layers::base::guarded::Foreign;
use crate::layers::base::outcome::Ending;
use crate::layers::base::panic::{self, Panic, Payload};
use crate::layers::base::who::Who;
use crate::layers::group::finalizers::Running;
use crate::layers::group::registry::finalizers::Failed;
use crate::layers::group::registry::report::Entry;
use crate::layers::in_place::mode::Mode;
use crate::layers::record::Ended;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// What is deferred to the end.
pub(in crate::layers::in_place) struct Deferred<'a, M: Mode> {
    pub(in crate::layers::in_place) task: Pin<Box<M::Task<'a>>>,
    pub(in crate::layers::in_place) budget: Duration,
    pub(in crate::layers::in_place) place: &'static Location<'static>,
}

impl<M: Mode> Deferred<'_, M> {
    fn who(&self) -> Who {
        Who { task: None, name: None, place: self.place, finalizer: true }
    }
}

pub(super) type Finalizing<'a, M> = Running<Finalizer<'a, M>>;

pub(super) struct Finalizer<'a, M: Mode>(Pin<Box<M::Task<'a>>>);

impl<M: Mode> Future for Finalizer<'_, M> {
    type Output = Result<(), Failed>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx).map(|done| match done.0 {
            Ending::Err(error) => Err(error),
            Ending::Echo(echo) => Err(echo.1),
            _ => Ok(()),
        })
    }
}

impl<M: Mode> Engine<'_, M> {
    /// Runs what was deferred, once no child is left. Ready: all of it has ended.
    pub(super) fn poll_finalizers(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.finalizing.is_none() && self.control().members() != 0 {
            return Poll::Pending;
        }
        loop {
            if self.finalizing.is_none() {
                self.finalizing = self.shared.next_deferred().map(|deferred| {
                    let who = deferred.who();
                    Running::new(Finalizer(deferred.task), deferred.budget, who)
                });
            }
            let Some(running) = &mut self.finalizing else { return Poll::Ready(()) };
            let mut polled = Poll::Pending;
            if let Err(payload) = self.body.call(|| polled = running.poll(cx)) {
                polled = Poll::Ready(Err(payload));
            }
            let Poll::Ready(ended) = polled else { return Poll::Pending };
            let who = running.who.clone();
            self.finalizing = None;
            match ended {
                Ok(None) => {}
                Ok(Some(ending)) => self.note_finalizer(ending, who),
                Err(payload) => self.finalizer_panicked(payload, who),
            }
        }
    }

    /// Drops what is left of them.
    pub(super) fn abandon_finalizers(&mut self) {
        self.shared.end();
        if let Some(mut running) = self.finalizing.take() {
            let (who, mut dropped) = (running.who.clone(), Ok(()));
            drop(self.body.call(|| dropped = running.drop_future()));
            self.lose(dropped, who);
        }
        while let Some(deferred) = self.shared.next_deferred() {
            let who = deferred.who();
            self.lose(panic::catch_drop(deferred), who);
        }
    }

    fn lose(&mut self, dropped: Result<(), Payload>, who: Who) {
        if let Err(payload) = dropped {
            self.finalizer_panicked(payload, who.clone());
        }
        self.note_finalizer(Ending::Lost, who);
    }

    fn finalizer_panicked(&mut self, payload: Payload, who: Who) {
        let panic = Panic::new(payload, None, None, who.place);
        self.note_finalizer(Ending::Panicked(panic), who);
    }

    fn note_finalizer(&mut self, ending: Ending, who: Who) {
        let ended = Foreign::new(Ended { ending, second: None });
        self.tell_panics(&ended);
        self.config.hooks.tell_ended(&ended, &who, self.config.view);
        let entry = Entry::new(ended.into_inner().ending, who);
        drop(self.report.add(entry));
    }
}
