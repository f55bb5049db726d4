//! The shared state of a nursery: its place in the tree, its level, and its members.
//!
//! A group is what a nursery's future, its handles and its carriers point to. Nurseries form a
//! tree: a nursery that is opened inside a task or body is nested in that task's nursery and stays
//! in its list until it is vacant, even if its own future was dropped before its end. That is all
//! there is to adoption: nothing moves, the ancestor just cannot close before.
//!
//! | reference | what has one                                                             |
//! |-----------|--------------------------------------------------------------------------|
//! | strong    | the nursery's future, its handles, and the group itself while it is occupied |
//! | weak      | carriers, tokens, scopes, shields, joiners; a parent its nested groups, and they their parent |
//!
//! A weak reference keeps the group's state and its lock; a strong one keeps the [`Env`] too, which
//! is what the user handed in. So a carrier that a runtime still has in a queue keeps nothing of
//! the user's.
//!
//! # Invariants
//!
//! 1. `level` changes under the lock and only rises. `reason` is set with the first rise to
//!    Cancelled and never changes.
//! 2. The group is *occupied* from its first member or nested nursery until it is vacant. Exactly
//!    then `Registry::own` holds a strong reference to the group itself. It changes under the lock,
//!    and `occupied` with it. So a group outlives its members: a thread that holds the claim of a
//!    member knows that the group, and its `Env`, are there.
//! 3. A group is closed once: by its future when it finds the group vacant, or, if that was
//!    dropped, by the last to leave. It is unlisted from its parent right after. In the phases Body
//!    and Joining its future holds a strong reference, and takes it out of those phases with the
//!    reference in hand.
//!
//! # Lock order
//!
//! One lock at a time: a parent's lock is never held with a child's. Wakers, hooks, destructors of
//! the user's and calls to the runtime run with no lock held: what is the user's leaves the
//! registry as a [`Foreign`].

pub(crate) mod admit;
mod blocking;
pub(crate) mod body_watch;
mod cancel;
mod carrier;
mod clock;
mod close;
pub(crate) mod config;
mod dedicated;
pub(crate) mod echo;
mod env;
pub(crate) mod failure_info;
pub(crate) mod finalizers;
mod finish;
pub(crate) mod hooks;
mod host;
mod inside;
pub(crate) mod no_value;
mod overdue;
pub(crate) mod own_thread;
mod poll;
pub(crate) mod registry;
pub(crate) mod roots;
mod shields;
mod slot_waiters;
mod stragglers;
mod timer;
mod token;
mod turn;
mod turns;
mod vacant;
pub(crate) mod walk;

use crate::layers::base::counted::{Counted, Me, Strong, Weak};
use crate::layers::base::guarded::{Foreign, Guarded};
use crate::layers::base::id::{NurseryId, TaskId};
use crate::layers::base::outcome::Ending;
use crate::layers::base::panic;
use crate::layers::base::reason::{Level, Reason};
use crate::layers::base::stacks::armed::Seen;
use crate::layers::base::sync::{Arc, AtomicBool, AtomicU8, GlobalOnce, Ordering, panicking};
use crate::layers::base::who::Who;
use crate::layers::context;
use crate::layers::context::scope::{self, Around};
use crate::layers::context::term::Term;
use crate::layers::record::{Claimed, Ended, Header, Stack};
use allhome_rt::Runtime;
use config::Config;
use env::Env;
use own_thread::{OwnThread, Post};
use registry::{Launch, OpenedBy, Registry};
use std::mem;

pub(crate) struct Group {
    me: Me<Group>,
    pub(crate) id: NurseryId,
    pub(crate) config: Config,
    /// How many tasks the runtime polls at once.
    width: usize,
    /// The runtime wants each child to be a task of its own.
    task_per_child: bool,
    pub(crate) occupied: AtomicBool,
    /// The wakers of its tasks are counted, because it is guarded: none has a task of the runtime for
    /// its own.
    counted: bool,
    /// The clock of its runtime is virtual.
    is_virtual: bool,
    /// The tick of its opening.
    pub(crate) opened: u32,
    /// Its body is being polled.
    pub(crate) body_polled: AtomicBool,
    /// Set when there is something to wait for in the registry's clock.
    pub(crate) timed: AtomicBool,
    /// Set while the body is left out of the cancel.
    body_stays: AtomicBool,
    /// The cancel of what it was opened in is kept away.
    pub(crate) shielded: bool,
    /// It has a limiter.
    bounded: bool,
    /// It was opened in a task that has a slot of the same limiter, to lend it.
    lends: bool,
    /// The deadlines of the scopes that it was opened in.
    terms: Box<[Arc<Term>]>,
    /// Which polls of its tasks and its body are looked at.
    pub(crate) seen: Seen,
    /// Its place among the roots, if it is one.
    root: GlobalOnce<usize>,
    /// A deadline may hold here: its own, or one of what it is in. Never unset.
    limited: AtomicBool,
    level: AtomicU8,
    /// The level that it is being raised to: see `requested_level`.
    requested: AtomicU8,
    /// What leads to its thread, if it is local.
    post: Option<Arc<Post>>,
    woken: Stack,
    registry: Guarded<Registry>,
}

impl Counted for Group {
    type Owned = Env;
}

impl Group {
    /// Opens a group inside its parent, whose cancel it takes over if there was one. `lends` says
    /// that the task has a slot of its limiter.
    ///
    /// If the parent takes no more, the reason comes back, with the group's name: nothing is left
    /// of it.
    pub(crate) fn open(
        mut config: Config,
        runtime: Runtime,
        own_thread: Option<OwnThread>,
        parent: Option<(Weak<Group>, OpenedBy)>,
        around: Around,
        lends: bool,
    ) -> Result<Strong<Group>, (Option<Box<str>>, Reason)> {
        let inherited =
            around.grace.or(parent.as_ref().and_then(|(parent, _)| parent.config.grace));
        config.grace = config.grace.or(inherited);
        let token = config.token.take();
        let limiter = config.limiter.take();
        let hooks = mem::take(&mut config.hooks);
        let around_seen = parent.as_ref().map(|(parent, _)| parent.seen);
        let (is_virtual, opened) = (runtime.timer().is_virtual(), clock::tick(runtime.timer()));
        // A simulation, which orders each child's polls, finds its deadlocks itself.
        let watched = config.watch.is_some() && !(is_virtual && runtime.task_per_child());
        let counted = watched || parent.as_ref().is_some_and(|(parent, _)| parent.counted);
        let group = Strong::new_cyclic(
            |me| Env::new(runtime, own_thread, limiter, hooks, me.weak()),
            |me, env| Group {
                woken: Stack::new(me.to_dyn()),
                me,
                id: NurseryId::next(),
                width: env.own_thread.as_ref().map_or(env.inherited.runtime.threads(), |_| 1),
                task_per_child: env.inherited.runtime.task_per_child() && !counted,
                counted,
                is_virtual,
                opened,
                body_polled: AtomicBool::new(false),
                post: env.own_thread.as_ref().map(|own| own.post().clone()),
                occupied: AtomicBool::new(false),
                timed: AtomicBool::new(false),
                body_stays: AtomicBool::new(false),
                shielded: around.shielded,
                bounded: env.limiter.is_some(),
                lends,
                seen: Seen::new(config.stacks, around_seen),
                root: GlobalOnce::new(),
                limited: AtomicBool::new(!around.terms.is_empty()),
                terms: around.terms.into(),
                level: AtomicU8::new(Level::Running as u8),
                requested: AtomicU8::new(Level::Running as u8),
                registry: Guarded::new(Registry::new(config.keep, config.forgets())),
                config,
            },
        );
        let opening = Opening(&group);
        match parent {
            // If it is refused, `opening` ends it.
            Some((parent, opener)) => group
                .nest_in(parent, opener)
                .map_err(|reason| (group.config.name.clone(), reason))?,
            None => drop(group.root.set(roots::add(group.weak()))),
        }
        if let Some(token) = token {
            group.hang_on(&token);
        }
        if around.scoped {
            scope::enroll(&*group);
        }
        if let Some(token) = around.token {
            group.link_to(&token);
        }
        group.start_clock();
        mem::forget(opening);
        Ok(group)
    }

    /// Puts it into its parent's list, or says why the parent takes no more: the look and the
    /// admission are one hold of the lock.
    fn nest_in(&self, parent: Weak<Group>, opener: OpenedBy) -> Result<(), Reason> {
        let admitted = parent.locked(|registry| {
            if let Some(refusal) = parent.refusal_inside(registry, opener) {
                return Err(refusal);
            }
            parent.occupy(registry);
            let key = registry.nested.insert(self.weak(), opener);
            self.inherit_limit(&parent);
            Ok((key, parent.level(), registry.cancel.reason_for(opener), registry.logs.all()))
        });
        let (key, level, reason, logs) = admitted.map_err(|refusal| refusal.reason(&parent))?;
        self.locked(|registry| {
            registry.parent = Some((parent, key));
            // One may have been called meanwhile, that is here and not in these.
            logs.iter().for_each(|log| registry.logs.insert(log));
        });
        if let Some(reason) = reason.filter(|_| !self.shielded) {
            self.raise_tree(level.max(Level::Cancelled), &reason);
        }
        Ok(())
    }

    /// Calls `f` with the registry while its lock is held.
    #[inline(always)]
    pub(crate) fn locked<R>(&self, f: impl FnOnce(&mut Registry) -> R) -> R {
        self.registry.locked(f)
    }

    /// As [`locked`](Group::locked), for a carrier between two children: it notes whether the lock
    /// was free.
    #[inline(always)]
    pub(super) fn locked_by_carrier<R>(&self, f: impl FnOnce(&mut Registry) -> R) -> R {
        self.registry.locked_noting(|registry, waited| {
            registry.carriers.note_lock(waited);
            f(registry)
        })
    }

    /// As [`locked`](Group::locked), and then sees that the carriers come that are wanted
    /// (invariants 1 to 3 of [`carrier`]).
    pub(crate) fn locked_then_launch<R>(&self, f: impl FnOnce(&mut Registry) -> R) -> R {
        let (result, launch) = self.locked(|registry| {
            let result = f(registry);
            (result, self.want(registry))
        });
        if !matches!(launch, Launch::None) {
            self.launch(launch);
            // The first may be kept for this thread alone.
            let second = self.locked(|registry| self.want(registry));
            self.launch(second);
        }
        result
    }

    /// Counts one more carrier if that is wanted for what waits. The caller holds the lock.
    #[inline]
    pub(crate) fn want(&self, registry: &mut Registry) -> Launch {
        registry.want(&self.woken, self.width)
    }

    /// Returns where those records wait that were woken and are not queued yet.
    pub(crate) fn woken(&self) -> &Stack {
        &self.woken
    }

    pub(crate) fn weak(&self) -> Weak<Group> {
        self.me.weak()
    }

    /// None if the nursery has ended and no handle of it is left.
    pub(crate) fn strong(&self) -> Option<Strong<Group>> {
        self.me.strong()
    }

    pub(crate) fn level(&self) -> Level {
        // Acquire: pairs with `raise`: a thread that sees it finds the token raised, too.
        Level::from_u8(self.level.load(Ordering::Acquire))
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.level() >= Level::Cancelled
    }

    pub(crate) fn task_id(&self, header: &Header) -> TaskId {
        TaskId { nursery: self.id, number: header.number() }
    }

    /// Takes no more children from now on. Returns false if that was so already.
    pub(crate) fn close(&self) -> bool {
        let closed = self.locked(|registry| {
            if self.level() != Level::Running {
                return None;
            }
            self.level.store(Level::Draining as u8, Ordering::Relaxed);
            let token = registry.cancel.tokens().own();
            let refusal = token.as_ref().map(|_| self.closed(registry));
            Some((token.zip(refusal), registry.home.take()))
        });
        let Some((token, home)) = closed else { return false };
        if let Some((token, refusal)) = token {
            token.escalate_to(Level::Draining, refusal.reason(self));
        }
        home.into_iter().for_each(Foreign::wake);
        self.wake_reserves();
        true
    }

    // ---- the end of a child

    /// Destroys the future in the child's own context.
    pub(crate) fn end(&self, claimed: &mut Claimed, ending: Ending) -> Ended {
        let ptr = claimed.ptr();
        let id = self.task_id(claimed.header());
        self.with_env(claimed, |claimed, env| {
            context::enter(self, &env.inherited, Some(ptr), || claimed.end(id, ending))
        })
    }

    /// Calls the hook for the panics of an end.
    #[inline]
    pub(crate) fn hook(&self, env: &Env, ended: &Ended) {
        env.hooks.hook(ended, self.config.aborts());
    }

    /// Calls the hook for a failure. No lock is held; a panic of the hook is dropped.
    pub(super) fn tell(&self, env: &Env, ending: &Ending, who: &Who) {
        env.hooks.tell(ending, who, self.config.view);
    }

    /// Calls the hook for each failure of an end.
    pub(super) fn tell_ended(&self, env: &Env, ended: &Ended, who: &Who) {
        env.hooks.tell_ended(ended, who, self.config.view);
    }
}

/// A group that is being opened, in which the runtime's clock is asked and tokens are raised. If
/// that panics, or its parent refuses it, it ends.
struct Opening<'a>(&'a Strong<Group>);

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        let abandoned = panic::catch(|| self.0.abandon(self.0.owned(), || ()));
        abandoned.unwrap_or_else(panic::discard);
    }
}

impl Drop for Group {
    /// Nothing points to it any more: invariant 2 says that it has no members.
    fn drop(&mut self) {
        if cfg!(any(debug_assertions, loom)) && !panicking() {
            self.locked(|registry| registry.assert_left());
            assert!(self.woken.is_empty(), "a group goes with a record on its stack");
        }
    }
}

/// Says in a few words what a failure was, for the reason of the cancel that follows from it.
pub(crate) fn describe(ending: &Ending) -> String {
    match ending {
        Ending::Ok | Ending::Cancelled(_) | Ending::Echo(_) => String::new(),
        Ending::NoValue(reason) => format!("needed a value, but {}", reason.message()),
        Ending::Err(_) => "returned an error".to_string(),
        Ending::Panicked(panic) => panic.to_string(),
        Ending::Lost => "the runtime threw it away".to_string(),
        Ending::Stuck => "blocks its thread still".to_string(),
        Ending::Deadlock(_) => "is in a deadlock".to_string(),
    }
}
