//! What is deferred to the end of a nursery.

use crate::layers::base::guarded::Foreign;
use crate::layers::base::sync::Arc;
use crate::layers::base::who::Who;
use std::any::Any;
use std::future::Future;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::time::Duration;

pub(crate) type Failed = Arc<dyn Any + Send + Sync>;
pub(crate) type Finalizer = Pin<Box<dyn Future<Output = Result<(), Failed>> + Send>>;

/// A finalizer that has not been run.
pub(crate) struct Deferred {
    pub(crate) future: Finalizer,
    pub(crate) budget: Duration,
    pub(crate) place: &'static Location<'static>,
}

/// What is deferred and not begun, the last to be run first.
#[derive(Default)]
pub(crate) struct Finalizers {
    deferred: Vec<Foreign<Deferred>>,
    /// A member runs them.
    running: bool,
    /// The number of the last member that ran them; 0 if there was none.
    runner: u64,
}

impl Finalizers {
    /// Returns `true` if a finalizer is deferred, and no member runs them.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.deferred.is_empty() && !self.running
    }

    pub(crate) fn push(&mut self, deferred: Foreign<Deferred>) {
        self.deferred.push(deferred);
    }

    /// The caller has a member run them. Returns where the first was deferred; none if no member is
    /// wanted.
    pub(crate) fn begin(&mut self) -> Option<&'static Location<'static>> {
        if !self.is_waiting() {
            return None;
        }
        self.running = true;
        self.deferred.first().map(|deferred| deferred.place)
    }

    /// That member is admitted.
    pub(crate) fn note_runner(&mut self, number: u64) {
        self.runner = number;
    }

    /// Returns `true` if the member runs them: it is no child.
    pub(crate) fn are_run_by(&self, number: u64) -> bool {
        self.runner == number
    }

    /// Takes the next to run. None ends what [`begin`](Finalizers::begin) began.
    pub(crate) fn next(&mut self) -> Option<Foreign<Deferred>> {
        let next = self.deferred.pop();
        self.running = next.is_some();
        next
    }

    /// Takes what will not be run any more.
    pub(crate) fn take(&mut self) -> Vec<Foreign<Deferred>> {
        self.running = false;
        mem::take(&mut self.deferred)
    }
}

impl Deferred {
    pub(crate) fn new<F, E>(
        future: F,
        budget: Duration,
        place: &'static Location<'static>,
    ) -> Deferred
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Send + Sync + 'static,
    {
        let future =
            Box::pin(async move { future.await.map_err(|error| Arc::new(error) as Failed) });
        Deferred { future, budget, place }
    }

    pub(crate) fn who(&self) -> Who {
        Who { task: None, name: None, place: self.place, finalizer: true }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Deferred, Finalizers, Foreign};
    use std::panic::Location;
    use std::time::Duration;

    fn deferred(seconds: u64) -> Foreign<Deferred> {
        let budget = Duration::from_secs(seconds);
        Foreign::new(Deferred::new(async { Ok::<(), ()>(()) }, budget, Location::caller()))
    }

    #[test]
    fn begin_then_next_until_none() {
        let mut finalizers = Finalizers::default();
        assert!(finalizers.begin().is_none());
        finalizers.push(deferred(1));
        finalizers.push(deferred(2));
        assert!(finalizers.is_waiting() && finalizers.begin().is_some());
        assert!(!finalizers.is_waiting() && finalizers.begin().is_none(), "a member runs them");
        let next =
            |finalizers: &mut Finalizers| finalizers.next().map(|next| next.budget.as_secs());
        assert_eq!(next(&mut finalizers), Some(2), "the last first");
        finalizers.push(deferred(3));
        assert_eq!([next(&mut finalizers), next(&mut finalizers)], [Some(3), Some(1)]);
        assert!(next(&mut finalizers).is_none());
        finalizers.push(deferred(4));
        assert!(finalizers.is_waiting(), "it has ended");
        assert_eq!(finalizers.take().len(), 1);
        assert!(!finalizers.is_waiting());
    }
}
