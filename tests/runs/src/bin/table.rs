//! Runs the suite on every candidate here, and pastes the outcome into docs/CONFORMANCE.md:
//! `cargo run -p allhome-runs --bin table`.

#![forbid(unsafe_code)]

use allhome_runs::table;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = fs::read_to_string(package.join("Cargo.toml")).expect("the manifest");
    let (mut reports, mut passed) = (Vec::new(), true);
    for program in table::programs(&manifest) {
        eprintln!("{program}");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let test = ["test", "--quiet", "-p", "allhome-runs", "--test", &program];
        let run = Command::new(cargo).args(test).args(["--", "--report", "json"]).output();
        let output = run.expect("cargo runs");
        let Ok(report) = serde_json::from_slice::<Value>(&output.stdout) else {
            eprintln!("no report: {}", String::from_utf8_lossy(&output.stderr));
            return ExitCode::FAILURE;
        };
        passed &= output.status.success();
        reports.push(report);
    }
    let file = package.join("../../docs/CONFORMANCE.md");
    let document = fs::read_to_string(&file).expect("the document");
    let document = table::paste(&document, &table::render(&reports));
    fs::write(&file, document).expect("the document is written");
    eprintln!("docs/CONFORMANCE.md is written; {}", if passed { "all pass" } else { "some fail" });
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
