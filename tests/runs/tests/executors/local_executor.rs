//! Clauses Z: what the local executor promises.

mod end;
mod wakes;

use allhome::runtime::LocalExecutor;
use allhome::{Nursery, block_on, nursery, sleep, yield_now};
use allhome_conformance::{Counts, DropPanics, Gate};
use allhome_rt::{LocalTask, Spawn, SpawnBlocking, SpawnLocal, Task, Timer};
use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

/// Gives the others so many turns.
async fn turns(count: usize) {
    let mut left = count;
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Runs everything that can run.
fn pump(executor: &LocalExecutor) {
    executor.run(turns(20));
}

type Kept = Arc<Mutex<Option<Waker>>>;

/// Counts its polls, keeps its waker and never ends.
fn parked(
    polls: &Rc<Cell<usize>>,
    kept: &Kept,
    counts: &Counts,
) -> impl Future<Output = ()> + use<> {
    let (polls, kept, guard) = (polls.clone(), kept.clone(), counts.guard());
    poll_fn(move |cx| {
        let _ = &guard;
        polls.set(polls.get() + 1);
        *kept.lock().unwrap() = Some(cx.waker().clone());
        Poll::Pending
    })
}

/// Notes the thread that drops it. Not `Send`, though it could be.
struct DroppedOn(Arc<Mutex<Vec<ThreadId>>>, #[expect(dead_code)] Rc<()>);

impl Drop for DroppedOn {
    fn drop(&mut self) {
        self.0.lock().unwrap().push(thread::current().id());
    }
}

#[test]
fn z01_local_task_is_polled_and_dropped_at_home() {
    let dropped = Arc::new(Mutex::new(Vec::new()));
    let home = thread::current().id();
    let executor = LocalExecutor::new();
    let wakers: Arc<Mutex<Vec<Waker>>> = Arc::default();
    let polled = Rc::new(RefCell::new(Vec::new()));
    for ends in [true, false] {
        let on_drop = DroppedOn(dropped.clone(), Rc::new(()));
        let (wakers, polled) = (wakers.clone(), polled.clone());
        let mut first = true;
        executor.spawn_local(LocalTask::from_future(poll_fn(move |cx| {
            let _ = &on_drop;
            polled.borrow_mut().push(thread::current().id());
            wakers.lock().unwrap().push(cx.waker().clone());
            if std::mem::replace(&mut first, false) || !ends {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })));
    }
    pump(&executor);
    let elsewhere = std::mem::take(&mut *wakers.lock().unwrap());
    thread::spawn(move || elsewhere.into_iter().for_each(Waker::wake)).join().unwrap();
    pump(&executor);
    assert_eq!(dropped.lock().unwrap().len(), 1, "the one that ends");
    // The last wakers are dropped elsewhere, and then the executor here.
    let elsewhere = std::mem::take(&mut *wakers.lock().unwrap());
    thread::spawn(move || drop(elsewhere)).join().unwrap();
    drop(executor);
    assert_eq!(*dropped.lock().unwrap(), [home, home]);
    assert_eq!(*polled.borrow(), [home; 4]);
}

#[test]
fn z03_tasks_that_wake_themselves_keep_nobody_waiting() {
    let executor = LocalExecutor::new();
    for _ in 0..4 {
        executor.spawn_future(turns(usize::MAX));
    }
    // The root, a task, a wake and a task from elsewhere, a sleep, a blocking job.
    let (counts, gate) = (Counts::new(), Gate::new());
    let guard = counts.guard();
    executor.spawn_future(async move { drop(guard) });
    let (opens, guard, waits) = (gate.clone(), counts.guard(), gate.clone());
    executor.spawn_future(async move {
        waits.wait().await;
        drop(guard);
    });
    let (handle, guard) = (executor.handle(), counts.guard());
    let other = thread::spawn(move || {
        opens.open();
        handle.spawn(Task::from_future(async move { drop(guard) }));
    });
    let (handle, guard) = (executor.handle(), counts.guard());
    executor.spawn_future(async move {
        handle.sleep_until(Instant::now() + Duration::from_millis(1)).await;
        drop(guard);
    });
    let guard = counts.guard();
    executor.handle().spawn_blocking(Box::new(move || drop(guard)));
    executor.run(async {
        while counts.drops() < 5 {
            turns(1).await;
        }
    });
    other.join().unwrap();
}

#[test]
fn z05_panics_are_contained() {
    let executor = LocalExecutor::new();
    let counts = Counts::new();
    let guard = counts.guard();
    executor.spawn_future(async move {
        let _guard = guard;
        panic!("thrown on purpose");
    });
    executor.spawn_future(async {
        let _bomb = DropPanics("thrown on purpose");
    });
    executor.spawn_future(async {
        let _bomb = DropPanics("thrown on purpose");
        pending::<()>().await;
    });
    pump(&executor);
    assert_eq!((counts.drops(), executor.tasks()), (1, 1));
    let root =
        catch_unwind(AssertUnwindSafe(|| executor.run(async { panic!("thrown on purpose") })));
    assert!(root.is_err());
    let guard = counts.guard();
    executor.spawn_future(async move { drop(guard) });
    pump(&executor);
    assert_eq!(counts.drops(), 2);
    executor.shutdown();
    assert_eq!(executor.tasks(), 0);
}

#[test]
fn z07_run_takes_any_future_and_drops_it_first() {
    let executor = LocalExecutor::new();
    let (counts, value) = (Counts::new(), Rc::new(Cell::new(1)));
    let borrowed = &value;
    let guard = counts.guard();
    let seen = executor.run(async move {
        let _guard = guard;
        turns(1).await;
        borrowed.set(2);
        borrowed.get()
    });
    assert_eq!((seen, counts.drops()), (2, 1));
}

#[test]
fn z07_waker_of_an_old_root_does_not_poll_the_next() {
    let executor = LocalExecutor::new();
    let old = executor.run(poll_fn(|cx| Poll::Ready(cx.waker().clone())));
    old.wake_by_ref();
    let mut polls = 0;
    let handle = executor.handle();
    let mut sleep = None;
    executor.run(poll_fn(|cx| {
        polls += 1;
        old.wake_by_ref();
        let at = Instant::now() + Duration::from_millis(5);
        sleep.get_or_insert_with(|| handle.sleep_until(at)).as_mut().poll(cx)
    }));
    assert_eq!(polls, 2);
}

#[test]
fn z07_run_inside_itself_panics_with_a_message() {
    let executor = Rc::new(LocalExecutor::new());
    let own = executor.clone();
    let inside = executor.run(async move {
        let payload = catch_unwind(AssertUnwindSafe(|| own.run(async {}))).unwrap_err();
        payload.downcast_ref::<&str>().map(|text| text.to_string())
    });
    assert!(inside.unwrap().contains("inside itself"));
    // Another one may be run there, and wakes find their way.
    let (other, counts) = (LocalExecutor::new(), Counts::new());
    let guard = counts.guard();
    executor.spawn_future(async move {
        turns(1).await;
        other.run(turns(3));
        turns(1).await;
        drop(guard);
    });
    pump(&executor);
    assert_eq!(counts.drops(), 1);
}

#[test]
fn z07_nursery_runs_on_it() {
    let executor = LocalExecutor::new();
    let run = nursery().on(&executor).run(async |n: Nursery<std::convert::Infallible>| {
        let slow = n.fork(async {
            sleep(Duration::from_millis(1)).await;
            yield_now().await;
            Ok(6)
        });
        let work = n.blocking(|_| Ok(7));
        Ok(slow.await.unwrap() * work.await.unwrap())
    });
    assert_eq!(executor.run(run).unwrap(), 42);
    // Its handle may be used from elsewhere, as long as it is run here.
    let handle = executor.handle();
    let other = thread::spawn(move || {
        let runtime = allhome_rt::Runtime::new("local", handle);
        block_on(nursery().on(runtime).run(async |n: Nursery<Infallible>| {
            Ok(n.fork(async { Ok(thread::current().id()) }).await.unwrap())
        }))
        .unwrap()
    });
    executor.run(async {
        while !other.is_finished() {
            turns(1).await;
        }
    });
    assert_eq!(other.join().unwrap(), thread::current().id());
}
