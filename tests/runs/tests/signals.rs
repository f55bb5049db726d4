//! Signals that are taken and given back, in a process of its own.

#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

/// The program `signalled`, which does what its input says.
struct Signalled {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Signalled {
    fn start() -> Signalled {
        let mut command = Command::new(env!("CARGO_BIN_EXE_signalled"));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let commands = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Signalled { child, commands, answers }
    }

    fn ask(&mut self, command: &str) -> String {
        writeln!(self.commands, "{command}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        answer.trim_end().to_string()
    }

    /// Asks again and again until this is the answer.
    fn wait_for(&mut self, command: &str, expected: &str) {
        let begin = Instant::now();
        loop {
            let answer = self.ask(command);
            if answer == expected {
                return;
            }
            assert!(begin.elapsed() < PATIENCE, "{command}: {answer}, and not {expected}");
            // For another process, which cannot notify this one; no result depends on the time.
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn send(&self, signal: &str) {
        let mut kill = Command::new("kill");
        assert!(
            kill.args(["-s", signal, &self.child.id().to_string()]).status().unwrap().success()
        );
    }

    /// Waits until a signal has ended it, and returns which.
    fn ended_by(&mut self) -> i32 {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.signal().expect("a signal ends it");
            }
            assert!(begin.elapsed() < PATIENCE, "the signal has not ended it");
            // As above.
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Signalled {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn d13_given_back_a_signal_ends_the_process() {
    for (signal, number) in [("INT", 2), ("TERM", 15)] {
        let mut program = Signalled::start();
        assert_eq!(program.ask("take"), "taken");
        program.send(signal);
        program.wait_for("look", "[Draining]");
        assert_eq!(program.ask("give back"), "given back");
        program.wait_for("threads", "0");
        program.send(signal);
        assert_eq!(program.ended_by(), number);
    }
}

#[test]
fn d13_taken_again_and_given_back_again() {
    let mut program = Signalled::start();
    for _ in 0..3 {
        program.ask("take");
        assert_eq!(program.ask("look"), "[Running]");
        program.send("TERM");
        program.wait_for("look", "[Draining]");
        program.ask("give back");
    }
    program.send("INT");
    assert_eq!(program.ended_by(), 2);
}

#[test]
fn d14_two_at_once_both_hear() {
    let mut program = Signalled::start();
    program.ask("take");
    program.send("TERM");
    program.wait_for("look", "[Draining]");
    program.ask("take");
    assert_eq!(program.ask("look"), "[Draining, Running]", "the second starts fresh");
    assert_eq!(program.ask("threads"), "1");
    for levels in ["[Cancelled, Draining]", "[Aborted, Cancelled]", "[Aborted, Aborted]"] {
        program.send("TERM");
        program.wait_for("look", levels);
    }
    // Nothing is left to raise.
    program.send("TERM");
    assert_eq!(program.ended_by(), 15);
}

#[test]
fn d14_one_is_given_back_and_the_other_goes_on() {
    let mut program = Signalled::start();
    program.ask("take");
    program.ask("take");
    program.send("INT");
    program.wait_for("look", "[Draining, Draining]");
    program.ask("give back");
    program.send("INT");
    program.wait_for("look", "[Cancelled]");
    program.ask("give back");
    program.send("INT");
    assert_eq!(program.ended_by(), 2);
}
