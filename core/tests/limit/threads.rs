//! Everything at once, from several threads.

use super::{Count, poll};
use allhome::Semaphore;
use allhome::limit::{Acquire, Permit};
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::task::{Poll, Wake, Waker};
use std::thread::{self, Thread};

/// Wakes a thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        match poll(future.as_mut(), &waker) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

/// A little generator: the same numbers each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) as usize % sides
    }
}

/// No more than the capacity is ever held, and every waiter is served.
#[test]
fn s20_never_more_than_the_capacity() {
    const CAPACITY: usize = 3;
    let (semaphore, inside) = (Semaphore::new(CAPACITY), AtomicUsize::new(0));
    thread::scope(|scope| {
        for number in 0..4 {
            let (semaphore, inside) = (&semaphore, &inside);
            scope.spawn(move || {
                let mut dice = Dice(number);
                for _ in 0..5_000 {
                    let count = 1 + dice.roll(CAPACITY);
                    let permit = block_on(semaphore.acquire_many(count)).unwrap();
                    let before = inside.fetch_add(count, SeqCst);
                    assert!(before + count <= CAPACITY);
                    if dice.roll(8) == 0 {
                        thread::yield_now();
                    }
                    inside.fetch_sub(count, SeqCst);
                    drop(permit);
                }
            });
        }
    });
    assert_eq!((semaphore.available(), semaphore.waiters()), (CAPACITY, 0));
}

/// With one permit, the holder orders what others read: as with a mutex.
#[test]
fn s20_a_permit_orders_memory() {
    // A plain number, changed by the holder of the permit; relaxed, so that nothing else orders it.
    let number = AtomicU64::new(0);
    let semaphore = Semaphore::new(1);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..10_000 {
                    let _permit = block_on(semaphore.acquire()).unwrap();
                    number.store(number.load(Relaxed) + 1, Relaxed);
                }
            });
        }
    });
    assert_eq!(number.into_inner(), 30_000);
}

/// How many acquires, and permits, one thread has at a time: shrinking looks at all waiters.
const MOST: usize = 50;

/// Permits and queued acquires of one thread.
struct Mine<'a> {
    permits: Vec<Permit<'a>>,
    queued: Vec<(Pin<Box<Acquire<'a>>>, Arc<Count>)>,
}

impl<'a> Mine<'a> {
    /// Polls all that were woken; keeps what they got.
    fn collect(&mut self) {
        let permits = &mut self.permits;
        self.queued.retain_mut(|(acquire, woken)| {
            if woken.get() == 0 {
                return true;
            }
            match poll(acquire.as_mut(), Waker::noop()) {
                // It fails when the semaphore has shrunk below it.
                Poll::Ready(result) => permits.extend(result.ok()),
                Poll::Pending => panic!("woken for nothing"),
            }
            false
        });
    }

    fn step(&mut self, semaphore: &'a Semaphore, dice: &mut Dice, capacity: usize) {
        match dice.roll(20) {
            0..6 if self.queued.len() < MOST => {
                let mut acquire = Box::pin(semaphore.acquire_many(dice.roll(4)));
                let woken = Arc::new(Count::default());
                match poll(acquire.as_mut(), &Waker::from(woken.clone())) {
                    Poll::Ready(result) => self.permits.extend(result.ok()),
                    Poll::Pending => self.queued.push((acquire, woken)),
                }
            }
            6..9 if self.permits.len() < MOST => {
                self.permits.extend(semaphore.try_acquire_many(dice.roll(4)).ok())
            }
            9..14 if !self.permits.is_empty() => {
                drop(self.permits.swap_remove(dice.roll(self.permits.len())));
            }
            14..17 if !self.queued.is_empty() => {
                drop(self.queued.swap_remove(dice.roll(self.queued.len())));
            }
            17 => semaphore.resize(capacity - dice.roll(3)),
            18 if self.permits.len() > 1 => {
                let other = self.permits.pop().expect("there are two");
                self.permits[0].merge(other).expect("they are of one semaphore");
            }
            19 if !self.permits.is_empty() => {
                let part = self.permits[0].split(1);
                self.permits.extend(part);
            }
            _ => self.collect(),
        }
    }
}

/// `LIMIT_STEPS=5000000` in release for the long run.
#[test]
fn s20_permits_are_conserved() {
    const CAPACITY: usize = 6;
    let steps = std::env::var("LIMIT_STEPS").map_or(100_000, |steps| steps.parse().unwrap());
    for track in [false, true] {
        let semaphore = Semaphore::new(CAPACITY).time_holders(track);
        thread::scope(|scope| {
            for number in 0..2 {
                let semaphore = &semaphore;
                scope.spawn(move || {
                    let mut dice = Dice(number);
                    let mut mine = Mine { permits: Vec::new(), queued: Vec::new() };
                    for _ in 0..steps {
                        mine.step(semaphore, &mut dice, CAPACITY);
                    }
                    // What is not dropped here is dropped out of order.
                    mine.collect();
                });
            }
        });
        semaphore.resize(CAPACITY);
        assert_eq!((semaphore.available(), semaphore.waiters()), (CAPACITY, 0));
        assert!(semaphore.holders().is_empty());
        assert_eq!(semaphore.try_acquire_many(CAPACITY).unwrap().count(), CAPACITY);
    }
}

/// No later waiter is served earlier: the tickets are drawn in the order of joining.
#[test]
fn s02_nobody_overtakes_in_a_crowd() {
    let semaphore = Semaphore::new(1);
    let turns = std::env::var("LIMIT_STEPS").map_or(20_000, |steps| steps.parse().unwrap());
    let (mut joined, mut overtaken) = (0_u64, 0_u64);
    let mut line = std::collections::VecDeque::new();
    let mut held = Some(semaphore.try_acquire().unwrap());
    let mut dice = Dice(7);
    let woken: Vec<_> = (0..64).map(|_| Arc::new(Count::default())).collect();
    for _ in 0..turns {
        while line.len() < 1 + dice.roll(64) {
            let mut acquire = Box::pin(semaphore.acquire());
            let count = woken[line.len()].clone();
            assert!(poll(acquire.as_mut(), &Waker::from(count)).is_pending());
            line.push_back((joined, acquire));
            joined += 1;
        }
        drop(held.take());
        let at = line
            .iter_mut()
            .position(|(_, acquire)| match poll(acquire.as_mut(), Waker::noop()) {
                Poll::Ready(permit) => {
                    held = permit.ok();
                    true
                }
                Poll::Pending => false,
            })
            .expect("a waiter was served");
        overtaken = overtaken.max(at as u64);
        line.remove(at);
    }
    assert_eq!(overtaken, 0, "the most that one waiter overtakes");
}

/// The same with threads: a call that joined before another call began is served before it.
#[test]
fn s02_threads_are_served_in_the_order_of_joining() {
    let semaphore = Semaphore::new(1);
    let served = AtomicUsize::new(0);
    let permit = semaphore.try_acquire().unwrap();
    thread::scope(|scope| {
        for number in 0..20 {
            let (semaphore, served) = (&semaphore, &served);
            scope.spawn(move || {
                let permit = block_on(semaphore.acquire()).unwrap();
                assert_eq!(served.fetch_add(1, SeqCst), number);
                drop(permit);
            });
            while semaphore.waiters() <= number {
                thread::yield_now();
            }
        }
        drop(permit);
    });
    assert_eq!(served.into_inner(), 20);
}

#[test]
fn s11_close_from_another_thread_ends_all_waits() {
    for _ in 0..200 {
        let (semaphore, closed) = (Semaphore::new(2), AtomicBool::new(false));
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while block_on(semaphore.acquire_many(2)).is_ok() {
                        thread::yield_now();
                    }
                    assert!(closed.load(SeqCst));
                });
            }
            scope.spawn(|| {
                closed.store(true, SeqCst);
                assert!(semaphore.close());
            });
        });
        assert_eq!((semaphore.available(), semaphore.waiters()), (2, 0));
    }
}
