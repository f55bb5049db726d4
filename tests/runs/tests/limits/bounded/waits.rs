//! Waits for a slot that end without one, with the nursery or with their caller.

use super::{Waiting, free, open};
use allhome::cancel::ReasonKind;
use allhome::limit::ReserveError;
use allhome::{Reason, block_on, nursery};
use allhome_runs::{Opened, Stepped, WINDOWS, Window};
use std::error::Error;
use std::future::pending;

#[test]
fn l06_a_wait_ends_with_the_nursery() {
    for end in ["closed", "cancelled", "aborted", "token", "ended", "dropped"] {
        let stepped = Stepped::new(1);
        let mut opened = open(&stepped, 1);
        let n = opened.n.clone();
        let slot = n.try_reserve().unwrap();
        // In no nursery, and in another one.
        let mut outside = Waiting::new(&n);
        let mut other = Opened::new(nursery().on(stepped.runtime()));
        let there = n.clone();
        let inside = other.n.fork(async move { Ok(there.reserve().await.map(drop)) });
        stepped.run_until_stalled();
        assert_eq!(n.limiter().unwrap().waiters(), 2);
        let reason = Reason::new("over");
        match end {
            "closed" => assert!(n.close()),
            "cancelled" => assert!(n.cancel_with(reason)),
            "aborted" => assert!(n.abort()),
            "token" => assert!(n.token().cancel_with(reason)),
            "ended" => assert!(opened.finish().is_ready()),
            _ => drop(std::mem::replace(&mut opened.run, Box::pin(async { Ok(()) }))),
        }
        assert_eq!(outside.wakes.count(), 1, "{end}");
        let kind = match end {
            "closed" | "ended" => ReasonKind::Closed,
            "aborted" => ReasonKind::Aborted,
            "dropped" => ReasonKind::ScopeDropped,
            _ => ReasonKind::Requested,
        };
        stepped.run_until_stalled();
        let inside = block_on(inside).unwrap();
        for error in [outside.poll().unwrap().unwrap_err(), inside.unwrap_err()] {
            let ReserveError::Refused(reason) = &error else { panic!("{end}: {error:?}") };
            assert_eq!(reason.kind(), kind, "{end}");
            assert!(error.to_string().contains(&reason.to_string()));
            assert!(error.source().is_none(), "the reason is told once, in the text");
        }
        assert_eq!(n.limiter().unwrap().waiters(), 0);
        drop(slot);
        assert_eq!(free(&n), 1);
        assert!(other.finish().is_ready());
    }
}

#[test]
fn l07_cancelled_in_each_window() {
    use Window::*;
    for window in WINDOWS {
        let stepped = Stepped::new(1);
        let mut opened = open(&stepped, 1);
        let mut slot = Some(opened.n.try_reserve().unwrap());
        let mut callers = Opened::new(nursery().on(stepped.runtime()));
        let n = opened.n.clone();
        let caller = callers.n.fork(async move {
            if window == BeforeItJoinsTheLine {
                allhome::yield_now().await;
            }
            let slot = n.reserve().await;
            // Cancelled, a child gets no further than this.
            Ok(slot.map(|slot| slot.spawn(pending()).is_admitted()))
        });
        match window {
            BeforeItJoinsTheLine => assert!(stepped.step()),
            _ => assert!(stepped.run_until_stalled() > 0),
        }
        let mut next = (window != BeforeItJoinsTheLine).then(|| Waiting::new(&opened.n));
        if matches!(window, GrantedAndNotPolled | Polled) {
            slot = None;
        }
        if window == Polled {
            stepped.run_until_stalled();
        }
        let reason = Reason::new("leave");
        callers.n.cancel_with(reason.clone());
        stepped.run_until_stalled();
        let spawned = matches!(window, GrantedAndNotPolled | Polled);
        match block_on(caller).unwrap() {
            Ok(admitted) => assert!(spawned && admitted, "{window:?}"),
            Err(ReserveError::Cancelled(why)) => assert!(!spawned && why.same(&reason)),
            Err(error) => panic!("{window:?}: {error:?}"),
        }
        assert_eq!((opened.n.len(), free(&opened.n)), (usize::from(spawned), 0));
        opened.n.limiter().unwrap().resize(2);
        drop(slot);
        if let Some(next) = &mut next {
            assert!(next.poll().unwrap().is_ok());
        }
        opened.n.abort();
        assert_eq!((free(&opened.n), opened.n.limiter().unwrap().waiters()), (2, 0), "{window:?}");
        assert!(opened.finish().is_ready() && callers.finish().is_ready());
    }
}
