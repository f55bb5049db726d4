//! A child with a value: what its future puts down, and what its handle takes.

use super::mode::{Done, Publish};
use crate::layers::base::guarded::{Foreign, Guarded};
use crate::layers::base::outcome::{Ending, Outcome};
use crate::layers::base::panic;
use crate::layers::base::panic::Payload;
use crate::layers::base::sync::Arc;
use crate::layers::record::joiner::{SharedList, SharedTally};
use std::ptr;
use std::task::Waker;

/// | state     | `value`     | `ending`   | what it is                                              |
/// |-----------|-------------|------------|---------------------------------------------------------|
/// | running   | none        | none       | the child has not returned                              |
/// | returned  | some        | none       | it has returned its value, and its future is being dropped |
/// | published | if it is Ok | some       | it has left; the handle may take it                     |
/// | taken     | none        | none, `is_over` | the handle has taken it, or is gone                |
pub(super) struct JoinCell<T>(Guarded<State<T>>);

struct State<T> {
    value: Option<Foreign<T>>,
    ending: Option<Foreign<Ending>>,
    joiner: Option<Foreign<Joiner>>,
    /// Nothing is taken any more.
    is_over: bool,
}

/// What hears that the outcome is there.
enum Joiner {
    Task(Waker),
    /// Of a task that waits for many, and takes each as it ends.
    List(SharedList),
    /// Of a task that waits for all of many.
    Tally(SharedTally),
}

impl<T> JoinCell<T> {
    pub(super) fn new() -> Arc<JoinCell<T>> {
        let state = State { value: None, ending: None, joiner: None, is_over: false };
        Arc::new(JoinCell(Guarded::new(state)))
    }

    /// Keeps the value that the child has returned; drops it if no handle can take it.
    pub(super) fn keep(&self, value: T) -> Result<(), Payload> {
        let mut value = Some(Foreign::new(value));
        self.0.locked(|state| {
            if !state.is_over {
                state.value = value.take();
            }
        });
        match value {
            // It is the child's own: a panic of its destructor is one of the child.
            Some(value) => panic::catch_drop(value.into_inner()),
            None => Ok(()),
        }
    }

    /// Takes the outcome, if it is there. `Err(true)`: it was taken before.
    pub(super) fn take<E: Send + Sync + 'static>(&self) -> Result<(Outcome<T, E>, Ending), bool> {
        let (value, ending, is_over) = self.0.locked(|state| {
            let ending = state.ending.take();
            let value = ending.is_some().then(|| state.value.take()).flatten();
            let was_over = state.is_over;
            state.is_over |= ending.is_some();
            (value, ending, was_over)
        });
        let Some(ending) = ending.map(Foreign::into_inner) else { return Err(is_over) };
        let outcome = match (&ending, value) {
            (Ending::Ok, Some(value)) => Outcome::Ok(value.into_inner()),
            (Ending::Err(error), _) => {
                Outcome::Err(error.clone().downcast().expect("the scope has one error type"))
            }
            (Ending::Cancelled(reason) | Ending::NoValue(reason), _) => {
                Outcome::Cancelled(reason.clone())
            }
            (Ending::Echo(echo), _) => Outcome::Cancelled(echo.0.clone()),
            (Ending::Panicked(panic), _) => Outcome::Panicked(panic.clone()),
            (Ending::Ok | Ending::Lost | Ending::Stuck | Ending::Deadlock(_), _) => Outcome::Lost,
        };
        Ok((outcome, ending))
    }

    /// Has the waker woken when the outcome is there. Returns `false` if it is there.
    pub(super) fn wait(&self, waker: &Waker) -> bool {
        self.keep_joiner(|| Joiner::Task(Foreign::cloned(waker).into_inner()))
    }

    /// Has the child on the list when the outcome is there. Returns `false` if it is there.
    pub(super) fn enter(&self, list: &SharedList) -> bool {
        self.keep_joiner(|| Joiner::List(list.clone()))
    }

    /// Has the tally count the child when the outcome is there. Returns `false` if it is there.
    pub(super) fn enter_tally(&self, tally: &SharedTally) -> bool {
        self.keep_joiner(|| Joiner::Tally(tally.clone()))
    }

    fn keep_joiner(&self, joiner: impl FnOnce() -> Joiner) -> bool {
        let mut joiner = Some(Foreign::new(joiner()));
        let (waits, _old) = self.0.locked(|state| {
            let waits = state.ending.is_none() && !state.is_over;
            let old =
                if waits { std::mem::replace(&mut state.joiner, joiner.take()) } else { None };
            (waits, old)
        });
        waits
    }

    pub(super) fn is_published(&self) -> bool {
        self.0.locked(|state| state.ending.is_some() || state.is_over)
    }

    /// The handle is gone. Returns the ending that it did not take.
    pub(super) fn let_go(&self) -> Option<Ending> {
        let (ending, _value, _joiner) = self.0.locked(|state| {
            state.is_over = true;
            (state.ending.take(), state.value.take(), state.joiner.take())
        });
        ending.map(Foreign::into_inner)
    }
}

impl<T> Publish for JoinCell<T> {
    fn publish(&self, done: Done) -> Option<Done> {
        let keeps_value = matches!(done.0, Ending::Ok);
        let mut ending = Some(Foreign::new(done.0));
        let (joiner, _value) = self.0.locked(|state| {
            let value = if keeps_value && !state.is_over { None } else { state.value.take() };
            if !state.is_over {
                state.ending = ending.take();
            }
            (state.joiner.take(), value)
        });
        let key = ptr::from_ref(self).addr();
        let waker = joiner.and_then(|joiner| match joiner.into_inner() {
            Joiner::Task(waker) => Some(Foreign::new(waker)),
            Joiner::List(list) => list.push(key),
            Joiner::Tally(tally) => tally.ended(key, keeps_value),
        });
        waker.into_iter().for_each(Foreign::wake);
        ending.map(|ending| Done(ending.into_inner()))
    }

    fn is_wanted(&self) -> bool {
        self.0.locked(|state| !state.is_over)
    }
}

/// Gives a child's outcome out, or returns it if there is no handle that can take it.
#[inline(always)]
pub(super) fn publish<J: ?Sized + Publish>(
    join: Option<Arc<J>>,
    ending: Ending,
) -> Option<Foreign<Ending>> {
    join?.publish(Done(ending)).map(|Done(ending)| Foreign::new(ending))
}

/// Returns what the joiner of a child that ends so finds.
pub(super) fn for_joiner(ending: &Ending) -> Ending {
    match ending {
        Ending::Ok => Ending::Ok,
        Ending::Err(error) => Ending::Err(error.clone()),
        Ending::Cancelled(reason) => Ending::Cancelled(reason.clone()),
        Ending::Echo(echo) => Ending::Cancelled(echo.0.clone()),
        Ending::NoValue(reason) => Ending::NoValue(reason.clone()),
        Ending::Panicked(panic) => Ending::Panicked(panic.clone()),
        Ending::Lost | Ending::Stuck | Ending::Deadlock(_) => Ending::Lost,
    }
}
