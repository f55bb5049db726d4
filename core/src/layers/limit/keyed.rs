//! A semaphore that is fair among keys: a [`Semaphore`] whose wait queue is one queue for each key.
//!
//! A key is known by its hash, 64 bits of SipHash with a secret of its own for each semaphore. So
//! no code of the user's runs under the lock, nothing of a key is kept, and keys that collide
//! cannot be constructed. Two keys that do collide (one chance in 2^64 for each pair) share their
//! turns, and that is all.

use super::acquire::{Acquire, AcquireOwned};
use super::semaphore::Semaphore;
use crate::layers::base::sync::Arc;
use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};
use std::marker::PhantomData;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};

/// A [`Semaphore`] that serves keys, tenants for example, in turn, so that a key with a thousand
/// requests does not starve one with a single request.
///
/// Within a key the order is first come, first served. Among the keys that wait, each has its turn:
/// with requests for one permit it is round robin, and a request for many waits until the other
/// keys have been granted as many (*self-clocked fair queueing*, Golestani 1994). Two keys that
/// wait all the time are granted the same number of permits, give or take their largest requests.
/// Permits granted while no task waited are not counted, and neither is how long permits are held.
///
/// The key at the front waits until its request fits. Only keys that have received fewer permits
/// may pass it.
///
/// Any value that can be hashed is a key; it is not kept. A key without a waiter costs nothing, a
/// key that waits about 220 bytes, and its waiter a row of the process's book of holders, 64 bytes.
///
/// Everything else is as for the [semaphore](KeyedSemaphore::semaphore) inside: cancelling,
/// closing, resizing, holders. An acquire from that semaphore directly, without a key, has a queue
/// as well: that of no key. Clones are the same semaphore.
///
/// *Which one?* A [`Semaphore`] if all requests are equal; this one if a key may ask for much more
/// than its share.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{Nursery, block_on, nursery};
/// use allhome::limit::KeyedSemaphore;
/// use std::sync::{Arc, Mutex};
///
/// let printer = KeyedSemaphore::<str>::new(1);
/// let served = Arc::new(Mutex::new(Vec::new()));
/// let run = nursery().run(async |n: Nursery<allhome::limit::AcquireError>| {
///     let first = printer.acquire("loud").await?;
///     for tenant in ["loud", "loud", "loud", "quiet"] {
///         let waiters = printer.semaphore().waiters();
///         let (printer, served) = (printer.clone(), served.clone());
///         let queue = printer.semaphore().clone();
///         n.spawn(async move {
///             let _permit = printer.acquire(tenant).await?;
///             served.lock().unwrap().push(tenant);
///             Ok(())
///         });
///         while queue.waiters() == waiters {
///             allhome::yield_now().await;
///         }
///     }
///     drop(first);
///     Ok(())
/// });
/// block_on(run)?;
/// assert_eq!(*served.lock().unwrap(), ["loud", "quiet", "loud", "loud"]);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct KeyedSemaphore<K: ?Sized> {
    semaphore: Arc<Semaphore>,
    hasher: RandomState,
    key: PhantomData<fn(&K)>,
}

impl<K: Hash + ?Sized> KeyedSemaphore<K> {
    /// Creates a semaphore with `permits` permits. A number above [`Semaphore::MAX_PERMITS`] counts
    /// as that. For a semaphore with a name or a book of holders, use
    /// `KeyedSemaphore::from(semaphore)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use allhome::Semaphore;
    /// use allhome::limit::KeyedSemaphore;
    ///
    /// let semaphore: KeyedSemaphore<u32> = Semaphore::new(8).named("db").into();
    /// assert_eq!(semaphore.semaphore().name(), Some("db"));
    /// ```
    pub fn new(permits: usize) -> KeyedSemaphore<K> {
        Semaphore::new(permits).into()
    }

    /// Returns the semaphore inside: to resize and close it, to ask for its figures, and to
    /// [try](Semaphore::try_acquire) to acquire, which needs no key because it gets nothing while a
    /// task waits.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = allhome::limit::KeyedSemaphore::<str>::new(8);
    /// let permit = semaphore.semaphore().try_acquire()?;
    /// semaphore.semaphore().resize(4);
    /// assert_eq!(semaphore.semaphore().available(), 3);
    /// # Ok::<(), allhome::limit::TryAcquireError>(())
    /// ```
    pub fn semaphore(&self) -> &Arc<Semaphore> {
        &self.semaphore
    }

    /// Returns how many keys have a waiter.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(allhome::limit::KeyedSemaphore::<str>::new(1).waiting_keys(), 0);
    /// ```
    pub fn waiting_keys(&self) -> usize {
        self.semaphore.permits.keys()
    }

    /// Waits for a permit.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future, at any moment, leaves the semaphore as if it had not been called. Its
    /// place in the queue of its key is lost; the turn of the key is not, if other tasks wait with
    /// it.
    ///
    /// # Errors
    ///
    /// Same as [`Semaphore::acquire`].
    ///
    /// # Panics
    ///
    /// Panics if hashing the key panics. The future panics if it is polled after it was ready.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// let semaphore = allhome::limit::KeyedSemaphore::<str>::new(8);
    /// allhome::block_on(async {
    ///     let permit = semaphore.acquire("tenant 7").await?;
    ///     assert_eq!(permit.count(), 1);
    ///     Ok::<(), allhome::limit::AcquireError>(())
    /// })?;
    /// # }
    /// # Ok::<(), allhome::limit::AcquireError>(())
    /// ```
    #[track_caller]
    pub fn acquire(&self, key: &K) -> Acquire<'_> {
        self.acquire_many(key, 1)
    }

    /// Waits for `count` permits, all at once.
    ///
    /// # Cancel safety
    ///
    /// Same as [`acquire`](KeyedSemaphore::acquire).
    ///
    /// # Errors
    ///
    /// Same as [`Semaphore::acquire_many`].
    ///
    /// # Panics
    ///
    /// Same as [`acquire`](KeyedSemaphore::acquire).
    #[track_caller]
    pub fn acquire_many(&self, key: &K, count: usize) -> Acquire<'_> {
        Acquire::in_lane(&self.semaphore, count, self.lane(key), Location::caller())
    }

    /// Like [`acquire`](KeyedSemaphore::acquire), but the future and the permit hold the semaphore.
    ///
    /// # Cancel safety
    ///
    /// Same as [`acquire`](KeyedSemaphore::acquire).
    ///
    /// # Errors
    ///
    /// Same as [`Semaphore::acquire`].
    ///
    /// # Panics
    ///
    /// Same as [`acquire`](KeyedSemaphore::acquire).
    #[track_caller]
    pub fn acquire_owned(&self, key: &K) -> AcquireOwned {
        self.acquire_many_owned(key, 1)
    }

    /// Like [`acquire_many`](KeyedSemaphore::acquire_many), but the future and the permit hold the
    /// semaphore.
    ///
    /// # Cancel safety
    ///
    /// Same as [`acquire`](KeyedSemaphore::acquire).
    ///
    /// # Errors
    ///
    /// Same as [`Semaphore::acquire_many`].
    ///
    /// # Panics
    ///
    /// Same as [`acquire`](KeyedSemaphore::acquire).
    #[track_caller]
    pub fn acquire_many_owned(&self, key: &K, count: usize) -> AcquireOwned {
        let lane = self.lane(key);
        AcquireOwned::in_lane(self.semaphore.clone(), count, lane, Location::caller())
    }

    fn lane(&self, key: &K) -> u64 {
        self.hasher.hash_one(key)
    }
}

impl<K: ?Sized> From<Semaphore> for KeyedSemaphore<K> {
    fn from(mut semaphore: Semaphore) -> KeyedSemaphore<K> {
        semaphore.permits.by_keys();
        let (semaphore, hasher) = (Arc::new(semaphore), RandomState::new());
        KeyedSemaphore { semaphore, hasher, key: PhantomData }
    }
}

impl<K: ?Sized> Clone for KeyedSemaphore<K> {
    fn clone(&self) -> KeyedSemaphore<K> {
        let (semaphore, hasher) = (self.semaphore.clone(), self.hasher.clone());
        KeyedSemaphore { semaphore, hasher, key: PhantomData }
    }
}

// As for the semaphore; it contains nothing of a key.
impl<K: ?Sized> UnwindSafe for KeyedSemaphore<K> {}
impl<K: ?Sized> RefUnwindSafe for KeyedSemaphore<K> {}

impl<K: ?Sized> fmt::Debug for KeyedSemaphore<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyedSemaphore").field(&self.semaphore).finish()
    }
}
