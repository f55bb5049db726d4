//! The shared state of a nursery: its place in the tree, its level, and its members.
//!
//! A group is what a nursery's future, its handles and its carriers point to. Nurseries form a
//! tree: a nursery that is opened inside a task or body is nested in that task's nursery and stays
//! in its list until nobody is left in it, even if its own future was dropped half-way. That is
//! all there is to adoption: nothing moves, the ancestor just cannot close before.
//!
//! # Invariants
//!
//! 1. `level` changes under the lock and only rises. `reason` is set with the first rise to
//!    Cancelled and never changes.
//! 2. `occupied` is true from the first member or nested nursery until nobody is left; it changes
//!    under the lock.
//! 3. A group is closed once: by its future when it finds nobody left, or, if that was dropped, by
//!    the last to leave. It is unlisted from its parent right after.
//!
//! # Lock order
//!
//! One lock at a time: a parent's lock is never held with a child's. Wakers, hooks, destructors of
//! the user's and calls to the runtime run with no lock held.

mod apart;
mod bell;
mod blocking;
mod carrier;
pub(crate) mod clock;
mod close;
pub(crate) mod drive;
pub(crate) mod finale;
mod leave;
mod lose;
mod overdue;
pub(crate) mod registry;
pub(crate) mod report;
mod reserves;
pub(crate) mod roll;
mod shelter;
pub(crate) mod stray;
pub(crate) mod sweep;
pub(crate) mod token;
mod vacate;

use crate::builder::{PanicPolicy, Policy};
use crate::cancel::CancelToken;
use crate::id::{NurseryId, TaskId};
use crate::limit::Semaphore;
use crate::outcome::Ending;
use crate::panic::{self, Panic};
use crate::reason::{Level, Reason, ReasonKind};
use crate::record::{Claimed, Ended, Fresh, Header, Stack};
use crate::scope;
use crate::scope::term::Term;
use crate::slot::lending;
use crate::sync::{Arc, AtomicBool, AtomicU8, Mutex, MutexGuard, Ordering, Weak};
use crate::value::Values;
use allhome_rt::Runtime;
use clock::When;
use registry::{Owner, Phase, Registry};
use std::panic::Location;
use std::time::Duration;

pub(crate) type Hook = Arc<dyn Fn(&Panic) + Send + Sync>;

/// What a nursery is opened with.
pub(crate) struct Config {
    pub(crate) name: Option<Box<str>>,
    pub(crate) place: &'static Location<'static>,
    pub(crate) policy: Policy,
    pub(crate) panics: PanicPolicy,
    pub(crate) on_panic: Option<Hook>,
    pub(crate) keep: usize,
    pub(crate) deadline: Option<When>,
    /// When the deadline has passed, the body stays, and gets what the children had.
    pub(crate) partial: bool,
    pub(crate) grace: Option<Duration>,
    pub(crate) token: Option<CancelToken>,
    pub(crate) blocking_limit: usize,
    pub(crate) limiter: Option<Arc<Semaphore>>,
    pub(crate) stuck_after: Option<Duration>,
}

pub(crate) struct Group {
    me: Weak<Group>,
    pub(crate) id: NurseryId,
    pub(crate) config: Config,
    pub(crate) runtime: Runtime,
    pub(crate) occupied: AtomicBool,
    /// Set when there is something to wait for in the registry's clock.
    pub(crate) timed: AtomicBool,
    /// Set while the body is left out of the cancel.
    body_stays: AtomicBool,
    /// The cancel of what it was opened in is kept away.
    pub(crate) shielded: bool,
    /// It was opened in a task that has a slot of the same limiter, to lend it.
    lends: bool,
    /// The deadlines of the scopes that it was opened in.
    terms: Box<[Arc<Term>]>,
    /// A deadline may hold here: its own, or one of what it is in. Never unset.
    limited: AtomicBool,
    pub(crate) values: Option<Arc<Values>>,
    level: AtomicU8,
    /// The level that somebody is raising it to: see `risen`.
    rising: AtomicU8,
    woken: Stack,
    registry: Mutex<Registry>,
}

impl Group {
    /// Opens a group inside its parent, whose cancel it takes over if there was one.
    pub(crate) fn open(
        mut config: Config,
        runtime: Runtime,
        parent: Option<(Arc<Group>, Owner)>,
    ) -> Arc<Group> {
        let around = scope::around();
        if let (None, Some((parent, _))) = (config.grace, &parent) {
            config.grace = parent.config.grace;
        }
        let token = config.token.take();
        let group = Arc::new_cyclic(|me| Group {
            me: me.clone(),
            id: NurseryId::next(),
            runtime,
            occupied: AtomicBool::new(false),
            timed: AtomicBool::new(false),
            body_stays: AtomicBool::new(false),
            shielded: around.shielded,
            lends: config.limiter.as_ref().is_some_and(|limiter| {
                lending::seat(|seat| seat.is_some_and(|seat| seat.is_of(limiter)))
            }),
            limited: AtomicBool::new(!around.terms.is_empty()),
            terms: around.terms.into(),
            values: crate::value::here(),
            level: AtomicU8::new(Level::Running as u8),
            rising: AtomicU8::new(Level::Running as u8),
            woken: Stack::new(),
            registry: Mutex::new(Registry::new(config.keep, None)),
            config,
        });
        if let Some((parent, owner)) = parent {
            let (key, level, reason, rolls) = {
                let mut registry = parent.lock();
                parent.occupied.store(true, Ordering::Relaxed);
                let key = registry.nest(group.clone(), owner);
                group.inherit_limit(&parent);
                (key, parent.level(), registry.reason_for(owner), registry.rolls.clone())
            };
            {
                let mut registry = group.lock();
                registry.parent = Some((parent, key));
                registry.rolls = rolls;
            }
            if let Some(reason) = reason.filter(|_| !group.shielded) {
                group.raise_tree(level.max(Level::Cancelled), &reason);
            }
        }
        if let Some(token) = token {
            group.hang_on(&token);
        }
        if around.scoped {
            scope::enroll(&group);
        }
        if let Some(token) = around.token {
            group.link_to(&token);
        }
        group.start_clock();
        group
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock()
    }

    /// Returns where those wait who were woken and are not queued yet.
    pub(crate) fn woken(&self) -> &Stack {
        &self.woken
    }

    pub(crate) fn arc(&self) -> Option<Arc<Group>> {
        self.me.upgrade()
    }

    pub(crate) fn level(&self) -> Level {
        // Acquire: pairs with `raise`: whoever sees it finds the token raised, too.
        Level::from_u8(self.level.load(Ordering::Acquire))
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.level() >= Level::Cancelled
    }

    pub(crate) fn task_id(&self, header: &Header) -> TaskId {
        TaskId { nursery: self.id, number: header.number() }
    }

    // ---- admission

    /// Admits a child, to be taken by the next carrier.
    ///
    /// If the nursery takes no more, the future is dropped unpolled, and the reason comes back.
    pub(crate) fn admit(self: &Arc<Self>, fresh: Fresh) -> Result<TaskId, Reason> {
        if self.runtime.keeps_tasks_apart() {
            return self.admit_apart(fresh);
        }
        let mut registry = self.gate()?;
        let number = registry.admit(self, fresh);
        self.occupy(registry);
        Ok(TaskId { nursery: self.id, number })
    }

    /// Gives the lock to somebody who is going to admit a child, or says why not.
    fn gate(&self) -> Result<MutexGuard<'_, Registry>, Reason> {
        let registry = self.lock();
        match self.refusal(&registry) {
            None => Ok(registry),
            Some(reason) => Err(reason),
        }
    }

    /// Sees to what follows from an admission.
    fn occupy(&self, mut registry: MutexGuard<'_, Registry>) {
        if registry.count() == 1 {
            self.occupied.store(true, Ordering::Relaxed);
            if self.lends {
                // It looks whether there is somebody to lend a slot to when it waits.
                let lender = registry.run_waker.take();
                self.launch_wanted(registry);
                lender.into_iter().for_each(panic::wake);
                return;
            }
        }
        self.launch_wanted(registry);
    }

    fn refusal(&self, registry: &Registry) -> Option<Reason> {
        if self.risen() == Level::Running && registry.phase != Phase::Closed {
            return None;
        }
        Some(self.closed(registry))
    }

    /// Says why nothing is taken any more.
    fn closed(&self, registry: &Registry) -> Reason {
        self.risen_reason(registry).unwrap_or_else(|| {
            let message = match &self.config.name {
                Some(name) => format!("nursery `{name}`"),
                None => format!("nursery {}", self.id),
            };
            Reason::of(ReasonKind::Closed, message, None, self.config.place)
        })
    }

    /// Takes no more children from now on. Returns false if that was so already.
    pub(crate) fn close(&self) -> bool {
        let mut registry = self.lock();
        if self.level() != Level::Running {
            return false;
        }
        self.level.store(Level::Draining as u8, Ordering::Relaxed);
        let token = registry.tokens.own();
        let reason = token.as_ref().map(|_| self.closed(&registry));
        let home = std::mem::take(&mut registry.home_wakers);
        drop(registry);
        if let (Some(token), Some(reason)) = (token, reason) {
            token.raise(Level::Draining, reason);
        }
        home.into_iter().for_each(panic::wake);
        self.wake_reserves();
        true
    }

    // ---- the end of a child

    /// Destroys the future in the child's own context.
    pub(crate) fn end(&self, claimed: &mut Claimed, ending: Ending) -> Ended {
        let ptr = claimed.ptr();
        let id = self.task_id(claimed.header());
        crate::context::enter(self, Some(ptr), || claimed.end(id, ending))
    }

    pub(crate) fn hook(&self, ended: &Ended) {
        if let Ending::Panicked(panic) = &ended.ending {
            self.call_hook(panic);
        }
        if let Some(panic) = &ended.second {
            self.call_hook(panic);
        }
    }

    fn call_hook(&self, panic: &Panic) {
        if let Some(hook) = &self.config.on_panic {
            if let Err(payload) = panic::catch(|| hook(panic)) {
                panic::discard(payload);
            }
        }
        if self.config.panics == PanicPolicy::Abort {
            eprintln!("allhome: {panic} ({}); aborting, as the nursery asks", panic.place());
            std::process::abort();
        }
    }
}

/// Says in a few words what a failure was, for the reason of the cancel that follows from it.
pub(crate) fn describe(ending: &Ending) -> String {
    match ending {
        Ending::Ok | Ending::Cancelled(_) => String::new(),
        Ending::Err(_) => "returned an error".to_string(),
        Ending::Panicked(panic) => panic.to_string(),
        Ending::Lost => "the runtime threw it away".to_string(),
        Ending::Stuck => "blocks its thread still".to_string(),
    }
}
