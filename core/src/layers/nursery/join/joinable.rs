//! The handles of children that a joiner can wait for, of whichever kind the child is.

use crate::layers::base::outcome::Ending;
use crate::layers::base::reason::Reason;
use crate::layers::nursery::child::Child;
use crate::layers::nursery::join::joined::{Joined, Missed, NoValue};
use crate::layers::record::joiner::{SharedList, SharedTally};

/// A handle of a child that joiners wait for: a [`Child`](crate::Child), a
/// [`ScopeChild`](crate::in_place::ScopeChild), or a [`ThreadChild`](crate::threads::ThreadChild).
///
/// The trait is sealed: code that is generic over the kind of the child names it, and the crate
/// implements it.
pub trait Joinable: sealed::Sealed<Gives = Self::Value, Fails = Self::Error> {
    /// The type of the child's value.
    type Value;
    /// The type of the child's error.
    type Error;
}

impl<T, E> Joinable for Child<T, E> {
    type Value = T;
    type Error = E;
}

pub(crate) mod sealed {
    use crate::layers::base::reason::Reason;
    use crate::layers::nursery::join::joined::{Joined, NoValue};
    use crate::layers::record::joiner::{SharedList, SharedTally};

    /// What a joiner needs of a handle.
    pub trait Sealed: Sized {
        type Gives;
        type Fails;

        /// Returns what the child puts on a list when it ends: no other child of the list has it
        /// while this handle is there. `None` if the child has ended, and cannot say so any more.
        #[doc(hidden)]
        fn key(&self) -> Option<usize>;

        /// Has the child put itself on the list when it ends. Returns `false` if it has ended
        /// already.
        #[doc(hidden)]
        fn enter(&mut self, list: &SharedList) -> bool;

        /// Has the tally count the child when it ends. Returns `false` if it has ended already.
        #[doc(hidden)]
        fn enter_tally(&mut self, tally: &SharedTally) -> bool;

        /// Takes the value, or why there is none, if the child has ended.
        #[doc(hidden)]
        fn take_value(&mut self) -> Option<Result<Self::Gives, NoValue<Self::Fails>>>;

        /// Takes the outcome, if it is there.
        #[doc(hidden)]
        fn take(&mut self, index: usize) -> Option<Joined<Self::Gives, Self::Fails>>;

        /// Cancels the child.
        #[doc(hidden)]
        fn cancel_for(&self, reason: &Reason) -> bool;

        /// Drops the handle of a child that has ended and that its joiner has no use for. A failure
        /// is known then, but not a panic, and not a loss: these are the place's.
        #[doc(hidden)]
        fn lose(self);
    }
}

impl<T, E> sealed::Sealed for Child<T, E> {
    type Gives = T;
    type Fails = E;

    fn key(&self) -> Option<usize> {
        Child::key(self)
    }

    fn enter(&mut self, list: &SharedList) -> bool {
        Child::enter(self, list.joiner())
    }

    fn enter_tally(&mut self, tally: &SharedTally) -> bool {
        Child::enter(self, tally.joiner())
    }

    fn take_value(&mut self) -> Option<Result<T, NoValue<E>>> {
        Some(Child::take(self)?.map_err(|lacking| NoValue(Missed::OfNursery(lacking))))
    }

    fn take(&mut self, index: usize) -> Option<Joined<T, E>> {
        let (id, place) = (self.id(), self.location());
        let name = self.name().map(Box::from);
        let result = Child::take(self)?.map_err(Missed::OfNursery);
        Some(Joined::new(index, id, name, place, result))
    }

    fn cancel_for(&self, reason: &Reason) -> bool {
        self.cancel_with(reason.clone())
    }

    fn lose(mut self) {
        match self.ending() {
            // Its destructor drops a value, and hands in what an isolating nursery must know.
            None | Some(Ending::Ok | Ending::Panicked(_) | Ending::Lost) => drop(self),
            Some(_) => drop(Child::take(&mut self)),
        }
    }
}
