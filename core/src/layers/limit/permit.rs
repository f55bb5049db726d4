//! Permits, which an acquire returns and which are given back when they are dropped.

use super::permits::Permits;
use super::semaphore::Semaphore;
use super::share::Share;
use super::source::Source;
use crate::layers::base::sync::Arc;
use std::{fmt, mem, ptr};

/// Permits of a [`Semaphore`], given back when they are dropped.
///
/// # Examples
///
/// ```
/// use allhome::Semaphore;
///
/// let semaphore = Semaphore::new(3);
/// let mut two = semaphore.try_acquire_many(2)?;
/// let one = two.split(1).unwrap();
/// drop(one);
/// assert_eq!((two.count(), semaphore.available()), (1, 2));
/// # Ok::<(), allhome::limit::TryAcquireError>(())
/// ```
#[must_use = "dropping it gives the permits back at once"]
pub struct Permit<'a> {
    semaphore: &'a Semaphore,
    share: Share,
}

/// Permits of a [`Semaphore`] that is shared by an [`Arc`]: like [`Permit`], for code that needs
/// `'static`.
#[must_use = "dropping it gives the permits back at once"]
pub struct OwnedPermit {
    semaphore: Arc<Semaphore>,
    share: Share,
}

impl<'a> Permit<'a> {
    #[inline(always)]
    pub(super) fn new(semaphore: &'a Semaphore, share: Share) -> Permit<'a> {
        Permit { semaphore, share }
    }

    /// Returns the number of permits.
    pub fn count(&self) -> usize {
        self.share.count
    }

    /// Returns the semaphore that the permits belong to.
    pub fn semaphore(&self) -> &'a Semaphore {
        self.semaphore
    }

    /// Takes `count` permits out, as a permit of their own. Returns `None`, and takes none, if
    /// there are fewer.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = allhome::Semaphore::new(5);
    /// let mut all = semaphore.try_acquire_many(5)?;
    /// let two = all.split(2).unwrap();
    /// assert_eq!((all.count(), two.count()), (3, 2));
    /// assert!(all.split(4).is_none());
    /// # Ok::<(), allhome::limit::TryAcquireError>(())
    /// ```
    pub fn split(&mut self, count: usize) -> Option<Permit<'a>> {
        (count <= self.share.count).then(|| {
            let share = Permits::split(&mut self.share, count);
            Permit::new(self.semaphore, share)
        })
    }

    /// Adds the permits of another permit to this one.
    ///
    /// # Errors
    ///
    /// Returns the other permit if it belongs to another semaphore.
    ///
    /// # Examples
    ///
    /// ```
    /// use allhome::Semaphore;
    ///
    /// let (one, other) = (Semaphore::new(2), Semaphore::new(2));
    /// let mut permit = one.try_acquire()?;
    /// permit.merge(one.try_acquire()?).unwrap();
    /// assert_eq!(permit.count(), 2);
    /// assert!(permit.merge(other.try_acquire()?).is_err());
    /// # Ok::<(), allhome::limit::TryAcquireError>(())
    /// ```
    pub fn merge(&mut self, mut other: Permit<'a>) -> Result<(), Permit<'a>> {
        if !ptr::eq(self.semaphore, other.semaphore) {
            return Err(other);
        }
        let share = mem::replace(&mut other.share, Share::unbooked(0));
        Permits::merge(&mut self.share, share);
        Ok(())
    }

    /// Keeps the permits for good: the semaphore's capacity shrinks by as many, and a waiter that
    /// asks for more than the new capacity fails. [`Semaphore::resize`] undoes it.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = allhome::Semaphore::new(3);
    /// semaphore.try_acquire_many(2)?.forget();
    /// assert_eq!((semaphore.capacity(), semaphore.available()), (1, 1));
    /// # Ok::<(), allhome::limit::TryAcquireError>(())
    /// ```
    pub fn forget(mut self) {
        let share = mem::replace(&mut self.share, Share::unbooked(0));
        self.semaphore.permits.forget(share);
    }
}

impl OwnedPermit {
    #[inline(always)]
    pub(super) fn new(semaphore: Arc<Semaphore>, share: Share) -> OwnedPermit {
        OwnedPermit { semaphore, share }
    }

    /// Returns the number of permits.
    pub fn count(&self) -> usize {
        self.share.count
    }

    /// Has the book name the task that calls this.
    pub(crate) fn sign(&mut self) {
        self.share.booked = self.share.booked.sign();
    }

    /// Returns the semaphore that the permits belong to.
    pub fn semaphore(&self) -> &Arc<Semaphore> {
        &self.semaphore
    }

    /// Takes `count` permits out, as a permit of their own. Returns `None`, and takes none, if
    /// there are fewer.
    pub fn split(&mut self, count: usize) -> Option<OwnedPermit> {
        (count <= self.share.count).then(|| {
            let share = Permits::split(&mut self.share, count);
            OwnedPermit::new(self.semaphore.clone(), share)
        })
    }

    /// Adds the permits of another permit to this one.
    ///
    /// # Errors
    ///
    /// Returns the other permit if it belongs to another semaphore.
    pub fn merge(&mut self, mut other: OwnedPermit) -> Result<(), OwnedPermit> {
        if !Arc::ptr_eq(&self.semaphore, &other.semaphore) {
            return Err(other);
        }
        let share = mem::replace(&mut other.share, Share::unbooked(0));
        Permits::merge(&mut self.share, share);
        Ok(())
    }

    /// Keeps the permits for good: the semaphore's capacity shrinks by as many, and a waiter that
    /// asks for more than the new capacity fails. [`Semaphore::resize`] undoes it.
    pub fn forget(mut self) {
        let share = mem::replace(&mut self.share, Share::unbooked(0));
        self.semaphore.permits.forget(share);
    }
}

impl Drop for Permit<'_> {
    #[inline]
    fn drop(&mut self) {
        self.semaphore.permits.give(self.share);
    }
}

impl Drop for OwnedPermit {
    #[inline]
    fn drop(&mut self) {
        self.semaphore.permits.give(self.share);
    }
}

impl fmt::Debug for Permit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug(f, "Permit", self.semaphore, self.share)
    }
}

impl fmt::Debug for OwnedPermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug(f, "OwnedPermit", &self.semaphore, self.share)
    }
}

fn debug(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    semaphore: &Semaphore,
    share: Share,
) -> fmt::Result {
    let mut debug = f.debug_struct(name);
    debug.field("count", &share.count).field("semaphore", semaphore);
    debug.finish_non_exhaustive()
}
