//! A scope's limit: reserving a slot, and changing how many there are.

use super::Scope;
use crate::layers::base::as_error::View;
use crate::layers::base::invariant::Invariant;
use crate::layers::base::reason::Reason;
use crate::layers::base::sync::Arc;
use crate::layers::context::host::Waiter;
use crate::layers::in_place::inbox::Shared;
use crate::layers::in_place::mode::Mode;
use crate::layers::in_place::task_builder::ScopeTask;
use crate::layers::limit::Semaphore;
use crate::layers::nursery::reserve::place_wait::{Door, Place, PlaceWait};
use crate::layers::nursery::reserve_error::{ReserveError, TryReserveError};
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

impl<'a, E: Send + Sync + 'static, M: Mode> Scope<'a, E, M> {
    /// Waits for a place of a child: a slot, if the scope has a limit. So the spawner waits, and not
    /// the child.
    ///
    /// # Errors
    ///
    /// The future fails if the scope takes no more children, if the task that awaits it is
    /// cancelled, or if the limiter is closed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up its place in the queue.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Scope, block_on, scope};
    ///
    /// let pages = ["one", "two", "three"];
    /// let run = scope().limit(2).run(async |s: Scope<'_>| {
    ///     for page in &pages {
    ///         let place = s.reserve().await?;
    ///         assert!(s.len() < 2);
    ///         place.name(*page).spawn(async move { Ok(drop(page.len())) });
    ///     }
    ///     Ok(())
    /// });
    /// block_on(run)?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn reserve(&self) -> ScopeReserve<'a, E, M> {
        let door = ScopeDoor(self.shared.clone());
        let (wait, view) = (PlaceWait::new(door, Location::caller()), self.view);
        ScopeReserve { wait, view, error: PhantomData }
    }

    /// Takes a place of a child, if there is one. Does not wait.
    ///
    /// # Errors
    ///
    /// Returns an error if no slot is free, if the scope takes no more children, or if the limiter is
    /// closed.
    #[track_caller]
    pub fn try_reserve(&self) -> Result<ScopeTask<'a, 'a, E, M>, TryReserveError> {
        if let Some(reason) = self.shared.refusal(false) {
            return Err(TryReserveError::Refused(reason));
        }
        let take = |limiter: &Arc<Semaphore>| limiter.try_acquire_at(Location::caller(), false);
        let permit = self.limiter().map(take).transpose()?;
        Ok(ScopeTask::reserved(self.clone(), Place::new(permit, None)))
    }

    /// Returns how many children may run at the same time, or `None` if there is no limit.
    pub fn limit(&self) -> Option<usize> {
        self.limiter().map(|limiter| limiter.capacity())
    }

    /// Changes how many children may run at the same time, those that run apart. Returns `false` if
    /// the scope was opened without a limit.
    pub fn set_limit(&self, limit: usize) -> bool {
        let limiter = self.limiter();
        if let Some(limiter) = limiter {
            limiter.resize(limit);
        }
        limiter.is_some()
    }

    /// Returns the semaphore whose permits are the slots, if there is a limit.
    pub fn limiter(&self) -> Option<&Arc<Semaphore>> {
        self.shared.control.limiter()
    }
}

pin_project! {
    /// The future of [`Scope::reserve`].
    #[must_use = "it waits for a slot only when it is awaited"]
    pub struct ScopeReserve<'a, E, M: Mode> {
        #[pin]
        wait: PlaceWait<ScopeDoor<'a, M>>,
        view: View,
        error: Invariant<E>,
    }
}

struct ScopeDoor<'a, M: Mode>(Arc<Shared<'a, M>>);

impl<M: Mode> Door for ScopeDoor<'_, M> {
    type Entry = Waiter;

    fn limiter(&self) -> Option<&Arc<Semaphore>> {
        self.0.control.limiter()
    }

    fn refuses(&self) -> Option<Reason> {
        self.0.refusal(false)
    }

    fn await_end(&self, entry: Option<Waiter>, waker: &Waker) -> Result<Waiter, Reason> {
        let waiter = entry.unwrap_or_else(Waiter::new);
        self.0.control.await_end(waiter, waker);
        match self.refuses() {
            None => Ok(waiter),
            Some(reason) => {
                self.0.control.forget_waiter(waiter);
                Err(reason)
            }
        }
    }

    fn forget(&self, waiter: Waiter) {
        self.0.control.forget_waiter(waiter);
    }
}

impl<'a, E: Send + Sync + 'static, M: Mode> Future for ScopeReserve<'a, E, M> {
    type Output = Result<ScopeTask<'a, 'a, E, M>, ReserveError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let view = *this.view;
        this.wait
            .poll(cx)
            .map_ok(|(door, place)| ScopeTask::reserved(Scope::new(door.0, view), place))
    }
}

impl<E, M: Mode> fmt::Debug for ScopeReserve<'_, E, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scope = self.wait.door().map(|door| door.0.control.id);
        f.debug_struct("ScopeReserve").field("scope", &scope).finish_non_exhaustive()
    }
}
