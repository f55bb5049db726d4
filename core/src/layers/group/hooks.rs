//! The hooks of a nursery, or of a scope, and when they are called.
//!
//! No lock is held. A panic of a hook is dropped.

use super::failure_info::{FailureHook, FailureInfo};
use crate::layers::base::as_error::View;
use crate::layers::base::outcome::Ending;
use crate::layers::base::panic::{self, Panic};
use crate::layers::base::sync::Arc;
use crate::layers::base::who::Who;
use crate::layers::record::Ended;

pub(crate) type Hook = Arc<dyn Fn(&Panic) + Send + Sync>;

#[derive(Default)]
pub(crate) struct Hooks {
    pub(crate) on_panic: Option<Hook>,
    pub(crate) on_failure: Option<FailureHook>,
}

impl Hooks {
    /// Calls the hook for each panic of an end, and aborts the process for it if the policy says so.
    #[inline]
    pub(crate) fn hook(&self, ended: &Ended, aborts: bool) {
        if let Ending::Panicked(panic) = &ended.ending {
            self.call(panic, aborts);
        }
        if let Some(panic) = &ended.second {
            self.call(panic, aborts);
        }
    }

    /// Calls the hook for a failure.
    pub(crate) fn tell(&self, ending: &Ending, who: &Who, view: View) {
        let Some(hook) = &self.on_failure else { return };
        let Some(info) = FailureInfo::new(ending, who, view) else { return };
        if let Err(payload) = panic::catch(|| hook(&info)) {
            panic::discard(payload);
        }
    }

    /// Calls the hook for each failure of an end.
    pub(crate) fn tell_ended(&self, ended: &Ended, who: &Who, view: View) {
        self.tell(&ended.ending, who, view);
        if let Some(panic) = &ended.second {
            self.tell(&Ending::Panicked(panic.clone()), who, view);
        }
    }

    #[cold]
    fn call(&self, panic: &Panic, aborts: bool) {
        if let Some(hook) = &self.on_panic {
            if let Err(payload) = panic::catch(|| hook(panic)) {
                panic::discard(payload);
            }
        }
        if aborts {
            eprintln!("allhome: {panic} ({}); aborting, as the nursery asks", panic.location());
            std::process::abort();
        }
    }
}
