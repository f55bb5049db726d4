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

mod blocking;
mod carrier;
mod drive;
mod leave;
mod lose;
pub(crate) mod registry;
pub(crate) mod report;
pub(crate) mod stray;
pub(crate) mod sweep;
mod vacate;

use crate::builder::{PanicPolicy, Policy};
use crate::id::{NurseryId, TaskId};
use crate::outcome::Ending;
use crate::panic::{self, Panic};
use crate::reason::{Level, Reason, ReasonKind};
use crate::record::{Claimed, Ended, Fresh, Header, Stack};
use crate::sync::{Arc, AtomicBool, AtomicU8, Mutex, MutexGuard, Ordering, Weak};
use allhome_rt::Runtime;
use registry::{Owner, Phase, Registry};
use report::{Report, Who};
use std::panic::Location;
use std::task::Waker;
use vacate::Vacated;

pub(crate) type Hook = Arc<dyn Fn(&Panic) + Send + Sync>;

/// What a nursery is opened with.
pub(crate) struct Config {
    pub(crate) name: Option<Box<str>>,
    pub(crate) place: &'static Location<'static>,
    pub(crate) policy: Policy,
    pub(crate) panics: PanicPolicy,
    pub(crate) on_panic: Option<Hook>,
    pub(crate) keep: usize,
}

pub(crate) struct Group {
    me: Weak<Group>,
    pub(crate) id: NurseryId,
    pub(crate) config: Config,
    pub(crate) runtime: Runtime,
    pub(crate) occupied: AtomicBool,
    level: AtomicU8,
    woken: Stack,
    registry: Mutex<Registry>,
}

impl Group {
    /// Opens a group inside its parent, whose cancel it takes over if there was one.
    pub(crate) fn open(
        config: Config,
        runtime: Runtime,
        parent: Option<(Arc<Group>, Owner)>,
    ) -> Arc<Group> {
        let group = Arc::new_cyclic(|me| Group {
            me: me.clone(),
            id: NurseryId::next(),
            runtime,
            occupied: AtomicBool::new(false),
            level: AtomicU8::new(Level::Running as u8),
            woken: Stack::new(),
            registry: Mutex::new(Registry::new(config.keep, None)),
            config,
        });
        if let Some((parent, owner)) = parent {
            let (key, level, reason) = {
                let mut registry = parent.lock();
                parent.occupied.store(true, Ordering::Relaxed);
                let key = registry.nest(group.clone(), owner);
                (key, parent.level(), registry.reason_for(owner))
            };
            group.lock().parent = Some((parent, key));
            if let Some(reason) = reason {
                group.raise_tree(level.max(Level::Cancelled), &reason);
            }
        }
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
        // Relaxed: a level; what belongs to it (the reason) is read under the lock.
        Level::from_u8(self.level.load(Ordering::Relaxed))
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
        let mut registry = self.gate()?;
        let number = registry.admit(self, fresh);
        self.occupy(&registry);
        self.launch_wanted(registry);
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

    fn occupy(&self, registry: &Registry) {
        if registry.count() == 1 {
            self.occupied.store(true, Ordering::Relaxed);
        }
    }

    fn refusal(&self, registry: &Registry) -> Option<Reason> {
        if self.level() == Level::Running && registry.phase != Phase::Closed {
            return None;
        }
        let closed = || {
            let message = match &self.config.name {
                Some(name) => format!("nursery `{name}`"),
                None => format!("nursery {}", self.id),
            };
            Reason::of(ReasonKind::Closed, message, None, self.config.place)
        };
        Some(registry.reason.clone().unwrap_or_else(closed))
    }

    /// Takes no more children from now on. Returns false if that was so already.
    pub(crate) fn close(&self) -> bool {
        let _registry = self.lock();
        let fresh = self.level() == Level::Running;
        if fresh {
            self.level.store(Level::Draining as u8, Ordering::Relaxed);
        }
        fresh
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

    // ---- the end of a nursery

    /// The body is gone, and this is how it ended if it failed.
    pub(crate) fn fail_body(&self, ending: Ending) {
        let who = Who { task: None, name: self.config.name.clone(), place: self.config.place };
        let message = describe(&ending);
        let ended = Ended { ending, second: None };
        self.hook(&ended);
        self.lock().report.note(ended, || who);
        if self.config.policy != Policy::WaitAll {
            let place = self.config.place;
            let reason = Reason::of(ReasonKind::BodyFailed, message, None, place);
            self.raise_tree(Level::Cancelled, &reason);
        }
    }

    /// A child failed: its siblings are cancelled, if that is the policy.
    pub(crate) fn child_failed(&self, who: &Who, message: String) {
        if self.config.policy == Policy::FailFast {
            let reason = Reason::of(ReasonKind::ChildFailed, message, who.task, who.place);
            self.raise_tree(Level::Cancelled, &reason);
        }
    }

    /// Closes the group if nobody is left; otherwise keeps the waker for when that is so.
    pub(crate) fn try_close(&self, waker: &Waker) -> Option<Report> {
        let waker = waker.clone();
        let (report, old, parked) = {
            let mut registry = self.lock();
            registry.phase = Phase::Joining;
            if registry.is_vacant() {
                registry.phase = Phase::Closed;
                let report = std::mem::replace(&mut registry.report, Report::new(1));
                (Some(report), registry.run_waker.take(), registry.unpark())
            } else {
                (None, registry.run_waker.replace(waker), None)
            }
        };
        panic::drop_waker(old);
        if let Some(parked) = parked {
            panic::wake(parked);
        }
        if report.is_some() {
            self.detach();
        }
        report
    }

    /// The nursery's future was dropped. Whoever is left is the ancestors' from now on.
    pub(crate) fn abandon(&self, drop_body: impl FnOnce()) {
        let place = self.config.place;
        let reason = Reason::of(ReasonKind::ScopeDropped, String::new(), None, place);
        self.raise_tree(Level::Aborted, &reason);
        if let Err(payload) = panic::catch(|| crate::context::enter(self, None, drop_body)) {
            self.fail_body(Ending::Panicked(self.body_panic(payload)));
        }
        if self.lock().parent.is_none() {
            // Listed first: the last task may leave, and take it off the list, at any moment.
            stray::add(self);
        }
        let (vacated, waker) = {
            let mut registry = self.lock();
            registry.phase = Phase::Dropped;
            let waker = registry.run_waker.take();
            (self.vacated(&mut registry), waker)
        };
        panic::drop_waker(waker);
        self.follow(vacated);
    }

    pub(crate) fn body_panic(&self, payload: panic::Payload) -> Panic {
        Panic::new(payload, None, self.config.name.as_deref(), self.config.place)
    }

    /// Takes a closed group out of its parent, and closes the ancestors that only waited for it.
    ///
    /// A loop, not a recursion: the chain may be thousands long.
    fn detach(&self) {
        let mut orphan = match self.arc() {
            Some(group) => group,
            None => return,
        };
        loop {
            let (parent, report) = {
                let mut registry = orphan.lock();
                let report = std::mem::replace(&mut registry.report, Report::new(1));
                (registry.parent.take(), report)
            };
            let Some((parent, key)) = parent else {
                stray::remove(&orphan);
                return;
            };
            let (nested, poke, vacated) = {
                let mut registry = parent.lock();
                let (nested, owner) = registry.unnest(key);
                registry.report.adopt(report);
                let poke = match owner {
                    Owner::Task(ptr) => registry.poke(ptr),
                    // A body that was cancelled may have waited for nothing but this.
                    Owner::Body if parent.is_cancelled() => registry.run_waker.take(),
                    Owner::Body | Owner::Nobody => None,
                };
                let vacated = parent.vacated(&mut registry);
                parent.launch_wanted(registry);
                (nested, poke, vacated)
            };
            drop(nested);
            if let Some(waker) = poke {
                panic::wake(waker);
            }
            let close = vacated.close;
            parent.follow(Vacated { close: false, ..vacated });
            if !close {
                return;
            }
            orphan = parent;
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
    }
}
