//! Clauses P18 to P29: a future for each of many items, so many at once; children by key.

mod bad;
mod failing;
mod in_nursery;
mod in_place;
mod keyed;

use allhome_conformance::Gate;
use allhome_runs::{Log, Wakes};
use futures_util::Stream;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Polls a stream once, with a waker that counts.
fn poll_next<S: Stream + Unpin>(stream: &mut S, wakes: &Wakes) -> Poll<Option<S::Item>> {
    Pin::new(stream).poll_next(&mut Context::from_waker(&wakes.waker()))
}

/// As many gates, each for the future of one item.
fn gates(count: usize) -> Arc<[Gate]> {
    (0..count).map(|_| Gate::new()).collect()
}

/// Makes futures that wait for the gate of their item, and give its number. The log says which have
/// begun and which were dropped before their end.
fn gated(
    gates: &Arc<[Gate]>,
    log: &Log,
) -> impl FnMut(usize) -> Pin<Box<dyn Future<Output = usize> + Send>> + use<> {
    let (gates, log) = (gates.clone(), log.clone());
    move |item| {
        let (gate, log) = (gates[item].clone(), log.clone());
        Box::pin(async move {
            log.note(format!("{item} begins"));
            let mut guard = Dropped(Some((log, item)));
            gate.wait().await;
            guard.0 = None;
            item
        })
    }
}

/// Says that the future of an item was dropped before its end.
struct Dropped(Option<(Log, usize)>);

impl Drop for Dropped {
    fn drop(&mut self) {
        if let Some((log, item)) = self.0.take() {
            log.note(format!("{item} dropped"));
        }
    }
}
