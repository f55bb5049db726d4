//! What children borrow, and that they are gone when the call returns.

use crate::Calm;
use allhome::cancel::ReasonKind;
use allhome::error::PanicPolicy;
use allhome::{Policy, ThreadScope, join_all, nursery, thread_scope, yield_now};
use allhome_conformance::{Counts, DropPanics};
use std::cell::Cell;
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::task::{Context, Poll, Waker};

#[test]
fn i41_children_borrow_and_so_do_their_values() {
    let (words, mut lengths) = (["one", "three", "seven"], [0; 3]);
    let longest = thread_scope().run(async |s: Calm<'_>| {
        for (length, word) in lengths.iter_mut().zip(&words) {
            s.go(async { *length = word.len() });
        }
        let words = s.fork(async { Ok(words.iter().max_by_key(|word| word.len())) });
        Ok(words.await.ok().flatten())
    });
    assert_eq!((longest.unwrap(), lengths), (Some(&"seven"), [3, 5, 5]));
}

#[test]
fn i41_the_body_borrows_what_one_thread_has() {
    let calls = Cell::new(0);
    let run = thread_scope().run(async |s: Calm<'_>| {
        let child = s.fork(async { Ok(1) });
        calls.set(calls.get() + child.await.unwrap_or(0));
        Ok(())
    });
    assert_eq!((run.is_ok(), calls.get()), (true, 1));
}

#[test]
fn i41_children_spawn_children() {
    fn tree<'a>(s: Calm<'a>, depth: usize, leaves: &'a AtomicUsize) {
        if depth == 0 {
            leaves.fetch_add(1, Ordering::Relaxed);
            return;
        }
        for _ in 0..2 {
            let inner = s.clone();
            s.go(async move { tree(inner, depth - 1, leaves) });
        }
    }
    let leaves = AtomicUsize::new(0);
    let run = thread_scope().run(async |s: Calm<'_>| {
        tree(s, 8, &leaves);
        Ok(())
    });
    assert_eq!((run.is_ok(), leaves.into_inner()), (true, 256));
}

#[test]
fn i41_none_at_all() {
    assert_eq!(thread_scope().run(async |_: Calm<'_>| Ok(7)).unwrap(), 7);
}

/// Has children that wait, and says how many of what they have is gone.
fn waits<'a>(s: &ThreadScope<'a, &'static str>, counts: &Counts) {
    for _ in 0..20 {
        let guard = counts.guard();
        s.go(async move {
            let _guard = guard;
            pending::<()>().await;
        });
    }
}

#[test]
fn i42_they_are_gone_when_the_body_fails() {
    let counts = Counts::new();
    let run = thread_scope().run(async |s| {
        waits(&s, &counts);
        yield_now().await;
        Err::<(), _>("no more")
    });
    assert_eq!((run.is_err(), counts.drops()), (true, 20));
}

#[test]
fn i42_they_are_gone_when_the_body_panics() {
    let counts = Counts::new();
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        thread_scope().run(async |s| {
            waits(&s, &counts);
            if s.len() == 20 {
                panic!("on purpose");
            }
            Ok(())
        })
    }));
    assert_eq!((unwound.is_err(), counts.drops()), (true, 20));
}

#[test]
fn i42_they_are_gone_when_a_child_panics() {
    let counts = Counts::new();
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        thread_scope().run(async |s| {
            waits(&s, &counts);
            s.go(async { panic!("on purpose") });
            Ok(())
        })
    }));
    assert_eq!((unwound.is_err(), counts.drops()), (true, 20));
}

#[test]
fn i42_they_are_gone_when_a_destructor_panics() {
    let counts = Counts::new();
    let run = nursery().policy(Policy::Isolate).panics(PanicPolicy::Report).thread_scope();
    let run = run.run(async |s| {
        waits(&s, &counts);
        let bomb = DropPanics("on purpose");
        s.go(async move {
            let _bomb = bomb;
            pending::<()>().await;
        });
        yield_now().await;
        s.cancel();
        Ok(())
    });
    assert_eq!((run.is_err(), counts.drops()), (true, 20));
}

#[test]
fn i42_a_destructor_may_spawn() {
    struct Spawns<'a>(Calm<'a>, &'a AtomicUsize);

    impl Drop for Spawns<'_> {
        fn drop(&mut self) {
            let polled = self.1;
            self.0.go(async move {
                polled.fetch_add(1, Ordering::Relaxed);
            });
        }
    }

    let polled = AtomicUsize::new(0);
    let run = thread_scope().run(async |s: Calm<'_>| {
        for _ in 0..20 {
            let spawns = Spawns(s.clone(), &polled);
            s.go(async move { drop(spawns) });
        }
        Ok(())
    });
    assert_eq!((run.is_ok(), polled.into_inner()), (true, 20));
}

#[test]
fn i42_what_another_thread_keeps_is_of_no_use_afterwards() {
    let (give, given) = channel();
    let kept = thread_scope().threads(2).run(async |s: Calm<'_>| {
        s.go(async move {
            let mut waker = None;
            poll_fn(|cx| {
                waker = Some(cx.waker().clone());
                Poll::Ready(())
            })
            .await;
            give.send(waker).expect("it is received");
        });
        Ok(s)
    });
    let (late, waker) = (kept.unwrap(), given.recv().expect("it was sent"));
    waker.iter().for_each(Waker::wake_by_ref);
    let counts = Counts::new();
    let guard = counts.guard();
    let spawned = late.go(async move { drop(guard) });
    assert!(spawned.refused().is_some(), "the scope has ended");
    assert_eq!(counts.drops(), 1, "it is dropped, unpolled");
    let mut child = late.fork(async { Ok(()) });
    assert!(child.try_join().is_some_and(|joined| joined.is_err()));
    drop(waker);
}

#[test]
fn i42_a_handle_may_be_kept_with_its_value() {
    let number = 7;
    let child = thread_scope().run(async |s: Calm<'_>| Ok(s.fork(async { Ok(&number) })));
    let mut child = Box::pin(child.unwrap());
    let polled = child.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(polled, Poll::Ready(Ok(7))));
}

#[test]
fn i42_the_value_of_a_dropped_handle_is_gone() {
    let counts = Counts::new();
    let run = thread_scope().run(async |s: Calm<'_>| {
        for _ in 0..20 {
            let guard = counts.guard();
            drop(s.fork(async move { Ok(guard) }));
        }
        Ok(())
    });
    assert_eq!((run.is_ok(), counts.drops()), (true, 20));
}

#[test]
fn i43_a_panic_of_a_dropped_value_is_the_childs() {
    let run = nursery().panics(PanicPolicy::Report).thread_scope().run(async |s| {
        drop(s.task("bomb").fork(async { Ok::<_, &str>(DropPanics("on purpose")) }));
        Ok(())
    });
    let error = run.unwrap_err();
    assert_eq!(error.first().name(), Some("bomb"));
}

#[test]
fn i43_children_are_cancelled_as_in_a_nursery() {
    let run = thread_scope().run(async |s: ThreadScope<'_, &str>| {
        let waits = s.task("waits").fork(pending::<Result<(), _>>());
        s.task("fails").spawn(async { Err("no more") });
        drop(waits);
        Ok(())
    });
    let error = run.unwrap_err();
    assert_eq!(error.first().name(), Some("fails"));
    assert_eq!(error.reason().map(|reason| reason.kind()), Some(ReasonKind::ChildFailed));
}

#[test]
fn i43_join_all_and_names() {
    let numbers = [1, 2, 3];
    let run = thread_scope().run(async |s: ThreadScope<'_, &str>| {
        let children: Vec<_> = numbers
            .iter()
            .map(|number| s.task("add").fork(async move { Ok(number + 1) }))
            .collect();
        assert_eq!(children[0].name(), Some("add"));
        let mut sum = 0;
        for child in children {
            sum += child.await.map_err(|_| "no value")?;
        }
        let plain = [s.nursery_child(4), s.nursery_child(5)];
        Ok(sum + join_all(plain).await.map_err(|_| "no value")?.iter().sum::<i32>())
    });
    assert_eq!(run.unwrap(), 18);
}

/// A child of the nursery that a thread scope is, too.
trait NurseryChild {
    fn nursery_child(&self, number: i32) -> allhome::Child<i32, &'static str>;
}

impl NurseryChild for ThreadScope<'_, &'static str> {
    fn nursery_child(&self, number: i32) -> allhome::Child<i32, &'static str> {
        allhome::Nursery::fork(self, async move { Ok(number) })
    }
}
