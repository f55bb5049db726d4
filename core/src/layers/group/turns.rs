//! How many children a carrier polls before it gives the runtime a turn (invariant 4 of
//! [`carrier`](super::carrier)).

/// How many children one poll of a carrier may poll.
const CHILDREN_A_POLL: u32 = 16;

/// How many children this poll of a carrier may still poll before it gives the runtime a turn.
pub(super) struct Turns(u32);

impl Default for Turns {
    fn default() -> Turns {
        Turns(CHILDREN_A_POLL)
    }
}

impl Turns {
    pub(super) fn take_one(&mut self) {
        self.0 = self.0.saturating_sub(1);
    }

    /// The runtime's budget is used up.
    pub(super) fn end(&mut self) {
        self.0 = 0;
    }

    pub(super) fn are_whole(&self) -> bool {
        self.0 == CHILDREN_A_POLL
    }

    pub(super) fn are_left(&self) -> bool {
        self.0 > 0
    }
}
