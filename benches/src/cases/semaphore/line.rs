//! A line of `n` tasks for one permit, which each holds over a yield.

use std::rc::Rc;
use std::sync::Arc;

use super::peer::{AsyncLock, Intrusive, Ours, Peer, Tokio};
use super::{case, give_way};
use crate::case::{Case, Side};
use crate::host::{Flavor, Host};
use crate::watch::Watch;

/// Acquisitions in one pass, at least.
const SOME: usize = 1_000;

/// Returns the case in which so many tasks stand in line for one permit.
pub fn line(flavor: Flavor, n: usize) -> Case {
    let turns = SOME.div_ceil(n);
    case(&format!("line/{flavor}/{n}"), (n * turns) as u64, move || {
        let host = Rc::new(Host::new(flavor));
        vec![
            side::<Ours>(&host, n, turns),
            side::<Tokio>(&host, n, turns),
            side::<Intrusive>(&host, n, turns),
            side::<AsyncLock>(&host, n, turns),
        ]
    })
}

fn side<P: Peer>(host: &Rc<Host>, n: usize, turns: usize) -> Side {
    Side::on(host, P::NAME, move || async move {
        let semaphore = Arc::new(P::new(1));
        let watch = Watch::start();
        let tasks: Vec<_> = (0..n)
            .map(|_| {
                let semaphore = Arc::clone(&semaphore);
                tokio::spawn(async move {
                    for _ in 0..turns {
                        let grant = semaphore.acquire(1).await;
                        give_way().await;
                        drop(grant);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("it ended");
        }
        watch.stop()
    })
}
