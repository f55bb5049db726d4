//! The source of what a waiter in a queue waits for: the permits of a
//! [`Permits`](super::permits::Permits), or those that a rate brings.

use super::book::Booked;
use super::error::Refused;
use super::share::Share;
use super::wait_queue::WaitQueue;
use super::waiter::Waiter;
use crate::layers::base::guarded::Foreign;
use std::panic::Location;
use std::task::Waker;

/// How many wakers are called for one hold of the lock.
const AT_ONCE: usize = 16;

pub(super) trait Source {
    /// The first in the queue may be woken without being told ([`WaitQueue::nudge_first`]), and
    /// loses its waker by that.
    const NUDGES: bool = false;

    type Locked<'a>: LockedSource
    where
        Self: 'a;

    /// Takes permits, if that can be done without the lock.
    fn take_fast(&self, asked: usize, location: &'static Location<'static>) -> Option<Share>;

    /// Writes a row of the book, if there is one, for a request of the task that calls this. It is
    /// in no list yet. No lock is held.
    fn book(&self, asked: usize, location: &'static Location<'static>) -> Booked;

    /// Takes the lock. It runs no code of the user's: the caller may have a waiter in the queue
    /// that is about to go, or other waiters still to tell.
    fn lock(&self) -> Self::Locked<'_>;

    /// Like [`lock`](Source::lock), with all permits that have come by now. Before the lock it may
    /// run code of the user's, which may panic: then nothing has changed.
    #[inline]
    fn lock_now(&self) -> Self::Locked<'_> {
        self.lock()
    }

    /// Takes permits back, and gives them to the waiters.
    fn give(&self, share: Share);

    /// Tells every waiter whose turn it is, and releases the lock. State first: a waiter that is
    /// woken finds its decision.
    #[inline]
    fn tell<'a>(&'a self, mut locked: Self::Locked<'a>) {
        let Some(first) = locked.tell_next() else { return };
        match locked.tell_next() {
            None => {
                drop(locked);
                first.wake();
            }
            Some(second) => tell_many(self, locked, first, second),
        }
    }
}

/// The lock of a [`Source`], held.
pub(super) trait LockedSource {
    fn queue(&mut self) -> &mut WaitQueue;

    /// Takes permits, if it is not the turn of another waiter; if `returns`, the caller takes back
    /// what it had lent. `false`: the caller has to wait.
    fn admit(&mut self, asked: usize, returns: bool) -> Result<bool, Refused>;

    /// Says that a waiter is about to leave the queue.
    fn on_part(&mut self, _: &Waiter) {}

    /// Tells one waiter whose turn it is, if there is one.
    fn tell_next(&mut self) -> Option<Foreign<Waker>>;
}

#[cold]
fn tell_many<'a, S: Source + ?Sized>(
    source: &'a S,
    mut locked: S::Locked<'a>,
    first: Foreign<Waker>,
    second: Foreign<Waker>,
) {
    let mut wakers: [Option<Foreign<Waker>>; AT_ONCE] = [const { None }; AT_ONCE];
    wakers[0] = Some(first);
    wakers[1] = Some(second);
    let mut free = 2;
    loop {
        for place in &mut wakers[free..] {
            *place = locked.tell_next();
        }
        drop(locked);
        let is_full = wakers[AT_ONCE - 1].is_some();
        wakers.iter_mut().filter_map(Option::take).for_each(Foreign::wake);
        if !is_full {
            return;
        }
        locked = source.lock();
        free = 0;
    }
}
