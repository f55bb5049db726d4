//! Random operations against a plain model of a semaphore.

use super::{Count, poll};
use allhome::Semaphore;
use allhome::limit::{AcquireError, OwnedPermit, TryAcquireError};
use proptest::prelude::*;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, Waker};

/// One step; `at` chooses among the acquires or permits that are there.
#[derive(Debug, Clone)]
enum Op {
    /// Makes an acquire, and polls it or not.
    Acquire(usize, bool),
    Try(usize),
    /// Polls an acquire: with its waker, or as another task.
    Poll(usize, bool),
    DropAcquire(usize),
    DropPermit(usize),
    Split(usize, usize),
    Merge(usize, usize),
    Forget(usize),
    Resize(usize),
    Close,
}

fn op() -> impl Strategy<Value = Op> {
    let at = any::<u16>().prop_map(usize::from);
    let count = 0..7_usize;
    prop_oneof![
        40 => (count.clone(), prop::bool::weighted(0.9)).prop_map(|(n, now)| Op::Acquire(n, now)),
        10 => count.clone().prop_map(Op::Try),
        20 => (at.clone(), any::<bool>()).prop_map(|(at, new)| Op::Poll(at, new)),
        12 => at.clone().prop_map(Op::DropAcquire),
        30 => at.clone().prop_map(Op::DropPermit),
        5 => (at.clone(), count.clone()).prop_map(|(at, n)| Op::Split(at, n)),
        5 => (at.clone(), at.clone()).prop_map(|(at, other)| Op::Merge(at, other)),
        2 => at.prop_map(Op::Forget),
        8 => count.prop_map(Op::Resize),
        1 => Just(Op::Close),
    ]
}

#[derive(Debug, Clone, PartialEq)]
enum Fate {
    New,
    Waits,
    Granted,
    Refused(AcquireError),
}

struct Call {
    number: usize,
    asked: usize,
    fate: Fate,
    future: Pin<Box<dyn Future<Output = Result<OwnedPermit, AcquireError>>>>,
    woken: Arc<Count>,
}

/// The semaphore, and its expected state: capacity, how many each holder has, and a line.
struct World {
    real: Arc<Semaphore>,
    capacity: usize,
    closed: bool,
    calls: Vec<Call>,
    permits: Vec<(usize, OwnedPermit)>,
    line: VecDeque<usize>,
    made: usize,
}

impl World {
    fn new(capacity: usize, track: bool) -> World {
        World {
            real: Arc::new(Semaphore::new(capacity).time_holders(track)),
            capacity,
            closed: false,
            calls: Vec::new(),
            permits: Vec::new(),
            line: VecDeque::new(),
            made: 0,
        }
    }

    fn held(&self) -> usize {
        let granted = self.calls.iter().filter(|call| call.fate == Fate::Granted);
        let granted: usize = granted.map(|call| call.asked).sum();
        granted + self.permits.iter().map(|(count, _)| count).sum::<usize>()
    }

    fn free(&self) -> usize {
        self.capacity.saturating_sub(self.held())
    }

    fn admits(&self, asked: usize) -> Result<bool, AcquireError> {
        if self.closed {
            return Err(AcquireError::Closed);
        }
        if asked > self.capacity {
            return Err(self.too_many(asked));
        }
        Ok(asked == 0 || self.line.is_empty() && asked <= self.free())
    }

    /// The error, made by a semaphore of that size: it cannot be written down here.
    fn too_many(&self, asked: usize) -> AcquireError {
        let mut acquire =
            Box::pin(Arc::new(Semaphore::new(self.capacity)).acquire_many_owned(asked));
        match poll(acquire.as_mut(), Waker::noop()) {
            Poll::Ready(Err(error)) => error,
            other => panic!("{other:?}"),
        }
    }

    fn call(&mut self, number: usize) -> &mut Call {
        self.calls.iter_mut().find(|call| call.number == number).expect("it stands in the line")
    }

    /// Serves the line: a waiter that asks for too much goes, then the first for as long as it
    /// fits.
    fn serve(&mut self) {
        for number in self.line.clone() {
            let asked = self.call(number).asked;
            if asked > self.capacity {
                let error = self.too_many(asked);
                self.call(number).fate = Fate::Refused(error);
                self.line.retain(|other| *other != number);
            }
        }
        while let Some(&number) = self.line.front() {
            let (asked, free) = (self.call(number).asked, self.free());
            if self.closed {
                self.call(number).fate = Fate::Refused(AcquireError::Closed);
            } else if asked <= free {
                self.call(number).fate = Fate::Granted;
            } else {
                break;
            }
            self.line.pop_front();
        }
    }

    fn poll(&mut self, mut call: Call, anew: bool) {
        if call.fate == Fate::New {
            call.fate = match self.admits(call.asked) {
                Ok(true) => Fate::Granted,
                Ok(false) => Fate::Waits,
                Err(error) => Fate::Refused(error),
            };
            if call.fate == Fate::Waits {
                self.line.push_back(call.number);
            }
        }
        if anew && call.fate == Fate::Waits {
            call.woken = Arc::default();
        }
        let fate = call.fate.clone();
        match (poll(call.future.as_mut(), &Waker::from(call.woken.clone())), fate) {
            (Poll::Pending, Fate::Waits) => self.calls.push(call),
            (Poll::Ready(Ok(permit)), Fate::Granted) => {
                assert_eq!(permit.count(), call.asked);
                self.permits.push((call.asked, permit));
            }
            (Poll::Ready(Err(error)), Fate::Refused(expected)) => assert_eq!(error, expected),
            (found, expected) => panic!("{found:?}, expected {expected:?}"),
        }
    }

    fn step(&mut self, op: Op) {
        match op {
            Op::Acquire(asked, now) => {
                let future = Box::pin(self.real.acquire_many_owned(asked));
                let (number, woken) = (self.made, Arc::default());
                self.made += 1;
                let call = Call { number, asked, fate: Fate::New, future, woken };
                if now { self.poll(call, false) } else { self.calls.push(call) }
            }
            Op::Try(asked) => match (self.real.try_acquire_many_owned(asked), self.admits(asked)) {
                (Ok(permit), Ok(true)) => self.permits.push((asked, permit)),
                (Err(TryAcquireError::NoPermits), Ok(false)) => (),
                (Err(error), Err(expected)) => assert_eq!(error.to_string(), expected.to_string()),
                (found, expected) => panic!("{found:?}, expected {expected:?}"),
            },
            Op::Resize(capacity) => {
                self.capacity = capacity;
                self.real.resize(capacity);
            }
            Op::Close => {
                assert_eq!(self.real.close(), !self.closed);
                self.closed = true;
            }
            Op::Poll(at, _) | Op::DropAcquire(at) if !self.calls.is_empty() => {
                let call = self.calls.swap_remove(at % self.calls.len());
                if let Op::Poll(_, anew) = op {
                    self.poll(call, anew);
                } else {
                    self.line.retain(|number| *number != call.number);
                }
            }
            Op::DropPermit(at) if !self.permits.is_empty() => {
                drop(self.permits.swap_remove(at % self.permits.len()));
            }
            Op::Forget(at) if !self.permits.is_empty() => {
                let (count, permit) = self.permits.swap_remove(at % self.permits.len());
                self.capacity = self.capacity.saturating_sub(count);
                permit.forget();
            }
            Op::Split(at, count) if !self.permits.is_empty() => {
                let at = at % self.permits.len();
                let (has, permit) = &mut self.permits[at];
                let part = permit.split(count);
                assert_eq!(part.is_some(), count <= *has);
                if let Some(part) = part {
                    *has -= count;
                    self.permits.push((count, part));
                }
            }
            Op::Merge(at, other) if self.permits.len() > 1 => {
                let (count, permit) = self.permits.swap_remove(at % self.permits.len());
                let other = other % self.permits.len();
                self.permits[other].0 += count;
                self.permits[other].1.merge(permit).expect("they are of one semaphore");
            }
            _ => (),
        }
        self.serve();
    }

    fn check(&self) {
        let found = (self.real.capacity(), self.real.available(), self.real.waiters());
        assert_eq!(found, (self.capacity, self.free(), self.line.len()));
        assert_eq!(self.real.is_closed(), self.closed);
        for call in &self.calls {
            let told = !matches!(call.fate, Fate::New | Fate::Waits);
            assert_eq!(call.woken.get(), usize::from(told), "woken once: {}", call.asked);
        }
        for (count, permit) in &self.permits {
            assert_eq!(permit.count(), *count);
        }
        let (waits, holds): (Vec<_>, Vec<_>) =
            self.real.holders().into_iter().partition(|info| info.is_waiting());
        assert_eq!(waits.len(), self.line.len());
        let held: usize = holds.iter().map(|info| info.count()).sum();
        assert_eq!(held, self.held());
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn random_operations(
        capacity in 0..6_usize,
        track in any::<bool>(),
        ops in prop::collection::vec(op(), 1..150),
    ) {
        let mut world = World::new(capacity, track);
        for op in ops {
            world.step(op);
            world.check();
        }
        let (real, capacity) = (world.real.clone(), world.capacity);
        drop(world);
        assert_eq!((real.available(), real.waiters()), (capacity, 0));
    }
}
