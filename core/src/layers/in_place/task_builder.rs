//! What a child of a scope is spawned with, besides its future: a name.

use super::child::ScopeChild;
use super::control::Core;
use super::handle::Scope;
use super::join::JoinCell;
use super::mode::{Local, Mode, Sendable};
use super::task::{Forked, Gone, Spawned as Task};
use crate::layers::base::reason::Reason;
use crate::layers::base::sync::Arc;
use crate::layers::nursery::spawned::Spawned;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;

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
    fn admit(
        self,
        task: Pin<Box<M::Task<'a>>>,
        join: Option<Arc<M::Join<'a>>>,
    ) -> Result<Arc<Core>, Reason> {
        self.scope.shared().admit(task, join, self.name, Location::caller())
    }

    #[track_caller]
    fn unjoined(self, task: Pin<Box<M::Task<'a>>>) -> Spawned {
        let admitted = self.admit(task, None);
        Spawned::new(admitted.map(|core| core.id.expect("a child has an id")))
    }

    #[track_caller]
    fn joined<T>(
        self,
        task: Pin<Box<M::Task<'a>>>,
        cell: Arc<JoinCell<T>>,
        join: Arc<M::Join<'a>>,
    ) -> ScopeChild<T, E> {
        let (view, name) = (self.scope.view(), self.name.clone());
        match self.admit(task, Some(join)) {
            Ok(core) => ScopeChild::admitted(core, cell, view),
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
        self.unjoined(Box::pin(Task::new(future)))
    }

    /// Spawns the child: see [`Scope::go`].
    #[track_caller]
    pub fn go<F>(self, future: F) -> Spawned
    where
        F: Future<Output = ()> + Send + 'a,
    {
        self.unjoined(Box::pin(Gone::new(future)))
    }

    /// Spawns the child: see [`Scope::fork`].
    #[track_caller]
    pub fn fork<T, F>(self, future: F) -> ScopeChild<T, E>
    where
        F: Future<Output = Result<T, E>> + Send + 'a,
        T: Send + 'a,
    {
        let cell = JoinCell::new();
        self.joined(Box::pin(Forked::new(future, cell.clone())), cell.clone(), cell)
    }
}

impl<'a, E: Send + Sync + 'static> ScopeTask<'_, 'a, E, Local> {
    /// Spawns the child: see [`Scope::spawn`].
    #[track_caller]
    pub fn spawn<F>(self, future: F) -> Spawned
    where
        F: Future<Output = Result<(), E>> + 'a,
    {
        self.unjoined(Box::pin(Task::new(future)))
    }

    /// Spawns the child: see [`Scope::go`].
    #[track_caller]
    pub fn go<F>(self, future: F) -> Spawned
    where
        F: Future<Output = ()> + 'a,
    {
        self.unjoined(Box::pin(Gone::new(future)))
    }

    /// Spawns the child: see [`Scope::fork`].
    #[track_caller]
    pub fn fork<T, F>(self, future: F) -> ScopeChild<T, E>
    where
        F: Future<Output = Result<T, E>> + 'a,
        T: 'a,
    {
        let cell = JoinCell::new();
        self.joined(Box::pin(Forked::new(future, cell.clone())), cell.clone(), cell)
    }
}

impl<E, M: Mode> fmt::Debug for ScopeTask<'_, '_, E, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopeTask").field("name", &self.name).finish_non_exhaustive()
    }
}
