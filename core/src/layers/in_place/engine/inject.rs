//! What a simulator has happen at an await point of a child or of the body: see `sim/inject.rs`.

use crate::layers::base::fault::{self, Blow};
use crate::layers::base::outcome::Ending;
use crate::layers::base::reason::Reason;
use crate::layers::in_place::part::Part;
use crate::layers::record::Ended;
use std::pin::Pin;

/// Counts an await point. Returns how it ends there, if it does; it cannot be lost, because no
/// runtime has it.
pub(super) fn suffer<F>(part: &mut Part, inside: Pin<&mut Option<F>>) -> Option<Ended> {
    match fault::point(&Blow::OF_BODY)? {
        Blow::Cancel => {
            part.seat.control().cancel(Reason::new(fault::MESSAGE));
            None
        }
        Blow::Panic => {
            let panic = part.panic(Box::new(fault::MESSAGE));
            Some(part.end(inside, Ending::Panicked(panic)))
        }
        // The simulator drops the future of what is around.
        Blow::Drop | Blow::Lose => None,
    }
}
