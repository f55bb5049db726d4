//! Its end: every task is dropped once, whatever comes meanwhile and afterwards.

use super::{Kept, parked, pump};
use allhome::runtime::LocalExecutor;
use allhome_conformance::Counts;
use allhome_rt::{LocalTask, Spawn, SpawnLocal, Task};
use std::cell::Cell;
use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::sync::{Arc, Barrier};
use std::task::{Poll, Waker};
use std::thread;

#[test]
fn z04_shutdown_drops_every_task_once() {
    let (counts, kept) = (Counts::new(), Kept::default());
    let polls = Rc::new(Cell::new(0));
    let executor = LocalExecutor::new();
    let (handle, spawner) = (executor.handle(), executor.spawner());
    for _ in 0..10 {
        executor.spawn_future(parked(&polls, &kept, &counts));
    }
    pump(&executor);
    assert_eq!(polls.get(), 10);
    // One that was not polled yet, and one that is on its way.
    executor.spawn_future(parked(&polls, &kept, &counts));
    let (remote, guard) = (handle.clone(), counts.guard());
    thread::spawn(move || remote.spawn(Task::from_future(async move { drop(guard) })))
        .join()
        .unwrap();
    executor.shutdown();
    assert_eq!((counts.drops(), polls.get(), executor.tasks()), (12, 10, 0));
    // Nothing is taken any more, and what is kept does nothing.
    let guard = counts.guard();
    handle.spawn(Task::from_future(async move { drop(guard) }));
    spawner.spawn_future(parked(&polls, &kept, &counts));
    assert_eq!(counts.drops(), 14);
    let waker = kept.lock().unwrap().take().unwrap();
    let clone = waker.clone();
    thread::spawn(move || clone.wake()).join().unwrap();
    waker.wake();
    pump(&executor);
    executor.shutdown();
    drop(executor);
    spawner.spawn_local(LocalTask::from_future(parked(&polls, &kept, &counts)));
    assert_eq!((counts.drops(), polls.get()), (15, 10));
}

#[test]
fn z04_shutdown_races_with_wakes_and_spawns() {
    for round in 0..300 {
        let (counts, kept) = (Counts::new(), Kept::default());
        let executor = LocalExecutor::new();
        let polls = Rc::new(Cell::new(0));
        executor.spawn_future(parked(&polls, &kept, &counts));
        pump(&executor);
        let (start, handle) = (Arc::new(Barrier::new(2)), executor.handle());
        let (ready, guard, kept) = (start.clone(), counts.guard(), kept.clone());
        let other = thread::spawn(move || {
            let waker = kept.lock().unwrap().take().unwrap();
            ready.wait();
            (0..round % 30).for_each(|_| std::hint::spin_loop());
            waker.wake();
            handle.spawn(Task::from_future(async move { drop(guard) }));
        });
        start.wait();
        drop(executor);
        other.join().unwrap();
        assert_eq!(counts.drops(), 2);
    }
}

#[test]
fn z04_shutdown_inside_a_task_and_in_a_destructor() {
    struct ShutsDown(Rc<LocalExecutor>, Counts, Waker);
    impl Drop for ShutsDown {
        fn drop(&mut self) {
            self.0.shutdown();
            let guard = self.1.guard();
            self.0.spawn_future(async move { drop(guard) });
            self.2.wake_by_ref();
        }
    }
    let counts = Counts::new();
    let executor = Rc::new(LocalExecutor::new());
    for _ in 0..4 {
        let (own, counts) = (executor.clone(), counts.clone());
        executor.spawn_future(async move {
            let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
            let _guard = counts.guard();
            let _shuts_down = ShutsDown(own, counts, waker);
            pending::<()>().await;
        });
    }
    pump(&executor);
    let (own, guard) = (executor.clone(), counts.guard());
    executor.spawn_future(async move {
        own.shutdown();
        drop(own);
        pending::<()>().await;
        drop(guard);
    });
    pump(&executor);
    assert_eq!((counts.drops(), executor.tasks()), (4 * 2 + 1, 0));
    assert_eq!(Rc::strong_count(&executor), 1);
}
