//! Which errors are failures, and which say once more what is known: the same in every schedule.

mod calm;
mod failures;
mod schedules;
mod shown;
mod told;
mod values;

use allhome::runtime::Runtime;
use allhome::{GroupError, Nursery, yield_now};
use std::fmt;
use std::future::Future;
use std::pin::Pin;

/// A program's result, as a line.
type Line = Pin<Box<dyn Future<Output = String>>>;

/// A program that opens a nursery on a runtime.
struct Program {
    name: &'static str,
    run: fn(Runtime) -> Line,
    /// The one outcome that it may have.
    outcome: &'static str,
}

macro_rules! programs {
    ($($name:ident($runtime:ident) -> $outcome:literal $body:block)*) => {
        pub(crate) const PROGRAMS: &[$crate::Program] = &[$($crate::Program {
            name: stringify!($name),
            run: |$runtime| $crate::line($body),
            outcome: $outcome,
        }),*];
    };
}

pub(crate) use programs;

/// Boxes a nursery whose result is a line: the value, or all failures.
fn line<R, E>(run: impl Future<Output = Result<R, GroupError<E>>> + 'static) -> Line
where
    R: fmt::Debug,
    E: fmt::Display + Send + Sync + 'static,
{
    Box::pin(async move { text(run.await) })
}

fn text<R, E>(result: Result<R, GroupError<E>>) -> String
where
    R: fmt::Debug,
    E: fmt::Display + Send + Sync + 'static,
{
    match result {
        Ok(value) => format!("{value:?}"),
        Err(error) => {
            // Without places: that of a finalizer, and that of a reason.
            let short = |failure: String| {
                let text = match failure.strip_prefix("a finalizer (deferred at ") {
                    Some(rest) => format!("a finalizer{}", rest.split(')').nth(1)?),
                    None => failure,
                };
                text.split(" (at ").next().map(str::to_string)
            };
            let failures = error.failures().filter_map(|failure| short(failure.to_string()));
            failures.collect::<Vec<_>>().join("; ")
        }
    }
}

/// Waits until each task of the tree has been polled.
async fn begun<E: Send + Sync + 'static>(n: &Nursery<E>) {
    let waits = |n: &Nursery<E>| {
        let tree = n.tree();
        tree.nurseries().iter().flat_map(|nursery| &nursery.tasks).any(|task| task.polls == 0)
    };
    while waits(n) {
        yield_now().await;
    }
}
