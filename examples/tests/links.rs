//! The example `links`: a stream with a limit and a rate.

use crate::support::{program, text};
use std::process::Command;

#[test]
fn no_more_than_ten_in_a_second_and_the_slow_one_holds_up_nobody() {
    let output = Command::new(program("links")).output().expect("it starts");
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
    let printed = text(&output.stdout);
    let lines: Vec<_> =
        printed.lines().map(|line| line.split(" (at ").next().unwrap_or(line)).collect();
    let expected = [
        "  130 ms  /guide  ok",
        "  220 ms  /old    status 404",
        "  440 ms  /news   ok",
        "  610 ms  /map    status 500",
        "  710 ms  /about  ok",
        "  750 ms  /jobs   ok",
        "  810 ms  /faq    ok",
        " 1300 ms  /slow   timed out after 1s",
        "8 links, 3 of them broken",
    ];
    assert_eq!(lines, expected);
}
