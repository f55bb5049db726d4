//! Polling a child, until it waits or has ended.

use super::Group;
use super::echo::is_echo;
use super::registry::{Member, Opener};
use super::turn::{Load, Polled};
use super::turns::Turns;
use crate::layers::base::leave::Leave;
use crate::layers::base::outcome::Ending;
use crate::layers::base::reason::ReasonKind;
use crate::layers::context::{self, Notes};
use crate::layers::record::state::Park;
use crate::layers::record::{Claimed, Ended};
use std::task::{Context, Poll};

impl Group {
    /// Polls a child until it waits, has woken itself or has ended. Each poll begins with a whole
    /// budget; one that uses it up ends the turns of this poll of the carrier.
    pub(super) fn poll_child(&self, load: Load, turns: &mut Turns, cx: &mut Context<'_>) -> Polled {
        let Load { mut claimed, mut carried, active } = load;
        let id = self.task_id(claimed.header());
        let ended = loop {
            let poll = claimed.header().state().begin();
            let seen = claimed.header().state().is_cancelled();
            if !poll || (seen && claimed.header().is_unstarted()) {
                break self.end_cancelled(&mut claimed);
            }
            let held = seen && self.locked(|registry| registry.holds(opener(&claimed)));
            let notes = Notes::default();
            let (polled, used_up) = self.poll_once(&mut claimed, carried.is_some(), &notes, cx);
            if used_up {
                turns.end();
            }
            if let Poll::Ready(ended) = polled {
                break ended;
            }
            if let Some(leave) = notes.leave.get() {
                if let Some(ended) = self.leave(&mut claimed, leave, &notes) {
                    break ended;
                }
            }
            if carried.is_some() {
                if let Err(payload) = claimed.keep_waker(cx.waker()) {
                    let panic = claimed.header().panicked(id, payload);
                    break self.end(&mut claimed, Ending::Panicked(panic));
                }
            }
            let parked =
                if seen { self.park_seen(claimed, held, &notes) } else { claimed.park(false) };
            match (parked, carried) {
                (Ok(()), None) => return Polled::Parked,
                (Ok(()), Some(carried)) => {
                    if active {
                        self.stay();
                    }
                    return Polled::Waits(carried);
                }
                (Err((claimed, Park::Notified)), None) => return Polled::Notified(claimed),
                (Err((back, Park::Notified | Park::Cancelled)), same) => {
                    (claimed, carried) = (back, same);
                }
                (Err((back, Park::Aborted | Park::Parked)), same) => {
                    (claimed, carried) = (back, same);
                    break self.end_cancelled(&mut claimed);
                }
            }
        };
        Polled::Ended(Load { claimed, carried, active }, ended)
    }

    /// Ends a child that is not ready, if that poll wants its end.
    #[cold]
    fn leave(&self, claimed: &mut Claimed, leave: Leave, notes: &Notes) -> Option<Ended> {
        let reason = match leave {
            Leave::Told | Leave::ToldOf => return None,
            Leave::Cancelled | Leave::NoValue => return Some(self.end_heard(claimed, notes)),
            Leave::NoSlot => self.no_slot(),
            Leave::Exit(place) => {
                let id = Some(self.task_id(claimed.header()));
                self.reason(ReasonKind::Exited, String::new(), id, place)
            }
        };
        Some(self.end(claimed, Ending::Cancelled(reason)))
    }

    /// Polls a child once, with a whole budget. Returns `true` if the poll has used it up.
    fn poll_once(
        &self,
        claimed: &mut Claimed,
        bound: bool,
        notes: &Notes,
        cx: &mut Context<'_>,
    ) -> (Poll<Ended>, bool) {
        let (id, ptr) = (self.task_id(claimed.header()), claimed.ptr());
        let mut polled = Poll::Pending;
        let left = self.with_env(claimed, |claimed, env| {
            env.inherited.runtime.with_budget(&mut || {
                // Not after its end, however often the runtime calls this.
                if polled.is_pending() {
                    polled =
                        context::poll(self, &env.inherited, Some(ptr), cx.waker(), notes, || {
                            match bound {
                                true => claimed.poll(id, is_echo, cx),
                                false => claimed.poll_lent(id, is_echo),
                            }
                        });
                }
            })
        });
        (polled, !left)
    }

    pub(super) fn end_cancelled(&self, claimed: &mut Claimed) -> Ended {
        // Blocking work may have heard of a cancel that is still on its way.
        let reason = self.locked(|registry| {
            registry.reason_of(claimed).or_else(|| registry.cancel.requested_reason())
        });
        self.end(claimed, reason.map_or(Ending::Lost, Ending::Cancelled))
    }

    /// As [`Claimed::park`], after a poll that showed the cancel: the last one, unless the child
    /// has grace or a shield, a last poll inside it was put off, or a nursery inside it was not
    /// home before the poll, as `held` tells, or is not home yet.
    fn park_seen(
        &self,
        claimed: Claimed,
        held: bool,
        notes: &Notes,
    ) -> Result<(), (Claimed, Park)> {
        // Held over the park, because the thread that empties that nursery takes it before waking.
        self.locked(|registry| {
            let spared = claimed.header().state().is_shielded() || self.is_in_grace();
            let stays = spared || notes.put_off.get();
            let opener = opener(&claimed);
            if stays || registry.holds(opener) {
                claimed.park(true)
            } else if held && registry.nested.has(opener) {
                // They came home during the poll, which was too early to see that.
                Err((claimed, Park::Cancelled))
            } else {
                Err((claimed, Park::Aborted))
            }
        })
    }

    /// An active carrier stays with its child, which waits.
    pub(super) fn stay(&self) {
        self.locked_then_launch(|registry| registry.carriers.retire());
    }
}

/// Returns the child as the opener of the nurseries inside it.
fn opener(claimed: &Claimed) -> Opener {
    Opener::Task(Member::new(claimed.header(), claimed.ptr()))
}
