//! The example `drain`: signals, and what they do to a server.

use crate::support::{Running, program, text, wait_until};
use std::io::{BufRead, BufReader, Lines};
use std::os::unix::process::ExitStatusExt;
use std::process::{ChildStdout, Command};

fn start(request: &[&str]) -> (Running, Lines<BufReader<ChildStdout>>) {
    let mut running = Running::start(Command::new(program("drain")).args(request));
    let lines = BufReader::new(running.take_stdout()).lines();
    (running, lines)
}

fn wait_for(lines: &mut Lines<BufReader<ChildStdout>>, expected: &str) {
    let found = lines.find(|line| line.as_ref().unwrap().contains(expected));
    assert!(found.is_some(), "it never wrote `{expected}`");
}

#[test]
fn d12_the_first_signal_lets_requests_finish() {
    for signal in ["INT", "TERM"] {
        let (running, mut lines) = start(&[]);
        wait_for(&mut lines, "serving");
        running.send(signal);
        wait_for(&mut lines, "no more requests");
        wait_for(&mut lines, "requests were served");
        let report: Vec<_> = lines.map(Result::unwrap).collect();
        assert_eq!(report.len(), 1, "{report:?}");
        assert!(report[0].contains("`server`: drained, "), "{report:?}");
        assert_eq!(running.end().status.code(), Some(0));
    }
}

#[test]
fn d12_the_second_cancels() {
    let (running, mut lines) = start(&["hang"]);
    wait_for(&mut lines, "serving");
    running.send("TERM");
    wait_for(&mut lines, "no more requests");
    running.send("INT");
    wait_for(&mut lines, "requests were served");
    let report: Vec<_> = lines.map(Result::unwrap).collect();
    assert!(report[0].contains("`server`: cancelled, "), "{report:?}");
    let late = "`hang` left when cancelled after";
    assert!(report.iter().any(|line| line.contains(late)), "{report:?}");
    let end = running.end();
    assert_eq!((end.status.code(), text(&end.stderr).as_str()), (Some(1), ""));
}

#[test]
fn d12_the_next_after_the_last_ends_the_process() {
    let (mut running, mut lines) = start(&["stubborn"]);
    wait_for(&mut lines, "serving");
    running.send("TERM");
    wait_for(&mut lines, "no more requests");
    running.send("TERM");
    wait_for(&mut lines, "told to leave");
    // The third aborts, and does not help.
    wait_until("it has ended", || {
        running.send("TERM");
        running.has_ended()
    });
    assert_eq!(running.end().status.signal(), Some(15));
}
