//! What is deferred to the end of a nursery.

use super::failures::Who;
use crate::layers::base::guarded::Foreign;
use crate::layers::base::sync::Arc;
use std::any::Any;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::time::Duration;

pub(in crate::layers::group) type Failed = Arc<dyn Any + Send + Sync>;
pub(in crate::layers::group) type Finalizer =
    Pin<Box<dyn Future<Output = Result<(), Failed>> + Send>>;

/// A finalizer that has not been run.
pub(crate) struct Deferred {
    pub(in crate::layers::group) future: Finalizer,
    pub(in crate::layers::group) budget: Duration,
    pub(in crate::layers::group) place: &'static Location<'static>,
}

#[derive(Default)]
pub(crate) struct Finale {
    pub(in crate::layers::group) deferred: Vec<Foreign<Deferred>>,
    pub(in crate::layers::group) running: bool,
}

impl Finale {
    /// Tells whether somebody has to run what is deferred.
    pub(in crate::layers::group) fn is_waiting(&self) -> bool {
        !self.deferred.is_empty() && !self.running
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

    pub(in crate::layers::group) fn who(&self) -> Who {
        Who { task: None, name: None, place: self.place, finalizer: true }
    }
}
