//! What can go wrong: the error type of the nursery.

use std::fmt;
use std::io;
use std::path::PathBuf;

#[derive(Debug)]
pub(crate) enum Error {
    /// A file or folder could not be read.
    Read(PathBuf, io::Error),
    /// Standard output could not be written.
    Write(io::Error),
    /// The signals cannot be caught.
    Signals(io::Error),
}

impl Error {
    /// Returns `true` if the reader of the output has gone, as in `treehash DIR | head`.
    pub(crate) fn is_closed_pipe(&self) -> bool {
        matches!(self, Error::Write(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Read(path, error) => write!(f, "{}: {error}", path.display()),
            Error::Write(error) => write!(f, "standard output: {error}"),
            Error::Signals(error) => write!(f, "cannot catch signals: {error}"),
        }
    }
}

impl std::error::Error for Error {}
