//! The paths that a file of a crate names, as paths from the crate's root.

use crate::source::Source;

/// A path as it stands in a file, made absolute: `["group", "registry", "Registry"]`.
pub(crate) struct Path {
    /// The index of its line.
    pub(crate) line: usize,
    pub(crate) segments: Vec<String>,
    /// The name that a `use` gives it. `None` for a path in code.
    pub(crate) name: Option<String>,
    /// Whether it is a `pub use` of any kind.
    pub(crate) exported: bool,
}

/// Returns the file's code without what is compiled for its unit tests, and the modules that stand
/// in files of their own for them.
pub(crate) fn without_tests(source: &Source) -> (String, Vec<String>) {
    let code = source.whole_code();
    let (mut kept, mut modules, mut at) = (String::new(), Vec::new(), 0);
    while let Some(found) =
        ["#[cfg(test)]", "#[cfg(all(test"].iter().filter_map(|mark| code[at..].find(mark)).min()
    {
        let start = at + found;
        let end = start + item(&code[start..]);
        let head = code[start..end].rsplit(']').next().unwrap_or_default();
        if let Some(name) = head.trim().strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';'))
        {
            modules.push(name.trim().to_string());
        }
        kept.push_str(&code[at..start]);
        kept.extend(code[start..end].chars().map(|c| if c == '\n' { c } else { ' ' }));
        at = end;
    }
    kept.push_str(&code[at..]);
    (kept, modules)
}

/// The length of the item at the start of the code, with its attributes.
fn item(code: &str) -> usize {
    let mut depth = 0;
    for (at, c) in code.char_indices() {
        match c {
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => {
                depth -= 1;
                if c == '}' && depth == 0 {
                    return at + 1;
                }
            }
            ';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

pub(crate) struct Named {
    pub(crate) paths: Vec<Path>,
    /// The code without its `use` declarations.
    pub(crate) rest: String,
}

/// Returns the paths in the code of this module: those of its `use` declarations, and those in the
/// rest of the code that begin with `crate`, `super` or `self`. Of the others it has no need: their
/// first name was brought in by a `use`, or is a module below this one.
pub(crate) fn named(module: &[String], code: &str) -> Named {
    let (mut paths, mut other) = (Vec::new(), String::with_capacity(code.len()));
    // The modules that the present line stands in, each with its depth of braces.
    let (mut inside, mut depth) = (Vec::<(String, usize)>::new(), 0);
    let (mut at, mut line) = (0, 0);
    while at < code.len() {
        let rest = &code[at..];
        let first = at == 0 || !is_name(code[..at].chars().next_back());
        let here = || {
            let inner = inside.iter().map(|(name, _)| name.clone());
            module.iter().cloned().chain(inner).collect::<Vec<_>>()
        };
        let length = match rest.chars().next() {
            Some('\n') => {
                line += 1;
                1
            }
            Some('{') => {
                depth += 1;
                1
            }
            Some('}') => {
                depth -= 1;
                inside.retain(|(_, outer)| *outer < depth);
                1
            }
            Some(_) if first && rest.starts_with("use ") => {
                let end = rest.find(';').unwrap_or(rest.len());
                let before = code[..at].rsplit(['\n', ';', '{', '}']).next().unwrap_or_default();
                let exported = before.trim_start().starts_with("pub");
                expand("", &rest[4..end], &mut |path, name| {
                    let segments = absolute(&here(), path);
                    paths.push(Path { line, segments, name: Some(name.to_string()), exported });
                });
                line += rest[..end].matches('\n').count();
                end
            }
            Some(_) if first && rest.starts_with("mod ") => {
                let end = rest.find([';', '{']).unwrap_or(rest.len());
                if rest[end..].starts_with('{') {
                    inside.push((rest[4..end].trim().to_string(), depth));
                }
                end
            }
            Some(_)
                if first
                    && ["crate::", "super::", "self::"].iter().any(|h| rest.starts_with(h)) =>
            {
                let end = rest.find(|c| !is_name(Some(c)) && c != ':').unwrap_or(rest.len());
                let segments = absolute(&here(), rest[..end].trim_end_matches(':'));
                paths.push(Path { line, segments, name: None, exported: false });
                end
            }
            Some(c) => c.len_utf8(),
            None => break,
        };
        if !(first && rest.starts_with("use ")) {
            other.push_str(&rest[..length]);
        }
        at += length;
    }
    Named { paths, rest: other }
}

fn is_name(c: Option<char>) -> bool {
    c.is_some_and(|c| c.is_alphanumeric() || c == '_')
}

/// Makes a path absolute. One that begins with another name is taken for one below the module; if it
/// is another crate's, no file will be found for it.
fn absolute(module: &[String], path: &str) -> Vec<String> {
    let mut segments = module.to_vec();
    for (index, segment) in path.split("::").map(str::trim).enumerate() {
        match segment {
            "crate" if index == 0 => segments.clear(),
            "super" => drop(segments.pop()),
            "self" | "" => {}
            name => segments.push(name.to_string()),
        }
    }
    segments
}

/// Calls `found` with each path of a `use` tree, and the name that it gets.
pub(crate) fn expand(prefix: &str, tree: &str, found: &mut impl FnMut(&str, &str)) {
    let Some((head, inner)) = tree.split_once('{') else {
        let (path, name) = tree.trim().split_once(" as ").unwrap_or((tree.trim(), ""));
        let path = format!("{prefix}{}", path.trim());
        let path = path.trim_end_matches("::self");
        let last = path.rsplit("::").next().unwrap_or(path);
        return found(path, if name.is_empty() { last } else { name.trim() });
    };
    let prefix = format!("{prefix}{}", head.trim());
    let (mut depth, mut start) = (0, 0);
    for (at, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                if !inner[start..at].trim().is_empty() {
                    expand(&prefix, &inner[start..at], found);
                }
                start = at + 1;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(code: &str) -> Vec<String> {
        let module = ["group".to_string(), "carrier".to_string()];
        let paths = named(&module, code).paths;
        paths.iter().map(|path| format!("{} {}", path.line, path.segments.join("::"))).collect()
    }

    #[test]
    fn paths_are_made_absolute() {
        for (code, expected) in [
            (
                "use super::{Group,\n registry::{self, Registry as R}};",
                vec!["0 group::Group", "0 group::registry", "0 group::registry::Registry"],
            ),
            ("\npub(crate) use crate::base::id::TaskId;", vec!["1 base::id::TaskId"]),
            ("fn f() { crate::base::id::next(super::x) }", vec!["0 base::id::next", "0 group::x"]),
            ("mod a { use super::B; } use super::C;", vec!["0 group::carrier::B", "0 group::C"]),
            ("because supers::a; use_it(mod_::x)", vec![]),
        ] {
            assert_eq!(found(code), expected, "of {code}");
        }
    }

    #[test]
    fn unit_tests_are_left_out() {
        let text =
            "use a;\n#[cfg(test)]\n#[x]\nmod t { fn f() { {} } }\n#[cfg(test)]\nmod u;\nuse b;";
        let (code, modules) = without_tests(&Source::new("x.rs", text));
        assert_eq!(code.split_whitespace().collect::<Vec<_>>(), ["use", "a;", "use", "b;"]);
        assert_eq!((code.lines().count(), modules), (7, vec!["u".to_string()]));
    }
}
