//! Why a task waits, and since when.

use allhome::limit::{Rate, RateLimiter};
use allhome::see::{self, Age, Tree, Wait, WaitOn};
use allhome::task::TaskState;
use allhome::{
    CancelToken, Child, Nursery, Semaphore, Simulator, cancelled, draining, join_all, nursery,
    sleep,
};
use allhome_runs::{Clock, Opened, Stepped, Wakes, poll_once, world};
use futures_util::future::{Either, select};
use std::convert::Infallible;
use std::future::{Future, pending};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

type Never = Nursery<Infallible>;

const SECOND: Duration = Duration::from_secs(1);

/// What a tree says that the task with this name waits for.
fn waits(tree: &Tree, name: &str) -> Option<Wait> {
    let mut tasks = tree.nurseries().iter().flat_map(|nursery| &nursery.tasks);
    let task = tasks.find(|task| task.name.as_deref() == Some(name));
    let task = task.unwrap_or_else(|| panic!("no `{name}` in\n{tree}"));
    assert_eq!(task.state, TaskState::Waiting);
    task.waits.clone()
}

fn text(tree: &Tree, name: &str) -> String {
    waits(tree, name).map_or_else(String::new, |wait| wait.to_string())
}

/// Spawns a child for each kind of await of ours.
fn one_of_each(n: &Never, runtime: &allhome_rt::Runtime) {
    let db = Arc::new(Semaphore::new(1).named("db"));
    let holder = db.clone();
    n.task("holder").go(async move {
        let _held = holder.acquire().await;
        pending().await
    });
    let rate = Rate::per_second(1);
    let calls = Arc::new(RateLimiter::new(runtime, rate, 1).named("calls"));
    let token = CancelToken::new();
    let idle = n.task("idle").fork(pending::<Result<(), _>>());
    let (semaphore, limiter, waited) = (db.clone(), calls.clone(), token.clone());
    n.task("join").go(async move { drop(idle.await) });
    n.task("permit").go(async move { drop(semaphore.acquire().await) });
    n.task("owned permit").go(async move { drop(db.acquire_owned().await) });
    n.task("rate").go(async move {
        drop(limiter.acquire().await);
        drop(limiter.acquire().await);
    });
    n.task("sleep").go(sleep(90 * SECOND));
    n.task("token").go(async move { drop(waited.cancelled().await) });
    n.task("own cancel").go(async { drop(cancelled().await) });
    n.task("drain").go(async {
        let _ = draining().await;
    });
    n.task("named").go(see::waiting_on("redis GET", pending()));
    n.task("named around").go(see::waiting_on("page", sleep(SECOND)));
    n.task("foreign").go(pending());
    let (one, two) = (n.clone(), n.clone());
    n.task("join all").go(async move {
        let children: Vec<_> = (0..3).map(|_| one.fork(pending::<Result<(), _>>())).collect();
        drop(join_all(children).await);
    });
    n.task("race").go(async move {
        let children: Vec<_> = (0..2).map(|_| two.fork(pending::<Result<(), _>>())).collect();
        drop(allhome::join::race(children).deadline(60 * SECOND).await);
    });
    n.task("nursery").go(async {
        let run = nursery().name("inside").run(async |n: Never| {
            n.task("below").go(pending());
            Ok(())
        });
        drop(run.await);
    });
    n.task("select").go(async {
        let (rest, token) = (pin!(sleep(5 * SECOND)), CancelToken::new());
        match select(rest, pin!(token.cancelled())).await {
            Either::Left(_) | Either::Right(_) => {}
        }
    });
}

const EXPECTED: [(&str, &str); 13] = [
    ("join", "for task N.2"),
    ("permit", "for a permit of `db`"),
    ("owned permit", "for a permit of `db`"),
    ("rate", "for a rate limit of `calls`"),
    ("sleep", "for a sleep of 90.0 s"),
    ("token", "for a cancel token"),
    ("own cancel", "for its own cancel"),
    ("drain", "for a drain"),
    ("named", "for `redis GET`"),
    ("named around", "for `page`"),
    ("foreign", ""),
    ("join all", "for 3 children"),
    ("race", "for 2 children"),
];

fn check(tree: &Tree) {
    let root = tree.root().id;
    for (name, expected) in EXPECTED {
        assert_eq!(text(tree, name), expected.replace('N', &root.to_string()), "{name}");
    }
    let inside = tree.nurseries()[1].id;
    assert_eq!(text(tree, "nursery"), format!("for nursery {inside}"));
    assert_eq!(text(tree, "select"), "for a cancel token, among others");
}

#[cfg(target_pointer_width = "64")]
#[test]
fn u12_each_await_of_ours_says_what_it_waits_for() {
    let (stepped, _, runtime) = world();
    let mut opened = Opened::new(nursery().on(&runtime));
    one_of_each(&opened.n, &runtime);
    stepped.run_until_stalled();
    check(&opened.n.tree());
    opened.n.abort();
    assert!(opened.finish().is_ready());
}

/// There every child has a task of the runtime for its own.
#[cfg(target_pointer_width = "64")]
#[test]
fn u12_bound_children_say_it_too() {
    let simulator = Simulator::new();
    let simulation = simulator.start();
    let runtime = allhome_rt::IntoRuntime::into_runtime(simulation.handle()).unwrap();
    drop(simulation);
    let tree = simulator.run(async |n: Never| {
        one_of_each(&n, &runtime);
        sleep(SECOND / 2).await;
        let tree = n.tree();
        n.abort();
        Ok(tree)
    });
    check(&tree.unwrap());
}

#[cfg(target_pointer_width = "64")]
#[test]
fn u12_a_slot_a_reservation_and_an_idle_nursery() {
    let stepped = Stepped::new(1);
    let mut opened = Opened::new(nursery().on(stepped.runtime()).limit(1));
    let (n, wakes) = (opened.n.clone(), Wakes::new());
    n.task("first").go(pending());
    n.task("second").go(pending());
    stepped.run_until_stalled();
    assert_eq!(text(&n.tree(), "second"), "for a slot");
    let asks = n.clone();
    let mut other = Opened::new(nursery().on(stepped.runtime()));
    other.n.task("reserves").go(async move { drop(asks.reserve().await) });
    stepped.run_until_stalled();
    assert_eq!(text(&other.n.tree(), "reserves"), "for a slot");
    other.n.abort();
    assert!(other.finish().is_ready());
    n.abort();
    assert!(opened.finish().is_ready());
    let _ = wakes;
}

/// What was waited for in a poll before does not show.
#[cfg(target_pointer_width = "64")]
#[test]
fn u12_only_the_last_poll_counts() {
    let (stepped, clock, runtime) = world();
    let mut opened = Opened::new(nursery().on(&runtime));
    opened.n.task("one").go(async {
        sleep(SECOND).await;
        pending().await
    });
    stepped.run_until_stalled();
    assert_eq!(text(&opened.n.tree(), "one"), "for a sleep of 1.0 s");
    clock.advance(SECOND);
    stepped.run_until_stalled();
    assert_eq!(waits(&opened.n.tree(), "one"), None);
    opened.n.abort();
    assert!(opened.finish().is_ready());
}

#[cfg(target_pointer_width = "64")]
#[test]
fn u13_the_body_says_what_it_waits_for() {
    let stepped = Stepped::new(1);
    let wakes = Wakes::new();
    let n = Arc::new(std::sync::Mutex::new(None));
    let keep = n.clone();
    let mut run = Box::pin(nursery().on(stepped.runtime()).run(async move |n: Never| {
        see::note("boot");
        let child: Child<(), _> = n.task("first").fork(pending());
        *keep.lock().unwrap() = Some(n.clone());
        assert!(n.tree().root().body.as_ref().is_some_and(|body| body.running));
        drop(child.await);
        Ok(())
    }));
    assert!(poll_once(&mut run, &wakes).is_pending());
    let n = n.lock().unwrap().take().expect("the body was called");
    let tree = n.tree();
    let body = tree.root().body.as_ref().expect("it is there");
    assert!(!body.running);
    assert_eq!(body.note.as_deref(), Some("boot"));
    assert_eq!(
        body.waits.as_ref().map(|wait| &wait.on),
        Some(&WaitOn::Child(Some(tree.root().tasks[0].id)))
    );
    n.abort();
    stepped.run_until_stalled();
    assert!(poll_once(&mut run, &wakes).is_ready());
    assert!(n.tree().root().body.is_none());
}

#[test]
fn u14_ages_by_the_virtual_clock() {
    let simulator = Simulator::new();
    let tree = simulator.run(async |n: Never| {
        sleep(SECOND).await;
        n.task("polled").go(async {
            sleep(2 * SECOND).await;
            pending().await
        });
        sleep(10 * SECOND).await;
        let tree = n.tree();
        n.abort();
        Ok(tree)
    });
    let tree = tree.unwrap();
    let task = &tree.root().tasks[0];
    let exact = |age: Option<Age>| age.filter(|age| age.is_exact()).map(Age::time);
    assert_eq!(exact(task.age), Some(10 * SECOND));
    assert_eq!(exact(task.since_poll), Some(8 * SECOND));
    assert_eq!(exact(tree.root().age), Some(11 * SECOND));
    let text = tree.to_string();
    assert!(text.contains("2 polls, the last 8.0 s ago, spawned 10.0 s ago, at "), "{text}");
    assert!(text.contains("opened 11.0 s ago, at "), "{text}");
}

/// The clock of the process belongs to all tests: so one test for all that is about it.
#[test]
fn u15_ages_are_known_while_a_clock_is_kept() {
    let stepped = Stepped::new(1);
    let mut opened = Opened::new(nursery().on(stepped.runtime()));
    let n = opened.n.clone();
    let ages = |at: usize| {
        let tree = n.tree();
        let task = &tree.root().tasks[at];
        (task.age, task.since_poll)
    };
    n.task("before").go(pending());
    stepped.run_until_stalled();
    assert_eq!(ages(0), (None, None), "no clock is kept");
    let (clock, second) = (see::clock(), see::clock());
    n.task("with").go(pending());
    stepped.run_until_stalled();
    let exact = |age: Option<Age>| age.map(Age::is_exact);
    let both = |at| (exact(ages(at).0), exact(ages(at).1));
    assert_eq!(both(0), (Some(false), Some(false)), "it is at least as old as the clock");
    assert_eq!(both(1), (Some(true), Some(true)));
    drop(clock);
    assert_eq!(both(0), (Some(false), Some(false)), "another one is kept");
    drop(second);
    n.task("after").go(pending());
    stepped.run_until_stalled();
    assert_eq!(ages(0), (None, None));
    assert_eq!(both(1), (Some(true), Some(true)), "what was noted stays right");
    assert_eq!(ages(2), (None, None), "and is no one's after it");
    n.abort();
    assert!(opened.finish().is_ready());
}

#[test]
fn u16_a_note_is_shown_until_it_is_replaced_and_goes_with_the_task() {
    let (stepped, clock, runtime) = world();
    let mut opened = Opened::new(nursery().on(&runtime));
    opened.n.task("connection").go(async {
        for note in ["GET /", "GET /a\nb\u{1b}[31m", ""] {
            see::note(note);
            sleep(SECOND).await;
        }
    });
    let note = |clock: &Clock| {
        stepped.run_until_stalled();
        let tree = opened.n.tree();
        clock.advance(SECOND);
        (tree.root().tasks[0].note.clone(), tree.to_string())
    };
    let (first, text) = note(&clock);
    assert_eq!(first.as_deref(), Some("GET /"));
    assert!(text.contains("`connection` \"GET /\" waiting"), "{text}");
    let (second, text) = note(&clock);
    assert_eq!(second.as_deref(), Some("GET /a\nb\u{1b}[31m"));
    assert!(text.contains("\"GET /a\\nb\\u{1b}[31m\" waiting"), "{text}");
    assert_eq!(text.lines().count(), 2);
    assert_eq!(note(&clock).0, None);
    stepped.run_until_stalled();
    assert!(opened.n.is_empty());
    see::note("nowhere");
    assert!(opened.finish().is_ready());
}

/// The last poll alone: a poll that is dropped, or ready, leaves no name.
#[cfg(target_pointer_width = "64")]
#[test]
fn u12_a_future_that_is_ready_leaves_nothing() {
    let stepped = Stepped::new(1);
    let mut opened = Opened::new(nursery().on(stepped.runtime()));
    opened.n.task("one").go(async {
        see::waiting_on("ready", async {}).await;
        let inside = nursery().run(async |_: Never| Ok(()));
        drop(inside.await);
        pending().await
    });
    stepped.run_until_stalled();
    assert_eq!(waits(&opened.n.tree(), "one"), None);
    opened.n.abort();
    assert!(opened.finish().is_ready());
    fn _is_send(future: impl Future + Send) -> impl Future + Send {
        see::waiting_on("a future", future)
    }
}
