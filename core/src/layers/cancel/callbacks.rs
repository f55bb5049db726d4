//! Callbacks of a token, and the registration that removes one.

use super::CancelToken;
use super::listener::Listener;
use crate::layers::base::guarded::Foreign;
use crate::layers::base::panic;
use crate::layers::base::reason::{Level, Reason};
use crate::layers::base::sync::Weak;
use std::collections::BTreeMap;
use std::{fmt, mem};

/// Gets the reason if the token is cancelled, and `None` if it is only draining.
pub(super) type Callback = Foreign<Box<dyn FnOnce(Option<&Reason>) + Send>>;

/// The part that few nodes have: callbacks in the order of their registration, and a listener.
#[derive(Default)]
pub(super) struct Extra {
    /// Each with the level from which on it is called.
    callbacks: BTreeMap<u64, (Level, Callback)>,
    next: u64,
    listener: Option<Weak<dyn Listener>>,
}

impl Extra {
    pub(super) fn with_listener(listener: Weak<dyn Listener>) -> Extra {
        Extra { callbacks: BTreeMap::new(), next: 0, listener: Some(listener) }
    }

    pub(super) fn listener(&self) -> Option<Weak<dyn Listener>> {
        self.listener.clone()
    }

    /// Takes the callbacks that a rise to `level` calls, in the order of their registration.
    pub(super) fn take_due(&mut self, level: Level) -> impl DoubleEndedIterator<Item = Callback> {
        let all = mem::take(&mut self.callbacks);
        let (due, later): (BTreeMap<_, _>, _) =
            all.into_iter().partition(|(_, (at, _))| *at <= level);
        self.callbacks = later;
        due.into_values().map(|(_, callback)| callback)
    }

    fn add(&mut self, at: Level, callback: Callback) -> u64 {
        let id = self.next;
        self.next += 1;
        self.callbacks.insert(id, (at, callback));
        id
    }
}

/// A callback of [`CancelToken::on_cancel`]. Dropping the registration removes the callback, unless
/// it was called or is about to be.
///
/// # Examples
///
/// ```
/// use allhome::CancelToken;
///
/// let token = CancelToken::new();
/// let registration = token.on_cancel(|_| println!("cleaning up"));
/// assert!(registration.remove(), "it was not called, and will not be");
/// ```
#[must_use = "dropping it removes the callback; `keep` leaves it for as long as the token lives"]
pub struct Registration {
    token: CancelToken,
    at: Level,
    /// `None` if the callback was called at once, or is not ours to remove any more.
    id: Option<u64>,
}

impl Registration {
    pub(super) fn new<F>(token: &CancelToken, callback: F) -> Registration
    where
        F: FnOnce(&Reason) + Send + 'static,
    {
        Registration::at(token, Level::Cancelled, move |reason| {
            if let Some(reason) = reason {
                callback(reason);
            }
        })
    }

    /// Like [`new`](Registration::new), with the level from which on the callback is called.
    pub(crate) fn at<F>(token: &CancelToken, at: Level, callback: F) -> Registration
    where
        F: FnOnce(Option<&Reason>) + Send + 'static,
    {
        let token = token.clone();
        if token.level() >= at {
            run(&token, callback);
            return Registration { token, at, id: None };
        }
        let mut callback: Option<Callback> = Some(Foreign::new(Box::new(callback)));
        // Again, under the lock: a rise takes the callbacks in the same hold in which it stores the
        // level.
        let id = token.node.locked(|lists| {
            let callback = callback.take_if(|_| token.level() < at)?;
            Some(lists.extra.get_or_insert_default().add(at, callback))
        });
        if let Some(callback) = callback {
            run(&token, callback.into_inner());
        }
        Registration { token, at, id }
    }

    /// Removes the callback. Returns `false` if it was called, is being called, or is about to be
    /// called: this does not wait for it.
    pub fn remove(mut self) -> bool {
        self.take_away()
    }

    /// Leaves the callback in place: it is called when the token is cancelled, or dropped with the
    /// last handle of the token and of its children.
    ///
    /// A callback that is kept and holds a handle of its own token keeps the token for ever, unless
    /// the token is cancelled.
    pub fn keep(mut self) {
        self.id = None;
    }

    fn take_away(&mut self) -> bool {
        let Some(id) = self.id.take() else { return false };
        if self.token.level() >= self.at {
            // A rise has taken it: it takes callbacks before it stores the level.
            return false;
        }
        let callback = self.token.node.locked(|lists| lists.extra.as_mut()?.callbacks.remove(&id));
        callback.is_some()
    }
}

fn run(token: &CancelToken, callback: impl FnOnce(Option<&Reason>)) {
    let reason = token.reason();
    if let Err(payload) = panic::catch(|| callback(reason.as_ref())) {
        panic::discard(payload);
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.take_away();
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration").field("token", &self.token).finish_non_exhaustive()
    }
}
