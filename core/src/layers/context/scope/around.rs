//! What a nursery that is opened in scopes has from them.

use super::{ScopeKind, See, Term, token};
use crate::layers::base::sync::Arc;
use crate::layers::cancel::CancelToken;
use crate::layers::context::host::{Host, Waiter};
use crate::layers::context::in_place::InPlace;
use crate::layers::context::{self, Kind};
use std::task::Waker;
use std::time::Duration;

/// What a nursery that is opened here inherits from the scopes around it.
#[derive(Default)]
pub(crate) struct Around {
    /// A shield keeps the cancel of the task away.
    pub(crate) shielded: bool,
    /// The nursery is cancelled with this.
    pub(crate) token: Option<CancelToken>,
    /// The deadlines of the scopes.
    pub(crate) terms: Vec<Arc<Term>>,
    /// The grace of the scope in place that it is a part of.
    pub(crate) grace: Option<Duration>,
    /// There are scopes at all.
    pub(crate) scoped: bool,
}

/// Enters a nursery into the scopes that it is opened in.
pub(crate) fn enroll(group: &dyn Host) {
    context::current(|mut at| {
        while let Some(frame) = at {
            match &frame.kind {
                Kind::Task(_) => return,
                Kind::Scope(scope) => scope.add(group),
                Kind::Values(_) | Kind::Slot(_) => {}
            }
            at = frame.outer();
        }
    });
}

/// Calls `f` for each child or body of a scope in place that this runs in, in the same task.
fn each_place(mut f: impl FnMut(&InPlace<'_>)) {
    context::current(|mut at| {
        while let Some(frame) = at {
            match &frame.kind {
                Kind::Task(_) => return,
                Kind::Scope(scope) => scope.in_place().into_iter().for_each(&mut f),
                Kind::Values(_) | Kind::Slot(_) => {}
            }
            at = frame.outer();
        }
    });
}

/// Has a waiter woken when a scope in place around, or a child of one that this runs in, is
/// cancelled. A cancel scope's end, and that of a nursery, are not told so.
pub(crate) fn await_ends(waiter: Waiter, waker: &Waker) {
    each_place(|place| place.cancel.await_end(waiter, waker));
}

pub(crate) fn forget_waiter(waiter: Waiter) {
    each_place(|place| place.cancel.forget_waiter(waiter));
}

/// Looks around for a nursery that is about to be opened.
pub(crate) fn around() -> Around {
    context::current(|here| {
        let (mut at, mut through, mut around) = (here, false, Around::default());
        let mut hangs = false;
        while let Some(frame) = at {
            match &frame.kind {
                Kind::Task(_) => break,
                Kind::Scope(scope) => {
                    around.scoped = true;
                    let grace = scope.in_place().and_then(|place| place.cancel.grace());
                    around.grace = around.grace.or(grace);
                    let hides = matches!(scope.see(frame, &mut through), See::Hidden);
                    let cancels = matches!(scope.kind, ScopeKind::Deadline | ScopeKind::InPlace);
                    hangs |= !around.shielded && (hides || cancels);
                    if !around.shielded && scope.kind != ScopeKind::Cancellable {
                        around.terms.push(scope.term(frame));
                    }
                    around.shielded |= hides;
                }
                Kind::Values(_) | Kind::Slot(_) => {}
            }
            at = frame.outer();
        }
        if hangs {
            around.token = token(here, false);
        }
        around
    })
}
