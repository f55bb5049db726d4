//! What a record shows while it waits: when it parked, and what for.

use crate::layers::base::wait_mark::WaitMark;

/// The [tick](crate::layers::base::tick) of a park, and the await that was pending; in a word of 32
/// bits the tick alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Mark(pub(super) usize);

impl Mark {
    pub(crate) const NONE: Mark = Mark(0);

    #[cfg(target_pointer_width = "64")]
    #[inline(always)]
    pub(crate) fn new(tick: u32, waits: WaitMark) -> Mark {
        Mark((tick as usize) << 32 | waits.bits() as usize)
    }

    #[cfg(not(target_pointer_width = "64"))]
    #[inline(always)]
    pub(crate) fn new(tick: u32, _: WaitMark) -> Mark {
        Mark(tick as usize)
    }

    #[cfg(target_pointer_width = "64")]
    pub(crate) fn tick(self) -> u32 {
        (self.0 >> 32) as u32
    }

    #[cfg(not(target_pointer_width = "64"))]
    pub(crate) fn tick(self) -> u32 {
        self.0 as u32
    }

    #[cfg(target_pointer_width = "64")]
    pub(crate) fn waits(self) -> WaitMark {
        WaitMark::of_bits(self.0 as u32)
    }

    #[cfg(not(target_pointer_width = "64"))]
    pub(crate) fn waits(self) -> WaitMark {
        WaitMark::default()
    }
}
