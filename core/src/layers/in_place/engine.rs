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
//! 3. A child is in `turn` at most once for each time that it was queued, and is skipped if its flag
//!    was taken back meanwhile: a slot that another child has got since is polled when that one was
//!    woken, and not before.

mod body;
mod end;
pub(super) mod finalize;
mod inject;
mod leave;
mod times;
mod watch;

use super::control::{BODY, Control, Core, Limits, Stage};
use super::inbox::Shared;
use super::mode::Mode;
use super::part::{Part, Polled};
use super::slots::Slots;
use crate::layers::base::big::Inner;
use crate::layers::base::fault;
use crate::layers::base::panic;
use crate::layers::base::sync::Arc;
use crate::layers::context::{self, scope};
use crate::layers::group::config::Config;
use crate::layers::group::registry::report::Report;
use crate::layers::nursery::condition::Condition;
use finalize::Finalizing;
use std::collections::VecDeque;
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
    turn: VecDeque<u32>,
    /// Of what was woken: an empty list whose memory is used again.
    spare: Vec<u32>,
    report: Report,
    body: Part,
    times: Times,
    watch: Watch,
    finalizing: Option<Finalizing<'a, M>>,
    /// What the body and the children have seen.
    swept: Stage,
    /// A simulator has something happen at one of the await points.
    is_injected: bool,
}

impl<'a, M: Mode> Engine<'a, M> {
    pub(super) fn new(mut config: Config, condition: Option<Box<Condition>>) -> Engine<'a, M> {
        config.grace = config.grace.or_else(|| context::current(scope::grace));
        let (limits, times) = (Limits::new(&config), Times::new(&config));
        let shared = Shared::new(Control::new(config.policy, config.name.clone(), limits));
        let body = Part::new(Core::new(&shared.control, None, None, config.place));
        Engine {
            report: Report::new(config.keep, config.forgets()),
            shared,
            config,
            slots: Slots::new(),
            turn: VecDeque::from([BODY]),
            spare: Vec::new(),
            body,
            times,
            watch: Watch::new(condition),
            finalizing: None,
            swept: Stage::Running,
            is_injected: fault::is_planned(),
        }
    }

    /// Counts its time from now on.
    pub(super) fn begin(&mut self) {
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
        let mut left = BUDGET;
        loop {
            let stage = self.control().stage();
            if stage > self.swept {
                self.sweep(stage, body.as_mut(), value);
            }
            match self.next() {
                Some(_) if left == 0 => {
                    panic::wake_by_ref(cx.waker());
                    return Poll::Pending;
                }
                Some(index) => {
                    self.turn.pop_front();
                    if self.poll_queued(index, body.as_mut(), value) {
                        left -= 1;
                    }
                }
                None if body.is_none()
                    && self.poll_finalizers(cx).is_ready()
                    && self.try_close() =>
                {
                    return Poll::Ready(());
                }
                None if self.control().park(cx.waker(), self.swept) => return Poll::Pending,
                None => {}
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

    /// Returns the next in turn. When the turn is over, the new and the woken ones get one: neither
    /// kind keeps the other away. New ones come first: a body that spawns and yields polls them.
    fn next(&mut self) -> Option<u32> {
        if self.turn.is_empty() {
            self.take_in();
            let spare = mem::take(&mut self.spare);
            let mut woken = self.control().take_woken(spare);
            self.turn.extend(woken.drain(..));
            self.spare = woken;
        }
        self.turn.front().copied()
    }

    fn take_in(&mut self) {
        if self.control().take_news() {
            for new in self.shared.take_new() {
                let index = self.slots.insert(new);
                self.turn.push_back(index);
            }
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
            let polls = self.body.core.take_queued();
            if polls {
                self.poll_body(body, value);
            }
            return polls;
        }
        let polls = self.slots.get(index).is_some_and(|slot| slot.part.core.take_queued());
        polls.then(|| self.poll_child(index)).is_some()
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
        self.take_in();
        for index in 0..self.slots.end() {
            if let Some(slot) = self.slots.get(index) {
                slot.part.core.take_queued();
                self.poll_child(index);
            }
        }
        if stage > Stage::Children {
            self.body.core.take_queued();
            self.poll_body(body, value);
        }
    }

    fn poll_child(&mut self, index: u32) {
        let Some(slot) = self.slots.get(index) else { return };
        let task = Pin::new(&mut slot.task);
        let cut = slot.part.cut_for(slot.started);
        slot.started = true;
        let ended = match cut {
            Some(reason) => slot.part.cut(task, &reason),
            None => match slot.part.poll(task) {
                Polled::Waits => {
                    let core = &slot.part.core;
                    if core.is_cancelled_alone() && !slot.graced && core.is_in_grace() {
                        slot.graced = true;
                        self.times.begin_grace(&self.shared.control, Some(core));
                    }
                    if !self.is_injected {
                        return;
                    }
                    match inject::suffer(&slot.part, Pin::new(&mut slot.task)) {
                        Some(ended) => ended,
                        None => return,
                    }
                }
                Polled::Returned(ending) => ending.into(),
                Polled::Ended(ended) => ended,
            },
        };
        if let Some(slot) = self.slots.remove(index) {
            self.leave(slot, ended);
        }
    }
}
