//! The source files that documents name in backticks: each of them exists.

/// Complains about each file that none of `paths` ends with.
pub(crate) fn check(document: &str, text: &str, paths: &[&str]) -> Vec<String> {
    let mut complaints = Vec::new();
    for (line, content) in text.lines().enumerate() {
        // Between an odd and the next even backtick.
        for name in content.split('`').skip(1).step_by(2).filter(|name| is_file(name)) {
            let exists = |path: &&str| {
                path.strip_suffix(name).is_some_and(|head| head.is_empty() || head.ends_with('/'))
            };
            if !paths.iter().any(exists) {
                complaints.push(format!("{document}:{}: there is no file `{name}`", line + 1));
            }
        }
    }
    complaints
}

/// A path of a source file, and no pattern of some.
fn is_file(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-/.".contains(c);
    name.ends_with(".rs") && name.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_gone_is_found() {
        let paths = ["core/src/lib.rs", "core/src/old_gate.rs"];
        let text = "the `gate.rs`, `lib.rs`\nand `src/lib.rs`, `scope/*.rs`, `NAME.rs`";
        assert_eq!(check("a.md", text, &paths), ["a.md:1: there is no file `gate.rs`"]);
    }
}
