//! The end of a nursery: its body goes, it closes or is abandoned, and its parent hears of it.

use super::config::Policy;
use super::env::Env;
use super::registry::clock::Stopped;
use super::registry::report::{Entry, Report};
use super::registry::{OpenedBy, Phase, Registry};
use super::{Group, describe, roots};
use crate::layers::base::guarded::Foreign;
use crate::layers::base::outcome::Ending;
use crate::layers::base::panic::{self, Panic};
use crate::layers::base::reason::{Level, ReasonKind};
use crate::layers::base::who::Who;
use crate::layers::context;
use crate::layers::record::Ended;
use std::mem;
use std::panic::Location;
use std::task::Waker;

/// What the nursery's future found when it asked whether it may end.
#[must_use]
enum Asked {
    /// It has ended, and this is the report.
    Closed {
        report: Report,
        /// Of the future, which needs none any more.
        wakers: (Option<Foreign<Waker>>, Foreign<Waker>),
        parked: Option<Foreign<Waker>>,
        timer: Stopped,
    },
    /// Nothing is left but blocking work, and tasks that hold their threads, which were given up.
    Stuck { report: Report, waker: Foreign<Waker>, stuck: Vec<Who> },
    /// It waits. `due`: a moment of the clock has come during the poll, when there was no waker.
    Waits { old: Option<Foreign<Waker>>, finalizers: bool, due: bool },
}

impl Group {
    /// The body is gone, and this is how it ended if it failed.
    pub(crate) fn fail_body(&self, env: &Env, ending: Ending) {
        let who = self.body();
        let message = describe(&ending);
        let ended = Ended { ending, second: None };
        self.hook(env, &ended);
        self.tell_ended(env, &ended, &who);
        let ended = Foreign::new(ended);
        drop(self.locked(|registry| registry.report.note(ended, || who)));
        if self.config.policy != Policy::WaitAll {
            let place = self.config.place;
            let reason = self.reason(ReasonKind::BodyFailed, message, None, place);
            self.raise_tree(Level::Cancelled, &reason);
        }
    }

    /// The body has ended itself.
    pub(crate) fn exit_body(&self, place: &'static Location<'static>) {
        let reason = self.reason(ReasonKind::Exited, String::new(), None, place);
        let entry = Entry::new(Ending::Cancelled(reason), self.body());
        drop(self.locked(|registry| registry.report.add(entry)));
    }

    pub(crate) fn body(&self) -> Who {
        self.config.body()
    }

    /// A child failed: its siblings are cancelled, if that is the policy.
    pub(crate) fn child_failed(&self, who: &Who, message: String) {
        if self.config.policy == Policy::FailFast {
            let kind = match who.task {
                Some(_) => ReasonKind::ChildFailed,
                None => ReasonKind::BodyFailed,
            };
            let reason = self.reason(kind, message, who.task, who.place);
            self.raise_tree(Level::Cancelled, &reason);
        }
    }

    /// Closes the group if it is vacant; otherwise keeps the waker for when that is so. The caller
    /// is the nursery's future.
    pub(crate) fn try_close(&self, again: &Waker) -> Option<Report> {
        let waker = Foreign::new(again.clone());
        let (waiters, asked) = self.locked(|registry| {
            let mut waiters = Vec::new();
            if registry.phase == Phase::Body {
                self.record_departure(registry, None);
                waiters = registry.logs.wakers();
            }
            registry.phase = Phase::Joining;
            let asked = self.ask(registry, waker);
            if let Asked::Closed { .. } = asked {
                waiters.append(&mut registry.home.take());
            }
            (waiters, asked)
        });
        let report = match asked {
            Asked::Closed { report, wakers, parked, timer } => {
                drop((wakers, timer));
                waiters.into_iter().chain(parked).for_each(Foreign::wake);
                self.wake_reserves();
                self.detach();
                return Some(report);
            }
            Asked::Stuck { report, waker, stuck } => {
                drop(waker);
                if let Some(group) = self.strong() {
                    let tell = |who| self.tell(group.owned(), &Ending::Stuck, who);
                    stuck.iter().for_each(tell);
                }
                Some(report)
            }
            Asked::Waits { old, finalizers, due } => {
                drop(old);
                if finalizers {
                    self.start_finalizers();
                }
                if due {
                    panic::wake_by_ref(again);
                }
                None
            }
        };
        waiters.into_iter().for_each(Foreign::wake);
        if report.is_some() {
            self.leave_stuck();
        }
        report
    }

    /// Finds out whether the group may close, and closes it.
    fn ask(&self, registry: &mut Registry, waker: Foreign<Waker>) -> Asked {
        // It is back in a moment, and wakes us.
        let out = registry.clock.is_out();
        if self.is_stuck(registry) && !out {
            let mut report = registry.report.take();
            let mut stuck = Vec::new();
            registry.members.each(|header| stuck.push(self.who(header)));
            for who in &stuck {
                // Nothing of the user's is in these, should one not fit.
                report.add_plain(Ending::Stuck, who.clone());
            }
            return Asked::Stuck { report, waker, stuck };
        }
        let finalizers = registry.finalizers.is_waiting();
        if registry.is_vacant() && !finalizers && !out {
            registry.phase = Phase::Closed;
            let report = registry.report.take();
            let wakers = (registry.run_waker.take(), waker);
            let timer = registry.clock.stop();
            return Asked::Closed { report, wakers, parked: registry.carriers.unpark(), timer };
        }
        Asked::Waits {
            old: registry.run_waker.replace(waker),
            finalizers: registry.is_vacant() && finalizers,
            due: registry.carriers.is_due(),
        }
    }

    /// The nursery ends, but not the work that is left: it is the ancestors' from now on.
    fn leave_stuck(&self) {
        let (on_vacant, old, timer) = self.locked(|registry| {
            registry.phase = Phase::Dropped;
            let timer = registry.clock.stop();
            (self.on_vacant(registry), registry.run_waker.take(), timer)
        });
        drop((old, timer));
        self.run_on_vacant(on_vacant);
    }

    /// The nursery's future was dropped. What is left is the ancestors' from now on.
    pub(crate) fn abandon(&self, env: &Env, drop_body: impl FnOnce()) {
        let place = self.config.place;
        let reason = self.reason(ReasonKind::ScopeDropped, String::new(), None, place);
        self.raise_tree(Level::Aborted, &reason);
        if let Err(payload) = panic::catch(|| context::enter(self, &env.inherited, None, drop_body))
        {
            self.fail_body(env, Ending::Panicked(self.body_panic(payload)));
        }
        let (on_vacant, waker, timer) = self.locked(|registry| {
            if registry.phase == Phase::Body {
                self.record_departure(registry, None);
            }
            registry.phase = Phase::Dropped;
            let (waker, timer) = (registry.run_waker.take(), registry.clock.stop());
            (self.on_vacant(registry), waker, timer)
        });
        drop((waker, timer));
        self.run_on_vacant(on_vacant);
    }

    /// Reports the failures of a nursery inside that has no future to return them.
    fn tell_inherited(&self, inherited: &[Entry]) {
        if inherited.is_empty() {
            return;
        }
        // It is there: the nursery inside is in its list still.
        if let Some(group) = self.strong() {
            let tell = |entry: &Entry| self.tell(group.owned(), &entry.ending, &entry.who);
            inherited.iter().for_each(tell);
        }
    }

    pub(crate) fn body_panic(&self, payload: panic::Payload) -> Panic {
        Panic::new(payload, None, self.config.name.as_deref(), self.config.place)
    }

    /// Takes a closed group out of its parent, and closes the ancestors that only waited for it.
    ///
    /// A loop, not a recursion: the chain may be thousands long.
    pub(super) fn detach(&self) {
        let mut closed = self.weak();
        loop {
            let (parent, gone) =
                closed.locked(|registry| (registry.parent.take(), registry.gone()));
            let (inherited, rest) = gone;
            // Before the ancestors hear of the end: nothing of the user's is left then.
            drop(rest);
            let Some((parent, key)) = parent else {
                closed.root.get().into_iter().for_each(|place| roots::remove(closed.id, *place));
                drop(inherited);
                return;
            };
            parent.tell_inherited(&inherited);
            let (nested, opener_waker, on_vacant, rest) = parent.locked_then_launch(|registry| {
                let (nested, opener) = registry.nested.remove(key);
                let rest = registry.report.adopt(inherited);
                // A body that was not cancelled waits for more than this.
                let wakes = opener != OpenedBy::Body || parent.is_cancelled();
                let opener_waker = if wakes { registry.wake_opener(opener) } else { None };
                (nested, opener_waker, parent.on_vacant(registry), rest)
            });
            drop((nested, rest));
            opener_waker.into_iter().for_each(Foreign::wake);
            let mut close = false;
            let on_vacant = on_vacant.map(|mut on_vacant| {
                close = mem::take(&mut on_vacant.close);
                on_vacant
            });
            parent.run_on_vacant(on_vacant);
            if !close {
                return;
            }
            closed = parent;
        }
    }
}
