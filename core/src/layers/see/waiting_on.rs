//! A name for an await.

use crate::layers::base::names;
use crate::layers::base::wait_mark::{self, Kind};
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Names what the task waits for while this future is pending: trees and dumps say `waiting for
/// `redis GET`` of it, and not of the awaits inside.
///
/// It is for awaits that are not this crate's, which say nothing by themselves. A poll that is ready
/// pays nothing, and one that is pending a few instructions; the name is kept for ever, once, and only
/// the first 4,096 different names of a process are.
///
/// # Cancel safety
///
/// Dropping it drops the future, and nothing else.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::see::{self, WaitOn};
/// use allhome::{Nursery, block_on, nursery, yield_now};
/// use std::convert::Infallible;
///
/// block_on(nursery().run(async |n: Nursery<Infallible>| {
///     n.go(async { see::waiting_on("redis GET", std::future::pending()).await });
///     let waits = loop {
///         yield_now().await;
///         if let Some(waits) = &n.tree().root().tasks[0].waits {
///             break waits.clone();
///         }
///     };
///     assert_eq!(waits.on, WaitOn::Named("redis GET"));
///     n.abort();
///     Ok(())
/// }))?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn waiting_on<F: Future>(name: &'static str, future: F) -> WaitingOn<F> {
    WaitingOn { future, name, number: None }
}

pin_project! {
    /// Names what a task waits for: the future of [`waiting_on`].
    #[must_use = "it does nothing unless it is awaited"]
    pub struct WaitingOn<F> {
        #[pin]
        future: F,
        name: &'static str,
        // Of the name, once it was pending.
        number: Option<u32>,
    }
}

impl<F: Future> Future for WaitingOn<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let so_far = wait_mark::so_far();
        let polled = this.future.poll(cx);
        if polled.is_pending() {
            let number = *this.number.get_or_insert_with(|| names::number(this.name));
            wait_mark::instead(so_far, Kind::Named, number.into());
        }
        polled
    }
}

impl<F> fmt::Debug for WaitingOn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitingOn").field("name", &self.name).finish_non_exhaustive()
    }
}
