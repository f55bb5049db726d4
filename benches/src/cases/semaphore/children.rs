//! 64 children of a nursery take turns at a permit; beside them, tokio's semaphore in tokio's tasks.

use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;

use allhome::{Nursery, Tokio as OnTokio, nursery};

use super::peer::{AsyncLock, Intrusive, Ours, Peer, Tokio};
use super::{TASKS, TURNS, case, give_way};
use crate::case::{Case, Goal, Side};
use crate::host::{Flavor, Host};
use crate::watch::{Sample, Watch};

/// What a child, or a task, does: its turns, over a yield each.
async fn turns<P: Peer>(semaphore: Arc<P>, turns: u64) {
    for _ in 0..turns {
        let grant = semaphore.acquire(1).await;
        give_way().await;
        drop(grant);
    }
}

/// As many children of a nursery on tokio.
pub(super) async fn children<P: Peer>(permits: usize, times: u64) -> Sample {
    let watch = Watch::start();
    let run = nursery().on(OnTokio).run(async move |n: Nursery<Infallible>| {
        let semaphore = Arc::new(P::new(permits));
        for _ in 0..TASKS {
            let turns = turns(Arc::clone(&semaphore), times);
            n.spawn(async move {
                turns.await;
                Ok(())
            });
        }
        Ok(())
    });
    run.await.expect("no child fails");
    watch.stop()
}

/// As many tasks of tokio's.
pub(super) async fn tasks<P: Peer>(permits: usize, times: u64) -> Sample {
    let watch = Watch::start();
    let semaphore = Arc::new(P::new(permits));
    let tasks: Vec<_> =
        (0..TASKS).map(|_| tokio::spawn(turns(Arc::clone(&semaphore), times))).collect();
    for task in tasks {
        task.await.expect("it ended");
    }
    watch.stop()
}

pub(super) fn over_a_yield(flavor: Flavor, permits: usize) -> Case {
    let name = format!("{TASKS}_children/{permits}_permits/{flavor}/yield");
    case(&name, TASKS * TURNS, move || {
        let host = Rc::new(Host::new(flavor));
        let ours = {
            let host = Rc::clone(&host);
            Side::new("ours", move |times| host.run(children::<Ours>(permits, times * TURNS)))
        };
        fn peer<P: Peer>(host: &Rc<Host>, permits: usize) -> Side {
            let host = Rc::clone(host);
            Side::new(P::NAME, move |times| host.run(tasks::<P>(permits, times * TURNS)))
        }
        vec![
            ours,
            peer::<Tokio>(&host, permits).goal(Goal::Ratio(0.6)),
            peer::<Intrusive>(&host, permits),
            peer::<AsyncLock>(&host, permits),
        ]
    })
}
