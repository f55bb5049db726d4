//! Whether children are `Send`, as a part of the type of what they are in: their own types are
//! erased, and with them the auto traits.

/// The children are `Send`, and so is the future of what they are in: it may be spawned on a
/// runtime.
#[derive(Debug)]
pub enum Sendable {}

/// The children need not be `Send`, and the future of what they are in is not: it stays on its
/// thread.
#[derive(Debug)]
pub enum Local {}

/// No other type is a mode.
pub trait Sealed {}

impl Sealed for Sendable {}

impl Sealed for Local {}
