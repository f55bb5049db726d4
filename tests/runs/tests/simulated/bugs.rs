//! Clauses Y: bugs that the simulator finds, and what it does about them. The first is the one that
//! small semaphores have: a waiter that was woken, and is dropped before its turn, keeps the wake.

mod faults;
mod inject;
mod reports;

use allhome::sim::{Explored, FailureKind};
use allhome::{Nursery, Semaphore, Simulator, yield_now};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

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
        Simulator::new().check(async |n| three_take_turns(n, Small::default()).await);
        return;
    }
    let run = |schedule: Option<&str>| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "bugs::y08_environment_replays", "--nocapture"]).env(WHO, "1");
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
