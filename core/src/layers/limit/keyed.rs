//! A semaphore that is fair among keys: a [`Semaphore`] whose line is one line a key.
//!
//! A key is known by its hash, 64 bits of SipHash with a secret of its own for each semaphore: so no
//! code of the user's runs under the lock, nothing of a key is kept, and nobody can choose keys that
//! collide. Two that do (one chance in 2^64 for each pair) share their turns, and that is all.

use super::acquire::{Acquire, AcquireOwned};
use super::semaphore::Semaphore;
use crate::layers::base::sync::Arc;
use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};
use std::marker::PhantomData;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};

/// A [`Semaphore`] whose permits go round among keys, tenants for example, so that one with a
/// thousand requests does not starve one with a single request.
///
/// Within a key it is first come, first served. Among the keys that wait each has its turn: with
/// requests for one permit it is round robin, and a request for many has to wait until the others
/// had as many (*self-clocked fair queueing*, Golestani 1994). Two keys that wait all the time are
/// granted the same number of permits, give or take their largest requests. What was granted while
/// nobody waited is not counted, nor how long permits are held.
///
/// Whose turn it is waits until there are enough permits for him, and nobody else is served
/// meanwhile, unless he comes with a key that is behind in permits.
///
/// A key is whatever can be hashed; it is not kept. One that nobody waits with costs nothing, one
/// that waits about 220 bytes.
///
/// All else is as for the [semaphore](KeyedSemaphore::semaphore) that it is: cancelling, closing,
/// resizing, holders. An acquire from that one directly, without a key, stands in a line as well:
/// that of no key. Clones are the same semaphore.
///
/// *Which one?* A [`Semaphore`] if requests are equals, whoever makes them; this one if a key may
/// ask for much more than its share.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{KeyedSemaphore, ThreadPool, block_on, nursery_on};
/// use std::sync::{Arc, Mutex};
///
/// let printer = KeyedSemaphore::<str>::new(1);
/// let served = Arc::new(Mutex::new(Vec::new()));
/// let run = nursery_on::<allhome::AcquireError>(ThreadPool::global()).run(async |n| {
///     let first = printer.acquire("loud").await?;
///     for tenant in ["loud", "loud", "loud", "quiet"] {
///         let waiters = printer.semaphore().waiters();
///         let (printer, served) = (printer.clone(), served.clone());
///         let line = printer.semaphore().clone();
///         n.spawn(async move {
///             let _permit = printer.acquire(tenant).await?;
///             served.lock().unwrap().push(tenant);
///             Ok(())
///         });
///         while line.waiters() == waiters {
///             allhome::yield_now().await;
///         }
///     }
///     drop(first);
///     Ok(())
/// });
/// block_on(run).unwrap();
/// assert_eq!(*served.lock().unwrap(), ["loud", "quiet", "loud", "loud"]);
/// # }
/// ```
pub struct KeyedSemaphore<K: ?Sized> {
    semaphore: Arc<Semaphore>,
    hasher: RandomState,
    key: PhantomData<fn(&K)>,
}

impl<K: Hash + ?Sized> KeyedSemaphore<K> {
    /// Makes one with so many permits; more than [`Semaphore::MAX_PERMITS`] is that. For one with a
    /// name or a book of holders: `KeyedSemaphore::from(semaphore)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use allhome::{KeyedSemaphore, Semaphore};
    ///
    /// let semaphore: KeyedSemaphore<u32> = Semaphore::new(8).named("db").into();
    /// assert_eq!(semaphore.semaphore().name(), Some("db"));
    /// ```
    pub fn new(permits: usize) -> KeyedSemaphore<K> {
        Semaphore::new(permits).into()
    }

    /// Returns the semaphore that it is: to resize and close it, to ask for its figures, and to
    /// [try](Semaphore::try_acquire), which needs no key, since it gets nothing while anybody waits.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = allhome::KeyedSemaphore::<str>::new(8);
    /// let permit = semaphore.semaphore().try_acquire()?;
    /// semaphore.semaphore().resize(4);
    /// assert_eq!(semaphore.semaphore().available(), 3);
    /// # Ok::<(), allhome::TryAcquireError>(())
    /// ```
    pub fn semaphore(&self) -> &Arc<Semaphore> {
        &self.semaphore
    }

    /// Returns how many keys wait.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(allhome::KeyedSemaphore::<str>::new(1).waiting_keys(), 0);
    /// ```
    pub fn waiting_keys(&self) -> usize {
        self.semaphore.gate.keys()
    }

    /// Waits for a permit.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future, at any moment, leaves the semaphore as if it had not been called; its
    /// place in the line of its key is lost, the key's turn is not, if others of it wait.
    ///
    /// # Errors
    ///
    /// As for [`Semaphore::acquire`].
    ///
    /// # Panics
    ///
    /// If hashing the key does. The future panics if it is polled after it was ready.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// let semaphore = allhome::KeyedSemaphore::<str>::new(8);
    /// allhome::block_on(async {
    ///     let permit = semaphore.acquire("tenant 7").await.expect("nobody closes it");
    ///     assert_eq!(permit.count(), 1);
    /// });
    /// # }
    /// ```
    #[track_caller]
    pub fn acquire(&self, key: &K) -> Acquire<'_> {
        self.acquire_many(key, 1)
    }

    /// Waits for so many permits, all at once.
    ///
    /// # Cancel safety
    ///
    /// As for [`acquire`](KeyedSemaphore::acquire).
    ///
    /// # Errors
    ///
    /// As for [`Semaphore::acquire_many`].
    ///
    /// # Panics
    ///
    /// As for [`acquire`](KeyedSemaphore::acquire).
    #[track_caller]
    pub fn acquire_many(&self, key: &K, count: usize) -> Acquire<'_> {
        Acquire::in_lane(&self.semaphore, count, self.lane(key), Location::caller())
    }

    /// As [`acquire`](KeyedSemaphore::acquire), for a future and a permit that hold the semaphore.
    ///
    /// # Cancel safety
    ///
    /// As for [`acquire`](KeyedSemaphore::acquire).
    ///
    /// # Errors
    ///
    /// As for [`Semaphore::acquire`].
    ///
    /// # Panics
    ///
    /// As for [`acquire`](KeyedSemaphore::acquire).
    #[track_caller]
    pub fn acquire_owned(&self, key: &K) -> AcquireOwned {
        self.acquire_many_owned(key, 1)
    }

    /// As [`acquire_many`](KeyedSemaphore::acquire_many), for a future and a permit that hold the
    /// semaphore.
    ///
    /// # Cancel safety
    ///
    /// As for [`acquire`](KeyedSemaphore::acquire).
    ///
    /// # Errors
    ///
    /// As for [`Semaphore::acquire_many`].
    ///
    /// # Panics
    ///
    /// As for [`acquire`](KeyedSemaphore::acquire).
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
        semaphore.gate.by_keys();
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

// As for the semaphore; of a key there is nothing in it.
impl<K: ?Sized> UnwindSafe for KeyedSemaphore<K> {}
impl<K: ?Sized> RefUnwindSafe for KeyedSemaphore<K> {}

impl<K: ?Sized> fmt::Debug for KeyedSemaphore<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyedSemaphore").field(&self.semaphore).finish()
    }
}
