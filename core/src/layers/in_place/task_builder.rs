//! What a child of a scope is spawned with, besides its future: a name, and a place that was reserved.

use super::child::ScopeChild;
use super::handle::Scope;
use super::inbox::{Admission, Admitted};
use super::join::{self, Taker};
use super::mode::Mode;
use super::placed::{Pieces, Placed};
use super::task::{Forked, Gone, Spawned as Task};
use crate::layers::base::id::TaskId;
use crate::layers::base::mode::{Local, Sendable};
use crate::layers::base::reason::Reason;
use crate::layers::base::sync::Arc;
use crate::layers::lending::bounded::Bounded;
use crate::layers::limit::{OwnedPermit, Semaphore};
use crate::layers::nursery::reserve::place_wait::Place;
use crate::layers::nursery::spawned::{Refused, Spawned};
use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::panic::Location;

/// Spawns one child of a [`Scope`] with a name, or into a place that was reserved for it.
///
/// [`Scope::task`] makes one with a name. [`Scope::reserve`] and [`try_reserve`](Scope::try_reserve)
/// make one with a place. A place that is not used is given back when this is dropped.
#[must_use = "it does nothing until a child is spawned with it; a place is given back when it is dropped"]
pub struct ScopeTask<'s, 'a, E, M: Mode = Sendable> {
    // Before the scope: a place is given back first.
    place: Option<Place>,
    name: Option<Box<str>>,
    scope: Whose<'s, 'a, E, M>,
}

/// A scope's handle, borrowed or not.
enum Whose<'s, 'a, E, M: Mode> {
    Lent(&'s Scope<'a, E, M>),
    Own(Scope<'a, E, M>),
}

impl<'a, E, M: Mode> Deref for Whose<'_, 'a, E, M> {
    type Target = Scope<'a, E, M>;

    fn deref(&self) -> &Scope<'a, E, M> {
        match self {
            Whose::Lent(scope) => scope,
            Whose::Own(scope) => scope,
        }
    }
}

/// What a child of a scope with a limit has to pass.
enum Slot {
    Waits(Arc<Semaphore>),
    Has(Option<OwnedPermit>),
}

impl Slot {
    fn bind<F>(self, future: F) -> Bounded<F> {
        match self {
            Slot::Waits(limiter) => Bounded::outside(&limiter, future),
            Slot::Has(permit) => Bounded::with(permit, future),
        }
    }
}

impl<'a, E: Send + Sync + 'static, M: Mode> Scope<'a, E, M> {
    /// Names the child that is spawned next: errors show it.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Scope, block_on, scope};
    ///
    /// let run = scope().run(async |s: Scope<'_, String>| {
    ///     s.task("reader").spawn(async { Err("no such file".to_string()) });
    ///     Ok(())
    /// });
    /// assert_eq!(block_on(run).unwrap_err().first().name(), Some("reader"));
    /// # }
    /// ```
    pub fn task(&self, name: impl Into<String>) -> ScopeTask<'_, 'a, E, M> {
        ScopeTask::new(self, Some(name.into().into_boxed_str()))
    }

    /// Makes one without a name.
    pub(super) fn plain(&self) -> ScopeTask<'_, 'a, E, M> {
        ScopeTask::new(self, None)
    }
}

impl<'a, E: Send + Sync + 'static, M: Mode> ScopeTask<'a, 'a, E, M> {
    pub(super) fn reserved(scope: Scope<'a, E, M>, place: Place) -> Self {
        ScopeTask { place: Some(place), name: None, scope: Whose::Own(scope) }
    }
}

impl<'s, 'a, E: Send + Sync + 'static, M: Mode> ScopeTask<'s, 'a, E, M> {
    fn new(scope: &'s Scope<'a, E, M>, name: Option<Box<str>>) -> Self {
        ScopeTask { place: None, name, scope: Whose::Lent(scope) }
    }

    /// Names the child, for errors.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into().into_boxed_str());
        self
    }

    /// Returns the scope that the child is spawned into.
    pub fn scope(&self) -> &Scope<'a, E, M> {
        &self.scope
    }

    /// Returns what the child has to pass, if the scope has a limit, or it has a place.
    fn slot(&mut self) -> Option<Slot> {
        match &mut self.place {
            Some(place) => Some(Slot::Has(place.permit.take())),
            None => self.scope.limiter().map(|limiter| Slot::Waits(limiter.clone())),
        }
    }

    #[track_caller]
    fn how(&self) -> Admission {
        Admission { place: Location::caller(), reserved: self.place.is_some() }
    }

    /// Returns why the child is not admitted, if it would wait for a slot of a closed limiter.
    fn turned_away(&self) -> Option<Reason> {
        let limiter = self.scope.limiter().filter(|_| self.place.is_none())?;
        limiter.is_closed().then(|| self.scope.shared().control.no_slot())
    }

    #[track_caller]
    fn admit<F>(
        self,
        task: F,
        place_at: impl Fn(&mut Pieces, F) -> Placed<'a, M>,
        joined: bool,
    ) -> Result<Admitted, Reason> {
        if let Some(reason) = self.turned_away() {
            return Err(reason);
        }
        let how = self.how();
        self.scope.shared().admit(task, place_at, joined, self.name, how)
    }

    #[track_caller]
    fn unjoined<F>(self, task: F, place_at: impl Fn(&mut Pieces, F) -> Placed<'a, M>) -> Spawned {
        let admitted = self.admit(task, place_at, false);
        Spawned::new(admitted.map(|child| child.id))
    }

    #[track_caller]
    fn joined<T, F>(
        self,
        task: F,
        place_at: impl Fn(&mut Pieces, F) -> Placed<'a, M>,
        taker: Taker<T>,
    ) -> ScopeChild<T, E> {
        let (view, name) = (self.scope.view(), self.name.clone());
        match self.admit(task, place_at, true) {
            Ok(child) => {
                let reach = child.reach.expect("a child that is joined has one");
                ScopeChild::admitted(reach, taker, view)
            }
            Err(reason) => ScopeChild::refused(reason, name, view),
        }
    }

    #[track_caller]
    fn try_unjoined<F>(
        mut self,
        future: Box<F>,
        place_at: impl FnOnce(&mut Pieces, Option<Slot>, Box<F>) -> Placed<'a, M>,
    ) -> Result<TaskId, Refused<F>> {
        if let Some(reason) = self.turned_away() {
            return Err(Refused::new(future, reason));
        }
        let (how, slot) = (self.how(), self.slot());
        let place_at = |pieces: &mut Pieces, (slot, future)| place_at(pieces, slot, future);
        let shared = self.scope.shared();
        match shared.admit_made((slot, future), place_at, false, self.name, how) {
            Ok(child) => Ok(child.id),
            Err((reason, (_, future))) => Err(Refused::new(future, reason)),
        }
    }
}

impl<'a, E: Send + Sync + 'static> ScopeTask<'_, 'a, E, Sendable> {
    /// Spawns the child: see [`Scope::spawn`].
    #[track_caller]
    pub fn spawn<F>(mut self, future: F) -> Spawned
    where
        F: Future<Output = Result<(), E>> + Send + 'a,
    {
        match self.slot() {
            None => self.unjoined(Task::new(future), Placed::sendable),
            Some(slot) => self.unjoined(Task::new(slot.bind(future)), Placed::sendable),
        }
    }

    /// Spawns the child, and gives the future back if it is refused: see [`Scope::try_spawn`].
    ///
    /// # Errors
    ///
    /// Returns the future in a [`Refused`] if the scope takes no more children. The place, if there
    /// is one, is given back.
    #[track_caller]
    pub fn try_spawn<F>(self, future: F) -> Result<TaskId, Refused<F>>
    where
        F: Future<Output = Result<(), E>> + Send + 'a,
    {
        self.try_unjoined(Box::new(future), |pieces, slot, future| {
            let future = Box::into_pin(future);
            match slot {
                None => Placed::sendable(pieces, Task::new(future)),
                Some(slot) => Placed::sendable(pieces, Task::new(slot.bind(future))),
            }
        })
    }

    /// Spawns the child: see [`Scope::go`].
    #[track_caller]
    pub fn go<F>(mut self, future: F) -> Spawned
    where
        F: Future<Output = ()> + Send + 'a,
    {
        match self.slot() {
            None => self.unjoined(Gone::new(future), Placed::sendable),
            Some(slot) => self.unjoined(Gone::new(slot.bind(future)), Placed::sendable),
        }
    }

    /// Spawns the child: see [`Scope::fork`].
    #[track_caller]
    pub fn fork<T, F>(mut self, future: F) -> ScopeChild<T, E>
    where
        F: Future<Output = Result<T, E>> + Send + 'a,
        T: Send + 'a,
    {
        let ((giver, taker), slot) = (join::pair(), self.slot());
        match slot {
            None => {
                let task = Forked::new(future, giver);
                self.joined(task, Placed::sendable, taker)
            }
            Some(slot) => {
                let task = Forked::new(slot.bind(future), giver);
                self.joined(task, Placed::sendable, taker)
            }
        }
    }
}

impl<'a, E: Send + Sync + 'static> ScopeTask<'_, 'a, E, Local> {
    /// Spawns the child: see [`Scope::spawn`].
    #[track_caller]
    pub fn spawn<F>(mut self, future: F) -> Spawned
    where
        F: Future<Output = Result<(), E>> + 'a,
    {
        match self.slot() {
            None => self.unjoined(Task::new(future), Placed::local),
            Some(slot) => self.unjoined(Task::new(slot.bind(future)), Placed::local),
        }
    }

    /// Spawns the child, and gives the future back if it is refused: see [`Scope::try_spawn`].
    ///
    /// # Errors
    ///
    /// Returns the future in a [`Refused`] if the scope takes no more children. The place, if there
    /// is one, is given back.
    #[track_caller]
    pub fn try_spawn<F>(self, future: F) -> Result<TaskId, Refused<F>>
    where
        F: Future<Output = Result<(), E>> + 'a,
    {
        self.try_unjoined(Box::new(future), |pieces, slot, future| {
            let future = Box::into_pin(future);
            match slot {
                None => Placed::local(pieces, Task::new(future)),
                Some(slot) => Placed::local(pieces, Task::new(slot.bind(future))),
            }
        })
    }

    /// Spawns the child: see [`Scope::go`].
    #[track_caller]
    pub fn go<F>(mut self, future: F) -> Spawned
    where
        F: Future<Output = ()> + 'a,
    {
        match self.slot() {
            None => self.unjoined(Gone::new(future), Placed::local),
            Some(slot) => self.unjoined(Gone::new(slot.bind(future)), Placed::local),
        }
    }

    /// Spawns the child: see [`Scope::fork`].
    #[track_caller]
    pub fn fork<T, F>(mut self, future: F) -> ScopeChild<T, E>
    where
        F: Future<Output = Result<T, E>> + 'a,
        T: 'a,
    {
        let ((giver, taker), slot) = (join::pair(), self.slot());
        match slot {
            None => {
                let task = Forked::new(future, giver);
                self.joined(task, Placed::local, taker)
            }
            Some(slot) => {
                let task = Forked::new(slot.bind(future), giver);
                self.joined(task, Placed::local, taker)
            }
        }
    }
}

impl<E, M: Mode> fmt::Debug for ScopeTask<'_, '_, E, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopeTask")
            .field("name", &self.name)
            .field("reserved", &self.place.is_some())
            .finish_non_exhaustive()
    }
}
