//! Turns among keys: the clauses W of docs/SPEC.md.

use super::{Count, Waiting, drop_out_of_order, poll, take};
use allhome::Semaphore;
use allhome::limit::{AcquireError, KeyedSemaphore, Permit, TryAcquireError};
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};
use std::task::{Poll, Waker};

/// Polls an acquire once; it is expected to wait.
#[track_caller]
fn queue<'a, K: Hash + ?Sized>(
    semaphore: &'a KeyedSemaphore<K>,
    key: &K,
    count: usize,
) -> Waiting<'a> {
    let future = Box::pin(semaphore.acquire_many(key, count));
    let mut waiting = Waiting { future, woken: Arc::default() };
    assert!(waiting.poll().is_pending(), "{semaphore:?} has {count} permits");
    waiting
}

/// Serves all waiters, one permit at a time, and returns their numbers in the order of service.
fn order<'a>(mut permit: Permit<'a>, line: Vec<Waiting<'a>>) -> Vec<usize> {
    let mut line: Vec<_> = line.into_iter().map(Some).collect();
    let mut order = Vec::new();
    for _ in 0..line.len() {
        drop(permit);
        let told = |one: &Option<Waiting<'_>>| one.as_ref().is_some_and(|one| one.woken() > 0);
        let at = line.iter().position(told).expect("a waiter was notified");
        permit = line[at].take().expect("it was not served").granted();
        order.push(at);
    }
    order
}

#[test]
fn w01_within_a_key_first_come_first_served() {
    let semaphore = KeyedSemaphore::<str>::new(1);
    let permit = take(semaphore.semaphore(), 1);
    let line = (0..50).map(|_| queue(&semaphore, "a", 1)).collect();
    assert_eq!((semaphore.waiting_keys(), semaphore.semaphore().waiters()), (1, 50));
    assert_eq!(order(permit, line), (0..50).collect::<Vec<_>>());
}

#[test]
fn w02_keys_take_turns() {
    let semaphore = KeyedSemaphore::<str>::new(1);
    let permit = take(semaphore.semaphore(), 1);
    let line = ["a", "a", "a", "b", "b", "c", "a"].map(|key| queue(&semaphore, key, 1));
    assert_eq!(semaphore.waiting_keys(), 3);
    // a b c a b a a
    assert_eq!(order(permit, line.into()), [0, 3, 5, 1, 4, 2, 6]);
}

#[test]
fn w02_a_newcomer_is_behind_those_who_wait_and_before_their_second_turn() {
    let semaphore = KeyedSemaphore::<u32>::new(1);
    let permit = take(semaphore.semaphore(), 1);
    let (first, second) = (queue(&semaphore, &1, 1), queue(&semaphore, &1, 1));
    let third = queue(&semaphore, &1, 1);
    drop(permit);
    let permit = first.granted();
    // The next of key 1 came to this place before.
    let new = queue(&semaphore, &2, 1);
    drop(permit);
    let permit = second.granted();
    assert_eq!((new.woken(), third.woken()), (0, 0));
    drop(permit);
    drop(new.granted());
    assert_eq!(third.woken(), 1);
}

#[test]
fn w03_who_asks_for_more_has_fewer_turns() {
    let semaphore = KeyedSemaphore::<str>::new(4);
    let mut all = Some(take(semaphore.semaphore(), 4));
    let mut large: Vec<_> = (0..10).map(|_| queue(&semaphore, "large", 4)).collect();
    let mut small: Vec<_> = (0..40).map(|_| queue(&semaphore, "small", 1)).collect();
    large.reverse();
    small.reverse();
    let (mut of_large, mut of_small) = (0_usize, 0_usize);
    drop(all.take());
    while !large.is_empty() || !small.is_empty() {
        if large.last().is_some_and(|waiting| waiting.woken() > 0) {
            of_large += 4;
            drop(large.pop().unwrap().granted());
        } else {
            of_small += 1;
            drop(small.pop().expect("a waiter was notified").granted());
        }
        assert!(of_large.abs_diff(of_small) <= 5, "{of_large} and {of_small}");
    }
}

#[test]
fn w04_a_large_request_is_not_starved_by_many_keys() {
    let semaphore = KeyedSemaphore::<u32>::new(4);
    let mut held: Vec<_> = (0..4).map(|_| take(semaphore.semaphore(), 1)).collect();
    let large = queue(&semaphore, &0, 4);
    // Four keys that always wait for one permit each; a waiter that is served comes again.
    let mut line: Vec<_> = (1..5).map(|key| (key, queue(&semaphore, &key, 1))).collect();
    let mut before = 0;
    while large.woken() == 0 {
        drop(held.pop().expect("a permit is out"));
        while let Some(at) = line.iter().position(|(_, waiting)| waiting.woken() > 0) {
            let (key, waiting) = line.remove(at);
            held.push(waiting.granted());
            line.push((key, queue(&semaphore, &key, 1)));
            before += 1;
        }
    }
    // As many permits as it asks for, at the most, for each of the others.
    assert!(before <= 16, "{before} were served before");
    drop((held, large));
    assert_eq!(semaphore.semaphore().available(), 0, "one of each key has them");
    drop(line);
    assert_eq!(semaphore.semaphore().available(), 4);
}

/// A newcomer whose turn comes before that of a waiter that needs more than there is.
#[test]
fn w04_who_is_behind_in_permits_is_served_meanwhile() {
    let semaphore = KeyedSemaphore::<str>::new(3);
    let one = take(semaphore.semaphore(), 1);
    let mut large = queue(&semaphore, "a", 3);
    let small = poll(Box::pin(semaphore.acquire("b")).as_mut(), Waker::noop());
    let Poll::Ready(Ok(small)) = small else { panic!("{small:?}") };
    assert_eq!((semaphore.semaphore().available(), semaphore.waiting_keys()), (1, 1));
    // Its key has had one: it is behind now.
    let mut line: Vec<_> = (0..3).map(|_| queue(&semaphore, "a", 1)).collect();
    let second = poll(Box::pin(semaphore.acquire("b")).as_mut(), Waker::noop());
    assert!(matches!(second, Poll::Ready(Ok(_))), "one more: it begins at the clock, which is 1");
    drop((one, small, second));
    assert_eq!(large.woken(), 1);
    assert!(large.poll().is_ready());
    line.clear();
    assert_eq!((semaphore.semaphore().available(), semaphore.waiting_keys()), (3, 0));
}

#[test]
fn w05_a_key_that_nobody_waits_with_is_forgotten() {
    let semaphore = KeyedSemaphore::<u32>::new(1);
    let permit = take(semaphore.semaphore(), 1);
    let line: Vec<_> = (0..1_000).map(|key| queue(&semaphore, &key, 1)).collect();
    assert_eq!(semaphore.waiting_keys(), 1_000);
    drop(line);
    assert_eq!((semaphore.waiting_keys(), semaphore.semaphore().waiters()), (0, 0));
    drop(permit);
    for key in 0..1_000 {
        let acquired = poll(Box::pin(semaphore.acquire(&key)).as_mut(), Waker::noop());
        assert!(matches!(acquired, Poll::Ready(Ok(_))));
        assert_eq!(semaphore.waiting_keys(), 0);
    }
}

#[test]
fn w06_who_leaves_leaves_the_turn_to_its_key() {
    let semaphore = KeyedSemaphore::<str>::new(1);
    let permit = take(semaphore.semaphore(), 1);
    let (first, second) = (queue(&semaphore, "a", 1), queue(&semaphore, "b", 1));
    let third = queue(&semaphore, "a", 1);
    drop(first);
    drop(permit);
    assert_eq!((third.woken(), second.woken()), (1, 0), "it is still a's turn");
    drop(third);
    assert_eq!(second.woken(), 1, "granted and never polled: the next has it");
    assert_eq!(second.granted().count(), 1);
}

#[test]
fn w06_the_last_of_a_key_takes_its_turn_along() {
    let semaphore = KeyedSemaphore::<str>::new(1);
    let permit = take(semaphore.semaphore(), 1);
    let (first, second) = (queue(&semaphore, "a", 1), queue(&semaphore, "b", 1));
    drop(first);
    assert_eq!(semaphore.waiting_keys(), 1);
    let late = queue(&semaphore, "a", 1);
    drop(permit);
    assert_eq!((second.woken(), late.woken()), (1, 0), "it is behind b now");
    drop(second);
    assert_eq!(late.woken(), 1);
}

#[test]
fn w06_in_any_order() {
    let semaphore = KeyedSemaphore::<usize>::new(1);
    let permit = take(semaphore.semaphore(), 1);
    let mut line: Vec<_> = (0..600).map(|at| Some(queue(&semaphore, &(at % 7), 1))).collect();
    drop_out_of_order(&mut line, || semaphore.semaphore().waiters());
    assert_eq!(semaphore.waiting_keys(), 1);
    drop(permit);
    assert_eq!(line[599].take().expect("the last").granted().count(), 1);
}

#[test]
fn w06_close_refuses_all_keys() {
    let semaphore = KeyedSemaphore::<u32>::new(2);
    let both = take(semaphore.semaphore(), 2);
    let line: Vec<_> = (0..40).map(|key| queue(&semaphore, &(key % 3), 1)).collect();
    semaphore.semaphore().close();
    for waiting in line {
        assert_eq!((waiting.woken(), waiting.refused()), (1, AcquireError::Closed));
    }
    assert_eq!(semaphore.waiting_keys(), 0);
    drop(both);
}

#[test]
fn w06_shrinking_refuses_in_all_keys() {
    let semaphore = KeyedSemaphore::<str>::new(3);
    let all = take(semaphore.semaphore(), 3);
    let line = [("a", 3), ("a", 1), ("b", 3), ("c", 2), ("c", 1), ("b", 2)];
    let line = line.map(|(key, count)| queue(&semaphore, key, count));
    semaphore.semaphore().resize(1);
    assert_eq!(line.each_ref().map(Waiting::woken), [1, 0, 1, 1, 0, 1]);
    assert_eq!((semaphore.waiting_keys(), semaphore.semaphore().waiters()), (2, 2));
    drop(all);
    let [a3, a1, b3, c2, c1, b2] = line;
    for refused in [a3, b3, c2, b2] {
        assert!(matches!(refused.refused(), AcquireError::TooMany { capacity: 1, .. }));
    }
    drop(a1.granted());
    assert_eq!(c1.granted().count(), 1);
}

#[test]
fn w07_without_a_key_is_a_key() {
    let semaphore: KeyedSemaphore<str> = Semaphore::new(1).named("db").time_holders(true).into();
    let plain = semaphore.semaphore();
    let permit = take(plain, 1);
    let line = vec![
        queue(&semaphore, "a", 1),
        queue(&semaphore, "a", 1),
        super::queue(plain, 1),
        super::queue(plain, 1),
    ];
    assert_eq!((semaphore.waiting_keys(), plain.holders().len()), (2, 5));
    assert_eq!(plain.try_acquire().unwrap_err(), TryAcquireError::NoPermits);
    assert_eq!(order(permit, line), [0, 2, 1, 3]);
    assert!(format!("{semaphore:?}").starts_with("KeyedSemaphore(Semaphore { name: \"db\""));
}

#[test]
fn w07_those_who_waited_when_it_got_keys_have_none() {
    let plain = Semaphore::new(1);
    let permit = take(&plain, 1);
    std::mem::forget(permit);
    // Never dropped, and so still there, in its place and in the line.
    static KEPT: AtomicPtr<()> = AtomicPtr::new(std::ptr::null_mut());
    KEPT.store(Box::into_raw(Box::new(super::queue(&plain, 1))).cast(), SeqCst);
    let semaphore: KeyedSemaphore<str> = plain.into();
    assert_eq!((semaphore.waiting_keys(), semaphore.semaphore().waiters()), (1, 1));
    let waiting = queue(&semaphore, "a", 1);
    semaphore.semaphore().resize(3);
    assert_eq!((waiting.woken(), semaphore.semaphore().waiters()), (1, 0));
}

#[test]
fn w07_owned_twins_and_clones() {
    let semaphore = KeyedSemaphore::<str>::new(1);
    let other = semaphore.clone();
    let permit = other.semaphore().try_acquire_owned().unwrap();
    let line = ["a", "a", "b"].map(|key| {
        let (mut acquire, woken) = (Box::pin(other.acquire_owned(key)), Arc::new(Count::default()));
        assert!(poll(acquire.as_mut(), &Waker::from(woken.clone())).is_pending());
        (acquire, woken)
    });
    // The clone knows the keys by the same name.
    let last = queue(&semaphore, "b", 1);
    assert_eq!(semaphore.waiting_keys(), 2);
    drop(other);
    drop(permit);
    let [(first, _), (second, _), (mut third, woken)] = line;
    drop(first);
    assert_eq!(
        (woken.get(), last.woken()),
        (1, 0),
        "its turn comes before the second of the other"
    );
    drop(second);
    assert!(matches!(poll(third.as_mut(), Waker::noop()), Poll::Ready(Ok(_))));
    assert_eq!((last.woken(), woken.get()), (1, 1));
}

/// A key whose hash uses the semaphore: it hangs if the lock is held.
#[test]
fn w08_a_key_is_hashed_at_the_call_with_no_lock_held() {
    struct Nosy;
    static SEMAPHORE: OnceLock<KeyedSemaphore<Nosy>> = OnceLock::new();
    static HASHES: AtomicUsize = AtomicUsize::new(0);
    impl Hash for Nosy {
        fn hash<H: Hasher>(&self, state: &mut H) {
            HASHES.fetch_add(1, SeqCst);
            SEMAPHORE.get().expect("it is there").semaphore().resize(1);
            state.write_u8(7);
        }
    }
    let semaphore = SEMAPHORE.get_or_init(|| KeyedSemaphore::new(1));
    let permit = take(semaphore.semaphore(), 1);
    let line: Vec<_> = (0..5).map(|_| queue(semaphore, &Nosy, 1)).collect();
    assert_eq!((HASHES.load(SeqCst), semaphore.waiting_keys()), (5, 1));
    assert_eq!(order(permit, line), [0, 1, 2, 3, 4]);
    assert_eq!(HASHES.load(SeqCst), 5, "once for each call");
}

/// Four threads with a key each, and one key with many waiters: no key starves, nothing is lost.
#[test]
fn w09_threads() {
    let semaphore = KeyedSemaphore::<usize>::new(3);
    std::thread::scope(|scope| {
        for number in 0..4 {
            let semaphore = &semaphore;
            scope.spawn(move || {
                for step in 0..5_000 {
                    let count = 1 + (step + number) % 3;
                    let acquire = semaphore.acquire_many(&(step * number % 5), count);
                    if step % 7 == 0 {
                        drop(poll(Box::pin(acquire).as_mut(), Waker::noop()));
                    } else {
                        drop(super::threads::block_on(acquire).unwrap());
                    }
                }
            });
        }
    });
    assert_eq!((semaphore.semaphore().available(), semaphore.waiting_keys()), (3, 0));
}
