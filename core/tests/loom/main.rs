//! Loom models of the core: every interleaving of a few threads, up to a number of preemptions.
//!
//! They drive the public API on an executor of loom's primitives ([`manual`]), which polls a task
//! when and where the model says. [`home`] opens a nursery and polls it itself. What the models
//! look for:
//!
//! - a future, a value or a record that is dropped never, twice or too late: [`kid`] and [`heap`]
//!   count;
//! - two threads in one future, waker or list at the same time: loom's cells see to it;
//! - a wake-up that is lost: after the race a task, a nursery or a join is polled only if it was
//!   woken, and must still come to its end.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS=2 cargo test -p allhome --release --test loom
//! ```
//!
//! Two preemptions take a second, four half a minute; without the variable it is three. Without
//! `--cfg loom` there is nothing here.

#![cfg(loom)]

mod abort;
mod bell;
mod book;
mod bounded;
mod cancel;
mod carriers;
mod drops;
mod echo;
mod finish;
mod gate;
mod heap;
mod home;
mod in_place;
mod join;
mod kid;
mod limit;
mod limits;
mod manual;
mod many;
mod nested;
mod orphans;
mod owner;
mod shield;
mod token;
mod waiting;
mod wakes;

use loom::thread;
use std::sync::Arc;

/// The stack of a model's first thread, in words.
const DEEP: usize = 1 << 14;

/// Runs a model, and sees that no record is left when it is over.
#[track_caller]
fn model(run: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(3);
    let run = Arc::new(run);
    builder.check(move || {
        heap::begin();
        // loom's own threads have 32 KiB, and its atomics are large.
        let (run, deep) = (run.clone(), thread::Builder::new().stack_size(DEEP));
        deep.spawn(move || run()).unwrap().join().unwrap();
        assert_eq!(heap::live(), 0, "records that were not freed (or that were freed twice)");
    });
}
