//! Names by number, so that a word can say what a task waits for.
//!
//! Names are kept for ever, each once, so there is a bound on how many are: what is named after that
//! has no number, and waits show without a name. A program has a few dozen.

use super::sync::GlobalMutex;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// So many names have a number.
const MOST: usize = 4096;

/// So many bytes of each are kept.
const LONGEST: usize = 128;

struct Names {
    list: Vec<&'static str>,
    numbers: BTreeMap<&'static str, u32>,
}

static NAMES: GlobalMutex<Names> =
    GlobalMutex::new(Names { list: Vec::new(), numbers: BTreeMap::new() });

/// A name, if there is one, and its number.
pub(crate) struct Named {
    name: Option<Cow<'static, str>>,
    number: u32,
}

impl Named {
    pub(crate) const NONE: Named = Named { name: None, number: 0 };

    pub(crate) fn new(name: Cow<'static, str>) -> Named {
        Named { number: number(&name), name: Some(name) }
    }

    pub(crate) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// As an object of a wait: 0 if it has no name.
    pub(crate) fn number(&self) -> u64 {
        self.number.into()
    }
}

/// Returns the number of a name: 0 if it has none.
pub(crate) fn number(name: &str) -> u32 {
    let name = &name[..kept(name)];
    let mut names = NAMES.lock();
    if let Some(number) = names.numbers.get(name) {
        return *number;
    }
    if names.list.len() == MOST {
        return 0;
    }
    let name: &'static str = Box::leak(Box::from(name));
    names.list.push(name);
    let number = names.list.len() as u32;
    names.numbers.insert(name, number);
    number
}

/// Returns the name of a number.
pub(crate) fn name(number: u32) -> Option<&'static str> {
    let at = usize::try_from(number).ok()?.checked_sub(1)?;
    NAMES.lock().list.get(at).copied()
}

/// Returns how many bytes of a name are kept: whole characters.
fn kept(name: &str) -> usize {
    (0..=LONGEST.min(name.len())).rev().find(|at| name.is_char_boundary(*at)).unwrap_or(0)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{LONGEST, MOST, name, number};

    #[test]
    fn each_name_has_one_number_until_there_are_too_many() {
        let db = number("db");
        assert_eq!((number("db"), name(db)), (db, Some("db")));
        assert_eq!(name(0), None);
        let long = "ü".repeat(LONGEST);
        assert_eq!(name(number(&long)), Some(&long[..LONGEST]));
        for at in 0..MOST {
            number(&format!("u{at}"));
        }
        assert_eq!(number("one more"), 0);
        assert_eq!(number("db"), db);
    }
}
