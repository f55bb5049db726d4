//! Clauses Y08 and Y13: what a failure says, and how often.

use allhome::sim::{Explored, Faults};
use allhome::{Nursery, Simulator, nursery, sim, yield_now};
use std::convert::Infallible;
use std::future::pending;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Some orders of the three panic.
async fn three_in_order(n: Nursery<Infallible>) -> Result<(), Infallible> {
    let log: Arc<Mutex<Vec<u32>>> = Arc::default();
    for number in 0..3 {
        let log = log.clone();
        n.task(format!("number {number}")).spawn(async move {
            for _ in 0..3 {
                yield_now().await;
            }
            let mut log = log.lock().expect("it is not poisoned yet");
            log.push(number);
            assert_ne!(*log, [2, 0, 1], "that order");
            Ok(())
        });
    }
    Ok(())
}

#[test]
fn y08_a_panic_is_told_once_and_in_the_report() {
    const WHO: &str = "Y08_TOLD_IN_A_PROCESS_OF_ITS_OWN";
    if let Some(threads) = std::env::var_os(WHO) {
        let threads = if threads == "2" { 2 } else { 0 };
        let faults = Faults { threads, ..Faults::default() };
        Simulator::new().seed(1).faults(faults).check(three_in_order);
    }
    for threads in ["0", "2"] {
        let mut command = Command::new(std::env::current_exe().expect("it has a path"));
        let name = "bugs::reports::y08_a_panic_is_told_once_and_in_the_report";
        command.args(["--exact", name, "--nocapture"]).env(WHO, threads);
        let output = command.output().expect("it runs");
        assert!(!output.status.success());
        let said = String::from_utf8_lossy(&output.stderr);
        // The panic of the first run that fails, and that of `check`, which has the report.
        assert_eq!(said.matches(" panicked at ").count(), 2, "{threads} threads: {said}");
    }
}

fn whose(found: &Explored) -> Option<String> {
    let failure = found.failure().expect("it fails");
    let culprit = failure.culprit()?;
    assert!(failure.to_string().contains(&format!(": {culprit}: ")), "{failure}");
    Some(culprit.to_string())
}

#[test]
fn y13_a_panic_says_whose_it_was() {
    let one = Simulator::new();
    let found = Simulator::new().exhaustive().explore(three_in_order);
    assert_eq!(whose(&found).as_deref(), Some("task `number 1`"));

    let found = one.explore(async |_: Nursery<Infallible>| -> Result<(), _> { panic!("oh") });
    assert_eq!(whose(&found).as_deref(), Some("the body"));

    let line = line!() + 2;
    let found = one.explore(async |n: Nursery<Infallible>| {
        n.go(async { panic!("oh") });
        Ok(())
    });
    let place = format!("the task spawned at {}:{line}:", file!());
    assert!(whose(&found).is_some_and(|whose| whose.starts_with(&place)));

    let found = one.explore(async |n: Nursery<Infallible>| {
        n.task("outer").go(async {
            let inner = nursery().name("inner").run(async |n: Nursery<Infallible>| {
                n.task("one of it").go(async { panic!("oh") });
                Ok(())
            });
            drop(inner.await);
        });
        Ok(())
    });
    // The nursery inside resumes it in the task that opened it.
    assert_eq!(whose(&found).as_deref(), Some("task `outer`"));
}

#[test]
fn y13_a_deadlock_calls_each_child_by_its_name_or_place() {
    let line = line!() + 3;
    let found = Simulator::new().explore(async |n: Nursery<Infallible>| {
        n.task("reader").go(pending());
        n.go(pending());
        Ok(())
    });
    let shown = found.to_string();
    let lines: Vec<_> = shown.lines().skip(2).take(4).collect();
    let said = "deadlock after 3 steps, at 0ns: no task is runnable, no timer is set, and the root \
                is not done";
    let unnamed = format!("  task 2 (spawned at {}:{line}:11) waits", file!());
    assert_eq!(
        lines[..3],
        [
            said,
            "  task 0 (the root) waits, 1 poll",
            "  task 1 (`reader`) waits, 1 poll, spawned by 0 at step 1"
        ]
    );
    assert_eq!(lines[3], format!("{unnamed}, 1 poll, spawned by 0 at step 1"));
    let last = shown.lines().last();
    assert_eq!(last, Some("replay: sim1 (no choice: it fails first come, first served)"));
}

/// `check` and `unwrap` have panicked if a schedule failed: nothing must be used.
#[test]
#[deny(unused_must_use)]
fn y12_a_check_is_a_statement() {
    Simulator::new().check(async |_: Nursery<Infallible>| Ok(()));
    Simulator::new().explore(async |_: Nursery<Infallible>| Ok(())).unwrap();
    sim::inject(|| (async |_: Nursery<Infallible>| Ok(()), || ())).unwrap();
}

/// How one run of a program goes, by how many there were before.
fn explore(body: impl Fn(usize) -> Option<usize>) -> Explored {
    let runs = AtomicUsize::new(0);
    Simulator::new().explore(async |_n: Nursery<Infallible>| {
        let yields = body(runs.fetch_add(1, Ordering::Relaxed));
        for _ in 0..yields.unwrap_or(0) {
            yield_now().await;
        }
        assert!(yields.is_none(), "it fails");
        Ok(())
    })
}

#[test]
fn y14_a_failure_that_does_not_come_again_is_not_deterministic() {
    let found = explore(|run| (run == 0).then_some(3));
    let failure = found.failure().unwrap();
    assert!(!failure.is_deterministic());
    let text = found.to_string();
    assert!(text.contains("not deterministic: a second run with the same decisions did not fail. Look for `select!` without `biased;`"), "{text}");
    assert!(text.contains("how it failed:") && text.contains("replay: sim1"), "{text}");
}

#[test]
fn y14_a_failure_at_another_step_is_not_deterministic() {
    let found = explore(|run| Some(3 + run));
    let text = found.failure().unwrap().to_string();
    assert!(
        text.starts_with("not deterministic: a second run with the same decisions failed after "),
        "{text}"
    );
    assert!(!found.original().unwrap().to_string().contains("not deterministic"));
}

#[test]
fn y14_a_program_that_does_the_same_is_deterministic() {
    let found = explore(|_| Some(3));
    assert!(found.failure().unwrap().is_deterministic());
    assert!(found.to_string().contains("the shortest that fails:"), "{found}");
    let faults = Faults { threads: 2, spurious_wakes: true, ..Faults::default() };
    let many = Simulator::new().seed(5).faults(faults).explore(three_in_order);
    assert!(many.failure().is_some_and(|failure| failure.is_deterministic()), "{many}");
}
