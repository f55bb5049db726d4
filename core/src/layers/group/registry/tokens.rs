//! The tokens of a nursery, its tasks and its body, as far as they were made.

use crate::layers::base::guarded::Foreign;
use crate::layers::base::reason::{Level, Reason};
use crate::layers::base::sync::Arc;
use crate::layers::cancel::{CancelToken, Listener, Registration};
use std::collections::BTreeMap;

pub(crate) struct Tokens {
    pub(in crate::layers::group) own: Option<Foreign<CancelToken>>,
    /// By the tasks' numbers; the body's, if it has one of its own, by 0.
    pub(in crate::layers::group) tasks: BTreeMap<u64, Foreign<CancelToken>>,
    /// What cancels the nursery with a scope that it was opened in.
    pub(in crate::layers::group) link: Option<Foreign<Registration>>,
    /// How the nursery hears of its own token, which has a weak reference to this.
    pub(in crate::layers::group) ear: Option<Arc<dyn Listener>>,
    /// The level that the nursery's was made with: nothing raises it to that.
    pub(in crate::layers::group) born: Level,
    /// Somebody raises the token to this, and the nursery right after.
    pub(in crate::layers::group) rising: Option<(Level, Reason)>,
}

impl Default for Tokens {
    fn default() -> Tokens {
        let (tasks, born) = (BTreeMap::new(), Level::Running);
        Tokens { own: None, tasks, link: None, ear: None, born, rising: None }
    }
}

impl Tokens {
    /// Notes that somebody is going to raise the nursery; returns the reason, which is the first.
    pub(in crate::layers::group) fn rise(&mut self, level: Level, reason: &Reason) -> Reason {
        let (rising, first) = self.rising.get_or_insert_with(|| (level, reason.clone()));
        *rising = (*rising).max(level);
        first.clone()
    }

    pub(in crate::layers::group) fn rising(&self) -> Level {
        self.rising.as_ref().map_or(Level::Running, |(level, _)| *level)
    }

    /// Returns the level of the nursery's, which rises first if it is raised from outside.
    pub(in crate::layers::group) fn level(&self) -> Level {
        self.own.as_ref().map_or(Level::Running, |own| own.level())
    }

    pub(in crate::layers::group) fn own(&self) -> Option<CancelToken> {
        self.own.as_ref().map(|own| CancelToken::clone(own))
    }

    pub(in crate::layers::group) fn task(&self, number: u64) -> Option<CancelToken> {
        self.tasks.get(&number).map(|token| CancelToken::clone(token))
    }

    /// Takes a task's token: it leaves.
    #[inline]
    pub(in crate::layers::group) fn take_task(
        &mut self,
        number: u64,
    ) -> Option<Foreign<CancelToken>> {
        if self.tasks.is_empty() { None } else { self.tasks.remove(&number) }
    }

    /// Takes what leads to others: the nursery has closed, and a callback on a token of its own may
    /// have a handle of it. How far it was raised stays.
    pub(in crate::layers::group) fn take(&mut self) -> Tokens {
        let rising = self.rising.clone();
        std::mem::replace(self, Tokens { rising, ..Tokens::default() })
    }
}
