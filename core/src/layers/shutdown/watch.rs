//! A shutdown under way: which step it is on, and which tasks were late.

use super::{Echo, Shutdown, ShutdownReport, Straggler};
use crate::layers::base::counted::Strong;
use crate::layers::base::reason::Level;
use crate::layers::base::sync::Arc;
use crate::layers::context;
use crate::layers::context::host::Waiter;
use crate::layers::group::Group;
use crate::layers::group::registry::stragglers::{Echoed, StragglerLog};
use crate::layers::nursery::tree::Tree;
use crate::layers::scope::shield::ShieldNotes;
use crate::layers::time::alarm::Alarm;
use allhome_rt::Instant;
use std::collections::BTreeSet;
use std::task::{Context, Poll};
use std::time::Duration;

pub(super) struct Watch {
    own_body: bool,
    /// Keeps a body that waits for the report from being cut off by the cancel that it asked for.
    _shield: Option<ShieldNotes>,
    group: Strong<Group>,
    waiter: Waiter,
    log: Arc<StragglerLog>,
    level: Level,
    began: Option<Instant>,
    /// The time of the step; `None` if it is over at once.
    time: Option<Alarm>,
    stragglers: Vec<Straggler>,
}

impl Watch {
    pub(super) fn new(shutdown: &Shutdown, own_body: bool, shield: Option<ShieldNotes>) -> Watch {
        Watch {
            own_body,
            _shield: shield,
            group: shutdown.group.clone(),
            waiter: Waiter::new(),
            log: shutdown.log.clone(),
            level: Level::Running,
            began: None,
            time: None,
            stragglers: Vec::new(),
        }
    }

    pub(super) fn poll(&mut self, shutdown: &Shutdown, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            // First, so that nothing is missed that happens after the look.
            let left = self.group.is_left(self.own_body, self.waiter, cx.waker());
            self.log.wake_by(cx.waker());
            self.note_left();
            if !left {
                return Poll::Ready(());
            }
            let risen = self.group.requested_level();
            if risen > self.level {
                self.step(risen, shutdown);
                continue;
            }
            if self.wait(cx).is_pending() {
                return Poll::Pending;
            }
            let Some(next) = self.level.next() else { return Poll::Ready(()) };
            self.step(next, shutdown);
        }
    }

    pub(super) fn step(&mut self, level: Level, shutdown: &Shutdown) {
        self.began = self.began.or_else(|| Some(self.group.now()));
        self.level = level;
        self.log.step(level);
        if self.group.requested_level() < level {
            match level {
                Level::Running => {}
                Level::Draining => drop(self.group.close()),
                Level::Cancelled => {
                    let message = "the time to drain was over";
                    self.group.raise_tree(level, &shutdown.reason(message));
                }
                Level::Aborted => {
                    let message = "the time to leave after the cancel was over";
                    self.group.raise_tree(level, &shutdown.reason(message));
                }
            }
        }
        let time = shutdown.times.of(level);
        self.time = (!time.is_zero()).then(|| Alarm::after(time));
    }

    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.time {
            _ if self.level == Level::Running => Poll::Pending,
            None => Poll::Ready(()),
            // In the nursery's context, so that the nursery's timer is used.
            Some(alarm) => {
                context::enter(&*self.group, &self.group.owned().inherited, None, || alarm.poll(cx))
            }
        }
    }

    fn note_left(&mut self) {
        let left = self.log.take_departures();
        if left.is_empty() {
            return;
        }
        // Another caller may have raised it, and this poll may not have seen that yet.
        self.began = self.began.or_else(|| Some(self.group.now()));
        let took = self.took();
        let late = left.into_iter();
        self.stragglers.extend(late.map(|late| {
            let (name, location) = (late.who.name, late.who.place);
            Straggler { id: late.id, name, location, left: Some(late.level), took }
        }));
    }

    fn took(&self) -> Duration {
        let took = self.began.map(|began| self.group.now().saturating_duration_since(began));
        took.unwrap_or_default()
    }

    pub(super) fn report(mut self) -> ShutdownReport {
        let (tree, body) = (Tree::of(&self.group.downgrade()), self.group.has_body());
        // After the look: a task that leaves in between has left.
        self.note_left();
        let (took, group) = (self.took(), &self.group);
        let mut stragglers = std::mem::take(&mut self.stragglers);
        let left: BTreeSet<_> = stragglers.iter().map(|straggler| straggler.id).collect();
        let tasks = tree.nurseries().iter().flat_map(|nursery| &nursery.tasks);
        let mut out: Vec<_> =
            tasks.map(|task| (task.id, task.name.clone(), task.location)).collect();
        if body && !self.own_body {
            out.push((group.body_id(), group.config.name.clone(), group.config.place));
        }
        out.retain(|(id, ..)| !left.contains(id));
        let out = out.into_iter();
        stragglers.extend(out.map(|(id, name, location)| Straggler {
            id,
            name,
            location,
            left: None,
            took,
        }));
        let (echoes, omitted_echoes) = self.log.take_echoes();
        let echoes = echoes.into_iter().map(|Echoed { id, who, error, view }| {
            let (name, location) = (who.name, who.place);
            Echo { id, name, location, error: error.into_inner(), view }
        });
        ShutdownReport {
            echoes: echoes.collect(),
            omitted_echoes,
            id: group.id,
            name: group.config.name.clone(),
            // The caller that raised it last, or its token, may have ended the last task.
            level: self.level.max(group.observed_level()),
            reason: group.locked(|registry| registry.cancel.requested_reason()),
            refused: group.refused_count(),
            took,
            stragglers,
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.group.forget_home_waker(self.waiter);
    }
}
