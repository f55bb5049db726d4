//! A candidate that is not what it declares, in the way that `IMPOSTOR` names: what
//! `tests/reports.rs` examines. It is a program of its own because the suite runs its program again
//! for each rule.

#![forbid(unsafe_code)]

use allhome::block_on;
use allhome::runtime::{IntoRuntime, Runtime, ThreadPool};
use allhome_conformance::{Candidate, Capabilities, Host, Root};
use allhome_rt::{BoxSleep, Job, Spawn, SpawnBlocking, Task, Timer};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

struct Drops;

impl Spawn for Drops {
    fn spawn(&self, task: Task) {
        drop(task);
    }
}

struct Impostor {
    pool: ThreadPool,
    way: String,
    started: Instant,
}

/// A clock that never goes on.
struct Stopped(Instant);

impl Timer for Stopped {
    fn now(&self) -> Instant {
        self.0
    }

    fn sleep_until(&self, _: Instant) -> BoxSleep {
        Box::pin(std::future::pending())
    }
}

/// Calls jobs on the spot.
struct InTurn;

impl SpawnBlocking for InTurn {
    fn spawn_blocking(&self, job: Job) {
        job();
    }
}

impl Host for Impostor {
    fn runtime(&self) -> Runtime {
        let pool = self.pool.clone();
        match &*self.way {
            "drops every task" => Runtime::new("impostor", Drops),
            "stopped clock" => {
                Runtime::builder("stopped", pool).timer(Stopped(self.started)).build()
            }
            "driver calls jobs" => {
                Runtime::builder("in turn", pool.clone()).timer(pool).blocking(InTurn).build()
            }
            _ => pool.into_runtime().expect("a pool is there"),
        }
    }

    fn block_on(&mut self, root: Root<'_>) {
        match &*self.way {
            "never drives" => {}
            "crashes" => std::process::abort(),
            _ => block_on(root),
        }
        if matches!(&*self.way, "never drives" | "drives for ever") {
            for_ever();
        }
    }
}

impl Drop for Impostor {
    fn drop(&mut self) {
        self.pool.shutdown();
    }
}

fn for_ever() -> ! {
    loop {
        thread::park();
    }
}

fn start(way: &str) -> Box<dyn Host> {
    assert!(way != "panics", "no threads today");
    match way {
        "leaks threads" => drop(thread::spawn(|| for_ever())),
        "never starts" => for_ever(),
        _ => {}
    }
    let pool = ThreadPool::new(1).expect("threads");
    Box::new(Impostor { pool, way: way.into(), started: Instant::now() })
}

fn main() -> ExitCode {
    let way = std::env::var("IMPOSTOR").unwrap_or_default();
    let declared = Capabilities::new().shutdown().joins_threads();
    let declared = match &*way {
        "says that its clock is virtual" => declared.virtual_clock(),
        "says that its driver calls jobs" => declared.jobs_in_turn(),
        _ if way.starts_with("lies") => declared.local(),
        _ => declared,
    };
    let candidate = match &*way {
        "lies and says so" => {
            Candidate::new("impostor", || start("lies")).deviates("W43", "as ever")
        }
        "is better than it says" => {
            Candidate::new("impostor", || start("")).deviates("W42", "it was so")
        }
        "is worse at times" => {
            Candidate::new("impostor", || start("")).sometimes_deviates("W42", "a race")
        }
        _ => {
            let way = way.clone();
            Candidate::new("impostor", move || start(&way))
        }
    };
    let candidate = candidate.limit(Duration::from_secs(6));
    if matches!(&*way, "never starts" | "drops every task") {
        return candidate.main();
    }
    candidate.declares(declared).main()
}
