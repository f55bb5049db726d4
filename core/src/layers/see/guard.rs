//! A guard for tests: what would hang fails, and what is left over is named.

use super::dump::Dump;
use crate::layers::base::sync::{Arc, panicking};
use crate::layers::nursery::guard::{self, Roots};
use crate::layers::nursery::tree::Tree;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

/// Guards a test, until the guard is dropped: a nursery that would hang fails with a list of what
/// waits for what, and nurseries that the test leaves behind fail it.
///
/// It is about the nurseries that this thread opens outside of any other, with
/// [`run`](crate::Builder::run), and all that are inside those. So tests that run in parallel do not
/// see each other's. For a nursery that another thread opens there is
/// [`Builder::guarded`](crate::Builder::guarded).
///
/// *A nursery fails* with [`Cause::Deadlock`](crate::error::Cause::Deadlock) and is cancelled when its
/// body and all tasks wait, and nothing can wake any of them: they wait for each other, or for nothing
/// at all. That is found within some ten milliseconds by a thread that looks; the tasks pay nothing.
/// Where a handle or a token of it is still about, something may still cancel it; and a permit that is
/// waited for may have been handed on. Then it fails when all has been so for a second: see
/// [`patience`](Guard::patience).
///
/// It never fails one that has another way out, or of which that is not known: one with a deadline, a
/// token or [`cancel_when`](crate::Builder::cancel_when), in a cancel scope; one with a task that sleeps,
/// waits for a channel whose other end is somewhere, or for I/O; a [scope](crate::scope) in place; and
/// what [`open`](crate::Builder::open) has opened. A timeout around it that is not of this crate is not
/// seen: that is a hang that something ends. In a simulator deadlocks are found by that.
///
/// While a nursery is guarded its tasks have no task of the runtime for their own, so that their wakers
/// can be counted. Where the platform has no threads nothing fails.
///
/// # Panics
///
/// The drop of the guard panics if nurseries that it is about are still open: their futures were
/// leaked, say, or given to a task that runs on. It prints that instead in a panic.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::error::Cause;
/// use allhome::{Nursery, block_on, nursery, see};
/// use std::convert::Infallible;
/// use std::future::pending;
///
/// let _guard = see::guard();
/// let run = nursery().name("test").run(async |n: Nursery<Infallible>| {
///     n.task("reader").go(pending());
///     Ok(())
/// });
/// // It would hang.
/// let error = block_on(run).unwrap_err();
/// let Cause::Deadlock(deadlock) = error.first().cause() else { panic!("{error}") };
/// assert_eq!(deadlock.tasks().len(), 1);
/// assert!(error.to_string().contains("`reader` waiting, with no waker left"), "{error}");
/// # }
/// ```
#[must_use = "it guards until it is dropped"]
pub fn guard() -> Guard {
    let roots = Roots::new();
    Guard { before: guard::replace(Some(roots.clone())), roots, thread: PhantomData }
}

/// Guards the nurseries of this thread until it is dropped: see [`guard`].
#[must_use = "it guards until it is dropped"]
pub struct Guard {
    roots: Arc<Roots>,
    before: Option<Arc<Roots>>,
    /// It stays on its thread.
    thread: PhantomData<*const ()>,
}

impl Guard {
    /// Sets how long a nursery that seems to hang is given, where that is not certain: because there
    /// is a handle or a token of it, by which something may still cancel it, or a permit that may have
    /// been handed on. Nurseries that are opened from here on have that. It is a second if this is
    /// not called.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let _guard = allhome::see::guard().patience(Duration::from_secs(30));
    /// ```
    pub fn patience(self, patience: Duration) -> Guard {
        self.roots.set_patience(patience);
        self
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(guard::replace(self.before.take()));
        let left = self.roots.left();
        if left.is_empty() {
            return;
        }
        let dump = Dump::of(left.iter().map(Tree::of).collect());
        let text = format!("nurseries of this test are still open: {dump}");
        if panicking() {
            eprintln!("{text}");
        } else {
            panic!("{text}");
        }
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").finish_non_exhaustive()
    }
}
