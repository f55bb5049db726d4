//! docs/BRING-YOUR-OWN-RUNTIME.md shows the executors that are tested.

#[path = "guide/minimal.rs"]
mod minimal;

use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    fs::read_to_string(root.join(path)).expect(path)
}

#[test]
fn guide_shows_what_is_tested() {
    let guide = read("docs/BRING-YOUR-OWN-RUNTIME.md");
    let source = read("tests/runs/tests/own_runtime.rs");
    let minimal = read("tests/runs/tests/guide/minimal.rs");
    let (minimal, _) = minimal.split_once("\n#[test]").expect("it is tested");
    let shown: Vec<_> = guide.split("```rust\n").skip(1).collect();
    assert_eq!(shown.len(), 2, "the least, and one that passes the suite");
    for (shown, source) in shown.into_iter().zip([minimal, &source]) {
        let (shown, _) = shown.split_once("```\n").expect("the code has an end");
        let tested = &source[source.find("use ").expect("imports")..];
        assert_eq!(shown, tested, "put the file into the guide, from its imports on");
    }
}

#[test]
fn guide_has_as_many_lines_as_it_says() {
    let source = read("tests/runs/tests/own_runtime.rs");
    let is_code = |line: &&str| !line.is_empty() && !line.trim_start().starts_with("//");
    let executor = source.lines().filter(is_code).skip_while(|line| line.starts_with("use "));
    let lines = executor.take_while(|line| !line.starts_with("fn main")).count();
    assert_eq!(lines, 60, "without imports, comments and `main`");
    assert!(read("docs/BRING-YOUR-OWN-RUNTIME.md").contains("an executor of sixty lines"));
}
