//! Links of Markdown files: each leads to a file, and to a heading of it, that exists. SUMMARY.md of
//! the guide lists each chapter once.

/// How a chapter of the guide names a file outside of the book: in the built book, a relative link
/// would lead nowhere.
const REPOSITORY: &str = "https://github.com/allhome-rs/allhome/blob/main/";

/// The folder of the guide's chapters.
const GUIDE: &str = "docs/guide/src/";

/// Complains about each link that leads nowhere. `read` gives the text of a path, `exists` knows
/// files and folders.
pub(crate) fn check(
    path: &str,
    text: &str,
    read: impl Fn(&str) -> Option<String>,
    exists: impl Fn(&str) -> bool,
) -> Vec<String> {
    let mut complaints = Vec::new();
    for (line, target) in links(text) {
        let at = format!("{path}:{line}: `{target}`");
        let (file, heading) = target.split_once('#').unwrap_or((&target, ""));
        let Some(file) = resolve(path, file) else { continue };
        if path.starts_with(GUIDE) && !target.starts_with(REPOSITORY) && !file.starts_with(GUIDE) {
            complaints.push(format!("{at} leaves the book: write {REPOSITORY}{file}"));
        } else if !exists(&file) {
            complaints.push(format!("{at}: there is no {file}"));
        } else if !heading.is_empty() && !read(&file).is_some_and(|text| has(&text, heading)) {
            complaints.push(format!("{at}: {file} has no such heading"));
        }
    }
    complaints
}

/// Complains about chapters that SUMMARY.md does not list, or lists twice.
pub(crate) fn check_summary(summary: &str, chapters: &[&str]) -> Vec<String> {
    let listed: Vec<_> = links(summary).into_iter().map(|(_, target)| target).collect();
    let times = |chapter: &str| listed.iter().filter(|target| *target == chapter).count();
    let files = chapters.iter().filter_map(|path| path.strip_prefix(GUIDE));
    files
        .filter(|file| *file != "SUMMARY.md" && times(file) != 1)
        .map(|file| format!("{GUIDE}SUMMARY.md lists {file} {} times", times(file)))
        .collect()
}

/// The path, from the workspace's root, that a link leads to; none if it leads elsewhere.
fn resolve(from: &str, target: &str) -> Option<String> {
    if let Some(path) = target.strip_prefix(REPOSITORY) {
        return Some(path.to_string());
    }
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    if target.is_empty() {
        return Some(from.to_string());
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.trim_end_matches('/').split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// The targets of a text's links, each with its line, counted from 1.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut links = Vec::new();
    for (line, content) in prose(text) {
        // Not between backticks.
        for plain in content.split('`').step_by(2) {
            let after = plain.split("](").skip(1);
            links
                .extend(after.filter_map(|rest| Some((line, rest.split_once(')')?.0.to_string()))));
        }
    }
    links
}

/// Returns `true` if a text has the heading of an anchor.
fn has(text: &str, anchor: &str) -> bool {
    prose(text).any(|(_, line)| line.starts_with('#') && slug(line) == anchor)
}

/// The anchor that GitHub and mdBook give a heading.
fn slug(heading: &str) -> String {
    let heading = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The lines that stand in no block of code, counted from 1.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut code = false;
    text.lines().enumerate().filter_map(move |(line, content)| {
        let fence = content.trim_start().starts_with("```");
        code ^= fence;
        (!code && !fence).then_some((line + 1, content))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(path: &str, text: &str) -> Vec<String> {
        let files = [("docs/a.md", "# One, two!\n## It's `b`"), ("docs/guide/src/c.md", "")];
        let find = |path: &str| files.iter().find(|(name, _)| *name == path);
        check(
            path,
            text,
            |path| find(path).map(|(_, text)| text.to_string()),
            |path| path == "docs" || find(path).is_some(),
        )
    }

    #[test]
    fn links_that_lead_somewhere_pass() {
        let text = "[a](docs/a.md#one-two) [b](docs/a.md#its-b), [x](https://b.c/d.md) [f](docs)";
        assert_eq!(checked("README.md", text), [""; 0]);
        assert_eq!(checked("docs/b.md", "[a](a.md) [r](../docs) `[n](none.md)`"), [""; 0]);
        assert_eq!(checked("docs/b.md", "```text\n[a](none.md)\n```"), [""; 0]);
    }

    #[test]
    fn links_that_lead_nowhere_are_found() {
        for text in ["[a](b.md)", "[a](docs/a.md#two)", "see [x](docs/a.md) and [a](none)"] {
            assert_eq!(checked("README.md", text).len(), 1, "in {text}");
        }
        let gone = format!("[a]({REPOSITORY}docs/none.md)");
        assert_eq!(checked("docs/guide/src/c.md", &gone).len(), 1);
    }

    #[test]
    fn a_chapter_leaves_the_book_by_the_repository_only() {
        let found = checked("docs/guide/src/c.md", "[a](../../a.md)");
        assert!(found[0].contains("leaves the book"), "{found:?}");
        let whole = format!("[a]({REPOSITORY}docs/a.md#one-two)");
        assert_eq!(checked("docs/guide/src/c.md", &whole), [""; 0]);
    }

    #[test]
    fn a_chapter_that_is_not_listed_is_found() {
        let chapters = ["docs/guide/src/SUMMARY.md", "docs/guide/src/c.md"];
        assert_eq!(check_summary("- [c](c.md)", &chapters), [""; 0]);
        assert_eq!(check_summary("- [d](d.md)", &chapters).len(), 1);
        assert_eq!(check_summary("[c](c.md)\n[c](c.md)", &chapters).len(), 1);
    }
}
