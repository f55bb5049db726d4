//! Values of the user's that are too big to be passed from function to function.
//!
//! Without optimizations, each function that passes a value on has a copy of it in its frame. A
//! future of 192 KiB, moved through a dozen frames to its record, overflowed a stack of 2 MiB in
//! that way. So a public function boxes a big value as its first step, and passes on the box; tokio
//! does the same. The box is one more allocation, for a value that takes longer to copy than a box
//! to allocate.
//!
//! The boxes are of `dyn` types, so that the functions that take them are compiled once, and not a
//! second time for each future.

use std::future::Future;
use std::pin::Pin;

/// The future of a child, of any type.
pub(crate) type BoxedFuture<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

/// A value of more bytes than this is boxed. Optimized code makes few copies, and a smaller value
/// is better off in one allocation.
const LIMIT: usize = if cfg!(debug_assertions) { 2 << 10 } else { 16 << 10 };

/// Returns `true` if values of this type must be boxed.
pub(crate) const fn is_big<T>() -> bool {
    size_of::<T>() > LIMIT
}
