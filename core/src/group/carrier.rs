//! Carriers: the tasks that a nursery gives its runtime.
//!
//! A carrier takes the child that has waited longest, polls it until it has ended, then takes the
//! next; when nobody waits it ends. While a child is alive and started it has a carrier, and so a
//! task of the runtime, all to itself: its own waker, its own turn, its own budget. But a child
//! that never has to wait costs no task of the runtime, only its turn in a carrier's poll. (Go's
//! scheduler reuses finished goroutines in the same way.) What that saves is in docs/DESIGN.md.
//!
//! # Invariants
//!
//! 1. Whenever somebody waits in the queue, a carrier that carries nobody is scheduled (`free`):
//!    a spawn that finds none launches one, and so does a carrier that takes a child and leaves
//!    others waiting, *before* it polls. So a child that blocks its thread holds up nobody whom it
//!    would not hold up with a task of his own.
//! 2. A carrier polls at most [`CHILDREN_A_POLL`] children before it gives the runtime a turn.
//! 3. A carrier that the runtime drops ends its child as Lost; if it carried nobody and was the
//!    last that was free, everybody in the queue is lost.

use super::registry::{Owner, Registry};
use super::report::Who;
use super::{Group, describe};
use crate::builder::Policy;
use crate::context;
use crate::id::TaskId;
use crate::outcome::Ending;
use crate::panic;
use crate::reason::Reason;
use crate::record::state::{Claim, Park};
use crate::record::{Carried, Claimed, Ended, Fresh};
use crate::sync::Arc;
use allhome_rt::{Slot, Work};
use std::task::{Context, Poll, Waker};

/// How many children one poll of a carrier may run to their end.
const CHILDREN_A_POLL: u32 = 16;

/// What a carrier does when its child has ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// It takes the next child.
    Take,
    /// It gives the runtime a turn, and then takes the next.
    Yield,
    /// Nothing: it is no carrier, or carries no more.
    Stop,
}

/// What a carrier has in hand.
pub(super) enum Turn {
    Carry(Claimed, Carried),
    Yield,
    End,
}

/// What a poll of a child came to.
enum Driven {
    Parked(Carried),
    Ended(Turn),
}

impl Work for Group {
    fn poll(&self, slot: &mut Slot, cx: &mut Context<'_>) -> Poll<()> {
        let mut turn = match Carried::from_slot(slot) {
            None => self.take_first(),
            Some(carried) => match carried.claim() {
                Ok(claimed) => Turn::Carry(claimed, carried),
                Err(Claim::Busy) => match self.wait_for_claim(carried, cx) {
                    Ok(turn) => turn,
                    Err(carried) => {
                        carried.put(slot);
                        return Poll::Pending;
                    }
                },
                Err(_) => {
                    drop(carried);
                    self.take_next()
                }
            },
        };
        let mut left = CHILDREN_A_POLL;
        loop {
            let (claimed, carried) = match turn {
                Turn::Carry(claimed, carried) => (claimed, carried),
                Turn::End => return Poll::Ready(()),
                Turn::Yield => {
                    panic::wake_by_ref(cx.waker());
                    return Poll::Pending;
                }
            };
            left -= 1;
            let then = if left == 0 { Then::Yield } else { Then::Take };
            turn = match self.drive(claimed, carried, cx, then) {
                Driven::Ended(turn) => turn,
                Driven::Parked(carried) => {
                    carried.put(slot);
                    return Poll::Pending;
                }
            };
        }
    }

    fn discard(&self, slot: &mut Slot) {
        match Carried::from_slot(slot) {
            Some(carried) => self.lose(carried),
            None => self.lose_queue(),
        }
    }
}

impl Group {
    /// A free carrier comes for its first child.
    fn take_first(&self) -> Turn {
        let mut registry = self.lock();
        registry.free -= 1;
        let next = registry.take();
        let launch = registry.want_carrier();
        drop(registry);
        self.launch_if(launch);
        next.map_or(Turn::End, |(claimed, carried)| Turn::Carry(claimed, carried))
    }

    /// A carrier whose child was destroyed by somebody else comes for the next.
    fn take_next(&self) -> Turn {
        self.lock().free += 1;
        self.take_first()
    }

    fn launch_if(&self, launch: bool) {
        if launch {
            if let Some(group) = self.arc() {
                group.launch();
            }
        }
    }

    /// Somebody is destroying the child, or takes its waker: has the carrier woken afterwards.
    fn wait_for_claim(&self, carried: Carried, cx: &Context<'_>) -> Result<Turn, Carried> {
        let waker = match panic::catch(|| cx.waker().clone()) {
            Ok(waker) => waker,
            Err(payload) => {
                // A waker that cannot be cloned cannot be waited with; whoever has the claim sees
                // to the child.
                panic::discard(payload);
                drop(carried);
                return Ok(Turn::End);
            }
        };
        let mut registry = self.lock();
        match carried.claim() {
            Ok(claimed) => Ok(Turn::Carry(claimed, carried)),
            Err(Claim::Busy) => {
                let old = registry.leave_waker(&carried, waker);
                drop(registry);
                drop(old);
                Err(carried)
            }
            Err(_) => {
                drop(registry);
                drop(carried);
                Ok(self.take_next())
            }
        }
    }

    /// Polls a child until it waits or has ended.
    fn drive(
        &self,
        mut claimed: Claimed,
        carried: Carried,
        cx: &mut Context<'_>,
        then: Then,
    ) -> Driven {
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
                Ok(()) => return Driven::Parked(carried),
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
        Driven::Ended(self.finish(claimed, Some(carried), ended, then))
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

    /// Leaves for a child that has ended, and says what its carrier does next.
    pub(super) fn finish(
        &self,
        mut claimed: Claimed,
        carried: Option<Carried>,
        ended: Ended,
        then: Then,
    ) -> Turn {
        self.hook(&ended);
        let handled = claimed.publish();
        let is_carrier = carried.is_some();
        let mut failed = None;
        let mut turn = Turn::End;
        let (joiner, waker, dead, vacated, launch) = {
            let mut registry = self.lock();
            let joiner = if handled { registry.take_joiner(&mut claimed) } else { None };
            let waker = registry.take_waker(&mut claimed);
            registry.unlink(&claimed);
            if !matches!(ended.ending, Ending::Ok) {
                failed = self.note(&mut registry, &claimed, ended, handled);
            }
            let dead = registry.release(claimed, carried);
            match then {
                Then::Take => {
                    if let Some((claimed, carried)) = registry.take() {
                        turn = Turn::Carry(claimed, carried);
                    }
                }
                Then::Yield if registry.has_queue() => {
                    registry.free += 1;
                    turn = Turn::Yield;
                }
                Then::Yield | Then::Stop => {}
            }
            let launch = registry.want_carrier();
            (joiner, waker, dead, self.vacated(&mut registry), launch)
        };
        drop(dead);
        self.launch_if(launch);
        if let Some((who, message)) = failed {
            self.child_failed(&who, message);
        }
        if let Some(joiner) = joiner {
            panic::wake(joiner);
        }
        if let Some(waker) = waker {
            if !is_carrier {
                // The carrier is woken so that the runtime can free it.
                panic::wake(waker);
            } else if let Err(payload) = panic::catch_drop(waker) {
                panic::discard(payload);
            }
        }
        self.follow(vacated);
        turn
    }

    /// Notes how a child ended. Returns what its siblings are cancelled for, if it failed.
    fn note(
        &self,
        registry: &mut Registry,
        claimed: &Claimed,
        ended: Ended,
        handled: bool,
    ) -> Option<(Who, String)> {
        if handled && self.config.policy == Policy::Isolate {
            // The handle has it, and hands it in if it is dropped without a look.
            return None;
        }
        let header = claimed.header();
        let who = Who {
            task: Some(self.task_id(header)),
            name: header.name().map(Box::from),
            place: header.place(),
        };
        let message = describe(&ended.ending);
        registry.report.note(ended, || who.clone()).then_some((who, message))
    }

    /// The runtime dropped a carrier: its child is lost, unless somebody else is ending it.
    fn lose(&self, carried: Carried) {
        if let Ok(mut claimed) = carried.claim() {
            let ended = self.end(&mut claimed, Ending::Lost);
            let _end = self.finish(claimed, Some(carried), ended, Then::Stop);
        }
    }

    /// The runtime dropped a carrier that carried nobody.
    fn lose_queue(&self) {
        self.lock().free -= 1;
        loop {
            let mut registry = self.lock();
            if registry.free > 0 {
                return;
            }
            let Some(claimed) = registry.claim_queued() else { return };
            drop(registry);
            self.destroy(claimed, Ending::Lost);
        }
    }

    /// Admits blocking work: a child whose only poll runs on the runtime's blocking pool.
    pub(crate) fn admit_blocking(self: &Arc<Self>, fresh: Fresh) -> Result<TaskId, Reason> {
        let (number, carried) = {
            let mut registry = self.lock();
            if let Some(reason) = self.refusal(&registry) {
                drop(registry);
                drop(fresh);
                return Err(reason);
            }
            let admitted = registry.admit_carried(fresh);
            self.occupy(&registry);
            admitted
        };
        let job = BlockingJob { group: self.clone(), carried: Some(carried) };
        // A runtime without a pool gives the job back: dropped, it tells that the work is lost.
        drop(self.runtime.spawn_blocking(Box::new(move || job.run())));
        Ok(TaskId { nursery: self.id, number })
    }
}

/// What a blocking pool is given. Dropped before it has run, its child is lost.
struct BlockingJob {
    group: Arc<Group>,
    carried: Option<Carried>,
}

impl BlockingJob {
    fn run(mut self) {
        let Some(carried) = self.carried.take() else { return };
        // Whoever has the claim, or had it, destroyed the work before it began.
        let Ok(claimed) = carried.claim() else { return };
        let mut cx = Context::from_waker(Waker::noop());
        if let Driven::Parked(carried) = self.group.drive(claimed, carried, &mut cx, Then::Stop) {
            self.group.lose(carried);
        }
    }
}

impl Drop for BlockingJob {
    fn drop(&mut self) {
        if let Some(carried) = self.carried.take() {
            self.group.lose(carried);
        }
    }
}
