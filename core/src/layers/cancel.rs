//! The cancel token: a level that only rises and is passed down a tree, with no runtime and no
//! nursery.
//!
//! The state is in [`node`], making children in [`tree`], raising in [`sweep`]; waiters stand in
//! an intrusive [`list`](crate::layers::base::intrusive).

mod callbacks;
mod cancelled;
mod draining;
mod listener;
mod node;
mod stream;
mod sweep;
mod tree;
mod until_cancelled;
mod wait;
mod waiter;

#[cfg(all(test, not(loom)))]
mod tests;

pub use callbacks::Registration;
pub use cancelled::{Cancelled, CancelledOwned};
pub use draining::Draining;
pub(crate) use listener::{Listener, Rest};
pub use stream::{CancelStreamExt, UntilCancelledStream};
pub use until_cancelled::{CancelExt, UntilCancelled};

use crate::layers::base::reason::{Level, Reason};
use crate::layers::base::sync::Weak;
use callbacks::Extra;
use node::NodeRef;
use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::panic::{RefUnwindSafe, UnwindSafe};

/// A token that can be cancelled, and whose children are cancelled with it.
///
/// Give a token to code that must stop when it is cancelled, in a task or in a thread; it needs no
/// runtime and no nursery. Cloning a token returns another handle of the same token.
///
/// A cancel reaches the whole tree below. First all tokens are raised, parents before children;
/// then wakers, callbacks and nurseries are notified, with no lock held, so they may do anything.
/// While another thread's cancel is under way, a parent may be cancelled already and its child not
/// yet; when that `cancel` has returned, all are cancelled.
///
/// *Token or nursery?* A nursery cancels its tasks and waits until they have ended. A token only
/// reports the cancel and waits for nothing.
///
/// *Coming from elsewhere?* It is Go's `context.Context` without its values and deadlines, and
/// tokio-util's `CancellationToken` with a [`Reason`], callbacks, and several parents.
///
/// A token that has children is kept, without any handle, until the last of them is gone: dropping
/// it costs the same whatever their number.
///
/// # Examples
///
/// ```
/// use allhome::CancelToken;
///
/// let server = CancelToken::new();
/// let request = server.child();
/// server.cancel_with(allhome::Reason::new("shutting down"));
/// assert!(request.is_cancelled());
/// assert_eq!(request.reason().unwrap().message(), "shutting down");
/// ```
#[derive(Clone)]
pub struct CancelToken {
    node: NodeRef,
}

impl CancelToken {
    /// Creates a token with no parent.
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(!allhome::CancelToken::new().is_cancelled());
    /// ```
    pub fn new() -> CancelToken {
        CancelToken { node: NodeRef::new(&[], None) }
    }

    /// Creates a token that is cancelled when any of the given tokens is cancelled, with the reason
    /// of the first. Cancelling it cancels none of them.
    ///
    /// # Examples
    ///
    /// ```
    /// use allhome::CancelToken;
    ///
    /// let (user, server) = (CancelToken::new(), CancelToken::new());
    /// let request = CancelToken::any([&user, &server]);
    /// user.cancel();
    /// assert!(request.is_cancelled() && !server.is_cancelled());
    /// ```
    pub fn any<I>(tokens: I) -> CancelToken
    where
        I: IntoIterator,
        I::Item: Borrow<CancelToken>,
    {
        let tokens: Vec<_> = tokens.into_iter().collect();
        let parents: Vec<_> = tokens.iter().map(|token| &token.borrow().node).collect();
        CancelToken { node: NodeRef::any(&parents) }
    }

    /// Creates a child: it is cancelled with this token, and can be cancelled alone. The child of a
    /// cancelled token is cancelled from its start, for the same reason.
    ///
    /// # Examples
    ///
    /// ```
    /// use allhome::CancelToken;
    ///
    /// let parent = CancelToken::new();
    /// let (one, other) = (parent.child(), parent.child());
    /// one.cancel();
    /// assert!(!parent.is_cancelled() && !other.is_cancelled());
    /// ```
    pub fn child(&self) -> CancelToken {
        CancelToken { node: self.node.child(None) }
    }

    /// Creates a token that is not cancelled with this one: for work that has to go on afterwards.
    /// Go's `WithoutCancel`.
    ///
    /// # Examples
    ///
    /// ```
    /// use allhome::CancelToken;
    ///
    /// let request = CancelToken::new();
    /// let logging = request.detached();
    /// request.cancel();
    /// assert!(!logging.is_cancelled());
    /// ```
    pub fn detached(&self) -> CancelToken {
        CancelToken::new()
    }

    /// Creates a root that has a level and a reason from its start. `listener` is notified of
    /// further rises.
    pub(crate) fn born(
        level: Level,
        reason: Option<Reason>,
        listener: Weak<dyn Listener>,
    ) -> CancelToken {
        let extra = Box::new(Extra::with_listener(listener));
        CancelToken { node: NodeRef::born(level, reason, Some(extra)) }
    }

    /// Creates a child. `listener` is notified of its rises above the level that it is created
    /// with.
    pub(crate) fn child_with(&self, listener: Weak<dyn Listener>) -> CancelToken {
        let extra = Box::new(Extra::with_listener(listener));
        CancelToken { node: self.node.child(Some(extra)) }
    }

    /// Returns the token's level: how far it is on its way to its end. One atomic load.
    #[inline]
    pub fn level(&self) -> Level {
        self.node.level()
    }

    /// Returns `true` if it was cancelled or aborted. One atomic load.
    ///
    /// # Examples
    ///
    /// ```
    /// # let (token, mut chunks) = (allhome::CancelToken::new(), [1, 2, 3].iter());
    /// let mut sum = 0;
    /// while let (false, Some(chunk)) = (token.is_cancelled(), chunks.next()) {
    ///     sum += chunk;
    /// }
    /// assert_eq!(sum, 6);
    /// ```
    #[inline]
    pub fn is_cancelled(&self) -> bool {
        self.node.is_cancelled()
    }

    /// Returns why it was cancelled, if it was. The first reason stays, and all tokens that were
    /// cancelled by one call have the same one.
    pub fn reason(&self) -> Option<Reason> {
        self.node.reason()
    }

    /// As [`reason`](CancelToken::reason), or why a token above was cancelled whose rise is on its
    /// way down to this one.
    pub(crate) fn reason_above(&self) -> Option<Reason> {
        self.node.reason_above()
    }

    /// Returns `true` if both are handles of the same token.
    pub fn same(&self, other: &CancelToken) -> bool {
        self.node.same(&other.node)
    }

    /// Like [`cancel`](CancelToken::cancel), with a reason. The first reason stays.
    pub fn cancel_with(&self, reason: Reason) -> bool {
        self.escalate_to(Level::Cancelled, reason)
    }

    /// Raises the level of the token and of everything below it; a higher level stays.
    ///
    /// Returns `false` if the token had this level already. A rise below
    /// [`Cancelled`](Level::Cancelled) wakes only tasks that wait for
    /// [`draining`](CancelToken::draining), and its reason is not kept.
    ///
    /// # Examples
    ///
    /// ```
    /// use allhome::{CancelToken, Reason};
    /// use allhome::cancel::Level;
    ///
    /// let token = CancelToken::new();
    /// assert!(token.escalate_to(Level::Draining, Reason::new("no more requests")));
    /// assert_eq!(token.level(), Level::Draining);
    /// assert!(!token.is_cancelled() && token.reason().is_none());
    /// ```
    pub fn escalate_to(&self, level: Level, reason: Reason) -> bool {
        self.node.escalate_to(level, reason)
    }

    /// Raises the level of the token, and of everything below it, to the next one, and returns
    /// that. At the last level it stays there.
    ///
    /// # Examples
    ///
    /// ```
    /// use allhome::{CancelToken, Reason};
    /// use allhome::cancel::Level;
    ///
    /// let token = CancelToken::new();
    /// assert_eq!(token.escalate(Reason::new("asked")), Level::Draining);
    /// assert_eq!(token.escalate(Reason::new("asked again")), Level::Cancelled);
    /// assert_eq!(token.reason().unwrap().message(), "asked again");
    /// ```
    pub fn escalate(&self, reason: Reason) -> Level {
        while let Some(next) = self.level().next() {
            if self.escalate_to(next, reason.clone()) {
                return next;
            }
        }
        Level::Aborted
    }

    /// Calls `callback` when the token is cancelled, on the thread that cancels it and with no lock
    /// held. If the token was cancelled before, calls it at once, on this thread. Go's `AfterFunc`.
    ///
    /// The callbacks of a token are called in the order of their registration, those of its
    /// descendants before. If one panics, the others are still called. Dropping the
    /// [`Registration`] removes the callback; it does not wait for a callback that is running.
    ///
    /// # Examples
    ///
    /// ```
    /// use allhome::CancelToken;
    /// use std::sync::mpsc;
    ///
    /// let token = CancelToken::new();
    /// let (sender, receiver) = mpsc::channel();
    /// let registration = token.on_cancel(move |reason| sender.send(reason.clone()).unwrap());
    /// token.cancel();
    /// assert!(receiver.try_recv().unwrap().same(&token.reason().unwrap()));
    /// assert!(!registration.remove(), "it was called");
    /// ```
    pub fn on_cancel<F>(&self, callback: F) -> Registration
    where
        F: FnOnce(&Reason) + Send + 'static,
    {
        Registration::new(self, callback)
    }

    /// Waits until the token is cancelled, and returns why.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped: a token stays cancelled.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{CancelToken, block_on};
    /// use allhome::cancel::ReasonKind;
    ///
    /// let token = CancelToken::new();
    /// let other = token.clone();
    /// let thread = std::thread::spawn(move || other.cancel());
    /// assert_eq!(block_on(token.cancelled()).kind(), ReasonKind::Requested);
    /// thread.join().unwrap();
    /// # }
    /// ```
    pub fn cancelled(&self) -> Cancelled<'_> {
        Cancelled::new(self)
    }

    /// Like [`cancelled`](CancelToken::cancelled), but the future holds its token.
    ///
    /// # Cancel safety
    ///
    /// Same as [`cancelled`](CancelToken::cancelled).
    pub fn cancelled_owned(self) -> CancelledOwned {
        CancelledOwned::new(self)
    }
}

/// Clones of a token are equal; a token and one derived from it are not.
impl PartialEq for CancelToken {
    fn eq(&self, other: &CancelToken) -> bool {
        self.node.same(&other.node)
    }
}

impl Eq for CancelToken {}

impl Hash for CancelToken {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.node.address().hash(state);
    }
}

impl Default for CancelToken {
    fn default() -> CancelToken {
        CancelToken::new()
    }
}

// No other thread can see it half changed: user code that may panic is called with no lock held.
impl UnwindSafe for CancelToken {}
impl RefUnwindSafe for CancelToken {}

impl fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelToken").field("level", &self.level()).finish_non_exhaustive()
    }
}
