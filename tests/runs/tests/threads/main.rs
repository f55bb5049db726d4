//! Thread scopes: children that borrow from the caller, and run in parallel while its thread waits.

mod around;
mod borrowed;
mod hooks;
mod parallel;

use std::convert::Infallible;

/// A scope whose children do not fail.
type Calm<'a> = allhome::ThreadScope<'a, Infallible>;
