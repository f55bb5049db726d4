//! The pool's timer: sleeps added and cancelled among many, and many that end at once.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Sender, channel};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

use allhome::runtime::ThreadPool;
use allhome_rt::Timer;
use tokio_util::time::DelayQueue;

use crate::case::{Case, Goal, Measure, Side};
use crate::host::{Flavor, Host};
use crate::watch::{Sample, Watch};

const CHANGES: usize = 10_000;
const FIRES: usize = 100_000;

/// From the first sleep that is made to the moment when all of them end.
const AHEAD: Duration = Duration::from_millis(500);

pub(super) fn cases() -> Vec<Case> {
    vec![change("10k", 10_000), change("1m", 1_000_000), fire()]
}

fn case(name: String, ops: usize, heavy: bool, sides: impl Fn() -> Vec<Side> + 'static) -> Case {
    let (ops, measure) = (ops as u64, Measure::Nanoseconds);
    Case { name, ops, measure, heavy, sides: Box::new(sides) }
}

/// Numbers that look like chance, the same ones in each run (Marsaglia's xorshift64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// An instant between a minute and about an hour away.
    fn deadline(&mut self, base: Instant) -> Instant {
        base + Duration::from_micros(60_000_000 + self.next() % 3_600_000_000)
    }
}

/// Returns the case that cancels one of so many live sleeps and adds another in its place.
///
/// Ours is what a user gets: a boxed sleep that any thread may poll and drop, so it is allocated,
/// looks at the clock when it is polled, and takes a lock when it is polled and when it is dropped.
/// `DelayQueue` is one task's own. Nothing is allocated, looked at or locked for an entry, and
/// there is no waker in it; its deadlines are whole milliseconds. tokio's sleep does the same job
/// as ours. It is boxed here, as a user that keeps many has to box it.
pub fn change(label: &str, live: usize) -> Case {
    case(format!("timer/add_cancel/{label}"), CHANGES, live > 10_000, move || {
        let ours = Side::new("ours", {
            let pool = ThreadPool::new(1).expect("one thread");
            let mut changes = Changes::new(live, |at| {
                let mut sleep = pool.sleep_until(at);
                let polled = sleep.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                assert!(polled.is_pending());
                sleep
            });
            move |times| {
                let _kept = &pool;
                changes.run(times, |sleeps, index, at| {
                    let mut sleep = pool.sleep_until(at);
                    let polled = sleep.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                    assert!(polled.is_pending());
                    sleeps[index] = sleep;
                })
            }
        });
        let peer = Side::new("DelayQueue", {
            let host = Host::new(Flavor::CurrentThread);
            let mut queue = DelayQueue::new();
            let mut changes =
                host.inside(|| Changes::new(live, |at| queue.insert_at((), at.into())));
            move |times| {
                host.inside(|| {
                    changes.run(times, |keys, index, at| {
                        queue.remove(&keys[index]);
                        keys[index] = queue.insert_at((), at.into());
                    })
                })
            }
        });
        let sleep = Side::new("Sleep (tokio)", {
            let host = Host::new(Flavor::CurrentThread);
            let add = |at: Instant| {
                let mut sleep = Box::pin(tokio::time::sleep_until(at.into()));
                let polled = sleep.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                assert!(polled.is_pending());
                sleep
            };
            let mut changes = host.inside(|| Changes::new(live, add));
            move |times| {
                host.inside(|| changes.run(times, |sleeps, index, at| sleeps[index] = add(at)))
            }
        });
        vec![ours, peer.goal(Goal::Ratio(0.60)), sleep]
    })
}

struct Changes<T> {
    live: Vec<T>,
    numbers: Numbers,
    base: Instant,
}

impl<T> Changes<T> {
    fn new(live: usize, mut add: impl FnMut(Instant) -> T) -> Self {
        let (mut numbers, base) = (Numbers(0x9E37_79B9_7F4A_7C15), Instant::now());
        let live = (0..live).map(|_| add(numbers.deadline(base))).collect();
        Changes { live, numbers, base }
    }

    fn run(&mut self, times: u64, mut change: impl FnMut(&mut [T], usize, Instant)) -> Sample {
        let watch = Watch::start();
        for _ in 0..times * CHANGES as u64 {
            let index = self.numbers.next() as usize % self.live.len();
            change(&mut self.live, index, self.numbers.deadline(self.base));
        }
        watch.stop()
    }
}

/// Counts itself down, and sends a message at the end.
struct Fired {
    left: AtomicUsize,
    done: Sender<Instant>,
}

impl Wake for Fired {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.left.fetch_sub(1, Relaxed) == 1 {
            self.done.send(Instant::now()).expect("the receiver waits");
        }
    }
}

/// From the moment when they are due to the last one's wake; they wake no task.
fn fire() -> Case {
    fn side<S: Future<Output = ()> + ?Sized>(
        name: &'static str,
        sleep: impl Fn(Instant) -> Pin<Box<S>> + 'static,
    ) -> Side {
        Side::new(name, move |times| {
            let mut total = Sample::default();
            for _ in 0..times {
                let (done, wait) = channel();
                let waker = Waker::from(Arc::new(Fired { left: AtomicUsize::new(FIRES), done }));
                let due = Instant::now() + AHEAD;
                let mut sleeps: Vec<_> = (0..FIRES).map(|_| sleep(due)).collect();
                for sleep in &mut sleeps {
                    let polled = sleep.as_mut().poll(&mut Context::from_waker(&waker));
                    assert!(polled.is_pending(), "the machine was too slow to add them all");
                }
                let last = wait.recv().expect("the last one sends");
                total.elapsed += last.duration_since(due);
            }
            total
        })
    }
    case("timer/fire/100k".to_string(), FIRES, true, || {
        let pool = ThreadPool::new(1).expect("one thread");
        let host = Host::new(Flavor::MultiThread);
        let peer = move |at: Instant| host.inside(|| Box::pin(tokio::time::sleep_until(at.into())));
        vec![
            side("ours", move |at| pool.sleep_until(at)),
            side("Sleep (tokio)", peer).goal(Goal::Ratio(0.80)),
        ]
    })
}
