//! Stacks, as a look shows them.

use super::book;
use crate::layers::base::sync::Arc;
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

/// The stacks of a task that waits: one for each place in which its last poll has taken a waker. Of a
/// `join!` or `select!` that is one for each branch, up to four.
///
/// There are none if the polls of its nursery are [not looked at](crate::see::stacks::arm), if the task
/// was not polled since they are, or if its last poll has taken no waker.
///
/// It is a number. What it stands for is found, and the program's debug information read, when it is
/// [asked for](Stacks::to_vec).
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stacks {
    numbers: [u32; 4],
    count: u32,
    more: bool,
}

impl Stacks {
    pub(super) fn new(numbers: [u32; 4], count: usize, more: bool) -> Stacks {
        Stacks { numbers, count: count as u32, more }
    }

    /// Returns the numbers, and how many there are; more than there is room for, if they are too many.
    pub(super) fn parts(self) -> ([u32; 4], u32) {
        (self.numbers, self.count + u32::from(self.more))
    }

    /// Returns `true` if there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Returns `true` if the poll has taken wakers in more places than are kept.
    pub fn has_more(&self) -> bool {
        self.more
    }

    /// Returns them. Those that show the same are one.
    ///
    /// The first call for a stack reads the program's debug information, which takes some hundred
    /// milliseconds for a large program, and less than one after that.
    pub fn to_vec(&self) -> Vec<Arc<Stack>> {
        let numbers = &self.numbers[..self.len()];
        let mut stacks: Vec<_> = numbers.iter().filter_map(|number| book::shown(*number)).collect();
        stacks.sort();
        stacks.dedup();
        stacks
    }
}

impl fmt::Debug for Stacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.to_vec()).finish()
    }
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
