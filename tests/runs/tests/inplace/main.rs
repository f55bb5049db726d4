//! Scopes in place: children that borrow from the caller, polled by the caller's own task.

mod bounded;
mod cancel;
mod driven;
mod ends;
mod extras;
mod inside;
mod joins;
mod members;
mod panics;
mod sent;
mod simulated;
mod times;

use allhome::in_place::LocalScope;
use allhome::{GroupError, Scope, scope};
use allhome_conformance::Gate;
use allhome_runs::Wakes;
use std::cell::Cell;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

/// Polls until it is ready, each time that it was woken, and no longer.
fn drive<F: Future>(future: F) -> F::Output {
    let (mut future, wakes) = (pin!(future), Wakes::new());
    for _ in 0..10_000 {
        let seen = wakes.count();
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&wakes.waker())) {
            return value;
        }
        assert!(wakes.count() > seen, "it waits, and nothing will wake it");
    }
    panic!("it wakes itself for ever")
}

fn poll<F: Future + ?Sized>(future: &mut Pin<Box<F>>, wakes: &Wakes) -> Poll<F::Output> {
    allhome_runs::poll_once(future, wakes)
}

/// Counts how often something happens.
#[derive(Default)]
struct Count(Cell<usize>);

impl Count {
    fn add(&self) {
        self.0.set(self.0.get() + 1);
    }

    fn get(&self) -> usize {
        self.0.get()
    }

    /// Returns a guard that counts its drop.
    fn on_drop(&self) -> OnDrop<'_> {
        OnDrop(self)
    }
}

struct OnDrop<'a>(&'a Count);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.add();
    }
}

/// Counts its polls, and waits until the gate is open.
async fn counted(polls: &Count, gate: &Gate) {
    let mut wait = pin!(gate.wait());
    poll_fn(|cx| {
        polls.add();
        wait.as_mut().poll(cx)
    })
    .await;
}

/// Waits for ever.
async fn for_ever<T>() -> T {
    std::future::pending().await
}

/// Calls the function when it is dropped.
struct Then<F: FnMut()>(F);

impl<F: FnMut()> Drop for Then<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Returns the failures of an error, a word each.
fn failures<E: fmt::Display + Send + Sync + 'static>(error: &GroupError<E>) -> Vec<String> {
    let name = |failure: &allhome::error::Failure<E>| failure.name().unwrap_or("-").to_string();
    error.failures().map(name).collect()
}

#[test]
fn i02_children_borrow_and_need_not_be_send() {
    let (words, total) = (vec!["a".to_string(), "bcd".to_string()], Cell::new(0));
    let longest = drive(scope().local().run(async |s: LocalScope<'_>| {
        for word in &words {
            s.spawn(async {
                total.set(total.get() + word.len());
                Ok(())
            });
        }
        Ok(s.fork(async { Ok(words.iter().max_by_key(|word| word.len())) }).await?)
    }));
    assert_eq!(longest.unwrap().map(String::as_str), Some("bcd"));
    assert_eq!(total.get(), 4);
    let mut sum = [0; 3];
    let run = scope().run(async |s: Scope<'_>| {
        for (index, place) in sum.iter_mut().enumerate() {
            s.spawn(async move {
                *place = index;
                Ok(())
            });
        }
        Ok(())
    });
    drive(run).unwrap();
    assert_eq!(sum, [0, 1, 2]);
}
