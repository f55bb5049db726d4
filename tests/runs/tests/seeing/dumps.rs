//! The dump: what it says, and where it may be taken.

use allhome::see::{self, Dump};
use allhome::{Nursery, Semaphore, ThreadScope, nursery, sleep};
use allhome_runs::{Opened, Stepped, world};
use std::convert::Infallible;
use std::future::pending;
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

type Never = Nursery<Infallible>;

/// Returns the dump of one root's tree: tests run in parallel.
fn dump_of(name: &str) -> Dump {
    let mut trees = see::dump().trees().to_vec();
    trees.retain(|tree| tree.root().name.as_deref() == Some(name));
    Dump::of(trees)
}

/// Returns the text with `N`, `M` for the ids of the nurseries, and `L` for each place.
fn text(dump: &Dump) -> String {
    let mut text = dump.to_string();
    let nurseries = dump.trees().iter().flat_map(|tree| tree.nurseries());
    for (nursery, letter) in nurseries.zip(["N", "M"]) {
        text = text.replace(&format!("nursery {}", nursery.id), &format!("nursery {letter}"));
        for task in &nursery.tasks {
            let id = format!("{letter}.{}", task.id.number());
            for end in [" ", ",", "\n", ";"] {
                text = text.replace(&format!(" {}{end}", task.id), &format!(" {id}{end}"));
            }
            text = text.replace(&task.location.to_string(), "L");
        }
        text = text.replace(&nursery.location.to_string(), "L");
    }
    text
}

#[test]
#[cfg(target_pointer_width = "64")]
fn u21_findings_then_lots_then_nurseries() {
    let (stepped, _, runtime) = world();
    let mut opened = Opened::new(nursery().name("u21").on(&runtime));
    let n = opened.n.clone();
    let db = Arc::new(Semaphore::new(1).named("db"));
    let held = db.try_acquire().unwrap();
    n.task("clock").go(sleep(Duration::from_secs(60)));
    for number in 0..1_200 {
        let db = db.clone();
        n.task(format!("query {number}")).go(async move { drop(db.acquire().await) });
    }
    n.task("evil\n2 waiting for nothing").go(pending());
    let child = n.task("joined").fork(pending::<Result<(), _>>());
    n.task("joins").go(async move { drop(child.await) });
    n.task("opens").go(async {
        let run = nursery().name("inside").run(async |n: Never| {
            see::note("PUT /\t");
            n.task("reads").go(see::waiting_on("socket", sleep(Duration::from_secs(1))));
            Ok(())
        });
        drop(run.await);
    });
    stepped.run_until_stalled();
    n.task("new").go(pending());
    let expected = "\
1,207 tasks in 2 nurseries, 2 findings

! 2 tasks wait, with no waker left: only a cancel ends them
    task N.1202 `evil\\n2 waiting for nothing`, spawned at L
    task N.1203 `joined`, spawned at L

! 1 task waits for those alone, so only a cancel ends it
    task N.1204 `joins` waiting for task N.1203, spawned at L

1,200 waiting for a permit of `db`
    1,200 spawned at L, the first: task N.2 `query 0`

    2 waiting, with no waker left
    task N.1202 `evil\\n2 waiting for nothing`, spawned at L
    task N.1203 `joined`, spawned at L

    1 queued for a first poll
    task N.1206 `new`, spawned at L

    1 waiting for `socket`
    task M.1 `reads` waiting for `socket`, spawned at L

    1 waiting for a child
    task N.1204 `joins` waiting for task N.1203, spawned at L

    1 waiting for a nursery
    task N.1205 `opens` waiting for nursery M, spawned at L

    1 waiting for a sleep of 60.0 s
    task N.1 `clock` waiting for a sleep of 60.0 s, spawned at L

nursery N `u21`, at L: 1,206 tasks
  nursery M `inside`, at L: 1 task

no ages are known: keep an `allhome::see::clock()` from the start

no stacks are known: set ALLHOME_STACKS=1, or call `allhome::see::stacks::arm`
";
    let dump = dump_of("u21");
    assert_eq!((dump.tasks(), dump.unreachable().count(), dump.rings().count()), (1_207, 2, 0));
    assert_eq!(text(&dump), expected, "\n{}", text(&dump));
    drop(held);
    n.abort();
    assert!(opened.finish().is_ready());
    assert_eq!(dump_of("u21").to_string(), "no tasks in no nurseries, no findings\n");
}

#[test]
fn u22_a_dump_inside_a_poll_and_in_its_destructor() {
    struct Dumps(Arc<Mutex<Vec<usize>>>);
    impl Drop for Dumps {
        fn drop(&mut self) {
            self.0.lock().unwrap().push(dump_of("u22 inside").tasks());
        }
    }
    let stepped = Stepped::new(1);
    let mut opened = Opened::new(nursery().name("u22 inside").on(stepped.runtime()));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let dumps = Dumps(seen.clone());
    opened.n.go(async move {
        let dump = dump_of("u22 inside");
        assert!(dump.to_string().contains("1 being polled"), "{dump}");
        dumps.0.lock().unwrap().push(dump.tasks());
        pending::<()>().await;
        drop(dumps);
    });
    stepped.run_until_stalled();
    opened.n.abort();
    assert_eq!(*seen.lock().unwrap(), [1, 1]);
    assert!(opened.finish().is_ready());
}

#[test]
fn u22_a_dump_in_a_panic_hook() {
    let seen = Arc::new(Mutex::new(None));
    let sees = seen.clone();
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |_| {
        let dump = dump_of("u22 panic");
        if dump.tasks() > 0 {
            *sees.lock().unwrap() = Some(dump.to_string());
        }
    }));
    let stepped = Stepped::new(1);
    let mut opened = Opened::new(nursery().name("u22 panic").on(stepped.runtime()));
    opened.n.task("bad").go(async { panic!("a bug") });
    stepped.run_until_stalled();
    let ended = panic::catch_unwind(panic::AssertUnwindSafe(|| drop(opened.finish())));
    panic::set_hook(before);
    assert!(ended.is_err(), "the panic goes on in `run`");
    let text = seen.lock().unwrap().take().expect("the hook was called in the poll");
    assert!(text.contains("1 being polled") && text.contains("`bad`"), "{text}");
}

#[test]
fn u22_a_dump_beside_a_thread_that_is_stuck_in_a_poll() {
    let (stop, stopped) = mpsc::channel::<()>();
    let stuck = AtomicBool::new(false);
    let stopped = Mutex::new(stopped);
    let run = nursery().name("u22 stuck").thread_scope().threads(2);
    let run = run.run(async |s: ThreadScope<'_, Infallible>| {
        let (stuck, stopped) = (&stuck, &stopped);
        s.task("stuck").go(async move {
            stuck.store(true, Ordering::SeqCst);
            let _stopped = stopped.lock().unwrap().recv();
        });
        while !stuck.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        let text = dump_of("u22 stuck").to_string();
        drop(stop);
        Ok(text)
    });
    let text = run.unwrap();
    assert!(text.contains("1 being polled\n    task ") && text.contains("`stuck`"), "{text}");
}
