//! Numbers of things, as text.

use std::fmt;

/// So many of a thing.
pub(crate) struct Count(pub(crate) usize, pub(crate) &'static str, pub(crate) &'static str);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => write!(f, "no {}", self.2),
            1 => write!(f, "1 {}", self.1),
            count => write!(f, "{} {}", thousands(count), self.2),
        }
    }
}

/// Writes a number in groups of three digits.
pub(crate) fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
