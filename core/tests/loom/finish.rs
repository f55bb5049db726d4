//! The end of a child against everything that looks at it: its handle, its joiner, its nursery.

use crate::home::{Home, Joiner, outcome};
use crate::kid::{Kid, Until};
use crate::manual::Flag;
use crate::model;
use allhome::task::TaskState;
use allhome::{Policy, join_all};
use loom::thread;

#[test]
fn o01_last_child_versus_join() {
    model(|| {
        let (kid, book) = Kid::new(Until::Yields(0));
        let (mut home, _) = Home::open(move |n| n.spawn(kid.plain()).is_admitted());
        let job = home.manual.job();
        let other = thread::spawn(move || job.run());
        if home.poll() {
            assert!(book.is_over());
        }
        assert!(home.settle([other.join().unwrap()]));
        book.check();
        home.close();
    });
}

#[test]
fn o02_handle_drop_versus_finish() {
    model(|| {
        let (kid, book) = Kid::new(Until::Yields(0));
        let (mut home, child) = Home::open(move |n| n.fork(kid));
        let job = home.manual.job();
        let other = thread::spawn(move || job.run());
        drop(child);
        let job = other.join().unwrap();
        assert!(book.finished(), "a handle's drop does not kill");
        assert!(home.settle([job]));
        book.check();
        home.close();
    });
}

/// Three threads. Whichever drops the value, a nursery without handle is not ready before.
#[test]
fn o02_handle_drop_versus_finish_and_join() {
    model(|| {
        let (kid, book) = Kid::new(Until::Yields(0));
        let (mut home, child) = Home::open(move |n| n.fork(kid));
        let job = home.manual.job();
        let (dropped, seen) = (Flag::new(false), book.clone());
        let says = dropped.clone();
        let dropper = thread::spawn(move || {
            drop(child);
            says.set();
        });
        let joiner = thread::spawn(move || {
            // As long as the handle is there, the value is its own.
            let gone = dropped.take();
            if home.poll() {
                assert!(!gone || seen.is_over(), "the nursery is ready, and a value is there");
            }
            home
        });
        let job = job.run();
        dropper.join().unwrap();
        let mut home = joiner.join().unwrap();
        assert!(home.settle([job]));
        book.check();
        home.close();
    });
}

#[test]
fn e09_join_versus_finish() {
    model(|| {
        let (kid, book) = Kid::new(Until::Yields(0));
        let (mut home, child) = Home::open(move |n| n.fork(kid));
        let job = home.manual.job();
        let other = thread::spawn(move || job.run());
        let mut joiner = Joiner::new(child);
        let woken = Flag::new(false);
        let result = joiner.poll(&woken);
        assert!(home.settle([other.join().unwrap()]));
        let result = result.or_else(|| {
            assert!(woken.take(), "the joiner was not woken");
            joiner.poll(&woken)
        });
        assert!(result.is_some_and(|result| result.is_ok()));
        drop(joiner);
        book.check();
        home.close();
    });
}

/// The waker of the latest poll is the one that counts.
#[test]
fn e09_join_by_another_waker_versus_finish() {
    model(|| {
        let (kid, book) = Kid::new(Until::Yields(0));
        let (mut home, child) = Home::open(move |n| n.fork(kid));
        let mut joiner = Joiner::new(child);
        assert!(joiner.poll(&Flag::new(false)).is_none());
        let job = home.manual.job();
        let other = thread::spawn(move || job.run());
        let woken = Flag::new(false);
        let result = joiner.poll(&woken);
        assert!(home.settle([other.join().unwrap()]));
        assert!(result.is_some() || woken.take(), "the joiner was not woken");
        let result = result.or_else(|| joiner.poll(&woken));
        assert!(result.is_some_and(|result| result.is_ok()));
        drop(joiner);
        book.check();
        home.close();
    });
}

/// A child that had to wait, and is ended on another thread than it began on.
#[test]
fn e01_last_poll_versus_try_join() {
    model(|| {
        let (kid, book) = Kid::new(Until::Yields(1));
        let (mut home, mut child) = Home::open(move |n| n.fork(kid));
        let job = home.manual.parked();
        let other = thread::spawn(move || job.run());
        let early = child.try_join();
        assert!(home.settle([other.join().unwrap()]));
        assert_eq!(book.polls(), 2);
        match early {
            Some(result) => {
                assert!(result.is_ok());
                assert!(outcome(child).is_err_and(|error| error.is_taken()));
            }
            None => assert!(outcome(child).is_ok()),
        }
        book.check();
        home.close();
    });
}

/// Three threads: the child ends or is destroyed while its handle goes and the nursery is joined.
#[test]
fn o02_handle_drop_versus_finish_versus_abort() {
    model(|| {
        let (kid, book) = Kid::new(Until::Yields(0));
        let (mut home, child) = Home::open(move |n| n.fork(kid));
        let job = home.manual.job();
        let carrier = thread::spawn(move || job.run());
        let nursery = home.nursery.clone();
        let other = thread::spawn(move || nursery.abort());
        drop(child);
        if home.poll() {
            assert!(book.is_over(), "the nursery is ready, and something of its child is there");
        }
        other.join().unwrap();
        assert!(home.settle([carrier.join().unwrap()]));
        book.check();
        home.close();
    });
}

/// A failure is the joiner's; if there is none, the nursery's. It is never lost between the two.
#[test]
fn f08_handle_drop_versus_failure() {
    model(|| {
        let (kid, book) = Kid::new(Until::Fails);
        let (mut home, child) = Home::with(Policy::Isolate, 1, move |n| n.fork(kid));
        let job = home.manual.job();
        let other = thread::spawn(move || job.run());
        drop(child);
        assert!(!home.settle([other.join().unwrap()]), "a failure that was not looked at");
        book.check();
        home.close();
    });
}

/// A joiner on another thread finds the child gone.
#[test]
fn e16_join_then_count_versus_finish() {
    model(|| {
        let (kid, book) = Kid::new(Until::Yields(0));
        let (mut home, child) = Home::held(move |n| n.fork(kid));
        let job = home.manual.job();
        let other = thread::spawn(move || job.run());
        let mut joiner = Joiner::new(child);
        if joiner.poll(&Flag::new(false)).is_some() {
            assert_eq!(home.nursery.len(), 0, "joined, and still counted");
            assert_eq!(home.nursery.tree().tasks(), 0, "joined, and still listed");
        }
        assert!(home.settle([other.join().unwrap()]));
        drop(joiner);
        book.check();
        home.close();
    });
}

/// The same, of a child that an abort destroys.
#[test]
fn e16_join_then_count_versus_abort() {
    model(|| {
        let (kid, book) = Kid::new(Until::Never);
        let (mut home, child) = Home::held(move |n| n.fork(kid));
        let job = home.manual.parked();
        let nursery = home.nursery.clone();
        let other = thread::spawn(move || nursery.abort());
        if child.is_ended() {
            assert_eq!(home.nursery.len(), 0, "it has ended, and is still counted");
        }
        assert!(child.state() != TaskState::Ended || child.is_ended());
        other.join().unwrap();
        home.settle([Some(job)]);
        drop(child);
        book.check();
        home.close();
    });
}

/// The waker is called when the child has left.
#[test]
fn e16_joiners_waker_versus_finish() {
    model(|| {
        let (kid, book) = Kid::new(Until::Yields(0));
        let (mut home, child) = Home::held(move |n| n.fork(kid));
        let mut joiner = Joiner::new(child);
        let woken = Flag::new(false);
        assert!(joiner.poll(&woken).is_none());
        let job = home.manual.job();
        let other = thread::spawn(move || job.run());
        if woken.take() {
            assert_eq!(home.nursery.len(), 0, "its joiner was woken, and it is still counted");
            assert!(joiner.poll(&woken).is_some_and(|result| result.is_ok()));
        }
        assert!(home.settle([other.join().unwrap()]));
        drop(joiner);
        book.check();
        home.close();
    });
}

/// Three threads: the handle goes while the child, whose end is a value, is cancelled.
#[test]
fn o02_handle_drop_versus_last_poll() {
    model(|| {
        let (kid, book) = Kid::new(Until::Cancel);
        let (mut home, child) = Home::open(move |n| n.fork(kid));
        let job = home.manual.parked();
        home.nursery.cancel();
        let dropper = thread::spawn(move || drop(child));
        let carrier = thread::spawn(move || job.run());
        dropper.join().unwrap();
        home.settle([carrier.join().unwrap()]);
        book.check();
        home.close();
    });
}

/// A failure that a joiner causes comes after the one that it joined.
#[test]
fn f02_failure_versus_the_joiners() {
    model(|| {
        let ((one, first), (two, second)) = (Kid::new(Until::Fails), Kid::new(Until::Fails));
        let (mut home, child) = Home::with(Policy::WaitAll, 2, move |n| {
            let child = n.fork(one);
            let _ = n.spawn(two.plain());
            child
        });
        let (job, next) = (home.manual.job(), home.manual.job());
        let other = thread::spawn(move || job.run());
        let mut joiner = Joiner::new(child);
        let next = match joiner.poll(&Flag::new(false)) {
            Some(_) => next.run(),
            None => Some(next),
        };
        assert!(!home.settle([other.join().unwrap(), next]), "two have failed");
        assert_eq!(home.failed(), [1, 2]);
        drop(joiner);
        first.check();
        second.check();
        home.close();
    });
}

/// Three threads: two children end while the task that waits for both begins to wait.
#[test]
fn e18_join_all_versus_two_ends() {
    model(|| {
        let (one, first) = Kid::new(Until::Yields(0));
        let (two, second) = Kid::new(Until::Yields(0));
        let (mut home, children) =
            Home::with(Policy::WaitAll, 2, move |n| [n.fork(one), n.fork(two)]);
        let (job, next) = (home.manual.job(), home.manual.job());
        let carriers = [job, next].map(|job| thread::spawn(move || job.run()));
        let mut joiner = Joiner::new(join_all(children));
        let woken = Flag::new(false);
        let result = joiner.poll(&woken);
        assert!(home.settle(carriers.map(|carrier| carrier.join().unwrap())));
        let result = result.or_else(|| {
            assert!(woken.take(), "the task was not woken");
            joiner.poll(&woken)
        });
        assert!(result.is_some_and(|result| result.is_ok_and(|values| values.len() == 2)));
        drop(joiner);
        first.check();
        second.check();
        home.close();
    });
}

/// The other child does not end: the failure is heard of.
#[test]
fn e17_join_all_versus_failure() {
    model(|| {
        let (one, first) = Kid::new(Until::Never);
        let (two, second) = Kid::new(Until::Fails);
        let (mut home, children) = Home::open(move |n| [n.fork(one), n.fork(two)]);
        let job = home.manual.job();
        let carrier = thread::spawn(move || job.run());
        let mut joiner = Joiner::new(join_all(children));
        let woken = Flag::new(false);
        let result = joiner.poll(&woken);
        home.quiet([carrier.join().unwrap()]);
        let result = result.or_else(|| {
            assert!(woken.take(), "the task was not woken");
            joiner.poll(&woken)
        });
        assert!(result.is_some_and(|result| result.is_err_and(|error| error.error().is_some())));
        drop(joiner);
        home.nursery.abort();
        assert!(!home.settle([]), "a child has failed");
        first.check();
        second.check();
        home.close();
    });
}

/// A wait that is dropped while its children end.
#[test]
fn e18_join_all_drop_versus_end() {
    model(|| {
        let (kid, book) = Kid::new(Until::Yields(0));
        let (mut home, child) = Home::open(move |n| n.fork(kid));
        let job = home.manual.job();
        let mut joiner = Joiner::new(join_all([child]));
        assert!(joiner.poll(&Flag::new(false)).is_none());
        let carrier = thread::spawn(move || job.run());
        drop(joiner);
        assert!(home.settle([carrier.join().unwrap()]));
        book.check();
        home.close();
    });
}
