//! What wakers and handles do with the seat that they reach, and what the scope's poll finds of it.
//! The invariants are those of [`control`](super::control).

use super::control::{Control, Woken, this_thread};
use super::seats::{Block, BlockRef, Core};
use crate::layers::base::guarded::Foreign;
use crate::layers::base::id::{NurseryId, TaskId};
use crate::layers::base::outcome::TaskState;
use crate::layers::base::reason::Reason;
use crate::layers::base::sync::Ordering;
use crate::layers::base::who::Who;
use crate::layers::context::host::Waiter;
use crate::layers::context::in_place::Requested;
use allhome_rt::Instant;
use std::panic::Location;
use std::task::Waker;
use std::time::Duration;

impl Control {
    #[inline]
    pub(super) fn wake(&self, block: &Block, seat: u32) {
        if self.polling.load(Ordering::Relaxed) == this_thread() {
            block.here.set_alone(1 << seat, block.number, &self.here);
        } else if block.woken.set(seat, block.number, &self.woken) {
            self.unpark().into_iter().for_each(Foreign::wake);
        }
    }

    /// Takes what was woken: calls `f` with each block and the bits of its children, the block that
    /// was woken first at last. The caller is the scope's future.
    pub(super) fn take_woken(
        &self,
        Woken(mut next): Woken,
        blocks: &[BlockRef],
        mut f: impl FnMut(u32, u64),
    ) {
        while let Some(number) = next {
            let block = &blocks[number as usize];
            let (seats, after) = block.woken.take();
            if seats != 0 {
                block.here.set_alone(seats, number, &self.here);
            }
            next = after;
        }
        let mut next = self.here.take_alone();
        while let Some(number) = next {
            let (seats, after) = blocks[number as usize].here.take_alone();
            if seats != 0 {
                f(number, seats);
            }
            next = after;
        }
    }
}

impl Core {
    #[inline(always)]
    pub(super) fn control(&self) -> &Control {
        &self.block().control
    }

    /// None: it is the body.
    pub(super) fn id(&self) -> Option<TaskId> {
        let number = self.life().number;
        (number != 0).then(|| TaskId { nursery: self.control().id, number })
    }

    pub(super) fn name(&self) -> Option<&str> {
        self.life().name.as_deref()
    }

    pub(super) fn place(&self) -> &'static Location<'static> {
        self.life().place
    }

    /// Returns where it is among the children.
    pub(super) fn index(&self) -> u32 {
        self.block().number << 6 | self.seat()
    }

    /// Has it polled, unless it has ended.
    pub(super) fn schedule(&self) {
        if self.state() != TaskState::Ended {
            let block = self.block();
            block.control.wake(block, self.seat());
        }
    }

    /// It is about to be polled: what has woken it is seen there. The caller is the scope's future.
    #[inline(always)]
    pub(super) fn unschedule(&self) {
        let (block, seat) = (self.block(), self.seat());
        block.here.clear_alone(seat);
        block.woken.clear(seat);
    }

    /// It has ended: no wake leads to anything any more.
    pub(super) fn end(&self) {
        self.set_state(TaskState::Ended);
    }

    /// Notes that it is cancelled alone. Returns `false` if it has ended, or was cancelled before.
    pub(super) fn note_cancel(&self, reason: Reason) -> bool {
        self.control().stir();
        self.state() != TaskState::Ended
            && self.around().is_none()
            && self.life().cancel.set(reason).is_ok()
    }

    /// Cancels it alone. Returns `false` if it has ended, or was cancelled before.
    pub(super) fn cancel(&self, reason: Reason) -> bool {
        let first = self.note_cancel(reason);
        if first {
            self.schedule();
            // What blocks the thread in its poll is not reached by a wake.
            self.control().wake_waiters();
        }
        first
    }

    #[inline]
    fn cancelled(&self) -> Option<&Reason> {
        self.life().cancel.get().or_else(|| self.around())
    }

    #[inline(always)]
    pub(super) fn is_cancelled(&self) -> bool {
        self.control().is_stirred() && self.cancelled().is_some()
    }

    pub(super) fn who(&self) -> Who {
        let task = self.id();
        let name = if task.is_some() { &self.life().name } else { &self.control().name };
        Who { task, name: name.clone(), place: self.place(), finalizer: false }
    }
}

impl Requested for Core {
    fn scope(&self) -> NurseryId {
        self.control().id
    }

    fn id(&self) -> Option<TaskId> {
        self.id()
    }

    fn who(&self) -> Who {
        self.who()
    }

    fn reason(&self) -> Option<Reason> {
        self.cancelled().or_else(|| self.overdue()).cloned()
    }

    fn place(&self) -> &'static Location<'static> {
        self.place()
    }

    fn deadline(&self) -> Option<Instant> {
        self.deadline()
    }

    fn grace(&self) -> Option<Duration> {
        self.control().inherited_grace()
    }

    fn await_end(&self, waiter: Waiter, waker: &Waker) {
        self.control().await_end(waiter, waker);
    }

    fn forget_waiter(&self, waiter: Waiter) {
        self.control().forget_waiter(waiter);
    }
}
