//! What is there at a deadline.

use crate::{after, kind, waits};
use allhome::cancel::ReasonKind;
use allhome::join::{first_ok, join_outcomes, quorum, race};
use allhome::time::now;
use allhome::{Policy, cancelled};
use allhome_conformance::Counts;
use allhome_runs::SECOND;
use allhome_runs::place::{Forks, Place};
use std::time::Duration;

in_each_place! {
    p08_what_is_there_is_given
    p08_a_value_of_the_last_poll_counts
    p08_in_time
    p08_not_for_the_losers
}

fn isolated<P: Place>(body: impl AsyncFnOnce(P::Handle)) {
    P::run(Policy::Isolate, body).expect("no failure is the nursery's");
}

fn p08_what_is_there_is_given<P: Place>() {
    isolated::<P>(async |n: P::Handle| {
        let start = now();
        let counts = Counts::new();
        let children = [after(&n, 1, Ok(1)), after(&n, 3, Ok(3)), waits(&n, &counts)];
        let error = quorum(2, children).deadline(SECOND * 2).await.expect_err("it is too early");
        assert_eq!((now() - start, counts.drops(), n.len()), (SECOND * 2, 1, 0));
        let (values, failures) = error.into_parts();
        assert_eq!(values, [1]);
        assert!(failures.iter().all(|failure| kind(failure) == Some(ReasonKind::Deadline)));

        let children = [after(&n, 1, Ok(1)), after(&n, 3, Ok(3))];
        let outcomes = join_outcomes(children).deadline(SECOND * 2).await;
        let [Ok(1), Err(late)] = &outcomes[..] else { panic!("{outcomes:?}") };
        assert_eq!(kind(late), Some(ReasonKind::Deadline));
    });
}

fn p08_a_value_of_the_last_poll_counts<P: Place>() {
    isolated::<P>(async |n: P::Handle| {
        let answers = n.fork(async {
            cancelled().await;
            Ok(7)
        });
        assert_eq!(first_ok([answers]).deadline_at(now() + SECOND).await.ok(), Some(7));
    });
}

fn p08_in_time<P: Place>() {
    isolated::<P>(async |n: P::Handle| {
        let start = now();
        let children = [after(&n, 5, Ok(5)), after(&n, 1, Ok(1))];
        assert_eq!(race(children).deadline(SECOND * 2).await.ok(), Some(1));
        assert_eq!(now() - start, SECOND);
        let unlimited = race([after(&n, 1, Ok(1))]).deadline(Duration::MAX);
        assert_eq!(unlimited.await.ok(), Some(1));
        let past = race([after(&n, 1, Ok(1))]).deadline(Duration::ZERO);
        assert!(past.await.is_err());
    });
}

/// A race that is decided waits for its losers, beyond its deadline: they have the reason of the
/// race.
fn p08_not_for_the_losers<P: Place>() {
    isolated::<P>(async |n: P::Handle| {
        let start = now();
        let slow = n.fork(async {
            let reason = cancelled().await;
            assert_eq!(reason.kind(), ReasonKind::RaceLost);
            allhome::shield(Duration::MAX, allhome::sleep(SECOND * 9)).await;
            Ok(0)
        });
        let race = race([after(&n, 1, Ok(1)), slow]).deadline(SECOND * 2);
        assert_eq!((race.await.ok(), now() - start), (Some(1), SECOND * 10));
    });
}
