//! Carriers: the tasks that a nursery gives its runtime.
//!
//! A carrier takes the child that has waited longest for its first poll and polls it. A child that
//! ends in that poll makes room for the next, in the same carrier; a child that waits keeps the
//! carrier until it has ended. So every child that ever waits has a task of the runtime all to
//! itself, with its own waker, turn and budget, while a child that never waits costs no task of
//! the runtime, only its turn. (Go's scheduler reuses finished goroutines in the same way.) What
//! that saves is in docs/DESIGN.md.
//!
//! | carrier  | carries               | counted in        | goes on to                        |
//! |----------|-----------------------|-------------------|-----------------------------------|
//! | free     | nobody; scheduled     | `active`, `free`  | active, when it is polled         |
//! | spare    | nobody; scheduled     | `spare`           | active, when it is polled         |
//! | active   | a child, in its first poll, or nobody for a moment | `active` | bound, free or ended |
//! | bound    | a child that waits    | –                 | active, when its child has ended  |
//!
//! # Invariants
//!
//! 1. While children wait for their first poll, there are as many active carriers as the runtime
//!    has threads, or as many free ones as there are such children: a spawn, and a carrier that
//!    binds itself, launch one if that does not hold. A child that blocks its thread takes one
//!    active carrier and one thread with it; the others have theirs.
//! 2. While children wait and no carrier is scheduled, a spare one is launched before the next
//!    child is polled. It serves runtimes that put another thread in the place of one that says
//!    that it blocks (tokio's `block_in_place`). It is beyond the count of 1, because a runtime
//!    may keep what a worker schedules where only that worker finds it (tokio's LIFO slot).
//! 3. A carrier ends at most [`CHILDREN_A_POLL`] children before it gives the runtime a turn.
//! 4. A carrier that the runtime drops ends its child as Lost. If it carried nobody, and no other is
//!    left to come, everybody who waits for a first poll is lost.

use super::Group;
use super::registry::{Owner, Registry};
use crate::context;
use crate::outcome::Ending;
use crate::panic;
use crate::record::state::{Claim, Park};
use crate::record::{Carried, Claimed};
use crate::sync::{Arc, MutexGuard};
use allhome_rt::{Slot, Task, Work};
use std::task::{Context, Poll};

/// How many children one poll of a carrier may run to their end.
const CHILDREN_A_POLL: u32 = 16;

/// Stands in the slot of a spare carrier.
static SPARE: u8 = 0;

fn spare_mark() -> *mut () {
    (&raw const SPARE).cast_mut().cast()
}

/// A child in a carrier's hands.
pub(super) struct Load {
    pub(super) claimed: Claimed,
    pub(super) carried: Carried,
    /// Whether the carrier is bound to it, and so not counted as active.
    pub(super) bound: bool,
}

/// What a carrier does next.
pub(super) enum Turn {
    Carry(Load),
    Yield,
    End,
}

/// What a poll of a child came to.
pub(super) enum Driven {
    Waits(Carried),
    Ended(Turn),
}

/// What a carrier does when its child has ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// It takes the next child.
    Take,
    /// It gives the runtime a turn first.
    Yield,
}

impl Work for Group {
    fn poll(&self, slot: &mut Slot, cx: &mut Context<'_>) -> Poll<()> {
        let spare = slot.get() == spare_mark();
        let mut turn = match Carried::from_slot(slot, spare_mark()) {
            None => self.arrive(spare),
            Some(carried) => match self.go_on(carried, cx) {
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
                Turn::End => return Poll::Ready(()),
                Turn::Yield => {
                    panic::wake_by_ref(cx.waker());
                    return Poll::Pending;
                }
            };
            left -= 1;
            let then = if left == 0 { Then::Yield } else { Then::Take };
            turn = match self.drive(load, cx, Some(then)) {
                Driven::Ended(turn) => turn,
                Driven::Waits(carried) => {
                    carried.put(slot);
                    return Poll::Pending;
                }
            };
        }
    }

    fn discard(&self, slot: &mut Slot) {
        let spare = slot.get() == spare_mark();
        match Carried::from_slot(slot, spare_mark()) {
            Some(carried) => self.lose(carried),
            None => self.lose_carrier(spare),
        }
    }
}

impl Group {
    // ---- launching

    /// Launches a free carrier if invariant 1 asks for one. The caller gives its lock in.
    pub(super) fn launch_free(self: &Arc<Self>, mut registry: MutexGuard<'_, Registry>) {
        let want = registry.want_free(self.runtime.threads());
        drop(registry);
        if want {
            self.runtime.spawn(Task::new(self.clone(), Slot::default()));
        }
    }

    fn launch_spare(&self, want: bool) {
        if want {
            if let Some(group) = self.arc() {
                self.runtime.spawn(Task::new(group, Slot::new(spare_mark())));
            }
        }
    }

    // ---- taking

    /// A carrier that carries nobody is polled.
    fn arrive(&self, spare: bool) -> Turn {
        let mut registry = self.lock();
        registry.arrive(spare);
        self.take(registry)
    }

    /// An active carrier takes the next child, or ends.
    pub(super) fn take(&self, mut registry: MutexGuard<'_, Registry>) -> Turn {
        let Some((claimed, carried)) = registry.take() else {
            registry.retire();
            return Turn::End;
        };
        let spare = registry.want_spare();
        drop(registry);
        self.launch_spare(spare);
        Turn::Carry(Load { claimed, carried, bound: false })
    }

    /// A bound carrier is polled. Gives it back if somebody else has the claim: it is woken then.
    fn go_on(&self, carried: Carried, cx: &Context<'_>) -> Result<Turn, Carried> {
        match carried.claim() {
            Ok(claimed) => Ok(Turn::Carry(Load { claimed, carried, bound: true })),
            Err(Claim::Busy) => self.wait_for_claim(carried, cx),
            Err(_) => Ok(self.let_go(carried)),
        }
    }

    /// The child of a bound carrier was ended by somebody else.
    fn let_go(&self, carried: Carried) -> Turn {
        drop(carried);
        if self.is_cancelled() {
            // Nobody waits for a first poll in a nursery that was cancelled.
            return Turn::End;
        }
        let mut registry = self.lock();
        registry.unbind();
        self.take(registry)
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
                    Ok(claimed) => Turn::Carry(Load { claimed, carried, bound: true }),
                    Err(_) => self.let_go(carried),
                });
            }
        };
        let mut registry = self.lock();
        match carried.claim() {
            Ok(claimed) => Ok(Turn::Carry(Load { claimed, carried, bound: true })),
            Err(Claim::Busy) => {
                let old = registry.leave_waker(&carried, waker);
                drop(registry);
                panic::drop_waker(old);
                Err(carried)
            }
            Err(_) => {
                drop(registry);
                Ok(self.let_go(carried))
            }
        }
    }

    // ---- polling

    /// Polls a child until it waits or has ended. Without `then`, it is not a carrier that polls.
    pub(super) fn drive(&self, load: Load, cx: &mut Context<'_>, then: Option<Then>) -> Driven {
        let Load { mut claimed, carried, bound } = load;
        let id = self.task_id(carried.header());
        let ptr = claimed.ptr();
        let mut seen = carried.header().state().is_cancelled();
        let ended = loop {
            let polled = context::enter(self, Some(ptr), || claimed.poll(id, cx));
            if let Poll::Ready(ended) = polled {
                break ended;
            }
            if let Err(payload) = claimed.keep_waker(cx.waker()) {
                let panic = carried.header().panicked(id, payload);
                break self.end(&mut claimed, Ending::Panicked(panic));
            }
            match self.park(claimed, seen) {
                Ok(()) => {
                    if !bound && then.is_some() {
                        self.bind();
                    }
                    return Driven::Waits(carried);
                }
                Err((back, Park::Cancelled)) if !seen => {
                    claimed = back;
                    seen = true;
                }
                Err((back, _)) => {
                    claimed = back;
                    let reason = self.lock().reason_of(&claimed);
                    let ending = reason.map_or(Ending::Lost, Ending::Cancelled);
                    break self.end(&mut claimed, ending);
                }
            }
        };
        Driven::Ended(self.finish(Load { claimed, carried, bound }, ended, then))
    }

    /// Gives the claim up, unless the child is to be polled again or destroyed.
    fn park(&self, claimed: Claimed, seen: bool) -> Result<(), (Claimed, Park)> {
        if !seen {
            return claimed.park(false);
        }
        // The cancel was shown. The child stays only if a nursery inside it is not home yet. The
        // lock is held over the park, because whoever leaves that nursery takes it before waking.
        let registry = self.lock();
        if registry.holds(Owner::Task(claimed.ptr())) {
            claimed.park(true)
        } else {
            Err((claimed, Park::Cancelled))
        }
    }

    /// An active carrier binds itself to its child, which waits.
    fn bind(&self) {
        let mut registry = self.lock();
        registry.retire();
        if registry.has_queue() {
            if let Some(group) = self.arc() {
                group.launch_free(registry);
            }
        }
    }

    // ---- carriers that the runtime drops

    /// Its child is lost, unless somebody else is ending it.
    pub(super) fn lose(&self, carried: Carried) {
        let claimed = match carried.claim() {
            // A cancel claims for a moment, under the lock, to take the waker: asked under the
            // lock, whoever has the claim is destroying the child.
            Err(Claim::Busy) => {
                let _registry = self.lock();
                carried.claim()
            }
            other => other,
        };
        if let Ok(mut claimed) = claimed {
            let ended = self.end(&mut claimed, Ending::Lost);
            let _end = self.finish(Load { claimed, carried, bound: true }, ended, None);
        }
    }

    /// It carried nobody.
    fn lose_carrier(&self, spare: bool) {
        let mut registry = self.lock();
        registry.arrive(spare);
        registry.retire();
        while registry.is_stranded() {
            let claimed = registry.claim_queued();
            drop(registry);
            self.destroy(claimed.into_iter().map(|claimed| (claimed, Ending::Lost)));
            registry = self.lock();
        }
    }
}
