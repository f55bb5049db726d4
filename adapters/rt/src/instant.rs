//! The instant of every clock at the boundary.

/// A point in time of a [`Timer`](crate::Timer)'s clock.
///
/// It is [`std::time::Instant`]. On `wasm32-unknown-unknown`, where std's cannot be made, it is
/// `web_time`'s, which has the same methods: so a runtime for the browser can have a timer.
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub type Instant = std::time::Instant;

/// A point in time of a [`Timer`](crate::Timer)'s clock.
///
/// It is `web_time`'s, since [`std::time::Instant`] cannot be made on this target; on every other
/// target it is std's.
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
pub type Instant = web_time::Instant;
