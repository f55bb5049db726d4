//! The owner of a nursery that is a value: see [`Builder::open`](crate::Builder::open).

mod driven;

use super::Nursery;
use super::condition::Condition;
use super::error::GroupError;
use crate::layers::base::as_error::BoxError;
use crate::layers::base::sync::Arc;
use crate::layers::base::wait_mark::{self, Kind};
use driven::{Driven, Driver};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Owns an open nursery: [closes](Owner::close) it, or, dropped, ends what is in it at once.
///
/// [`Builder::open`](crate::Builder::open) makes it, beside a handle that spawns. While it is there
/// the nursery is open, unless it is closed, cancelled or its deadline passes.
///
/// # Dropped
///
/// Dropping it is like dropping the future of [`Builder::run`](crate::Builder::run): children that
/// wait are destroyed before the drop returns, those that are being polled at that moment when
/// their poll returns. It may be dropped anywhere: during a panic, in a child of its own nursery,
/// after the runtime's end. A failure, or a panic, that was not asked for by `close` is dropped with
/// it. If it is leaked, nothing but a cancel ends the nursery.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{Nursery, Owner, nursery};
/// use std::convert::Infallible;
/// use std::sync::Arc;
///
/// let alive = Arc::new(());
/// allhome::block_on(async {
///     let (n, owner): (Nursery<Infallible>, Owner<Infallible>) = nursery().open()?;
///     let held = alive.clone();
///     n.spawn(async move {
///         std::future::pending::<()>().await;
///         drop(held);
///         Ok(())
///     });
///     drop(owner);
///     assert!(n.is_cancelled());
///     Ok::<(), allhome::GroupError<Infallible>>(())
/// })?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping it ends the nursery and destroys its children; `close` it to wait for them"]
pub struct Owner<E: Send + Sync + 'static = BoxError> {
    nursery: Nursery<E>,
    driven: Arc<Driven<E>>,
}

impl<E: Send + Sync + 'static> Owner<E> {
    /// Takes charge of a nursery that was opened, and has its runtime poll it.
    pub(super) fn new(nursery: Nursery<E>, condition: Option<Box<Condition>>) -> Owner<E> {
        let driven = Driven::new(nursery.group.clone(), condition);
        let owner = Owner { nursery, driven };
        let driver = Driver::new(owner.driven.clone());
        owner.nursery.runtime().spawn(allhome_rt::Task::from_future(driver));
        owner
    }

    /// Takes no more children, and waits until those that are there have ended.
    ///
    /// To end them, [cancel](Nursery::cancel) the nursery before.
    ///
    /// # Errors
    ///
    /// Returns the failures of the nursery, as [`Builder::run`](crate::Builder::run) does. A cancel
    /// alone is none, as no value is missed; but a deadline that has passed is.
    ///
    /// # Panics
    ///
    /// Panics if it is awaited in a child of the nursery, or anywhere inside of one: it would wait
    /// for itself. Resumes the first panic of a child, unless
    /// [`panics`](crate::Builder::panics) was set to something else.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the owner: what is left is destroyed.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Nursery, Owner, nursery};
    ///
    /// let closed = allhome::block_on(async {
    ///     let (n, owner): (Nursery<String>, Owner<String>) = nursery().open()?;
    ///     n.task("disk").spawn(async { Err("full".to_string()) });
    ///     owner.close().await
    /// });
    /// assert_eq!(closed.unwrap_err().first().name(), Some("disk"));
    /// # }
    /// ```
    pub fn close(self) -> Close<E> {
        Close { owner: self, began: false }
    }
}

impl<E: Send + Sync + 'static> Drop for Owner<E> {
    fn drop(&mut self) {
        self.driven.abandon(&self.nursery.group);
    }
}

impl<E: Send + Sync + 'static> fmt::Debug for Owner<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Owner").field("nursery", &self.nursery).finish_non_exhaustive()
    }
}

/// Waits until a nursery has closed: what [`Owner::close`] returns.
#[must_use = "dropping it ends the nursery and destroys its children; await it"]
#[derive(Debug)]
pub struct Close<E: Send + Sync + 'static> {
    owner: Owner<E>,
    began: bool,
}

impl<E: Send + Sync + 'static> Future for Close<E> {
    type Output = Result<(), GroupError<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Owner { nursery, driven } = &self.owner;
        if let Some(task) = nursery.group.awaited_here() {
            panic!(
                "`Owner::close` was awaited in {task}, which the nursery waits for itself: await \
                 it outside of the nursery, or drop the owner"
            );
        }
        if !self.began {
            nursery.close();
            driven.let_end();
        }
        let closed = driven.poll_end(cx.waker());
        if closed.is_pending() {
            wait_mark::on(Kind::Nursery, nursery.group.id.number());
        }
        self.began = true;
        closed
    }
}
