//! The end of a child: it leaves its nursery, and the tasks that wait for that are woken.
//!
//! A child's end is one event for its joiner: the outcome is published in the hold of the lock in
//! which the child leaves. An outcome that has no handle is dropped before that, with no lock held.
//! The claim is the child's thread's all the time, so a cancel or abort that comes meanwhile sets
//! flags and does nothing else.
//!
//! | step             | lock | the record       | the outcome is          | if the handle goes now   |
//! |------------------|------|------------------|-------------------------|--------------------------|
//! | future destroyed | no   | linked, claimed  | in the record, if there was a handle | `settle` drops it |
//! | `settle`         | no   | the same         | the same; dropped if there is no handle | `publish` finds out: settled again |
//! | `publish`        | yes  | linked, DONE     | the handle's            | it drops the outcome, and waits for nothing |
//! | `unlink`         | same | out of all parts, the failure noted, the joiner's waker taken | the handle's | the same |
//! | `release`        | same | the handle's, or freed | the handle's      | it frees the record      |
//! | `after_unlock`   | no   |                  |                         | the joiner's waker is called in vain |

use super::registry::report::Rest;
use super::registry::{Registry, Role};
use super::turn::{Load, Turn, bound};
use super::vacant::OnVacant;
use super::{Group, describe};
use crate::layers::base::guarded::Foreign;
use crate::layers::base::outcome::Ending;
use crate::layers::base::who::Who;
use crate::layers::cancel::CancelToken;
use crate::layers::record::state::Claim;
use crate::layers::record::{Carried, Claimed, Dealloc, Ended, Header};
use std::mem;
use std::task::{Context, Waker};

/// A child that has ended, and is about to leave.
struct Leaver {
    claimed: Claimed,
    carried: Option<Carried>,
    ended: Foreign<Ended>,
    /// There is a handle, or was at the last look.
    joinable: bool,
    /// The hook for failures is not called yet.
    untold: bool,
}

/// What is left to do, with no lock held, for a child that has left its nursery.
#[must_use]
struct Left {
    joiner: Option<Foreign<Waker>>,
    carrier: Option<Foreign<Waker>>,
    dead: Option<Dealloc>,
    /// For few, and so in a box: this struct is moved about for each child.
    more: Option<Box<More>>,
}

struct More {
    token: Option<Foreign<CancelToken>>,
    failed: Option<(Who, String)>,
    /// What the report did not keep.
    rest: Rest,
}

impl Leaver {
    fn new(claimed: Claimed, carried: Option<Carried>, ended: Ended) -> Leaver {
        let plain = matches!(ended.ending, Ending::Ok | Ending::Cancelled(_));
        let untold = !plain || ended.second.is_some();
        Leaver { claimed, carried, ended: Foreign::new(ended), joinable: true, untold }
    }

    /// Gives the outcome to the handle. Returns `false` if the handle was dropped since `settle`:
    /// the outcome is dropped first, without the lock.
    fn publish(&self) -> bool {
        !self.joinable || self.claimed.publish()
    }
}

impl Left {
    fn has_failed(&self) -> bool {
        self.more.as_ref().is_some_and(|more| more.failed.is_some())
    }
}

impl Group {
    /// Leaves for a child that has ended, and says what its carrier does next: see
    /// [`next`](Group::next).
    pub(super) fn finish(&self, load: Load, ended: Ended, more: bool, cx: &Context<'_>) -> Turn {
        let active = load.active;
        let (left, on_vacant, step) = self.unlink_then(load, ended, |registry, left| {
            if !active {
                registry.carriers.unbind();
            }
            // A failure comes first: no child is polled for the first time because the cancel has
            // not come to it yet.
            (!left.has_failed()).then(|| self.step(registry, more))
        });
        let turn = step.map(|step| self.go(step, more, cx));
        self.after_unlock(left, false);
        self.run_on_vacant(on_vacant);
        turn.unwrap_or_else(|| self.next_slowly(more, cx))
    }

    /// As [`finish`](Group::finish), for a child that has ended with a value and has no carrier of
    /// its own. With `kept` the value stands ready for its handle.
    #[inline(always)]
    pub(super) fn finish_value(
        &self,
        claimed: Claimed,
        kept: bool,
        more: bool,
        cx: &Context<'_>,
    ) -> Turn {
        let (mut joiner, mut dead, mut on_vacant) = (None, None, None);
        let left = self.locked_by_carrier(|registry| {
            registry.leave_plain(claimed, kept, &mut joiner, &mut dead)?;
            if registry.members.count() == 0 {
                on_vacant = self.on_vacant(registry);
            }
            Ok(self.step(registry, more))
        });
        match left {
            Ok(step) => {
                let turn = self.go(step, more, cx);
                drop(dead);
                joiner.into_iter().for_each(Foreign::wake);
                self.run_on_vacant(on_vacant);
                turn
            }
            Err(claimed) => self.finish_slowly(claimed, more, cx),
        }
    }

    #[cold]
    fn finish_slowly(&self, claimed: Claimed, more: bool, cx: &Context<'_>) -> Turn {
        self.finish(Load { claimed, carried: None, active: true }, Ended::VALUE, more, cx)
    }

    /// Leaves for a child that has ended, whose carrier does nothing more.
    pub(super) fn finish_alone(&self, load: Load, ended: Ended) {
        let (left, on_vacant, ()) = self.unlink_then(load, ended, |_, _| ());
        self.after_unlock(left, false);
        self.run_on_vacant(on_vacant);
    }

    /// Leaves for a child, and calls `then` in the same hold of the lock.
    #[inline]
    fn unlink_then<R>(
        &self,
        load: Load,
        ended: Ended,
        mut then: impl FnOnce(&mut Registry, &Left) -> R,
    ) -> (Left, Option<OnVacant>, R) {
        let Load { mut claimed, carried, .. } = load;
        self.with_env(&mut claimed, |_, env| self.hook(env, &ended));
        let mut leaver = Leaver::new(claimed, carried, ended);
        loop {
            self.settle(&mut leaver);
            let unlinked = self.locked(|registry| {
                if !leaver.publish() {
                    return Err((leaver, then));
                }
                let left = self.unlink(registry, leaver);
                let on_vacant = self.on_vacant(registry);
                let result = then(registry, &left);
                Ok((left, on_vacant, result))
            });
            match unlinked {
                Ok(unlinked) => return unlinked,
                Err(back) => (leaver, then) = back,
            }
        }
    }

    /// Destroys children where they wait, and leaves for them: on the present thread.
    pub(super) fn destroy_here(&self, doomed: impl Iterator<Item = (Claimed, Ending)>) {
        let mut leavers: Vec<_> = doomed
            .map(|(mut claimed, ending)| {
                let ended = self.end(&mut claimed, ending);
                self.with_env(&mut claimed, |_, env| self.hook(env, &ended));
                Leaver::new(claimed, None, ended)
            })
            .collect();
        loop {
            leavers.iter_mut().for_each(|leaver| self.settle(leaver));
            let (left, late, on_vacant) = self.locked(|registry| {
                let mut late = Vec::new();
                let mut left = Vec::with_capacity(leavers.len());
                for leaver in leavers {
                    if leaver.publish() {
                        left.push(self.unlink(registry, leaver));
                    } else {
                        late.push(leaver);
                    }
                }
                (left, late, self.on_vacant(registry))
            });
            for left in left {
                self.after_unlock(left, true);
            }
            self.run_on_vacant(on_vacant);
            if late.is_empty() {
                return;
            }
            leavers = late;
        }
    }

    /// Drops the outcome if no handle is left, and reports a failure that is the nursery's. No lock
    /// is held.
    #[inline]
    fn settle(&self, leaver: &mut Leaver) {
        leaver.joinable = leaver.claimed.settle();
        if leaver.untold {
            self.tell_leaver(leaver);
        }
    }

    #[cold]
    fn tell_leaver(&self, leaver: &mut Leaver) {
        let echo = matches!(leaver.ended.ending, Ending::Echo(_));
        if leaver.joinable && self.config.policy.isolates() && !echo {
            // It is the joiner's, if there is one still when the child leaves.
            return;
        }
        leaver.untold = false;
        let who = self.who(leaver.claimed.header());
        let ended = &leaver.ended;
        self.with_env(&mut leaver.claimed, |_, env| self.tell_ended(env, ended, &who));
    }

    /// Takes a child that has ended, and whose outcome was published, out of the registry.
    #[inline]
    fn unlink(&self, registry: &mut Registry, leaver: Leaver) -> Left {
        let Leaver { mut claimed, carried, ended, joinable: handled, .. } = leaver;
        let has_value = matches!(ended.ending, Ending::Ok);
        let joiner = match handled {
            true => registry.members.tell_joiner(&mut claimed, has_value),
            false => None,
        };
        let carrier = registry.members.take_waker(&mut claimed);
        registry.unlink(&claimed);
        self.record_departure(registry, Some(claimed.header()));
        let token = registry.cancel.tokens_mut().take_task(claimed.header().number());
        let plain = token.is_none() && ended.second.is_none();
        let isolated = handled && self.config.policy.isolates();
        let more = match ended.ending {
            // Nothing of the user's is in these two.
            Ending::Ok if plain => {
                mem::forget(ended);
                None
            }
            Ending::Cancelled(_) if plain => {
                if !isolated {
                    registry.report.count_cancelled();
                }
                drop(ended.into_inner());
                None
            }
            _ => {
                let (failed, rest) = self.note(registry, &claimed, ended, handled);
                Some(Box::new(More { token, failed, rest }))
            }
        };
        let dead = registry.members.release(claimed, carried);
        Left { joiner, carrier, dead, more }
    }

    /// Does what is left to do for a child that has left. No lock is held.
    #[inline]
    fn after_unlock(&self, left: Left, wake_carrier: bool) {
        let Left { joiner, carrier, dead, more } = left;
        drop(dead);
        if let Some(more) = more {
            self.after_unlock_more(*more);
        }
        if let Some(joiner) = joiner {
            joiner.wake();
        }
        match carrier {
            // So that the runtime can free it.
            Some(waker) if wake_carrier => waker.wake(),
            carrier => drop(carrier),
        }
    }

    #[cold]
    fn after_unlock_more(&self, more: More) {
        let More { token, failed, rest } = more;
        drop((token, rest));
        if let Some((who, message)) = failed {
            self.child_failed(&who, message);
        }
    }

    pub(crate) fn who(&self, header: &Header) -> Who {
        Who {
            task: Some(self.task_id(header)),
            name: header.name().map(Box::from),
            place: header.location(),
            finalizer: false,
        }
    }

    /// Notes how a child ended. Returns what its siblings are cancelled for, if it failed, and what
    /// is not kept.
    fn note(
        &self,
        registry: &mut Registry,
        claimed: &Claimed,
        ended: Foreign<Ended>,
        handled: bool,
    ) -> (Option<(Who, String)>, Rest) {
        let isolated = handled && self.config.policy.isolates();
        if matches!(ended.ending, Ending::Ok)
            || isolated && !matches!(ended.ending, Ending::Echo(_))
        {
            // The handle has it, and hands it in if it is dropped without a look.
            return (None, (Some(ended), Vec::new()));
        }
        if let Ending::Cancelled(_) = ended.ending {
            registry.report.count_cancelled();
            return (None, (Some(ended), Vec::new()));
        }
        if let Ending::Echo(_) = ended.ending {
            return (None, self.note_echo_of(registry, claimed, ended, isolated));
        }
        let who = self.who(claimed.header());
        let message = describe(&ended.ending);
        let rest = registry.report.note(ended, || who.clone());
        (Some((who, message)), rest)
    }
}

/// Carriers that the runtime drops before they are through (invariant 7 of
/// [`carrier`](super::carrier)).
impl Group {
    /// Claims the child of a carrier. The result is an error if another thread sees to the child.
    ///
    /// A cancel claims for a moment, under the lock, to take the waker, and a look to see it: asked
    /// under the lock, a holder of the claim is destroying the child.
    pub(super) fn claim_own(&self, carried: &Carried) -> Result<Claimed, Claim> {
        match carried.claim() {
            Err(Claim::Busy) => self.locked(|_| carried.claim()),
            other => other,
        }
    }

    /// Its child is lost, unless another thread is ending it.
    pub(super) fn runtime_dropped(&self, carried: Carried) {
        match self.claim_own(&carried) {
            Ok(mut claimed) => {
                let ended = self.end(&mut claimed, Ending::Lost);
                self.finish_alone(bound(claimed, carried), ended);
            }
            Err(_) => drop(self.locked(|registry| registry.members.drop_bound(carried))),
        }
    }

    /// It carried no child.
    pub(super) fn runtime_dropped_carrier(&self, role: Role) {
        let mut first = Some(role);
        loop {
            let (unasked, claimed, launch) = self.locked(|registry| {
                let unasked = first.take().and_then(|role| {
                    let unasked = registry.carriers.arrive(role);
                    registry.carriers.retire();
                    // Another that is launched for it would be dropped, too: it is left to the
                    // nursery's future.
                    registry.carriers.take_due();
                    registry.members.queue_woken(&self.woken);
                    unasked
                });
                let stranded = registry.is_stranded();
                let claimed =
                    if stranded { registry.members.claim_unbound(&self.woken) } else { Vec::new() };
                // Only one that is there is called: a new one would go the way of this, in a
                // runtime that has ended, and come here again. Carriers that are active see to the
                // queue.
                (unasked, claimed, registry.want_called(&self.woken, self.width))
            });
            drop(unasked);
            self.launch(launch);
            if claimed.is_empty() {
                // What is left is being woken, or ended, by a thread that sees to it.
                return;
            }
            self.destroy(claimed.into_iter().map(|claimed| (claimed, Ending::Lost)));
        }
    }
}
