//! The program that docs/BRING-YOUR-OWN-RUNTIME.md begins with.

use allhome::runtime::{Runtime, Spawn, Task};
use allhome::{BoxError, Nursery, nursery, sleep};
use std::pin::pin;
use std::sync::Arc;
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
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
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
