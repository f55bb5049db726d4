//! Arming for the whole process: a program of its own, with one test, because others would see it.

use allhome::see::stacks::{self, Arm};
use allhome::see::{self, Dump};
use allhome::{Nursery, nursery};
use allhome_runs::{Opened, Stepped};
use std::convert::Infallible;
use std::future::poll_fn;
use std::task::{Poll, Waker};

async fn waits() {
    let mut kept: Option<Waker> = None;
    poll_fn(|cx| {
        kept = Some(cx.waker().clone());
        Poll::<()>::Pending
    })
    .await
}

/// Returns whether a task of a nursery is seen, and of one inside that.
fn seen(asked: Option<bool>, inside: Option<bool>) -> (bool, bool) {
    let stepped = Stepped::new(1);
    let builder = nursery().on(stepped.runtime());
    let builder = asked.into_iter().fold(builder, |builder, asked| builder.stacks(asked));
    let mut opened = Opened::new(builder);
    let n = opened.n.clone();
    n.go(async move {
        let builder = inside.into_iter().fold(nursery(), |builder, asked| builder.stacks(asked));
        let run = builder.run(async |n: Nursery<Infallible>| {
            n.go(waits());
            Ok(())
        });
        drop(run.await);
    });
    n.go(waits());
    stepped.run_until_stalled();
    let tree = n.tree();
    let seen =
        |at: usize| tree.nurseries()[at].tasks.last().is_some_and(|task| !task.stacks.is_empty());
    let found = (seen(0), seen(1));
    n.abort();
    assert!(opened.finish().is_ready());
    found
}

#[test]
#[cfg(target_pointer_width = "64")]
fn u43_armed_for_the_process_for_a_nursery_and_by_chance() {
    assert_eq!(seen(None, None), (false, false), "it is off until it is armed");
    assert_eq!(seen(Some(true), None), (true, true));
    assert_eq!(seen(Some(true), Some(false)), (true, false));
    assert_eq!(seen(None, Some(true)), (false, true));
    assert!(!stacks::is_armed());
    stacks::arm(Arm::All);
    assert!(stacks::is_armed() && stacks::is_possible());
    assert_eq!(seen(None, None), (true, true));
    assert_eq!(seen(Some(false), None), (false, false));
    stacks::arm(Arm::OneIn(3));
    let chosen = (0..9).filter(|_| seen(None, None) == (true, true)).count();
    assert_eq!(chosen, 3);
    stacks::arm(Arm::OneIn(0));
    assert_eq!(seen(None, None), (false, false));

    // What exists already is seen from its next poll on, and until the poll after it is off.
    stacks::arm(Arm::Off);
    let stepped = Stepped::new(1);
    let mut opened = Opened::new(nursery().on(stepped.runtime()));
    let n = opened.n.clone();
    let child = n.fork(async {
        let mut polls = 0;
        poll_fn(|cx| {
            polls += 1;
            drop(cx.waker().clone());
            if polls < 9 { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
        Ok(())
    });
    let text = || {
        stepped.run_until_stalled();
        let text = Dump::of(vec![n.tree()]).to_string();
        (n.tree().root().tasks[0].stacks.len(), text.lines().last().unwrap_or_default().to_string())
    };
    let how = "no stacks are known: set ALLHOME_STACKS=1, or call `allhome::see::stacks::arm`";
    assert_eq!(text(), (0, how.into()));
    stacks::arm(Arm::All);
    let (count, last) = text();
    assert_eq!(count, 0);
    assert!(last.contains("no task was polled since"), "{last}");
    drop(child);
    stacks::arm(Arm::Off);
    assert!(see::trees().iter().any(|tree| tree.root().id == n.id()));
    n.abort();
    assert!(opened.finish().is_ready());
}
