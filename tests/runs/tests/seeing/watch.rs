//! The watchdog: what it reports, when, and how often.

use allhome::see::{self, AlarmKind, Dump, Watch, Watchdog};
use allhome::time::{Instant, now};
use allhome::{Nursery, nursery, shield};
use allhome_runs::{Hold, Opened, Stepped, within};
use std::convert::Infallible;
use std::future::pending;
use std::sync::mpsc;
use std::task::Poll;
use std::time::Duration;

type Never = Nursery<Infallible>;

const SECOND: Duration = Duration::from_secs(1);

/// Looks at one nursery, so many seconds after the first look.
struct Looks {
    dog: Watchdog,
    begin: Instant,
}

impl Looks {
    fn new(watch: Watch) -> Looks {
        Looks { dog: watch.into_dog(), begin: now() }
    }

    fn at(&mut self, n: &Never, seconds: u32) -> Vec<(AlarmKind, String)> {
        let dump = Dump::of(vec![n.tree()]);
        let alarms = self.dog.look_at(&dump, self.begin + seconds * SECOND);
        let name = |alarm: &see::Alarm| {
            alarm.tasks.iter().filter_map(|task| task.name.as_deref()).collect::<Vec<_>>().join(" ")
        };
        alarms.iter().map(|alarm| (alarm.kind, name(alarm))).collect()
    }
}

#[test]
fn u50_a_state_is_told_of_once_when_each_look_has_found_it() {
    let stepped = Stepped::new(1);
    let mut opened = Opened::new(nursery().on(stepped.runtime()));
    let n = opened.n.clone();
    let wakes = std::sync::Arc::new(std::sync::Mutex::new(None::<std::task::Waker>));
    let kept = wakes.clone();
    n.task("lost").go(pending());
    n.task("woken").go(std::future::poll_fn(move |cx| {
        *kept.lock().unwrap() = Some(cx.waker().clone());
        Poll::<()>::Pending
    }));
    let watch = see::watch().not_polled(2 * SECOND).only_by_cancel(3 * SECOND);
    let mut looks = Looks::new(watch);
    let queued = |name: &str| (AlarmKind::NotPolled, name.to_string());
    assert_eq!(looks.at(&n, 0), [], "they are queued since now");
    assert_eq!(looks.at(&n, 2), [queued("lost"), queued("woken")]);
    assert_eq!(looks.at(&n, 9), [], "they are reported once");
    stepped.run_until_stalled();
    assert_eq!(looks.at(&n, 10), [], "lost since now");
    // Woken and not polled, twice: the second time after another poll.
    for begin in [11, 21] {
        wakes.lock().unwrap().clone().unwrap().wake();
        assert_eq!(looks.at(&n, begin), []);
        let lost = (AlarmKind::OnlyByCancel, "lost".to_string());
        let also = if begin == 11 { vec![lost] } else { Vec::new() };
        let mut told = looks.at(&n, begin + 3);
        told.retain(|alarm| !also.contains(alarm));
        assert_eq!(told, [queued("woken")]);
        stepped.run_until_stalled();
        assert_eq!(looks.at(&n, begin + 4), []);
    }
    n.abort();
    assert!(opened.finish().is_ready());
}

#[test]
fn u50_a_cancel_that_is_late_and_a_place_of_many() {
    let stepped = Stepped::new(1);
    let mut opened = Opened::new(nursery().on(stepped.runtime()));
    let n = opened.n.clone();
    for number in 0..3 {
        n.task(format!("{number}")).go(shield(SECOND * 1_000, pending::<()>()));
    }
    stepped.run_until_stalled();
    let mut looks = Looks::new(see::watch().late_cancel(SECOND).many(2));
    assert_eq!(looks.at(&n, 0), [(AlarmKind::Many, "0".to_string())]);
    assert_eq!(looks.at(&n, 5), []);
    n.cancel();
    stepped.run_until_stalled();
    assert_eq!(looks.at(&n, 6), []);
    let late = |name: &str| (AlarmKind::LateCancel, name.to_string());
    assert_eq!(looks.at(&n, 7), [late("0"), late("1"), late("2")]);
    assert_eq!(looks.at(&n, 8), []);
    n.abort();
    drop(opened.finish());
}

#[test]
fn u50_a_long_poll_and_not_blocking_work() {
    within(|| {
        let (hold, blocks) = (Hold::new(), Hold::new());
        let (stay, work) = (hold.clone(), blocks.clone());
        let run = nursery().on(allhome::runtime::ThreadPool::global()).run(async |n: Never| {
            n.task("polls").go(async move { stay.stay() });
            let child = n.task("works").blocking(move |_| {
                work.stay();
                Ok(())
            });
            hold.wait_entered();
            blocks.wait_entered();
            let mut looks = Looks::new(see::watch().long_poll(SECOND));
            assert_eq!(looks.at(&n, 0), []);
            assert_eq!(looks.at(&n, 1), [(AlarmKind::LongPoll, "polls".to_string())]);
            hold.release();
            blocks.release();
            assert!(child.await.is_ok());
            Ok(())
        });
        assert!(allhome::block_on(run).is_ok());
    });
}

#[test]
fn u51_a_thread_looks_until_the_watch_is_dropped() {
    within(|| {
        let run = nursery().on(allhome::runtime::ThreadPool::global()).run(async |n: Never| {
            n.task("u51").go(pending());
            let (tell, told) = mpsc::channel();
            let watch = see::watch().every(Duration::from_millis(1)).only_by_cancel(Duration::ZERO);
            let watching = watch.start(move |alarm| {
                let _gone = tell.send(alarm.to_string());
            });
            // Tests beside this one have such tasks, too.
            let text = told.iter().find(|text| text.contains("`u51`")).unwrap();
            assert!(text.contains("this waits, and only a cancel ends it: task"), "{text}");
            drop(watching);
            assert!(told.iter().all(|text| !text.contains("`u51`")), "its sender is dropped");
            n.abort();
            Ok(())
        });
        assert!(allhome::block_on(run).is_ok());
    });
}
