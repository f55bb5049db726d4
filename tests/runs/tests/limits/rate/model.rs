//! Random operations against a plain model of a token bucket with a line.

use super::{Waiting, limiter};
use allhome::limit::{AcquireError, Rate, RateLimiter, TryAcquireError};
use allhome_runs::Clock;
use proptest::prelude::*;
use std::collections::VecDeque;
use std::task::Poll;
use std::time::Duration;

#[derive(Debug, Clone)]
enum Op {
    Advance(u64),
    Acquire(usize),
    Try(usize),
    Poll(usize),
    Drop(usize),
    Rate(usize),
    Resize(usize),
    Close,
}

fn op() -> impl Strategy<Value = Op> {
    let at = any::<u16>().prop_map(usize::from);
    let count = 0..6_usize;
    prop_oneof![
        30 => (0..40_u64).prop_map(Op::Advance),
        30 => count.clone().prop_map(Op::Acquire),
        10 => count.clone().prop_map(Op::Try),
        30 => at.clone().prop_map(Op::Poll),
        10 => at.clone().prop_map(Op::Drop),
        3 => at.prop_map(Op::Rate),
        3 => count.prop_map(Op::Resize),
        1 => Just(Op::Close),
    ]
}

/// Nanoseconds a permit; in whole ones, so that the model has no rounding to think of.
const RATES: [u64; 4] = [1, 7, 10, 100];

fn rate(at: usize) -> Rate {
    Rate::new(1, Duration::from_nanos(RATES[at % RATES.len()]))
}

#[derive(Debug, Clone, PartialEq)]
enum Fate {
    Waits,
    Granted,
    Refused(&'static str),
}

struct Call<'a> {
    number: usize,
    asked: usize,
    fate: Fate,
    real: Waiting<'a>,
}

/// The limiter, and what it is expected to be: a level in nanoseconds of filling, and a line.
struct World<'a> {
    real: &'a RateLimiter,
    clock: Clock,
    permit: u64,
    burst: usize,
    level: u64,
    closed: bool,
    calls: Vec<Call<'a>>,
    line: VecDeque<usize>,
    made: usize,
}

impl<'a> World<'a> {
    fn full(&self) -> u64 {
        self.burst as u64 * self.permit
    }

    fn call(&mut self, number: usize) -> &mut Call<'a> {
        self.calls.iter_mut().find(|call| call.number == number).expect("it stands in the line")
    }

    /// A call looks: it serves the waiters whose turn it is.
    fn look(&mut self) {
        let burst = self.burst;
        for number in self.line.clone() {
            if self.call(number).asked > burst {
                self.call(number).fate = Fate::Refused("too many");
                self.line.retain(|other| *other != number);
            }
        }
        while let Some(&number) = self.line.front() {
            let cost = self.call(number).asked as u64 * self.permit;
            if self.closed {
                self.call(number).fate = Fate::Refused("closed");
            } else if cost <= self.level {
                self.level -= cost;
                self.call(number).fate = Fate::Granted;
            } else {
                break;
            }
            self.line.pop_front();
        }
    }

    /// What an acquire that comes now gets.
    fn admit(&mut self, asked: usize) -> Fate {
        let cost = asked as u64 * self.permit;
        if self.closed {
            Fate::Refused("closed")
        } else if asked > self.burst {
            Fate::Refused("too many")
        } else if asked == 0 || self.line.is_empty() && cost <= self.level {
            self.level -= cost;
            Fate::Granted
        } else {
            Fate::Waits
        }
    }

    /// Polls a call, and keeps it if it waits.
    fn poll(&mut self, mut call: Call<'a>) {
        let found = call.real.poll();
        match (&found, &call.fate) {
            (Poll::Pending, Fate::Waits) => self.calls.push(call),
            (Poll::Ready(Ok(())), Fate::Granted) => (),
            (Poll::Ready(Err(error)), Fate::Refused(why)) => {
                assert_eq!(*why == "closed", *error == AcquireError::Closed);
            }
            (found, expected) => panic!("{found:?}, expected {expected:?}"),
        }
    }

    fn step(&mut self, op: Op) {
        match op {
            Op::Advance(nanos) => {
                self.clock.advance(Duration::from_nanos(nanos));
                self.level = self.full().min(self.level + nanos);
            }
            Op::Acquire(asked) => {
                let fate = self.admit(asked);
                let (number, real) = (self.made, Waiting::new(self.real, asked));
                self.made += 1;
                if fate == Fate::Waits {
                    self.line.push_back(number);
                }
                let call = Call { number, asked, fate, real };
                self.poll(call);
                self.look_if_first(number);
            }
            Op::Try(asked) => {
                let found = self.real.try_acquire_many(asked);
                match (&found, self.admit(asked)) {
                    (Ok(()), Fate::Granted) => (),
                    (Err(TryAcquireError::NoPermits), Fate::Waits) => (),
                    (Err(TryAcquireError::Closed), Fate::Refused("closed")) => (),
                    (Err(TryAcquireError::TooMany { .. }), Fate::Refused("too many")) => (),
                    (found, expected) => panic!("{found:?}, expected {expected:?}"),
                }
                self.look();
            }
            Op::Poll(at) if !self.calls.is_empty() => {
                let at = at % self.calls.len();
                let number = self.calls[at].number;
                self.look_if_first(number);
                let call = self.calls.swap_remove(at);
                self.poll(call);
            }
            Op::Drop(at) if !self.calls.is_empty() => {
                let call = self.calls.swap_remove(at % self.calls.len());
                self.line.retain(|number| *number != call.number);
                if call.fate == Fate::Granted {
                    let back = call.asked as u64 * self.permit;
                    self.level = self.full().min(self.level + back);
                }
                let looks = !matches!(call.fate, Fate::Refused(_));
                drop(call);
                if looks {
                    self.look();
                }
            }
            Op::Rate(at) => {
                let permit = RATES[at % RATES.len()];
                let (whole, part) = (self.level / self.permit, self.level % self.permit);
                let stays = u64::from(whole < self.burst as u64);
                self.level = whole * permit + stays * (part * permit / self.permit);
                self.permit = permit;
                self.real.set_rate(rate(at));
                self.look();
            }
            Op::Resize(burst) => {
                self.burst = burst;
                self.level = self.level.min(self.full());
                self.real.resize(burst);
                self.look();
            }
            Op::Close => {
                assert_eq!(self.real.close(), !self.closed);
                self.closed = true;
                self.look();
            }
            Op::Poll(_) | Op::Drop(_) => (),
        }
    }

    /// A poll of the first in the line is a look.
    fn look_if_first(&mut self, number: usize) {
        if self.line.front() == Some(&number) {
            self.look();
        }
    }

    fn check(&self) {
        let found = (self.real.available() as u64, self.real.waiters());
        assert_eq!(found, (self.level / self.permit, self.line.len()));
        for call in &self.calls {
            let told = call.fate != Fate::Waits;
            assert!(!told || call.real.woken() > 0 || self.line.is_empty(), "told and not woken");
        }
        let first = self
            .line
            .front()
            .and_then(|number| self.calls.iter().find(|call| call.number == *number));
        // Its timer is there, or it was woken to see to it.
        assert!(first.is_none_or(|call| call.real.woken() > 0 || self.clock.sleeps() > 0));
        assert!(self.clock.sleeps() <= self.calls.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn q15_random_operations(
        at in 0..RATES.len(),
        burst in 0..6_usize,
        ops in prop::collection::vec(op(), 1..120),
    ) {
        let clock = Clock::new();
        let real = limiter(&clock, rate(at), burst);
        let permit = RATES[at];
        let level = burst as u64 * permit;
        let mut world = World {
            real: &real, clock, permit, burst, level,
            closed: false, calls: Vec::new(), line: VecDeque::new(), made: 0,
        };
        for op in ops {
            world.step(op);
            world.check();
        }
        let clock = world.clock.clone();
        drop(world);
        assert_eq!((real.waiters(), clock.sleeps()), (0, 0));
    }
}
