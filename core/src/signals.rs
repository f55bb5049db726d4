//! The signals that ask a process to end, as a token.

use crate::cancel::CancelToken;
use crate::reason::{Level, Reason, ReasonKind};
use crate::sync::{GlobalMutex, ThreadBuilder};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::{emulate_default_handler, signal_name};
use std::io;
use std::panic::Location;

static TOKEN: GlobalMutex<Option<CancelToken>> = GlobalMutex::new(None);

/// Returns the token that each SIGINT and each SIGTERM raises one step: the first to draining, the
/// second to cancelled, the third to aborted. A fourth ends the process, as the first did before
/// this was called.
///
/// Hang a nursery on it with [`Builder::token`](crate::Builder::token), and let a
/// [`shutdown`](crate::Nursery::shutdown) with [`when_raised`](crate::Shutdown::when_raised) take
/// the further steps by the clock. There is one token a process, and one thread that waits for
/// signals as long as that runs; other handlers of the same signals are called as well.
///
/// # Errors
///
/// The operating system refuses the handlers, or the thread.
///
/// # Examples
///
/// ```no_run
/// # #[cfg(feature = "executors")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use allhome::{Ladder, ThreadPool, block_on, nursery_on, signals};
/// use std::convert::Infallible;
///
/// let server = nursery_on::<Infallible>(ThreadPool::global()).token(&signals()?);
/// let report = block_on(server.run(async |n| {
///     n.named("listener").spawn(std::future::pending());
///     Ok(n.shutdown(Ladder::default()).when_raised().await)
/// }))?;
/// println!("{}", report?);
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "executors"))] fn main() {}
/// ```
#[track_caller]
pub fn signals() -> io::Result<CancelToken> {
    let mut kept = TOKEN.lock();
    if let Some(token) = &*kept {
        return Ok(token.clone());
    }
    let (token, place) = (CancelToken::new(), Location::caller());
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let raised = token.clone();
    let watch = move || {
        for signal in signals.forever() {
            if raised.level() == Level::Aborted {
                // It returns only if the signal is one that is ignored, and these are not.
                let _ = emulate_default_handler(signal);
            }
            let name = signal_name(signal).unwrap_or("a signal").to_string();
            raised.step(Reason::of(ReasonKind::Signal, name, None, place));
        }
    };
    ThreadBuilder::new().name("allhome-signals".to_string()).spawn(watch)?;
    *kept = Some(token.clone());
    Ok(token)
}
