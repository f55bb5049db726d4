//! The example `replicas`: quorum and hedge.

use crate::support::{program, text};
use std::process::Command;

#[test]
fn the_losers_are_gone_and_the_times_are_those_of_the_winners() {
    let output = Command::new(program("replicas")).output().expect("it starts");
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
    let expected = "\
two of three:
  slow: it was not needed any more
  version 8 after 90 ms
two of three, and one is down:
  version 8 after 90 ms
two of three, and two are down:
  near: it was not needed any more
  none after 1 ms: nursery `read`: the body failed: 2 values were needed, and of 3 children none \
                    has given one: task `down` failed: connection refused (and 1 more)
the first, and it is slow:
  slow: it was not needed any more
  version 7 after 60 ms
the first, and it is down:
  version 7 after 11 ms
";
    assert_eq!(text(&output.stdout), expected);
}
