//! What may stand in a source file.

use std::collections::BTreeSet;

use crate::paths::expand;
use crate::source::{Source, has_word};

/// A file with more lines than this holds more than one concept.
pub(crate) const MOST_LINES: usize = 400;

/// Where `core` may name the crates that its synchronization comes from.
const SYNC: &str = "core/src/layers/base/sync.rs";

const SYNC_PATHS: &[&str] = &[
    "std::sync",
    "core::sync",
    "alloc::sync",
    "std::thread",
    "std::cell::UnsafeCell",
    "core::cell::UnsafeCell",
    "parking_lot",
    "loom",
    "shuttle",
];

/// `feature = ".."` belongs in a `lib.rs`, where it decides which modules there are.
pub(crate) fn features(source: &Source) -> Vec<String> {
    if source.path.ends_with("/lib.rs") {
        return Vec::new();
    }
    let compact = |line: &str| line.split_whitespace().collect::<String>();
    // `feature = "` is written nowhere but in a cfg, and a cfg may go over several lines.
    let named =
        |line: &str| has_word(&compact(line), "feature") && compact(line).contains("feature=\"");
    let lines = source.code().zip(source.text.lines()).filter(|((_, code), _)| named(code));
    lines.map(|((place, _), line)| format!("{place}: {}", line.trim())).collect()
}

/// The core takes locks, atomics, cells and threads from `crate::layers::base::sync`, so that loom can stand in.
pub(crate) fn sync_imports(source: &Source) -> Vec<String> {
    if !source.path.starts_with("core/src/") || source.path == SYNC {
        return Vec::new();
    }
    let mut complaints = BTreeSet::new();
    for (index, path) in imports(source.whole_code()) {
        if SYNC_PATHS.iter().any(|from| path == *from || path.starts_with(&format!("{from}::"))) {
            complaints.insert((index, path));
        }
    }
    for (index, line) in source.whole_code().lines().enumerate() {
        let plain = !line.trim_start().starts_with("use ");
        // `cfg(loom)` names no crate: only paths do.
        for from in SYNC_PATHS.iter().filter(|from| plain && names_path(line, from)) {
            complaints.insert((index, String::from(*from)));
        }
    }
    let say = |(index, path)| {
        format!("{}: {path}; take it from crate::layers::base::sync", source.place(index))
    };
    complaints.into_iter().map(say).collect()
}

/// The clocks of the system.
const CLOCKS: &[&str] = &["Instant::now", "SystemTime"];

/// How long a thread naps on a lock is no time of a program's.
const NAPS: &str = "core/src/layers/base/lock/raw.rs";

/// The core asks the runtime's timer for the time, so that a virtual clock holds for all of it.
pub(crate) fn clocks(source: &Source) -> Vec<String> {
    if !source.path.starts_with("core/src/") || source.path == NAPS {
        return Vec::new();
    }
    let lines = source.whole_code().lines().enumerate();
    let reads = lines.filter(|(_, line)| CLOCKS.iter().any(|clock| line.contains(clock)));
    let say = |(index, _)| format!("{}: take `base::clock::now`", source.place(index));
    reads.map(say).collect()
}

fn names_path(line: &str, path: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    line.match_indices(path).any(|(at, _)| {
        !line[..at].trim_end_matches("::").ends_with(inside)
            && line[at + path.len()..].starts_with("::")
    }) || (path.contains("::") && has_word(line, path))
}

/// The paths that `use` declarations name, braces expanded, with the index of their line.
fn imports(code: &str) -> Vec<(usize, String)> {
    let mut paths = Vec::new();
    for (at, _) in code.match_indices("use ") {
        let Some(end) = code[at..].find(';') else { continue };
        let start = code[..at].rfind('\n').map_or(0, |line| line + 1);
        let before = code[start..at].trim();
        if !(before.is_empty() || before.starts_with("pub")) {
            continue;
        }
        let tree: String = code[at + 4..at + end].split_whitespace().collect::<Vec<_>>().join(" ");
        let index = code[..at].matches('\n').count();
        expand("", &tree, &mut |path, _| {
            paths.push((index, path.trim_start_matches("::").to_string()));
        });
    }
    paths
}

/// The files with unsafe code, as docs/ARCHITECTURE.md lists them.
pub(crate) struct Unsafe {
    listed: BTreeSet<String>,
    has_heading: bool,
}

impl Unsafe {
    const HEADING: &str = "## Unsafe code";

    pub(crate) fn listed(architecture: &str) -> Self {
        let mut lines = architecture.lines().skip_while(|line| line.trim() != Self::HEADING);
        let has_heading = lines.next().is_some();
        let section = lines.take_while(|line| !line.starts_with("# ") && !line.starts_with("## "));
        let item =
            |line: &str| Some(line.trim().strip_prefix("- `")?.split_once('`')?.0.to_string());
        Self { listed: section.filter_map(item).collect(), has_heading }
    }

    pub(crate) fn check(&self, sources: &[Source]) -> Vec<String> {
        let mut complaints = Vec::new();
        if !self.has_heading {
            complaints.push(format!("docs/ARCHITECTURE.md: no heading `{}`", Self::HEADING));
        }
        for source in sources {
            let lines = source.code().filter(|(_, line)| has_word(line, "unsafe"));
            let lines: Vec<_> = lines.map(|(place, _)| place).collect();
            match (self.listed.contains(&source.path), lines.is_empty()) {
                (false, false) => complaints.extend(lines.into_iter().map(|place| {
                    format!("{place}: unsafe in a file that docs/ARCHITECTURE.md does not list")
                })),
                (true, true) => complaints.push(format!(
                    "docs/ARCHITECTURE.md: lists {}, which has no unsafe code",
                    source.path
                )),
                _ => {}
            }
        }
        for path in &self.listed {
            if !sources.iter().any(|source| source.path == *path) {
                complaints
                    .push(format!("docs/ARCHITECTURE.md: lists {path}, which does not exist"));
            }
        }
        complaints
    }
}

/// A crate's `lib.rs` forbids unsafe code.
pub(crate) fn forbids_unsafe(lib: &Source) -> Vec<String> {
    match lib.code().any(|(_, line)| line.trim() == "#![forbid(unsafe_code)]") {
        true => Vec::new(),
        false => vec![format!("{}: no #![forbid(unsafe_code)]", lib.place(0))],
    }
}

/// A file holds one concept, be it of tests.
pub(crate) fn length(source: &Source, excused: &[(&str, &str)]) -> Vec<String> {
    let lines = source.text.lines().count();
    let is_excused = excused.iter().any(|(path, _)| source.path == *path);
    match lines > MOST_LINES && !is_excused {
        true => vec![format!("{}: {lines} lines, more than {MOST_LINES}", source.place(lines - 1))],
        false => Vec::new(),
    }
}

/// Work that was left for later.
pub(crate) fn leftovers(path: &str, text: &str) -> Vec<String> {
    // Taken apart, or this file would complain about itself.
    let marks = [concat!("to", "do!("), concat!("unimpl", "emented!("), concat!("FIX", "ME")];
    let mut complaints = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for mark in marks.iter().filter(|mark| line.contains(**mark)) {
            complaints.push(format!("{path}:{}: {mark}", index + 1));
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_core(text: &str) -> Source {
        Source::new("core/src/layers/record.rs", text)
    }

    #[test]
    fn a_feature_outside_of_lib_rs_is_found() {
        for text in [
            "x();\n#[cfg(feature = \"tokio\")]\nmod a;",
            "x();\n#[cfg_attr(not(feature=\"tokio\"), inline)]",
            "#[cfg(any(\n    feature = \"tokio\",\n    loom))]",
            "\nif cfg!(all(loom, feature  =  \"tokio\")) {}",
        ] {
            let found = features(&in_core(text));
            assert_eq!(found.len(), 1, "in {text}");
            assert!(found[0].starts_with("core/src/layers/record.rs:2: "), "{found:?}");
        }
        assert!(features(&Source::new("core/src/lib.rs", "#[cfg(feature = \"a\")]")).is_empty());
        for text in
            ["// #[cfg(feature = \"a\")]", "let s = r#\"cfg(feature = \"a\")\"#;", "#[cfg(loom)]"]
        {
            assert!(features(&in_core(text)).is_empty(), "in {text}");
        }
    }

    #[test]
    fn a_clock_of_the_system_is_found() {
        for text in
            ["let at = Instant::now();", "f(std::time::Instant::now)", "use std::time::SystemTime;"]
        {
            assert_eq!(clocks(&in_core(text)).len(), 1, "in {text}");
            assert!(clocks(&Source::new("executors/src/timer.rs", text)).is_empty());
        }
        for text in ["// Instant::now()", "timer.now()", "let at: Instant = clock::now();"] {
            assert!(clocks(&in_core(text)).is_empty(), "in {text}");
        }
    }

    #[test]
    fn synchronization_from_elsewhere_is_found() {
        for text in [
            "use std::sync::Arc;",
            "use std::{\n    fmt,\n    sync::{Arc, Mutex},\n};",
            "pub(crate) use core::sync::atomic;",
            "use std::sync;",
            "use std::{cell::{Cell, UnsafeCell}};",
            "use ::parking_lot as locks;",
            "    use loom::thread;",
            "let x = std::sync::Arc::new(1);",
            "let x = ::parking_lot::Mutex::new(1);",
            "if std::thread::panicking() {}",
            "fn f(x: &core::cell::UnsafeCell<u8>) {}",
        ] {
            let found = sync_imports(&in_core(text));
            assert!(!found.is_empty(), "in {text}");
            assert!(found[0].starts_with("core/src/layers/record.rs:1: "), "{found:?}");
        }
    }

    #[test]
    fn synchronization_from_crate_sync_is_not() {
        for text in [
            "use crate::layers::base::sync::{Arc, Mutex};",
            "use std::{task::{Context, Poll}, time::Duration};",
            "use std::cell::Cell;",
            "#[cfg(not(loom))]\nmod a;",
            "std::thread_local! {}",
            "//! use std::sync::Arc;",
            "let a = \"std::sync\";",
            "use crate::loom_models::x;",
        ] {
            assert_eq!(sync_imports(&in_core(text)), Vec::<String>::new(), "in {text}");
        }
        assert!(sync_imports(&Source::new(SYNC, "use std::sync::Arc;")).is_empty());
        assert!(sync_imports(&Source::new("executors/src/a.rs", "use std::sync::Arc;")).is_empty());
    }

    #[test]
    fn unsafe_code_and_its_list_agree() {
        let text = "# A\n\n## Unsafe code\n\nWhy.\n\n- `core/src/layers/record.rs`: since ..\n\n## B\n- `c.rs`\n";
        let list = Unsafe::listed(text);
        assert!(list.check(&[in_core("unsafe { x() }")]).is_empty());

        let elsewhere = Source::new("core/src/b.rs", "a();\nunsafe impl Send for B {}\n");
        let found = list.check(&[in_core("unsafe {}"), elsewhere]);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("core/src/b.rs:2: "), "{found:?}");

        let found = list.check(&[in_core("// unsafe\n#![deny(unsafe_code)] \"unsafe\"")]);
        assert!(found[0].contains("has no unsafe code"), "{found:?}");
        assert!(list.check(&[])[0].contains("does not exist"));
        assert!(Unsafe::listed("# A\n").check(&[])[0].contains("no heading"));
    }

    #[test]
    fn a_crate_that_allows_unsafe_is_found() {
        let lib = |text| Source::new("executors/src/lib.rs", text);
        assert_eq!(forbids_unsafe(&lib("//! A.\n#![forbid(unsafe_code)]")).len(), 0);
        assert_eq!(forbids_unsafe(&lib("// #![forbid(unsafe_code)]")).len(), 1);
        assert_eq!(forbids_unsafe(&lib("#![deny(unsafe_code)]")).len(), 1);
    }

    #[test]
    fn a_long_file_is_found() {
        let long = "\n".repeat(MOST_LINES + 1);
        assert_eq!(length(&in_core(&long), &[]).len(), 1);
        assert_eq!(length(&in_core(&long[1..]), &[]).len(), 0);
        assert_eq!(length(&in_core(&long), &[("core/src/layers/record.rs", "why")]).len(), 0);
        assert_eq!(length(&Source::new("core/tests/a.rs", &long), &[]).len(), 1);
        assert_eq!(length(&Source::new("tests/conformance/src/a.rs", &long), &[]).len(), 1);
    }

    #[test]
    fn leftovers_are_found() {
        let text = concat!("a\nto", "do!()\nunimpl", "emented!(\n// FIX", "ME: b\ntodos");
        let found = leftovers("a.md", text);
        assert_eq!(found.len(), 3);
        assert!(found[0].starts_with("a.md:2: ") && found[2].starts_with("a.md:4: "), "{found:?}");
    }
}
