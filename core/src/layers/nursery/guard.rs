//! Guards: an outermost nursery that waits for nothing but itself fails, instead of hanging.
//!
//! A nursery is guarded if it is opened in no other while its thread has a guard, or if its builder
//! asks for one. A thread of the process's looks at those that are, a hundred times a second, but
//! spends no more than a hundredth of its time on each: see [`watch`]. What it finds it leaves for the
//! nursery's future, which fails and cancels what is in it.
//!
//! | the nursery | the body | its tasks | the verdict |
//! |---|---|---|---|
//! | has a way out: a deadline, a token, a cancel scope or condition around, a virtual clock | any | any | none |
//! | is cancelled | any | any | none |
//! | else | is gone, or among the stuck | some are not among the stuck | none |
//! | | is gone | none | none: it ends |
//! | | is gone, or among the dead | all are dead, and nothing has a handle | at once |
//! | | is gone, or among the stuck | all are stuck | when it was so for the *patience* |
//!
//! *Dead* and *stuck* are the sets of a [tree](super::tree::graph). The dead are proven to wait until a
//! cancel. A handle, a token or a child's handle may cancel, and a permit may have been handed on; so
//! where there is one, time is the judge.

mod watch;

use super::mode::NurseryMode;
use super::setup::Setup;
use crate::layers::base::counted::{Strong, Weak};
use crate::layers::base::guarded::GlobalGuarded;
use crate::layers::base::sync::{Arc, GlobalU64, Ordering};
use crate::layers::context::scope::Around;
use crate::layers::group::Group;
use crate::layers::group::body_watch::BodyWatch;
use crate::layers::group::registry::Phase;
use std::cell::RefCell;
use std::time::Duration;

/// How long what is not certain must go on.
const PATIENCE: Duration = Duration::from_secs(1);

/// The outermost nurseries that a thread has opened while it had a guard.
pub(crate) struct Roots {
    open: GlobalGuarded<Vec<Weak<Group>>>,
    /// In microseconds.
    patience: GlobalU64,
}

impl Roots {
    pub(crate) fn new() -> Arc<Roots> {
        let patience = GlobalU64::new(micros(PATIENCE));
        Arc::new(Roots { open: GlobalGuarded::new(Vec::new()), patience })
    }

    pub(crate) fn set_patience(&self, patience: Duration) {
        self.patience.store(micros(patience), Ordering::Relaxed);
    }

    fn patience(&self) -> Duration {
        Duration::from_micros(self.patience.load(Ordering::Relaxed))
    }

    fn add(&self, group: Weak<Group>) {
        let gone = self.open.locked(|open| {
            let (gone, mut left): (Vec<_>, Vec<_>) =
                std::mem::take(open).into_iter().partition(is_closed);
            left.push(group);
            *open = left;
            gone
        });
        // What it frees is freed without the lock.
        drop(gone);
    }

    /// Returns those that are open still.
    pub(crate) fn left(&self) -> Vec<Weak<Group>> {
        let mut open = self.open.locked(std::mem::take);
        open.retain(|group| !is_closed(group));
        open
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn is_closed(group: &Weak<Group>) -> bool {
    group.locked(|registry| registry.phase == Phase::Closed)
}

thread_local! {
    static HERE: RefCell<Option<Arc<Roots>>> = const { RefCell::new(None) };
}

/// Sets the guard of this thread. Returns the one before.
pub(crate) fn replace(roots: Option<Arc<Roots>>) -> Option<Arc<Roots>> {
    HERE.try_with(|here| here.replace(roots)).unwrap_or_default()
}

/// What guards a nursery that is being opened.
pub(super) struct Guarding {
    roots: Option<Arc<Roots>>,
}

/// Has a nursery guarded, if that is asked for and can be. It is not open yet.
pub(super) fn begin<P: NurseryMode>(
    setup: &mut Setup<P>,
    is_root: bool,
    has_condition: bool,
    around: &Around,
) -> Option<Guarding> {
    if !is_root || cfg!(any(loom, target_family = "wasm")) {
        return None;
    }
    // None at the end of the thread.
    let here = HERE.try_with(|here| here.borrow().clone()).unwrap_or_default();
    let config = &mut setup.config;
    if here.is_none() && !config.guarded {
        return None;
    }
    let timed = config.deadline.is_some() || config.token.is_some() || has_condition;
    if timed || around.scoped || around.token.is_some() || !around.terms.is_empty() {
        return Some(Guarding { roots: here });
    }
    let patience = here.as_ref().map_or(PATIENCE, |roots| roots.patience());
    config.watch = Some(BodyWatch::new(patience));
    Some(Guarding { roots: here })
}

impl Guarding {
    /// The nursery is open.
    pub(super) fn opened(self, group: &Strong<Group>) {
        if let Some(roots) = self.roots {
            roots.add(group.weak());
        }
        if group.is_watched() {
            watch::add(group.weak());
        }
    }
}
