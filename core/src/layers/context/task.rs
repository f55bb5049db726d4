//! What a task can ask about itself.

use super::scope;
use super::yield_now::yield_now;
use crate::layers::base::id::{Owner, TaskId};
use crate::layers::base::leave::Leave;
use crate::layers::base::reason::{Level, Reason};
use crate::layers::base::wait_mark::{self, Kind};
use crate::layers::cancel::{CancelToken, CancelledOwned, Draining};
use crate::layers::context;
use pin_project_lite::pin_project;
use std::convert::Infallible;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// Returns `true` if the task, or the nursery's body, that calls it was cancelled. Outside of any
/// nursery it returns `false`.
///
/// A task that was cancelled is polled once more, and this is true in that poll: what it does not
/// finish then is dropped where it waits. It is true as well as soon as a deadline has passed, of a
/// cancel scope or nursery around, although nothing was polled since: a loop that computes may ask
/// it. A [token](cancel_token) that it was given before is not cancelled before the next poll.
///
/// It is a few loads; only where a deadline holds does it look at the clock.
///
/// # Examples
///
/// ```
/// assert!(!allhome::is_cancelled(), "there is no nursery here");
/// ```
pub fn is_cancelled() -> bool {
    context::current(|frame| scope::is_cancelled(frame, false))
}

/// Returns why the task, or the nursery's body, that calls it was cancelled.
pub fn cancel_reason() -> Option<Reason> {
    context::current(|frame| scope::reason(frame, false))
}

/// Returns the id of the task that calls it. None outside of any nursery, and in a nursery's body.
pub fn task_id() -> Option<TaskId> {
    context::current(|frame| frame?.task_id())
}

/// Returns the task that calls it, or the body of a nursery.
#[inline]
pub(crate) fn owner() -> Option<Owner> {
    // An acquire asks it, in a nursery or not.
    if context::is_nowhere() { None } else { owner_here() }
}

fn owner_here() -> Option<Owner> {
    context::current(|frame| frame?.owner())
}

/// Returns a token that is cancelled with the task, or the cancel scope in it, that calls this.
/// Outside of any nursery it is a token that nothing else cancels.
///
/// It is a child of the task's own: cancelling it cancels what hangs on it, and not the task. It is
/// how code that knows nothing of nurseries is given the cancel of the task that calls it.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{Nursery, block_on, nursery};
/// use allhome::cancel::cancel_token;
/// use std::convert::Infallible;
///
/// block_on(nursery().run(async |n: Nursery<Infallible>| {
///     let token = cancel_token();
///     n.cancel();
///     assert!(token.is_cancelled());
///     Ok(())
/// }))
/// .unwrap();
/// # }
/// ```
pub fn cancel_token() -> CancelToken {
    let Some(token) = own_token() else { return CancelToken::new() };
    let token = token.child();
    if let Some(reason) = cancel_reason() {
        // Of a deadline that is over, and for which the task's own token was not cancelled yet.
        token.cancel_with(reason);
    }
    token
}

/// Returns the token that is cancelled with what calls this. None outside of any nursery.
pub(crate) fn own_token() -> Option<CancelToken> {
    context::current(|frame| scope::token(frame, false))
}

/// Returns `true` if what waits need not be registered: a task that is cancelled is polled once
/// more, and with the task's own waker that poll is sure to reach what it awaits. Only where a part
/// of the task is polled by a waker of its own (in a `FuturesUnordered`, for example) might that
/// poll pass it over. Outside of any nursery that is not known, and so it is not sure.
pub(crate) fn is_reached(waker: &Waker) -> bool {
    context::task(|task| task.is_some_and(|task| task.is_woken_by(waker)))
}

/// Waits for the token of what polls it, and has that find itself cancelled when the token is.
pub(crate) fn poll_own(token: Pin<&mut CancelledOwned>, cx: &mut Context<'_>) -> Poll<Reason> {
    let so_far = wait_mark::so_far();
    let polled = token.poll(cx);
    wait_mark::forget(so_far);
    if polled.is_ready() {
        // A token is cancelled before those below it, and the nursery comes last.
        context::task(|task| task.map(|task| task.group.follow_token()));
    }
    polled
}

/// Waits until the task, or the cancel scope in it, that polls it is cancelled; gives the reason.
/// Outside of any nursery it waits for ever.
///
/// # Cancel safety
///
/// Dropping it leaves nothing behind.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{Nursery, Reason, block_on, cancelled, nursery};
/// use std::convert::Infallible;
///
/// block_on(nursery().run(async |n: Nursery<Infallible>| {
///     let child = n.fork(async { Ok(cancelled().await.message().to_string()) });
///     child.cancel_with(Reason::new("closing time"));
///     match child.await {
///         Ok(why) => assert_eq!(why, "closing time"),
///         Err(error) => assert!(error.reason().is_some(), "cancelled before its first poll"),
///     }
///     Ok(())
/// }))
/// .unwrap();
/// # }
/// ```
pub fn cancelled() -> TaskCancelled {
    TaskCancelled { waits: None }
}

pin_project! {
    /// The future of [`cancelled`].
    #[must_use = "it waits only when it is awaited"]
    pub struct TaskCancelled {
        // Only if it is not reached by the last poll: see `is_reached`.
        #[pin]
        waits: Option<CancelledOwned>,
    }
}

impl Future for TaskCancelled {
    type Output = Reason;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Reason> {
        let mut this = self.project();
        if let Some(reason) = cancel_reason() {
            return Poll::Ready(reason);
        }
        let unreached = this.waits.is_none() && !is_reached(cx.waker());
        if let Some(token) = unreached.then(own_token).flatten() {
            this.waits.set(Some(token.cancelled_owned()));
        }
        let polled = match this.waits.as_pin_mut() {
            Some(token) => poll_own(token, cx),
            None => Poll::Pending,
        };
        if polled.is_pending() {
            wait_mark::on(Kind::Cancel, 0);
        }
        polled
    }
}

impl fmt::Debug for TaskCancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskCancelled").finish_non_exhaustive()
    }
}

/// Waits until the nursery of the task that polls it takes no more children: it is draining, or
/// further. For tasks that accept new work for others, and must stop then. Outside of any nursery
/// it waits for ever.
///
/// A shield does not keep it away, and a nursery that is opened inside one that drains does not:
/// what was begun goes on. [`Nursery::draining`](crate::Nursery::draining) asks a nursery that is
/// named.
///
/// # Cancel safety
///
/// Dropping it leaves nothing behind.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{Nursery, block_on, draining, nursery};
/// use std::convert::Infallible;
///
/// let run = nursery().run(async |n: Nursery<Infallible>| {
///     n.task("listener").spawn(async {
///         // It would take connections here, too: a `select!`.
///         draining().await;
///         Ok(())
///     });
///     Ok(n.shutdown().await.unwrap())
/// });
/// assert!(block_on(run).unwrap().stragglers().is_empty());
/// # }
/// ```
pub fn draining() -> TaskDraining {
    TaskDraining { waits: None }
}

/// The future of [`draining`].
#[must_use = "it waits only when it is awaited"]
pub struct TaskDraining {
    waits: Option<Draining>,
}

impl Future for TaskDraining {
    type Output = Level;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Level> {
        if self.waits.is_none() {
            self.waits = context::task(|task| task.map(|task| task.group.token().draining()));
        }
        self.waits.as_mut().map_or(Poll::Pending, |waits| Pin::new(waits).poll(cx))
    }
}

impl fmt::Debug for TaskDraining {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskDraining").finish_non_exhaustive()
    }
}

/// Gives the others a turn, and says whether to go on: an error with the reason if the task is
/// cancelled. For loops that would not wait otherwise.
///
/// Where only the time of a cancel scope around is over, it waits, and the scope drops it: the
/// scope's end is told by the scope.
///
/// # Errors
///
/// Returns the reason of the task's cancel, which came before the turn or during it.
///
/// # Cancel safety
///
/// It changes nothing.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{Nursery, block_on, checkpoint, nursery};
/// use std::convert::Infallible;
///
/// block_on(nursery().run(async |n: Nursery<Infallible>| {
///     assert!(checkpoint().await.is_ok());
///     n.cancel();
///     assert!(checkpoint().await.is_err());
///     Ok(())
/// }))
/// .unwrap();
/// # }
/// ```
pub async fn checkpoint() -> Result<(), Reason> {
    if !is_cancelled() {
        yield_now().await;
    }
    poll_fn(|_| match context::current(scope::task_reason) {
        Some(reason) => {
            context::noted::tell_cancelled();
            Poll::Ready(Err(reason))
        }
        // A scope that has ended polls it once more, and drops it.
        None if is_cancelled() => Poll::Pending,
        None => Poll::Ready(Ok(())),
    })
    .await
}

/// Ends the task, or the nursery's body, that awaits it, from any depth: the task's future is
/// dropped where it waits, so that every destructor runs, and nothing unwinds. It is what Go's
/// `runtime.Goexit` does.
///
/// The outcome is [`Cancelled`](crate::task::Outcome::Cancelled) with a reason of the kind
/// [`Exited`](crate::cancel::ReasonKind::Exited), and no failure: the siblings go on. Scopes and shields
/// around it do not hold it up. A body that exits has no value: its nursery waits for the children
/// and ends with that reason.
///
/// # Panics
///
/// Panics outside of any nursery: there is no task to end.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{Nursery, block_on, nursery};
/// use allhome::cancel::ReasonKind;
/// use allhome::task::exit;
/// use std::convert::Infallible;
///
/// async fn deep() -> u32 {
///     match exit().await {} // It does not come back.
/// }
///
/// block_on(nursery().run(async |n: Nursery<Infallible>| {
///     let ended = n.fork(async { Ok(deep().await) }).await.unwrap_err();
///     assert_eq!(ended.reason().unwrap().kind(), ReasonKind::Exited);
///     Ok(())
/// }))
/// .unwrap();
/// # }
/// ```
#[track_caller]
pub fn exit() -> Exit {
    Exit { place: Location::caller() }
}

/// The future of [`exit`].
#[derive(Debug)]
#[must_use = "it ends the task only when it is awaited"]
pub struct Exit {
    place: &'static Location<'static>,
}

impl Future for Exit {
    type Output = Infallible;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Infallible> {
        context::noted::here(|notes| match notes {
            Some(notes) => {
                notes.leave.set(Some(Leave::Exit(self.place)));
                Poll::Pending
            }
            None => panic!(
                "`exit` was awaited outside of any nursery (at {}): there is no task to end; return \
                 instead",
                self.place
            ),
        })
    }
}
