//! The cases in a local nursery, on the candidate's spawner of local tasks.

#![allow(
    clippy::duplicate_mod,
    reason = "one source for both: the names that a file takes from here differ"
)]

#[path = "blocking.rs"]
mod blocking;
#[path = "bounded.rs"]
mod bounded;
#[path = "cancel.rs"]
mod cancel;
#[path = "echo.rs"]
mod echo;
#[path = "failure.rs"]
mod failure;
#[path = "outcome.rs"]
mod outcome;
#[path = "ownership.rs"]
mod ownership;
#[path = "servers.rs"]
mod servers;
#[path = "shutdown.rs"]
mod shutdown;
#[path = "time.rs"]
mod time;
#[path = "token.rs"]
mod token;
#[path = "value.rs"]
mod value;

use super::with_cases;
use crate::rule::Need;
use crate::subject::Case;
use allhome::Builder;
use allhome::local::{Local, LocalNursery as Nursery, LocalRuntime};
use std::cell::RefCell;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;

type BoxChild<T> = Pin<Box<dyn Future<Output = Result<T, Infallible>>>>;

thread_local! {
    static ON: RefCell<Option<LocalRuntime>> = const { RefCell::new(None) };
}

/// Has the nurseries of a case run on this. A case and its children are on one thread.
pub(crate) fn run_on(local: LocalRuntime) {
    ON.set(Some(local));
}

#[track_caller]
fn nursery() -> Builder<Local> {
    let on = ON.with_borrow(|on| on.clone().expect("a local case is run on something"));
    allhome::nursery().local(on)
}

macro_rules! cases {
    ($($module:ident: $($name:ident $([$($need:ident),*])?)*;)*) => {
        pub(crate) const CASES: &[Case] = &[$($(Case {
            name: concat!("local_", stringify!($name)),
            group: "local nursery",
            needs: &[Need::Local, $($(Need::$need),*)?],
            run: |runtime| Box::pin($module::$name(runtime)),
        },)*)*];
    };
}

with_cases!(cases);
