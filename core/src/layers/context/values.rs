//! The scoped values that are set where the present thread is: a chain, the innermost first.

use super::{Frame, Kind};
use crate::layers::base::sync::Arc;
use crate::layers::context;
use std::any::Any;

/// One value, and the values that were set around it.
pub(crate) struct Values {
    pub(crate) key: u64,
    pub(crate) value: Arc<dyn Any + Send + Sync>,
    pub(crate) outer: Option<Arc<Values>>,
}

impl Values {
    pub(crate) fn get(&self, key: u64) -> Option<Arc<dyn Any + Send + Sync>> {
        let mut at = Some(self);
        while let Some(values) = at {
            if values.key == key {
                return Some(values.value.clone());
            }
            at = values.outer.as_deref();
        }
        None
    }
}

/// Drops a long chain one by one, and not by recursion.
impl Drop for Values {
    fn drop(&mut self) {
        let mut next = self.outer.take();
        while let Some(mut values) = next.and_then(Arc::into_inner) {
            next = values.outer.take();
        }
    }
}

/// Returns the values that are set where the present thread is.
pub(crate) fn here() -> Option<Arc<Values>> {
    context::current(|frame| frame.and_then(of))
}

fn of(frame: &Frame<'_>) -> Option<Arc<Values>> {
    let mut at = Some(frame);
    while let Some(frame) = at {
        match &frame.kind {
            Kind::Values(values) => return Some(Arc::clone(values)),
            Kind::Task(task) => return task.env.values.clone(),
            Kind::Scope(_) | Kind::Slot(_) => at = frame.outer(),
        }
    }
    None
}
