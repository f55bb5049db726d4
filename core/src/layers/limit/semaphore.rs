//! The semaphore: a thin handle around its [`Gate`].

use super::acquire::{Acquire, AcquireOwned};
use super::error::TryAcquireError;
use super::gate::{Gate, MAX};
use super::holders::HolderInfo;
use super::permit::{OwnedPermit, Permit};
use crate::layers::base::sync::Arc;
use std::borrow::Cow;
use std::fmt;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};

/// A number of permits: who needs some waits until there are enough.
///
/// It is *weighted*: an acquire may ask for any number. It is *fair*: whoever asked first is served
/// first, a large request is not overtaken by small ones, and [`try_acquire`](Semaphore::try_acquire)
/// gets nothing while anybody waits. What is given back is reserved for the first in the line
/// before he is woken, so nobody can snatch it.
///
/// Dropping the future of an acquire, wherever it stands, leaves the semaphore as if it had never
/// been called. So does cancelling the task, or the scope in it, that awaits it: an acquire that has
/// to wait ends with [`Cancelled`](super::AcquireError::Cancelled) then. What is free, or granted
/// already, is had all the same.
///
/// A permit that nobody uses is one that others wait for: a future that was granted its permits
/// and is not polled holds them. Do not keep one unpolled, as in a loop over `select!` or beside
/// another future that is awaited alone.
///
/// *Coming from elsewhere?* tokio's `Semaphore` and Go's `semaphore.Weighted` wait for ever for
/// more than there is; this one says so at once. `add_permits` is [`resize`](Semaphore::resize),
/// `forget_permits` as well.
///
/// # Examples
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
///     Ok::<(), allhome::AcquireError>(())
/// })?;
/// # }
/// # Ok::<(), allhome::AcquireError>(())
/// ```
pub struct Semaphore {
    pub(super) gate: Gate,
    name: Option<Cow<'static, str>>,
}

impl Semaphore {
    /// The most permits that a semaphore can have. More, where a capacity is given, is taken for
    /// this.
    pub const MAX_PERMITS: usize = MAX;

    /// Makes a semaphore with so many permits; more than [`MAX_PERMITS`](Semaphore::MAX_PERMITS)
    /// is that.
    ///
    /// One with none grants nothing until it is [resized](Semaphore::resize).
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
        Semaphore { gate: Gate::new(permits), name: None }
    }

    /// As above, for loom, whose primitives cannot be made in a constant.
    #[cfg(loom)]
    pub fn new(permits: usize) -> Semaphore {
        Semaphore { gate: Gate::new(permits), name: None }
    }

    /// Gives it a name, for `Debug` and dumps.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(allhome::Semaphore::new(8).named("db").name(), Some("db"));
    /// ```
    pub fn named(mut self, name: impl Into<Cow<'static, str>>) -> Semaphore {
        self.name = Some(name.into());
        self
    }

    /// Has it remember who holds permits and who waits for them: see
    /// [`holders`](Semaphore::holders).
    ///
    /// It is off until it is asked for, since it costs: every acquire and every release takes a
    /// lock and writes into a table, which allocates when it grows, and an acquire looks at the
    /// clock. Together that is about three times what they cost without.
    pub fn track_holders(mut self, track: bool) -> Semaphore {
        self.gate.keep_book(track);
        self
    }

    /// Returns its name.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Returns how many permits there are in all, free or held.
    pub fn capacity(&self) -> usize {
        self.gate.capacity()
    }

    /// Returns how many permits are free just now. While somebody waits they are meant for him.
    pub fn available(&self) -> usize {
        self.gate.available()
    }

    /// Returns how many acquires wait.
    pub fn waiters(&self) -> usize {
        self.gate.waiters()
    }

    /// Tells whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.gate.is_closed()
    }

    /// Returns who holds permits and who waits for them, in no order. Empty unless it was made with
    /// [`track_holders`](Semaphore::track_holders).
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = allhome::Semaphore::new(3).track_holders(true);
    /// let permit = semaphore.try_acquire_many(2)?;
    /// let holders = semaphore.holders();
    /// assert_eq!((holders.len(), holders[0].count()), (1, 2));
    /// assert!(holders[0].place().file().ends_with(".rs"));
    /// drop(permit);
    /// assert!(semaphore.holders().is_empty());
    /// # Ok::<(), allhome::TryAcquireError>(())
    /// ```
    pub fn holders(&self) -> Vec<HolderInfo> {
        self.gate.holders()
    }

    /// Takes a permit if one is free and nobody waits.
    ///
    /// # Errors
    ///
    /// [`NoPermits`](TryAcquireError::NoPermits) if none is free or somebody waits,
    /// [`Closed`](TryAcquireError::Closed) after [`close`](Semaphore::close),
    /// [`TooMany`](TryAcquireError::TooMany) if the capacity is 0.
    ///
    /// # Examples
    ///
    /// ```
    /// use allhome::{Semaphore, TryAcquireError};
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

    /// Takes so many permits if they are free and nobody waits. 0 are free always.
    ///
    /// # Errors
    ///
    /// As for [`try_acquire`](Semaphore::try_acquire); [`TooMany`](TryAcquireError::TooMany) if it
    /// is more than the capacity.
    #[inline]
    #[track_caller]
    pub fn try_acquire_many(&self, count: usize) -> Result<Permit<'_>, TryAcquireError> {
        let share = self.gate.try_take(count, Location::caller())?;
        Ok(Permit::new(self, share))
    }

    /// As [`try_acquire`](Semaphore::try_acquire), for a permit that holds the semaphore.
    ///
    /// # Errors
    ///
    /// As for [`try_acquire`](Semaphore::try_acquire).
    #[track_caller]
    pub fn try_acquire_owned(self: &Arc<Self>) -> Result<OwnedPermit, TryAcquireError> {
        self.try_acquire_many_owned(1)
    }

    /// As [`try_acquire_many`](Semaphore::try_acquire_many), for a permit that holds the semaphore.
    ///
    /// # Errors
    ///
    /// As for [`try_acquire_many`](Semaphore::try_acquire_many).
    #[track_caller]
    pub fn try_acquire_many_owned(
        self: &Arc<Self>,
        count: usize,
    ) -> Result<OwnedPermit, TryAcquireError> {
        let share = self.gate.try_take(count, Location::caller())?;
        Ok(OwnedPermit::new(self.clone(), share))
    }

    /// Changes the capacity; more than [`MAX_PERMITS`](Semaphore::MAX_PERMITS) is that.
    ///
    /// Upwards, the new permits go to those who wait. Downwards, holders keep what they have, and
    /// nobody is admitted until they have given enough back; who waits for more than the new
    /// capacity fails at once. So `resize(0)` turns all away who wait or come.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = allhome::Semaphore::new(2);
    /// let both = semaphore.try_acquire_many(2)?;
    /// semaphore.resize(1);
    /// drop(both);
    /// assert_eq!(semaphore.available(), 1);
    /// # Ok::<(), allhome::TryAcquireError>(())
    /// ```
    pub fn resize(&self, capacity: usize) {
        self.gate.resize(capacity);
    }

    /// Closes it: those who wait or come get [`Closed`](super::AcquireError::Closed), and holders
    /// finish. Permits that were granted are, also if the acquire was not polled since.
    ///
    /// Returns false if it was closed before.
    ///
    /// # Examples
    ///
    /// ```
    /// use allhome::{Semaphore, TryAcquireError};
    ///
    /// let semaphore = Semaphore::new(1);
    /// let permit = semaphore.try_acquire()?;
    /// assert!(semaphore.close());
    /// drop(permit);
    /// assert_eq!(semaphore.try_acquire().unwrap_err(), TryAcquireError::Closed);
    /// # Ok::<(), TryAcquireError>(())
    /// ```
    pub fn close(&self) -> bool {
        self.gate.close()
    }

    /// Waits for a permit.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future, at any moment, leaves the semaphore as if it had not been called; its
    /// place in the line is lost.
    ///
    /// # Errors
    ///
    /// [`Closed`](super::AcquireError::Closed) if the semaphore is closed before it is granted,
    /// [`TooMany`](super::AcquireError::TooMany) if the capacity is 0,
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
    ///     let permit = semaphore.acquire().await.expect("nobody closes it");
    ///     assert_eq!((permit.count(), semaphore.available()), (1, 0));
    /// });
    /// # }
    /// ```
    #[inline]
    #[track_caller]
    pub fn acquire(&self) -> Acquire<'_> {
        self.acquire_many(1)
    }

    /// Waits for so many permits, all at once. For 0 nobody waits, unless the semaphore is closed
    /// they are granted.
    ///
    /// # Cancel safety
    ///
    /// As for [`acquire`](Semaphore::acquire).
    ///
    /// # Errors
    ///
    /// As for [`acquire`](Semaphore::acquire); [`TooMany`](super::AcquireError::TooMany) if it is
    /// more than the capacity, or the capacity shrinks below it meanwhile.
    ///
    /// # Panics
    ///
    /// As for [`acquire`](Semaphore::acquire).
    #[inline]
    #[track_caller]
    pub fn acquire_many(&self, count: usize) -> Acquire<'_> {
        Acquire::new(self, count, Location::caller())
    }

    /// As [`acquire`](Semaphore::acquire), for a future and a permit that hold the semaphore.
    ///
    /// # Cancel safety
    ///
    /// As for [`acquire`](Semaphore::acquire).
    ///
    /// # Errors
    ///
    /// As for [`acquire`](Semaphore::acquire).
    ///
    /// # Panics
    ///
    /// As for [`acquire`](Semaphore::acquire).
    #[track_caller]
    pub fn acquire_owned(self: &Arc<Self>) -> AcquireOwned {
        self.acquire_many_owned(1)
    }

    /// As [`acquire_many`](Semaphore::acquire_many), for a future and a permit that hold the
    /// semaphore.
    ///
    /// # Cancel safety
    ///
    /// As for [`acquire`](Semaphore::acquire).
    ///
    /// # Errors
    ///
    /// As for [`acquire_many`](Semaphore::acquire_many).
    ///
    /// # Panics
    ///
    /// As for [`acquire`](Semaphore::acquire).
    #[track_caller]
    pub fn acquire_many_owned(self: &Arc<Self>, count: usize) -> AcquireOwned {
        AcquireOwned::new(self.clone(), count, Location::caller())
    }
}

// Nothing of it can be seen half changed: what user code panics in is called with no lock held.
impl UnwindSafe for Semaphore {}
impl RefUnwindSafe for Semaphore {}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Semaphore");
        if let Some(name) = &self.name {
            debug.field("name", name);
        }
        debug.field("available", &self.available()).field("capacity", &self.capacity());
        debug.field("closed", &self.is_closed()).finish_non_exhaustive()
    }
}
