//! docs/BRING-YOUR-OWN-RUNTIME.md shows the executor that is tested.

use std::fs;
use std::path::Path;

#[test]
fn guide_shows_what_is_tested() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let read = |path: &str| fs::read_to_string(root.join(path)).expect(path);
    let (guide, source) =
        (read("docs/BRING-YOUR-OWN-RUNTIME.md"), read("tests/runs/tests/own_runtime.rs"));
    let (_, shown) = guide.split_once("```rust\n").expect("the guide has code");
    let (shown, _) = shown.split_once("```\n").expect("the code has an end");
    let tested = &source[source.find("use ").expect("imports")..];
    assert_eq!(shown, tested, "put the file into the guide, from its imports on");
}
