//! Feeds a joiner with the children that end, and sends those home that it does not need.
//!
//! | stage    | a child ends            | goes on to                                                |
//! |----------|-------------------------|-----------------------------------------------------------|
//! | new      | –                       | feeding, or clearing, by what `begin` says                |
//! | feeding  | the joiner gets it      | clearing, at `Break`: the others are cancelled, `RaceLost` |
//! | feeding, cut | the same            | the same; the deadline has cancelled all that were left   |
//! | clearing | it is dropped           | –                                                         |
//!
//! In each stage it is over when no child is left. All of it runs in the poll of the task that
//! waits, with no lock held; a child that ends takes the lock of the list, for a push and the waker.

use super::children::{Children, outcome};
use super::joinable::Joinable;
use super::joiner::Joiner;
use crate::layers::base::reason::ReasonKind;
use crate::layers::base::wait_mark::{self, Kind};
use crate::layers::time::{Sleep, now, sleep_until};
use allhome_rt::Instant;
use std::future::Future;
use std::ops::ControlFlow;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

pub(super) struct Driver<C: Joinable, J> {
    pub(super) children: Children<C>,
    /// None once it has finished.
    joiner: Option<J>,
    stage: Stage,
    deadline: Deadline,
    /// Those that are left are cancelled when it is dropped.
    cancels: bool,
    place: &'static Location<'static>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    New,
    Feeding,
    Clearing,
}

enum Deadline {
    None,
    After(Duration),
    At(Instant),
    Sleeps(Pin<Box<Sleep>>),
    /// It has passed.
    Cut,
}

/// What has happened in a step.
#[derive(PartialEq, Eq)]
pub(super) enum Step {
    /// A child has ended, and the joiner wants more.
    Ended { has_value: bool },
    /// No child is left.
    Empty,
}

impl<C: Joinable, J: Joiner<C::Value, C::Error>> Driver<C, J> {
    pub(super) fn new(joiner: J, place: &'static Location<'static>) -> Driver<C, J> {
        Driver {
            children: Children::new(),
            joiner: Some(joiner),
            stage: Stage::New,
            deadline: Deadline::None,
            cancels: true,
            place,
        }
    }

    /// The children go on if it is dropped.
    pub(super) fn leaves_children(&mut self) {
        self.cancels = false;
    }

    pub(super) fn end_after(&mut self, duration: Duration) {
        self.deadline = Deadline::After(duration);
    }

    pub(super) fn end_at(&mut self, at: Instant) {
        self.deadline = Deadline::At(at);
    }

    /// Returns `true` if no further child is of any use. A deadline that passes in this poll counts.
    pub(super) fn is_decided(&mut self, cx: &mut Context<'_>) -> bool {
        self.stage == Stage::Clearing
            || matches!(self.deadline, Deadline::Cut)
            || self.poll_deadline(cx).is_ready()
    }

    pub(super) fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        if self.stage == Stage::New {
            self.begin();
        }
        loop {
            let so_far = wait_mark::so_far();
            match self.children.poll_ended(cx) {
                Poll::Ready(None) => return Poll::Ready(Step::Empty),
                Poll::Ready(Some((_, child))) if self.stage == Stage::Clearing => child.lose(),
                Poll::Ready(Some((index, child))) => {
                    return Poll::Ready(self.feed(index, child));
                }
                Poll::Pending if self.poll_deadline(cx).is_ready() => {}
                Poll::Pending => {
                    // The deadline is the limit of the wait, and not what is waited for.
                    wait_mark::instead(so_far, Kind::Children, self.children.len() as u64);
                    return Poll::Pending;
                }
            }
        }
    }

    fn begin(&mut self) {
        self.stage = Stage::Feeding;
        let at = match self.deadline {
            Deadline::After(duration) => now().checked_add(duration),
            Deadline::At(at) => Some(at),
            _ => None,
        };
        self.deadline = at.map_or(Deadline::None, |at| Deadline::Sleeps(Box::pin(sleep_until(at))));
        let count = self.children.len();
        if self.joiner().begin(count).is_break() {
            self.clear();
        }
    }

    fn feed(&mut self, index: usize, child: C) -> Step {
        let joined = outcome(index, child);
        let has_value = joined.is_ok();
        if self.joiner().ended(joined) == ControlFlow::Break(()) {
            self.clear();
        }
        Step::Ended { has_value }
    }

    fn joiner(&mut self) -> &mut J {
        self.joiner.as_mut().expect("a joiner's future was polled after it was ready")
    }

    /// The joiner has what it needs.
    fn clear(&mut self) {
        self.stage = Stage::Clearing;
        self.children.cancel_left(ReasonKind::RaceLost, self.place);
    }

    /// Ready if it passes in this poll, and so all that are left are cancelled.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Deadline::Sleeps(sleep) = &mut self.deadline else { return Poll::Pending };
        if self.stage != Stage::Feeding || sleep.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.deadline = Deadline::Cut;
        self.children.cancel_left(ReasonKind::Deadline, self.place);
        Poll::Ready(())
    }

    /// No child is left: gives the result.
    pub(super) fn finish(&mut self) -> J::Output {
        let joiner = self.joiner.take();
        joiner.expect("a joiner's future was polled after it was ready").finish()
    }
}

impl<C: Joinable, J> Drop for Driver<C, J> {
    fn drop(&mut self) {
        if self.cancels {
            self.children.cancel_left(ReasonKind::RaceLost, self.place);
        }
    }
}
