//! How long one spawn takes at most: eight threads spawn into one nursery, one of them at a low
//! priority.
//!
//! A thread of low priority that is interrupted while it holds the nursery's lock makes the others
//! wait for the lock until it runs again; and a thread that sleeps for the lock must be woken. Both
//! show in the slowest calls.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use allhome::{Nursery, Tokio, nursery};
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

use crate::host::{Flavor, Host};

/// How many threads spawn.
pub const THREADS: usize = 8;

/// At this many children that have not ended, the threads give way to the workers.
const MOST_ALIVE: usize = 100_000;

/// The lowest priority there is.
const NICE: i32 = 19;

/// How many calls took how long. A bucket is 3 % wide at most.
#[derive(Clone, Debug)]
pub struct Times {
    buckets: Vec<u64>,
    longest: u64,
}

/// Buckets for each power of two, as a power of two.
const FINE: u32 = 5;

impl Times {
    fn new() -> Self {
        Self { buckets: vec![0; (64 - FINE as usize + 1) << FINE], longest: 0 }
    }

    fn add(&mut self, nanos: u64) {
        self.buckets[bucket(nanos)] += 1;
        self.longest = self.longest.max(nanos);
    }

    fn merge(&mut self, other: &Times) {
        for (own, others) in self.buckets.iter_mut().zip(&other.buckets) {
            *own += others;
        }
        self.longest = self.longest.max(other.longest);
    }

    /// Returns how many calls there were.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// Returns the time that the slowest call took, in nanoseconds.
    pub fn longest(&self) -> u64 {
        self.longest
    }

    /// Returns the nanoseconds that this share of the calls did not exceed.
    pub fn within(&self, share: f64) -> u64 {
        let rank = (self.count() as f64 * share).ceil() as u64;
        let mut seen = 0;
        let reached = |calls: &u64| {
            seen += calls;
            seen >= rank
        };
        let index = self.buckets.iter().position(reached).unwrap_or(0);
        upper(index).min(self.longest)
    }
}

fn bucket(nanos: u64) -> usize {
    let power = nanos.checked_ilog2().unwrap_or(0);
    match power.checked_sub(FINE) {
        None => nanos as usize,
        // The first bit is `power`; the next ones are the bucket's place among those.
        Some(shift) => ((shift as usize) << FINE) + (nanos >> shift) as usize,
    }
}

/// The greatest number of a bucket.
fn upper(index: usize) -> u64 {
    let (group, place) = (index >> FINE, index as u64 & ((1 << FINE) - 1));
    match group.checked_sub(1) {
        None => place,
        Some(shift) => (((1_u64 << FINE) + place + 1) << shift) - 1,
    }
}

/// What the threads found.
#[derive(Debug)]
pub struct Waits {
    /// The times of all threads but the one of low priority.
    pub usual: Times,
    /// The times of the thread of low priority.
    pub low: Times,
}

/// What the threads spawn into.
#[derive(Clone, Copy, Debug)]
pub enum Into {
    /// A nursery.
    Nursery,
    /// tokio-util's tracker.
    TaskTracker,
}

/// Lets eight threads spawn children that do nothing, for so long, on a tokio runtime with two
/// workers.
///
/// # Panics
///
/// Panics when the operating system refuses a thread or the low priority.
pub fn measure(into: Into, long: Duration) -> Waits {
    let host = Host::new(Flavor::MultiThread);
    let alive = Arc::new(AtomicUsize::new(0));
    host.run(async move {
        match into {
            Into::Nursery => {
                let run = nursery().on(Tokio).run(async move |nursery: Nursery<Infallible>| {
                    Ok(on_threads(long, &alive, |ended| {
                        let _admitted = nursery.spawn(async move {
                            ended.fetch_sub(1, Relaxed);
                            Ok(())
                        });
                    }))
                });
                run.await.expect("no child fails")
            }
            Into::TaskTracker => {
                let (tracker, handle) = (TaskTracker::new(), Handle::current());
                let waits = on_threads(long, &alive, |ended| {
                    let child = async move {
                        ended.fetch_sub(1, Relaxed);
                    };
                    drop(tracker.spawn_on(child, &handle));
                });
                tracker.close();
                tracker.wait().await;
                waits
            }
        }
    })
}

fn on_threads(
    long: Duration,
    alive: &Arc<AtomicUsize>,
    spawn: impl Fn(Arc<AtomicUsize>) + Sync,
) -> Waits {
    let until = Instant::now() + long;
    let spawn = &spawn;
    thread::scope(|scope| {
        let usual: Vec<_> =
            (1..THREADS).map(|_| scope.spawn(move || spawn_until(until, alive, spawn))).collect();
        let low = scope.spawn(move || {
            // On Linux a thread has a priority of its own.
            rustix::process::setpriority_process(None, NICE).expect("a lower priority");
            spawn_until(until, alive, spawn)
        });
        let mut times = Times::new();
        for thread in usual {
            times.merge(&thread.join().expect("the thread ended"));
        }
        Waits { usual: times, low: low.join().expect("the thread ended") }
    })
}

fn spawn_until(
    until: Instant,
    alive: &Arc<AtomicUsize>,
    spawn: impl Fn(Arc<AtomicUsize>),
) -> Times {
    let mut times = Times::new();
    while Instant::now() < until {
        if alive.fetch_add(1, Relaxed) >= MOST_ALIVE {
            alive.fetch_sub(1, Relaxed);
            thread::sleep(Duration::from_millis(1));
            continue;
        }
        let ended = Arc::clone(alive);
        let began = Instant::now();
        spawn(ended);
        times.add(began.elapsed().as_nanos() as u64);
    }
    times
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_in_the_bucket_that_ends_next_above_it() {
        for nanos in (0..4_096).chain([u64::MAX / 2, u64::MAX / 3]) {
            let index = bucket(nanos);
            assert!(nanos <= upper(index), "{nanos}");
            assert!(index == 0 || upper(index - 1) < nanos, "{nanos}");
        }
    }

    #[test]
    fn shares_of_a_hundred_calls() {
        let mut times = Times::new();
        (1..=100).for_each(|nanos| times.add(nanos));
        assert_eq!((times.count(), times.longest()), (100, 100));
        assert_eq!((times.within(0.10), times.within(0.999)), (10, 100));
        assert_eq!(times.within(0.50), 50);
    }
}
