//! Clause U02, in a process of its own: it counts what the whole process allocates.

use allhome::runtime::ThreadPool;
use allhome_rt::{BoxSleep, Timer};
use cap::Cap;
use std::alloc::System;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

const SLEEPS: usize = 100_000;

/// What may be left of the room that so many had: a few chunks of entries.
const LEFT: usize = 1 << 20;

fn armed(pool: &ThreadPool, ahead: Duration, waker: &Waker) -> BoxSleep {
    let mut sleep = pool.sleep_until(pool.now() + ahead);
    let _ = sleep.as_mut().poll(&mut Context::from_waker(waker));
    sleep
}

/// Counts itself down, and sends a message at the end.
struct Down(AtomicUsize, Sender<()>);

impl Wake for Down {
    fn wake(self: Arc<Self>) {
        if self.0.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.1.send(()).expect("the test waits");
        }
    }
}

#[test]
fn u02_sleeps_that_are_gone_give_their_memory_back() {
    let pool = ThreadPool::new(1).expect("one thread");
    // The first one starts the thread.
    drop(armed(&pool, Duration::from_secs(60), Waker::noop()));
    let before = HEAP.allocated();
    let held = || HEAP.allocated().saturating_sub(before);

    let seconds = |number: usize| Duration::from_secs(60 + (number * 7_919 % 3_600) as u64);
    let mut sleeps: Vec<_> =
        (0..SLEEPS).map(|number| armed(&pool, seconds(number), Waker::noop())).collect();
    let full = held();
    assert!(full > 8 * LEFT, "so many take {full} bytes");
    let mut number = 0;
    sleeps.retain(|_| {
        number += 1;
        number % (SLEEPS / 4) == 0
    });
    sleeps.shrink_to_fit();
    assert_eq!(sleeps.len(), 4);
    assert!(held() < LEFT, "four that stay keep {} of {full} bytes", held());
    drop(sleeps);
    assert!(held() < LEFT / 2, "without sleeps it keeps {} of {full} bytes", held());

    let (sender, woken) = channel();
    let waker = Waker::from(Arc::new(Down(AtomicUsize::new(SLEEPS + 1), sender)));
    let at = pool.now() + Duration::from_millis(300);
    let mut sleeps: Vec<_> = (0..SLEEPS).map(|_| pool.sleep_until(at)).collect();
    for sleep in &mut sleeps {
        if sleep.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            waker.wake_by_ref();
        }
    }
    waker.wake_by_ref();
    woken.recv_timeout(Duration::from_secs(60)).expect("all wake");
    drop((sleeps, waker));
    // A sleep that ends after them ends when the timer has put their memory away.
    let (sender, woken) = channel();
    let waker = Waker::from(Arc::new(Down(AtomicUsize::new(1), sender)));
    let after = armed(&pool, Duration::from_millis(5), &waker);
    woken.recv_timeout(Duration::from_secs(60)).expect("it wakes");
    drop((after, waker));
    assert!(held() < LEFT / 2, "without sleeps it keeps {} of {full} bytes", held());
}
