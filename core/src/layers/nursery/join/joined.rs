//! A child that has ended, as its joiner gets it.

use crate::layers::base::id::TaskId;
use crate::layers::base::join_error::JoinError;
use crate::layers::base::outcome::Ending;
use crate::layers::group::no_value::Lack;
use crate::layers::nursery::lacking::Lacking;
use std::fmt;
use std::panic::Location;

/// A child that has ended: which one, and how. [`Children::join_next`](crate::join::Children::join_next)
/// gives one for each child, and a [`Joiner`](crate::join::Joiner) gets them.
///
/// If it is dropped before [`into_result`](Joined::into_result), the child counts as one whose
/// handle was dropped: the failure of a child of an [isolating](crate::Policy::Isolate) nursery, or
/// scope, is that one's then.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{Nursery, block_on, nursery};
/// use allhome::join::Children;
///
/// let run = nursery().run(async |n: Nursery| {
///     let mut children = Children::from_iter([n.task("six").fork(async { Ok(6) })]);
///     let six = children.join_next().await.expect("there is one");
///     assert_eq!((six.name(), six.index()), (Some("six"), 0));
///     Ok(six.into_result()?)
/// });
/// assert_eq!(block_on(run)?, 6);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "it has the child's outcome, and perhaps its failure: see `into_result`"]
pub struct Joined<T, E> {
    index: usize,
    id: Option<TaskId>,
    name: Option<Box<str>>,
    place: Option<&'static Location<'static>>,
    /// None once it was taken.
    result: Option<Result<T, Missed<E>>>,
}

/// Why there is no value.
pub(crate) enum Missed<E> {
    OfNursery(Box<Lacking<E>>),
    OfOther(Box<OfOther<E>>),
}

/// The same for a joiner that keeps nothing else of a child. Public, and in no public module: a sealed
/// trait names it.
pub struct NoValue<E>(pub(crate) Missed<E>);

/// The same, of a child that is in no nursery.
pub(crate) struct OfOther<E> {
    pub(crate) error: JoinError<E>,
    pub(crate) lack: Lack,
    pub(crate) home: Box<dyn Home>,
}

/// What a child is in that is in no nursery, and which child it is: none if it was refused.
pub(crate) trait Home: Send + Sync {
    /// The joiner gets an error for it: notes in its poll if that is known already.
    fn tell(&self, lack: Lack);
    /// The joiner needs the value, and ends.
    fn end_joiner(&self, lack: Lack, place: &'static Location<'static>);
    /// No caller looks at how it ended: a failure is the place's, if that left it to the joiner.
    fn hand_in(&self, ending: Ending);
}

impl<E> Missed<E> {
    /// Returns `true` if the child was cancelled or refused.
    pub(crate) fn is_cancelled(&self) -> bool {
        match self {
            Missed::OfNursery(lacking) => lacking.is_cancelled(),
            Missed::OfOther(other) => other.error.reason().is_some(),
        }
    }

    pub(crate) fn taken() -> Missed<E> {
        Missed::OfNursery(Lacking::taken())
    }

    pub(crate) fn end_joiner(self, place: &'static Location<'static>) {
        match self {
            Missed::OfNursery(lacking) => lacking.end_joiner(place),
            Missed::OfOther(other) => other.home.end_joiner(other.lack, place),
        }
    }

    pub(crate) fn tell(self) -> JoinError<E> {
        match self {
            Missed::OfNursery(lacking) => lacking.tell(),
            Missed::OfOther(other) => {
                let OfOther { error, lack, home } = *other;
                home.tell(lack);
                error
            }
        }
    }

    /// Returns `true` if it is a failure that a joiner which has enough does not keep from the
    /// place: a panic, or a loss.
    fn is_of_the_place(&self) -> bool {
        match self {
            Missed::OfNursery(lacking) => lacking.is_of_the_nursery(),
            Missed::OfOther(other) => {
                matches!(other.lack, Lack::Failed(Ending::Panicked(_) | Ending::Lost))
            }
        }
    }

    /// No caller looks at it: a failure goes to the place, if that left it to the joiner.
    fn hand_in(self) {
        match self {
            Missed::OfNursery(lacking) => lacking.hand_in(),
            Missed::OfOther(other) => {
                if let Lack::Failed(ending) = other.lack {
                    other.home.hand_in(ending);
                }
            }
        }
    }
}

impl<T, E> Joined<T, E> {
    pub(crate) fn new(
        index: usize,
        id: Option<TaskId>,
        name: Option<Box<str>>,
        place: Option<&'static Location<'static>>,
        result: Result<T, Missed<E>>,
    ) -> Joined<T, E> {
        Joined { index, id, name, place, result: Some(result) }
    }

    /// Makes one whose value is of another type.
    pub(crate) fn map<U>(mut self, f: impl FnOnce(T) -> U) -> Joined<U, E> {
        let Joined { index, id, place, .. } = self;
        let (name, result) = (self.name.take(), self.result.take());
        let result = result.map(|result| result.map(f));
        Joined { index, id, name, place, result }
    }

    /// Returns the place of the child's handle among those that its joiner was given, from 0.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Returns the child's id, or `None` if the child was refused or its outcome was taken before.
    pub fn id(&self) -> Option<TaskId> {
        self.id
    }

    /// Returns the child's name, if it has one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Returns where the child was spawned, or `None` if it was refused or its outcome was taken
    /// before.
    pub fn location(&self) -> Option<&'static Location<'static>> {
        self.place
    }

    /// Returns `true` if the child has ended with a value.
    pub fn is_ok(&self) -> bool {
        matches!(self.result, Some(Ok(_)))
    }

    /// Returns the value, if the child has ended with one.
    pub fn value(&self) -> Option<&T> {
        self.result.as_ref()?.as_ref().ok()
    }

    /// Returns the child's value, or why there is none.
    ///
    /// Call it in the poll in which the task that waits gets the error: that poll reports the failure
    /// to the task, and an error with which the task ends in it is an
    /// [echo](crate::GroupError::echoes). A [`Joiner`](crate::join::Joiner) keeps what it needs, and
    /// calls this in [`finish`](crate::join::Joiner::finish).
    ///
    /// # Errors
    ///
    /// Those of awaiting a [`Child`](crate::Child).
    pub fn into_result(mut self) -> Result<T, JoinError<E>> {
        match self.result.take() {
            Some(result) => result.map_err(Missed::tell),
            None => Err(JoinError::taken()),
        }
    }

    /// Returns the child's value. Where there is none, the task that needs it ends, as with
    /// [`Child::value`](crate::Child::value).
    pub(crate) fn value_or_end(mut self, place: &'static Location<'static>) -> Option<T> {
        match self.result.take().expect("it is taken once") {
            Ok(value) => Some(value),
            Err(missed) => {
                missed.end_joiner(place);
                None
            }
        }
    }

    /// Drops what a joiner has no use for. A failure is known to it; but a panic, or a loss, of a
    /// child of an isolating nursery is the nursery's.
    pub(crate) fn lose(mut self) {
        if let Some(Err(missed)) = self.result.take() {
            if missed.is_of_the_place() {
                missed.hand_in();
            }
        }
    }
}

impl<T, E> Drop for Joined<T, E> {
    fn drop(&mut self) {
        if let Some(Err(missed)) = self.result.take() {
            missed.hand_in();
        }
    }
}

impl<T, E> fmt::Debug for Joined<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Joined")
            .field("index", &self.index)
            .field("id", &self.id)
            .field("name", &self.name)
            .field("is_ok", &self.is_ok())
            .finish_non_exhaustive()
    }
}
