//! What everything of a scope shares that has no lifetime: handles, wakers and joiners, which may
//! outlive the scope's future, be on other threads, and know of no child's type.
//!
//! # Invariants
//!
//! 1. To be woken is a bit, so a child is woken at most once until it is polled. The bits of a child
//!    are taken back before its poll, so a wake during the poll leads to one more. A child that has
//!    ended gets none, so a late wake does nothing.
//! 2. There are two bits. `here` is set by the thread that polls the scope's future, while it does
//!    ([`Control::enter`]): that thread alone has those words and their line, so it loads and stores.
//!    `woken` is set by all others, in one read-modify-write.
//! 3. A change (a wake, a child, a cancel) is made before the lock is taken for the waker, and `park`
//!    looks for all of them and keeps the waker in one hold of the lock. So either `park` sees the
//!    change, or what made it finds the waker. The first wake of a storm takes the lock; those that
//!    find the line filled leave it to that one. `park` is called after [`Control::exit`]:
//!    what the waker's own code wakes is woken from elsewhere.
//! 4. Each kind of change has a sign of its own (`woken`, `news`, the stage), and the code that takes
//!    a sign back looks for that kind after it. A sign for two kinds would be taken back by the code
//!    that looks for one.
//! 5. `stirred` is set before there is a reason for a child, the body or the whole, a deadline, or a
//!    closed inbox. So what finds one of those finds the sign, and while there is no sign none of
//!    them is looked for.

mod idle;
mod limits;
mod members;

use idle::Idlers;
pub(super) use limits::{Limits, Stage};

use super::seats::Blocks;
use crate::layers::base::guarded::{Foreign, Guarded};
use crate::layers::base::id::NurseryId;
use crate::layers::base::marks::Line;
use crate::layers::base::reason::Reason;
use crate::layers::base::sync::{AtomicBool, AtomicUsize, GlobalOnce, Ordering, thread_local};
use crate::layers::group::config::Policy;
use crate::layers::group::registry::report::Entry;
use std::mem;
use std::panic::Location;
use std::ptr;
use std::task::Waker;

/// The body's place among the children: it is the first to have a seat.
pub(super) const BODY: u32 = 0;

pub(super) struct Control {
    pub(super) id: NurseryId,
    pub(super) policy: Policy,
    pub(super) name: Option<Box<str>>,
    /// There may be something else than children that come and end: see invariant 5.
    stirred: AtomicBool,
    /// It admits no child, or into places that were reserved before alone.
    closed: AtomicBool,
    /// Why all of it is cancelled.
    cancel: GlobalOnce<Reason>,
    /// There may be a child in the inbox.
    news: AtomicBool,
    /// The children that were admitted. It is changed under the lock of the inbox.
    pub(super) came: AtomicUsize,
    /// Those of them that are home. It is changed by the scope's future.
    left: AtomicUsize,
    pub(super) refused: AtomicUsize,
    /// Which thread polls the scope's future: [`this_thread`], or 0.
    pub(super) polling: AtomicUsize,
    /// The blocks in which a child is woken, from elsewhere.
    pub(super) woken: Line,
    /// The same, by the thread that polls.
    pub(super) here: Line,
    /// The blocks with seats that are freed.
    pub(super) freed: Line,
    /// What wakes the scope's future, while that waits.
    waker: Guarded<Option<Foreign<Waker>>>,
    /// Failures that were left to joiners, which did not take them.
    handed_in: Guarded<Vec<Entry>>,
    limits: Limits,
    idlers: Idlers,
    pub(super) blocks: Guarded<Blocks>,
}

/// The first block in a line that was taken.
pub(super) struct Woken(pub(super) Option<u32>);

thread_local! {
    static HERE: u8 = const { 0 };
}

/// Returns a number that no other thread has meanwhile: where it keeps a byte.
#[inline]
pub(super) fn this_thread() -> usize {
    HERE.with(|here| ptr::from_ref(here).addr())
}

impl Control {
    pub(super) fn new(policy: Policy, name: Option<Box<str>>, limits: Limits) -> Control {
        Control {
            id: NurseryId::next(),
            policy,
            name,
            stirred: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            cancel: GlobalOnce::new(),
            news: AtomicBool::new(false),
            came: AtomicUsize::new(0),
            left: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
            polling: AtomicUsize::new(0),
            woken: Line::new(),
            here: Line::new(),
            freed: Line::new(),
            waker: Guarded::new(None),
            handed_in: Guarded::new(Vec::new()),
            limits,
            idlers: Idlers::default(),
            blocks: Guarded::new(Blocks::new()),
        }
    }

    /// Returns the number of children that are not home, the new ones included.
    pub(super) fn members(&self) -> usize {
        // Relaxed, and in this order: a child leaves after it came, and more may come between.
        let left = self.left.load(Ordering::Relaxed);
        self.came.load(Ordering::Relaxed).saturating_sub(left)
    }

    /// Returns why it is cancelled.
    #[inline]
    pub(super) fn reason(&self) -> Option<&Reason> {
        self.cancel.get()
    }

    #[inline]
    pub(super) fn is_stirred(&self) -> bool {
        // Relaxed: what follows has orderings of its own.
        self.stirred.load(Ordering::Relaxed)
    }

    /// Says that what follows may be found.
    pub(super) fn stir(&self) {
        // Relaxed: it is ordered before what follows by the Release with which that is set.
        self.stirred.store(true, Ordering::Relaxed);
    }

    /// Says that it admits no child from here on, and wakes what waits for that.
    pub(super) fn close(&self) {
        // Release: pairs with `level`.
        self.closed.store(true, Ordering::Release);
        self.wake_waiters();
    }

    /// Cancels it. Returns `false` if it was cancelled before.
    pub(super) fn cancel(&self, reason: Reason) -> bool {
        self.stir();
        let first = self.cancel.set(reason).is_ok();
        if first {
            self.unpark().into_iter().for_each(Foreign::wake);
            self.wake_waiters();
        }
        first
    }

    /// Has the scope's future look into the inbox, where a child was put, under its lock.
    #[inline]
    pub(super) fn tell(&self) {
        // Relaxed: `take_news` comes before a hold of the lock. If that hold was before the
        // caller's, its store is seen here; if not, it sees the child.
        if self.news.load(Ordering::Relaxed) {
            return;
        }
        // AcqRel: pairs with `take_news`.
        if !self.news.swap(true, Ordering::AcqRel) {
            self.unpark().into_iter().for_each(Foreign::wake);
        }
    }

    /// Returns `true` if there may be a child in the inbox, where the caller looks after this.
    pub(super) fn take_news(&self) -> bool {
        // Acquire: pairs with `tell`. A plain load first, because mostly there are none.
        self.news.load(Ordering::Relaxed) && self.news.swap(false, Ordering::AcqRel)
    }

    // ---- wakes

    /// From here on the present thread polls the scope's future.
    pub(super) fn enter(&self) {
        // Relaxed: it is compared with by this thread alone; the others see that it is not theirs.
        self.polling.store(this_thread(), Ordering::Relaxed);
    }

    /// The poll is over, or about to call code that is no child's.
    pub(super) fn exit(&self) {
        self.polling.store(0, Ordering::Relaxed);
    }

    /// Takes the line of those that were woken from elsewhere, for `take_woken`. The caller looks for
    /// new children in between: then it knows the blocks of all in the line, since a child is put
    /// into the inbox, and shown, before its handle may wake it.
    pub(super) fn take_line(&self) -> Woken {
        Woken(self.woken.take())
    }

    /// Keeps the waker, unless there is something to do. The caller is the scope's future, and has
    /// seen that it is at this stage.
    pub(super) fn park(&self, waker: &Waker, seen: Stage) -> bool {
        let mut waker = Some(Foreign::cloned(waker));
        let (parked, _old) = self.waker.locked(|kept| {
            // Relaxed: what was set before the lock was taken is seen.
            let news = self.news.load(Ordering::Relaxed);
            let woken = !self.woken.is_empty() || !self.here.is_empty();
            if news || woken || self.stage() != seen {
                return (false, None);
            }
            (true, mem::replace(kept, waker.take()))
        });
        parked
    }

    /// Takes the waker: the scope's future is polled, or is about to be woken.
    #[must_use = "it is woken, or dropped where no lock is held"]
    pub(super) fn unpark(&self) -> Option<Foreign<Waker>> {
        self.waker.locked(Option::take)
    }

    pub(super) fn hand_in(&self, entry: Entry) {
        self.handed_in.locked(|entries| entries.push(entry));
    }

    pub(super) fn take_handed_in(&self) -> Vec<Entry> {
        self.handed_in.locked(mem::take)
    }
}

/// What is known of a child, or of the body, where it is reached from elsewhere.
pub(super) struct Life {
    /// 0: it is the body.
    pub(super) number: u64,
    pub(super) name: Option<Box<str>>,
    pub(super) place: &'static Location<'static>,
    pub(super) cancel: GlobalOnce<Reason>,
    pub(super) aborted: AtomicBool,
}

impl Life {
    /// `number` is the child's, from 1 on, or 0 for the body.
    pub(super) fn new(
        number: u64,
        name: Option<Box<str>>,
        place: &'static Location<'static>,
    ) -> Life {
        Life { number, name, place, cancel: GlobalOnce::new(), aborted: AtomicBool::new(false) }
    }
}
