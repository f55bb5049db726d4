//! Carriers: the tasks that a nursery gives its runtime.
//!
//! A carrier takes the child that has waited longest for a poll and polls it, and then the next. A
//! child that waits costs no task of the runtime: its waker ([`crate::layers::record`]) puts it
//! back in the nursery's queue, and sees that a carrier comes for it. A child that was polled
//! [`BIND_AFTER`] times is one that is woken again and again: the next carrier that takes it stays
//! with it, so that from then on it has a task of the runtime all to itself, with its own waker,
//! turn and budget, and its wakes are the runtime's business alone. What that saves is in
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
//!    threads, or as many free ones as there are such children: a spawn, a wake, and a carrier that
//!    binds itself, launch one if that does not hold. What is due by the nursery's clock counts as
//!    a child that is queued. A child that blocks its thread takes one active carrier and one
//!    thread with it; the others have theirs.
//! 2. While children are queued and no carrier is scheduled, a spare one is launched, at the latest
//!    before the next child is polled. It serves runtimes that put another thread in the place of
//!    one that says that it blocks (tokio's `block_in_place`). It is beyond the count of 1, because
//!    a runtime may keep what a worker schedules where only that worker finds it (tokio's LIFO
//!    slot). A runtime of one thread has no use for it.
//! 3. A carrier polls at most [`CHILDREN_A_POLL`](super::turns) children before it gives the
//!    runtime a turn, and does so at once if a child woke itself, for it had asked for that, or has
//!    used up the budget that the runtime gives a poll. Each child begins with that budget,
//!    whatever the one before it has used.
//! 4. While there are members without a carrier of their own, there is a carrier: the last one that
//!    finds no child parks. So the runtime knows of each child that waits, through it.
//! 5. A carrier has a weak reference to its group: it keeps the lock and the counts, and nothing of
//!    the user's. It uses the group's [`Env`](super::env::Env) only while it holds the claim of a
//!    member.
//! 6. A carrier that the runtime drops ends the child that it is bound to as Lost. If it was the
//!    last, every child that has no carrier of its own is lost.

use super::Group;
use super::registry::{Launch, Registry, Role};
use super::turn::{Load, Polled, Turn, bound};
use super::turns::Turns;
use crate::layers::base::counted::Weak;
use crate::layers::base::guarded::Foreign;
use crate::layers::base::panic;
use crate::layers::record::state::Claim;
use crate::layers::record::{Carried, Claimed};
use allhome_rt::{Task, TaskData, Work};
use std::task::{Context, Poll};

/// After how many polls a child gets a carrier of its own.
const BIND_AFTER: u32 = 16;

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
    pub(super) fn from_slot(slot: &mut TaskData) -> Result<Carried, Role> {
        for role in [Role::Free, Role::Spare, Role::Parked] {
            if slot.get() == role.mark() {
                slot.take();
                return Err(role);
            }
        }
        Carried::from_slot(slot).ok_or(Role::Free)
    }
}

/// The same, as it is found out under the lock: some of it is done without.
#[must_use]
pub(super) enum Step {
    /// It has taken a child, which has no carrier of its own.
    Poll(Claimed),
    /// It has taken a child; and this brings the next carrier on its way. In a box, which few need:
    /// this is handed on for each child.
    Carry(Box<(Load, Launch)>),
    Fire,
    Yield,
    /// It is to park, and comes back with a waker.
    Park,
    /// It has parked.
    Parked,
    End,
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
        let mut turn = match Role::from_slot(slot) {
            Err(role) => self.arrive(role, cx),
            Ok(carried) => match self.go_on(carried, cx) {
                Ok(turn) => turn,
                Err(carried) => {
                    carried.put(slot);
                    return Poll::Pending;
                }
            },
        };
        let mut turns = Turns::default();
        loop {
            let load = match turn {
                Turn::Poll(claimed) if !turns.are_whole() => {
                    Load { claimed, carried: None, active: true }
                }
                Turn::Poll(claimed) => {
                    let mut load = Load { claimed, carried: None, active: true };
                    if !self.has_budget(&mut load) {
                        return self.put_back(load, slot, cx);
                    }
                    load
                }
                Turn::Carry(mut load) => {
                    if turns.are_whole() && !self.has_budget(&mut load) {
                        return self.put_back(load, slot, cx);
                    }
                    load
                }
                Turn::Fire => {
                    self.keep_time();
                    turn = self.next_slowly(false, cx);
                    continue;
                }
                Turn::End => return Poll::Ready(()),
                Turn::Wait(role) => {
                    slot.set(role.mark());
                    return Poll::Pending;
                }
                Turn::Yield => {
                    panic::wake_by_ref(cx.waker());
                    return Poll::Pending;
                }
            };
            turns.take_one();
            turn = match self.poll_child(load, &mut turns, cx) {
                Polled::Waits(carried) => {
                    carried.put(slot);
                    return Poll::Pending;
                }
                Polled::Parked => self.next(turns.are_left(), cx),
                Polled::Notified(claimed) => {
                    let step = self.locked(|registry| {
                        registry.members.requeue(claimed);
                        self.step(registry, false)
                    });
                    self.go(step, false, cx)
                }
                Polled::Value { claimed, kept } => {
                    self.finish_value(claimed, kept, turns.are_left(), cx)
                }
                Polled::Ended(load, ended) => self.finish(load, *ended, turns.are_left(), cx),
            };
        }
    }

    /// Returns `true` unless the budget of this poll is used up already, around the carrier: its
    /// child would find none.
    fn has_budget(&self, load: &mut Load) -> bool {
        self.with_env(&mut load.claimed, |_, env| env.inherited.runtime.has_budget())
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

    // ---- launching

    /// Brings a carrier on its way. No lock is held.
    #[inline]
    pub(super) fn launch(&self, launch: Launch) {
        match launch {
            Launch::None => {}
            Launch::Call(waker) => waker.wake(),
            Launch::Spawn(role) => self.launch_new(role),
        }
    }

    #[cold]
    fn launch_new(&self, role: Role) {
        // It is there: a carrier is wanted for a member (invariant 2 of the group). The runtime's
        // `spawn` may end that member, and with it the nursery.
        let Some(group) = self.strong() else { return };
        let (runtime, entry) =
            (group.owned().inherited.runtime.clone(), group.owned().entry.clone());
        drop(group);
        runtime.spawn(Task::new(entry, TaskData::new(role.mark())));
    }

    // ---- taking

    /// A carrier that carries no child is polled.
    fn arrive(&self, role: Role, cx: &Context<'_>) -> Turn {
        let (unasked, step) = self.locked(|registry| {
            let unasked = registry.carriers.arrive(role);
            (unasked, self.step(registry, true))
        });
        drop(unasked);
        self.go(step, true, cx)
    }

    /// Says what an active carrier does next. With `more`, it may poll another child before it
    /// gives the runtime a turn.
    #[inline(always)]
    pub(super) fn next(&self, more: bool, cx: &Context<'_>) -> Turn {
        let step = self.locked(|registry| self.step(registry, more));
        self.go(step, more, cx)
    }

    /// As [`next`](Group::next), where that is rare.
    #[inline(never)]
    pub(super) fn next_slowly(&self, more: bool, cx: &Context<'_>) -> Turn {
        self.next(more, cx)
    }

    /// Finds out what an active carrier does next. The caller holds the lock, and hands the result
    /// to [`go`](Group::go) without it.
    #[inline(always)]
    pub(super) fn step(&self, registry: &mut Registry, more: bool) -> Step {
        if more && !registry.is_due() {
            if let Some(claimed) = registry.members.take(self.level(), &self.woken) {
                return self.taken(registry, claimed);
            }
        }
        self.step_aside(registry, more)
    }

    /// Says what follows if there is no child, or no turn, for the carrier.
    #[inline(never)]
    fn step_aside(&self, registry: &mut Registry, more: bool) -> Step {
        if !more {
            // Looked at once: what is woken from here on finds the lock held, and then a carrier
            // that has parked or ended.
            registry.members.queue_woken(&self.woken);
            if registry.waiting(&self.woken) > 0 {
                registry.carriers.yields();
                return Step::Yield;
            }
        } else if registry.is_due() {
            return Step::Fire;
        }
        if registry.wants_parked() {
            return Step::Park;
        }
        registry.carriers.retire();
        Step::End
    }

    /// An active carrier has taken a child.
    #[inline(always)]
    fn taken(&self, registry: &mut Registry, mut claimed: Claimed) -> Step {
        let often = claimed.header().polls() >= BIND_AFTER;
        let carried = often.then(|| registry.members.bind(&mut claimed));
        // One calls the next, as long as there is something to do.
        match (carried, self.want(registry)) {
            (None, Launch::None) => Step::Poll(claimed),
            (carried, launch) => {
                Step::Carry(Box::new((Load { claimed, carried, active: true }, launch)))
            }
        }
    }

    /// Does what [`step`](Group::step) found out. No lock is held.
    #[inline(always)]
    pub(super) fn go(&self, step: Step, more: bool, cx: &Context<'_>) -> Turn {
        match step {
            Step::Poll(claimed) => Turn::Poll(claimed),
            step => self.go_on_with(step, more, cx),
        }
    }

    #[inline(never)]
    fn go_on_with(&self, step: Step, more: bool, cx: &Context<'_>) -> Turn {
        match step {
            Step::Poll(claimed) => Turn::Poll(claimed),
            Step::Carry(carry) => {
                let (load, launch) = *carry;
                self.launch(launch);
                Turn::Carry(load)
            }
            Step::Fire => Turn::Fire,
            Step::Yield => Turn::Yield,
            Step::Park => self.park(more, cx),
            Step::Parked => Turn::Wait(Role::Parked),
            Step::End => Turn::End,
        }
    }

    /// An active carrier parks, unless a child has come in the meantime.
    fn park(&self, more: bool, cx: &Context<'_>) -> Turn {
        // Cloned with no lock held. One that cannot be cloned leaves a carrier that is not called,
        // but still tells when the runtime drops it.
        let waker = panic::catch(|| cx.waker().clone()).map_err(panic::discard).ok();
        let mut waker = waker.map(Foreign::new);
        let step = self.locked(|registry| match self.step(registry, more) {
            Step::Park => {
                registry.carriers.park(waker.take());
                Step::Parked
            }
            step => step,
        });
        drop(waker);
        self.go(step, more, cx)
    }

    /// A bound carrier is polled. Gives it back if another thread has the claim, which then wakes
    /// it.
    fn go_on(&self, carried: Carried, cx: &Context<'_>) -> Result<Turn, Carried> {
        match carried.claim() {
            Ok(claimed) => Ok(Turn::Carry(bound(claimed, carried))),
            Err(Claim::Busy) => self.wait_for_claim(carried, cx),
            Err(_) => Ok(self.let_go(carried, cx)),
        }
    }

    /// The child of a bound carrier was ended by another thread.
    fn let_go(&self, carried: Carried, cx: &Context<'_>) -> Turn {
        drop(carried);
        if self.is_cancelled() {
            // Members that wait for a last poll have carriers of their own, or the one that is
            // parked.
            return Turn::End;
        }
        let step = self.locked(|registry| {
            registry.carriers.unbind();
            self.step(registry, true)
        });
        self.go(step, true, cx)
    }

    fn wait_for_claim(&self, carried: Carried, cx: &Context<'_>) -> Result<Turn, Carried> {
        // Cloned with no lock held. One that cannot be cloned cannot be waited with; but under the
        // lock the claim is held for a moment only, or by a thread that then sees to the child.
        let waker = panic::catch(|| cx.waker().clone()).map_err(panic::discard).ok();
        let mut waker = waker.map(Foreign::new);
        let (claimed, old) = self.locked(|registry| {
            let claimed = carried.claim();
            let waits = matches!(claimed, Err(Claim::Busy));
            let old =
                waker.take_if(|_| waits).map(|waker| registry.members.leave_waker(&carried, waker));
            (claimed, old)
        });
        drop(waker);
        match (claimed, old) {
            (Ok(claimed), _) => Ok(Turn::Carry(bound(claimed, carried))),
            (Err(Claim::Busy), Some(_)) => Err(carried),
            (Err(Claim::Busy), None) => {
                // It is not called by this waker: the thread that has the claim sees to the child.
                drop(self.locked(|registry| registry.members.drop_bound(carried)));
                Ok(Turn::End)
            }
            (Err(_), _) => Ok(self.let_go(carried, cx)),
        }
    }
}
