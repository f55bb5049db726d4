//! What goes from hand to hand in a poll of a carrier.

use super::registry::Role;
use crate::layers::record::{Carried, Claimed, Ended};

/// A child in a carrier's hands.
pub(super) struct Load {
    pub(super) claimed: Claimed,
    /// Some if the carrier is the child's own.
    pub(super) carried: Option<Carried>,
    /// Whether the carrier is counted as active.
    pub(super) active: bool,
}

/// What a carrier does next.
pub(super) enum Turn {
    /// It polls a child that has no carrier of its own.
    Poll(Claimed),
    /// It polls a child that it stays with.
    Carry(Load),
    /// It does what is due by the nursery's clock.
    Fire,
    Yield,
    Wait(Role),
    End,
}

/// What a poll of a child came to.
pub(super) enum Polled {
    /// It waits, and the carrier is its own.
    Waits(Carried),
    /// It waits to be woken.
    Parked,
    /// It woke itself.
    Notified(Claimed),
    /// In a box: see [`Ended`](crate::layers::record::Polled::Ended).
    Ended(Load, Box<Ended>),
}

pub(super) fn bound(claimed: Claimed, carried: Carried) -> Load {
    Load { claimed, carried: Some(carried), active: false }
}
