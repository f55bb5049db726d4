//! Whether a scope's children are `Send`. Their types are erased, and with them the auto traits, so
//! the scope's type has to say it.

use crate::layers::base::mode::{Local, Sealed, Sendable};
use crate::layers::base::outcome::Ending;
use crate::layers::base::sync::Arc;
use std::fmt;
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
pub trait Work<J: ?Sized>: Future<Output = Done> {
    /// Returns where its outcome is given out, if it has a handle; once.
    #[doc(hidden)]
    fn take_join(self: Pin<&mut Self>) -> Option<Arc<J>>;
}

/// How a child ended, for the code that polls it.
pub struct Done(pub(super) Ending);

impl fmt::Debug for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Done")
    }
}

/// Where the handle of a child looks for its outcome.
pub trait Publish {
    /// Gives the outcome out, or gives it back if no handle can take it. The child has left.
    #[doc(hidden)]
    fn publish(&self, done: Done) -> Option<Done>;
    /// Returns `true` if there is a handle that can take it.
    #[doc(hidden)]
    fn is_wanted(&self) -> bool;
}
