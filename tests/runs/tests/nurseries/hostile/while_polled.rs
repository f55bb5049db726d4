//! Cancels and aborts that come while a task is polled or destroyed.

use super::OnDrop;
use allhome::cancel::ReasonKind;
use allhome::task::TaskState;
use allhome::{Nursery, Reason, block_on, is_cancelled, nursery, yield_now};
use allhome_conformance::{Counts, Gate};
use allhome_runs::{Hold, Opened, Scheduled, Stepped, Wakes, poll_once, within};
use std::convert::Infallible;
use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;

#[test]
fn c06_abort_during_a_poll_takes_effect_after_it() {
    for of_nursery in [true, false] {
        within(move || {
            let (stepped, hold, counts) = (Stepped::new(1), Hold::new(), Counts::new());
            let mut opened = Opened::new(nursery().on(stepped.runtime()));
            let child = opened.n.fork(hold.child(&counts, |_| Poll::Pending::<Result<(), _>>));
            let thread = stepped.step_on_a_thread();
            hold.wait_entered();
            assert!(if of_nursery { opened.n.abort() } else { child.abort() });
            assert_eq!(counts.drops(), 0, "it is being polled");
            assert_eq!((child.state(), opened.n.len()), (TaskState::Running, 1));
            assert!(opened.finish().is_pending());
            hold.release();
            thread.join().unwrap();
            assert_eq!((counts.polls(), counts.drops()), (1, 1));
            let joined = block_on(child).unwrap_err();
            assert_eq!(joined.reason().unwrap().kind(), ReasonKind::Aborted);
            assert!(matches!(opened.poll(), Poll::Ready(Ok(()))));
            stepped.run_until_stalled();
            assert_eq!((stepped.tasks(), counts.polls()), (0, 1));
        });
    }
}

#[test]
fn c10_cancel_during_a_poll_gives_one_more() {
    for of_nursery in [true, false] {
        within(move || {
            let (stepped, hold) = (Stepped::new(1), Hold::new());
            let (counts, shown) = (Counts::new(), Counts::new());
            let mut opened = Opened::new(nursery().on(stepped.runtime()));
            let (count, show) = (counts.clone(), shown.clone());
            let child = opened.n.fork(hold.child(&counts, move |_| {
                // The first poll may show a cancel that came in its midst; the last must.
                if count.polls() == 2 && is_cancelled() {
                    show.polled();
                }
                Poll::Pending::<Result<(), _>>
            }));
            let thread = stepped.step_on_a_thread();
            hold.wait_entered();
            let reason = Reason::new("stop");
            assert!(if of_nursery {
                opened.n.cancel_with(reason)
            } else {
                child.cancel_with(reason)
            });
            assert_eq!((counts.polls(), counts.drops()), (0, 0));
            hold.release();
            thread.join().unwrap();
            assert_eq!((counts.polls(), shown.polls(), counts.drops()), (2, 1, 1));
            let joined = block_on(child).unwrap_err();
            assert_eq!(joined.reason().unwrap().message(), "stop");
            assert!(matches!(opened.finish(), Poll::Ready(Ok(()))));
            stepped.run_until_stalled();
            assert_eq!((stepped.tasks(), counts.polls()), (0, 2));
        });
    }
}

#[test]
fn c06_poll_during_a_destruction_waits_for_it() {
    within(|| {
        let (stepped, hold, counts) = (Stepped::new(1), Hold::new(), Counts::new());
        let mut opened = Opened::new(nursery().on(stepped.runtime()));
        let (stay, gate, count) = (hold.clone(), Gate::new(), counts.clone());
        let wait = gate.clone();
        let child = opened.n.fork(async move {
            let _guard = count.guard();
            let _last = OnDrop(move || stay.stay());
            // So that a task of the runtime is its own, and may come while it is destroyed.
            for _ in 0..20 {
                yield_now().await;
            }
            wait.wait().await;
            count.polled();
            Ok(())
        });
        stepped.run_until_stalled();
        let thread = std::thread::spawn(move || child.abort());
        hold.wait_entered();
        gate.open();
        assert_eq!((stepped.run_until_stalled(), stepped.tasks()), (1, 1));
        assert!(opened.finish().is_pending(), "it is not home while it is being destroyed");
        hold.release();
        assert!(thread.join().unwrap());
        assert_eq!((counts.polls(), counts.drops()), (0, 1));
        assert!(matches!(opened.poll(), Poll::Ready(Ok(()))));
        assert_eq!((stepped.run_until_stalled(), stepped.tasks()), (1, 0));
    });
}

type Late = Arc<Mutex<Option<Scheduled>>>;

/// Waits for a nursery with one child in it, whose carrier is polled, and ends it, at the end of
/// the poll of this one that shows the cancel.
async fn home_too_late(late: Late, went_on: Counts) -> Result<(), Infallible> {
    let run = nursery().run(async move |n: Nursery<Infallible>| {
        n.spawn(pending());
        Ok(())
    });
    let mut run = pin!(run);
    let home = poll_fn(|cx| {
        let polled = run.as_mut().poll(cx);
        if let Some(carrier) = late.lock().unwrap().take() {
            assert!(is_cancelled() && polled.is_pending());
            carrier.poll();
        }
        polled
    });
    home.await.unwrap();
    went_on.polled();
    Ok(())
}

#[test]
fn c07_nursery_that_comes_home_during_the_last_poll() {
    for in_a_task in [true, false] {
        within(move || {
            let (stepped, late, went_on) = (Stepped::new(1), Late::default(), Counts::new());
            let waits = home_too_late(late.clone(), went_on.clone());
            let outside = Arc::new(Mutex::new(None));
            let inside = outside.clone();
            let mut run =
                Box::pin(nursery().on(stepped.runtime()).run(async |n: Nursery<Infallible>| {
                    *inside.lock().unwrap() = Some(n.clone());
                    if in_a_task {
                        n.spawn(waits);
                        Ok(())
                    } else {
                        waits.await
                    }
                }));
            let wakes = Wakes::new();
            assert!(poll_once(&mut run, &wakes).is_pending());
            stepped.run_until_stalled();
            outside.lock().unwrap().take().unwrap().cancel();
            // The innermost is cancelled first.
            *late.lock().unwrap() = stepped.take();
            let _ = stepped.drive(run);
            assert_eq!(went_on.polls(), 1, "in a task: {in_a_task}");
        });
    }
}
