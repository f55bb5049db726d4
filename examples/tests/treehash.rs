//! Runs the example `treehash`, on every runtime.

use crate::support::{Running, Scratch, program, text, wait_until};
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::process::{Command, Output};

const RUNTIMES: [&str; 4] = ["pool", "tokio", "smol", "async-std"];

/// Runs `treehash --runtime RUNTIME ARGS...` in the folder, to its end.
fn treehash(scratch: &Scratch, runtime: &str, args: &[&str]) -> Output {
    let mut command = scratch.treehash(runtime);
    Running::start(command.args(args)).end()
}

/// What the tools print that `treehash` is to agree with.
fn pipeline(scratch: &Scratch, dir: &str) -> Vec<u8> {
    let script = "find \"$1\" -type f -print0 | LC_ALL=C sort -z | xargs -0 -r sha256sum";
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh", dir]).current_dir(scratch.path());
    command.output().unwrap().stdout
}

/// A tree with names that are hard to get right: in a line, and in the order of lines.
fn odd_tree() -> Scratch {
    let scratch = Scratch::new();
    for (path, content) in [
        ("tree/a/b", "in a folder that sorts after a.txt"),
        ("tree/a/b c/d", "a space"),
        ("tree/a.txt", "`.` is less than `/`"),
        ("tree/a0", "`0` is greater than `/`"),
        ("tree/a-", ""),
        ("tree/a!/z", ""),
        ("tree/ab/c", ""),
        ("tree/A", ""),
        ("tree/-n", "a leading dash"),
        ("tree/new\nline", "a line feed"),
        ("tree/back\\slash/x", "a backslash in a folder's name"),
        ("tree/carriage\rreturn", ""),
        ("tree/both\\\n", ""),
        ("tree/tab\tquote'\"", ""),
        ("tree/é/ü", "beyond ASCII"),
        ("tree/ lead", ""),
        ("tree/*", ""),
        ("tree/.hidden/.file", ""),
    ] {
        scratch.write(path, content.as_bytes());
    }
    scratch.write(OsStr::from_bytes(b"tree/byte\xff"), b"not UTF-8");
    scratch.write("tree/large", &vec![7; 3 << 20]);
    scratch.write("tree/chunk", &vec![1; 256 << 10]);
    fs::create_dir_all(scratch.path().join("tree/empty/empty")).unwrap();
    symlink("a", scratch.path().join("tree/link-to-folder")).unwrap();
    symlink("a.txt", scratch.path().join("tree/link-to-file")).unwrap();
    symlink("nowhere", scratch.path().join("tree/link-to-nothing")).unwrap();
    symlink("tree", scratch.path().join("link")).unwrap();
    scratch
}

#[test]
fn agrees_with_sha256sum() {
    let scratch = odd_tree();
    let dirs = ["tree", "tree/", "tree//", "./tree", ".", "tree/large", "link", "link/", "tree/-n"];
    for dir in dirs {
        let expected = pipeline(&scratch, dir);
        assert_eq!(expected.is_empty(), dir == "link", "{dir}");
        for runtime in RUNTIMES {
            for jobs in ["1", "2", "7"] {
                let found = treehash(&scratch, runtime, &["--jobs", jobs, dir]);
                assert_eq!(text(&found.stdout), text(&expected), "{runtime}, {dir}");
                assert_eq!(found.stdout, expected);
                assert_eq!(text(&found.stderr), "", "no terminal, no progress bar");
                assert_eq!(found.status.code(), Some(0));
            }
        }
    }
}

#[test]
fn agrees_with_sha256sum_on_more_files_than_the_window_holds() {
    let scratch = Scratch::new();
    for number in 0..1500 {
        let path = format!("tree/{}/{}.{number}", number % 17, number % 5);
        scratch.write(path, number.to_string().as_bytes());
    }
    let expected = pipeline(&scratch, "tree");
    for runtime in RUNTIMES {
        for jobs in ["1", "3"] {
            let found = treehash(&scratch, runtime, &["tree", "--jobs", jobs]);
            assert!(found.stdout == expected, "{runtime}, {jobs} jobs");
        }
    }
}

#[test]
fn an_empty_folder_prints_nothing() {
    let scratch = Scratch::new();
    for runtime in RUNTIMES {
        let found = treehash(&scratch, runtime, &["."]);
        assert_eq!((found.status.code(), found.stdout.len(), found.stderr.len()), (Some(0), 0, 0));
    }
}

#[test]
fn a_name_with_a_dash_comes_after_two_dashes() {
    let scratch = Scratch::new();
    scratch.write("-d/file", b"");
    let found = treehash(&scratch, "pool", &["--", "-d"]);
    assert!(text(&found.stdout).ends_with("  -d/file\n"), "{found:?}");
}

#[test]
fn errors_are_listed_at_the_end() {
    let scratch = odd_tree();
    let [file, folder] = scratch.add_unreadable("tree");
    let expected = pipeline(&scratch, "tree");
    for runtime in RUNTIMES {
        let found = treehash(&scratch, runtime, &["tree"]);
        assert_eq!(text(&found.stdout), text(&expected));
        let errors = text(&found.stderr);
        assert!(errors.contains(&format!("treehash: {file}: File name too long")), "{errors}");
        assert!(errors.contains(&format!("treehash: {folder}/: File name too long")), "{errors}");
        assert!(errors.ends_with("\ntreehash: 2 errors\n"), "{errors}");
        assert_eq!(errors.lines().count(), 3, "{errors}");
        assert_eq!(found.status.code(), Some(1));
    }
}

#[test]
fn a_missing_folder_is_an_error() {
    let scratch = Scratch::new();
    for runtime in RUNTIMES {
        let found = treehash(&scratch, runtime, &["nowhere"]);
        assert!(text(&found.stderr).starts_with("treehash: nowhere: No such file"), "{found:?}");
        assert_eq!(found.status.code(), Some(1));
    }
}

#[test]
fn fail_fast_stops_at_the_first_error() {
    let scratch = Scratch::new();
    scratch.write("tree/a", b"");
    scratch.endless("tree/big");
    let [file, folder] = scratch.add_unreadable("tree");
    for runtime in RUNTIMES {
        let mut command = scratch.treehash(runtime);
        command.args(["--fail-fast", "--jobs", "2", "tree"]);
        let found = Running::start(&mut command).end();
        let errors = text(&found.stderr);
        assert!(errors.contains(&file) || errors.contains(&folder), "{errors}");
        assert!(errors.contains("treehash: stopped at the first error: "), "{errors}");
        assert_eq!(found.status.code(), Some(1));
    }
}

#[test]
fn the_timeout_stops_it() {
    let scratch = Scratch::new();
    scratch.endless("tree/big");
    for runtime in RUNTIMES {
        for time in ["50ms", "0.1s", "0.001m"] {
            let mut command = scratch.treehash(runtime);
            let found = Running::start(command.args(["--timeout", time, "tree"])).end();
            let errors = text(&found.stderr);
            assert!(errors.starts_with("treehash: timed out after "), "{errors}");
            assert!(!errors.contains("\n  timeout"), "the timeout lists itself: {errors}");
            assert_eq!(found.status.code(), Some(124));
        }
    }
}

#[test]
fn a_timeout_that_is_not_reached_changes_nothing() {
    let scratch = odd_tree();
    for runtime in RUNTIMES {
        let found = treehash(&scratch, runtime, &["--timeout", "1h", "tree"]);
        assert_eq!((found.status.code(), text(&found.stderr).as_str()), (Some(0), ""));
    }
}

/// With two jobs, `a` and `c` are finished when `b` and `d` are both open: `c` out of turn, for
/// nothing after `b` has been printed.
#[test]
fn a_signal_prints_what_was_finished_and_what_was_running() {
    let scratch = Scratch::new();
    scratch.write("tree/a", b"");
    scratch.endless("tree/b");
    scratch.write("tree/c", b"");
    scratch.endless("tree/d");
    scratch.write("tree/e", b"");
    for runtime in RUNTIMES {
        for (signal, says, code) in [("INT", "interrupted", 130), ("TERM", "terminated", 143)] {
            let mut command = scratch.treehash(runtime);
            let running = Running::start(command.args(["--jobs", "2", "tree"]));
            wait_until("both are open", || running.has_open("b") && running.has_open("d"));
            running.send(signal);
            let found = running.end();

            let lines = text(&found.stdout);
            let paths: Vec<_> = lines.lines().map(|line| &line[66..]).collect();
            assert_eq!(paths, ["tree/a", "tree/c"]);
            // `e` waits, unless the signal came before it was in the window.
            let expected = [0, 1].map(|waiting| {
                format!(
                    "treehash: {says}: files hashed: 2, cut off: 2, waiting: {waiting}\n\
                     treehash: running then:\n  tree/b\n  tree/d\n"
                )
            });
            let errors = text(&found.stderr);
            assert!(expected.contains(&errors), "{errors}");
            assert_eq!(found.status.code(), Some(code));
        }
    }
}

/// The output has no reader, so it cannot print what was finished.
#[test]
fn a_second_signal_ends_it_on_the_spot() {
    let scratch = Scratch::new();
    for number in 0..3000 {
        scratch.write(format!("tree/{number}"), b"");
    }
    scratch.endless("tree/z");
    for runtime in RUNTIMES {
        let mut running = Running::start(scratch.treehash(runtime).arg("tree"));
        // The pipe holds less than all lines, and so the main thread waits for a reader for ever.
        wait_until("the pipe is full", || running.waits_for_a_reader());
        wait_until("it has ended", || {
            running.send("INT");
            running.has_ended()
        });
        assert_eq!(running.end().status.code(), Some(130));
    }
}

#[test]
fn a_closed_pipe_ends_it_quietly() {
    let scratch = Scratch::new();
    for number in 0..3000 {
        scratch.write(format!("tree/{number}"), b"");
    }
    scratch.endless("tree/z");
    for runtime in RUNTIMES {
        let mut running = Running::start(scratch.treehash(runtime).arg("tree"));
        let mut first = String::new();
        BufReader::with_capacity(64, running.take_stdout()).read_line(&mut first).unwrap();
        assert!(first.ends_with("  tree/0\n"), "{first}");
        let found = running.end();
        assert_eq!((found.status.code(), text(&found.stderr).as_str()), (Some(1), ""));
    }
}

#[test]
fn output_that_cannot_be_written_is_an_error() {
    let scratch = Scratch::new();
    scratch.write("few/a", b"");
    for number in 0..3000 {
        scratch.write(format!("many/{number}"), b"");
    }
    scratch.endless("many/z");
    for runtime in RUNTIMES {
        for dir in ["few", "many"] {
            let full = fs::File::options().write(true).open("/dev/full").unwrap();
            let mut command = scratch.treehash(runtime);
            let found = Running::start_with(command.arg(dir), full.into()).end();
            let errors = text(&found.stderr);
            assert!(errors.starts_with("treehash: standard output: No space left"), "{errors}");
            assert_eq!(errors.matches("standard output").count(), 1, "{errors}");
            assert_eq!(found.status.code(), Some(1));
        }
    }
}

#[test]
fn a_wrong_command_line_is_told_so() {
    let scratch = Scratch::new();
    for (args, says) in [
        (&["--jobs", "0", "."][..], "0 is not in 1..=1024"),
        (&["--jobs", "x", "."], "invalid value 'x'"),
        (&["--timeout", "2", "."], "a number with its unit"),
        (&["--timeout", "2d", "."], "a number with its unit"),
        (&["--timeout", "s", "."], "`` is not a number"),
        (&["--timeout", "1.2.3s", "."], "`1.2.3` is not a number"),
        (&["--timeout", "1e3s", "."], "`1e3` is not a number"),
        (&["--timeout=-1s", "."], "`-1` is not a number"),
        (&["--timeout", "0s", "."], "longer than nothing"),
        (&["--timeout", "99999999999999999999h", "."], "too long"),
        (&["--runtime", "none", "."], "possible values: pool, tokio"),
        (&["one", "two"], "unexpected argument 'two'"),
        (&["--unknown", "."], "unexpected argument '--unknown'"),
        (&[], "<DIR>"),
    ] {
        let found =
            Command::new(program("treehash")).args(args).current_dir(scratch.path()).output();
        let found = found.unwrap();
        let errors = text(&found.stderr);
        assert!(errors.contains(says), "{args:?}: {errors}");
        assert_eq!(found.status.code(), Some(2), "{args:?}");
    }
}

#[test]
fn help_lists_the_exit_codes() {
    let scratch = Scratch::new();
    let help = text(&treehash(&scratch, "pool", &["--help"]).stdout);
    for code in ["0", "1", "2", "124", "130", "143"] {
        let line = format!("{code:>5}  ");
        assert!(help.lines().any(|found| found.starts_with(&line)), "{code}: {help}");
    }
}
