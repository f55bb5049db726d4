//! docs/SPEC.md and the tests, one to one.
//!
//! A clause is a line `- **N07** (MUST) ..`; its tests are the functions named `n07_..`. A clause
//! that is checked by something else than a test names the file: `(checked in core/tests/x.rs)`.

use std::collections::BTreeMap;

use crate::source::Source;

/// Complains about clauses without test, tests without clause, and clauses given twice.
pub(crate) fn check(
    path: &str,
    spec: &str,
    sources: &[Source],
    exists: impl Fn(&str) -> bool,
) -> Vec<String> {
    let mut complaints = Vec::new();
    let tests: Vec<_> = sources.iter().flat_map(tests).collect();
    let mut clauses = BTreeMap::new();
    for (index, line) in spec.lines().enumerate() {
        let Some(id) = clause(line) else { continue };
        let place = format!("{path}:{}", index + 1);
        if let Some(first) = clauses.insert(id.to_lowercase(), place.clone()) {
            complaints.push(format!("{place}: clause {id} was given before, at {first}"));
        }
        match checked_in(line) {
            Some(file) if exists(file) => {}
            Some(file) => complaints.push(format!("{place}: {id}: no file {file}")),
            None if tests.iter().any(|test| test.id == id.to_lowercase()) => {}
            None => complaints.push(format!("{place}: clause {id} has no test")),
        }
    }
    if clauses.is_empty() {
        complaints.push(format!("{path}: no clause, a line like `- **N07** (MUST) ..`"));
    }
    for test in tests.iter().filter(|test| !clauses.contains_key(&test.id)) {
        complaints.push(format!("{}: {} tests no clause of {path}", test.place, test.name));
    }
    complaints
}

struct Test {
    id: String,
    name: String,
    place: String,
}

fn clause(line: &str) -> Option<&str> {
    let (id, _) = line.strip_prefix("- **")?.split_once("**")?;
    is_id(id, |c| c.is_ascii_uppercase()).then_some(id)
}

fn is_id(id: &str, letter: impl Fn(char) -> bool) -> bool {
    let mut chars = id.chars();
    id.len() == 3 && chars.next().is_some_and(letter) && chars.all(|c| c.is_ascii_digit())
}

fn checked_in(line: &str) -> Option<&str> {
    let (_, after) = line.split_once("(checked in ")?;
    Some(after.split_once(')')?.0.trim_matches('`'))
}

fn tests(source: &Source) -> Vec<Test> {
    let mut tests = Vec::new();
    for (place, line) in source.code() {
        for (at, _) in line.match_indices("fn ") {
            if line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
                continue;
            }
            let name = line[at + 3..].trim_start();
            let name = name.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or("");
            let Some((id, _)) = name.split_once('_') else { continue };
            if is_id(id, |c| c.is_ascii_lowercase()) {
                tests.push(Test { id: id.into(), name: name.into(), place: place.clone() });
            }
        }
    }
    tests
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(spec: &str, test: &str) -> Vec<String> {
        check("S", spec, &[Source::new("core/tests/a.rs", test)], |file| file == "core/tests/b.rs")
    }

    #[test]
    fn clause_and_test_agree() {
        let spec = "# S\n- **N01** (MUST) a\n- **O02** (MAY) b\n- **N1** no\n- **N001** no\n";
        let tests =
            "#[test]\nfn n01_a() {}\npub async fn o02_b<T>() {}\nfn new_x() {}\nfn n1_x() {}";
        assert_eq!(complaints(spec, tests), Vec::<String>::new());
    }

    #[test]
    fn clause_without_test() {
        for test in ["", "// fn n01_a() {}", "fn n02a() {}", "let a = \"fn n01_a()\";"] {
            assert_eq!(complaints("\n- **N01** a", test), ["S:2: clause N01 has no test"]);
        }
    }

    #[test]
    fn test_without_clause() {
        let found = complaints("- **N01** a", "fn n01_a() {}\nasync fn n02_b() {}");
        assert_eq!(found, ["core/tests/a.rs:2: n02_b tests no clause of S"]);
    }

    #[test]
    fn clause_given_twice() {
        let found = complaints("- **N01** a\n- **N01** b", "fn n01_a() {}");
        assert_eq!(found, ["S:2: clause N01 was given before, at S:1"]);
    }

    #[test]
    fn clause_checked_elsewhere() {
        assert_eq!(complaints("- **N01** a (checked in `core/tests/b.rs`)", "").len(), 0);
        let found = complaints("- **N01** a (checked in core/tests/c.rs)", "");
        assert_eq!(found, ["S:1: N01: no file core/tests/c.rs"]);
    }

    #[test]
    fn no_clause_at_all() {
        assert!(complaints("# S\n", "")[0].contains("no clause"));
    }
}
