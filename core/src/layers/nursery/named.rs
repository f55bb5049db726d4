//! Spawning children that have a name.

use super::Nursery;
use super::blocking::{BlockingCx, BoxedWork};
use super::child::{Child, Spawned};
use crate::layers::base::big::{BoxedFuture, is_big};
use std::fmt;
use std::future::Future;
use std::panic::Location;

/// A nursery's handle with a name for the next child; made by [`Nursery::named`].
#[must_use = "a name does nothing until a child is spawned with it"]
pub struct Named<'a, E> {
    nursery: &'a Nursery<E>,
    name: Box<str>,
}

impl<E: Send + Sync + 'static> Nursery<E> {
    /// Names the next child, for errors and dumps: `n.named("reader").spawn(..)`.
    pub fn named(&self, name: impl Into<String>) -> Named<'_, E> {
        Named::new(self, name.into().into_boxed_str())
    }
}

impl<'a, E: Send + Sync + 'static> Named<'a, E> {
    pub(crate) fn new(nursery: &'a Nursery<E>, name: Box<str>) -> Named<'a, E> {
        Named { nursery, name }
    }

    /// As [`Nursery::spawn`].
    #[track_caller]
    pub fn spawn<F>(self, future: F) -> Spawned
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
    {
        if const { is_big::<F>() } {
            let future: BoxedFuture<(), E> = Box::pin(future);
            return self.nursery.spawn_named(future, Some(self.name), Location::caller());
        }
        self.nursery.spawn_named(future, Some(self.name), Location::caller())
    }

    /// As [`Nursery::fork`].
    #[track_caller]
    pub fn fork<T, F>(self, future: F) -> Child<T, E>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        if const { is_big::<F>() } {
            let future: BoxedFuture<T, E> = Box::pin(future);
            return self.nursery.fork_named(future, Some(self.name), Location::caller());
        }
        self.nursery.fork_named(future, Some(self.name), Location::caller())
    }

    /// As [`Nursery::fork_with`].
    #[track_caller]
    pub fn fork_with<T, F, Fut>(self, f: F) -> Child<T, E>
    where
        F: FnOnce(Nursery<E>) -> Fut,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        let nursery = self.nursery.clone();
        if const { is_big::<Fut>() } {
            let future: BoxedFuture<T, E> = Box::pin(f(nursery));
            return self.nursery.fork_named(future, Some(self.name), Location::caller());
        }
        self.nursery.fork_named(f(nursery), Some(self.name), Location::caller())
    }

    /// As [`Nursery::blocking`].
    #[track_caller]
    pub fn blocking<T, F>(self, work: F) -> Child<T, E>
    where
        F: FnOnce(&BlockingCx) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
    {
        if const { is_big::<F>() } {
            let work: BoxedWork<T, E> = Box::new(work);
            return self.nursery.blocking_named(work, Some(self.name), Location::caller());
        }
        self.nursery.blocking_named(work, Some(self.name), Location::caller())
    }
}

impl<E> fmt::Debug for Named<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Named").field("name", &self.name).finish_non_exhaustive()
    }
}
