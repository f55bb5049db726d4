//! A watch on the body of a guarded nursery: whether it waits, and how many wakers of it there are.
//!
//! The outermost body is polled with the wakers of whatever awaits its nursery, which nothing counts.
//! So a guard has it polled with wakers of its own, which wake by the last that it was polled with.
//!
//! | the body | `turn` | `woken` | wakers |
//! |---|---|---|---|
//! | is polled | odd | any | any |
//! | was woken, and waits for the poll | even | true | any |
//! | waits | even | false | all that can wake it |
//!
//! # Invariants
//!
//! 1. A wake sets `woken` before it gives its waker up, and it is unset at the beginning of a poll
//!    alone. So if the count has lost that waker, `woken` is seen, or `turn` has changed.
//! 2. The nursery has one reference; all others are wakers.
//!
//! The wakers are std's, so this is not part of a model.

use super::env::Env;
use super::registry::Registry;
use super::{Group, describe};
use crate::layers::base::deadlock::Deadlock;
use crate::layers::base::guarded::{Foreign, GlobalGuarded};
use crate::layers::base::outcome::Ending;
use crate::layers::base::panic;
use crate::layers::base::reason::{Level, ReasonKind};
use crate::layers::base::sync::{Arc, GlobalBool, GlobalU32, Ordering, fence};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

pub(crate) struct BodyWatch {
    turn: GlobalU32,
    woken: GlobalBool,
    /// What the body was polled with last. Shared, so that no waker is cloned under the lock.
    inner: GlobalGuarded<Option<Arc<Waker>>>,
    /// What the guard has found.
    verdict: GlobalGuarded<Option<Deadlock>>,
    is_judged: GlobalBool,
    /// How long it must have gone on so if it is not certain.
    pub(crate) patience: Duration,
}

impl BodyWatch {
    pub(crate) fn new(patience: Duration) -> Arc<BodyWatch> {
        Arc::new(BodyWatch {
            turn: GlobalU32::new(0),
            woken: GlobalBool::new(false),
            inner: GlobalGuarded::new(None),
            verdict: GlobalGuarded::new(None),
            is_judged: GlobalBool::new(false),
            patience,
        })
    }

    /// Polls the body with a waker that is counted.
    pub(crate) fn poll<R>(
        self: &Arc<BodyWatch>,
        cx: &Context<'_>,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        let last = self.inner.locked(|inner| inner.clone());
        if !last.is_some_and(|last| last.will_wake(cx.waker())) {
            let new = Arc::new(cx.waker().clone());
            drop(self.inner.locked(|inner| inner.replace(new)));
        }
        self.turn.fetch_add(1, Ordering::SeqCst);
        self.woken.store(false, Ordering::SeqCst);
        let ended = EndOfTurn(self);
        let waker = Waker::from(self.clone());
        let polled = poll(&mut Context::from_waker(&waker));
        drop(waker);
        drop(ended);
        polled
    }

    /// The body is gone: what it was polled with goes, and its wakers wake nothing.
    pub(crate) fn body_is_gone(&self) {
        drop(self.inner.locked(Option::take));
    }

    /// Returns how many wakers it has, if it waits.
    pub(crate) fn wakers(self: &Arc<BodyWatch>) -> Option<u32> {
        let turn = self.turn();
        let count = Arc::strong_count(self) - 1;
        // Invariant 1: what gave a waker up that is not counted any more has set `woken`.
        fence(Ordering::SeqCst);
        let waits = turn % 2 == 0 && !self.woken.load(Ordering::SeqCst) && self.turn() == turn;
        waits.then(|| u32::try_from(count).unwrap_or(u32::MAX))
    }

    /// Changes with the beginning and the end of each poll.
    pub(crate) fn turn(&self) -> u32 {
        self.turn.load(Ordering::SeqCst)
    }

    /// Leaves what was found for the nursery's future.
    pub(crate) fn judge(&self, verdict: Deadlock) {
        drop(self.verdict.locked(|kept| kept.replace(verdict)));
        self.is_judged.store(true, Ordering::Release);
    }

    /// Takes what was found.
    pub(crate) fn take_verdict(&self) -> Option<Deadlock> {
        if !self.is_judged.load(Ordering::Acquire) {
            return None;
        }
        self.verdict.locked(Option::take)
    }

    fn wake_inner(&self) {
        self.woken.store(true, Ordering::SeqCst);
        let inner = self.inner.locked(|inner| inner.clone());
        inner.iter().for_each(|inner| panic::wake_by_ref(inner));
    }
}

/// Also where the poll panics.
struct EndOfTurn<'a>(&'a BodyWatch);

impl Drop for EndOfTurn<'_> {
    fn drop(&mut self) {
        self.0.turn.fetch_add(1, Ordering::SeqCst);
    }
}

impl Wake for BodyWatch {
    fn wake(self: Arc<BodyWatch>) {
        self.wake_inner();
    }

    fn wake_by_ref(self: &Arc<BodyWatch>) {
        self.wake_inner();
    }
}

impl Group {
    /// Returns `true` if something else than its future can cancel it, or a task of it: by a handle, or
    /// by a token.
    pub(crate) fn is_held(&self, registry: &Registry) -> bool {
        // The future's, and the group's own while something is in it.
        let own = 1 + usize::from(registry.own.is_some());
        self.me.strong_count() > own || registry.cancel.tokens().are_handed_out()
    }

    /// Returns `true` if its body is watched, for a guard, and can be judged by what its wakers are.
    pub(crate) fn is_watched(&self) -> bool {
        self.counted
    }

    /// Returns how long a guard is patient with it; none if it is not guarded.
    pub(crate) fn patience(&self) -> Option<Duration> {
        Some(self.config.watch.as_ref()?.patience)
    }

    /// Leaves a guard's verdict for the nursery's future. Returns what wakes that.
    pub(crate) fn judge(&self, verdict: Deadlock) -> Option<Foreign<Waker>> {
        self.config.watch.as_ref()?.judge(verdict);
        self.locked(|registry| registry.run_waker.take())
    }

    /// The nursery's future is polled: it fails, if a guard has judged so.
    pub(crate) fn hear_verdict(&self, env: &Env) {
        let Some(verdict) = self.config.watch.as_ref().and_then(|watch| watch.take_verdict())
        else {
            return;
        };
        let ending = Ending::Deadlock(verdict);
        let message = describe(&ending);
        self.fail_body(env, ending);
        let reason = self.reason(ReasonKind::BodyFailed, message, None, self.config.place);
        self.raise_tree(Level::Cancelled, &reason);
    }
}
