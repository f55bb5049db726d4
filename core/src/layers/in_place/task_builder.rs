//! What a child of a scope is spawned with, besides its future: a name.

use super::child::ScopeChild;
use super::handle::Scope;
use super::inbox::Admitted;
use super::join::JoinCell;
use super::mode::Mode;
use super::placed::{Piece, Placed};
use super::task::{Forked, Gone, Spawned as Task};
use crate::layers::base::mode::{Local, Sendable};
use crate::layers::base::reason::Reason;
use crate::layers::base::sync::Arc;
use crate::layers::nursery::spawned::Spawned;
use std::fmt;
use std::future::Future;
use std::panic::Location;

/// Spawns a child of a [`Scope`] with a name: what [`Scope::task`] returns.
#[must_use = "it does nothing until a child is spawned with it"]
pub struct ScopeTask<'s, 'a, E, M: Mode = Sendable> {
    scope: &'s Scope<'a, E, M>,
    name: Option<Box<str>>,
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

impl<'s, 'a, E: Send + Sync + 'static, M: Mode> ScopeTask<'s, 'a, E, M> {
    fn new(scope: &'s Scope<'a, E, M>, name: Option<Box<str>>) -> Self {
        ScopeTask { scope, name }
    }

    #[track_caller]
    fn admit<F>(
        self,
        task: F,
        place_at: impl Fn(Option<Piece>, F) -> Placed<'a, M>,
        join: Option<Arc<M::Join<'a>>>,
    ) -> Result<Admitted, Reason> {
        self.scope.shared().admit(task, place_at, join, self.name, Location::caller())
    }

    #[track_caller]
    fn unjoined<F>(self, task: F, place_at: impl Fn(Option<Piece>, F) -> Placed<'a, M>) -> Spawned {
        let admitted = self.admit(task, place_at, None);
        Spawned::new(admitted.map(|child| child.id))
    }

    #[track_caller]
    fn joined<T, F>(
        self,
        task: F,
        place_at: impl Fn(Option<Piece>, F) -> Placed<'a, M>,
        cell: Arc<JoinCell<T>>,
        join: Arc<M::Join<'a>>,
    ) -> ScopeChild<T, E> {
        let (view, name) = (self.scope.view(), self.name.clone());
        match self.admit(task, place_at, Some(join)) {
            Ok(child) => {
                let reach = child.reach.expect("a child that is joined has one");
                ScopeChild::admitted(reach, cell, view)
            }
            Err(reason) => ScopeChild::refused(reason, name, view),
        }
    }
}

impl<'a, E: Send + Sync + 'static> ScopeTask<'_, 'a, E, Sendable> {
    /// Spawns the child: see [`Scope::spawn`].
    #[track_caller]
    pub fn spawn<F>(self, future: F) -> Spawned
    where
        F: Future<Output = Result<(), E>> + Send + 'a,
    {
        self.unjoined(Task::new(future), Placed::sendable)
    }

    /// Spawns the child: see [`Scope::go`].
    #[track_caller]
    pub fn go<F>(self, future: F) -> Spawned
    where
        F: Future<Output = ()> + Send + 'a,
    {
        self.unjoined(Gone::new(future), Placed::sendable)
    }

    /// Spawns the child: see [`Scope::fork`].
    #[track_caller]
    pub fn fork<T, F>(self, future: F) -> ScopeChild<T, E>
    where
        F: Future<Output = Result<T, E>> + Send + 'a,
        T: Send + 'a,
    {
        let cell = JoinCell::new();
        self.joined(Forked::new(future, cell.clone()), Placed::sendable, cell.clone(), cell)
    }
}

impl<'a, E: Send + Sync + 'static> ScopeTask<'_, 'a, E, Local> {
    /// Spawns the child: see [`Scope::spawn`].
    #[track_caller]
    pub fn spawn<F>(self, future: F) -> Spawned
    where
        F: Future<Output = Result<(), E>> + 'a,
    {
        self.unjoined(Task::new(future), Placed::local)
    }

    /// Spawns the child: see [`Scope::go`].
    #[track_caller]
    pub fn go<F>(self, future: F) -> Spawned
    where
        F: Future<Output = ()> + 'a,
    {
        self.unjoined(Gone::new(future), Placed::local)
    }

    /// Spawns the child: see [`Scope::fork`].
    #[track_caller]
    pub fn fork<T, F>(self, future: F) -> ScopeChild<T, E>
    where
        F: Future<Output = Result<T, E>> + 'a,
        T: 'a,
    {
        let cell = JoinCell::new();
        self.joined(Forked::new(future, cell.clone()), Placed::local, cell.clone(), cell)
    }
}

impl<E, M: Mode> fmt::Debug for ScopeTask<'_, '_, E, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopeTask").field("name", &self.name).finish_non_exhaustive()
    }
}
