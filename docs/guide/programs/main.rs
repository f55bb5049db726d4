//! Runs a program of README or the guide: `cargo run -p allhome-guide -- NAME`.
//!
//! Each stands in a chapter, whole; build.rs makes a module of it. All of them are one program, since
//! to link forty takes minutes.

#![forbid(unsafe_code)]

use std::process::ExitCode;

/// Makes a module of a program: its text is as the chapter has it, with a `main` of its own.
macro_rules! program {
    ($name:ident, $file:literal) => {
        #[allow(unreachable_pub, reason = "for its reader a program is a crate of its own")]
        mod $name {
            include!(concat!(env!("OUT_DIR"), $file));

            pub(super) fn start() -> std::process::ExitCode {
                std::process::Termination::report(main())
            }
        }
    };
}

/// A program's `main`.
type Start = fn() -> ExitCode;

include!(concat!(env!("OUT_DIR"), "/programs.rs"));

fn main() -> ExitCode {
    let name = std::env::args().nth(1).unwrap_or_default();
    if let Some((_, start)) = PROGRAMS.iter().find(|(known, _)| *known == name) {
        return start();
    }
    eprintln!("usage: allhome-guide NAME, with one of these names:");
    for (name, _) in PROGRAMS {
        eprintln!("    {name}");
    }
    ExitCode::from(2)
}
