//! Awaiting many children at once.

use super::join::joinable::Joinable;
use super::join::joined::{Missed, NoValue};
use crate::layers::base::join_error::JoinError;
use crate::layers::base::wait_mark::{self, Kind};
use crate::layers::record::joiner::{Count, SharedTally};
use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Waits for all of these children, and gives their values in the order of the handles.
///
/// The first child that ends without a value ends the wait, wherever it stands in the order. The
/// children may be those of several nurseries, or scopes.
///
/// However many children there are, the task that waits is woken once: by the last end, or by the
/// first that is no value.
///
/// # Errors
///
/// Gives the [`JoinError`] of the first child that has no value. The other handles are dropped then.
/// Awaited again after it was ready, it gives an error for which
/// [`is_taken`](JoinError::is_taken) is true.
///
/// # Cancel safety
///
/// If the future is dropped before it is ready, all handles are dropped: the children go on, and
/// their values are lost.
///
/// # Compared with
///
/// `futures::future::join_all` waits for all, whatever becomes of them, and `try_join_all` drops
/// the futures that are left. Here the children go on until their nursery ends them.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{Nursery, block_on, join_all, nursery};
///
/// let run = nursery().run(async |n: Nursery| {
///     let lengths = ["one", "three", "seven"].map(|page| n.fork(async { Ok(page.len()) }));
///     Ok(join_all(lengths).await?)
/// });
/// assert_eq!(block_on(run)?, [3, 5, 5]);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn join_all<C: Joinable>(children: impl IntoIterator<Item = C>) -> JoinAll<C> {
    JoinAll { parts: children.into_iter().map(Part::Child).collect(), stage: Stage::New }
}

/// The future of [`join_all`].
#[must_use = "it waits only when it is awaited"]
pub struct JoinAll<C: Joinable> {
    parts: Vec<Part<C>>,
    stage: Stage,
}

enum Part<C: Joinable> {
    Child(C),
    Value(C::Value),
}

/// The values of children, in the order of the handles.
type ValuesOf<C> = Vec<<C as Joinable>::Value>;

enum Stage {
    /// No child knows of it.
    New,
    /// Each child that had not ended has the tally as its joiner.
    Waits(SharedTally),
    Ended,
}

impl<C: Joinable> Part<C> {
    /// Takes the child's value, if it has ended with one. `Ok(false)`: it has not ended.
    fn look(&mut self) -> Result<bool, Missed<C::Error>> {
        let Part::Child(child) = self else { return Ok(true) };
        match child.take_value() {
            None => Ok(false),
            Some(Err(NoValue(missed))) => Err(missed),
            Some(Ok(value)) => {
                *self = Part::Value(value);
                Ok(true)
            }
        }
    }

    /// Has the tally count the child, unless it has ended.
    fn enter(&mut self, tally: &SharedTally) -> Result<(), Missed<C::Error>> {
        while let (false, Part::Child(child)) = (self.look()?, &mut *self) {
            tally.add();
            if child.enter_tally(tally) {
                break;
            }
            // It has ended meanwhile.
            tally.remove();
        }
        Ok(())
    }
}

impl<C: Joinable> JoinAll<C> {
    /// Looks at all children. Of several that have no value, one that failed comes before those
    /// that were cancelled, perhaps because of it.
    fn look(&mut self) -> Result<bool, Missed<C::Error>> {
        let (mut complete, mut cancelled) = (true, None);
        for part in &mut self.parts {
            match part.look() {
                Ok(ended) => complete &= ended,
                Err(error) if error.is_cancelled() => {
                    cancelled.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        cancelled.map_or(Ok(complete), Err)
    }

    /// Begins to wait. Returns the tally, or none if all have ended.
    fn begin(&mut self) -> Result<Option<SharedTally>, Missed<C::Error>> {
        if self.look()? {
            return Ok(None);
        }
        let tally = SharedTally::new();
        // From here on, a drop of the future finds it.
        self.stage = Stage::Waits(tally.clone());
        for at in 0..self.parts.len() {
            let Err(error) = self.parts[at].enter(&tally) else { continue };
            if error.is_cancelled() {
                // Perhaps because of a sibling that failed since the first look. This one is taken.
                drop(self.parts.remove(at));
                let _ended = self.look()?;
            }
            return Err(error);
        }
        tally.seal();
        Ok(Some(tally))
    }

    fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Missed<C::Error>>> {
        let tally = match &self.stage {
            Stage::New => self.begin()?,
            Stage::Waits(tally) => Some(tally.clone()),
            Stage::Ended => return Poll::Ready(Err(Missed::taken())),
        };
        match tally.map_or(Count::Complete, |tally| tally.poll(cx.waker())) {
            Count::Waits => {
                wait_mark::on(Kind::Children, self.parts.len() as u64);
                Poll::Pending
            }
            Count::Failed(key) => {
                let failed = self.parts.iter_mut().find(|part| part.is_of(key));
                // No look at the others: a failure that is taken and not returned is lost.
                failed.map_or(Ok(false), Part::look)?;
                Poll::Ready(self.look().map(drop))
            }
            Count::Complete => Poll::Ready(self.look().map(drop)),
        }
    }

    pub(super) fn poll_values(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<ValuesOf<C>, Missed<C::Error>>> {
        let Poll::Ready(ended) = self.poll_ended(cx) else { return Poll::Pending };
        let parts = self.end();
        Poll::Ready(ended.map(|()| parts.into_iter().filter_map(Part::into_value).collect()))
    }

    /// Ends the wait, and gives up the handles that are left.
    fn end(&mut self) -> Vec<Part<C>> {
        if let Stage::Waits(tally) = mem::replace(&mut self.stage, Stage::Ended) {
            tally.leave();
        }
        mem::take(&mut self.parts)
    }
}

impl<C: Joinable> Part<C> {
    fn is_of(&self, key: usize) -> bool {
        matches!(self, Part::Child(child) if child.key() == Some(key))
    }

    fn into_value(self) -> Option<C::Value> {
        match self {
            Part::Value(value) => Some(value),
            Part::Child(_) => None,
        }
    }
}

impl<C: Joinable> Unpin for JoinAll<C> {}

impl<C: Joinable> Future for JoinAll<C> {
    type Output = Result<Vec<C::Value>, JoinError<C::Error>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_values(cx).map_err(Missed::tell)
    }
}

impl<C: Joinable> Drop for JoinAll<C> {
    fn drop(&mut self) {
        drop(self.end());
    }
}

impl<C: Joinable> fmt::Debug for JoinAll<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinAll").field("children", &self.parts.len()).finish_non_exhaustive()
    }
}
