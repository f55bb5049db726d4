//! Models of the crew: hands on two threads, wakes from a third, and the close.

use super::crew::{Crew, Hand};
use super::loan;
use crate::layers::base::sync::{
    Arc, AtomicBool, AtomicUsize, GlobalMutex, Ordering, model, spawn_modelled,
};
use allhome_rt::{Spawn, Task};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, Wake, Waker};

/// A waker that says whether it was woken.
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        // A read-modify-write: loom lets one that takes the flag back overtake a store.
        self.0.swap(true, Ordering::Release);
    }
}

/// A hand, and when to poll it.
struct Driven(Hand, Arc<Flag>);

impl Driven {
    fn new(crew: &Arc<Crew>) -> Driven {
        Driven(crew.hand(), Arc::new(Flag(AtomicBool::new(true))))
    }

    /// Polls it for as long as it is woken. Returns `true` if it is over.
    fn settle(&mut self) -> bool {
        let waker = Waker::from(self.1.clone());
        while self.1.0.swap(false, Ordering::Acquire) {
            let mut cx = Context::from_waker(&waker);
            if Pin::new(&mut self.0).poll(&mut cx).is_ready() {
                return true;
            }
        }
        false
    }
}

/// What a task has done.
#[derive(Default)]
struct Done {
    polls: AtomicUsize,
    drops: AtomicUsize,
}

struct Drops(Arc<Done>);

impl Drop for Drops {
    fn drop(&mut self) {
        self.0.drops.fetch_add(1, Ordering::Relaxed);
    }
}

/// A task that is ready in its second poll, and its waker after the first.
fn twice(done: &Arc<Done>) -> (Task, Arc<GlobalMutex<Option<Waker>>>) {
    let (drops, kept) = (Drops(done.clone()), Arc::new(GlobalMutex::new(None)));
    let keep = kept.clone();
    let task = Task::from_future(poll_fn(move |cx| {
        *keep.lock() = Some(cx.waker().clone());
        match drops.0.polls.fetch_add(1, Ordering::Relaxed) {
            0 => Poll::Pending,
            _ => Poll::Ready(()),
        }
    }));
    (task, kept)
}

fn take(kept: &GlobalMutex<Option<Waker>>) -> Waker {
    kept.lock().take().expect("it was polled")
}

#[test]
fn a_task_that_is_woken_is_polled_by_one_of_two_hands() {
    model(|| {
        let (crew, done) = (Crew::new(2), Arc::new(Done::default()));
        let [mut own, mut other] = [(); 2].map(|()| Driven::new(&crew));
        let (task, kept) = twice(&done);
        crew.spawner().spawn(task);
        own.settle();
        let waker = take(&kept);
        let second = spawn_modelled(move || {
            other.settle();
            other
        });
        waker.wake();
        own.settle();
        let mut other = second.join().unwrap();
        // Whichever was notified has its flag up.
        other.settle();
        own.settle();
        assert_eq!(done.polls.load(Ordering::Relaxed), 2);
        assert_eq!(done.drops.load(Ordering::Relaxed), 1);
        crew.close();
        drop(take(&kept));
    });
}

#[test]
fn a_wake_in_the_middle_of_a_poll_is_not_lost() {
    model(|| {
        let (crew, done) = (Crew::new(1), Arc::new(Done::default()));
        let (mut hand, gate) = (Driven::new(&crew), Arc::new(AtomicBool::new(false)));
        let kept = Arc::new(GlobalMutex::new(None));
        let (drops, keep, is_open) = (Drops(done.clone()), kept.clone(), gate.clone());
        crew.spawner().spawn(Task::from_future(poll_fn(move |cx| {
            *keep.lock() = Some(cx.waker().clone());
            drops.0.polls.fetch_add(1, Ordering::Relaxed);
            // By the flag nothing is ordered: the wake has to do that.
            if is_open.load(Ordering::Relaxed) { Poll::Ready(()) } else { Poll::Pending }
        })));
        hand.settle();
        let waker = take(&kept);
        waker.wake_by_ref();
        let other = spawn_modelled(move || {
            hand.settle();
            hand
        });
        gate.store(true, Ordering::Relaxed);
        waker.wake();
        other.join().unwrap().settle();
        assert_eq!(done.drops.load(Ordering::Relaxed), 1, "it has seen the gate open");
        crew.close();
        drop(take(&kept));
    });
}

#[test]
fn a_hand_that_goes_passes_its_task_on() {
    model(|| {
        let (crew, done) = (Crew::new(2), Arc::new(Done::default()));
        let [mut own, mut other] = [(); 2].map(|()| Driven::new(&crew));
        own.settle();
        other.settle();
        let gone = spawn_modelled(move || drop(other));
        let (task, kept) = twice(&done);
        crew.spawner().spawn(task);
        own.settle();
        gone.join().unwrap();
        own.settle();
        assert_eq!(done.polls.load(Ordering::Relaxed), 1, "no hand but this one is left");
        crew.close();
        assert_eq!(done.drops.load(Ordering::Relaxed), 1);
        drop(take(&kept));
    });
}

#[test]
fn the_close_drops_what_waits_and_what_is_woken() {
    model(|| {
        let (crew, done) = (Crew::new(1), Arc::new(Done::default()));
        let mut hand = Driven::new(&crew);
        let (task, kept) = twice(&done);
        crew.spawner().spawn(task);
        hand.settle();
        let waker = take(&kept);
        let other = spawn_modelled(move || {
            waker.wake();
            (hand.settle(), hand)
        });
        crew.close();
        let (is_over, mut hand) = other.join().unwrap();
        assert!(is_over || hand.settle(), "it is over");
        assert_eq!(done.drops.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn what_was_done_with_a_loan_is_seen_by_the_lender() {
    struct Counts(Arc<AtomicUsize>);
    impl Drop for Counts {
        fn drop(&mut self) {
            self.0.store(1, Ordering::Relaxed);
        }
    }

    model(|| {
        let count = Arc::new(AtomicUsize::new(0));
        let counts = Counts(count.clone());
        loan::with(|loans, ledger| {
            let lent = loans.lend(async move { drop(counts) });
            let other = spawn_modelled(move || drop(lent));
            ledger.close();
            if ledger.is_settled() {
                assert_eq!(count.load(Ordering::Relaxed), 1, "the loan is back");
            }
            other.join().unwrap();
        });
    });
}
