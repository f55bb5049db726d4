//! docs/BRING-YOUR-OWN-RUNTIME.md shows the executor that is tested.

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
    let (_, shown) = guide.split_once("```rust\n").expect("the guide has code");
    let (shown, _) = shown.split_once("```\n").expect("the code has an end");
    let tested = &source[source.find("use ").expect("imports")..];
    assert_eq!(shown, tested, "put the file into the guide, from its imports on");
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
