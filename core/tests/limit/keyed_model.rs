//! Random operations against a plain model of a semaphore with keys, and its fairness in figures.

use super::{Count, poll};
use allhome::limit::{AcquireError, AcquireOwned, KeyedSemaphore, OwnedPermit};
use proptest::prelude::*;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, Waker};

#[derive(Debug, Clone)]
enum Op {
    Acquire(u8, usize),
    Poll(usize),
    DropAcquire(usize),
    DropPermit(usize),
    Resize(usize),
}

fn op() -> impl Strategy<Value = Op> {
    let at = any::<u16>().prop_map(usize::from);
    prop_oneof![
        40 => (0..4_u8, 0..6_usize).prop_map(|(key, count)| Op::Acquire(key, count)),
        15 => at.clone().prop_map(Op::Poll),
        12 => at.clone().prop_map(Op::DropAcquire),
        30 => at.prop_map(Op::DropPermit),
        4 => (0..6_usize).prop_map(Op::Resize),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Waits,
    Granted,
    Refused,
}

struct Call {
    number: usize,
    key: u8,
    asked: usize,
    fate: Fate,
    future: Pin<Box<AcquireOwned>>,
    woken: Arc<Count>,
}

/// A key that waits: where its next request begins to count, and when it came to this place.
struct Lane {
    key: u8,
    start: usize,
    place: usize,
    line: Vec<usize>,
}

struct World {
    real: KeyedSemaphore<u8>,
    capacity: usize,
    calls: Vec<Call>,
    permits: Vec<OwnedPermit>,
    lanes: Vec<Lane>,
    clock: usize,
    made: usize,
}

impl World {
    fn asked(&self, number: usize) -> usize {
        self.call(number).asked
    }

    fn call(&self, number: usize) -> &Call {
        self.calls.iter().find(|call| call.number == number).expect("it stands in a line")
    }

    fn tell(&mut self, number: usize, fate: Fate) {
        let call = self.calls.iter_mut().find(|call| call.number == number);
        call.expect("it stands in a line").fate = fate;
    }

    fn free(&self) -> usize {
        let granted = self.calls.iter().filter(|call| call.fate == Fate::Granted);
        let held: usize = granted.map(|call| call.asked).sum();
        let held = held + self.permits.iter().map(OwnedPermit::count).sum::<usize>();
        self.capacity.saturating_sub(held)
    }

    fn leave(&mut self, number: usize) {
        self.lanes.iter_mut().for_each(|lane| lane.line.retain(|other| *other != number));
        self.forget();
    }

    /// Nothing is kept of a key without waiters.
    fn forget(&mut self) {
        self.lanes.retain(|lane| !lane.line.is_empty());
    }

    fn serve(&mut self) {
        let waiting = self.calls.iter().filter(|call| call.fate == Fate::Waits);
        let too_many = waiting.filter(|call| call.asked > self.capacity).map(|call| call.number);
        for number in too_many.collect::<Vec<_>>() {
            self.tell(number, Fate::Refused);
            self.leave(number);
        }
        loop {
            let finish = |lane: &Lane| lane.start + self.asked(lane.line[0]);
            let next = (0..self.lanes.len())
                .min_by_key(|at| (finish(&self.lanes[*at]), self.lanes[*at].place));
            let Some(next) = next else { return };
            let finish = finish(&self.lanes[next]);
            let number = self.lanes[next].line[0];
            if self.asked(number) > self.free() {
                return;
            }
            self.tell(number, Fate::Granted);
            self.made += 1;
            let lane = &mut self.lanes[next];
            lane.line.remove(0);
            (lane.start, lane.place) = (finish, self.made);
            self.clock = self.clock.max(finish);
            self.forget();
        }
    }

    fn poll(&mut self, mut call: Call) {
        match (poll(call.future.as_mut(), &Waker::from(call.woken.clone())), call.fate) {
            (Poll::Pending, Fate::Waits) => self.calls.push(call),
            (Poll::Ready(Ok(permit)), Fate::Granted) => self.permits.push(permit),
            (Poll::Ready(Err(AcquireError::TooMany { .. })), Fate::Refused) => (),
            (found, expected) => panic!("{found:?}, expected {expected:?}"),
        }
    }

    fn step(&mut self, op: Op) {
        match op {
            Op::Acquire(key, asked) => {
                let future = Box::pin(self.real.acquire_many_owned(&key, asked));
                self.made += 1;
                let number = self.made;
                let fate = if asked > self.capacity {
                    Fate::Refused
                } else if asked == 0 || self.lanes.is_empty() && asked <= self.free() {
                    Fate::Granted
                } else {
                    let (start, place) = (self.clock, number);
                    match self.lanes.iter_mut().find(|lane| lane.key == key) {
                        Some(lane) => lane.line.push(number),
                        None => self.lanes.push(Lane { key, start, place, line: vec![number] }),
                    }
                    Fate::Waits
                };
                self.calls.push(Call { number, key, asked, fate, future, woken: Arc::default() });
                // Its turn may come at once, before that of others.
                self.serve();
                let call = self.calls.pop().expect("it is the last");
                self.poll(call);
            }
            Op::Poll(at) | Op::DropAcquire(at) if !self.calls.is_empty() => {
                let call = self.calls.swap_remove(at % self.calls.len());
                if let Op::Poll(_) = op {
                    self.poll(call);
                } else {
                    self.leave(call.number);
                }
            }
            Op::DropPermit(at) if !self.permits.is_empty() => {
                drop(self.permits.swap_remove(at % self.permits.len()));
            }
            Op::Resize(capacity) => {
                self.capacity = capacity;
                self.real.semaphore().resize(capacity);
            }
            _ => (),
        }
        self.serve();
    }

    fn check(&self) {
        let waiters: usize = self.lanes.iter().map(|lane| lane.line.len()).sum();
        let semaphore = self.real.semaphore();
        let found = (semaphore.available(), semaphore.waiters(), self.real.waiting_keys());
        assert_eq!(found, (self.free(), waiters, self.lanes.len()));
        for call in &self.calls {
            let told = usize::from(call.fate != Fate::Waits);
            assert_eq!(call.woken.get(), told, "key {} asks for {}", call.key, call.asked);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn w09_random_operations(
        capacity in 0..6_usize,
        ops in prop::collection::vec(op(), 1..150),
    ) {
        let mut world = World {
            real: KeyedSemaphore::new(capacity),
            capacity,
            calls: Vec::new(),
            permits: Vec::new(),
            lanes: Vec::new(),
            clock: 0,
            made: 0,
        };
        for op in ops {
            world.step(op);
            world.check();
        }
    }

    /// Keys that wait all the time, with requests of any size: what they were granted differs by no
    /// more than the largest request of the one and that of the other.
    #[test]
    fn w03_nobody_gets_more(
        asks in prop::collection::vec(prop::collection::vec(1..9_usize, 1..5), 2..5),
    ) {
        let semaphore = KeyedSemaphore::<usize>::new(8);
        let first = semaphore.semaphore().try_acquire_many(8).unwrap();
        let mut lines: Vec<_> = asks.iter().map(|asks| asks.iter().cycle()).collect();
        let mut join = |key: usize| {
            let asked = *lines[key].next().unwrap();
            let mut acquire = Box::pin(semaphore.acquire_many_owned(&key, asked));
            let woken = Arc::new(Count::default());
            assert!(poll(acquire.as_mut(), &Waker::from(woken.clone())).is_pending());
            (acquire, woken)
        };
        // More of each than can be served at once, so that a key waits all the time.
        let mut waiting: Vec<VecDeque<_>> =
            (0..asks.len()).map(|key| (0..9).map(|_| join(key)).collect()).collect();
        let mut had = vec![0_usize; asks.len()];
        drop(first);
        let mut held = Vec::new();
        for _ in 0..200 {
            held.clear();
            for (key, line) in waiting.iter_mut().enumerate() {
                while line[0].1.get() > 0 {
                    let (mut acquire, _) = line.pop_front().unwrap();
                    let Poll::Ready(Ok(permit)) = poll(acquire.as_mut(), Waker::noop()) else {
                        panic!("it was told")
                    };
                    had[key] += permit.count();
                    held.push(permit);
                }
            }
            for (key, line) in waiting.iter_mut().enumerate() {
                (line.len()..9).for_each(|_| line.push_back(join(key)));
            }
            for (one, other) in (0..had.len()).flat_map(|one| (0..one).map(move |to| (one, to))) {
                let most = asks[one].iter().max().unwrap() + asks[other].iter().max().unwrap();
                assert!(had[one].abs_diff(had[other]) <= most, "{had:?} of {asks:?}");
            }
        }
    }
}
