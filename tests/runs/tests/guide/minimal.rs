//! The program that docs/BRING-YOUR-OWN-RUNTIME.md begins with.

use allhome::runtime::{Runtime, Spawn, Task};
use allhome::{BoxError, Nursery, nursery, sleep};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

/// An executor: it gives each task a thread of its own.
struct Threads;

impl Spawn for Threads {
    fn spawn(&self, task: Task) {
        thread::spawn(|| block_on(task));
    }
}

/// Polls a future to its end. The thread sleeps while the future waits.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let unpark = Arc::new(Unpark(thread::current(), AtomicBool::new(false)));
    let waker = Waker::from(unpark.clone());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        // The token of `unpark` is not enough: a `park` inside the future may have taken it.
        while !unpark.1.swap(false, SeqCst) {
            thread::park();
        }
    }
}

/// Wakes a thread, and notes that it has.
struct Unpark(Thread, AtomicBool);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.1.store(true, SeqCst);
        self.0.unpark();
    }
}

fn main() -> Result<(), BoxError> {
    let runtime = Runtime::new("threads", Threads);
    let five = nursery().on(runtime).run(async |n: Nursery| {
        let (two, three) = (n.fork(async { Ok(2) }), n.fork(async { Ok(3) }));
        sleep(Duration::from_millis(1)).await; // on a timer that is lent
        Ok(two.await? + three.await?)
    });
    assert_eq!(block_on(five)?, 5);
    Ok(())
}

#[test]
fn it_ends() {
    main().expect("no child fails");
}

#[test]
fn a_token_that_is_eaten_hangs_nothing() {
    let mut woken = false;
    block_on(std::future::poll_fn(|cx| {
        if woken {
            return Poll::Ready(());
        }
        woken = true;
        cx.waker().wake_by_ref();
        thread::park(); // takes the token of that wake
        Poll::Pending
    }));
}
