//! Carriers: the tasks that a nursery gives its runtime.
//!
//! A carrier takes the child that has waited longest for a poll and polls it, and then the next. A
//! child that waits costs no task of the runtime: its waker ([`crate::record`]) puts it back in the
//! nursery's queue, and sees that a carrier comes for it. A child that was polled [`BIND_AFTER`]
//! times is one that is woken again and again: the next carrier that takes it stays with it, so that
//! from then on it has a task of the runtime all to itself, with its own waker, turn and budget,
//! and its wakes are the runtime's business alone. What that saves is in docs/DESIGN.md.
//!
//! | carrier  | carries               | counted in        | goes on to                        |
//! |----------|-----------------------|-------------------|-----------------------------------|
//! | free     | nobody; scheduled     | `active`, `free`  | active, when it is polled         |
//! | spare    | nobody; scheduled     | `spare`           | active, when it is polled         |
//! | active   | a child that it polls, or nobody for a moment | `active` | bound, free, parked or ended |
//! | parked   | nobody; waits to be called | `parked`     | free or spare, when it is called  |
//! | bound    | a child that waits    | –                 | active, when its child has ended  |
//!
//! # Invariants
//!
//! 1. While children are queued for a poll, there are as many active carriers as the runtime has
//!    threads, or as many free ones as there are such children: a spawn, a wake, and a carrier that
//!    binds itself, launch one if that does not hold. What is due by the nursery's clock counts as a
//!    child that is queued. A child that blocks its thread takes one active carrier and one thread
//!    with it; the others have theirs.
//! 2. While children are queued and no carrier is scheduled, a spare one is launched, at the latest
//!    before the next child is polled. It serves runtimes that put another thread in the place of
//!    one that says that it blocks (tokio's `block_in_place`). It is beyond the count of 1, because
//!    a runtime may keep what a worker schedules where only that worker finds it (tokio's LIFO
//!    slot). A runtime of one thread has no use for it.
//! 3. A carrier polls at most [`CHILDREN_A_POLL`] children before it gives the runtime a turn, and
//!    does so at once if a child woke itself: it had asked for that.
//! 4. While there are members without a carrier of their own, there is a carrier: the last one that
//!    finds nobody to carry parks. So whoever waits is known to the runtime, through it.
//! 5. A carrier that the runtime drops ends the child that it is bound to as Lost. If it was the
//!    last, everybody who has no carrier of his own is lost.

use super::Group;
use super::drive::Driven;
use super::registry::{Launch, Registry, Role};
use crate::panic;
use crate::record::state::Claim;
use crate::record::{Carried, Claimed};
use crate::sync::MutexGuard;
use allhome_rt::{Slot, Task, Work};
use std::task::{Context, Poll, Waker};

/// How many children one poll of a carrier may poll.
const CHILDREN_A_POLL: u32 = 16;

/// After how many polls a child gets a carrier of its own.
const BIND_AFTER: u32 = 16;

/// Stand in the slots of the carriers that carry nobody; a free one's is empty.
static MARKS: [u8; 2] = [0; 2];

impl Role {
    pub(super) fn mark(self) -> *mut () {
        match self {
            Role::Free => std::ptr::null_mut(),
            Role::Spare => (&raw const MARKS[0]).cast_mut().cast(),
            Role::Parked => (&raw const MARKS[1]).cast_mut().cast(),
        }
    }

    /// Takes what a carrier carries out of its slot, or its role if it carries nobody.
    pub(super) fn from_slot(slot: &mut Slot) -> Result<Carried, Role> {
        for role in [Role::Free, Role::Spare, Role::Parked] {
            if slot.get() == role.mark() {
                slot.take();
                return Err(role);
            }
        }
        Carried::from_slot(slot).ok_or(Role::Free)
    }
}

/// A child in a carrier's hands.
pub(super) struct Load {
    pub(super) claimed: Claimed,
    /// Some if the carrier is the child's own.
    pub(super) carried: Option<Carried>,
    /// Whether the carrier is counted as active.
    pub(super) active: bool,
}

/// What a carrier does next.
pub(super) enum Turn {
    Carry(Load),
    /// It does what is due by the nursery's clock.
    Ring,
    Yield,
    Wait(Role),
    End,
}

impl Work for Group {
    fn poll(&self, slot: &mut Slot, cx: &mut Context<'_>) -> Poll<()> {
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
        let mut left = CHILDREN_A_POLL;
        loop {
            let load = match turn {
                Turn::Carry(load) => load,
                Turn::Ring => {
                    self.keep_time();
                    turn = self.next(self.lock(), false, cx);
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
            left -= 1;
            turn = match self.drive(load, cx) {
                Driven::Waits(carried) => {
                    carried.put(slot);
                    return Poll::Pending;
                }
                Driven::Parked => self.next(self.lock(), left > 0, cx),
                Driven::Notified(claimed) => {
                    let mut registry = self.lock();
                    registry.requeue(claimed);
                    self.next(registry, false, cx)
                }
                Driven::Ended(load, ended) => self.finish(load, ended, left > 0, cx),
            };
        }
    }

    fn discard(&self, slot: &mut Slot) {
        match Role::from_slot(slot) {
            Ok(carried) => self.lose(carried),
            Err(role) => self.lose_carrier(role),
        }
    }
}

impl Group {
    // ---- launching

    /// Brings carriers on their way if invariants 1 and 2 ask for one. The caller gives its lock in.
    pub(super) fn launch_wanted(&self, mut registry: MutexGuard<'_, Registry>) {
        let launch = registry.want(self.runtime.threads());
        drop(registry);
        self.launch(launch);
    }

    fn launch(&self, launch: Launch) {
        match launch {
            Launch::Nobody => {}
            Launch::Call(waker) => panic::wake(waker),
            Launch::Spawn(role) => {
                if let Some(group) = self.arc() {
                    self.runtime.spawn(Task::new(group, Slot::new(role.mark())));
                }
            }
        }
    }

    /// Children that waited were woken: queues them, and sees that a carrier comes for them.
    pub(crate) fn rouse(&self) {
        let mut registry = self.lock();
        registry.queue_woken(&self.woken);
        // Whoever wakes is not to suffer from a runtime that panics.
        if let Err(payload) = panic::catch(|| self.launch_wanted(registry)) {
            panic::discard(payload);
        }
    }

    // ---- taking

    /// A carrier that carries nobody is polled.
    fn arrive(&self, role: Role, cx: &Context<'_>) -> Turn {
        let mut registry = self.lock();
        registry.arrive(role);
        self.next(registry, true, cx)
    }

    /// Says what an active carrier does next. With `more`, it may poll another child before it
    /// gives the runtime a turn.
    pub(super) fn next(
        &self,
        registry: MutexGuard<'_, Registry>,
        more: bool,
        cx: &Context<'_>,
    ) -> Turn {
        match self.take(registry, more) {
            Ok(turn) => turn,
            Err(mut registry) if registry.wants_parked() => {
                // Cloned with no lock held. One that cannot be cloned leaves a carrier that is not
                // called, but still tells when the runtime drops it.
                drop(registry);
                let waker = panic::catch(|| cx.waker().clone()).map_err(panic::discard).ok();
                registry = self.lock();
                self.wait(registry, more, waker)
            }
            Err(mut registry) => {
                registry.retire();
                Turn::End
            }
        }
    }

    /// An active carrier takes the next child, or says that it has had its turn. Gives the lock back
    /// if there is no child.
    fn take<'a>(
        &self,
        mut registry: MutexGuard<'a, Registry>,
        more: bool,
    ) -> Result<Turn, MutexGuard<'a, Registry>> {
        if !more {
            // Looked at once: whoever is woken from here on finds the lock held, and then a carrier
            // that has parked or ended.
            registry.queue_woken(&self.woken);
            if !registry.has_queue() {
                return Err(registry);
            }
            registry.yields();
            return Ok(Turn::Yield);
        }
        if registry.is_due() {
            return Ok(Turn::Ring);
        }
        let taken = registry.take(self.level(), &self.woken);
        let Some(mut claimed) = taken else { return Err(registry) };
        let often = claimed.header().polls() >= BIND_AFTER;
        let carried = often.then(|| registry.bind(&mut claimed));
        // One calls the next, as long as there is something to do.
        self.launch_wanted(registry);
        Ok(Turn::Carry(Load { claimed, carried, active: true }))
    }

    /// An active carrier parks, unless somebody has come in the meantime.
    fn wait(&self, registry: MutexGuard<'_, Registry>, more: bool, waker: Option<Waker>) -> Turn {
        match self.take(registry, more) {
            Ok(turn) => {
                panic::drop_waker(waker);
                turn
            }
            Err(mut registry) if registry.wants_parked() => {
                registry.park(waker);
                Turn::Wait(Role::Parked)
            }
            Err(mut registry) => {
                registry.retire();
                drop(registry);
                panic::drop_waker(waker);
                Turn::End
            }
        }
    }

    /// A bound carrier is polled. Gives it back if somebody else has the claim: it is woken then.
    fn go_on(&self, carried: Carried, cx: &Context<'_>) -> Result<Turn, Carried> {
        match carried.claim() {
            Ok(claimed) => Ok(Turn::Carry(bound(claimed, carried))),
            Err(Claim::Busy) => self.wait_for_claim(carried, cx),
            Err(_) => Ok(self.let_go(carried, cx)),
        }
    }

    /// The child of a bound carrier was ended by somebody else.
    fn let_go(&self, carried: Carried, cx: &Context<'_>) -> Turn {
        drop(carried);
        if self.is_cancelled() {
            // Those who wait for a last poll have carriers of their own, or the one that is parked.
            return Turn::End;
        }
        let mut registry = self.lock();
        registry.unbind();
        self.next(registry, true, cx)
    }

    fn wait_for_claim(&self, carried: Carried, cx: &Context<'_>) -> Result<Turn, Carried> {
        let waker = match panic::catch(|| cx.waker().clone()) {
            Ok(waker) => waker,
            Err(payload) => {
                // A waker that cannot be cloned cannot be waited with. Under the lock nobody has the
                // claim for a moment only: whoever has it then sees to the child.
                panic::discard(payload);
                let registry = self.lock();
                let claimed = carried.claim();
                drop(registry);
                return Ok(match claimed {
                    Ok(claimed) => Turn::Carry(bound(claimed, carried)),
                    Err(_) => self.let_go(carried, cx),
                });
            }
        };
        let mut registry = self.lock();
        match carried.claim() {
            Ok(claimed) => {
                drop(registry);
                panic::drop_waker(Some(waker));
                Ok(Turn::Carry(bound(claimed, carried)))
            }
            Err(Claim::Busy) => {
                let old = registry.leave_waker(&carried, waker);
                drop(registry);
                panic::drop_waker(old);
                Err(carried)
            }
            Err(_) => {
                drop(registry);
                panic::drop_waker(Some(waker));
                Ok(self.let_go(carried, cx))
            }
        }
    }
}

pub(super) fn bound(claimed: Claimed, carried: Carried) -> Load {
    Load { claimed, carried: Some(carried), active: false }
}
