//! Whether a scope's children are `Send`. Their types are erased, and with them the auto traits, so
//! the scope's type has to say it.

use super::join::{Done, Giver, Publish};
use crate::layers::base::mode::{Local, Sealed, Sendable};
use std::future::Future;
use std::pin::Pin;

/// Whether the children of a [`Scope`](crate::Scope) are `Send`: [`Sendable`] or [`Local`]. No
/// other type has it.
pub trait Mode: Sealed + 'static {
    #[doc(hidden)]
    type Task<'a>: ?Sized + Work<Self::Join<'a>> + 'a;
    #[doc(hidden)]
    type Join<'a>: ?Sized + Publish + 'a;
}

impl Mode for Sendable {
    type Task<'a> = dyn Work<Self::Join<'a>> + Send + 'a;
    type Join<'a> = dyn Publish + Send + Sync + 'a;
}

impl Mode for Local {
    type Task<'a> = dyn Work<Self::Join<'a>> + 'a;
    type Join<'a> = dyn Publish + 'a;
}

/// What a child does.
pub trait Work<J: ?Sized + Publish>: Future<Output = Done> {
    /// Returns where its outcome is given out, if it has a handle; once.
    #[doc(hidden)]
    fn take_join(self: Pin<&mut Self>) -> Option<Giver<J>>;
}
