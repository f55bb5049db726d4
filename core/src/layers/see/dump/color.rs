//! Colours of a terminal.

use std::fmt;
use std::io::IsTerminal;

/// Whether the text of a dump is coloured: findings red, numbers bold, places dim.
///
/// # Examples
///
/// ```
/// use allhome::see::{self, Color};
/// use std::io;
///
/// see::dump().write_text(&mut io::stderr(), Color::of(&io::stderr()))?;
///
/// let mut plain = Vec::new();
/// see::Dump::of(Vec::new()).write_text(&mut plain, Color::Never)?;
/// assert_eq!(plain, b"no tasks in no nurseries, no findings\n");
/// # Ok::<(), io::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Color {
    /// Plain text, as that of `Display`.
    Never,
    /// With the escape sequences of ANSI terminals.
    Always,
}

impl Color {
    /// Returns `Always` if the stream is a terminal, and neither `NO_COLOR` is set, to anything but the
    /// empty text, nor `TERM` to `dumb`.
    pub fn of(stream: &impl IsTerminal) -> Color {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let unwanted = set("NO_COLOR").is_some() || set("TERM").is_some_and(|term| term == "dumb");
        if stream.is_terminal() && !unwanted { Color::Always } else { Color::Never }
    }

    pub(super) fn finding<T: fmt::Display>(self, text: T) -> Painted<T> {
        Painted { color: self, code: "1;31", text }
    }

    pub(super) fn number<T: fmt::Display>(self, text: T) -> Painted<T> {
        Painted { color: self, code: "1", text }
    }

    pub(super) fn dim<T: fmt::Display>(self, text: T) -> Painted<T> {
        Painted { color: self, code: "2", text }
    }
}

/// A text in a colour.
pub(super) struct Painted<T> {
    color: Color,
    code: &'static str,
    text: T,
}

impl<T: fmt::Display> fmt::Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.color {
            Color::Never => write!(f, "{}", self.text),
            Color::Always => write!(f, "\x1b[{}m{}\x1b[0m", self.code, self.text),
        }
    }
}
