//! The tokens of a nursery, its tasks and its body, as far as they were made.

use crate::layers::base::guarded::Foreign;
use crate::layers::base::reason::{Level, Reason};
use crate::layers::base::sync::{self, Arc};
use crate::layers::cancel::{CancelToken, Listener, Registration};
use std::collections::BTreeMap;

pub(crate) struct Tokens {
    own: Option<Foreign<CancelToken>>,
    /// By the tasks' numbers; the body's, if it has one of its own, by 0.
    tasks: BTreeMap<u64, Foreign<CancelToken>>,
    /// What cancels the nursery with a scope that it was opened in.
    link: Option<Foreign<[Registration; 2]>>,
    /// How the nursery hears of its own token, which has a weak reference to this.
    listener: Option<Arc<dyn Listener>>,
    /// The level that the nursery's was made with: nothing raises it to that.
    born: Level,
    /// A thread raises the token to this, and the nursery right after.
    requested: Option<(Level, Reason)>,
}

impl Default for Tokens {
    fn default() -> Tokens {
        let (tasks, born) = (BTreeMap::new(), Level::Running);
        Tokens { own: None, tasks, link: None, listener: None, born, requested: None }
    }
}

impl Tokens {
    /// Notes that the caller is going to raise the nursery; returns the reason, which is the first.
    pub(crate) fn request(&mut self, level: Level, reason: &Reason) -> Reason {
        let (requested, first) = self.requested.get_or_insert_with(|| (level, reason.clone()));
        *requested = (*requested).max(level);
        first.clone()
    }

    pub(crate) fn requested_level(&self) -> Level {
        self.requested.as_ref().map_or(Level::Running, |(level, _)| *level)
    }

    /// Returns the level of the nursery's, which rises first if it is raised from outside.
    pub(crate) fn level(&self) -> Level {
        self.own.as_ref().map_or(Level::Running, |own| own.level())
    }

    /// Returns why the nursery is on its way to that level.
    pub(super) fn requested_reason(&self) -> Option<&Reason> {
        self.requested.as_ref().map(|(_, reason)| reason)
    }

    /// Returns the level that the nursery's own token was made with.
    pub(crate) fn born(&self) -> Level {
        self.born
    }

    /// Returns `true` if there is one at all: of the nursery, or of a task.
    pub(crate) fn are_handed_out(&self) -> bool {
        self.own.is_some() || !self.tasks.is_empty()
    }

    #[inline]
    pub(super) fn has_no_tasks(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Keeps the nursery's own token, which was made with this level.
    pub(crate) fn set_own(&mut self, own: &CancelToken, born: Level) {
        debug_assert!(self.own.is_none(), "a nursery has one token");
        self.born = born;
        self.own = Some(Foreign::new(own.clone()));
    }

    /// Returns why the nursery's own token was raised, or one above it, if it was.
    pub(crate) fn reason(&self) -> Option<Reason> {
        self.own.as_ref().and_then(|own| own.reason_above())
    }

    /// Returns how the nursery hears of its own token.
    pub(crate) fn listener(
        &mut self,
        listener: impl FnOnce() -> Arc<dyn Listener>,
    ) -> sync::Weak<dyn Listener> {
        Arc::downgrade(self.listener.get_or_insert_with(listener))
    }

    /// Keeps what cancels the nursery with a scope that it was opened in.
    pub(crate) fn set_link(&mut self, link: [Registration; 2]) {
        debug_assert!(self.link.is_none(), "a nursery is opened once");
        self.link = Some(Foreign::new(link));
    }

    /// Keeps the token of a task, or of the body.
    pub(crate) fn set_task(&mut self, number: u64, token: &CancelToken) {
        debug_assert!(!self.tasks.contains_key(&number), "a task has one token");
        self.tasks.insert(number, Foreign::new(token.clone()));
    }

    pub(crate) fn own(&self) -> Option<CancelToken> {
        self.own.as_ref().map(|own| CancelToken::clone(own))
    }

    pub(crate) fn task(&self, number: u64) -> Option<CancelToken> {
        self.tasks.get(&number).map(|token| CancelToken::clone(token))
    }

    /// Takes a task's token: it leaves.
    #[inline]
    pub(crate) fn take_task(&mut self, number: u64) -> Option<Foreign<CancelToken>> {
        if self.tasks.is_empty() { None } else { self.tasks.remove(&number) }
    }

    /// Takes what leads to others: the nursery has closed, and a callback on a token of its own may
    /// have a handle of it. How far it was raised stays.
    pub(crate) fn take(&mut self) -> Tokens {
        let requested = self.requested.clone();
        std::mem::replace(self, Tokens { requested, ..Tokens::default() })
    }
}
