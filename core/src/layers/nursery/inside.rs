//! Opening a nursery inside of one, from any task.
//!
//! It is tempting to admit such a nursery while the outer one drains, since the request that it is
//! for may have begun before. But a callback that another library calls for ever would then keep
//! the drain from ending, and only the program knows which of its requests are new. It says so by
//! the handle that it gives away: that of the nursery that drains, or of one inside.

use super::Nursery;
use super::builder::Builder;
use super::error::{Cause, GroupError};
use crate::layers::base::big::Inner;
use crate::layers::base::reason::Reason;
use std::convert::Infallible;
use std::future::Future;

impl<E: Send + Sync + 'static> Nursery<E> {
    /// Opens a nursery inside of this one, from any task: a handler of a web server, a callback of
    /// another library.
    ///
    /// It runs on this nursery's runtime, is listed in its tree and is cancelled with it, and this
    /// nursery waits for it. Its body runs in the task that awaits it; if that drops the future,
    /// what is inside is ended at once, as with any nursery. In a task or body of this nursery it is
    /// the same as [`nursery`](crate::nursery).
    ///
    /// # Errors
    ///
    /// A nursery takes it as long as it takes [children](Nursery::spawn). If it has ended, drains or
    /// is cancelled, [`run`](Builder::run) returns an error whose cause is
    /// [`Cause::Cancelled`](crate::error::Cause::Cancelled) with the reason, and the body is not called.
    ///
    /// So a request that begins before a drain, and opens its nursery after, is refused. A server
    /// that must answer it gives its handlers the handle of a nursery inside, which stays open for
    /// as long as the connections: what is inside of a nursery that drains goes on.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{BoxError, Nursery};
    /// use allhome::cancel::ReasonKind;
    ///
    /// /// A handler; the server's nursery is a part of its state.
    /// async fn page(server: Nursery) -> Result<u32, BoxError> {
    ///     let parts = server.nursery().name("GET /page").run(async |n: Nursery| {
    ///         let (a, b) = (n.fork(async { Ok(40) }), n.fork(async { Ok(2) }));
    ///         Ok(a.await? + b.await?)
    ///     });
    ///     Ok(parts.await?)
    /// }
    ///
    /// let mut server = None;
    /// allhome::run(async |n: Nursery| {
    ///     server = Some(n.clone());
    ///     // In a thread of another library:
    ///     let handler = std::thread::spawn(move || allhome::block_on(page(n)));
    ///     assert_eq!(handler.join().expect("it does not panic")?, 42);
    ///     Ok(())
    /// })?;
    /// let late = allhome::block_on(page(server.expect("it was open"))).unwrap_err();
    /// assert!(late.to_string().contains("takes no more"), "{late}");
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
    /// ```
    #[track_caller]
    pub fn nursery(&self) -> Builder {
        Builder::inside(self.group.clone())
    }

    /// Has a future that another task polls be a part of this nursery: listed, cancelled and waited
    /// for with it.
    ///
    /// It is a [nursery](Nursery::nursery) whose body is the future. Inside it,
    /// [`is_cancelled`](crate::is_cancelled), [`deadline`](crate::time::deadline) and
    /// [`nursery`](crate::nursery) are those of this nursery; it is polled where it is awaited, so
    /// it may borrow.
    ///
    /// # Errors
    ///
    /// Returns the reason if this nursery takes no more, and then the future is not polled; or if a
    /// cancel ended the future before it was ready.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the future, and ends the nurseries that were opened inside.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Nursery, Reason};
    /// use std::convert::Infallible;
    ///
    /// let mut ended = None;
    /// allhome::run(async |n: Nursery<Infallible>| {
    ///     let request = n.clone();
    ///     let elsewhere = std::thread::spawn(move || {
    ///         allhome::block_on(request.attach(std::future::pending::<()>()))
    ///     });
    ///     while n.tree().nurseries().len() == 1 {
    ///         allhome::yield_now().await;
    ///     }
    ///     n.cancel_with(Reason::new("the server stops"));
    ///     ended = elsewhere.join().ok();
    ///     Ok(())
    /// })?;
    /// let reason = ended.expect("it does not panic").unwrap_err();
    /// assert_eq!(reason.message(), "the server stops");
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn attach<F: Future>(
        &self,
        future: F,
    ) -> impl Future<Output = Result<F::Output, Reason>> + use<F, E> {
        let future = Inner::new(future);
        let run = self.nursery().run(|_: Nursery<Infallible>| async { Ok(future.await) });
        async { run.await.map_err(why) }
    }
}

/// Returns why a nursery without children and errors has no value.
fn why(error: GroupError<Infallible>) -> Reason {
    match (error.reason(), error.first().cause()) {
        (Some(reason), _) | (None, Cause::Cancelled(reason)) => reason.clone(),
        (None, _) => Reason::new(error.first().to_string()),
    }
}
