//! Carriers: the tasks that a nursery gives its runtime.
//!
//! A carrier takes the child that has waited longest for a poll and polls it, and then the next. A
//! child that waits costs no task of the runtime: its waker ([`crate::layers::record`]) puts it
//! back in the nursery's queue, and sees that a carrier comes for it. A child that was polled
//! [`BIND_AFTER`] times is one that is woken again and again. If a carrier that was called for it
//! finds no other, it is woken alone, too: the carrier stays with it, so that from then on it has a
//! task of the runtime all to itself, with its own waker and turn, and its wakes are the runtime's
//! business alone. Children that are woken together share the way through the queue, which is the
//! shorter one then; but not where too many threads want the nursery's lock
//! ([`find_the_lock_busy`](super::registry::Carriers::find_the_lock_busy)). What that saves is in
//! docs/DESIGN.md.
//!
//! | carrier  | carries               | counted in        | goes on to                        |
//! |----------|-----------------------|-------------------|-----------------------------------|
//! | free     | no child; scheduled   | `active`, `free`  | active, when it is polled         |
//! | spare    | no child; scheduled   | `spare`           | active, when it is polled         |
//! | active   | a child that it polls, or none for a moment | `active` | bound, free, parked or ended |
//! | parked   | no child; waits for a call | `parked`     | free or spare, when it is called  |
//! | bound    | a child that waits    | –                 | active, when its child has ended  |
//!
//! # Invariants
//!
//! 1. While children are queued for a poll, there are as many active carriers as the runtime has
//!    threads, or as many free ones as there are such children: a spawn, a carrier that takes a
//!    child, and one that binds itself, launch one if that does not hold; and so does a wake, up to
//!    two. What is due by the nursery's clock counts as a child that is queued. A child that blocks
//!    its thread takes one active carrier and one thread with it; the others have theirs.
//! 2. A child that blocks its thread takes no free carrier with it that others need. A runtime may
//!    keep, where only that thread finds it, the one task that a thread has scheduled last (tokio's
//!    LIFO slot). So code that spawns, wakes or cancels several children schedules two carriers,
//!    one of them beyond the count of 1 if need be. And a carrier that launches another, while a
//!    thread may be free, polls no child after that before it has given the runtime a turn: it goes
//!    to the end of a queue that others take from.
//! 3. While children are queued and no carrier is scheduled, a spare one is launched, at the latest
//!    before the next child is polled. It serves runtimes that put another thread in the place of
//!    one that says that it blocks (tokio's `block_in_place`). A runtime of one thread has no use
//!    for it, nor for what 2 says.
//! 4. A carrier polls at most [`CHILDREN_A_POLL`](super::turns) children before it gives the
//!    runtime a turn, and does so at once if a child woke itself, for it had asked for that, or has
//!    used up the budget that the runtime gives a poll. Each child begins with that budget,
//!    whatever the one before it has used.
//! 5. While there are members without a carrier of their own, there is a carrier: the last one that
//!    finds no child parks. So the runtime knows of each child that waits, through it.
//! 6. A carrier has a weak reference to its group: it keeps the lock and the counts, and nothing of
//!    the user's. It uses the group's [`Env`](super::env::Env) only while it holds the claim of a
//!    member.
//! 7. A carrier that the runtime drops ends the child that it is bound to as Lost. If it was the
//!    last, every child that has no carrier of its own is lost.

mod next;

use super::Group;
use super::registry::Role;
use super::turn::{Load, Polled, Turn};
use super::turns::Turns;
use crate::layers::base::counted::Weak;
use crate::layers::base::panic;
use crate::layers::record::state::Claim;
use crate::layers::record::{Carried, Claimed};
use allhome_rt::{TaskData, Work};
use std::ops::ControlFlow;
use std::task::{Context, Poll};

/// After how many polls a child gets a carrier of its own. A model has no room for many.
const BIND_AFTER: u32 = if cfg!(loom) { 2 } else { 16 };

/// Stand in the slots of the carriers that carry no child; a free one's is empty.
static MARKS: [u8; 2] = [0; 2];

impl Role {
    pub(super) fn mark(self) -> *mut () {
        match self {
            Role::Free => std::ptr::null_mut(),
            Role::Spare => (&raw const MARKS[0]).cast_mut().cast(),
            Role::Parked => (&raw const MARKS[1]).cast_mut().cast(),
        }
    }

    /// Takes what a carrier carries out of its slot, or its role if it carries no child.
    #[inline]
    pub(super) fn from_slot(slot: &mut TaskData) -> Result<Carried, Role> {
        let mark = slot.get().addr().wrapping_sub(MARKS.as_ptr().addr());
        if mark < MARKS.len() {
            slot.take();
            return Err(if mark == 0 { Role::Spare } else { Role::Parked });
        }
        Carried::from_slot(slot).ok_or(Role::Free)
    }
}

/// What a runtime's task does for a group: all carriers of a group share one.
pub(super) struct Entry {
    group: Weak<Group>,
}

impl Entry {
    pub(super) fn new(group: Weak<Group>) -> Entry {
        Entry { group }
    }
}

impl Work for Entry {
    fn poll(&self, slot: &mut TaskData, cx: &mut Context<'_>) -> Poll<()> {
        self.group.poll_carrier(slot, cx)
    }

    fn discard(&self, slot: &mut TaskData) {
        self.group.discard_carrier(slot);
    }
}

impl Group {
    /// A carrier is polled.
    pub(super) fn poll_carrier(&self, slot: &mut TaskData, cx: &mut Context<'_>) -> Poll<()> {
        let turn = match Role::from_slot(slot) {
            Err(role) => self.arrive(role, cx),
            Ok(carried) => match self.poll_bound(carried, slot, cx) {
                Some(turn) => turn,
                None => return Poll::Pending,
            },
        };
        self.carry_on(turn, slot, cx)
    }

    /// A bound carrier is polled: polls its child. Says what follows, or nothing if the child, or the
    /// carrier, waits.
    #[inline(always)]
    fn poll_bound(
        &self,
        carried: Carried,
        slot: &mut TaskData,
        cx: &mut Context<'_>,
    ) -> Option<Turn> {
        match carried.claim() {
            Ok(claimed) => match self.poll_own(claimed, carried, cx) {
                Ok(carried) => {
                    carried.put(slot);
                    None
                }
                Err(polled) => self.after_own(polled, slot, cx),
            },
            Err(why) => self.miss(why, carried, slot, cx),
        }
    }

    /// Says what follows a poll of the child of a bound carrier. If it has ended, the carrier gives the
    /// runtime a turn before it polls another: the child may have used the budget of this poll.
    #[cold]
    fn after_own(&self, polled: Polled, slot: &mut TaskData, cx: &Context<'_>) -> Option<Turn> {
        match polled {
            Polled::Waits(carried) => {
                carried.put(slot);
                None
            }
            Polled::Ended(load, ended) => Some(self.finish(load, *ended, false, cx)),
            Polled::Parked | Polled::Notified(_) => unreachable!("it has a carrier of its own"),
        }
    }

    /// Another thread has the claim of the child of a bound carrier, or had it.
    #[cold]
    fn miss(
        &self,
        why: Claim,
        carried: Carried,
        slot: &mut TaskData,
        cx: &mut Context<'_>,
    ) -> Option<Turn> {
        if why != Claim::Busy {
            return Some(self.let_go(carried, cx));
        }
        match self.wait_for_claim(carried, cx) {
            Ok(turn) => Some(turn),
            Err(carried) => {
                carried.put(slot);
                None
            }
        }
    }

    fn carry_on(&self, mut turn: Turn, slot: &mut TaskData, cx: &mut Context<'_>) -> Poll<()> {
        let mut turns = Turns::default();
        loop {
            turn = match turn {
                Turn::Poll(mut claimed) => {
                    if turns.are_whole() && !self.has_budget(&mut claimed) {
                        let load = Load { claimed, carried: None, active: true };
                        return self.put_back(load, slot, cx);
                    }
                    turns.take_one();
                    self.poll_then_next(claimed, &mut turns, cx)
                }
                other => match self.carry_on_with(other, &mut turns, slot, cx) {
                    ControlFlow::Continue(turn) => turn,
                    ControlFlow::Break(poll) => return poll,
                },
            }
        }
    }

    /// Does what a carrier does besides polling children that have no carrier of their own.
    #[cold]
    fn carry_on_with(
        &self,
        turn: Turn,
        turns: &mut Turns,
        slot: &mut TaskData,
        cx: &mut Context<'_>,
    ) -> ControlFlow<Poll<()>, Turn> {
        match turn {
            Turn::Poll(_) => ControlFlow::Continue(turn),
            Turn::Carry(mut load) => {
                if turns.are_whole() && !self.has_budget(&mut load.claimed) {
                    return ControlFlow::Break(self.put_back(load, slot, cx));
                }
                turns.take_one();
                match self.poll_on(load, None, turns, cx) {
                    Polled::Waits(carried) => {
                        carried.put(slot);
                        ControlFlow::Break(Poll::Pending)
                    }
                    polled => ControlFlow::Continue(self.after(polled, turns.are_left(), cx)),
                }
            }
            Turn::Fire => {
                self.keep_time();
                ControlFlow::Continue(self.next_slowly(false, cx))
            }
            Turn::End => ControlFlow::Break(Poll::Ready(())),
            Turn::Wait(role) => {
                slot.set(role.mark());
                ControlFlow::Break(Poll::Pending)
            }
            Turn::Yield => {
                panic::wake_by_ref(cx.waker());
                ControlFlow::Break(Poll::Pending)
            }
        }
    }

    /// Says what follows a poll of a child, where that is rare.
    #[cold]
    pub(super) fn after(&self, polled: Polled, more: bool, cx: &Context<'_>) -> Turn {
        match polled {
            Polled::Parked => self.next_slowly(more, cx),
            Polled::Notified(claimed) => self.requeue_then_next(claimed, cx),
            Polled::Ended(load, ended) => self.finish(load, *ended, more, cx),
            Polled::Waits(_) => unreachable!("it has no carrier of its own"),
        }
    }

    /// A child has woken itself: it asks for a turn of the others, and of the runtime.
    pub(super) fn requeue_then_next(&self, claimed: Claimed, cx: &Context<'_>) -> Turn {
        let step = self.locked(|registry| {
            registry.members.requeue(claimed);
            self.step_aside(registry, false)
        });
        self.go(step, false, cx)
    }

    /// Returns `true` unless the budget of this poll is used up already, around the carrier: its
    /// child would find none.
    fn has_budget(&self, claimed: &mut Claimed) -> bool {
        self.with_env(claimed, |_, env| env.inherited.runtime.has_budget())
    }

    /// Puts a child off to the carrier's next turn.
    #[cold]
    fn put_back(&self, load: Load, slot: &mut TaskData, cx: &Context<'_>) -> Poll<()> {
        let Load { claimed, carried, active } = load;
        match carried {
            None => self.locked(|registry| {
                registry.members.requeue(claimed);
                registry.carriers.yields();
            }),
            Some(carried) => {
                claimed.unclaim();
                carried.put(slot);
                if active {
                    self.stay();
                }
            }
        }
        panic::wake_by_ref(cx.waker());
        Poll::Pending
    }

    /// A carrier is dropped by its runtime.
    pub(super) fn discard_carrier(&self, slot: &mut TaskData) {
        match Role::from_slot(slot) {
            Ok(carried) => self.runtime_dropped(carried),
            Err(role) => self.runtime_dropped_carrier(role),
        }
    }
}
