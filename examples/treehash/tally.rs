//! What became of the files.

use crate::error::Error;
use crate::hash::Line;
use crate::output::Output;
use allhome::JoinError;
use std::fmt;
use std::io;

/// How many files ended in which way. Errors are not counted here: the nursery has them.
#[derive(Default)]
pub(crate) struct Tally {
    hashed: u64,
    /// Hashed in part.
    cut_off: u64,
    /// In the window, and not begun.
    waiting: u64,
}

impl Tally {
    /// Counts one child that has ended, and prints its line if it has one.
    pub(crate) fn settle(
        &mut self,
        ended: Result<Option<Line>, JoinError<Error>>,
        output: &mut Output,
    ) -> io::Result<()> {
        match ended {
            Ok(Some(line)) => {
                self.hashed += 1;
                output.print(&line)?;
            }
            Ok(None) => self.cut_off += 1,
            Err(error) if error.reason().is_some() => self.waiting += 1,
            Err(_) => {}
        }
        Ok(())
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { hashed, cut_off, waiting } = self;
        write!(f, "files hashed: {hashed}, cut off: {cut_off}, waiting: {waiting}")
    }
}
