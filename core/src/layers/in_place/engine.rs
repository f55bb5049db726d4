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

mod body;
mod end;
pub(super) mod finalize;
mod inject;
mod leave;
mod listed;
mod times;
mod watch;

use super::control::{BODY, Control, Limits, Stage};
use super::inbox::Shared;
use super::mode::Mode;
use super::part::{Part, Polled, Straight};
use super::placed::Running;
use super::slots::{Slot, Slots};
use super::turn::Turn;
use crate::layers::base::big::Inner;
use crate::layers::base::fault;
use crate::layers::base::panic;
use crate::layers::base::sync::Arc;
use crate::layers::context::notes::Notes;
use crate::layers::context::{self, scope};
use crate::layers::group::config::Config;
use crate::layers::group::registry::report::Report;
use crate::layers::nursery::condition::Condition;
use finalize::Finalizing;
use listed::Listed;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};
use times::Times;
use watch::Watch;

/// So many polls in one of the scope; then the caller's task has a turn.
const BUDGET: usize = 64;

pub(super) struct Engine<'a, M: Mode> {
    pub(super) shared: Arc<Shared<'a, M>>,
    pub(super) config: Config,
    slots: Slots<'a, M>,
    turn: Turn,
    report: Report,
    body: Part,
    times: Times,
    watch: Watch,
    finalizing: Option<Finalizing<'a, M>>,
    /// What the body and the children have seen.
    swept: Stage,
    /// A simulator has something happen at one of the await points.
    is_injected: bool,
    listed: Option<Listed>,
}

impl<'a, M: Mode> Engine<'a, M> {
    pub(super) fn new(mut config: Config, condition: Option<Box<Condition>>) -> Engine<'a, M> {
        config.grace = config.grace.or_else(|| context::current(scope::grace));
        let (limits, times) = (Limits::new(&config), Times::new(&config));
        let shared = Shared::new(Control::new(config.policy, config.name.clone(), limits));
        let body = Part::new(shared.seat_body(config.place));
        Engine {
            report: Report::new(config.keep, config.forgets()),
            slots: Slots::new(&shared),
            shared,
            config,
            turn: Turn::new(),
            body,
            times,
            watch: Watch::new(condition),
            finalizing: None,
            swept: Stage::Running,
            is_injected: fault::is_planned(),
            listed: None,
        }
    }

    /// Counts its time from now on.
    pub(super) fn begin(&mut self) {
        self.listed = Listed::list(&self.shared.control);
        self.watch.begin(self.config.token.take(), &self.shared.control);
        self.times.begin(&self.shared.control);
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
        self.poll_condition(cx);
        loop {
            if self.poll_woken(body.as_mut(), value, cx).is_ready() {
                return Poll::Ready(());
            }
            if self.times.poll(&self.shared.control, cx).is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// Polls what was woken, and what that wakes.
    fn poll_woken<R, E, Fut>(
        &mut self,
        mut body: Pin<&mut Option<Inner<Fut>>>,
        value: &mut Option<R>,
        cx: &mut Context<'_>,
    ) -> Poll<()>
    where
        Fut: Future<Output = Result<R, E>>,
        E: Send + Sync + 'static,
    {
        self.control().enter();
        let mut left = BUDGET;
        loop {
            let stage = self.control().stage();
            if stage > self.swept {
                self.sweep(stage, body.as_mut(), value);
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
                None if body.is_none()
                    && self.poll_finalizers(cx).is_ready()
                    && self.try_close() =>
                {
                    self.control().exit();
                    return Poll::Ready(());
                }
                None => {
                    // The waker's code may wake a child: from here on that is from elsewhere.
                    self.control().exit();
                    if self.control().park(cx.waker(), self.swept) {
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

    /// The scope is at a new stage: every child is polled once more, or dropped if it was not polled
    /// yet; then the body, which sees how they ended, if that concerns it.
    fn sweep<R, E, Fut>(
        &mut self,
        stage: Stage,
        body: Pin<&mut Option<Inner<Fut>>>,
        value: &mut Option<R>,
    ) where
        Fut: Future<Output = Result<R, E>>,
        E: Send + Sync + 'static,
    {
        if stage < Stage::Aborted && self.swept == Stage::Running {
            self.times.begin_grace(&self.shared.control, None);
        }
        self.swept = stage;
        let body_is_next = self.turn.clear();
        self.take_in();
        self.turn.clear();
        for index in 0..self.slots.end() {
            self.poll_child(index);
        }
        match stage > Stage::Children {
            true => self.poll_body(body, value),
            false if body_is_next => self.turn.add(BODY),
            false => {}
        }
    }

    /// Returns `true` if there was one.
    fn poll_child(&mut self, index: u32) -> bool {
        let Some(slot) = self.slots.get(index) else { return false };
        slot.part.seat.unschedule();
        let Slot { part, task, join, started, graced } = slot;
        let mut task = Some(Running { task, join });
        let started = mem::replace(started, true);
        let stirred = self.shared.control.is_stirred();
        let straight = match stirred || self.is_injected || !part.is_plain() {
            false => part.poll_straight(&mut task),
            true => match if stirred { part.cut_for(started) } else { None } {
                Some(reason) => {
                    let ended = part.cut(Pin::new(&mut task), &reason);
                    Straight::Otherwise(Polled::Ended(ended))
                }
                None => Straight::Otherwise(part.poll(Pin::new(&mut task), &Notes::default())),
            },
        };
        let ended = match straight {
            Straight::Waits => None,
            Straight::Well => {
                // The future is gone.
                mem::forget(task);
                self.leave_well(index);
                return true;
            }
            Straight::Otherwise(polled) => match polled {
                Polled::Waits => {
                    let seat = &part.seat;
                    if seat.is_cancelled_alone() && !*graced && seat.is_in_grace() {
                        *graced = true;
                        self.times.begin_grace(&self.shared.control, Some(seat));
                    }
                    match self.is_injected {
                        true => inject::suffer(part, Pin::new(&mut task)),
                        false => None,
                    }
                }
                Polled::Returned(ending) => Some(ending.into()),
                Polled::Ended(ended) => Some(ended),
            },
        };
        let Some(ended) = ended else {
            // It waits: its future stays.
            mem::forget(task);
            return true;
        };
        drop(task);
        if let Some(slot) = self.slots.remove(index) {
            self.leave(slot, ended);
        }
        true
    }
}
