//! Handles of children, of which the next that has ended is found in one step.
//!
//! # Invariants
//!
//! 1. A handle stands in `waiting` from its push until its child's end is given, by the child's key;
//!    or in `keyless`, if its child has none.
//! 2. The key of a child in `waiting` comes once: on the list, or among `ended`, which were taken
//!    from it. `at` is the first of those that was not given.

use super::joinable::Joinable;
use super::joined::Joined;
use crate::layers::base::guarded::Foreign;
use crate::layers::base::reason::{Reason, ReasonKind};
use crate::layers::base::wait_mark::{self, Kind};
use crate::layers::context::new_reason::by_caller;
use crate::layers::record::joiner::SharedList;
use futures_core::Stream;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::future::Future;
use std::hash::{BuildHasherDefault, Hasher};
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Handles of children that are joined as they end: one after the other, whichever is next.
///
/// Each step costs the same however many children there are, and the task that waits is woken once
/// for all that end before it looks. The children may be those of several nurseries. More may be
/// [pushed](Children::push) at any time.
///
/// It owns the handles, and nothing else: when it is dropped the children go on, and their nurseries
/// wait for them.
///
/// It is a [`Stream`], too.
///
/// # Compared with
///
/// tokio's `JoinSet` owns its tasks and aborts them when it is dropped; the failure of one is known
/// only to the caller that asks. Here the nursery owns them, and reports a failure, unless its policy
/// [isolates](crate::Policy::Isolate). `FuturesUnordered` polls its futures in the task that waits;
/// children run on the runtime.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{Nursery, Simulator, sleep};
/// use allhome::join::Children;
/// use std::time::Duration;
///
/// let ended = Simulator::new().run(async |n: Nursery| {
///     let mut children: Children<_> = [30, 10, 20]
///         .into_iter()
///         .map(|ms| {
///             n.fork(async move {
///                 sleep(Duration::from_millis(ms)).await;
///                 Ok(ms)
///             })
///         })
///         .collect();
///     let mut ended = Vec::new();
///     while let Some(child) = children.join_next().await {
///         ended.push(child.into_result()?);
///     }
///     Ok(ended)
/// })?;
/// assert_eq!(ended, [10, 20, 30]);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Children<C: Joinable> {
    list: SharedList,
    /// By their keys; each with its place among those that were pushed.
    waiting: HashMap<usize, (usize, C), BuildHasherDefault<AddressHasher>>,
    keyless: VecDeque<(usize, C)>,
    ended: Vec<usize>,
    at: usize,
    pushed: usize,
}

/// Addresses are their own hashes, spread over the bits.
#[derive(Default)]
pub(crate) struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_usize(usize::from(*byte)));
    }

    fn write_usize(&mut self, address: usize) {
        // 2^64 divided by the golden ratio, as in Fibonacci hashing (Knuth, TAOCP 3, 6.4).
        self.0 = (self.0 ^ address as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn finish(&self) -> u64 {
        self.0.rotate_left(32)
    }
}

impl<C: Joinable> Children<C> {
    /// Creates one with no children.
    pub fn new() -> Children<C> {
        Children {
            list: SharedList::new(),
            waiting: HashMap::default(),
            keyless: VecDeque::new(),
            ended: Vec::new(),
            at: 0,
            pushed: 0,
        }
    }

    /// Adds a child. Its [`index`](Joined::index) is the number of those that were pushed before.
    ///
    /// A task that waits for the next child as for that of a [`Stream`] is woken if this one has
    /// ended.
    pub fn push(&mut self, mut child: C) {
        let index = self.pushed;
        self.pushed += 1;
        let Some(key) = child.key() else {
            self.keyless.push_back((index, child));
            return self.list.wake();
        };
        let ended = !child.enter(&self.list);
        self.waiting.insert(key, (index, child));
        if ended {
            // It has ended before it had the list: behind those that are on it. A task may wait:
            // as a stream, it keeps its waker between two polls.
            let waker = self.list.push(key);
            waker.into_iter().for_each(Foreign::wake);
        }
    }

    /// Returns how many children were pushed and not given yet.
    pub fn len(&self) -> usize {
        self.waiting.len() + self.keyless.len()
    }

    /// Returns `true` if every child that was pushed was given.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits for the next child that ends. Gives `None` if no child is left.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped: the children stay.
    pub fn join_next(&mut self) -> JoinNext<'_, C> {
        JoinNext { children: self, waits: false }
    }

    /// Returns a child that has ended, or `None` if none has. It does not wait.
    pub fn try_join_next(&mut self) -> Option<Joined<C::Value, C::Error>> {
        let (index, child) = self.next_ended(|list, keys| list.take(keys))?;
        Some(outcome(index, child))
    }

    /// Cancels the children that have not ended, as [`Child::cancel`](crate::Child::cancel) does.
    /// They stay, and are given when they end. Returns how many had not ended.
    #[track_caller]
    pub fn cancel(&self) -> usize {
        self.cancel_for(0, &by_caller(ReasonKind::Requested, Location::caller()))
    }

    /// Returns the handles, in the order in which they were pushed.
    pub fn into_handles(mut self) -> Vec<C> {
        self.take_handles()
    }

    /// Cancels those that are left, for a task that does not wait for them at present: those that end
    /// at once do not wake it.
    pub(super) fn cancel_left(&self, kind: ReasonKind, place: &'static Location<'static>) {
        self.cancel_from(0, kind, place);
    }

    /// As above, those with this place among the handles, or a later one.
    pub(crate) fn cancel_from(
        &self,
        first: usize,
        kind: ReasonKind,
        place: &'static Location<'static>,
    ) {
        if !self.is_empty() {
            self.list.forget_waker();
            self.cancel_for(first, &by_caller(kind, place));
        }
    }

    fn cancel_for(&self, first: usize, reason: &Reason) -> usize {
        // In the order of the handles, so that a schedule can be repeated.
        let mut children: Vec<_> =
            self.waiting.values().filter(|(index, _)| *index >= first).collect();
        children.sort_unstable_by_key(|(index, _)| *index);
        children.into_iter().filter(|(_, child)| child.cancel_for(reason)).count()
    }

    /// Takes the next that has ended, by its handle.
    pub(super) fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<Option<(usize, C)>> {
        if self.is_empty() {
            return Poll::Ready(None);
        }
        match self.next_ended(|list, keys| list.take_or_wait(keys, cx.waker())) {
            Some(ended) => Poll::Ready(Some(ended)),
            None => {
                wait_mark::on(Kind::Children, self.waiting.len() as u64);
                Poll::Pending
            }
        }
    }

    /// Drops the waker that was kept.
    pub(super) fn forget_waker(&self) {
        self.list.forget_waker();
    }

    fn next_ended(
        &mut self,
        take: impl FnOnce(&SharedList, &mut Vec<usize>) -> bool,
    ) -> Option<(usize, C)> {
        if let Some(ended) = self.keyless.pop_front() {
            return Some(ended);
        }
        if self.at == self.ended.len() {
            self.ended.clear();
            self.at = 0;
            if !take(&self.list, &mut self.ended) {
                return None;
            }
        }
        let key = self.ended[self.at];
        self.at += 1;
        Some(self.waiting.remove(&key).expect("a child is on the list once, while it waits"))
    }

    fn take_handles(&mut self) -> Vec<C> {
        let keyless = mem::take(&mut self.keyless);
        let mut handles: Vec<_> = self.waiting.drain().map(|(_, child)| child).collect();
        handles.extend(keyless);
        handles.sort_unstable_by_key(|(index, _)| *index);
        handles.into_iter().map(|(_, child)| child).collect()
    }
}

/// Returns the outcome of a child that has ended.
pub(super) fn outcome<C: Joinable>(index: usize, mut child: C) -> Joined<C::Value, C::Error> {
    child.take(index).expect("it has ended")
}

impl<C: Joinable> Drop for Children<C> {
    fn drop(&mut self) {
        self.list.leave();
        // In the order of the handles: a failure that was not looked at goes to its nursery.
        drop(self.take_handles());
    }
}

impl<C: Joinable> Default for Children<C> {
    fn default() -> Children<C> {
        Children::new()
    }
}

impl<C: Joinable> Extend<C> for Children<C> {
    fn extend<I: IntoIterator<Item = C>>(&mut self, children: I) {
        let children = children.into_iter();
        self.waiting.reserve(children.size_hint().0);
        children.for_each(|child| self.push(child));
    }
}

impl<C: Joinable> FromIterator<C> for Children<C> {
    fn from_iter<I: IntoIterator<Item = C>>(children: I) -> Children<C> {
        let mut all = Children::new();
        all.extend(children);
        all
    }
}

impl<C: Joinable> Unpin for Children<C> {}

impl<C: Joinable> Stream for Children<C> {
    type Item = Joined<C::Value, C::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let ended = ready!(self.poll_ended(cx));
        Poll::Ready(ended.map(|(index, child)| outcome(index, child)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.len(), Some(self.len()))
    }
}

impl<C: Joinable> fmt::Debug for Children<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Children").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// The future of [`Children::join_next`].
#[must_use = "it waits only when it is awaited"]
pub struct JoinNext<'a, C: Joinable> {
    children: &'a mut Children<C>,
    /// The list has its waker.
    waits: bool,
}

impl<C: Joinable> Future for JoinNext<'_, C> {
    type Output = Option<Joined<C::Value, C::Error>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let ended = self.children.poll_ended(cx);
        self.waits = ended.is_pending();
        ended.map(|ended| ended.map(|(index, child)| outcome(index, child)))
    }
}

impl<C: Joinable> Drop for JoinNext<'_, C> {
    fn drop(&mut self) {
        if self.waits {
            self.children.forget_waker();
        }
    }
}

impl<C: Joinable> fmt::Debug for JoinNext<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinNext").field("children", &self.children).finish_non_exhaustive()
    }
}
