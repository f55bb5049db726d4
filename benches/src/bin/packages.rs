//! `packages [ROUNDS]`: code of the executors beside the package that could stand in its place, by
//! turns; or `packages SIDE N`: that side alone, for callgrind. docs/DESIGN.md has the figures.
//!
//! The sides are the executors' own files and small models of what uses them: jobs go to threads
//! that wait for them (as in `blocking.rs`), a thread that waits is woken by another (`parker.rs`),
//! values come and go among a thousand others (`chunked_slab.rs`).

use std::collections::VecDeque;
use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Instant;

use concurrent_queue::{ConcurrentQueue, PopError};
use event_listener::{Event, Listener, listener};
use parking_lot::{Condvar, Mutex};
use slab::Slab;

#[allow(dead_code, reason = "a part of it is measured")]
#[path = "../../../executors/src/chunked_slab.rs"]
mod chunked_slab;
#[allow(dead_code, reason = "a part of it is measured")]
#[path = "../../../executors/src/parker.rs"]
mod parker;

use chunked_slab::ChunkedSlab;
use parker::Parker;

type Side = (&'static str, fn(usize));

/// Each beside the one that it is compared with.
const SIDES: &[[Side; 2]] = &[
    [("jobs/lock", |n| jobs::<Locked>(n, 1)), ("jobs/package", |n| jobs::<Packaged>(n, 1))],
    [("burst/lock", |n| jobs::<Locked>(n, n)), ("burst/package", |n| jobs::<Packaged>(n, n))],
    [("wake/parker", wakes::<Arc<Parker>>), ("wake/package", wakes::<Arc<Noted>>)],
    [("slab/chunked", chunked), ("slab/package", packaged)],
];

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args().skip(1).collect();
    if let [name, n] = &args[..] {
        let side = SIDES.iter().flatten().find(|(side, _)| side == name);
        let (Some((_, run)), Ok(n)) = (side, n.parse()) else { return usage() };
        run(n);
        return ExitCode::SUCCESS;
    }
    let Ok(rounds) = args.first().map_or(Ok(15), |rounds| rounds.parse()) else { return usage() };
    for pair in SIDES {
        let mut times = [Vec::new(), Vec::new()];
        for _ in 0..rounds {
            for (side, times) in pair.iter().zip(&mut times) {
                times.push(time(side.1));
            }
        }
        for ((name, _), mut times) in pair.iter().zip(times) {
            times.sort_unstable();
            let (least, middle) = (times.first(), times.get(times.len() / 2));
            println!("{name:14} {:6} ns, least {:6} ns", middle.unwrap_or(&0), least.unwrap_or(&0));
        }
    }
    ExitCode::SUCCESS
}

/// Returns the nanoseconds of one of many.
fn time(run: fn(usize)) -> u128 {
    const TIMES: usize = 20_000;
    let start = Instant::now();
    run(TIMES);
    start.elapsed().as_nanos() / TIMES as u128
}

fn usage() -> ExitCode {
    eprintln!("usage: packages [ROUNDS]");
    let names: Vec<_> = SIDES.iter().flatten().map(|(name, _)| *name).collect();
    eprintln!("       packages {} N", names.join("|"));
    ExitCode::from(2)
}

/// Where jobs wait for threads: `add` returns `true` if it notified a waiting thread.
trait Jobs: Default + Send + Sync + 'static {
    fn add(&self, job: usize) -> bool;

    /// Waits for a job. None if there will be no more.
    fn next(&self) -> Option<usize>;

    fn close(&self);
}

/// As it is in `blocking.rs`: a queue and a count under one lock.
#[derive(Default)]
struct Locked {
    state: Mutex<LockedState>,
    added: Condvar,
}

#[derive(Default)]
struct LockedState {
    jobs: VecDeque<usize>,
    waiting: usize,
    closed: bool,
}

impl Jobs for Locked {
    fn add(&self, job: usize) -> bool {
        let mut state = self.state.lock();
        state.jobs.push_back(job);
        let is_awaited = state.jobs.len() <= state.waiting;
        drop(state);
        if is_awaited {
            self.added.notify_one();
        }
        is_awaited
    }

    fn next(&self) -> Option<usize> {
        let mut state = self.state.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            if state.closed {
                return None;
            }
            state.waiting += 1;
            self.added.wait(&mut state);
            state.waiting -= 1;
        }
    }

    fn close(&self) {
        self.state.lock().closed = true;
        self.added.notify_all();
    }
}

/// As it would be with the packages. The start and the end of a thread would still need a
/// lock, which is not in the figures.
struct Packaged {
    jobs: ConcurrentQueue<usize>,
    added: Event,
}

impl Default for Packaged {
    fn default() -> Packaged {
        Packaged { jobs: ConcurrentQueue::unbounded(), added: Event::new() }
    }
}

impl Jobs for Packaged {
    fn add(&self, job: usize) -> bool {
        self.jobs.push(job).is_ok() && self.added.notify_additional(1) > 0
    }

    fn next(&self) -> Option<usize> {
        loop {
            if let Ok(job) = self.jobs.pop() {
                return Some(job);
            }
            listener!(self.added => listener);
            match self.jobs.pop() {
                Ok(job) => return Some(job),
                Err(PopError::Closed) => return None,
                Err(PopError::Empty) => listener.wait(),
            }
        }
    }

    fn close(&self) {
        self.jobs.close();
        self.added.notify(usize::MAX);
    }
}

/// Two threads get so many jobs, at most `ahead` of them before one is done.
fn jobs<J: Jobs>(n: usize, ahead: usize) {
    let (jobs, done) = (Arc::new(J::default()), Arc::new(AtomicUsize::new(0)));
    let threads = [(); 2].map(|()| {
        let (jobs, done) = (Arc::clone(&jobs), Arc::clone(&done));
        thread::spawn(move || {
            while let Some(job) = jobs.next() {
                black_box(job);
                done.fetch_add(1, SeqCst);
            }
        })
    });
    for job in 0..n {
        jobs.add(job);
        while job + 1 >= done.load(SeqCst) + ahead {
            thread::yield_now();
            if ahead > 1 {
                break;
            }
        }
    }
    jobs.close();
    threads.into_iter().for_each(|thread| thread.join().expect("a thread of the bench"));
}

/// What a thread waits with, for another to wake it.
trait Wait: Clone + Default + Send + 'static {
    fn wait(&self);
    fn wake(&self);
}

impl Wait for Arc<Parker> {
    fn wait(&self) {
        self.park();
    }

    fn wake(&self) {
        self.unpark();
    }
}

#[derive(Default)]
struct Noted {
    note: AtomicBool,
    event: Event,
}

impl Wait for Arc<Noted> {
    fn wait(&self) {
        while !self.note.swap(false, SeqCst) {
            listener!(self.event => listener);
            if self.note.swap(false, SeqCst) {
                return;
            }
            listener.wait();
        }
    }

    fn wake(&self) {
        self.note.store(true, SeqCst);
        self.event.notify(1);
    }
}

/// Two threads wake each other in turn.
fn wakes<W: Wait>(n: usize) {
    let [here, there] = [(); 2].map(|()| W::default());
    let (own, back) = (there.clone(), here.clone());
    let thread = thread::spawn(move || {
        for _ in 0..n {
            own.wait();
            back.wake();
        }
    });
    for _ in 0..n {
        there.wake();
        here.wait();
    }
    thread.join().expect("a thread of the bench");
}

/// How many values stay.
const LIVE: usize = 1000;

/// As large as a sleep's entry.
type Value = [usize; 6];

fn chunked(n: usize) {
    let mut slab = ChunkedSlab::<Value, 256, 2>::default();
    let mut keys: VecDeque<_> = (0..LIVE).map(|_| slab.insert_with(|key| [key; 6])).collect();
    for _ in 0..n {
        let oldest = keys.pop_front().expect("there are many");
        black_box(slab.try_remove(oldest));
        keys.push_back(slab.insert_with(|key| [key; 6]));
    }
}

fn packaged(n: usize) {
    let mut slab = Slab::<Value>::new();
    let insert = |slab: &mut Slab<Value>| {
        let place = slab.vacant_entry();
        let key = place.key();
        place.insert([key; 6]);
        key
    };
    let mut keys: VecDeque<_> = (0..LIVE).map(|_| insert(&mut slab)).collect();
    for _ in 0..n {
        let oldest = keys.pop_front().expect("there are many");
        black_box(slab.try_remove(oldest));
        keys.push_back(insert(&mut slab));
    }
}
