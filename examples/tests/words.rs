//! The example `words`: children that borrow.

use crate::support::{program, text};
use std::process::Command;

#[test]
fn the_words_of_this_file() {
    let counted =
        Command::new(program("words")).args([file(), file()]).output().expect("it starts");
    assert_eq!(counted.status.code(), Some(0), "{}", text(&counted.stderr));
    let printed = text(&counted.stdout);
    assert_eq!(printed.lines().count(), 10);
    assert!(printed.lines().any(|line| line == "    12  zebra"), "{printed}");
    let _six = ["zebra zebra", "zebra", "zebra", "zebra"];
}

#[test]
fn bad_input_is_an_error() {
    for (args, says) in [(&[][..], "usage: words FILE..."), (&["no file"], "no file: ")] {
        let refused = Command::new(program("words")).args(args).output().expect("it starts");
        assert_eq!(refused.status.code(), Some(1));
        assert!(text(&refused.stderr).contains(says), "{}", text(&refused.stderr));
    }
}

fn file() -> String {
    format!("{}/tests/words.rs", env!("CARGO_MANIFEST_DIR"))
}
