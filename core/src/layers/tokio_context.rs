//! The runtime of tokio's context. Without the feature `tokio`, `no_context.rs` takes its place.

use allhome_rt::{IntoRuntime, Runtime};
use allhome_tokio::Tokio;

/// Returns the tokio runtime that the thread is inside of, if it is inside of one.
pub(crate) fn find() -> Option<Runtime> {
    Tokio.into_runtime().ok()
}
