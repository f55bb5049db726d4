//! Polling a child, until it waits or has ended.

use super::Group;
use super::echo::is_echo;
use super::registry::{Member, OpenedBy};
use super::turn::{Load, Polled, Turn, bound};
use super::turns::Turns;
use crate::layers::base::id::TaskId;
use crate::layers::base::leave::Leave;
use crate::layers::base::outcome::Ending;
use crate::layers::base::reason::ReasonKind;
use crate::layers::base::stacks::armed::{self, Seen};
use crate::layers::context::host::Inherited;
use crate::layers::context::{self, Notes};
use crate::layers::record::mark::Mark;
use crate::layers::record::state::Park;
use crate::layers::record::{self, Carried, Claimed, Ended};
use std::task::Context;

impl Group {
    /// Polls a child that has no carrier of its own, and says what its carrier does next. The poll
    /// begins with a whole budget; one that uses it up ends the turns of this poll of the carrier.
    ///
    /// This is the short way, for what most polls come to.
    #[inline(always)]
    pub(super) fn poll_then_next(
        &self,
        mut claimed: Claimed,
        turns: &mut Turns,
        cx: &mut Context<'_>,
    ) -> Turn {
        if !claimed.header().state().begin_plain() {
            return self.poll_slowly(claimed, None, turns, cx);
        }
        let notes = Notes::default();
        match self.poll_once::<false>(&mut claimed, &notes, turns, cx) {
            record::Polled::Value { kept } => {
                self.finish_value(claimed, kept, turns.are_left(), cx)
            }
            record::Polled::Pending if notes.leave.get().is_none() => {
                match claimed.park(false, self.mark(&notes)) {
                    Ok(()) => self.next(turns.are_left(), cx),
                    Err((claimed, Park::Notified)) => self.requeue_then_next(claimed, cx),
                    Err((claimed, _)) => self.poll_slowly(claimed, None, turns, cx),
                }
            }
            polled => self.poll_slowly(claimed, Some((polled, notes)), turns, cx),
        }
    }

    #[cold]
    #[inline(never)]
    fn poll_slowly(
        &self,
        claimed: Claimed,
        first: Option<(record::Polled, Notes)>,
        turns: &mut Turns,
        cx: &mut Context<'_>,
    ) -> Turn {
        let load = Load { claimed, carried: None, active: true };
        let polled = self.poll_on(load, first, turns, cx);
        self.after(polled, turns.are_left(), cx)
    }

    /// Polls the child of a bound carrier, which is the first, and mostly the only one, that this poll
    /// of the carrier polls: so it has the runtime's own budget. Gives the carrier back if the child
    /// waits.
    #[inline(always)]
    pub(super) fn poll_own(
        &self,
        mut claimed: Claimed,
        carried: Carried,
        cx: &mut Context<'_>,
    ) -> Result<Carried, Polled> {
        if !claimed.header().state().begin_plain() {
            return Err(self.poll_own_on(claimed, carried, None, cx));
        }
        let notes = Notes::default();
        let (id, ptr) = (self.task_id(claimed.header()), claimed.ptr());
        let polled = self.with_env(&mut claimed, |claimed, env| {
            context::poll(self, &env.inherited, Some(ptr), cx.waker(), &notes, || {
                match armed::is_any() {
                    true => poll_armed(claimed, id, Some(cx)),
                    false => claimed.poll(id, is_echo, cx),
                }
            })
        });
        let waits = matches!(polled, record::Polled::Pending) && notes.leave.get().is_none();
        if !waits || !claimed.keeps_waker(cx.waker()) {
            return Err(self.poll_own_on(claimed, carried, Some((polled, notes)), cx));
        }
        let mark = self.mark(&notes);
        notes.forget_nothing();
        match claimed.park(false, mark) {
            Ok(()) => Ok(carried),
            Err((claimed, _)) => Err(self.poll_own_on(claimed, carried, None, cx)),
        }
    }

    #[inline(never)]
    fn poll_own_on(
        &self,
        claimed: Claimed,
        carried: Carried,
        first: Option<(record::Polled, Notes)>,
        cx: &mut Context<'_>,
    ) -> Polled {
        self.poll_on(bound(claimed, carried), first, &mut Turns::default(), cx)
    }

    /// Polls any child until it waits, has woken itself or has ended; with `first`, one that was polled
    /// once already, and was not cancelled before that.
    #[cold]
    #[inline(never)]
    pub(super) fn poll_on(
        &self,
        load: Load,
        mut first: Option<(record::Polled, Notes)>,
        turns: &mut Turns,
        cx: &mut Context<'_>,
    ) -> Polled {
        let Load { mut claimed, mut carried, active } = load;
        let id = self.task_id(claimed.header());
        let ended = loop {
            let (mut seen, mut held) = (false, false);
            let (polled, notes) = match first.take() {
                Some(first) => first,
                None => {
                    let poll = claimed.header().state().begin();
                    seen = claimed.header().state().is_cancelled();
                    if !poll || (seen && claimed.header().is_unstarted()) {
                        break Box::new(self.end_cancelled(&mut claimed));
                    }
                    held = seen && self.locked(|registry| registry.holds(opener(&claimed)));
                    let notes = Notes::default();
                    let polled = match carried {
                        Some(_) => self.poll_once::<true>(&mut claimed, &notes, turns, cx),
                        None => self.poll_once::<false>(&mut claimed, &notes, turns, cx),
                    };
                    (polled, notes)
                }
            };
            match polled {
                record::Polled::Pending => {}
                record::Polled::Value { .. } => break Box::new(Ended::VALUE),
                record::Polled::Ended(ended) => break ended,
            }
            if let Some(leave) = notes.leave.get() {
                if let Some(ended) = self.leave(&mut claimed, leave, &notes) {
                    break Box::new(ended);
                }
            }
            if carried.is_some() {
                if let Err(payload) = claimed.keep_waker(cx.waker()) {
                    let panic = claimed.header().panicked(id, payload);
                    break Box::new(self.end(&mut claimed, Ending::Panicked(panic)));
                }
            }
            let mark = self.mark(&notes);
            let parked = match seen {
                true => self.park_seen(claimed, held, &notes, mark),
                false => claimed.park(false, mark),
            };
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
                    break Box::new(self.end_cancelled(&mut claimed));
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

    /// Polls a child once, with a whole budget, and ends the turns if the poll has used it up. With
    /// `BOUND`, by the waker of its carrier.
    ///
    /// The frame is around the runtime's call and not inside it: what is called back has little to
    /// take with it.
    #[inline]
    fn poll_once<const BOUND: bool>(
        &self,
        claimed: &mut Claimed,
        notes: &Notes,
        turns: &mut Turns,
        cx: &mut Context<'_>,
    ) -> record::Polled {
        let (id, ptr) = (self.task_id(claimed.header()), claimed.ptr());
        let mut polled = record::Polled::Pending;
        let left = self.with_env(claimed, |claimed, env| {
            let Inherited { runtime, .. } = &env.inherited;
            let waker = cx.waker();
            context::poll(self, &env.inherited, Some(ptr), waker, notes, || {
                runtime.with_budget(&mut || {
                    // Not after its end, however often the runtime calls this.
                    if let record::Polled::Pending = polled {
                        polled = match BOUND {
                            _ if armed::is_any() => {
                                poll_armed(claimed, id, BOUND.then_some(&mut *cx))
                            }
                            true => claimed.poll(id, is_echo, cx),
                            false => claimed.poll_lent(id, is_echo),
                        };
                    }
                })
            })
        });
        if !left {
            turns.end();
        }
        polled
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
        mark: Mark,
    ) -> Result<(), (Claimed, Park)> {
        // Held over the park, because the thread that empties that nursery takes it before waking.
        self.locked(|registry| {
            let spared = claimed.header().state().is_shielded() || self.is_in_grace();
            let stays = spared || notes.put_off.get();
            let opener = opener(&claimed);
            if stays || registry.holds(opener) {
                claimed.park(true, mark)
            } else if held && registry.nested.has(opener) {
                // They came home during the poll, which was too early to see that.
                Err((claimed, Park::Cancelled))
            } else {
                Err((claimed, Park::Aborted))
            }
        })
    }

    /// An active carrier stays with its child, which waits. If others wait that have no carrier, and
    /// none is left to come, another comes for them, and parks (invariant 5 of
    /// [`carrier`](super::carrier)).
    pub(super) fn stay(&self) {
        let launch = self.locked(|registry| {
            registry.carriers.retire();
            if registry.is_stranded() { registry.carriers.replace() } else { self.want(registry) }
        });
        self.launch(launch);
    }
}

/// Polls a child in its frame, which has its nursery: some polls are looked at, perhaps this one.
/// With a context, by the waker of its carrier.
#[cold]
#[inline(never)]
fn poll_armed(claimed: &mut Claimed, id: TaskId, cx: Option<&mut Context<'_>>) -> record::Polled {
    let seen = context::task(|task| Group::of(task?.group).map(|group| group.seen));
    match (seen.is_some_and(Seen::is_seen), cx) {
        (true, cx) => claimed.poll_seen(id, is_echo, cx.map(|cx| cx.waker())),
        (false, Some(cx)) => claimed.poll(id, is_echo, cx),
        (false, None) => claimed.poll_lent(id, is_echo),
    }
}

/// Returns the child as the opener of the nurseries inside it.
fn opener(claimed: &Claimed) -> OpenedBy {
    OpenedBy::Task(Member::new(claimed.header(), claimed.ptr()))
}
