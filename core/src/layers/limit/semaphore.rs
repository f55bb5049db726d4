//! The semaphore: a thin handle around its [`Permits`].

mod named;

use super::acquire::{Acquire, AcquireOwned};
use super::error::TryAcquireError;
use super::holders::HolderInfo;
use super::permit::{OwnedPermit, Permit};
use super::permits::{MAX, Permits};
use crate::layers::base::names::Named;
use crate::layers::base::sync::Arc;
use std::fmt;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};

/// A fair, weighted semaphore: `acquire` waits until enough permits are free.
///
/// It is *weighted*: an acquire may ask for any number of permits. It is *fair*: requests are
/// served in the order in which they were made, a large request is not overtaken by small ones, and
/// [`try_acquire`](Semaphore::try_acquire) gets nothing while a task waits. Permits that are given
/// back are reserved for the first waiter before it is woken, so no other task can snatch them.
///
/// Dropping the future of an acquire, wherever it stands, leaves the semaphore as if it had never
/// been called. So does cancelling the task, or the cancel scope in it, that awaits it: an acquire
/// that has to wait then ends with [`Cancelled`](super::AcquireError::Cancelled). Permits already
/// granted are kept; if permits are free, the acquire succeeds.
///
/// A future that was granted its permits and is not polled holds them, and other tasks wait for
/// them. Do not keep an acquire unpolled, as in a loop over `select!` or beside another future that
/// is awaited alone.
///
/// *Coming from elsewhere?* tokio's `Semaphore` and Go's `semaphore.Weighted` wait for ever for
/// more permits than there are; this one returns an error at once. `add_permits` and
/// `forget_permits` are [`resize`](Semaphore::resize).
///
/// # Memory ordering
///
/// What a task did before it gave permits back happens before what another task does after it
/// acquired them. So with a capacity of 1 the semaphore is a lock.
///
/// # Examples
///
/// Limits how many connections are open at the same time:
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{Semaphore, block_on};
///
/// static CONNECTIONS: Semaphore = Semaphore::new(2);
///
/// block_on(async {
///     let first = CONNECTIONS.acquire().await?;
///     let _second = CONNECTIONS.acquire().await?;
///     assert!(CONNECTIONS.try_acquire().is_err());
///     drop(first);
///     assert!(CONNECTIONS.try_acquire().is_ok());
///     Ok::<(), allhome::limit::AcquireError>(())
/// })?;
/// # }
/// # Ok::<(), allhome::limit::AcquireError>(())
/// ```
///
/// Keeps readers and a writer apart, by taking all permits for the writer:
///
/// ```
/// let table = allhome::Semaphore::new(64);
/// let reader = table.try_acquire()?;
/// assert!(table.try_acquire_many(64).is_err(), "a reader is there");
/// drop(reader);
/// let _writer = table.try_acquire_many(64)?;
/// assert!(table.try_acquire().is_err(), "the writer is there");
/// # Ok::<(), allhome::limit::TryAcquireError>(())
/// ```
pub struct Semaphore {
    pub(super) permits: Permits,
    name: Named,
}

impl Semaphore {
    /// The most permits that a semaphore can have. A capacity above it counts as this number.
    pub const MAX_PERMITS: usize = MAX;

    /// Creates a semaphore with `permits` permits. A number above
    /// [`MAX_PERMITS`](Semaphore::MAX_PERMITS) counts as that.
    ///
    /// A semaphore without permits grants nothing until it is [resized](Semaphore::resize).
    ///
    /// # Examples
    ///
    /// ```
    /// use allhome::Semaphore;
    ///
    /// static TWO: Semaphore = Semaphore::new(2);
    /// assert_eq!(TWO.available(), 2);
    /// assert_eq!(Semaphore::new(usize::MAX).capacity(), Semaphore::MAX_PERMITS);
    /// ```
    #[cfg(not(loom))]
    pub const fn new(permits: usize) -> Semaphore {
        Semaphore { permits: Permits::new(permits), name: Named::NONE }
    }

    /// As above, for loom, whose primitives cannot be created in a constant.
    #[cfg(loom)]
    pub fn new(permits: usize) -> Semaphore {
        Semaphore { permits: Permits::new(permits), name: Named::NONE }
    }

    /// Sets whether it notes since when exactly permits are held, and waited for:
    /// [`HolderInfo::since`]. Which tasks those are is known always, from
    /// [`holders`](Semaphore::holders).
    ///
    /// This is off by default, because every acquire then takes the lock and looks at the clock.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = allhome::Semaphore::new(1).time_holders(true);
    /// let _permit = semaphore.try_acquire()?;
    /// assert!(semaphore.holders()[0].since() <= allhome::time::now());
    /// # Ok::<(), allhome::limit::TryAcquireError>(())
    /// ```
    pub fn time_holders(mut self, exactly: bool) -> Semaphore {
        self.permits.stamp(exactly);
        self
    }

    /// Returns how many permits there are in all, free or held.
    pub fn capacity(&self) -> usize {
        self.permits.capacity()
    }

    /// Returns how many permits are free just now. While a task waits, they are meant for it.
    pub fn available(&self) -> usize {
        self.permits.available()
    }

    /// Returns how many acquires wait.
    pub fn waiters(&self) -> usize {
        self.permits.waiters()
    }

    /// Returns `true` if it was closed.
    pub fn is_closed(&self) -> bool {
        self.permits.is_closed()
    }

    /// Returns the tasks that hold permits, and then those that wait for them, each in the order of
    /// [`since`](HolderInfo::since).
    ///
    /// All entries were true at one moment of the call, so they never hold more permits than there
    /// are. A task that acquires, releases or is granted its permits during the call may be missing.
    ///
    /// It is for diagnosis: it reads the permits of all semaphores of the process, some nanoseconds
    /// for each.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = allhome::Semaphore::new(3);
    /// let permit = semaphore.try_acquire_many(2)?;
    /// let holders = semaphore.holders();
    /// assert_eq!((holders.len(), holders[0].count()), (1, 2));
    /// assert!(holders[0].location().file().ends_with(".rs"));
    /// drop(permit);
    /// assert!(semaphore.holders().is_empty());
    /// # Ok::<(), allhome::limit::TryAcquireError>(())
    /// ```
    pub fn holders(&self) -> Vec<HolderInfo> {
        self.permits.holders()
    }

    /// Takes a permit if one is free and no task waits.
    ///
    /// # Errors
    ///
    /// Returns [`NoPermits`](TryAcquireError::NoPermits) if none is free or a task waits,
    /// [`Closed`](TryAcquireError::Closed) after [`close`](Semaphore::close), and
    /// [`TooMany`](TryAcquireError::TooMany) if the capacity is 0.
    ///
    /// # Examples
    ///
    /// ```
    /// use allhome::Semaphore;
    /// use allhome::limit::TryAcquireError;
    ///
    /// let semaphore = Semaphore::new(1);
    /// let permit = semaphore.try_acquire()?;
    /// assert_eq!(semaphore.try_acquire().unwrap_err(), TryAcquireError::NoPermits);
    /// # Ok::<(), TryAcquireError>(())
    /// ```
    #[inline]
    #[track_caller]
    pub fn try_acquire(&self) -> Result<Permit<'_>, TryAcquireError> {
        self.try_acquire_many(1)
    }

    /// Takes `count` permits if they are free and no task waits. 0 permits are always free.
    ///
    /// # Errors
    ///
    /// Same as [`try_acquire`](Semaphore::try_acquire); [`TooMany`](TryAcquireError::TooMany) if
    /// `count` is more than the capacity.
    #[inline]
    #[track_caller]
    pub fn try_acquire_many(&self, count: usize) -> Result<Permit<'_>, TryAcquireError> {
        let share = self.permits.try_take(count, Location::caller())?;
        Ok(Permit::new(self, share))
    }

    /// Like [`try_acquire`](Semaphore::try_acquire), but the permit holds the semaphore.
    ///
    /// # Errors
    ///
    /// Same as [`try_acquire`](Semaphore::try_acquire).
    #[track_caller]
    pub fn try_acquire_owned(self: &Arc<Self>) -> Result<OwnedPermit, TryAcquireError> {
        self.try_acquire_many_owned(1)
    }

    /// Like [`try_acquire_many`](Semaphore::try_acquire_many), but the permit holds the semaphore.
    ///
    /// # Errors
    ///
    /// Same as [`try_acquire_many`](Semaphore::try_acquire_many).
    #[track_caller]
    pub fn try_acquire_many_owned(
        self: &Arc<Self>,
        count: usize,
    ) -> Result<OwnedPermit, TryAcquireError> {
        let share = self.permits.try_take(count, Location::caller())?;
        Ok(OwnedPermit::new(self.clone(), share))
    }

    /// Changes the capacity. A number above [`MAX_PERMITS`](Semaphore::MAX_PERMITS) counts as that.
    ///
    /// If the capacity grows, the new permits go to the waiters. If it shrinks, holders keep what
    /// they have, and no request is admitted until they have given enough back; a waiter that asks
    /// for more than the new capacity fails at once. So after `resize(0)` every request fails.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = allhome::Semaphore::new(2);
    /// let both = semaphore.try_acquire_many(2)?;
    /// semaphore.resize(1);
    /// drop(both);
    /// assert_eq!(semaphore.available(), 1);
    /// # Ok::<(), allhome::limit::TryAcquireError>(())
    /// ```
    pub fn resize(&self, capacity: usize) {
        self.permits.resize(capacity);
    }

    /// Closes it: every acquire that waits, or is made later, fails with
    /// [`Closed`](super::AcquireError::Closed). Holders keep their permits, and permits that were
    /// granted before stay granted, also if the acquire was not polled since.
    ///
    /// Returns `false` if it was closed before.
    ///
    /// # Examples
    ///
    /// ```
    /// use allhome::Semaphore;
    /// use allhome::limit::TryAcquireError;
    ///
    /// let semaphore = Semaphore::new(1);
    /// let permit = semaphore.try_acquire()?;
    /// assert!(semaphore.close());
    /// drop(permit);
    /// assert_eq!(semaphore.try_acquire().unwrap_err(), TryAcquireError::Closed);
    /// # Ok::<(), TryAcquireError>(())
    /// ```
    pub fn close(&self) -> bool {
        self.permits.close()
    }

    /// Waits for a permit.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future, at any moment, leaves the semaphore as if it had not been called; its
    /// place in the queue is lost.
    ///
    /// # Errors
    ///
    /// Returns [`Closed`](super::AcquireError::Closed) if the semaphore is closed before it grants
    /// the permit, [`TooMany`](super::AcquireError::TooMany) if the capacity is 0, and
    /// [`Cancelled`](super::AcquireError::Cancelled) if the task that waits is cancelled.
    ///
    /// # Panics
    ///
    /// The future panics if it is polled after it was ready.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// let semaphore = allhome::Semaphore::new(1);
    /// allhome::block_on(async {
    ///     let permit = semaphore.acquire().await?;
    ///     assert_eq!((permit.count(), semaphore.available()), (1, 0));
    ///     Ok::<(), allhome::limit::AcquireError>(())
    /// })?;
    /// # }
    /// # Ok::<(), allhome::limit::AcquireError>(())
    /// ```
    #[inline]
    #[track_caller]
    pub fn acquire(&self) -> Acquire<'_> {
        self.acquire_many(1)
    }

    /// Waits for `count` permits, all at once. A request for 0 does not wait: it is granted unless
    /// the semaphore is closed.
    ///
    /// # Cancel safety
    ///
    /// Same as [`acquire`](Semaphore::acquire).
    ///
    /// # Errors
    ///
    /// Same as [`acquire`](Semaphore::acquire); [`TooMany`](super::AcquireError::TooMany) if
    /// `count` is more than the capacity, or the capacity shrinks below it during the wait.
    ///
    /// # Panics
    ///
    /// Same as [`acquire`](Semaphore::acquire).
    #[inline]
    #[track_caller]
    pub fn acquire_many(&self, count: usize) -> Acquire<'_> {
        Acquire::new(self, count, Location::caller())
    }

    /// Like [`acquire`](Semaphore::acquire), but the future and the permit hold the semaphore: a
    /// permit that is acquired here may be moved into a child.
    ///
    /// # Cancel safety
    ///
    /// Same as [`acquire`](Semaphore::acquire).
    ///
    /// # Errors
    ///
    /// Same as [`acquire`](Semaphore::acquire).
    ///
    /// # Panics
    ///
    /// Same as [`acquire`](Semaphore::acquire).
    #[track_caller]
    pub fn acquire_owned(self: &Arc<Self>) -> AcquireOwned {
        self.acquire_many_owned(1)
    }

    /// Like [`acquire_many`](Semaphore::acquire_many), but the future and the permit hold the
    /// semaphore.
    ///
    /// # Errors, and cancel safety
    ///
    /// Same as [`acquire_many`](Semaphore::acquire_many).
    ///
    /// # Panics
    ///
    /// Same as [`acquire`](Semaphore::acquire).
    #[track_caller]
    pub fn acquire_many_owned(self: &Arc<Self>, count: usize) -> AcquireOwned {
        AcquireOwned::new(self.clone(), count, Location::caller())
    }
}

// No other thread can see it half changed: user code that may panic is called with no lock held.
impl UnwindSafe for Semaphore {}
impl RefUnwindSafe for Semaphore {}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Semaphore");
        if let Some(name) = self.name.name() {
            debug.field("name", &name);
        }
        debug.field("available", &self.available()).field("capacity", &self.capacity());
        debug.field("waiters", &self.waiters()).field("closed", &self.is_closed());
        debug.finish_non_exhaustive()
    }
}
