//! Children by key: at most one at a time for each.
//!
//! A key is known by two hashes of SipHash, 128 bits, with secrets of their own for each
//! [`KeyedNursery`]. So no code of the user's runs under the lock, nothing of a key is kept, and keys
//! that collide cannot be constructed. By chance two of a thousand million keys do with a
//! probability of less than 2^-68.

mod child;
mod flight;
pub(crate) mod taken;

use crate::layers::base::as_error::BoxError;
use crate::layers::base::guarded::Guarded;
use crate::layers::base::id::TaskId;
use crate::layers::base::reason::{Reason, ReasonKind};
use crate::layers::base::sync::Arc;
use crate::layers::context::new_reason::caller;
use crate::layers::nursery::Nursery;
use crate::layers::nursery::spawned::Spawned;
use child::{Entry, Keyed};
use flight::{Flight, Wait};
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher, RandomState};
use std::marker::PhantomData;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use taken::KeyTaken;

/// Spawns children by key into a nursery, at most one at a time for each key: a session a user, a
/// refresh a page.
///
/// The children are the nursery's, in all else: it waits for them, and reports their failures. What
/// comes of a second child with a key is the caller's choice:
///
/// | method | the key's child runs | no child has the key |
/// |---|---|---|
/// | [`try_spawn`](KeyedNursery::try_spawn) | the new one is refused | is spawned |
/// | [`replace`](KeyedNursery::replace) | is cancelled; the new one begins at once | is spawned |
/// | [`replace_after`](KeyedNursery::replace_after) | is cancelled; the new one begins when it is gone | is spawned |
/// | [`join_or_spawn`](KeyedNursery::join_or_spawn) | its value is waited for | is spawned, and its value waited for |
///
/// A key is free again when its child is gone: its future was dropped, and destructors have finished.
///
/// Any value that can be hashed is a key; it is not kept. `T` is what the children give, to those
/// that [join](KeyedNursery::join_or_spawn). Clones have the same children. A key costs memory while
/// it has a child.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::many::KeyedNursery;
/// use allhome::{Nursery, Simulator, cancelled};
///
/// # let mut log = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
/// # let note = log.clone();
/// # let log_in = move |text: String| note.lock().unwrap().push(text);
/// Simulator::new().run(async move |n: Nursery| {
///     let sessions = KeyedNursery::<str>::new(&n);
///     for device in ["phone", "laptop"] {
///         let log_in = log_in.clone();
///         sessions.replace_after("ada", async move {
///             log_in(format!("ada is in on the {device}"));
///             cancelled().await;
///             log_in(format!("ada is out on the {device}"));
///             Ok(())
///         });
///         allhome::yield_now().await;
///     }
///     sessions.cancel("ada");
///     n.idle().await;
///     assert!(!sessions.contains("ada"));
///     Ok(())
/// })?;
/// # let log = std::mem::take(&mut *log.lock().unwrap());
/// # assert_eq!(log[..2], ["ada is in on the phone", "ada is out on the phone"]);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct KeyedNursery<K: ?Sized, T = (), E = BoxError> {
    nursery: Nursery<E>,
    keys: Arc<Keys<T>>,
    key: PhantomData<fn(&K)>,
}

struct Keys<T> {
    hashers: [RandomState; 2],
    current: Guarded<HashMap<u128, Arc<Flight<T>>, BuildHasherDefault<IsHash>>>,
}

/// The keys are hashes already.
#[derive(Default)]
struct IsHash(u64);

impl Hasher for IsHash {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u128(&mut self, key: u128) {
        self.0 = key as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl<T> Keys<T> {
    /// Calls the user's code, with no lock held.
    fn key<K: Hash + ?Sized>(&self, key: &K) -> u128 {
        let [high, low] = self.hashers.each_ref().map(|hasher| u128::from(hasher.hash_one(key)));
        high << 64 | low
    }

    fn get(&self, key: u128) -> Option<Arc<Flight<T>>> {
        self.current.locked(|current| current.get(&key).cloned())
    }

    /// Makes it the key's, and returns the one before.
    fn put(&self, key: u128, flight: &Arc<Flight<T>>) -> Option<Arc<Flight<T>>> {
        let flight = flight.clone();
        self.current.locked(|current| current.insert(key, flight))
    }

    /// Returns the key's, or makes this one it.
    fn get_or_put(&self, key: u128, flight: &Arc<Flight<T>>) -> Option<Arc<Flight<T>>> {
        let mut flight = Some(flight.clone());
        self.current.locked(|current| match current.get(&key) {
            Some(current) => Some(current.clone()),
            None => {
                current.extend(flight.take().map(|flight| (key, flight)));
                None
            }
        })
    }

    /// It is the key's no more, if it was.
    fn remove(&self, key: u128, flight: &Arc<Flight<T>>) {
        let (_removed, _table) = self.current.locked(|current| {
            let is_current = current.get(&key).is_some_and(|other| Arc::ptr_eq(other, flight));
            let removed = if is_current { current.remove(&key) } else { None };
            // Memory is that of the keys that have a child.
            let table = current.is_empty().then(|| mem::take(current));
            (removed, table)
        });
    }
}

impl<K, T, E> KeyedNursery<K, T, E>
where
    K: Hash + ?Sized,
    T: Send + Sync + 'static,
    E: Send + Sync + 'static,
{
    /// Creates one, with no children, whose children will be this nursery's.
    pub fn new(nursery: &Nursery<E>) -> KeyedNursery<K, T, E> {
        let (hashers, current) =
            ([RandomState::new(), RandomState::new()], Guarded::new(HashMap::default()));
        let keys = Arc::new(Keys { hashers, current });
        KeyedNursery { nursery: nursery.clone(), keys, key: PhantomData }
    }

    /// Returns the nursery that the children are in.
    pub fn nursery(&self) -> &Nursery<E> {
        &self.nursery
    }

    /// Returns the number of keys that have a child.
    pub fn len(&self) -> usize {
        self.keys.current.locked(|current| current.len())
    }

    /// Returns `true` if no key has a child.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns `true` if the key has a child that is not gone.
    pub fn contains(&self, key: &K) -> bool {
        self.keys.get(self.keys.key(key)).is_some()
    }

    /// Cancels the key's child, as [`Child::cancel`](crate::Child::cancel) does. Returns `false` if
    /// the key has none.
    #[track_caller]
    pub fn cancel(&self, key: &K) -> bool {
        let current = self.keys.get(self.keys.key(key));
        if let Some(flight) = &current {
            let text = "cancelled by its key".to_string();
            flight.cancel(Reason::of(ReasonKind::Requested, text, caller(), Location::caller()));
        }
        current.is_some()
    }

    /// Spawns a child, unless its key has one that is not gone.
    ///
    /// # Errors
    ///
    /// Gives the future back, unpolled, if the key has a child, or if the nursery takes no more.
    #[track_caller]
    pub fn try_spawn<F>(&self, key: &K, future: F) -> Result<TaskId, KeyTaken<F>>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        let (key, flight) = (self.keys.key(key), Flight::new());
        if self.keys.get_or_put(key, &flight).is_some() {
            return Err(KeyTaken::new(future, None));
        }
        let entry = Entry::new(&self.keys, key, flight.clone());
        match self.nursery.try_spawn(Keyed::new(future, entry)) {
            Ok(id) => {
                self.admitted(&flight, id);
                Ok(id)
            }
            Err(refused) => {
                let reason = Some(refused.reason().clone());
                Err(KeyTaken::new(refused.into_future().into_future(), reason))
            }
        }
    }

    /// Spawns a child, which begins at once, and cancels the one that the key has, if there is one.
    /// For a moment both may run.
    ///
    /// The result says whether the nursery has admitted it, as that of
    /// [`spawn`](crate::Nursery::spawn). If not, the old one is cancelled nevertheless.
    #[track_caller]
    pub fn replace<F>(&self, key: &K, future: F) -> Spawned
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        self.put(key, future, false, Location::caller())
    }

    /// Spawns a child, and cancels the one that the key has, if there is one. The new one is polled
    /// for the first time when the old one is gone, and those that it would have waited for.
    ///
    /// An old one with a [grace](crate::Builder::grace) or a [shield](crate::shield) makes the new one
    /// wait for as long. The result is as that of [`replace`](KeyedNursery::replace).
    #[track_caller]
    pub fn replace_after<F>(&self, key: &K, future: F) -> Spawned
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        self.put(key, future, true, Location::caller())
    }

    fn put<F>(&self, key: &K, future: F, waits: bool, place: &'static Location<'static>) -> Spawned
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        let (key, flight) = (self.keys.key(key), Flight::new());
        let old = self.keys.put(key, &flight);
        let entry =
            Entry::new(&self.keys, key, flight.clone()).after(old.clone().filter(|_| waits));
        if let Some(old) = old {
            let text = "replaced by a child with the same key".to_string();
            old.cancel(Reason::of(ReasonKind::Requested, text, caller(), place));
        }
        self.spawn(future, entry, &flight, place)
    }

    /// Waits for the value of the key's child; if it has none, spawns the one that `make` gives.
    ///
    /// However many join, there is one child, and each gets a clone of its value. `make` is called
    /// if there is no child, before this returns.
    ///
    /// The future gives `None` if the child ends without a value: the nursery knows why. That is so
    /// also for a child that the nursery refuses.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends nothing: the child goes on.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::many::KeyedNursery;
    /// use allhome::{Nursery, Simulator};
    ///
    /// let both = Simulator::new().run(async |n: Nursery| {
    ///     let pages = KeyedNursery::<str, usize>::new(&n);
    ///     let first = pages.join_or_spawn("/news", || async { Ok(7) });
    ///     let second = pages.join_or_spawn("/news", || async { unreachable!("one fetch is enough") });
    ///     Ok((first.await, second.await))
    /// })?;
    /// assert_eq!(both, (Some(7), Some(7)));
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn join_or_spawn<F>(&self, key: &K, make: impl FnOnce() -> F) -> KeyedJoin<T>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Clone,
    {
        let (key, flight) = (self.keys.key(key), Flight::new());
        if let Some(current) = self.keys.get_or_put(key, &flight) {
            return KeyedJoin { wait: Wait::new(current) };
        }
        // The key is free again if `make` panics.
        let entry = Entry::new(&self.keys, key, flight.clone());
        let future = make();
        let _spawned = self.spawn(future, entry, &flight, Location::caller());
        KeyedJoin { wait: Wait::new(flight) }
    }

    fn spawn<F>(
        &self,
        future: F,
        entry: Entry<T>,
        flight: &Flight<T>,
        place: &'static Location<'static>,
    ) -> Spawned
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        let spawned = self.nursery.spawn_at(Keyed::new(future, entry), place);
        if let Some(id) = spawned.id() {
            self.admitted(flight, id);
        }
        spawned
    }

    fn admitted(&self, flight: &Flight<T>, id: TaskId) {
        if let Some(handle) = self.nursery.task_handle(id) {
            flight.set_handle(handle);
        }
    }
}

impl<K: ?Sized, T, E> Clone for KeyedNursery<K, T, E> {
    fn clone(&self) -> KeyedNursery<K, T, E> {
        let (nursery, keys) = (self.nursery.clone(), self.keys.clone());
        KeyedNursery { nursery, keys, key: PhantomData }
    }
}

impl<K: ?Sized, T, E> fmt::Debug for KeyedNursery<K, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let len = self.keys.current.locked(|current| current.len());
        f.debug_struct("KeyedNursery").field("len", &len).finish_non_exhaustive()
    }
}

/// The future of [`KeyedNursery::join_or_spawn`].
#[must_use = "it waits only when it is awaited"]
pub struct KeyedJoin<T> {
    wait: Wait<T>,
}

impl<T: Clone> Future for KeyedJoin<T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        ready!(self.wait.poll(cx.waker(), false));
        Poll::Ready(self.wait.flight().value().cloned())
    }
}

impl<T> fmt::Debug for KeyedJoin<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedJoin").finish_non_exhaustive()
    }
}
