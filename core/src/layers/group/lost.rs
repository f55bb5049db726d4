//! Carriers that the runtime drops before they are through (invariant 6 of [`carrier`](super::carrier)).

use super::Group;
use super::registry::Role;
use crate::layers::base::outcome::Ending;
use crate::layers::group::turn::bound;
use crate::layers::record::Carried;
use crate::layers::record::state::Claim;

impl Group {
    /// Its child is lost, unless another thread is ending it.
    pub(super) fn lose(&self, carried: Carried) {
        let claimed = match carried.claim() {
            // A cancel claims for a moment, under the lock, to take the waker: asked under the
            // lock, a holder of the claim is destroying the child.
            Err(Claim::Busy) => self.locked(|_| carried.claim()),
            other => other,
        };
        match claimed {
            Ok(mut claimed) => {
                let ended = self.end(&mut claimed, Ending::Lost);
                self.finish_alone(bound(claimed, carried), ended);
            }
            Err(_) => drop(self.locked(|registry| registry.drop_bound(carried))),
        }
    }

    /// It carried nobody.
    pub(super) fn lose_carrier(&self, role: Role) {
        let mut first = Some(role);
        loop {
            let (unasked, claimed, launch) = self.locked(|registry| {
                let unasked = first.take().and_then(|role| {
                    let unasked = registry.arrive(role);
                    registry.retire();
                    // Another that is launched for it would be dropped, too: it is left to the
                    // nursery's future.
                    registry.due = false;
                    registry.queue_woken(&self.woken);
                    unasked
                });
                let stranded = registry.is_stranded();
                let claimed = if stranded { registry.claim_unbound() } else { Vec::new() };
                // Only one that is there is called: a new one would go the way of this, in a runtime
                // that has ended, and come here again. Carriers that are active see to the queue.
                (unasked, claimed, registry.want_called(self.width))
            });
            drop(unasked);
            self.launch(launch);
            if claimed.is_empty() {
                // What is left is being woken, or ended, by a thread that sees to it.
                return;
            }
            self.destroy(claimed.into_iter().map(|claimed| (claimed, Ending::Lost)));
        }
    }
}
