//! Clauses Z: what the local executor promises.

use allhome::{LocalExecutor, Nursery, block_on, nursery_on, sleep, yield_now};
use allhome_conformance::{Counts, DropPanics, Gate};
use allhome_rt::{LocalTask, Spawn, SpawnBlocking, SpawnLocal, Task, Timer};
use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
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
fn z02_other_threads_spawn_and_wake() {
    let executor = LocalExecutor::new();
    let (handle, counts) = (executor.handle(), Counts::new());
    let (sender, home) = (counts.clone(), thread::current().id());
    let wrong = Arc::new(AtomicUsize::new(0));
    let count_wrong = wrong.clone();
    let other = thread::spawn(move || {
        for _ in 0..1_000 {
            let (guard, wrong) = (sender.guard(), count_wrong.clone());
            handle.spawn(Task::from_future(async move {
                turns(1).await;
                wrong.fetch_add(usize::from(thread::current().id() != home), Ordering::SeqCst);
                drop(guard);
            }));
        }
    });
    executor.run(async {
        while counts.drops() < 1_000 {
            turns(1).await;
        }
    });
    other.join().unwrap();
    assert_eq!((executor.tasks(), wrong.load(Ordering::SeqCst)), (0, 0));
}

#[test]
fn z02_wake_from_elsewhere_ends_the_sleep() {
    let executor = LocalExecutor::new();
    for round in 0..500 {
        let (tx, rx) = mpsc::channel::<Waker>();
        let other = thread::spawn(move || {
            let waker = rx.recv().unwrap();
            // Sometimes before it sleeps, sometimes when it does.
            (0..round % 50 * 100).for_each(|_| std::hint::spin_loop());
            waker.wake();
        });
        let mut polls = 0;
        executor.run(poll_fn(|cx| {
            polls += 1;
            if polls == 2 {
                return Poll::Ready(());
            }
            tx.send(cx.waker().clone()).unwrap();
            Poll::Pending
        }));
        other.join().unwrap();
    }
}

#[test]
fn z02_wakes_from_many_threads_are_not_lost() {
    const THREADS: usize = 3;
    const WAKES: usize = 2_000;
    let executor = LocalExecutor::new();
    let (sent, seen) = (Arc::new(AtomicUsize::new(0)), Rc::new(Cell::new(0)));
    let kept: Kept = Arc::default();
    let (count, keep, see) = (sent.clone(), kept.clone(), seen.clone());
    executor.spawn_future(poll_fn(move |cx| {
        // Kept first: whoever adds to the count afterwards wakes this poll's successor.
        *keep.lock().unwrap() = Some(cx.waker().clone());
        see.set(count.load(Ordering::SeqCst));
        if see.get() == THREADS * WAKES { Poll::Ready(()) } else { Poll::Pending }
    }));
    pump(&executor);
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let (sent, kept) = (sent.clone(), kept.clone());
            thread::spawn(move || {
                for _ in 0..WAKES {
                    sent.fetch_add(1, Ordering::SeqCst);
                    let waker = kept.lock().unwrap().clone();
                    waker.unwrap().wake();
                }
            })
        })
        .collect();
    executor.run(async {
        while executor.tasks() > 0 {
            turns(1).await;
        }
    });
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(seen.get(), THREADS * WAKES);
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
fn z06_no_poll_without_a_wake_and_one_for_many() {
    let executor = LocalExecutor::new();
    let (counts, kept, polls) = (Counts::new(), Kept::default(), Rc::new(Cell::new(0)));
    executor.spawn_future(parked(&polls, &kept, &counts));
    pump(&executor);
    pump(&executor);
    assert_eq!(polls.get(), 1);
    let waker = || kept.lock().unwrap().clone().unwrap();
    // At home, in a run: the rest of this poll's wakes find the task queued.
    executor.run(async {
        (0..5).for_each(|_| waker().wake());
        turns(2).await;
    });
    assert_eq!(polls.get(), 2);
    let elsewhere = waker();
    thread::spawn(move || (0..5).for_each(|_| elsewhere.wake_by_ref())).join().unwrap();
    pump(&executor);
    assert_eq!(polls.get(), 3);
    // From both sides, outside of any run and inside.
    let elsewhere = waker();
    thread::spawn(move || elsewhere.wake()).join().unwrap();
    waker().wake();
    pump(&executor);
    assert_eq!(polls.get(), 4);
    executor.run(async {
        let elsewhere = waker();
        thread::spawn(move || elsewhere.wake()).join().unwrap();
        waker().wake();
        turns(5).await;
    });
    assert_eq!(polls.get(), 5);
}

#[test]
fn z06_old_wakers_wake_nobody_else() {
    let executor = LocalExecutor::new();
    let (counts, kept) = (Counts::new(), Kept::default());
    let keep = kept.clone();
    executor.spawn_future(poll_fn(move |cx| {
        *keep.lock().unwrap() = Some(cx.waker().clone());
        Poll::Ready(())
    }));
    pump(&executor);
    let old = kept.lock().unwrap().take().unwrap();
    // These stand where the first one stood.
    let polls = Rc::new(Cell::new(0));
    for _ in 0..3 {
        executor.spawn_future(parked(&polls, &Kept::default(), &counts));
    }
    pump(&executor);
    executor.run(async {
        old.wake_by_ref();
        turns(3).await;
    });
    thread::spawn(move || old.wake()).join().unwrap();
    pump(&executor);
    assert_eq!(polls.get(), 3);
}

#[test]
fn z06_seats_that_are_taken_over_are_woken_as_new() {
    let executor = LocalExecutor::new();
    for _ in 0..50 {
        let (counts, kept, polls) = (Counts::new(), Kept::default(), Rc::new(Cell::new(0)));
        // It ends while it is queued, here and from elsewhere, and nobody keeps its waker.
        executor.spawn_future(poll_fn(|cx| {
            cx.waker().wake_by_ref();
            let waker = cx.waker().clone();
            thread::spawn(move || waker.wake()).join().unwrap();
            Poll::Ready(())
        }));
        pump(&executor);
        executor.spawn_future(parked(&polls, &kept, &counts));
        pump(&executor);
        assert_eq!(polls.get(), 1);
        let waker = kept.lock().unwrap().take().unwrap();
        thread::spawn(move || waker.wake()).join().unwrap();
        pump(&executor);
        assert_eq!(polls.get(), 2);
        let waker = kept.lock().unwrap().take().unwrap();
        executor.run(async {
            waker.wake();
            turns(2).await;
        });
        assert_eq!(polls.get(), 3);
    }
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
    let run = nursery_on(&executor).run(async |n: Nursery<allhome::Unsupported>| {
        let slow = n.fork(async {
            sleep(Duration::from_millis(1)).await?;
            yield_now().await;
            Ok(6)
        });
        let work = n.blocking(|_| Ok(7))?;
        Ok(slow.join().await.unwrap() * work.join().await.unwrap())
    });
    assert_eq!(executor.run(run).unwrap(), 42);
    // Its handle may be used from elsewhere, as long as it is run here.
    let handle = executor.handle();
    let other = thread::spawn(move || {
        let runtime = allhome_rt::Runtime::new("local", handle);
        block_on(nursery_on(runtime).run(async |n: Nursery<Infallible>| {
            Ok(n.fork(async { Ok(thread::current().id()) }).join().await.unwrap())
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
