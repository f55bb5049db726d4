//! Where a scope is listed while it is open: in the nursery in one of whose tasks it is polled.

use crate::layers::base::counted::dynamic::WeakDyn;
use crate::layers::base::sync::Arc;
use crate::layers::context::host::Host;
use crate::layers::context::shown::{OpenScope, ScopeOpener};
use crate::layers::context::{self, Kind};
use crate::layers::in_place::control::Control;

/// The scope is listed until this is dropped.
pub(super) struct Listed {
    host: WeakDyn<dyn Host>,
    key: u32,
}

impl Listed {
    /// Lists a scope that is opened here. None: no nursery is around it.
    pub(super) fn list(control: &Arc<Control>) -> Option<Listed> {
        context::current(|mut at| {
            let mut around = None;
            while let Some(frame) = at {
                if let Kind::Task(task) = &frame.kind {
                    let own = task.header().map(|header| ScopeOpener::Task(header.number()));
                    let opener = around.or(own).unwrap_or(ScopeOpener::Body);
                    let key = task.group.add_scope(OpenScope { scope: control.clone(), opener });
                    return Some(Listed { host: task.group.weak(), key });
                }
                let place = frame.in_place();
                around =
                    around.or(place.map(|place| ScopeOpener::Scope(place.scope(), place.id())));
                at = frame.outer();
            }
            None
        })
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.host.remove_scope(self.key);
    }
}
