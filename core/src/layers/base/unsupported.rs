//! What a runtime lacks.

use std::fmt;

/// What was asked for is not to be had: of this runtime, or outside of any nursery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsupported {
    what: &'static str,
    runtime: Option<&'static str>,
}

impl Unsupported {
    pub(crate) fn new(what: &'static str, runtime: &'static str) -> Unsupported {
        Unsupported { what, runtime: Some(runtime) }
    }
}

impl Unsupported {
    pub(crate) fn nowhere(what: &'static str) -> Unsupported {
        Unsupported { what, runtime: None }
    }
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.runtime {
            Some(runtime) => write!(f, "the runtime `{runtime}` has not got {}", self.what),
            None => {
                write!(f, "no runtime is known outside of a nursery, so there is not {}", self.what)
            }
        }
    }
}

impl std::error::Error for Unsupported {}
