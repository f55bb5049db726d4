//! Goroutines as a peer: a Go program (`benches/go/peer.go`) that takes its turn in the rounds.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use crate::case::Side;
use crate::watch::Sample;

/// Returns the side that runs this scenario of this size, if there is a Go compiler (Debian:
/// `golang-go`).
pub(crate) fn side(name: &'static str, scenario: &str, size: usize) -> Option<Side> {
    static PEER: OnceLock<Option<PathBuf>> = OnceLock::new();
    let program = PEER.get_or_init(build).as_ref()?;
    let mut peer = Peer::start(program, scenario, size);
    Some(Side { elsewhere: true, ..Side::new(name, move |times| peer.run(times)) })
}

fn build() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?.with_file_name("go-peer");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/go/peer.go");
    match Command::new("go").arg("build").arg("-o").arg(&program).arg(source).status() {
        Ok(status) if status.success() => Some(program),
        Ok(status) => panic!("go build {source}: {status}"),
        Err(error) => {
            eprintln!("goroutines are left out: no Go compiler can be started ({error})");
            None
        }
    }
}

/// The program. It ends with its input.
struct Peer {
    child: Child,
    asks: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Peer {
    fn start(program: &PathBuf, scenario: &str, size: usize) -> Self {
        let mut command = Command::new(program);
        command.arg(scenario).arg(size.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the program that was built starts");
        let (asks, answers) = (child.stdin.take(), child.stdout.take());
        Self { child, asks, answers: BufReader::new(answers.expect("standard output is a pipe")) }
    }

    fn run(&mut self, times: u64) -> Sample {
        let asks = self.asks.as_mut().expect("standard input is a pipe until the end");
        writeln!(asks, "{times}").expect("the program reads");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("the program answers");
        let nanos = answer.trim().parse().expect("nanoseconds");
        Sample { elapsed: Duration::from_nanos(nanos), ..Sample::default() }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.asks.take());
        let _ = self.child.wait();
    }
}
