//! The verbs that spawn a child, plainly, with a name and into a place.

use allhome::cancel::ReasonKind;
use allhome::error::PanicPolicy;
use allhome::task::TaskBuilder;
use allhome::{Nursery, nursery, yield_now};
use allhome_conformance::Counts;
use allhome_runs::{Opened, Stepped, within};
use std::convert::Infallible;
use std::future::pending;
use std::sync::{Arc, Barrier};
use std::task::Poll;
use std::thread;

fn open(stepped: &Stepped, limit: usize) -> Opened<Infallible> {
    Opened::new(nursery().on(stepped.runtime()).limit(limit))
}

type Place = TaskBuilder<'static, Infallible>;

fn free(place: &Place) -> usize {
    place.nursery().limiter().unwrap().available()
}

#[test]
fn o24_a_refused_future_comes_back_unpolled() {
    let stepped = Stepped::new(1);
    for bounded in [false, true] {
        let mut opened =
            if bounded { open(&stepped, 3) } else { Opened::new(nursery().on(stepped.runtime())) };
        let counts = Counts::new();
        let refusals = [opened.n.try_reserve().unwrap(), opened.n.try_reserve().unwrap()];
        assert!(opened.n.try_spawn(counts.parked().child()).is_ok());
        opened.n.close();
        let [place, unused] = refusals;
        let name = opened.n.task("late");
        let closed =
            [opened.n.try_spawn(counts.parked().child()), name.try_spawn(counts.parked().child())];
        stepped.run_until_stalled();
        let polls = counts.polls();
        let closed = closed.map(|refused| (refused.unwrap_err(), ReasonKind::Closed));
        // A place that was reserved before the end of admissions has its child until the cancel.
        opened.n.cancel();
        let late = place.name("late, with a place").try_spawn(counts.parked().child());
        let late = (late.unwrap_err(), ReasonKind::Requested);
        for (refused, kind) in closed.into_iter().chain([late]) {
            assert_eq!(refused.reason().kind(), kind);
            assert!(refused.to_string().contains("takes no more children"));
            drop(refused.into_future());
        }
        assert_eq!((counts.polls(), counts.drops()), (polls, 3), "dropped by their owner");
        if bounded {
            assert_eq!(free(&unused), 1, "the place is given back");
        }
        drop(unused);
        opened.n.abort();
        stepped.run_until_stalled();
        assert!(opened.finish().is_ready());
    }
}

#[test]
fn o24_a_big_future_comes_back() {
    let stepped = Stepped::new(1);
    let mut opened = open(&stepped, 1);
    let page = [7_u8; 40 << 10];
    let big = async move {
        yield_now().await;
        assert_eq!(page[40], 7);
        Ok(())
    };
    let place = opened.n.try_reserve().unwrap();
    opened.n.cancel();
    let refused = opened.n.try_spawn(big).unwrap_err();
    let refused = place.try_spawn(refused.into_future()).unwrap_err();
    stepped.drive(refused.into_future()).unwrap();
    assert!(opened.finish().is_ready());
}

/// Each future is either a child's, and is dropped by the nursery, or comes back.
#[test]
fn o24_the_look_and_the_admission_are_one_step() {
    within(|| {
        for _ in 0..200 {
            let (start, counts) = (Arc::new(Barrier::new(2)), Counts::new());
            let stepped = Stepped::new(1);
            let mut opened = Opened::new(nursery().on(stepped.runtime()));
            let (n, begin) = (opened.n.clone(), start.clone());
            let closes = thread::spawn(move || {
                begin.wait();
                n.close();
            });
            start.wait();
            let spawned: Vec<_> =
                (0..20).map(|_| opened.n.try_spawn(counts.parked().child())).collect();
            closes.join().unwrap();
            let back = spawned.iter().filter(|spawned| spawned.is_err()).count();
            let order = spawned.iter().skip_while(|spawned| spawned.is_ok());
            assert!(order.clone().all(Result::is_err), "closed is closed");
            assert_eq!(opened.n.len(), 20 - back);
            stepped.run_until_stalled();
            assert_eq!(counts.polls(), 20 - back);
            opened.n.abort();
            drop(spawned);
            assert_eq!(counts.drops(), 20);
            assert!(opened.finish().is_ready());
        }
    });
}

async fn never() -> ! {
    pending().await
}

#[test]
fn o25_go_takes_what_cannot_fail() {
    let stepped = Stepped::new(1);
    let mut opened = open(&stepped, 8);
    let (n, counts) = (opened.n.clone(), Counts::new());
    let count = counts.clone();
    let spawned = [
        // An endless loop, a block that ends in one, and a function that never returns.
        n.go(async {
            loop {
                yield_now().await;
                pending::<()>().await;
            }
        }),
        n.task("reader").go(async move {
            let parked = count.parked();
            let _ended: Result<(), Infallible> = parked.child().await;
        }),
        n.try_reserve().unwrap().name("writer").go(async { never().await }),
        n.go(async {}),
        n.go(pending()),
    ];
    assert!(spawned.iter().all(|spawned| spawned.is_admitted()));
    stepped.run_until_stalled();
    assert_eq!((opened.n.len(), counts.polls()), (4, 1));
    let tree = opened.n.tree().to_string();
    assert!(tree.contains("reader") && tree.contains("writer"), "{tree}");
    opened.n.cancel();
    stepped.run_until_stalled();
    assert!(matches!(opened.finish(), Poll::Ready(Ok(()))));
    assert!(n.go(async {}).refused().is_some());
}

#[test]
fn o25_a_panic_of_such_a_child_is_a_failure() {
    let stepped = Stepped::new(1);
    let builder = nursery().on(stepped.runtime()).panics(PanicPolicy::Report);
    let mut opened = Opened::new(builder);
    opened.n.task("bad").go(async { panic!("on purpose") });
    stepped.run_until_stalled();
    let Poll::Ready(Err(error)) = opened.finish() else { panic!("it has failed") };
    assert_eq!(error.first().name(), Some("bad"));
}

#[test]
fn o26_a_childs_place_is_that_of_the_call() {
    let stepped = Stepped::new(1);
    let mut opened = open(&stepped, 100);
    let n: &Nursery<Infallible> = &opened.n;
    let fork = || pending::<Result<u8, Infallible>>();
    let spawn = || pending::<Result<(), Infallible>>();
    let mut children = Vec::new();
    let place = || n.try_reserve().unwrap();
    let first = line!() + 1;
    let _spawned = n.spawn(spawn());
    let _spawned = n.try_spawn(spawn()).unwrap();
    let _spawned = n.go(pending());
    children.push(n.fork(fork()));
    let _spawned = n.task("a").spawn(spawn());
    let _spawned = n.task("b").try_spawn(spawn()).unwrap();
    let _spawned = n.task("c").go(pending());
    children.push(n.task("d").fork(fork()));
    let _spawned = place().spawn(spawn());
    let _spawned = place().try_spawn(spawn()).unwrap();
    let _spawned = place().go(pending());
    children.push(place().fork(fork()));
    let last = line!() - 1;
    let tree = opened.n.tree();
    let lines = tree.nurseries()[0].tasks.iter().map(|task| task.location.line());
    assert!(lines.eq(first..=last));
    opened.n.abort();
    stepped.run_until_stalled();
    assert!(opened.finish().is_ready());
}
