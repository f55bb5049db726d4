//! JSON, written as it is made.

use std::fmt::{self, Display, Write};

/// A text as a JSON string. What is not printed, and `<`, is escaped: so it is the same text to a
/// parser, and moves no terminal and ends no element of HTML.
pub(crate) struct Quoted<T>(pub(crate) T);

impl<T: Display> Display for Quoted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        write!(Inside(f), "{}", self.0)?;
        f.write_char('"')
    }
}

/// Escapes what is written to it.
struct Inside<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl Write for Inside<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                '"' => self.0.write_str("\\\"")?,
                '\\' => self.0.write_str("\\\\")?,
                '\n' => self.0.write_str("\\n")?,
                '<'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}' => {
                    write!(self.0, "\\u{:04x}", u32::from(c))?;
                }
                // None of them needs more than four digits.
                c if c.is_control() => write!(self.0, "\\u{:04x}", u32::from(c))?,
                c => self.0.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// An object that is being written.
pub(crate) struct Object<'a, 'b> {
    f: &'a mut fmt::Formatter<'b>,
    first: bool,
}

impl<'a, 'b> Object<'a, 'b> {
    /// Writes an object, whose members `members` writes.
    pub(crate) fn write(
        f: &'a mut fmt::Formatter<'b>,
        members: impl FnOnce(&mut Object<'_, 'b>) -> fmt::Result,
    ) -> fmt::Result {
        f.write_char('{')?;
        let mut object = Object { f, first: true };
        members(&mut object)?;
        object.f.write_char('}')
    }

    fn key(&mut self, key: &str) -> fmt::Result {
        let comma = if std::mem::take(&mut self.first) { "" } else { "," };
        write!(self.f, "{comma}\"{key}\":")
    }

    /// A string.
    pub(crate) fn text(&mut self, key: &str, text: impl Display) -> fmt::Result {
        self.key(key)?;
        write!(self.f, "{}", Quoted(text))
    }

    /// A string, if there is one.
    pub(crate) fn known(&mut self, key: &str, text: Option<impl Display>) -> fmt::Result {
        text.map_or(Ok(()), |text| self.text(key, text))
    }

    /// What is JSON as it stands: a number, `true`, `false`.
    pub(crate) fn plain(&mut self, key: &str, value: impl Display) -> fmt::Result {
        self.key(key)?;
        write!(self.f, "{value}")
    }

    pub(crate) fn object(
        &mut self,
        key: &str,
        members: impl FnOnce(&mut Object<'_, 'b>) -> fmt::Result,
    ) -> fmt::Result {
        self.key(key)?;
        Object::write(self.f, members)
    }

    /// An array of strings.
    pub(crate) fn texts(
        &mut self,
        key: &str,
        texts: impl Iterator<Item = impl Display>,
    ) -> fmt::Result {
        self.key(key)?;
        self.f.write_char('[')?;
        for (at, text) in texts.enumerate() {
            let comma = if at > 0 { "," } else { "" };
            write!(self.f, "{comma}{}", Quoted(text))?;
        }
        self.f.write_char(']')
    }

    /// An array of objects.
    pub(crate) fn objects<T>(
        &mut self,
        key: &str,
        items: impl Iterator<Item = T>,
        between: &str,
        members: impl Fn(&mut Object<'_, 'b>, T) -> fmt::Result,
    ) -> fmt::Result {
        self.key(key)?;
        self.f.write_char('[')?;
        for (at, item) in items.enumerate() {
            if at > 0 {
                self.f.write_char(',')?;
            }
            self.f.write_str(between)?;
            Object::write(self.f, |object| members(object, item))?;
        }
        self.f.write_char(']')
    }
}
