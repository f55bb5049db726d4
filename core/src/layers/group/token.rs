//! The tokens of a nursery, its tasks and its body: what code that takes a token is given. They are
//! made when a caller asks for one; until then a nursery and its tasks cost none.
//!
//! The nursery's token and the nursery rise together: whichever rises first raises the other. A
//! task's token is a child of it.

use super::Group;
use super::registry::{BODY, Phase, Registry};
use crate::layers::base::counted::Weak;
use crate::layers::base::reason::{Level, Reason};
use crate::layers::base::sync::{self, Arc, Ordering, thread_local};
use crate::layers::cancel::{CancelToken, Listener, Registration, Rest};
use std::cell::Cell;
use std::ptr;

/// Hears of the nursery's token for it.
struct TokenListener(Weak<Group>);

thread_local! {
    /// Whose token this thread is raising on its way to the nursery, and how far. It is compared,
    /// and never used as a pointer.
    static RAISING: Cell<(*const Group, Level)> =
        const { Cell::new((ptr::null(), Level::Running)) };
}

impl Listener for TokenListener {
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
                        self.request(registry, level, reason);
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
        registry.cancel.tokens_mut().listener(|| Arc::new(TokenListener(self.weak())))
    }

    /// Returns the nursery's token.
    pub(crate) fn token(&self) -> CancelToken {
        self.locked(|registry| self.own_token(registry))
    }

    fn own_token(&self, registry: &mut Registry) -> CancelToken {
        if let Some(own) = registry.cancel.tokens().own() {
            return own;
        }
        let (level, reason) = (self.requested_level(), registry.cancel.requested_reason());
        if registry.phase == Phase::Closed {
            // Not kept: see `Tokens::take`.
            let none: sync::Weak<TokenListener> = sync::Weak::new();
            return CancelToken::born(level, reason, none);
        }
        let own = CancelToken::born(level, reason, self.listener(registry));
        registry.cancel.tokens_mut().set_own(&own, level);
        registry.logs.rise(self.id, level, Some(own.clone()));
        own
    }

    /// From now on the nursery says that it is raised, and admits no child.
    pub(super) fn request(&self, registry: &mut Registry, level: Level, reason: &Reason) -> Reason {
        let tokens = registry.cancel.tokens_mut();
        let first = tokens.request(level, reason);
        // Release: pairs with `requested_level`.
        let requested = tokens.requested_level();
        self.requested.store(requested as u8, Ordering::Release);
        registry.logs.rise(self.id, requested, None);
        first
    }

    /// Returns the level that the nursery has, or is on its way to. Its tasks follow.
    pub(crate) fn requested_level(&self) -> Level {
        // Acquire: pairs with `request`.
        self.level().max(Level::from_u8(self.requested.load(Ordering::Acquire)))
    }

    /// As [`requested_level`](Group::requested_level), with what its token came to and it did not
    /// follow yet.
    pub(crate) fn observed_level(&self) -> Level {
        self.requested_level().max(self.locked(|registry| registry.cancel.tokens().level()))
    }

    /// Says that it is raised if its token is, whose cancel is still on its way here: a task that
    /// saw it by the token finds the nursery cancelled, too.
    pub(crate) fn follow_token(&self) {
        if self.requested_level() >= Level::Cancelled {
            return;
        }
        self.locked(|registry| {
            if registry.phase == Phase::Closed {
                return;
            }
            if let Some(reason) = registry.cancel.tokens().reason() {
                let level = registry.cancel.tokens().level().max(Level::Cancelled);
                self.request(registry, level, &reason);
            }
        });
    }

    /// Raises the token, if there is one, of a nursery that is about to be raised; one that is made
    /// from now on is born so. Returns the first reason; or none if another thread is raising the
    /// token to that level: that thread comes to the nursery when it has woken every waiter of the
    /// token, and to get ahead of it would take the last polls from them.
    ///
    /// With `raised` the caller has raised it.
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
            let stays = registry.cancel.keeps_body_from(reason);
            let body = if stays { None } else { registry.cancel.tokens().task(BODY) };
            let first = self.request(registry, level, reason);
            let tokens = registry.cancel.tokens();
            Some((body, first, tokens.own(), tokens.born()))
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
        // An abort does not wait, and a cancel that leaves the body out does not replace one that
        // does not.
        let waits = level == Level::Cancelled && born < level && !self.config.partial;
        if !ours && waits && self.level() < level {
            return None;
        }
        token.reason().or(Some(first))
    }

    pub(super) fn task_token(&self, number: u64) -> CancelToken {
        self.locked(|registry| {
            if let Some(token) = registry.cancel.tokens().task(number) {
                return token;
            }
            let token = self.own_token(registry).child();
            if let Some(reason) = registry.cancel.own_reason(number) {
                // Nothing waits for it yet: the lock may be held.
                token.cancel_with(reason.clone());
            }
            registry.cancel.tokens_mut().set_task(number, &token);
            token
        })
    }

    /// Returns the body's token: the nursery's, unless there is a cancel that leaves the body out.
    pub(super) fn body_token(&self) -> CancelToken {
        if !self.config.partial {
            return self.token();
        }
        self.locked(|registry| {
            if let Some(token) = registry.cancel.tokens().task(BODY) {
                return token;
            }
            let token = CancelToken::new();
            if let Some(reason) =
                registry.cancel.requested_reason().filter(|_| self.is_body_cancel_requested())
            {
                // As in `task_token`.
                token.cancel_with(reason);
            }
            registry.cancel.tokens_mut().set_task(BODY, &token);
            token
        })
    }

    /// Hangs the nursery on another token: it is a child of that from now on.
    pub(crate) fn hang_on(&self, token: &CancelToken) {
        let listener = self.locked(|registry| self.listener(registry));
        let own = token.child_with(listener);
        let first = self.locked(|registry| {
            registry.cancel.tokens_mut().set_own(&own, Level::Running);
            registry.logs.rise(self.id, Level::Running, Some(own.clone()));
            registry.cancel.reason().cloned()
        });
        if let Some(reason) = first {
            // What it was opened in is cancelled.
            own.escalate_to(self.level(), reason);
        }
        // A listener does not hear what its token was born with.
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

    /// Has the nursery cancelled, and aborted, with the token of a scope.
    pub(crate) fn link_to(&self, token: &CancelToken) {
        let link = [Level::Cancelled, Level::Aborted].map(|level| {
            let weak = self.weak();
            Registration::at(token, level, move |reason| {
                if let Some(reason) = reason {
                    weak.raise_tree(level, reason);
                }
            })
        });
        self.locked(|registry| registry.cancel.tokens_mut().set_link(link));
    }
}
