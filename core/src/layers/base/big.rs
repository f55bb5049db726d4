//! Values of the user's that are too big to be handed on from function to function.
//!
//! Without optimizations each function that hands a value on has a copy of it in its frame. A future
//! of 192 KiB, moved through a dozen frames to its record, so overflowed a stack of 2 MiB. A public
//! function therefore boxes what is big, as its first step, and hands on the box; tokio does the
//! same. The box is one more allocation, of what is copied for longer than it takes to allocate.
//!
//! The boxes are of `dyn` types, so that what takes them is compiled once, and not for each future a
//! second time.

use std::future::Future;
use std::pin::Pin;

/// A future of a child, of any kind.
pub(crate) type BoxedFuture<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

/// From so many bytes on a value is boxed. Optimized code makes few copies, and what is below is
/// better off in one allocation.
const LIMIT: usize = if cfg!(debug_assertions) { 2 << 10 } else { 16 << 10 };

/// Tells whether values of this type are to be boxed.
pub(crate) const fn is_big<T>() -> bool {
    size_of::<T>() > LIMIT
}
