//! The tokens of a nursery, its tasks and its body: what code that takes a token is given. They are
//! made when somebody asks for one; until then a nursery and its tasks cost none.
//!
//! The nursery's token and the nursery rise together: whichever rises first raises the other. A
//! task's token is a child of it.

use super::Group;
use super::registry::{Phase, Registry};
use super::shelter::BODY;
use crate::cancel::{CancelToken, Listener, Registration, Rest};
use crate::context::TaskFrame;
use crate::reason::{Level, Reason};
use crate::record::Header;
use crate::sync::{Arc, Ordering, Weak, thread_local};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::ptr;

pub(crate) struct Tokens {
    own: Option<CancelToken>,
    /// By the tasks' numbers; the body's, if it has one of its own, by 0.
    tasks: BTreeMap<u64, CancelToken>,
    /// What cancels the nursery with a scope that it was opened in.
    link: Option<Registration>,
    /// The level that the nursery's was made with: nobody raises it to that.
    born: Level,
    /// Somebody raises the token to this, and the nursery right after.
    rising: Option<(Level, Reason)>,
}

impl Default for Tokens {
    fn default() -> Tokens {
        let tasks = BTreeMap::new();
        Tokens { own: None, tasks, link: None, born: Level::Running, rising: None }
    }
}

impl Tokens {
    /// Notes that somebody is going to raise the nursery; returns the reason, which is the first.
    fn rise(&mut self, level: Level, reason: &Reason) -> Reason {
        let (rising, first) = self.rising.get_or_insert_with(|| (level, reason.clone()));
        *rising = (*rising).max(level);
        first.clone()
    }

    fn rising(&self) -> Level {
        self.rising.as_ref().map_or(Level::Running, |(level, _)| *level)
    }

    /// Returns the level of the nursery's, which rises first if it is raised from outside.
    pub(super) fn level(&self) -> Level {
        self.own.as_ref().map_or(Level::Running, CancelToken::level)
    }

    pub(super) fn own(&self) -> Option<CancelToken> {
        self.own.clone()
    }

    pub(super) fn task(&self, number: u64) -> Option<CancelToken> {
        self.tasks.get(&number).cloned()
    }

    /// Takes a task's token: it leaves. Dropped with no lock held.
    pub(super) fn take_task(&mut self, number: u64) -> Option<CancelToken> {
        if self.tasks.is_empty() { None } else { self.tasks.remove(&number) }
    }

    /// Takes what leads to others: the nursery is closed. Dropped with no lock held.
    pub(super) fn take_link(&mut self) -> Option<Registration> {
        self.link.take()
    }
}

thread_local! {
    /// Whose token this thread is raising on its way to the nursery, and how far. It is compared,
    /// and never used as a pointer.
    static RAISING: Cell<(*const Group, Level)> =
        const { Cell::new((ptr::null(), Level::Running)) };
}

impl Listener for Group {
    fn raised(&self, level: Level, reason: &Reason) -> Option<Rest> {
        match level {
            Level::Running => None,
            Level::Draining => {
                self.close();
                None
            }
            Level::Cancelled | Level::Aborted => {
                let mut registry = self.lock();
                if registry.phase == Phase::Closed {
                    return None;
                }
                self.rise(&mut registry, level, reason);
                drop(registry);
                if RAISING.with(Cell::get) == (ptr::from_ref(self), level) {
                    // Whoever raises the nursery has raised the token, and goes on to raise that.
                    return None;
                }
                let (group, reason) = (self.arc()?, reason.clone());
                Some(Box::new(move || group.raise_after_token(level, &reason)))
            }
        }
    }
}

impl Group {
    fn listener(&self) -> Weak<dyn Listener> {
        self.weak()
    }

    /// Returns the nursery's token.
    pub(crate) fn token(&self) -> CancelToken {
        self.own_token(&mut self.lock())
    }

    fn own_token(&self, registry: &mut Registry) -> CancelToken {
        if let Some(token) = &registry.tokens.own {
            return token.clone();
        }
        let (level, reason) = (self.risen(), self.risen_reason(registry));
        registry.tokens.born = level;
        registry.tokens.own.insert(CancelToken::born(level, reason, self.listener())).clone()
    }

    /// From now on the nursery says that it is raised, and admits nobody.
    pub(super) fn rise(&self, registry: &mut Registry, level: Level, reason: &Reason) -> Reason {
        let first = registry.tokens.rise(level, reason);
        // Release: pairs with `risen`.
        self.rising.store(registry.tokens.rising() as u8, Ordering::Release);
        first
    }

    /// Returns the level that the nursery has, or is on its way to. Its tasks follow.
    pub(crate) fn risen(&self) -> Level {
        // Acquire: pairs with `rise`.
        self.level().max(Level::from_u8(self.rising.load(Ordering::Acquire)))
    }

    /// As [`risen`](Group::risen), with what its token came to and it did not follow yet.
    pub(crate) fn heard(&self) -> Level {
        self.risen().max(self.lock().tokens.level())
    }

    /// Says that it is raised if its token is, whose cancel is still on its way here: whoever heard
    /// of it by the token finds the nursery cancelled, too.
    pub(crate) fn follow_token(&self) {
        if self.risen() >= Level::Cancelled {
            return;
        }
        let mut registry = self.lock();
        let level = registry.tokens.level();
        if level < Level::Cancelled || registry.phase == Phase::Closed {
            return;
        }
        if let Some(reason) = registry.tokens.own.as_ref().and_then(CancelToken::reason) {
            self.rise(&mut registry, level, &reason);
        }
    }

    /// Returns why.
    pub(crate) fn risen_reason(&self, registry: &Registry) -> Option<Reason> {
        let rising = registry.tokens.rising.as_ref().map(|(_, reason)| reason);
        registry.reason.as_ref().or(rising).cloned()
    }

    /// Raises the token, if there is one, of a nursery that is about to be raised; one that is made
    /// from now on is born so. Returns the first reason; or none if somebody else is raising the
    /// token to that level: he comes to the nursery when he has woken all who wait for the token, and
    /// to get ahead of him would be to take the last polls from them.
    ///
    /// With `raised` it was the caller who has raised it.
    pub(super) fn raise_token(
        &self,
        level: Level,
        reason: &Reason,
        raised: bool,
    ) -> Option<Reason> {
        let body;
        let (first, token, born) = {
            let mut registry = self.lock();
            if registry.phase == Phase::Closed {
                return Some(reason.clone());
            }
            body = if registry.clock.keeps_body_from(reason) {
                None
            } else {
                registry.tokens.task(BODY)
            };
            let first = self.rise(&mut registry, level, reason);
            (first, registry.tokens.own(), registry.tokens.born)
        };
        if let Some(body) = body {
            body.raise(level, first.clone());
        }
        let Some(token) = token else { return Some(first) };
        if raised {
            return token.reason().or(Some(first));
        }
        let outer = RAISING.with(|raising| raising.replace((ptr::from_ref(self), level)));
        let ours = token.raise(level, first.clone());
        RAISING.with(|raising| raising.set(outer));
        // An abort waits for nobody, and a cancel that leaves the body out does not replace one that
        // does not.
        let waits = level == Level::Cancelled && born < level && !self.config.partial;
        if !ours && waits && self.level() < level {
            return None;
        }
        token.reason().or(Some(first))
    }

    fn task_token(&self, number: u64) -> CancelToken {
        let mut registry = self.lock();
        if let Some(token) = registry.tokens.task(number) {
            return token;
        }
        let token = self.own_token(&mut registry).child();
        if let Some(reason) = registry.own_reasons.get(&number) {
            // Nobody waits for it yet: the lock may be held.
            token.cancel_with(reason.clone());
        }
        registry.tokens.tasks.insert(number, token.clone());
        token
    }

    /// Returns the body's token: the nursery's, unless there is a cancel that leaves the body out.
    fn body_token(&self) -> CancelToken {
        if !self.config.partial {
            return self.token();
        }
        let mut registry = self.lock();
        if let Some(token) = registry.tokens.task(BODY) {
            return token;
        }
        let token = CancelToken::new();
        if let Some(reason) = self.risen_reason(&registry).filter(|_| self.is_body_risen()) {
            // As in `task_token`.
            token.cancel_with(reason);
        }
        registry.tokens.tasks.insert(BODY, token.clone());
        token
    }

    /// Hangs the nursery on another token: it is a child of that from now on.
    pub(crate) fn hang_on(&self, token: &CancelToken) {
        let own = token.child_with(self.listener());
        let first = {
            let mut registry = self.lock();
            registry.tokens.own = Some(own.clone());
            registry.reason.clone()
        };
        if let Some(reason) = first {
            // What it was opened in is cancelled.
            own.raise(self.level(), reason);
        }
        // A listener is not told what its token was born with.
        match own.level() {
            Level::Running => {}
            level => {
                let reason = own.reason().unwrap_or_else(|| Reason::new("drained"));
                if let Some(rest) = self.raised(level, &reason) {
                    rest();
                }
            }
        }
    }

    /// Has the nursery cancelled with the token of a scope.
    pub(crate) fn link_to(&self, token: &CancelToken) {
        let weak = self.weak();
        let link = token.on_cancel(move |reason| {
            if let Some(group) = weak.upgrade() {
                group.raise_tree(Level::Cancelled, reason);
            }
        });
        self.lock().tokens.link = Some(link);
    }

    pub(super) fn weak(&self) -> Weak<Group> {
        self.me.clone()
    }
}

impl TaskFrame<'_> {
    /// Tells whether it was cancelled, or a deadline has passed that it is to be cancelled for.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.was_cancelled() || (self.group.follow_clock() && self.was_cancelled())
    }

    fn was_cancelled(&self) -> bool {
        match self.header() {
            Some(header) => header.state().is_risen() || self.group.risen() >= Level::Cancelled,
            None => self.group.is_body_risen(),
        }
    }

    pub(crate) fn reason(&self) -> Option<Reason> {
        if !self.is_cancelled() {
            return None;
        }
        let registry = self.group.lock();
        let own = self.header().and_then(|header| registry.reason_of_number(header.number()));
        own.or_else(|| self.group.risen_reason(&registry))
    }

    /// Returns the token of the task, or, in a body, of the nursery.
    pub(crate) fn token(&self) -> Option<CancelToken> {
        let group: Arc<Group> = self.group.arc()?;
        Some(match self.header().map(Header::number) {
            Some(number) => group.task_token(number),
            None => group.body_token(),
        })
    }
}
