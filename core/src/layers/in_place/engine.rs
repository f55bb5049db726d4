//! The engine of a scope in place: which child is polled, and what follows from its end.
//!
//! The scope's future has it, and nothing else: a child is polled, and dropped, in a poll or the
//! drop of that future, on its thread. What comes from elsewhere (a wake, a cancel, a new child)
//! stands in [`Control`](super::control::Control) or in the inbox until the next poll.
//!
//! # Invariants
//!
//! 1. No lock is held, and nothing that a child could reach is borrowed, while a future of the
//!    user's is polled or dropped. So it may spawn, wake, cancel and join there.
//! 2. A child is admitted until the inbox is closed. It is closed in the hold of its lock that finds
//!    it empty, when there is no child and no body left. A cancel closes it, too, and what takes in
//!    the children after one takes in all: the drop of the future relies on that.
//! 3. Seats are given back when no child is in `turn`: so a bit there is never led to another child,
//!    which has got the seat since.

use super::control::{BODY, Control};
use super::inbox::Shared;
use super::join::{for_joiner, publish};
use super::mode::{Mode, Publish};
use super::part::{Part, Polled};
use super::placed::Running;
use super::slots::{Slot, Slots};
use super::turn::Turn;
use crate::layers::base::big::Inner;
use crate::layers::base::guarded::Foreign;
use crate::layers::base::outcome::Ending;
use crate::layers::base::panic;
use crate::layers::base::reason::{Reason, ReasonKind};
use crate::layers::base::sync::{Arc, Ordering};
use crate::layers::base::who::Who;
use crate::layers::context::in_place::Requested;
use crate::layers::context::notes::Notes;
use crate::layers::context::{self, scope};
use crate::layers::group::config::{Config, Policy};
use crate::layers::group::describe;
use crate::layers::group::registry::report::{Entry, Report};
use crate::layers::record::Ended;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

/// So many polls in one of the scope; then the caller's task has a turn.
const BUDGET: usize = 64;

pub(super) struct Engine<'a, M: Mode> {
    pub(super) shared: Arc<Shared<'a, M>>,
    pub(super) config: Config,
    slots: Slots<'a, M>,
    turn: Turn,
    report: Report,
    body: Part,
    /// Each child has seen that all of it is cancelled.
    is_swept: bool,
}

impl<'a, M: Mode> Engine<'a, M> {
    pub(super) fn new(config: Config) -> Engine<'a, M> {
        let shared = Shared::new(Control::new(config.policy, config.name.clone()));
        let body = Part::new(shared.seat_body(config.place));
        Engine {
            report: Report::new(config.keep, config.forgets()),
            slots: Slots::new(&shared),
            shared,
            config,
            turn: Turn::new(),
            body,
            is_swept: false,
        }
    }

    fn control(&self) -> &Control {
        &self.shared.control
    }

    /// Polls what was woken, until nothing is left to poll, or the budget is used up. Ready: all is
    /// home, and the inbox is closed.
    pub(super) fn poll<R, E, Fut>(
        &mut self,
        mut body: Pin<&mut Option<Inner<Fut>>>,
        value: &mut Option<R>,
        cx: &mut Context<'_>,
    ) -> Poll<()>
    where
        Fut: Future<Output = Result<R, E>>,
        E: Send + Sync + 'static,
    {
        drop(self.control().unpark());
        self.follow();
        self.control().enter();
        let mut left = BUDGET;
        loop {
            if self.control().reason().is_some() && !self.is_swept {
                self.is_swept = true;
                self.sweep(body.as_mut(), value);
            }
            let next = match self.has_next() {
                true if left == 0 => {
                    self.control().exit();
                    panic::wake_by_ref(cx.waker());
                    return Poll::Pending;
                }
                true => self.turn.next(),
                false => None,
            };
            match next {
                Some(index) => {
                    if self.poll_queued(index, body.as_mut(), value) {
                        left -= 1;
                    }
                }
                None if body.is_none() && self.try_close() => {
                    self.control().exit();
                    return Poll::Ready(());
                }
                None => {
                    // The waker's code may wake a child: from here on that is from elsewhere.
                    self.control().exit();
                    if self.control().park(cx.waker(), self.is_swept) {
                        return Poll::Pending;
                    }
                    self.control().enter();
                }
            }
        }
    }

    /// Follows the cancel of what is around it: it is a part of the caller's task.
    fn follow(&self) {
        if self.control().reason().is_some() {
            return;
        }
        let around = context::current(|frame| {
            let cancelled = frame.is_some() && scope::is_cancelled(frame, false);
            cancelled.then(|| scope::reason(frame, false)).flatten()
        });
        if let Some(reason) = around {
            self.control().cancel(reason);
        }
    }

    /// Returns `true` if one is in turn. When the turn is over, the new and the woken ones get one:
    /// neither kind keeps the other away. New ones come first: a body that spawns and yields polls
    /// them.
    fn has_next(&mut self) -> bool {
        if self.turn.is_over() {
            let line = self.control().take_line();
            self.take_in();
            self.turn.add_woken(&self.shared.control, line, &self.slots.blocks);
        }
        !self.turn.is_over()
    }

    fn take_in(&mut self) {
        if self.shared.control.take_news() || self.slots.has_freed() {
            self.slots.take_in(&self.shared, |index| self.turn.add(index));
        }
    }

    /// Returns `true` if it was polled: if it was woken, or is new.
    fn poll_queued<R, E, Fut>(
        &mut self,
        index: u32,
        body: Pin<&mut Option<Inner<Fut>>>,
        value: &mut Option<R>,
    ) -> bool
    where
        Fut: Future<Output = Result<R, E>>,
        E: Send + Sync + 'static,
    {
        if index == BODY {
            let polls = body.is_some();
            self.poll_body(body, value);
            return polls;
        }
        self.poll_child(index)
    }

    /// All of it is cancelled: every child is polled once more, or dropped if it was not polled
    /// yet; then the body, which sees how they ended.
    fn sweep<R, E, Fut>(&mut self, body: Pin<&mut Option<Inner<Fut>>>, value: &mut Option<R>)
    where
        Fut: Future<Output = Result<R, E>>,
        E: Send + Sync + 'static,
    {
        self.turn.clear();
        self.take_in();
        self.turn.clear();
        for index in 0..self.slots.end() {
            self.poll_child(index);
        }
        self.poll_body(body, value);
    }

    /// Returns `true` if there was one.
    fn poll_child(&mut self, index: u32) -> bool {
        let Some(slot) = self.slots.get(index) else { return false };
        slot.part.seat.unschedule();
        let mut task = Some(Running(&mut slot.task));
        let unpolled = if slot.started { None } else { slot.part.seat.reason() };
        slot.started = true;
        let ended = match unpolled {
            Some(reason) => slot.part.cut(Pin::new(&mut task), &reason),
            None => match slot.part.poll(Pin::new(&mut task), &Notes::default()) {
                Polled::Waits => {
                    mem::forget(task);
                    return true;
                }
                Polled::Returned(ending) => ending.into(),
                Polled::Ended(ended) => ended,
            },
        };
        drop(task);
        if let Some(slot) = self.slots.remove(index) {
            self.leave(slot, ended);
        }
        true
    }

    /// A child leaves, whose future is gone: its failure is noted, and then its outcome given out.
    fn leave(&mut self, slot: Slot<'a, M>, ended: Ended) {
        let Slot { part, join, task, .. } = slot;
        let core = &part.seat;
        let outcome = for_joiner(&ended.ending);
        let isolated =
            self.config.policy.isolates() && join.as_ref().is_some_and(|join| join.is_wanted());
        let failed = self.note(ended, || core.who(), isolated);
        core.end();
        self.control().count_home();
        if let Some(message) = failed {
            self.failed(&core.who(), message);
        }
        if let Some(ending) = publish(join, outcome).filter(|_| isolated) {
            // The handle went meanwhile, on another thread: it is the scope's after all.
            drop(self.note(ending.into_inner().into(), || core.who(), false));
        }
        self.slots.free(part.seat, task.into_piece());
    }

    /// Notes how a child ended. Returns what its siblings hear, if it failed.
    fn note(&mut self, ended: Ended, who: impl Fn() -> Who, isolated: bool) -> Option<String> {
        match ended.ending {
            Ending::Ok => return None,
            Ending::Echo(echo) => {
                if !isolated {
                    self.report.count_cancelled();
                }
                drop(self.report.add_echo(Entry::new(Ending::Err(echo.1), who())));
                return None;
            }
            _ if isolated => return None,
            Ending::Cancelled(_) => {
                self.report.count_cancelled();
                return None;
            }
            _ => {}
        }
        let message = describe(&ended.ending);
        drop(self.report.note(Foreign::new(ended), who));
        Some(message)
    }

    /// A child, or the body, has failed. What follows is the policy's.
    fn failed(&self, who: &Who, message: String) {
        if self.config.policy == Policy::FailFast {
            let kind = match who.task {
                Some(_) => ReasonKind::ChildFailed,
                None => ReasonKind::BodyFailed,
            };
            self.control().cancel(Reason::of(kind, message, who.task, who.place));
        }
    }

    /// Calls the function that makes the body, as a part of the body.
    pub(super) fn call(&mut self, f: impl FnOnce()) -> Result<(), panic::Payload> {
        self.body.call(f)
    }

    fn poll_body<R, E, Fut>(&mut self, body: Pin<&mut Option<Inner<Fut>>>, value: &mut Option<R>)
    where
        Fut: Future<Output = Result<R, E>>,
        E: Send + Sync + 'static,
    {
        if body.is_none() {
            return;
        }
        self.body.seat.unschedule();
        let notes = Notes::default();
        let polled = self.body.poll(body, &notes);
        if !matches!(polled, Polled::Waits) {
            self.body.seat.end();
        }
        match polled {
            Polled::Waits => {}
            Polled::Returned(Ok(returned)) => *value = Some(returned),
            Polled::Returned(Err(error)) => {
                self.body_returned(Ending::Err(Arc::new(error)), &notes)
            }
            Polled::Ended(ended) => self.body_ended(ended),
        }
    }

    /// The body has returned an error: a failure, or an echo of what is known.
    fn body_returned(&mut self, error: Ending, notes: &Notes) {
        let (told, heard) = (notes.is_told(), notes.take_heard());
        let why = self.body.seat.reason().or_else(|| heard.clone());
        let who = self.body.seat.who();
        match why.filter(|_| told || !self.report.is_empty()) {
            None => self.body_ended(error.into()),
            Some(_) => {
                drop(self.report.add_echo(Entry::new(error, who)));
                if let Some(reason) = heard {
                    self.end_body(reason);
                }
            }
        }
    }

    pub(super) fn body_panicked(&mut self, payload: panic::Payload) {
        let panic = self.body.panic(payload);
        self.body.seat.end();
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

    // ---- the end

    /// The body is gone. Closes the inbox if no child is left.
    fn try_close(&mut self) -> bool {
        // Relaxed: the inbox's lock orders the count with each admission.
        if self.control().members() != 0 {
            return false;
        }
        let ended = Reason::of(ReasonKind::Closed, String::new(), None, self.config.place);
        self.shared.close_if_empty(ended)
    }

    /// Returns what its result is made of.
    pub(super) fn take_report(&mut self) -> Report {
        for entry in self.control().take_handed_in() {
            drop(self.report.add(entry));
        }
        for _ in 0..self.control().refused.swap(0, Ordering::Relaxed) {
            self.report.count_refused();
        }
        self.slots.take_in(&self.shared, |_| {});
        self.report.take()
    }

    /// The scope's future is dropped: so are the body and all children, where they wait.
    pub(super) fn abandon<F>(&mut self, body: Pin<&mut Option<F>>) {
        let reason = Reason::of(ReasonKind::ScopeDropped, String::new(), None, self.config.place);
        // What follows wakes nothing: what would be polled is this future.
        drop(self.control().unpark());
        self.control().exit();
        // From here on no child is admitted.
        self.control().cancel(reason.clone());
        drop(Foreign::new(self.body.cut(body, &reason)));
        self.body.seat.end();
        self.slots.take_in(&self.shared, |_| {});
        for index in 0..self.slots.end() {
            let Some(mut slot) = self.slots.remove(index) else { continue };
            let ended =
                Foreign::new(slot.part.cut(Pin::new(&mut Some(Running(&mut slot.task))), &reason));
            let outcome = for_joiner(&ended.ending);
            drop(ended);
            slot.part.seat.end();
            self.control().count_home();
            drop(publish(slot.join, outcome));
            self.slots.free(slot.part.seat, slot.task.into_piece());
        }
        self.slots.take_in(&self.shared, |_| {});
    }
}
