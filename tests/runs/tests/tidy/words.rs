//! Words that hide the actor, looked for in comments, string literals and Markdown.
//!
//! docs/ARCHITECTURE.md has the glossary of the words to use instead.

use crate::source::Source;
use std::collections::HashMap;

/// Phrases, and what to write instead. A phrase is found as whole words, in either case, also over
/// the end of a line.
const WORDS: &[(&[&str], &str)] = &[
    (
        &[
            "who",
            "whom",
            "whoever",
            "whomever",
            "somebody",
            "someone",
            "nobody",
            "anybody",
            "anyone",
            "everybody",
            "everyone",
        ],
        "name the actor by its type: \"the waiter\", \"no task\", \"every child\", \"a caller that\"",
    ),
    (&["he", "him", "himself", "his", "she", "herself"], "a task is \"it\""),
    (
        &["is to be", "are to be", "was to be", "were to be", "not to be had"],
        "say what happens, or \"must\"",
    ),
    (&["is had", "are had", "be had"], "name who has it: \"the task keeps the permit\""),
    (&["has not got", "have not got", "had not got"], "\"has no\", \"lacks\""),
    (&["all the same"], "\"anyway\", \"still\", \"even then\""),
    (
        &["told of", "tells of", "tell of", "telling of", "tells that", "told that"],
        "\"reports\", \"is notified of\"",
    ),
    (&["tells whether", "tells if"], "\"Returns `true` if\""),
    (&["half-way", "halfway"], "\"early\", \"before it ends\""),
    (&["of the user's", "of the caller's"], "\"the user's\", \"the caller's\""),
];

/// Places that may use the words, each with the reason: the start of a path, and what the line has
/// to contain.
const ALLOWED: &[(&str, &str, &str)] = &[("tests/runs/tests/tidy/words.rs", "", "the list itself")];

/// Complains about each of the words in a text that is not excused.
pub(crate) fn check(path: &str, text: &str) -> Vec<String> {
    let prose = match path.rsplit('.').next() {
        Some("rs") => Source::new(path, text).prose(),
        Some("md") => text.to_string(),
        _ => return Vec::new(),
    };
    let lines: Vec<&str> = prose.lines().collect();
    let mut complaints: Vec<_> = found(&prose)
        .filter(|(line, ..)| excuse(path, lines[*line]).is_none())
        .map(|(line, phrase, instead)| {
            (line, format!("{path}:{}: \"{phrase}\": write {instead}", line + 1))
        })
        .collect();
    complaints.sort();
    complaints.into_iter().map(|(_, complaint)| complaint).collect()
}

/// Complains about each excuse that no text needs any more.
pub(crate) fn idle_excuses(texts: &[(String, String)]) -> Vec<String> {
    let needed = |(start, part, _): &&(&str, &str, &str)| {
        texts.iter().filter(|(path, _)| path.starts_with(start)).any(|(_, text)| {
            let lines: Vec<&str> = text.lines().collect();
            found(text).any(|(line, ..)| lines[line].contains(part))
        })
    };
    let idle = ALLOWED.iter().filter(|excuse| !needed(excuse));
    idle.map(|(start, part, _)| format!("{start} ({part}) needs its excuse no more")).collect()
}

fn excuse(path: &str, line: &str) -> Option<&'static str> {
    let of_line =
        |(start, part, _): &&(&str, &str, &str)| path.starts_with(start) && line.contains(part);
    ALLOWED.iter().find(of_line).map(|(_, _, reason)| *reason)
}

/// Each phrase of the list in a text: the index of its line, the phrase, what to write instead.
fn found(prose: &str) -> impl Iterator<Item = (usize, &'static str, &'static str)> {
    let lines = prose.lines().enumerate();
    let words: Vec<(usize, String)> = lines
        .flat_map(|(line, text)| text.split(between).map(move |word| (line, word.to_lowercase())))
        .filter(|(_, word)| !word.is_empty())
        .collect();
    let phrases = by_first_word();
    (0..words.len()).filter_map(move |at| {
        let begins = |phrase: &str| {
            let mut rest = words[at..].iter().map(|(_, word)| word);
            phrase.split(' ').all(|part| rest.next().is_some_and(|word| word == part))
        };
        let (line, first) = &words[at];
        let (phrase, instead) = phrases.get(first.as_str())?.iter().find(|(p, _)| begins(p))?;
        Some((*line, *phrase, *instead))
    })
}

/// The list, by the first word of each phrase.
fn by_first_word() -> HashMap<&'static str, Vec<(&'static str, &'static str)>> {
    let mut phrases = HashMap::<_, Vec<_>>::new();
    for (group, instead) in WORDS {
        for phrase in *group {
            let first = phrase.split(' ').next().unwrap_or_default();
            phrases.entry(first).or_default().push((*phrase, *instead));
        }
    }
    phrases
}

/// Returns `true` for what stands between two words. A hyphen and a low line belong to a word.
fn between(c: char) -> bool {
    !c.is_alphanumeric() && !matches!(c, '-' | '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_where_people_read() {
        for text in [
            "// Whoever waits",
            "/// It is\n/// to be asked",
            "f(\"of\nnobody\")",
            "/* told\n * of it */",
            "x(); // as he is",
        ] {
            let found = check("core/tests/a.rs", text);
            assert_eq!(found.len(), 1, "in {text}");
        }
        let found = check("docs/a.md", "One.\nA task that has not got a waker.");
        assert_eq!(found, ["docs/a.md:2: \"has not got\": write \"has no\", \"lacks\""]);
    }

    #[test]
    fn code_and_parts_of_words_are_not_looked_at() {
        for text in ["nobody();", "// the whole, then", "let who = 1;", "// nobody_waits"] {
            assert_eq!(check("core/tests/a.rs", text), [""; 0], "in {text}");
        }
    }

    #[test]
    fn an_excuse_holds_for_its_lines_only() {
        assert!(check("tests/runs/tests/tidy/words.rs", "// whoever").is_empty());
        assert_eq!(check("core/src/a.rs", "// whoever").len(), 1);
        assert_eq!(check("docs/SPEC.md", "- **F21** who").len(), 1);
    }

    #[test]
    fn an_excuse_that_is_not_needed_is_found() {
        let idle = idle_excuses(&[("tests/runs/tests/tidy/words.rs".into(), "whoever".into())]);
        assert_eq!(idle.len(), ALLOWED.len() - 1);
    }
}
