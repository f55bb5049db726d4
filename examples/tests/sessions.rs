//! The example `sessions`: children by key, of which the next waits for the last.

use crate::support::{program, text};
use std::process::Command;

#[test]
fn a_second_login_begins_when_the_first_session_is_gone() {
    let output = Command::new(program("sessions")).output().expect("it starts");
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
    let printed = text(&output.stdout);
    let expected = [
        "  0 min  ada is in on the phone",
        "  5 min  bob is in on the laptop",
        " 11 min  ada is out on the phone: replaced by a child with the same key",
        " 11 min  ada is in on the laptop",
        " 21 min  bob is out on the laptop: cancelled by its key",
        " 25 min  eve was not in",
        " 72 min  ada is out on the laptop: an hour has passed",
        " 90 min  sessions left: 1",
        " 90 min  bob is in on the phone",
        "151 min  bob is out on the phone: an hour has passed",
        "151 min  sessions left: 0",
    ];
    assert_eq!(printed.lines().collect::<Vec<_>>(), expected);
}
