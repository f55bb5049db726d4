//! What an active carrier does next: found out under the lock, and done without it.

use super::{BIND_AFTER, Group};
use crate::layers::base::guarded::Foreign;
use crate::layers::base::panic;
use crate::layers::group::registry::{Launch, Registry, Role};
use crate::layers::group::turn::{Load, Turn, bound};
use crate::layers::record::state::Claim;
use crate::layers::record::{Carried, Claimed};
use allhome_rt::{Task, TaskData};
use std::task::Context;

/// What an active carrier does next, as it is found out under the lock: some of it is done without.
#[must_use]
pub(in crate::layers::group) enum Step {
    /// It has taken a child, which has no carrier of its own.
    Poll(Claimed),
    /// It has taken a child; and this brings the next carrier on its way. In a box, which few need:
    /// this is handed on for each child.
    Carry(Box<(Claimed, Option<Carried>, Launch)>),
    /// It brings another on its way, and gives the runtime a turn.
    MakeWay(Box<Launch>),
    Fire,
    Yield,
    /// It is to park, and comes back with a waker.
    Park,
    /// It has parked.
    Parked,
    End,
}

impl Group {
    // ---- launching

    /// Brings a carrier on its way. No lock is held.
    #[inline]
    pub(in crate::layers::group) fn launch(&self, launch: Launch) {
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
        let carrier = Task::new(entry, TaskData::new(role.mark()));
        match self.post() {
            Some(post) => post.send(carrier),
            None => runtime.spawn(carrier),
        }
    }

    // ---- taking

    /// A carrier that carries no child is polled.
    pub(super) fn arrive(&self, role: Role, cx: &Context<'_>) -> Turn {
        let (unasked, step) = self.locked(|registry| {
            let unasked = registry.carriers.arrive(role);
            (unasked, self.first_step(registry))
        });
        drop(unasked);
        self.go(step, true, cx)
    }

    /// Says what an active carrier does next. With `more`, it may poll another child before it
    /// gives the runtime a turn.
    #[inline(always)]
    pub(in crate::layers::group) fn next(&self, more: bool, cx: &Context<'_>) -> Turn {
        let step = self.locked_by_carrier(|registry| self.step(registry, more));
        self.go(step, more, cx)
    }

    /// As [`next`](Group::next), where that is rare.
    #[inline(never)]
    pub(in crate::layers::group) fn next_slowly(&self, more: bool, cx: &Context<'_>) -> Turn {
        let step = self.locked(|registry| self.step(registry, more));
        self.go(step, more, cx)
    }

    /// Finds out what an active carrier does next. The caller holds the lock, and hands the result
    /// to [`go`](Group::go) without it.
    #[inline(always)]
    pub(in crate::layers::group) fn step(&self, registry: &mut Registry, more: bool) -> Step {
        if more && !registry.is_due() {
            if let Some(step) = self.make_way(registry) {
                return step;
            }
            if let Some(claimed) = registry.members.take(self.level(), &self.woken) {
                let busy = registry.carriers.find_the_lock_busy();
                return self.taken(registry, claimed, busy);
            }
        }
        self.step_aside(registry, more)
    }

    /// As [`step`](Group::step), for a carrier that was called: a child that it finds alone was
    /// woken alone.
    fn first_step(&self, registry: &mut Registry) -> Step {
        if !registry.is_due() {
            if let Some(step) = self.make_way(registry) {
                return step;
            }
            if let Some(claimed) = registry.members.take(self.level(), &self.woken) {
                let alone = registry.waiting(&self.woken) == 0;
                return self.taken(registry, claimed, alone);
            }
        }
        self.step_aside(registry, true)
    }

    /// If another carrier is wanted, the one that launches it polls no child before the runtime has
    /// had a turn (invariant 2 of [`carrier`](super)).
    #[inline(always)]
    fn make_way(&self, registry: &mut Registry) -> Option<Step> {
        let more = registry.carriers.leave_a_thread(self.width);
        if more { self.make_way_if_wanted(registry) } else { None }
    }

    #[inline(never)]
    fn make_way_if_wanted(&self, registry: &mut Registry) -> Option<Step> {
        // So that all are counted.
        registry.members.queue_woken(&self.woken);
        match registry.carriers.make_way(registry.members.queued(), self.width) {
            Launch::None => None,
            launch => Some(Step::MakeWay(Box::new(launch))),
        }
    }

    /// Says what follows if there is no child, or no turn, for the carrier.
    #[inline(never)]
    pub(super) fn step_aside(&self, registry: &mut Registry, more: bool) -> Step {
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

    /// An active carrier has taken a child, and stays with it if it `may` and the child is woken
    /// often.
    #[inline(always)]
    fn taken(&self, registry: &mut Registry, mut claimed: Claimed, may: bool) -> Step {
        let stays = may && claimed.header().polls() >= BIND_AFTER && !self.counted;
        let carried = stays.then(|| registry.members.bind(&mut claimed));
        let Registry { carriers, members, .. } = registry;
        let waiting = || members.queued() + usize::from(!self.woken.is_empty());
        match (carried, carriers.want_spare(waiting, self.width)) {
            (None, Launch::None) => Step::Poll(claimed),
            (carried, launch) => Step::Carry(Box::new((claimed, carried, launch))),
        }
    }

    /// Does what [`step`](Group::step) found out. No lock is held.
    #[inline(always)]
    pub(in crate::layers::group) fn go(&self, step: Step, more: bool, cx: &Context<'_>) -> Turn {
        match step {
            Step::Poll(claimed) => Turn::Poll(claimed),
            step => self.go_on_with(step, more, cx),
        }
    }

    #[cold]
    fn go_on_with(&self, step: Step, more: bool, cx: &Context<'_>) -> Turn {
        match step {
            Step::Poll(claimed) => Turn::Poll(claimed),
            Step::Carry(carry) => {
                let (claimed, carried, launch) = *carry;
                self.launch(launch);
                match carried {
                    None => Turn::Poll(claimed),
                    carried => Turn::Carry(Load { claimed, carried, active: true }),
                }
            }
            Step::MakeWay(launch) => {
                self.launch(*launch);
                Turn::Yield
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

    /// The child of a bound carrier was ended by another thread.
    pub(super) fn let_go(&self, carried: Carried, cx: &Context<'_>) -> Turn {
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

    pub(super) fn wait_for_claim(
        &self,
        carried: Carried,
        cx: &Context<'_>,
    ) -> Result<Turn, Carried> {
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
