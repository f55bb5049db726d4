//! Joiners of many children, versus the ends of the children.

use crate::home::Home;
use crate::kid::{Kid, Until};
use crate::manual::Job;
use crate::model;
use crate::waiting::Waiting;
use allhome::Policy;
use allhome::join::{Children, race};
use loom::thread;
use std::future::Future;
use std::task::Poll;

/// Polls the joiner and the tasks for as long as there are any that were woken.
#[track_caller]
fn through<F: Future>(
    home: &mut Home,
    waits: &mut Waiting<F>,
    jobs: impl IntoIterator<Item = Option<Job>>,
) -> F::Output {
    home.quiet(jobs);
    for _ in 0..5 {
        if let Poll::Ready(output) = waits.turns() {
            return output;
        }
        home.quiet([]);
    }
    panic!("the task was not woken");
}

/// Three threads: two children end while a task takes them. It gets each, and is polled only when it
/// was woken.
#[test]
fn p03_take_versus_two_ends() {
    model(|| {
        let (one, first) = Kid::new(Until::Yields(0));
        let (two, second) = Kid::new(Until::Yields(0));
        let (mut home, children) =
            Home::with(Policy::WaitAll, 2, move |n| [n.fork(one), n.fork(two)]);
        let (job, next) = (home.manual.job(), home.manual.job());
        let carriers = [job, next].map(|job| thread::spawn(move || job.run()));
        let mut waits = Waiting::new(async move {
            let (mut children, mut seen) = (Children::from_iter(children), [0; 2]);
            while let Some(child) = children.join_next().await {
                seen[child.index()] += 1;
                assert!(child.into_result().is_ok());
            }
            seen
        });
        let seen = waits.turns();
        let jobs = carriers.map(|carrier| carrier.join().unwrap());
        let seen = match seen {
            Poll::Ready(seen) => {
                home.quiet(jobs);
                seen
            }
            Poll::Pending => through(&mut home, &mut waits, jobs),
        };
        assert_eq!(seen, [1, 1], "each is given once");
        drop(waits);
        assert!(home.settle([]));
        first.check();
        second.check();
        home.close();
    });
}

/// Children that end while the handles are dropped, by a task that waits for them and one that does
/// not.
#[test]
fn p02_drop_versus_end() {
    for is_polled in [false, true] {
        model(move || {
            let (kid, book) = Kid::new(Until::Yields(0));
            let (mut home, child) = Home::open(move |n| n.fork(kid));
            let job = home.manual.job();
            let mut children = Children::from_iter([child]);
            let mut waits = Waiting::new(async move {
                let _ = children.join_next().await;
            });
            if is_polled {
                assert!(waits.turns().is_pending());
            }
            let carrier = thread::spawn(move || job.run());
            drop(waits);
            assert!(home.settle([carrier.join().unwrap()]));
            book.check();
            home.close();
        });
    }
}

/// A child that ends while its handle is pushed.
#[test]
fn p02_push_versus_end() {
    model(|| {
        let (kid, book) = Kid::new(Until::Yields(0));
        let (mut home, child) = Home::open(move |n| n.fork(kid));
        let job = home.manual.job();
        let carrier = thread::spawn(move || job.run());
        let mut children = Children::new();
        children.push(child);
        home.quiet([carrier.join().unwrap()]);
        let child = children.try_join_next().expect("it has ended");
        assert!(child.into_result().is_ok() && children.try_join_next().is_none());
        drop(children);
        assert!(home.settle([]));
        book.check();
        home.close();
    });
}

/// One child ends while another one's loss of the race is decided: when the result is there, neither
/// is left.
#[test]
fn p05_race_versus_two_ends() {
    model(|| {
        let (one, first) = Kid::new(Until::Yields(0));
        let (two, second) = Kid::new(Until::Cancel);
        let (mut home, children) =
            Home::with(Policy::WaitAll, 2, move |n| [n.fork(one), n.fork(two)]);
        let (job, next) = (home.manual.job(), home.manual.job());
        let carriers = [job, next].map(|job| thread::spawn(move || job.run()));
        let mut waits = Waiting::new(race(children));
        let polled = waits.turns();
        let jobs = carriers.map(|carrier| carrier.join().unwrap());
        let won = match polled {
            Poll::Ready(won) => {
                assert_eq!((first.drops(), second.drops()), (1, 1));
                home.quiet(jobs);
                won
            }
            Poll::Pending => through(&mut home, &mut waits, jobs),
        };
        assert!(won.is_ok() && home.nursery.is_empty(), "no loser is left");
        drop((waits, won));
        assert!(home.settle([]));
        first.check();
        second.check();
        home.close();
    });
}
