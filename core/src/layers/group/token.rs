//! The tokens of a nursery, its tasks and its body: what code that takes a token is given. They are
//! made when somebody asks for one; until then a nursery and its tasks cost none.
//!
//! The nursery's token and the nursery rise together: whichever rises first raises the other. A
//! task's token is a child of it.

use super::Group;
use super::registry::shields::BODY;
use super::registry::{Phase, Registry};
use crate::layers::base::counted::Weak;
use crate::layers::base::guarded::Foreign;
use crate::layers::base::reason::{Level, Reason};
use crate::layers::base::sync::{self, Arc, Ordering, thread_local};
use crate::layers::cancel::{CancelToken, Listener, Rest};
use std::cell::Cell;
use std::ptr;

/// Hears of the nursery's token for it.
struct Ear(Weak<Group>);

thread_local! {
    /// Whose token this thread is raising on its way to the nursery, and how far. It is compared,
    /// and never used as a pointer.
    static RAISING: Cell<(*const Group, Level)> =
        const { Cell::new((ptr::null(), Level::Running)) };
}

impl Listener for Ear {
    fn raised(&self, level: Level, reason: &Reason) -> Option<Rest> {
        self.0.token_raised(level, reason)
    }
}

impl Group {
    /// Its own token was raised.
    fn token_raised(&self, level: Level, reason: &Reason) -> Option<Rest> {
        match level {
            Level::Running => None,
            Level::Draining => {
                self.close();
                None
            }
            Level::Cancelled | Level::Aborted => {
                let closed = self.locked(|registry| {
                    let closed = registry.phase == Phase::Closed;
                    if !closed {
                        self.rise(registry, level, reason);
                    }
                    closed
                });
                if closed || RAISING.with(Cell::get) == (ptr::from_ref(self), level) {
                    // What raises the nursery has raised the token, and goes on to raise that.
                    return None;
                }
                let (group, reason) = (self.weak(), reason.clone());
                Some(Box::new(move || group.raise_after_token(level, &reason)))
            }
        }
    }

    fn listener(&self, registry: &mut Registry) -> sync::Weak<dyn Listener> {
        let ear = registry
            .tokens
            .ear
            .get_or_insert_with(|| Arc::new(Ear(self.weak())) as Arc<dyn Listener>);
        Arc::downgrade(ear)
    }

    /// Returns the nursery's token.
    pub(crate) fn token(&self) -> CancelToken {
        self.locked(|registry| self.own_token(registry))
    }

    fn own_token(&self, registry: &mut Registry) -> CancelToken {
        if let Some(own) = registry.tokens.own() {
            return own;
        }
        let (level, reason) = (self.risen(), self.risen_reason(registry));
        if registry.phase == Phase::Closed {
            // Not kept: see `Tokens::take`.
            let none: sync::Weak<Ear> = sync::Weak::new();
            return CancelToken::born(level, reason, none);
        }
        registry.tokens.born = level;
        let own = CancelToken::born(level, reason, self.listener(registry));
        registry.tokens.own = Some(Foreign::new(own.clone()));
        own
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
        self.risen().max(self.locked(|registry| registry.tokens.level()))
    }

    /// Says that it is raised if its token is, whose cancel is still on its way here: whoever heard
    /// of it by the token finds the nursery cancelled, too.
    pub(crate) fn follow_token(&self) {
        if self.risen() >= Level::Cancelled {
            return;
        }
        self.locked(|registry| {
            let level = registry.tokens.level();
            if level < Level::Cancelled || registry.phase == Phase::Closed {
                return;
            }
            if let Some(reason) = registry.tokens.own.as_ref().and_then(|own| own.reason()) {
                self.rise(registry, level, &reason);
            }
        });
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
        let raised_now = self.locked(|registry| {
            if registry.phase == Phase::Closed {
                return None;
            }
            let stays = registry.clock.keeps_body_from(reason);
            let body = if stays { None } else { registry.tokens.task(BODY) };
            let first = self.rise(registry, level, reason);
            Some((body, first, registry.tokens.own(), registry.tokens.born))
        });
        let Some((body, first, token, born)) = raised_now else { return Some(reason.clone()) };
        if let Some(body) = body {
            body.escalate_to(level, first.clone());
        }
        let Some(token) = token else { return Some(first) };
        if raised {
            return token.reason().or(Some(first));
        }
        let outer = RAISING.with(|raising| raising.replace((ptr::from_ref(self), level)));
        let ours = token.escalate_to(level, first.clone());
        RAISING.with(|raising| raising.set(outer));
        // An abort waits for nobody, and a cancel that leaves the body out does not replace one that
        // does not.
        let waits = level == Level::Cancelled && born < level && !self.config.partial;
        if !ours && waits && self.level() < level {
            return None;
        }
        token.reason().or(Some(first))
    }

    pub(super) fn task_token(&self, number: u64) -> CancelToken {
        self.locked(|registry| {
            if let Some(token) = registry.tokens.task(number) {
                return token;
            }
            let token = self.own_token(registry).child();
            if let Some(reason) = registry.own_reasons.get(&number) {
                // Nothing waits for it yet: the lock may be held.
                token.cancel_with(reason.clone());
            }
            registry.tokens.tasks.insert(number, Foreign::new(token.clone()));
            token
        })
    }

    /// Returns the body's token: the nursery's, unless there is a cancel that leaves the body out.
    pub(super) fn body_token(&self) -> CancelToken {
        if !self.config.partial {
            return self.token();
        }
        self.locked(|registry| {
            if let Some(token) = registry.tokens.task(BODY) {
                return token;
            }
            let token = CancelToken::new();
            if let Some(reason) = self.risen_reason(registry).filter(|_| self.is_body_risen()) {
                // As in `task_token`.
                token.cancel_with(reason);
            }
            registry.tokens.tasks.insert(BODY, Foreign::new(token.clone()));
            token
        })
    }

    /// Hangs the nursery on another token: it is a child of that from now on.
    pub(crate) fn hang_on(&self, token: &CancelToken) {
        let listener = self.locked(|registry| self.listener(registry));
        let own = token.child_with(listener);
        let first = self.locked(|registry| {
            registry.tokens.own = Some(Foreign::new(own.clone()));
            registry.reason.clone()
        });
        if let Some(reason) = first {
            // What it was opened in is cancelled.
            own.escalate_to(self.level(), reason);
        }
        // A listener is not told what its token was born with.
        match own.level() {
            Level::Running => {}
            level => {
                let reason = own.reason().unwrap_or_else(|| Reason::new("drained"));
                if let Some(rest) = self.token_raised(level, &reason) {
                    rest();
                }
            }
        }
    }

    /// Has the nursery cancelled with the token of a scope.
    pub(crate) fn link_to(&self, token: &CancelToken) {
        let weak = self.weak();
        let link = token.on_cancel(move |reason| weak.raise_tree(Level::Cancelled, reason));
        self.locked(|registry| registry.tokens.link = Some(Foreign::new(link)));
    }
}
