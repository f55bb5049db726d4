//! Clauses Y: bugs that the simulator finds, and what it does about them. The first is the one that
//! small semaphores have: a waiter that was woken, and is dropped before its turn, keeps the wake.

use allhome::sim::{Explored, FailureKind, Faults};
use allhome::{Nursery, Semaphore, Simulator, sim, sleep, yield_now};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{Future, pending};
use std::pin::Pin;
use std::process::Command;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::thread::{self, ThreadId};
use std::time::Duration;

/// A small semaphore of one permit.
#[derive(Clone, Default)]
struct Small {
    state: Arc<Mutex<State>>,
    /// It hands the wake of a waiter that is dropped on to the next.
    sound: bool,
}

#[derive(Default)]
struct State {
    taken: bool,
    waiting: VecDeque<(u64, Waker)>,
    last: u64,
}

impl Small {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn acquire(&self) -> Acquire {
        Acquire { of: self.clone(), number: None }
    }

    fn release(&self) {
        self.lock().taken = false;
        self.wake_next();
    }

    fn guard(&self) -> Guard {
        Guard(self.clone())
    }

    fn wake_next(&self) {
        let next = self.lock().waiting.pop_front();
        if let Some((_, waker)) = next {
            waker.wake();
        }
    }
}

/// Gives the permit back.
struct Guard(Small);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.release();
    }
}

struct Acquire {
    of: Small,
    number: Option<u64>,
}

impl Future for Acquire {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let of = self.of.clone();
        let mut state = of.lock();
        if let Some(number) = self.number {
            state.waiting.retain(|(other, _)| *other != number);
        }
        if !state.taken {
            state.taken = true;
            self.number = None;
            return Poll::Ready(());
        }
        state.last += 1;
        let number = state.last;
        state.waiting.push_back((number, cx.waker().clone()));
        self.number = Some(number);
        Poll::Pending
    }
}

impl Drop for Acquire {
    fn drop(&mut self) {
        let Some(number) = self.number else { return };
        let mut state = self.of.lock();
        let before = state.waiting.len();
        state.waiting.retain(|(other, _)| *other != number);
        let woken = state.waiting.len() == before;
        let free = !state.taken;
        drop(state);
        if self.of.sound && woken && free {
            self.of.wake_next();
        }
    }
}

/// Three take turns, and one that waits for its turn is aborted at some time.
async fn three_take_turns(n: Nursery<Infallible>, limit: Small) -> Result<(), Infallible> {
    let children: Vec<_> = (0..3)
        .map(|_| {
            let limit = limit.clone();
            n.fork(async move {
                limit.acquire().await;
                let _guard = limit.guard();
                yield_now().await;
                Ok(())
            })
        })
        .collect();
    yield_now().await;
    children[1].abort();
    Ok(())
}

fn explore(simulator: &Simulator, sound: bool) -> Explored {
    simulator.explore(async |n| three_take_turns(n, Small { sound, ..Small::default() }).await)
}

#[test]
fn y08_planted_bug_is_found_shortened_and_replayed() {
    for simulator in
        [Simulator::new().seed(7), Simulator::new().pct(2).seed(7), Simulator::new().exhaustive()]
    {
        let found = explore(&simulator, false);
        let failure = found.failure().expect("the bug is found");
        println!("{found}");
        assert!(found.schedules() < 1_000, "after {} schedules", found.schedules());
        assert_eq!(failure.kind(), FailureKind::Deadlock);
        let original = found.original().unwrap();
        assert!(failure.choices().len() <= original.choices().len());
        assert!((1..=2).contains(&failure.choices().len()), "{failure}");

        let text = failure.choices().to_string();
        assert!(found.to_string().contains(&format!("replay: {text}")), "{found}");
        let again = explore(&Simulator::new().replay(text.parse().unwrap()), false);
        let again = again.failure().expect("it fails again");
        assert_eq!((again.kind(), again.steps()), (failure.kind(), failure.steps()));
        assert_eq!(again.choices(), failure.choices());
        assert_eq!(again.tasks(), failure.tasks());
    }
}

#[test]
fn y08_seed_of_the_failure_fails_again() {
    let found = explore(&Simulator::new().seed(7), false);
    let original = found.original().unwrap();
    let again = explore(&Simulator::new().seed(original.seed().unwrap()).schedules(1), false);
    assert_eq!(again.original().unwrap().choices(), original.choices());
}

#[test]
fn y08_sound_semaphore_has_no_such_bug() {
    assert!(explore(&Simulator::new().exhaustive(), true).unwrap().is_complete());
}

#[test]
fn y08_check_panics_with_the_replay() {
    let check = || {
        let simulator = Simulator::new().exhaustive();
        simulator.check(async |n| three_take_turns(n, Small::default()).await)
    };
    let payload = std::panic::catch_unwind(|| drop(check())).unwrap_err();
    let message = payload.downcast_ref::<String>().unwrap();
    assert!(message.contains("deadlock") && message.contains("replay: sim1/"), "{message}");
}

#[test]
fn y08_environment_replays() {
    const WHO: &str = "Y08_IN_A_PROCESS_OF_ITS_OWN";
    if std::env::var_os(WHO).is_some() {
        // First come, first served, it goes well.
        let _ = Simulator::new().check(async |n| three_take_turns(n, Small::default()).await);
        return;
    }
    let run = |schedule: Option<&str>| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "y08_environment_replays", "--nocapture"]).env(WHO, "1");
        if let Some(schedule) = schedule {
            command.env("ALLHOME_REPLAY", schedule);
        }
        let output = command.output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert!(run(None).0);
    let (well, said) = run(Some("sim1/3=1"));
    assert!(!well && said.contains("deadlock") && said.contains("replay: sim1/3=1"), "{said}");
    let (well, said) = run(Some("3=1"));
    assert!(!well && said.contains("ALLHOME_REPLAY: not a schedule"), "{said}");
}

#[test]
fn y08_panic_of_the_program_is_replayed() {
    let program = async |n: Nursery<Infallible>| {
        let log: Arc<Mutex<Vec<u32>>> = Arc::default();
        for number in 0..3 {
            let log = log.clone();
            n.spawn(async move {
                log.lock().unwrap().push(number);
                assert_ne!(*log.lock().unwrap(), [2, 0, 1], "that order");
                Ok(())
            });
        }
        Ok(())
    };
    let found = Simulator::new().exhaustive().explore(program);
    let failure = found.failure().unwrap();
    assert_eq!(failure.kind(), FailureKind::Panic);
    assert!(failure.message().contains("that order"));
    let again = Simulator::new().replay(failure.choices().clone()).explore(program);
    assert_eq!(again.failure().unwrap().message(), failure.message());
}

#[test]
fn y04_four_tasks_and_a_semaphore_in_every_order() {
    let most = Arc::new(AtomicUsize::new(0));
    let found = Simulator::new().exhaustive().check(async |n: Nursery<Infallible>| {
        let (limit, now) = (Arc::new(Semaphore::new(2)), Arc::new(AtomicUsize::new(0)));
        for _ in 0..4 {
            let (limit, now, most) = (limit.clone(), now.clone(), most.clone());
            n.spawn(async move {
                let _permit = limit.acquire().await;
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                yield_now().await;
                now.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            });
        }
        Ok(())
    });
    println!("{found}");
    assert!(found.is_complete());
    assert_eq!(most.load(Ordering::SeqCst), 2);
}

// ---- faults

async fn waits_for_two(n: Nursery<allhome::Unsupported>) -> Result<u32, allhome::Unsupported> {
    let polls = Arc::new(AtomicU32::new(0));
    let count = polls.clone();
    let waits = n.fork(async move {
        let mut inner = std::pin::pin!(sleep(Duration::from_secs(9)));
        std::future::poll_fn(|cx| {
            count.fetch_add(1, Ordering::SeqCst);
            inner.as_mut().poll(cx)
        })
        .await
    });
    for _ in 0..200 {
        yield_now().await;
    }
    let _ = waits.join().await;
    Ok(polls.load(Ordering::SeqCst))
}

#[test]
fn y10_spurious_wakes_are_polls_that_nobody_asked_for() {
    assert_eq!(Simulator::new().seed(7).run(waits_for_two).unwrap(), 2);
    for foreign_wakes in [false, true] {
        let faults = Faults { spurious_wakes: true, foreign_wakes, ..Faults::default() };
        assert!(Simulator::new().seed(7).faults(faults).run(waits_for_two).unwrap() > 2);
    }
}

#[test]
fn y10_wakes_come_from_another_thread() {
    /// Notes who wakes it.
    struct Notes(Mutex<Option<ThreadId>>, Waker);
    impl std::task::Wake for Notes {
        fn wake(self: Arc<Self>) {
            *self.0.lock().unwrap() = Some(thread::current().id());
            self.1.wake_by_ref();
        }
    }
    for foreign_wakes in [false, true] {
        let faults = Faults { foreign_wakes, ..Faults::default() };
        let run = Simulator::new().faults(faults).run(async |_: Nursery<allhome::Unsupported>| {
            let mut sleep = std::pin::pin!(sleep(Duration::from_secs(1)));
            let mut notes: Option<Arc<Notes>> = None;
            std::future::poll_fn(|cx| {
                let notes = notes
                    .get_or_insert_with(|| Arc::new(Notes(Mutex::new(None), cx.waker().clone())));
                let waker = Waker::from(notes.clone());
                sleep.as_mut().poll(&mut Context::from_waker(&waker))
            })
            .await?;
            let woken_by = notes.and_then(|notes| *notes.0.lock().unwrap());
            Ok(woken_by != Some(thread::current().id()))
        });
        assert_eq!(run.unwrap(), foreign_wakes);
    }
}

#[test]
fn y10_tasks_are_polled_on_different_threads() {
    for (threads, expected) in [(0, 1), (3, 3)] {
        let faults = Faults { threads, ..Faults::default() };
        let run = Simulator::new().faults(faults).run(async |n: Nursery<Infallible>| {
            let home = thread::current().id();
            let child = n.fork(async move {
                let mut seen = Vec::new();
                for _ in 0..10 {
                    seen.push(format!("{:?}", thread::current().id()));
                    yield_now().await;
                }
                seen.sort();
                seen.dedup();
                Ok((seen.len(), seen.contains(&format!("{home:?}"))))
            });
            Ok(child.join().await.unwrap())
        });
        assert_eq!(run.unwrap(), (expected, threads == 0));
    }
}

#[test]
fn y10_runtime_is_shut_down_at_a_step() {
    let whole = Simulator::new().record(waits_for_two).steps;
    let mut lost = 0;
    for step in 0..whole {
        let faults = Faults { shutdown_at: Some(step), ..Faults::default() };
        let run = Simulator::new().faults(faults).record(async |n: Nursery<Infallible>| {
            n.spawn(async {
                for _ in 0..10 {
                    yield_now().await;
                }
                Ok(())
            });
            n.spawn(async {
                yield_now().await;
                Ok(())
            });
            Ok(())
        });
        // Whatever is lost, nobody hangs.
        let ended = run.result.expect("the nursery ends");
        lost += u32::from(ended.is_err());
    }
    assert!(lost > 5, "{lost}");
}

// ---- injection

#[test]
fn y11_every_await_point_is_struck_by_each() {
    let ends: Arc<Mutex<Vec<String>>> = Arc::default();
    let report = sim::inject(|| {
        let ends = ends.clone();
        let body = async move |n: Nursery<Infallible>| {
            let child = n.fork(async {
                yield_now().await;
                Ok(())
            });
            let outcome = child.join().await;
            let what = match &outcome {
                Ok(()) => "ok",
                Err(error) if error.panic().is_some() => "panic",
                Err(error) if error.reason().is_some() => "cancelled",
                Err(_) => "lost",
            };
            ends.lock().unwrap().push(what.to_owned());
            Ok(())
        };
        (body, || {})
    });
    let report = report.unwrap();
    // The body's join, and the child's turn.
    assert_eq!((report.points(), report.runs()), (2, 1 + 2 * 3 + 1));
    assert_eq!((report.cancels(), report.drops(), report.panics(), report.losses()), (2, 2, 2, 1));
    let ends = ends.lock().unwrap();
    for what in ["ok", "panic", "cancelled", "lost"] {
        assert!(ends.iter().any(|end| end == what), "no {what} in {ends:?}");
    }
}

/// A finalizer is in the middle of its work when the nursery is cancelled, and when the program is
/// dropped; it is done either way.
#[test]
fn y11_finalizers_are_struck_by_what_they_must_outlast() {
    let report = sim::inject(|| {
        let tidied = Arc::new(AtomicUsize::new(0));
        let own = tidied.clone();
        let body = async move |n: Nursery<Infallible>| {
            let tidy = async move {
                yield_now().await;
                yield_now().await;
                own.fetch_add(1, Ordering::SeqCst);
                Ok::<_, Infallible>(())
            };
            n.defer(Duration::MAX, tidy).expect("it is open");
            Ok(())
        };
        (body, move || assert_eq!(tidied.load(Ordering::SeqCst), 1, "it is done once"))
    });
    let report = report.unwrap();
    assert_eq!((report.points(), report.runs()), (2, 1 + 2 * 2));
    assert_eq!((report.cancels(), report.drops(), report.panics(), report.losses()), (2, 2, 0, 0));
}

#[test]
fn y11_permit_that_is_kept_is_found() {
    let report = sim::inject(|| {
        let limit = Small { sound: true, ..Small::default() };
        let own = limit.clone();
        let body = async move |n: Nursery<Infallible>| {
            // It has no guard: whoever is ended between the two keeps the permit.
            n.spawn(async move {
                own.acquire().await;
                yield_now().await;
                own.release();
                Ok(())
            });
            Ok(())
        };
        (body, move || assert!(!limit.lock().taken, "the permit is back"))
    });
    // The child's turn, struck by each of four; a cancel leaves it one more poll, in which it
    // comes to its end.
    assert_eq!((report.points(), report.failed()), (1, 3));
    assert!(report.failures()[0].contains("the permit is back"), "{report}");
    assert!(std::panic::catch_unwind(|| drop(report.unwrap())).is_err());
}

#[test]
fn y11_hang_and_leftovers_are_found() {
    let report = sim::inject(|| {
        let body = async |n: Nursery<Infallible>| {
            let (runtime, turns) = (n.runtime().clone(), n.clone());
            // A task of the runtime, in no nursery, that ends when it is told to.
            let told = Arc::new(Mutex::new(false));
            let tell = told.clone();
            runtime.spawn(allhome_rt::Task::from_future(async move {
                std::future::poll_fn(|_| match *told.lock().unwrap() {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                })
                .await;
            }));
            *tell.lock().unwrap() = true;
            turns.spawn(async {
                yield_now().await;
                Ok(())
            });
            Ok(())
        };
        (body, || {})
    });
    assert_eq!(report.unwrap().failed(), 0);
    let report = sim::inject(|| {
        let body = async |n: Nursery<Infallible>| {
            n.runtime().spawn(allhome_rt::Task::from_future(pending()));
            Ok(())
        };
        (body, || {})
    });
    assert_eq!(report.failed(), 1);
    assert!(report.failures()[0].contains("1 tasks and 0 sleeps are left"), "{report}");
}
