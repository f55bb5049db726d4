//! Carriers that the runtime drops before they are through (invariant 5 of [`carrier`](super::carrier)).

use super::Group;
use super::carrier::bound;
use super::registry::Role;
use crate::outcome::Ending;
use crate::record::Carried;
use crate::record::state::Claim;

impl Group {
    /// Its child is lost, unless somebody else is ending it.
    pub(super) fn lose(&self, carried: Carried) {
        let claimed = match carried.claim() {
            // A cancel claims for a moment, under the lock, to take the waker: asked under the
            // lock, whoever has the claim is destroying the child.
            Err(Claim::Busy) => {
                let _registry = self.lock();
                carried.claim()
            }
            other => other,
        };
        match claimed {
            Ok(mut claimed) => {
                let ended = self.end(&mut claimed, Ending::Lost);
                self.finish_alone(bound(claimed, carried), ended);
            }
            Err(_) => self.lock().drop_bound(carried),
        }
    }

    /// It carried nobody.
    pub(super) fn lose_carrier(&self, role: Role) {
        let mut registry = self.lock();
        registry.arrive(role);
        registry.retire();
        // Another that is launched for it would be dropped, too: it is left to the nursery's future.
        registry.due = false;
        registry.queue_woken(&self.woken);
        while registry.is_stranded() {
            let claimed = registry.claim_unbound();
            if claimed.is_empty() {
                // Who is left is being woken, or ended, by somebody who sees to him.
                break;
            }
            drop(registry);
            self.destroy(claimed.into_iter().map(|claimed| (claimed, Ending::Lost)));
            registry = self.lock();
        }
        self.launch_wanted(registry);
    }
}
