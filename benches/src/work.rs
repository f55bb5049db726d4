//! The children's work: as little as can be measured.
//!
//! Every side of a case runs the same child; only its output differs (allhome's children return a
//! `Result`), and all those outputs are of the same size.

use std::future::{pending, poll_fn};
use std::hint::{black_box, spin_loop};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

// A static, so that a parked child holds nothing that a real one would not. Cases run one at a
// time, and the numbers order nothing, so Relaxed is enough.
static PARKED: AtomicUsize = AtomicUsize::new(0);
static ENDED: AtomicUsize = AtomicUsize::new(0);

/// A kind of child.
pub trait Work: Copy + Send + Sync + 'static {
    /// Makes the child, a future that ends in `value` if it ends.
    fn start<T: Send + 'static>(self, value: T) -> impl Future<Output = T> + Send + 'static;
}

/// Ends at its first poll.
#[derive(Clone, Copy, Debug)]
pub struct Noop;

impl Work for Noop {
    async fn start<T: Send + 'static>(self, value: T) -> T {
        value
    }
}

/// Wakes itself, suspends once, and ends at its second poll.
#[derive(Clone, Copy, Debug)]
pub struct YieldOnce;

impl Work for YieldOnce {
    async fn start<T: Send + 'static>(self, value: T) -> T {
        let mut yielded = false;
        poll_fn(|cx| {
            if yielded {
                return Poll::Ready(());
            }
            yielded = true;
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        value
    }
}

/// Wakes itself and suspends so many times, and then ends.
#[derive(Clone, Copy, Debug)]
pub struct Yields(pub u32);

impl Work for Yields {
    async fn start<T: Send + 'static>(self, value: T) -> T {
        let mut left = self.0;
        poll_fn(|cx| {
            if left == 0 {
                return Poll::Ready(());
            }
            left -= 1;
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        value
    }
}

/// Keeps its thread busy for so many microseconds, and ends.
#[derive(Clone, Copy, Debug)]
pub struct Busy(pub u64);

impl Work for Busy {
    async fn start<T: Send + 'static>(self, value: T) -> T {
        let (began, long) = (Instant::now(), Duration::from_micros(self.0));
        while self.0 > 0 && began.elapsed() < long {
            spin_loop();
        }
        value
    }
}

/// Waits so many times for [`ring`], and keeps its thread busy after each.
#[derive(Clone, Copy, Debug)]
pub struct WokenBusy {
    /// How often it waits.
    pub times: u32,
    /// For how many microseconds it works then.
    pub micros: u64,
}

impl Work for WokenBusy {
    async fn start<T: Send + 'static>(self, value: T) -> T {
        for _ in 0..self.times {
            Woken(1).start(()).await;
            Busy(self.micros).start(()).await;
        }
        value
    }
}

/// Counts itself and then waits for ever, holding so many bytes of its own.
#[derive(Clone, Copy, Debug)]
pub struct Parked<const BYTES: usize>;

impl<const BYTES: usize> Work for Parked<BYTES> {
    async fn start<T: Send + 'static>(self, value: T) -> T {
        let held = [0_u8; BYTES];
        PARKED.fetch_add(1, Relaxed);
        pending::<()>().await;
        black_box(&held);
        value
    }
}

/// Starts the count of parked children anew.
pub fn reset_parked() {
    PARKED.store(0, Relaxed);
}

/// Waits, on tokio, until `n` children have parked since the reset.
pub async fn all_parked(n: usize) {
    while PARKED.load(Relaxed) < n {
        tokio::task::yield_now().await;
    }
}

/// Counts itself and ends.
#[derive(Clone, Copy, Debug)]
pub struct Counted;

impl Work for Counted {
    async fn start<T: Send + 'static>(self, value: T) -> T {
        ENDED.fetch_add(1, Relaxed);
        value
    }
}

/// Starts the count of ended children anew.
pub fn reset_ended() {
    ENDED.store(0, Relaxed);
}

/// Waits, on tokio, until `n` children have ended since the reset.
pub async fn all_ended(n: usize) {
    while ENDED.load(Relaxed) < n {
        tokio::task::yield_now().await;
    }
}

// One pass at a time; a lock, because the children ring in from several threads.
static WAITING: Mutex<Vec<Waker>> = Mutex::new(Vec::new());

/// Waits so many times for [`ring`], and then ends.
#[derive(Clone, Copy, Debug)]
pub struct Woken(pub u32);

impl Work for Woken {
    async fn start<T: Send + 'static>(self, value: T) -> T {
        let mut left = self.0;
        poll_fn(|cx| {
            if left == 0 {
                return Poll::Ready(());
            }
            left -= 1;
            let mut waiting = WAITING.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.push(cx.waker().clone());
            Poll::Pending
        })
        .await;
        value
    }
}

/// Wakes `n` children of kind [`Woken`] or [`WokenBusy`] as often as they wait, on tokio: all of them each time.
pub async fn ring(n: usize, times: u32) {
    for _ in 0..times {
        let woken = loop {
            if let Some(all) = all_waiting(n) {
                break all;
            }
            tokio::task::yield_now().await;
        };
        for waker in woken {
            waker.wake();
        }
    }
}

fn all_waiting(n: usize) -> Option<Vec<Waker>> {
    let mut waiting = WAITING.lock().unwrap_or_else(PoisonError::into_inner);
    (waiting.len() == n).then(|| std::mem::take(&mut *waiting))
}
