//! The tasks that hold permits and that wait for them.

use super::{queue, take};
use allhome::Semaphore;
use allhome::limit::{AcquireError, HolderInfo, TryAcquireError};
use std::sync::Arc;
use std::time::Instant;
use std::{mem, thread};

/// How many permits each entry has, and whether it waits, in order.
fn counts(semaphore: &Semaphore) -> Vec<(usize, bool)> {
    let mut counts: Vec<_> =
        semaphore.holders().iter().map(|info| (info.count(), info.is_waiting())).collect();
    counts.sort_unstable();
    counts
}

#[track_caller]
fn only(semaphore: &Semaphore) -> HolderInfo {
    let [info] = <[_; 1]>::try_from(semaphore.holders()).expect("one task holds or waits");
    info
}

#[test]
fn s18_holders_are_known() {
    for track in [false, true] {
        let semaphore = Semaphore::new(4).time_holders(track);
        let mut three = take(&semaphore, 3);
        let line = line!() + 1;
        let waiting = queue_here(&semaphore);
        let infos = semaphore.holders();
        let [holds, waits] = &infos[..] else { panic!("{infos:?}") };
        assert_eq!((holds.is_waiting(), waits.is_waiting()), (false, true), "holders first");
        assert_eq!((waits.count(), holds.count()), (2, 3));
        assert_eq!(waits.location().line(), line);
        assert!(holds.location().file().ends_with("holders.rs") && holds.task().is_none());
        assert!(waits.to_string().contains("has waited for 2 permits"), "{waits}");
        assert!(format!("{waits:?}").contains("waits: true"));

        let one = three.split(1).unwrap();
        assert_eq!(counts(&semaphore), [(1, false), (2, false), (2, true)]);
        drop(waiting);
        three.merge(one).unwrap();
        assert_eq!(counts(&semaphore), [(3, false)]);
        drop(three);
        assert_eq!(counts(&semaphore), []);
    }
}

#[track_caller]
fn queue_here(semaphore: &Semaphore) -> super::Waiting<'_> {
    queue_acquire(semaphore.acquire_many(2))
}

fn queue_acquire(acquire: allhome::limit::Acquire<'_>) -> super::Waiting<'_> {
    let mut waiting = super::Waiting { future: Box::pin(acquire), woken: Arc::default() };
    assert!(waiting.poll().is_pending());
    waiting
}

#[test]
fn s18_since_when_it_was_listed_first() {
    let semaphore = Semaphore::new(1);
    let permit = take(&semaphore, 1);
    let before = Instant::now();
    let first = only(&semaphore);
    assert!(first.since() >= before, "nothing is noted before it is asked for");
    assert!(
        first.to_string().starts_with("a caller without a task has held 1 permit for at least "),
        "{first}"
    );
    assert_eq!(only(&semaphore).since(), first.since(), "listed again it is the same");
    drop(permit);
    let between = Instant::now();
    let _permit = take(&semaphore, 1);
    assert!(only(&semaphore).since() >= between, "another one, perhaps in the same row");
}

#[test]
fn s18_since_when_exactly_if_it_is_tracked() {
    let before = Instant::now();
    let semaphore = Semaphore::new(2).time_holders(true);
    let mut permit = take(&semaphore, 2);
    let after = Instant::now();
    let info = only(&semaphore);
    assert!(info.since() >= before && info.since() <= after);
    assert!(
        info.to_string().starts_with("a caller without a task has held 2 permits for "),
        "{info}"
    );
    assert!(!info.to_string().contains("at least"), "{info}");
    let part = permit.split(1).unwrap();
    assert!(semaphore.holders().iter().all(|part| part.since() == info.since()));
    drop(permit);
    let waiting = queue(&semaphore, 2);
    let granted = Instant::now();
    drop(part);
    assert!(only(&semaphore).since() >= granted, "from then on it holds");
    drop(waiting);
}

#[test]
fn s18_the_book_is_kept_through_all_ways_out() {
    for track in [false, true] {
        let semaphore = Semaphore::new(4).time_holders(track);
        let all = take(&semaphore, 4);
        let (granted, left, doomed, closed) = (
            queue(&semaphore, 1),
            queue(&semaphore, 1),
            queue(&semaphore, 4),
            queue(&semaphore, 3),
        );
        assert_eq!(semaphore.holders().len(), 5);
        drop(left);
        semaphore.resize(3);
        assert_eq!(doomed.woken(), 1);
        assert_eq!(semaphore.holders().len(), 3);
        drop(all);
        assert_eq!(granted.woken(), 1);
        let reserved: Vec<_> =
            semaphore.holders().into_iter().filter(|i| !i.is_waiting()).collect();
        assert_eq!((reserved.len(), reserved[0].count()), (1, 1), "reserved, and not polled");
        assert_eq!(semaphore.try_acquire().unwrap_err(), TryAcquireError::NoPermits);
        semaphore.close();
        assert_eq!(closed.refused(), AcquireError::Closed);
        let permit = granted.granted();
        assert_eq!(semaphore.holders().len(), 1);
        permit.forget();
        drop(doomed);
        assert!(semaphore.holders().is_empty());
    }
}

#[test]
fn s18_refused_requests_are_not_listed() {
    let semaphore = Semaphore::new(2);
    let one = take(&semaphore, 1);
    assert!(semaphore.try_acquire_many(2).is_err() && semaphore.try_acquire_many(3).is_err());
    assert_eq!(only(&semaphore).count(), 1);
    drop(one);
    semaphore.close();
    assert!(semaphore.try_acquire().is_err());
    assert!(semaphore.holders().is_empty());
}

/// A permit that is leaked stays in the list of its semaphore, wherever that moves, and in no
/// other's, even where that stands in its place.
#[test]
fn s18_a_leaked_permit_is_its_semaphore_s() {
    let mut place = Box::new(Semaphore::new(2));
    mem::forget(place.try_acquire_many(2));
    assert_eq!(only(&place).count(), 2);
    let moved = mem::replace(&mut *place, Semaphore::new(1));
    assert!(place.holders().is_empty(), "at the same address");
    assert_eq!(only(&moved).count(), 2);
    let named = moved.named("moved");
    assert_eq!((only(&named).count(), named.available()), (2, 0));
    let other = take(&place, 1);
    assert_eq!((only(&place).count(), only(&named).count()), (1, 2));
    drop(other);
}

#[test]
fn s18_permits_are_listed_on_whichever_thread_they_are() {
    const MANY: usize = 500;
    let semaphore = Arc::new(Semaphore::new(MANY));
    for _ in 0..3 {
        let other = semaphore.clone();
        let acquire =
            move || (0..MANY).map(|_| other.try_acquire_owned().unwrap()).collect::<Vec<_>>();
        let permits = thread::spawn(acquire).join().unwrap();
        assert_eq!(semaphore.holders().len(), MANY, "the thread that acquired them has ended");
        drop(permits);
        assert!(semaphore.holders().is_empty());
    }
}

/// Two threads take and give back, a third reads: what it reads is never of another semaphore, nor
/// put together of two requests.
#[test]
fn s18_what_is_listed_was_true() {
    let rounds: usize = std::env::var("LIMIT_STEPS").map_or(20_000, |steps| steps.parse().unwrap());
    let (ones, twos) = (Semaphore::new(8), Semaphore::new(16));
    let done = std::sync::atomic::AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..rounds {
                    let one = take_one(&ones);
                    let two = take_two(&twos);
                    drop(one);
                    drop(two);
                }
                done.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            });
        }
        while done.load(std::sync::atomic::Ordering::SeqCst) < 2 {
            for (semaphore, count) in [(&ones, 1), (&twos, 2)] {
                let infos = semaphore.holders();
                assert!(infos.len() <= 2, "each thread holds one at a time: {infos:?}");
                for info in infos {
                    assert_eq!(info.count(), count);
                    assert_eq!(info.location().line(), LINES[count - 1]);
                }
            }
        }
    });
    assert!(ones.holders().is_empty() && twos.holders().is_empty());
}

const LINES: [u32; 2] = [line!() + 3, line!() + 7];

fn take_one(semaphore: &Semaphore) -> allhome::limit::Permit<'_> {
    semaphore.try_acquire_many(1).unwrap()
}

fn take_two(semaphore: &Semaphore) -> allhome::limit::Permit<'_> {
    semaphore.try_acquire_many(2).unwrap()
}
