//! Stacks, as a look shows them.

use std::fmt;

/// Where a task waits, as far down as its own future: each frame is an `async fn`, or another future,
/// that awaits the one before it.
///
/// Only the program's own frames are in it, and of each library what the program calls. How much a
/// frame says depends on the program's debug information: with `debug = "line-tables-only"` and more it
/// has the line of its await, and with none only functions that the compiler has not inlined are there.
///
/// Its text is a line for each, the innermost first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Stack {
    /// The future of a library that the innermost frame awaits: `tokio::sync::mutex::Mutex::lock`. None
    /// if that frame waits itself, or if it is not known.
    pub leaf: Option<Box<str>>,
    /// The frames, the innermost first.
    pub frames: Vec<Frame>,
}

/// One frame of a [`Stack`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Frame {
    /// The function, with the path of its module where the debug information has it. For a program
    /// without symbols it is the address, from the program's beginning, as `addr2line` takes it.
    pub function: Box<str>,
    /// The source file, if it is known: from the present directory on, or else from the root; of a
    /// library from the name of its package on.
    pub file: Option<Box<str>>,
    /// The line of the await.
    pub line: Option<u32>,
    /// The column of the await.
    pub column: Option<u32>,
    /// Whether it is a library's, and not the program's.
    pub is_library: bool,
}

impl fmt::Display for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = 0;
        let mut line = |f: &mut fmt::Formatter<'_>, text: &dyn fmt::Display| {
            if lines > 0 {
                writeln!(f)?;
            }
            lines += 1;
            write!(f, "{text}")
        };
        if let Some(leaf) = &self.leaf {
            line(f, leaf)?;
        }
        self.frames.iter().try_for_each(|frame| line(f, frame))
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(file) = &self.file else { return f.write_str(&self.function) };
        write!(f, "{} at {file}", self.function)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        self.column.map_or(Ok(()), |column| write!(f, ":{column}"))
    }
}
