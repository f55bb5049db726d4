use super::{Lent, Shared, start};
use crate::SpawnBlocking;
use std::collections::HashSet;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(3_600);

fn threads(pool: &Lent) -> usize {
    pool.shared.lock().threads
}

/// Waits until the threads wait: what a job sends comes before its thread does.
fn until_idle(pool: &Lent) {
    let all_wait = || {
        let state = pool.shared.lock();
        state.waiting == state.threads
    };
    while !all_wait() {
        thread::yield_now();
    }
}

#[test]
fn jobs_run_at_once_up_to_the_limit_and_then_in_their_order() {
    let pool = Lent::new(2, LONG, start);
    let (gate, both) = (Arc::new(Barrier::new(3)), channel());
    for _ in 0..2 {
        let (gate, running) = (gate.clone(), both.0.clone());
        pool.spawn_blocking(Box::new(move || {
            running.send(()).unwrap();
            gate.wait();
        }));
    }
    both.1.iter().take(2).for_each(drop);
    let (tx, rx) = channel();
    for number in 0..10 {
        let tx = tx.clone();
        pool.spawn_blocking(Box::new(move || tx.send((number, thread::current().id())).unwrap()));
    }
    assert_eq!((threads(&pool), pool.shared.lock().jobs.len()), (2, 10));
    gate.wait();
    let done: Vec<_> = rx.iter().take(10).collect();
    let on: HashSet<_> = done.iter().map(|(_, thread)| *thread).collect();
    assert!(on.len() <= 2);
    let mut numbers: Vec<_> = done.into_iter().map(|(number, _)| number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..10).collect::<Vec<_>>());
}

#[test]
fn an_idle_thread_is_used_again_and_ends_when_it_has_waited() {
    let pool = Lent::new(8, LONG, start);
    for _ in 0..100 {
        let (tx, rx) = channel();
        pool.spawn_blocking(Box::new(move || tx.send(()).unwrap()));
        rx.recv().unwrap();
        until_idle(&pool);
    }
    assert_eq!(threads(&pool), 1);

    let pool = Lent::new(8, Duration::ZERO, start);
    let (tx, rx) = channel();
    for _ in 0..8 {
        let tx = tx.clone();
        pool.spawn_blocking(Box::new(move || tx.send(()).unwrap()));
    }
    rx.iter().take(8).for_each(drop);
    while threads(&pool) > 0 {
        thread::yield_now();
    }
}

#[test]
fn a_job_that_panics_ends_no_thread() {
    let pool = Lent::new(1, LONG, start);
    pool.spawn_blocking(Box::new(|| panic!("a job's panic")));
    let (tx, rx) = channel();
    pool.spawn_blocking(Box::new(move || tx.send(()).unwrap()));
    rx.recv().unwrap();
    assert_eq!(threads(&pool), 1);
}

struct Told(Lent, Arc<AtomicUsize>);

impl Drop for Told {
    fn drop(&mut self) {
        // With the lock held, this would never return.
        drop(self.0.shared.lock());
        self.1.fetch_add(1, SeqCst);
    }
}

#[test]
fn without_a_thread_a_job_is_dropped_uncalled_and_outside_of_the_lock() {
    fn refused(_: Arc<Shared>) -> io::Result<()> {
        Err(io::Error::other("no threads here"))
    }
    let (pool, dropped) = (Lent::new(8, LONG, refused), Arc::new(AtomicUsize::new(0)));
    for number in 0..3 {
        let told = Told(pool.clone(), dropped.clone());
        pool.spawn_blocking(Box::new(move || unreachable!("called with {:?}", told.1)));
        assert_eq!((dropped.load(SeqCst), threads(&pool)), (number + 1, 0));
    }
}

#[test]
fn a_job_waits_for_a_thread_that_is_there_if_no_other_can_be_started() {
    static TRIED: AtomicUsize = AtomicUsize::new(0);
    fn only_one(shared: Arc<Shared>) -> io::Result<()> {
        match TRIED.fetch_add(1, SeqCst) {
            0 => start(shared),
            _ => Err(io::Error::other("no more threads")),
        }
    }
    let pool = Lent::new(8, LONG, only_one);
    let (gate, running) = (channel::<()>(), channel());
    pool.spawn_blocking(Box::new(move || {
        running.0.send(()).unwrap();
        gate.1.recv().unwrap();
    }));
    running.1.recv().unwrap();
    let (tx, rx) = channel();
    pool.spawn_blocking(Box::new(move || tx.send(()).unwrap()));
    assert_eq!((TRIED.load(SeqCst), threads(&pool)), (2, 1));
    gate.0.send(()).unwrap();
    rx.recv().unwrap();
}
