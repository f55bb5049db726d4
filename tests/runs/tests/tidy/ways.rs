//! The ways of docs/ARCHITECTURE.md: lists of files and functions, in the order of the calls.

const HEADING: &str = "## The ways";

/// The folder that the paths are below.
const FOLDER: &str = "core/src/layers/";

/// A step of a way: its line in the document, from 1, the file, and the function.
struct Step<'a> {
    line: usize,
    file: &'a str,
    function: &'a str,
}

/// Complains about each step whose file or function does not exist. `read` returns the text of a
/// file.
pub(crate) fn check(document: &str, read: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut steps = 0;
    for line in section(document).filter(|(_, line)| line.starts_with(|c: char| c.is_ascii_digit()))
    {
        steps += 1;
        match step(line) {
            Ok(step) => complaints.extend(missing(&step, &read)),
            Err(line) => complaints.push(format!(
                "docs/ARCHITECTURE.md:{line}: a step begins with a file and a function: \
                 \"1. `group/admit.rs` `admit`: ..\""
            )),
        }
    }
    if steps == 0 {
        complaints.push(format!("docs/ARCHITECTURE.md: no step below a heading `{HEADING}`"));
    }
    complaints
}

/// Returns the lines below the heading, with their numbers.
fn section(document: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = document.lines().enumerate().map(|(at, line)| (at + 1, line));
    let below = lines.skip_while(|(_, line)| *line != HEADING).skip(1);
    below.take_while(|(_, line)| !line.starts_with("## "))
}

/// Reads a step, or returns the number of the line.
fn step((line, text): (usize, &str)) -> Result<Step<'_>, usize> {
    let mut parts = text.split('`');
    let (_number, file, space, function) = (parts.next(), parts.next(), parts.next(), parts.next());
    match (file, space, function) {
        (Some(file), Some(" "), Some(function)) => Ok(Step { line, file, function }),
        _ => Err(line),
    }
}

fn missing(step: &Step, read: impl Fn(&str) -> Option<String>) -> Option<String> {
    let Step { line, file, function } = step;
    let path = format!("{FOLDER}{file}");
    let Some(text) = read(&path) else {
        return Some(format!("docs/ARCHITECTURE.md:{line}: the file {path} is gone"));
    };
    let has = text.lines().any(|line| is_definition(line, function));
    (!has).then(|| format!("docs/ARCHITECTURE.md:{line}: {path} has no function `{function}`"))
}

/// Returns `true` if the line defines a function of that name.
fn is_definition(line: &str, function: &str) -> bool {
    let name = format!("fn {function}");
    let mut after = line.split(&name).skip(1);
    !line.trim_start().starts_with("//") && after.any(|rest| rest.starts_with(['(', '<']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(steps: &str) -> Vec<String> {
        check(&format!("# A\n\n1. `b.rs` `c`\n{HEADING}\n\n{steps}\n## B\n1. `d.rs`"), |path| {
            let text = "impl A {\n    // fn none(\n    pub(crate) fn one<R>(&self) {}\n}\n";
            (path == "core/src/layers/a.rs").then(|| text.to_string())
        })
    }

    #[test]
    fn a_file_and_its_function_are_found() {
        assert_eq!(complaints("1. `a.rs` `one`: it does."), [""; 0]);
    }

    #[test]
    fn what_is_gone_is_named() {
        let gone = "docs/ARCHITECTURE.md:6: core/src/layers/a.rs has no function";
        for function in ["two", "on", "none"] {
            let found = complaints(&format!("1. `a.rs` `{function}`"));
            assert_eq!(found, [format!("{gone} `{function}`")]);
        }
        let found = complaints("1. `b.rs` `one`");
        assert_eq!(found, ["docs/ARCHITECTURE.md:6: the file core/src/layers/b.rs is gone"]);
    }

    #[test]
    fn a_step_without_a_function_and_a_document_without_steps_are_found() {
        assert_eq!(complaints("1. `a.rs`: it does.").len(), 1);
        assert_eq!(complaints("Nothing.").len(), 1);
    }
}
