//! Finalizers: what a nursery does when its children are gone, on every way out.
//!
//! They are run by a member like any other, but one that a cancel and an abort leave alone: so the
//! nursery is not over before they are, also when its future was dropped and the ancestors wait for
//! it, and the tree shows them at work.
//!
//! | finalizers | when                                   | goes on to                                |
//! |----------|----------------------------------------|-------------------------------------------|
//! | waiting  | something is deferred                  | running, when the last member has left and the body is gone |
//! | running  | a member runs what is deferred         | nothing is deferred, when it ends         |

use super::Group;
use super::registry::Phase;
use super::registry::finalizers::{Deferred, Failed, Finalizer};
use super::registry::report::Entry;
use crate::layers::base::counted::Weak;
use crate::layers::base::fault::Blow;
use crate::layers::base::guarded::Foreign;
use crate::layers::base::leave::Leave;
use crate::layers::base::outcome::Ending;
use crate::layers::base::panic::{self, Panic, Payload};
use crate::layers::base::reason::{Reason, ReasonKind};
use crate::layers::base::who::Who;
use crate::layers::context;
use crate::layers::context::scope::{Scope, ScopeKind};
use crate::layers::record::{Ended, Unadmitted};
use crate::layers::scope::deadline::{MoveOnAfter, move_on_after};
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

impl Group {
    /// Registers a finalizer. Returns `false` if the nursery has ended; it is dropped then.
    pub(crate) fn defer(&self, deferred: Deferred) -> bool {
        let deferred = Foreign::new(deferred);
        let refused = self.locked(|registry| {
            if registry.phase == Phase::Closed {
                return Some(deferred);
            }
            registry.finalizers.push(deferred);
            None
        });
        refused.is_none()
    }

    /// Has a member run the finalizers, if all others have left.
    pub(super) fn start_finalizers(&self) {
        let begun = self.locked(|registry| {
            if !registry.is_vacant() {
                return None;
            }
            let place = registry.finalizers.begin()?;
            let runner = Runner { group: self.weak(), now: None };
            let fresh = Unadmitted::new(runner, Some("finalizers".into()), place);
            let carried = if self.task_per_child {
                Some(registry.admit_shielded_carried(self.woken(), fresh))
            } else {
                registry.admit_shielded(self.woken(), fresh);
                None
            };
            Some((carried, self.after_admission(registry)))
        });
        let Some((carried, after)) = begun else { return };
        after.into_iter().for_each(|after| self.see_in(after));
        if let Some(carried) = carried {
            self.spawn_dedicated(carried, &Blow::OF_FINALIZERS);
        }
    }

    fn next_finalizer(&self) -> Option<Deferred> {
        let next = self.locked(|registry| registry.finalizers.next());
        next.map(Foreign::into_inner)
    }

    /// A finalizer has failed. The runner notes it, which is a member.
    fn note_finalizer(&self, ending: Ending, who: Who) {
        let ended = Ended { ending, second: None };
        if let Some(group) = self.strong() {
            self.hook(group.owned(), &ended);
            self.tell_ended(group.owned(), &ended, &who);
        }
        let entry = Entry::new(ended.ending, who);
        drop(self.locked(|registry| registry.report.add(entry)));
    }

    fn finalizer_panicked(&self, payload: Payload, who: Who) {
        let panic = Panic::new(payload, None, None, who.place);
        self.note_finalizer(Ending::Panicked(panic), who);
    }
}

/// Runs the finalizers, the last first.
struct Runner {
    group: Weak<Group>,
    now: Option<Running<Finalizer>>,
}

pub(crate) struct Running<F> {
    /// Keeps the cancel of the nursery away.
    scope: Scope,
    future: Option<Pin<Box<MoveOnAfter<F>>>>,
    budget: Duration,
    pub(crate) who: Who,
}

impl<F: Future<Output = Result<(), Failed>>> Running<F> {
    pub(crate) fn new(future: F, budget: Duration, who: Who) -> Running<F> {
        let scope = Scope::new(ScopeKind::Shield);
        Running { scope, future: Some(Box::pin(move_on_after(budget, future))), budget, who }
    }

    /// Polls it; when it has ended, drops it too. What panics is given.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Ending>, Payload>> {
        let polled = panic::catch(|| {
            let future = self.future.as_mut().expect("it is polled until it has ended");
            context::inside(&self.scope, || future.as_mut().poll(cx))
        });
        let ending = match polled {
            Ok(Poll::Pending) => match leaves() {
                None => return Poll::Pending,
                Some(ending) => Ok(ending),
            },
            Ok(Poll::Ready(Some(Ok(())))) => Ok(None),
            Ok(Poll::Ready(Some(Err(error)))) => Ok(Some(Ending::Err(error))),
            Ok(Poll::Ready(None)) => Ok(Some(Ending::Cancelled(self.overdue()))),
            Err(payload) => Err(payload),
        };
        Poll::Ready(self.drop_future().and(ending))
    }

    pub(crate) fn drop_future(&mut self) -> Result<(), Payload> {
        let future = self.future.take();
        panic::catch(|| context::inside(&self.scope, || drop(future)))
    }

    fn overdue(&self) -> Reason {
        let message = format!("a finalizer was cut at its budget of {:?}", self.budget);
        Reason::of(ReasonKind::Deadline, message, None, self.who.place)
    }
}

/// Returns how the finalizer that was polled ends, if it has asked for its end; the runner goes on.
/// That it has ended itself is no failure, and no reason for the others not to run. That it lacks a
/// value is a failure, also if a nursery reports why.
fn leaves() -> Option<Option<Ending>> {
    context::noted::here(|notes| {
        let notes = notes?;
        match notes.leave.get()? {
            Leave::Told | Leave::ToldOf => return None,
            Leave::Exit(_) | Leave::Cancelled | Leave::NoSlot | Leave::NoValue => {}
        }
        notes.leave.set(None);
        Some(notes.take_heard().map(Ending::NoValue))
    })
}

impl Future for Runner {
    type Output = Result<(), Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let group = self.group.clone();
        loop {
            if self.now.is_none() {
                self.now = group.next_finalizer().map(|deferred| {
                    let who = deferred.who();
                    Running::new(deferred.future, deferred.budget, who)
                });
            }
            let Some(now) = &mut self.now else { return Poll::Ready(Ok(())) };
            let Poll::Ready(ended) = now.poll(cx) else { return Poll::Pending };
            let who = now.who.clone();
            self.now = None;
            match ended {
                Ok(None) => {}
                Ok(Some(ending)) => group.note_finalizer(ending, who),
                Err(payload) => group.finalizer_panicked(payload, who),
            }
        }
    }
}

/// The runtime has thrown the runner away: what is left is lost, and said to be.
impl Drop for Runner {
    fn drop(&mut self) {
        let group = self.group.clone();
        if let Some(now) = &mut self.now {
            let who = now.who.clone();
            if let Err(payload) = now.drop_future() {
                group.finalizer_panicked(payload, who.clone());
            }
            group.note_finalizer(Ending::Lost, who);
        }
        let left = group.locked(|registry| registry.finalizers.take());
        for deferred in left.into_iter().rev() {
            let who = deferred.who();
            if let Err(payload) = panic::catch_drop(deferred.into_inner()) {
                group.finalizer_panicked(payload, who.clone());
            }
            group.note_finalizer(Ending::Lost, who);
        }
    }
}
