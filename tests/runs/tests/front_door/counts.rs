//! What an error does not list, it counts: in its text, and by kind in its report.

use super::on_fire;
use allhome::error::Cause;
use allhome::{GroupError, Nursery, Policy, cancelled, nursery, sleep};
use allhome_runs::{SECOND, world};
use futures_util::FutureExt;
use std::io;

/// The error of a nursery in which so many children failed, one after the other.
fn failed(count: u32, keep: usize) -> GroupError<io::Error> {
    let (stepped, clock, runtime) = world();
    let open = nursery().on(runtime).name("boot").policy(Policy::WaitAll).keep_failures(keep);
    let run = open.run(async |n: Nursery<io::Error>| {
        for i in 1..=count {
            n.task(format!("part {i}")).spawn(async move {
                sleep(i * SECOND).await;
                Err(on_fire())
            });
        }
        Ok(())
    });
    clock.drive(&stepped, run).unwrap_err()
}

/// Whether the others are listed or left out, the text has their number.
#[test]
fn f37_text_counts_the_other_failures() {
    let own = "nursery `boot`: task `part 1` failed: disk on fire";
    for (count, keep, others) in
        [(1, 9, ""), (2, 9, " (and 1 more)"), (3, 9, " (and 2 more)"), (3, 1, " (and 2 more)")]
    {
        let error = failed(count, keep);
        assert_eq!(error.to_string(), format!("{own}{others}"));
        assert_eq!(format!("{error:#}"), format!("{own}{others}"), "nothing is behind it");
    }
}

/// A report with each kind of what is counted.
#[test]
fn f37_report_counts_what_it_does_not_list() {
    let (stepped, clock, runtime) = world();
    let open = nursery().on(runtime).name("server").policy(Policy::Supervise).keep_failures(2);
    let run = open.run(async |n: Nursery<&'static str>| {
        for _ in 0..2 {
            n.spawn(async { Err("told and forgotten") });
        }
        for i in 1..=3 {
            n.task(format!("late {i}")).spawn(async {
                cancelled().await;
                Err("I was cancelled")
            });
        }
        sleep(SECOND).await;
        for text in ["first", "second", "third"] {
            n.fail(text);
        }
        n.cancel();
        assert!(!n.spawn(async { Ok(()) }).is_admitted());
        Ok(())
    });
    let error = clock.drive(&stepped, run).unwrap_err();
    assert_eq!(error.to_string(), "nursery `server`: the body failed: first (and 2 more)");
    let text = format!("{error:?}");
    let lines: Vec<_> = text.lines().skip(1).collect();
    let expected = [
        "  the body failed: first",
        "  the body failed: second",
        "  and 1 more",
        "cancelled: 3 tasks",
        "refused: 1 task",
        "failed, and forgotten: 2 tasks",
        "echoes, which are no failures: 3 tasks",
        "  task `late 1` failed: I was cancelled",
        "  task `late 2` failed: I was cancelled",
        "  and 1 more",
    ];
    assert_eq!(lines, expected, "{text}");
}

/// What is not there is not counted.
#[test]
fn f37_report_of_one_failure_is_two_lines() {
    let text = format!("{:?}", failed(1, 9));
    assert_eq!(text.lines().skip(1).collect::<Vec<_>>(), ["  task `part 1` failed: disk on fire"]);
}

/// No task of it failed: the text names the nursery alone.
#[test]
fn f37_of_a_nursery_that_was_not_opened() {
    // Polled by hand: there is no `block_on` around, and so no runtime.
    let run = nursery().name("boot").run(async |_: Nursery| Ok(()));
    let error = run.now_or_never().expect("it is not opened").unwrap_err();
    let Cause::NoRuntime(cause) = error.first().cause() else { panic!("{error:?}") };
    assert_eq!(error.to_string(), format!("nursery `boot`: not opened: {cause}"));
    let report = format!("nursery `boot` (at {}) failed\n  not opened: {cause}", error.location());
    assert_eq!(format!("{error:?}"), report);
    let run = nursery().run(async |_: Nursery| Ok(()));
    let error = run.now_or_never().expect("it is not opened").unwrap_err();
    assert_eq!(error.to_string(), format!("nursery at {}: not opened: {cause}", error.location()));
}
