//! The query of an address.

use crate::layers::base::escaped::Escaped;

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) format: As,
    /// The nursery and the number of a task.
    pub(super) id: Option<(u64, u64)>,
    /// Whether the tasks are listed.
    pub(super) tasks: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum As {
    Html,
    Json,
    Text,
}

/// So many characters of a wrong query are shown.
const SHOWN: usize = 60;

impl Query {
    /// Reads it, or returns a text that says what is wrong.
    pub(super) fn parse(query: &str) -> Result<Query, String> {
        let (mut format, mut id, mut tasks) = (None, None, None);
        let query = query.strip_prefix('?').unwrap_or(query);
        for part in query.split('&').filter(|part| !part.is_empty()) {
            let known = match part.split_once('=') {
                Some(("format", "html")) => format.replace(As::Html).is_none(),
                Some(("format", "json")) => format.replace(As::Json).is_none(),
                Some(("format", "text")) => format.replace(As::Text).is_none(),
                Some(("tasks", "1")) => tasks.replace(true).is_none(),
                Some(("tasks", "0")) => tasks.replace(false).is_none(),
                Some(("id", value)) => {
                    numbers(value).is_some_and(|numbers| id.replace(numbers).is_none())
                }
                _ => false,
            };
            if !known {
                return Err(wrong(part));
            }
        }
        Ok(Query { format: format.unwrap_or(As::Html), id, tasks: tasks.unwrap_or(false) })
    }
}

/// Reads `1.4`.
fn numbers(value: &str) -> Option<(u64, u64)> {
    let (nursery, number) = value.split_once('.')?;
    // `parse` takes a sign.
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    (digits(nursery) && digits(number)).then_some(())?;
    Some((nursery.parse().ok()?, number.parse().ok()?))
}

fn wrong(part: &str) -> String {
    let shown: String = part.chars().take(SHOWN).collect();
    let rest = if shown.len() < part.len() { ".." } else { "" };
    format!(
        "the query has `{}{rest}`, which is not understood, or was given before: use \
         format=html, format=json or format=text, tasks=1, and id=1.4 for a task\n",
        Escaped(&shown)
    )
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{As, Query};

    #[test]
    fn what_is_known_is_read() {
        let query = Query::parse("?format=json&id=12.345&&tasks=1").unwrap();
        assert_eq!(query, Query { format: As::Json, id: Some((12, 345)), tasks: true });
        let none = Query { format: As::Html, id: None, tasks: false };
        assert_eq!(Query::parse("").unwrap(), none);
        assert_eq!(Query::parse("tasks=0").unwrap(), none);
    }

    #[test]
    fn rubbish_is_named() {
        let long = "ä".repeat(1_000_000);
        let rubbish = [
            "x",
            "=",
            "id=",
            "id=1",
            "id=1.",
            "id=.1",
            "id=+1.2",
            "id=1.2.3",
            "id=1.-2",
            "id=a.b",
            "id=1.99999999999999999999",
            "tasks=2",
            "tasks",
            "format=",
            "format=pdf",
            "%00",
            "format=text&format=json",
            "id=1.1&id=1.2",
            "a\nb",
            &long,
        ];
        for query in rubbish {
            let wrong = Query::parse(query).unwrap_err();
            assert!(wrong.contains("not understood") && wrong.len() < 400, "{wrong}");
            assert_eq!(wrong.lines().count(), 1, "{wrong}");
        }
    }
}
