//! Which task a failure is of, where the run itself knows only that its root has panicked.

use super::{Failure, FailureKind};
use crate::layers::base::guarded::GlobalGuarded;
use crate::layers::base::panic::Panic;
use crate::layers::base::sync::Arc;

/// The panics of a run: which task each was of, and its message.
pub(super) struct Panics {
    seen: Arc<GlobalGuarded<Vec<(String, String)>>>,
}

impl Panics {
    pub(super) fn new() -> Panics {
        Panics { seen: Arc::new(GlobalGuarded::new(Vec::new())) }
    }

    /// Returns a hook that notes them.
    pub(super) fn hook(&self) -> impl Fn(&Panic) + Send + Sync + 'static {
        let seen = self.seen.clone();
        move |panic| {
            let noted = (culprit(panic), panic.message().to_string());
            seen.locked(|seen| seen.push(noted));
        }
    }

    /// Returns which task's panic has come out of the nursery: the first with that message.
    pub(super) fn culprit(&self, failure: &Failure) -> Option<String> {
        if failure.kind() != FailureKind::Panic {
            return None;
        }
        let seen = self.seen.locked(std::mem::take);
        seen.into_iter().find_map(|(who, message)| (message == failure.message()).then_some(who))
    }
}

fn culprit(panic: &Panic) -> String {
    match (panic.task(), panic.name()) {
        (Some(_), Some(name)) => format!("task `{name}`"),
        (Some(_), None) => format!("the task spawned at {}", panic.location()),
        (None, Some(name)) => format!("the body of `{name}`"),
        (None, None) => "the body".to_string(),
    }
}
