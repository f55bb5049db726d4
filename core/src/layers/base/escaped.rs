//! Text of the user's in text of ours: it stays on its line, and looks like what it is.

use std::fmt::{self, Write};

/// A name or a note, with its control characters, line ends and characters that turn the direction
/// of the text escaped.
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

fn is_shown(c: char) -> bool {
    let turns =
        matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}');
    !c.is_control() && !turns
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match is_shown(c) {
                true => f.write_char(c)?,
                false => write!(f, "{}", c.escape_default())?,
            }
        }
        Ok(())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Escaped;

    #[test]
    fn what_could_forge_a_line_is_escaped() {
        let shown = Escaped("a`ü\n\x1b[31m\u{202e}\r").to_string();
        assert_eq!(shown, "a`ü\\n\\u{1b}[31m\\u{202e}\\r");
    }
}
