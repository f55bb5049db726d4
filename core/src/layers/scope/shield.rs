//! A part of a task that a cancel, and an abort, leave alone for a while.
//!
//! A shield that is up is noted in its task: the state word of the record says so, and while it
//! does, neither a cancel nor an abort destroys the task. For a nursery's body the registry counts.
//! The shield is noted in the cancel scopes around it, too. Each note is taken back with the
//! [`ShieldNotes`] that made it, on whichever thread that is dropped.

use super::end;
use crate::layers::base::big::Inner;
use crate::layers::base::counted::dynamic::WeakDyn;
use crate::layers::base::reason::Reason;
use crate::layers::base::sync::{Arc, AtomicUsize, Ordering};
use crate::layers::context::host::Host;
use crate::layers::context::scope::{self, Scope, ScopeKind};
use crate::layers::context::{self, Frame, Kind, TaskFrame};
use crate::layers::record::Header;
use crate::layers::time::alarm::Alarm;
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// Protects a future from a cancel of the task, or of a cancel scope around it, and from an abort,
/// until its `budget` is spent.
///
/// The budget is counted from the moment at which there is a cancel to keep away; a task that is
/// not cancelled is not limited. Inside, [`is_cancelled`](crate::is_cancelled) is `false`,
/// [`cancelled`](crate::cancelled) waits, and a nursery that is opened inside is not cancelled.
/// When the budget is spent, the shield is lifted: what is inside is polled once more, with the
/// cancel visible, and then dropped where it waits, as everything else in a task is. From outside,
/// the task is cancelled all the while: [`Tree`](crate::task::Tree) and the nursery's handle say so.
///
/// Shields nest: each counts its own budget, from the moment at which the one around it is lifted.
/// A cancel scope inside a shield (a [`move_on_after`](crate::move_on_after), a nursery's deadline)
/// works as anywhere; what [`cancellable`](crate::cancel::cancellable) runs inside a shield can be
/// cancelled again.
///
/// The task is still cancelled: an error that it ends with after the shield is an
/// [echo](crate::GroupError::echoes) of that, and no failure, also if it comes from the inside. What
/// must be known is reported with [`fail`](crate::Nursery::fail), or done in a finalizer
/// ([`defer`](crate::Nursery::defer)).
///
/// A shield does not help against a runtime that is shut down, nor against the drop of the future
/// that it is a part of. With a budget of [`Duration::MAX`] it is never lifted. Outside of any
/// nursery there is nothing to keep away.
///
/// # Cancel safety
///
/// Dropping it drops the future, and takes the shield down.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{Nursery, block_on, is_cancelled, nursery, shield, yield_now};
/// use std::time::Duration;
///
/// let run = nursery().run(async |n: Nursery| {
///     n.cancel();
///     let farewell = async {
///         // Without the shield it would be dropped here.
///         yield_now().await;
///         assert!(!is_cancelled());
///         "said goodbye"
///     };
///     let said = shield(Duration::from_secs(2), farewell).await;
///     assert!(is_cancelled());
///     Ok(said)
/// });
/// assert_eq!(block_on(run)?, "said goodbye");
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn shield<F: Future>(budget: Duration, future: F) -> Shield<F> {
    let alarm = Alarm::after(budget);
    Shield {
        scope: Scope::new(ScopeKind::Shield),
        alarm,
        notes: None,
        polled: false,
        future: Some(Inner::new(future)),
    }
}

pin_project! {
    /// The future of [`shield`].
    #[must_use = "it runs only when it is awaited"]
    pub struct Shield<F> {
        scope: Scope,
        alarm: Alarm,
        notes: Option<ShieldNotes>,
        polled: bool,
        #[pin]
        future: Option<Inner<F>>,
    }

    impl<F> PinnedDrop for Shield<F> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            end::drop_inside(&*this.scope, this.future);
        }
    }
}

impl<F: Future> Future for Shield<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if !*this.polled {
            *this.polled = true;
            // Outside a nursery there is nothing to keep away.
            *this.notes = context::current(ShieldNotes::new);
        }
        if this.notes.is_some() {
            if let Some(reason) = this.scope.reason() {
                lift(this.scope, this.notes, reason);
            } else if let Some(reason) = context::current(|frame| scope::reason(frame, false)) {
                let spent = this.alarm.poll(cx);
                this.scope.set_deadline(this.alarm.at());
                if spent.is_ready() {
                    lift(this.scope, this.notes, reason);
                }
            }
        }
        let polled = context::inside(&*this.scope, || {
            let future = this.future.as_mut().as_pin_mut();
            future.expect("a shield is not polled after it was ready").poll(cx)
        });
        if polled.is_ready() {
            end::drop_inside(&*this.scope, this.future);
            *this.notes = None;
        } else if this.notes.is_some() && this.scope.is_cancelled() {
            // Its budget was spent during the poll: it gets one more, which shows that.
            cx.waker().wake_by_ref();
        }
        polled
    }
}

/// Makes the cancel visible to what is inside.
fn lift(scope: &Scope, notes: &mut Option<ShieldNotes>, reason: Reason) {
    *notes = None;
    scope.cancel(|| reason);
}

/// A shield that is up: in the task, in the bodies of nurseries between it and the task, with which
/// the task would be dropped, and in the cancel scopes around it.
#[derive(Default)]
pub(crate) struct ShieldNotes {
    owners: Vec<Shielded>,
    scopes: Vec<Arc<AtomicUsize>>,
}

struct Shielded {
    group: WeakDyn<dyn Host>,
    /// The number of the task; `None` for the nursery's body.
    task: Option<u64>,
}

impl ShieldNotes {
    /// Raises a shield in everything around. Returns `None` outside a nursery.
    fn new(here: Option<&Frame<'_>>) -> Option<ShieldNotes> {
        ShieldNotes::raise(here, |_| true)
    }

    /// As [`new`](ShieldNotes::new), for a wait that the cancel of its own nursery does not cut
    /// short. The end of a time limit around it does: its caller has put no shield up.
    pub(crate) fn within_limits(here: Option<&Frame<'_>>) -> Option<ShieldNotes> {
        ShieldNotes::raise(here, |scope| !scope.is_limit())
    }

    fn raise(here: Option<&Frame<'_>>, holds: impl Fn(&Scope) -> bool) -> Option<ShieldNotes> {
        let (mut at, mut notes) = (here, ShieldNotes::default());
        let mut in_place = false;
        while let Some(frame) = at {
            match &frame.kind {
                Kind::Task(task) => {
                    task.group.raise_shield(task.task.zip(task.header()));
                    let number = task.header().map(Header::number);
                    notes.owners.push(Shielded { group: task.group.weak(), task: number });
                    if number.is_some() {
                        break;
                    }
                }
                Kind::Scope(scope) if holds(scope) => {
                    in_place |= scope.in_place().is_some();
                    notes.scopes.push(scope.raise_shield());
                }
                Kind::Scope(_) | Kind::Values(_) | Kind::Slot(_) => {}
            }
            at = frame.outer();
        }
        (!notes.owners.is_empty() || in_place).then_some(notes)
    }
}

impl Drop for ShieldNotes {
    fn drop(&mut self) {
        for scope in &self.scopes {
            scope.fetch_sub(1, Ordering::Relaxed);
        }
        for Shielded { group, task } in &self.owners {
            context::current(|here| {
                let own = here.and_then(|frame| frame.find(&**group, *task));
                group.lower_shield(*task, own.and_then(TaskFrame::header));
            });
        }
    }
}

impl<F> fmt::Debug for Shield<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shield").field("lifted", &self.scope.is_cancelled()).finish_non_exhaustive()
    }
}
