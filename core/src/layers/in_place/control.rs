//! What everything of a scope shares that has no lifetime: handles, wakers and joiners, which may
//! outlive the scope's future, be on other threads, and know of no child's type.
//!
//! # Invariants
//!
//! 1. A child is in `woken` at most once: the swap of its `queued` flag decides. The flag is taken
//!    back before the poll, so a wake during the poll leads to one more. It stays up when the child
//!    has ended, so a late wake does nothing.
//! 2. A change (a wake, a child, a cancel) is made before the lock is taken for the waker, and `park`
//!    looks for all three and keeps the waker in one hold of the lock. So either `park` sees the
//!    change, or what made it finds the waker.
//! 3. Each kind of change has a sign of its own (`woken`, `news`, `cancel`), and the code that takes
//!    a sign back looks for that kind after it. A sign for two kinds would be taken back by the code
//!    that looks for one.

mod idle;
mod limits;

use idle::Idlers;
pub(super) use limits::{Limits, Stage};

use crate::layers::base::guarded::{Foreign, Guarded};
use crate::layers::base::id::{NurseryId, TaskId};
use crate::layers::base::outcome::TaskState;
use crate::layers::base::reason::Reason;
use crate::layers::base::sync::{
    Arc, AtomicBool, AtomicU8, AtomicU32, AtomicUsize, GlobalOnce, Ordering,
};
use crate::layers::base::who::Who;
use crate::layers::context::in_place::Requested;
use crate::layers::group::config::Policy;
use crate::layers::group::registry::report::Entry;
use allhome_rt::Instant;
use std::mem;
use std::panic::Location;
use std::task::{Wake, Waker};
use std::time::Duration;

/// The body's place among the children: no child has it.
pub(super) const BODY: u32 = u32::MAX;

pub(super) struct Control {
    pub(super) id: NurseryId,
    pub(super) policy: Policy,
    pub(super) name: Option<Box<str>>,
    /// Why all of it is cancelled.
    cancel: GlobalOnce<Reason>,
    /// There may be a child in the inbox.
    news: AtomicBool,
    /// The children that are not home, the new ones included.
    pub(super) members: AtomicUsize,
    pub(super) refused: AtomicUsize,
    state: Guarded<State>,
    /// Failures that were left to joiners, which did not take them.
    handed_in: Guarded<Vec<Entry>>,
    limits: Limits,
    idlers: Idlers,
}

#[derive(Default)]
struct State {
    woken: Vec<u32>,
    /// What wakes the scope's future, while that waits.
    waker: Option<Foreign<Waker>>,
}

impl Control {
    pub(super) fn new(policy: Policy, name: Option<Box<str>>, limits: Limits) -> Control {
        Control {
            id: NurseryId::next(),
            policy,
            name,
            cancel: GlobalOnce::new(),
            news: AtomicBool::new(false),
            members: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
            state: Guarded::new(State::default()),
            handed_in: Guarded::new(Vec::new()),
            limits,
            idlers: Idlers::default(),
        }
    }

    /// Returns why it is cancelled.
    pub(super) fn reason(&self) -> Option<&Reason> {
        self.cancel.get()
    }

    /// Cancels it. Returns `false` if it was cancelled before.
    pub(super) fn cancel(&self, reason: Reason) -> bool {
        let first = self.cancel.set(reason).is_ok();
        if first {
            self.unpark().into_iter().for_each(Foreign::wake);
            self.wake_waiters();
        }
        first
    }

    /// Has the scope's future look into the inbox, where a child was put.
    pub(super) fn tell(&self) {
        // AcqRel: pairs with `take_news`. A caller that finds it set knows that a look follows.
        if !self.news.swap(true, Ordering::AcqRel) {
            self.unpark().into_iter().for_each(Foreign::wake);
        }
    }

    /// Returns `true` if there may be a child in the inbox, where the caller looks after this.
    pub(super) fn take_news(&self) -> bool {
        // Acquire: pairs with `tell`. A plain load first, because mostly there are none.
        self.news.load(Ordering::Relaxed) && self.news.swap(false, Ordering::AcqRel)
    }

    fn wake(&self, index: u32) {
        let waker = self.state.locked(|state| {
            state.woken.push(index);
            state.waker.take()
        });
        waker.into_iter().for_each(Foreign::wake);
    }

    /// Takes what was woken. `empty` is put in its place.
    pub(super) fn take_woken(&self, empty: Vec<u32>) -> Vec<u32> {
        self.state.locked(|state| mem::replace(&mut state.woken, empty))
    }

    /// Keeps the waker, unless there is something to do. The caller is the scope's future, and has
    /// seen that it is at this stage.
    pub(super) fn park(&self, waker: &Waker, seen: Stage) -> bool {
        let mut waker = Some(Foreign::cloned(waker));
        let (parked, _old) = self.state.locked(|state| {
            // Relaxed: what was set before the lock was taken is seen.
            let news = self.news.load(Ordering::Relaxed);
            if news || !state.woken.is_empty() || self.stage() != seen {
                return (false, None);
            }
            (true, mem::replace(&mut state.waker, waker.take()))
        });
        parked
    }

    /// Takes the waker: the scope's future is polled, or is about to be woken.
    #[must_use = "it is woken, or dropped where no lock is held"]
    pub(super) fn unpark(&self) -> Option<Foreign<Waker>> {
        self.state.locked(|state| state.waker.take())
    }

    pub(super) fn hand_in(&self, entry: Entry) {
        self.handed_in.locked(|entries| entries.push(entry));
    }

    pub(super) fn take_handed_in(&self) -> Vec<Entry> {
        self.handed_in.locked(mem::take)
    }
}

/// The part of a child, or of the body, that its wakers and its handle reach.
pub(super) struct Core {
    pub(super) control: Arc<Control>,
    /// None: it is the body.
    pub(super) id: Option<TaskId>,
    pub(super) name: Option<Box<str>>,
    pub(super) place: &'static Location<'static>,
    /// Where it is among the children, once it is there.
    index: AtomicU32,
    queued: AtomicBool,
    state: AtomicU8,
    cancel: GlobalOnce<Reason>,
    aborted: AtomicBool,
}

impl Core {
    /// Makes one that is queued for its first poll.
    pub(super) fn new(
        control: &Arc<Control>,
        id: Option<TaskId>,
        name: Option<Box<str>>,
        place: &'static Location<'static>,
    ) -> Arc<Core> {
        Arc::new(Core {
            control: control.clone(),
            id,
            name,
            place,
            index: AtomicU32::new(BODY),
            queued: AtomicBool::new(true),
            state: AtomicU8::new(TaskState::Queued as u8),
            cancel: GlobalOnce::new(),
            aborted: AtomicBool::new(false),
        })
    }

    /// Says where it is among the children. It was not polled yet, so nothing has woken it.
    pub(super) fn set_index(&self, index: u32) {
        // Relaxed: a waker comes to another thread after this, and by something that orders it.
        self.index.store(index, Ordering::Relaxed);
    }

    /// Takes the flag back that it was woken. Returns `false` if it was not.
    pub(super) fn take_queued(&self) -> bool {
        // AcqRel: pairs with the swap of `schedule`, before which the waker's cause was stored.
        self.queued.swap(false, Ordering::AcqRel)
    }

    fn schedule(&self) {
        if !self.queued.swap(true, Ordering::AcqRel) {
            self.control.wake(self.index.load(Ordering::Relaxed));
        }
    }

    /// Cancels it alone. Returns `false` if it has ended, or was cancelled before.
    pub(super) fn cancel(&self, reason: Reason) -> bool {
        let first = self.state() != TaskState::Ended
            && self.around().is_none()
            && self.cancel.set(reason).is_ok();
        if first {
            self.schedule();
        }
        first
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancel.get().or_else(|| self.around()).is_some()
    }

    /// It has ended: no wake leads to anything any more.
    pub(super) fn end(&self) {
        self.queued.store(true, Ordering::Relaxed);
        self.set_state(TaskState::Ended);
    }

    pub(super) fn set_state(&self, state: TaskState) {
        // Release: pairs with `state`.
        self.state.store(state as u8, Ordering::Release);
    }

    pub(super) fn state(&self) -> TaskState {
        const STATES: [TaskState; 4] =
            [TaskState::Queued, TaskState::Running, TaskState::Waiting, TaskState::Ended];
        STATES[usize::from(self.state.load(Ordering::Acquire))]
    }

    pub(super) fn who(&self) -> Who {
        let name = if self.id.is_some() { &self.name } else { &self.control.name };
        Who { task: self.id, name: name.clone(), place: self.place, finalizer: false }
    }
}

impl Requested for Core {
    fn reason(&self) -> Option<Reason> {
        let known = self.cancel.get().or_else(|| self.around());
        known.or_else(|| self.overdue()).cloned()
    }

    fn place(&self) -> &'static Location<'static> {
        self.place
    }

    fn deadline(&self) -> Option<Instant> {
        self.deadline()
    }

    fn grace(&self) -> Option<Duration> {
        self.control.limits.grace
    }
}

impl Wake for Core {
    fn wake(self: Arc<Self>) {
        self.schedule();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.schedule();
    }
}
