//! Streams of many items whose futures run in place, against wakes from other threads.

use crate::manual::Flag;
use crate::model;
use allhome::many::ConcurrentExt;
use futures_core::Stream;
use loom::sync::Mutex;
use loom::sync::atomic::{AtomicBool, Ordering::Relaxed};
use loom::thread;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// Holds a future back until it is opened. By its flag nothing is ordered: the wake has to do that.
#[derive(Default)]
struct Gate {
    open: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Gate {
    fn future(self: &Arc<Gate>, item: usize) -> impl Future<Output = usize> + use<> {
        let gate = self.clone();
        poll_fn(move |cx| {
            let old = gate.waker.lock().unwrap().replace(cx.waker().clone());
            drop(old);
            if gate.open.load(Relaxed) { Poll::Ready(item) } else { Poll::Pending }
        })
    }

    fn waker(&self) -> Waker {
        self.waker.lock().unwrap().clone().expect("the future was polled")
    }

    /// Opens it, and wakes what was polled last.
    fn open(&self, waker: &Waker) {
        self.open.store(true, Relaxed);
        waker.wake_by_ref();
    }
}

type Outputs = Pin<Box<dyn Stream<Item = usize>>>;

/// A stream whose futures wait at two gates, one after the other if the limit is 1.
#[inline(never)]
fn two(limit: usize) -> (Outputs, [Arc<Gate>; 2], Arc<Flag>) {
    let gates: [Arc<Gate>; 2] = Default::default();
    let own = gates.clone();
    let stream = (0..2).map_concurrent(limit, move |item| own[item].future(item)).unordered();
    (Box::pin(stream), gates, Flag::new(true))
}

/// Polls it for as long as it is woken. Returns how many outputs it gave.
fn settle(stream: &mut Outputs, woken: &Arc<Flag>) -> usize {
    let mut given = 0;
    while woken.take() {
        let waker = Waker::from(woken.clone());
        while let Poll::Ready(Some(_)) = stream.as_mut().poll_next(&mut Context::from_waker(&waker))
        {
            given += 1;
        }
    }
    given
}

#[test]
fn p20_wakes_of_two_beside_a_poll() {
    model(|| {
        let (mut stream, gates, woken) = two(2);
        assert_eq!(settle(&mut stream, &woken), 0);
        let wakers = [gates[0].waker(), gates[1].waker()];
        let (other, waker) = (gates[1].clone(), wakers[1].clone());
        let thread = thread::spawn(move || other.open(&waker));
        gates[0].open(&wakers[0]);
        let given = settle(&mut stream, &woken);
        thread.join().unwrap();
        assert_eq!(given + settle(&mut stream, &woken), 2, "a wake was lost");
    });
}

/// A wake for the first future, late, beside the first poll of the one that has its slot now.
#[test]
fn p20_a_late_wake_beside_the_next_future() {
    model(|| {
        let (mut stream, gates, woken) = two(1);
        assert_eq!(settle(&mut stream, &woken), 0);
        let late = gates[0].waker();
        gates[0].open(&late);
        let other = gates[1].clone();
        let thread = thread::spawn(move || {
            late.wake();
            other.open.store(true, Relaxed);
            let waker = other.waker.lock().unwrap().clone();
            waker.into_iter().for_each(Waker::wake);
        });
        let given = settle(&mut stream, &woken);
        thread.join().unwrap();
        assert_eq!(given + settle(&mut stream, &woken), 2, "a wake was lost");
    });
}

#[test]
fn p22_dropped_beside_a_wake() {
    model(|| {
        let (mut stream, gates, woken) = two(2);
        assert_eq!(settle(&mut stream, &woken), 0);
        let (gate, waker) = (gates[0].clone(), gates[0].waker());
        let thread = thread::spawn(move || gate.open(&waker));
        drop(stream);
        thread.join().unwrap();
    });
}
