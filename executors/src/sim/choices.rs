//! The decisions of a run, as a text that can be replayed.

use std::fmt;
use std::str::FromStr;

/// A schedule: the decisions of a run, without those for the first of several options.
///
/// A failure prints its text, such as `sim1/14=2/17=1`, and [`replay`](super::Simulator::replay)
/// takes it: decision 14 took option 2, decision 17 option 1, and every other the first. So `sim1`
/// alone is first come, first served.
///
/// # Examples
///
/// ```
/// use allhome_executors::sim::Choices;
///
/// let choices: Choices = "sim1/14=2/17=1".parse()?;
/// assert_eq!(choices.len(), 2);
/// assert_eq!(choices.to_string(), "sim1/14=2/17=1");
/// assert!("14=2".parse::<Choices>().is_err());
/// # Ok::<(), allhome_executors::sim::NoChoices>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choices {
    /// Position and option, in the order of the positions; no option is 0.
    pub(super) taken: Vec<(u64, u32)>,
}

const HEAD: &str = "sim1";

impl Choices {
    /// Returns how many decisions took another option than the first.
    pub fn len(&self) -> usize {
        self.taken.len()
    }

    /// Returns `true` if the first option was taken everywhere.
    pub fn is_empty(&self) -> bool {
        self.taken.is_empty()
    }

    pub(super) fn push(&mut self, position: u64, option: u32) {
        if option != 0 {
            self.taken.push((position, option));
        }
    }
}

impl fmt::Display for Choices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEAD)?;
        self.taken.iter().try_for_each(|(position, option)| write!(f, "/{position}={option}"))
    }
}

impl FromStr for Choices {
    type Err = NoChoices;

    fn from_str(text: &str) -> Result<Choices, NoChoices> {
        let mut parts = text.trim().split('/');
        if parts.next() != Some(HEAD) {
            return Err(NoChoices);
        }
        let mut taken = Vec::new();
        for part in parts {
            let (position, option) = part.split_once('=').ok_or(NoChoices)?;
            let position = position.parse().map_err(|_| NoChoices)?;
            let option = option.parse().map_err(|_| NoChoices)?;
            if option == 0 || taken.last().is_some_and(|(last, _)| *last >= position) {
                return Err(NoChoices);
            }
            taken.push((position, option));
        }
        Ok(Choices { taken })
    }
}

/// The error for a text that is not a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoChoices;

impl fmt::Display for NoChoices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a schedule: expected a text like sim1/14=2/17=1, as a failure prints it")
    }
}

impl std::error::Error for NoChoices {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_then_choices_then_text() {
        for text in ["sim1", "sim1/0=1", "sim1/3=2/4=1/900=7"] {
            assert_eq!(text.parse::<Choices>().unwrap().to_string(), text);
        }
        for text in ["", "sim2/0=1", "sim1/", "sim1/4", "sim1/4=0", "sim1/4=1/4=1", "sim1/x=1"] {
            assert!(text.parse::<Choices>().is_err(), "{text}");
        }
    }
}
