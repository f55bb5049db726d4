//! Admission of children in all their forms: with or without a handle, a slot, a thread.

use super::Nursery;
use super::blocking::{Blocking, BlockingCx};
use super::cannot_fail::CannotFail;
use super::child::Child;
use super::spawned::{Refused, Spawned};
use crate::layers::base::big::{BoxedFuture, is_big};
use crate::layers::base::id::TaskId;
use crate::layers::base::reason::Reason;
use crate::layers::base::stays::LocalFuture;
use crate::layers::base::sync::Arc;
use crate::layers::group::admit::Admission;
use crate::layers::lending::bounded::Bounded;
use crate::layers::limit::{OwnedPermit, Semaphore};
use crate::layers::record::Unadmitted;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;

type Name = Option<Box<str>>;
type CallSite = &'static Location<'static>;

impl<E: Send + Sync + 'static> Nursery<E> {
    #[inline]
    pub(crate) fn spawn_named<F>(&self, future: F, name: Name, location: CallSite) -> Spawned
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
    {
        match &self.group.owned().limiter {
            None => self.admit_spawned(future, name, location, Admission::Plain),
            Some(limiter) => self.spawn_outside(limiter, future, name, location),
        }
    }

    #[inline]
    pub(crate) fn fork_named<T, F>(&self, future: F, name: Name, location: CallSite) -> Child<T, E>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        match &self.group.owned().limiter {
            None => self.admit_forked(future, name, location, Admission::Plain),
            Some(limiter) => self.fork_outside(limiter, future, name, location),
        }
    }

    /// Spawns a child, from this place.
    #[inline]
    pub(crate) fn spawn_at<F>(&self, future: F, location: CallSite) -> Spawned
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
    {
        if const { is_big::<F>() } {
            let future: BoxedFuture<(), E> = Box::pin(future);
            return self.spawn_named(future, None, location);
        }
        self.spawn_named(future, None, location)
    }

    /// Spawns a child that gives a value and cannot fail.
    pub(crate) fn fork_sure<F>(&self, future: F, location: CallSite) -> Child<F::Output, E>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        if const { is_big::<F>() } {
            let future: Pin<Box<dyn Future<Output = F::Output> + Send>> = Box::pin(future);
            return self.fork_named(CannotFail::new(future), None, location);
        }
        self.fork_named(CannotFail::new(future), None, location)
    }

    #[cold]
    #[inline(never)]
    fn spawn_outside<F>(
        &self,
        limiter: &Arc<Semaphore>,
        future: F,
        name: Name,
        location: CallSite,
    ) -> Spawned
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
    {
        let future: BoxedFuture<(), E> = Box::pin(future);
        match self.turned_away(limiter) {
            None => {
                let future = Bounded::outside(limiter, future);
                self.admit_spawned(future, name, location, Admission::Plain)
            }
            Some(reason) => Spawned::new(Err(reason)),
        }
    }

    #[cold]
    #[inline(never)]
    fn fork_outside<T, F>(
        &self,
        limiter: &Arc<Semaphore>,
        future: F,
        name: Name,
        location: CallSite,
    ) -> Child<T, E>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        let future: BoxedFuture<T, E> = Box::pin(future);
        match self.turned_away(limiter) {
            None => {
                let future = Bounded::outside(limiter, future);
                self.admit_forked(future, name, location, Admission::Plain)
            }
            Some(reason) => Child::refused(reason, name, location),
        }
    }

    /// Admits a child of a local nursery, whose value need not be `Send`.
    pub(super) fn fork_local<T, F>(&self, future: F, name: Name, location: CallSite) -> Child<T, E>
    where
        F: Future<Output = Result<T, E>> + 'static,
        T: 'static,
    {
        let Some(limiter) = &self.group.owned().limiter else {
            return self.admit_local(future, name, location, Admission::Plain);
        };
        match self.turned_away(limiter) {
            None => {
                let future = Bounded::outside(limiter, future);
                self.admit_local(future, name, location, Admission::Plain)
            }
            Some(reason) => Child::refused(reason, name, location),
        }
    }

    pub(super) fn admit_local<T, F>(
        &self,
        future: F,
        name: Name,
        location: CallSite,
        how: Admission,
    ) -> Child<T, E>
    where
        F: Future<Output = Result<T, E>> + 'static,
        T: 'static,
    {
        let post = self.group.post().expect("a local nursery has a thread");
        let future = LocalFuture::new(future, post.mark());
        let (unadmitted, handle) = Unadmitted::with_local_handle(future, name, location);
        Child::new(&self.group, self.group.admit(unadmitted, how), handle)
    }

    /// Admits a child, or gives its future back.
    #[inline]
    pub(super) fn try_spawn_named<F>(
        &self,
        future: F,
        name: Name,
        location: CallSite,
    ) -> Result<TaskId, Refused<F>>
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
    {
        if self.group.owned().limiter.is_some() {
            return self.try_spawn_boxed(Box::new(future), name, location);
        }
        let admitted = self
            .group
            .admit_made(future, Admission::Plain, |future| Unadmitted::new(future, name, location));
        admitted.map_err(|(reason, future)| Refused::new(Box::new(future), reason))
    }

    /// Like [`try_spawn_named`](Nursery::try_spawn_named), for a big future, or one that waits for a
    /// place.
    pub(super) fn try_spawn_boxed<F>(
        &self,
        future: Box<F>,
        name: Name,
        location: CallSite,
    ) -> Result<TaskId, Refused<F>>
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
    {
        let limiter = self.group.owned().limiter.as_ref();
        if let Some(reason) = limiter.and_then(|limiter| self.turned_away(limiter)) {
            return Err(Refused::new(future, reason));
        }
        let admitted = self.group.admit_made(future, Admission::Plain, |future| {
            let future: BoxedFuture<(), E> = Box::into_pin(future);
            match limiter {
                None => Unadmitted::new(future, name, location),
                Some(limiter) => Unadmitted::new(Bounded::outside(limiter, future), name, location),
            }
        });
        admitted.map_err(|(reason, future)| Refused::new(future, reason))
    }

    /// Admits a child with its place, or gives its future back, and the place to others.
    pub(super) fn try_spawn_into<F>(
        &self,
        permit: Option<OwnedPermit>,
        future: Box<F>,
        name: Name,
        location: CallSite,
    ) -> Result<TaskId, Refused<F>>
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
    {
        let admitted =
            self.group.admit_made((permit, future), Admission::Reserved, |(permit, future)| {
                let future: BoxedFuture<(), E> = Box::into_pin(future);
                Unadmitted::new(Bounded::with(permit, future), name, location)
            });
        admitted.map_err(|(reason, (_, future))| Refused::new(future, reason))
    }

    /// Returns why the limiter admits no child, if it is closed.
    #[cold]
    fn turned_away(&self, limiter: &Arc<Semaphore>) -> Option<Reason> {
        limiter.is_closed().then(|| self.group.no_slot())
    }

    pub(crate) fn admit_spawned<F>(
        &self,
        future: F,
        name: Name,
        location: CallSite,
        how: Admission,
    ) -> Spawned
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
    {
        Spawned::new(self.group.admit(Unadmitted::new(future, name, location), how))
    }

    pub(crate) fn admit_forked<T, F>(
        &self,
        future: F,
        name: Name,
        location: CallSite,
        how: Admission,
    ) -> Child<T, E>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        let (unadmitted, handle) = Unadmitted::with_handle(future, name, location);
        Child::new(&self.group, self.group.admit(unadmitted, how), handle)
    }

    /// Admits blocking work, wrapped into a future of the kind that `wrap` makes.
    pub(crate) fn admit_blocking<T, F, W>(
        &self,
        work: F,
        wrap: impl FnOnce(Blocking<F>) -> W,
        (name, location): (Name, CallSite),
        how: Admission,
    ) -> Child<T, E>
    where
        F: FnOnce(&BlockingCx) -> Result<T, E> + Send + 'static,
        W: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        let (unadmitted, handle) =
            Unadmitted::with_handle(wrap(Blocking::new(work)), name, location);
        Child::new(&self.group, self.group.admit_blocking(unadmitted, how), handle)
    }
}
