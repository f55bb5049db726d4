//! Children by key.

use super::gates;
use allhome::join::RaceExt;
use allhome::many::KeyedNursery;
use allhome::{Nursery, Policy, cancelled, nursery, shield, sleep, yield_now};
use allhome_conformance::{Counts, Gate};
use allhome_runs::place::settle;
use allhome_runs::{Log, SECOND, everywhere, in_all_schedules, world};
use std::convert::Infallible;
use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A session: it says when it begins, and when it is gone, so long after a cancel.
fn session(
    log: &Log,
    name: &'static str,
    leaves: u32,
) -> impl Future<Output = Result<(), Infallible>> + Send + use<> {
    let log = log.clone();
    async move {
        log.note(format!("{name} in"));
        let reason = cancelled().await;
        shield(SECOND * 100, sleep(SECOND * leaves)).await;
        log.note(format!("{name} out: {}", reason.message()));
        Ok(())
    }
}

/// Runs the body in a nursery on a virtual clock.
fn run(body: impl AsyncFnOnce(Nursery<Infallible>, Log) -> Result<(), Infallible>) {
    let (stepped, clock, runtime) = world();
    let log = Log::default();
    let run = nursery().on(runtime).run(async |n: Nursery<Infallible>| body(n, log).await);
    clock.drive(&stepped, run).expect("no failure");
    stepped.run_until_stalled();
    assert_eq!((clock.sleeps(), stepped.tasks()), (0, 0), "something is left");
}

#[test]
fn p26_a_second_of_the_same_key_is_refused() {
    run(async |n, log| {
        let sessions = KeyedNursery::<str, (), _>::new(&n);
        assert!(sessions.try_spawn("a", session(&log, "a1", 1)).is_ok());
        assert!(sessions.try_spawn("b", session(&log, "b", 0)).is_ok());
        let refused = sessions.try_spawn("a", session(&log, "a2", 0)).unwrap_err();
        assert_eq!(refused.to_string(), "the key has a child that is not gone");
        assert_eq!((refused.refused().is_none(), sessions.len(), n.len()), (true, 2, 2));
        settle().await;
        assert!(sessions.cancel("a") && !sessions.cancel("c"));
        sleep(SECOND / 2).await;
        let refused = sessions.try_spawn("a", refused.into_future()).unwrap_err();
        sleep(SECOND).await;
        assert!(!sessions.contains("a"));
        assert!(sessions.try_spawn("a", refused.into_future()).is_ok());
        settle().await;
        assert_eq!(log.take(), ["a1 in", "b in", "a1 out: cancelled by its key", "a2 in"]);
        n.cancel();
        Ok(())
    });
}

#[test]
fn p26_the_key_is_free_however_the_child_ended() {
    let ended: [fn() -> Result<(), &'static str>; 3] =
        [|| Ok(()), || Err("failed"), || panic!("panicked")];
    for end in ended {
        let (stepped, clock, runtime) = world();
        let open = nursery().policy(Policy::WaitAll).panics(allhome::error::PanicPolicy::Report);
        let run = open.on(runtime).run(async |n: Nursery<&'static str>| {
            let keyed = KeyedNursery::<u8, (), _>::new(&n);
            assert!(keyed.try_spawn(&1, async move { end() }).is_ok());
            let aborted = keyed.try_spawn(&2, pending()).unwrap();
            n.task_handle(aborted).expect("it is there").abort();
            settle().await;
            assert!(keyed.is_empty() && keyed.try_spawn(&1, async { Ok(()) }).is_ok());
            Ok(())
        });
        let _ = clock.drive(&stepped, run);
    }
}

#[test]
fn p26_refused_by_the_nursery_the_future_comes_back() {
    run(async |n, log| {
        let sessions = KeyedNursery::<str, (), _>::new(&n);
        n.close();
        let refused = sessions.try_spawn("a", session(&log, "a", 0)).unwrap_err();
        assert!(refused.to_string().starts_with("the nursery takes no more children: "));
        assert!(refused.refused().is_some() && sessions.is_empty());
        drop(refused.into_future());
        assert!(!sessions.replace("a", session(&log, "a", 0)).is_admitted());
        let none = sessions.join_or_spawn("a", || session(&log, "a", 0)).await;
        assert!(none.is_none() && sessions.is_empty() && log.is_empty());
        Ok(())
    });
}

#[test]
fn p27_replaced_at_once() {
    run(async |n, log| {
        let sessions = KeyedNursery::<str, (), _>::new(&n);
        sessions.replace("a", session(&log, "first", 1));
        settle().await;
        assert!(sessions.replace("a", session(&log, "second", 0)).is_admitted());
        settle().await;
        assert_eq!(log.take(), ["first in", "second in"]);
        sleep(SECOND * 2).await;
        assert_eq!(log.take(), ["first out: replaced by a child with the same key"]);
        assert!(sessions.contains("a"), "the second has it");
        n.cancel();
        Ok(())
    });
}

#[test]
fn p27_replaced_when_the_old_one_is_gone() {
    run(async |n, log| {
        let sessions = KeyedNursery::<str, (), _>::new(&n);
        sessions.replace_after("a", session(&log, "first", 2));
        settle().await;
        // The second is dropped unpolled, and the third waits for the first nevertheless.
        sessions.replace_after("a", session(&log, "second", 0));
        settle().await;
        sessions.replace_after("a", session(&log, "third", 0));
        sleep(SECOND).await;
        assert_eq!((log.take(), n.len()), (vec!["first in".to_string()], 2));
        sleep(SECOND * 2).await;
        assert_eq!(log.take(), ["first out: replaced by a child with the same key", "third in"]);
        n.cancel();
        Ok(())
    });
}

/// Cancelled by its key before its handle is there, and before its first poll.
#[test]
fn p27_cancelled_before_it_begins() {
    run(async |n, log| {
        let sessions = KeyedNursery::<str, (), _>::new(&n);
        sessions.replace("a", session(&log, "a", 0));
        assert!(sessions.cancel("a"));
        n.idle().await;
        assert!(log.is_empty() && sessions.is_empty());
        Ok(())
    });
}

/// Cancelled while what makes its future is called: it has the key, and no handle yet.
#[test]
fn p27_cancelled_before_it_is_spawned() {
    run(async |n, _| {
        let keyed = KeyedNursery::<str, u8, _>::new(&n);
        let joined = keyed.join_or_spawn("a", || {
            assert!(keyed.cancel("a"));
            pending()
        });
        assert_eq!(joined.await, None);
        assert!(keyed.is_empty() && n.is_empty());
        Ok(())
    });
}

#[test]
fn p27_in_all_schedules_never_two_at_once() {
    in_all_schedules(async |n| {
        let (keyed, running) = (KeyedNursery::<u8, (), _>::new(&n), Counts::new());
        for _ in 0..3 {
            let running = running.clone();
            keyed.replace_after(&7, async move {
                assert_eq!(running.polls(), running.drops(), "two at once");
                running.polled();
                let _guard = running.guard();
                yield_now().await;
                yield_now().await;
                Ok(())
            });
            yield_now().await;
        }
        n.idle().await;
        assert!(keyed.is_empty() && running.polls() >= 1);
        Ok(())
    });
}

#[test]
fn p28_all_who_join_get_the_value_of_one_child() {
    run(async |n, log| {
        let (pages, gate) = (KeyedNursery::<str, String, _>::new(&n), Gate::new());
        let fetch = || {
            let (log, gate) = (log.clone(), gate.clone());
            async move {
                log.note("fetched");
                gate.wait().await;
                Ok("the page".to_string())
            }
        };
        let first = pages.join_or_spawn("/", fetch);
        let second = pages.join_or_spawn("/", || -> std::future::Ready<_> {
            unreachable!("one fetch is enough")
        });
        drop(pages.join_or_spawn("/", fetch));
        let mut third = Box::pin(pages.join_or_spawn("/", fetch));
        assert!((&mut third).until(settle()).await.is_err());
        gate.open();
        for joined in [first.await, second.await, third.await] {
            assert_eq!(joined.as_deref(), Some("the page"));
        }
        settle().await;
        assert_eq!((log.take(), pages.len()), (vec!["fetched".to_string()], 0));
        assert_eq!(pages.join_or_spawn("/", fetch).await.as_deref(), Some("the page"));
        assert_eq!(log.take(), ["fetched"], "a value is not kept");
        Ok(())
    });
}

#[test]
fn p28_without_a_value_there_is_none() {
    run(async |n, _| {
        let keyed = KeyedNursery::<str, u8, _>::new(&n);
        let joined = keyed.join_or_spawn("a", pending);
        settle().await;
        keyed.cancel("a");
        assert_eq!(joined.await, None);
        Ok(())
    });
}

/// A panic of what makes the future leaves the key free.
#[test]
fn p28_what_makes_the_future_may_panic() {
    run(async |n, _| {
        let keyed = KeyedNursery::<str, u8, _>::new(&n);
        let make = || -> std::future::Ready<Result<u8, Infallible>> { panic!("a bug") };
        let joined = catch_unwind(AssertUnwindSafe(|| keyed.join_or_spawn("a", make)));
        assert!(joined.is_err() && keyed.is_empty() && n.is_empty());
        Ok(())
    });
}

#[test]
fn p29_everywhere_many_keys() {
    everywhere(async |n| {
        let (keyed, gates) = (KeyedNursery::<usize, usize, _>::new(&n), gates(3));
        let mut joined = Vec::new();
        for turn in 0..12 {
            let (key, gates) = (turn % 3, gates.clone());
            joined.push(keyed.join_or_spawn(&key, move || async move {
                gates[key].wait().await;
                Ok(key)
            }));
        }
        assert_eq!(keyed.len(), 3);
        gates.iter().for_each(Gate::open);
        for (turn, joined) in joined.into_iter().enumerate() {
            assert_eq!(joined.await, Some(turn % 3));
        }
        n.idle().await;
        assert!(keyed.is_empty());
        Ok(())
    });
}
