//! Waiting until no new work may begin.

use super::{CancelToken, Registration};
use crate::layers::base::guarded::{Foreign, Guarded};
use crate::layers::base::reason::Level;
use crate::layers::base::sync::Arc;
use crate::layers::base::wait_mark::{self, Kind};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

impl CancelToken {
    /// Waits until the token is draining, or further: until no new work may begin. Returns the
    /// level.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped: a level stays.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{CancelToken, Reason, block_on};
    /// use allhome::cancel::Level;
    ///
    /// let token = CancelToken::new();
    /// let other = token.clone();
    /// let thread = std::thread::spawn(move || other.escalate(Reason::new("maintenance")));
    /// assert_eq!(block_on(token.draining()), Level::Draining);
    /// thread.join().unwrap();
    /// # }
    /// ```
    pub fn draining(&self) -> Draining {
        Draining { token: self.clone(), waker: None, registration: None }
    }
}

/// The future of [`CancelToken::draining`].
///
/// It allocates: few tasks wait for this, and a token has no list for them.
#[must_use = "it waits only when it is awaited"]
pub struct Draining {
    token: CancelToken,
    waker: Option<Arc<Guarded<Option<Foreign<Waker>>>>>,
    registration: Option<Registration>,
}

impl Future for Draining {
    type Output = Level;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Level> {
        let this = &mut *self;
        if this.token.level() == Level::Running {
            let waker = Foreign::cloned(cx.waker());
            let slot = this.waker.get_or_insert_with(|| Arc::new(Guarded::new(None)));
            drop(slot.locked(|slot| slot.replace(waker)));
            if this.registration.is_none() {
                let slot = slot.clone();
                let call = move |_: Option<&_>| {
                    if let Some(waker) = slot.locked(Option::take) {
                        waker.wake();
                    }
                };
                this.registration = Some(Registration::at(&this.token, Level::Draining, call));
            }
        }
        // Again: a rise that came before the waker was registered has woken no task.
        match this.token.level() {
            Level::Running => {
                wait_mark::on(Kind::Drain, 0);
                Poll::Pending
            }
            level => Poll::Ready(level),
        }
    }
}

impl Drop for Draining {
    fn drop(&mut self) {
        // A rise that is under way may have taken the callback already.
        drop(self.waker.take().map(|slot| slot.locked(Option::take)));
    }
}

impl fmt::Debug for Draining {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draining").field("token", &self.token).finish_non_exhaustive()
    }
}
