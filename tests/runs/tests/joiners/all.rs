//! All values, in the order of the handles, or the first failure.

use crate::{ChildOf, after, waits};
use allhome::time::now;
use allhome::{Policy, join_all};
use allhome_conformance::Counts;
use allhome_runs::SECOND;
use allhome_runs::place::{Forks, Place, settle};

in_each_place! {
    e17_all_values_in_the_order_of_the_handles
    e17_the_first_without_a_value_ends_the_wait
    e17_what_was_not_looked_at_is_the_places
    e17_no_child_at_all
    e18_dropped_it_leaves_the_children
}

fn e17_all_values_in_the_order_of_the_handles<P: Place>() {
    let values = P::run(Policy::FailFast, async |n: P::Handle| {
        let ended = n.fork(async { Ok(0) });
        settle().await;
        let start = now();
        let children = [(3, Ok(1)), (1, Ok(2)), (2, Ok(3))].map(|(at, value)| after(&n, at, value));
        let values = join_all([ended].into_iter().chain(children)).await;
        assert_eq!(now() - start, SECOND * 3);
        values.ok()
    });
    assert_eq!(values.unwrap(), Some(vec![0, 1, 2, 3]));
}

fn e17_the_first_without_a_value_ends_the_wait<P: Place>() {
    let counts = Counts::new();
    let error = P::run(Policy::Isolate, async |n: P::Handle| {
        let start = now();
        let lasting: ChildOf<P, ()> = waits(&n, &counts);
        let children = [after(&n, 4, Ok(1)), after(&n, 2, Err("bad")), after(&n, 3, Ok(1))];
        let error = join_all(children).await.expect_err("one has failed");
        assert_eq!((now() - start, n.len()), (SECOND * 2, 3), "the others go on");
        n.cancel(&lasting);
        error.error().copied()
    });
    assert_eq!((error.unwrap(), counts.drops()), (Some("bad"), 1));
}

fn e17_what_was_not_looked_at_is_the_places<P: Place>() {
    let error = P::run(Policy::Isolate, async |n: P::Handle| {
        let children = ["a", "b", "c"].map(|why| after::<_, ()>(&n, 1, Err(why)));
        join_all(children).await.err().and_then(|error| error.error().copied())
    });
    let left: Vec<_> = error.expect_err("two are left").errors().copied().collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

fn e17_no_child_at_all<P: Place>() {
    let values = P::run(Policy::FailFast, async |_: P::Handle| {
        join_all(Vec::<ChildOf<P, u32>>::new()).await.ok()
    });
    assert_eq!(values.unwrap(), Some(vec![]));
}

fn e18_dropped_it_leaves_the_children<P: Place>() {
    let counts = Counts::new();
    let run = P::run(Policy::FailFast, async |n: P::Handle| {
        let guard = counts.guard();
        let slow = n.fork(async move {
            allhome::sleep(SECOND).await;
            drop(guard);
            Ok(())
        });
        let mut all = Box::pin(join_all([slow, after(&n, 2, Ok(()))]));
        let polled = allhome_runs::poll_once(&mut all, &allhome_runs::Wakes::new());
        assert!(polled.is_pending());
        drop(all);
        assert_eq!(n.len(), 2);
        allhome::sleep(SECOND).await;
        settle().await;
        assert_eq!(counts.drops(), 1);
    });
    assert!(run.is_ok());
}
