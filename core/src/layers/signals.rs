//! The signals that ask a process to end, as tokens.
//!
//! One thread waits for the signals while there is a [`Signals`], and raises the tokens of all of
//! them. The thread and its handlers go with the last of them. One handler stays: `signal-hook`
//! does not take back what a process registers with the operating system, and a signal without a
//! handler would be swallowed. That handler does the default action while there is no `Signals`.
//!
//! # Invariants
//!
//! 1. `FREE` is true, and there is no watch, exactly while there is no token in `WATCHED`. Both
//!    change under its lock.

use crate::layers::base::reason::{Level, Reason, ReasonKind};
use crate::layers::base::sync::{GlobalBool, GlobalMutex, Ordering, ThreadBuilder};
use crate::layers::cancel::CancelToken;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag::register_conditional_default;
use signal_hook::iterator::{Handle, Signals as Deliveries};
use signal_hook::low_level::{emulate_default_handler, signal_name, unregister};
use std::collections::BTreeMap;
use std::panic::Location;
use std::{fmt, io};

/// The handler that stays does the default action.
static FREE: GlobalBool = GlobalBool::new(true);

static WATCHED: GlobalMutex<Watched> =
    GlobalMutex::new(Watched { tokens: BTreeMap::new(), last: 0, watch: None, has_default: false });

struct Watched {
    tokens: BTreeMap<u64, Taken>,
    last: u64,
    /// Ends the thread when it is closed.
    watch: Option<Handle>,
    /// Whether the handler that stays was registered.
    has_default: bool,
}

#[derive(Clone)]
struct Taken {
    token: CancelToken,
    location: &'static Location<'static>,
}

/// Takes SIGINT and SIGTERM: from now on they raise a token, one step each, and do not end the
/// process.
///
/// The first signal raises the token to draining, the second to cancelled, the third to aborted. A
/// signal that finds nothing left to raise ends the process.
///
/// Hang a nursery on the token with [`Builder::token`](crate::Builder::token), and let a
/// [`shutdown`](crate::Nursery::shutdown) with [`when_raised`](crate::shutdown::Shutdown::when_raised) take
/// the further steps by the clock. Each call returns a token of its own, and each signal raises all
/// of them: two servers in one process both see it.
///
/// When the [`Signals`] that it returns is dropped, the signals are given back: if it was the last,
/// SIGINT and SIGTERM end the process again. Handlers of other libraries (signal-hook's, tokio's)
/// are called as well, before and after. A program that later relies on those alone must keep its
/// `Signals` until it ends.
///
/// # Errors
///
/// Returns an error if the operating system refuses the handlers or the thread.
///
/// # Examples
///
/// ```no_run
/// # #[cfg(feature = "executors")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use allhome::{Nursery, block_on, nursery};
/// use allhome::shutdown::signals;
/// use std::convert::Infallible;
///
/// let signals = signals()?;
/// let server = nursery().token(signals.token());
/// let report = block_on(server.run(async |n: Nursery<Infallible>| {
///     n.task("listener").spawn(std::future::pending());
///     Ok(n.shutdown().when_raised().await)
/// }))?;
/// println!("{}", report?);
/// drop(signals);
/// // From here on Ctrl-C ends the process.
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "executors"))] fn main() {}
/// ```
#[track_caller]
pub fn signals() -> io::Result<Signals> {
    let taken = Taken { token: CancelToken::new(), location: Location::caller() };
    let mut watched = WATCHED.lock();
    if watched.watch.is_none() {
        watched.start()?;
    }
    watched.last += 1;
    let number = watched.last;
    watched.tokens.insert(number, taken.clone());
    Ok(Signals { token: taken.token, number })
}

/// SIGINT and SIGTERM, for as long as they raise a token; created by [`signals`]. Dropping it gives
/// the signals back.
#[must_use = "dropping it gives the signals back; keep it for as long as the server runs"]
pub struct Signals {
    token: CancelToken,
    number: u64,
}

impl Signals {
    /// Returns the token that each signal raises one step.
    pub fn token(&self) -> &CancelToken {
        &self.token
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        let mut watched = WATCHED.lock();
        let taken = watched.tokens.remove(&self.number);
        if watched.tokens.is_empty() {
            watched.stop();
        }
        drop(watched);
        // With no lock held: a token's callbacks are the user's, and go with it.
        drop(taken);
    }
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signals").field("token", &self.token).finish_non_exhaustive()
    }
}

impl Watched {
    /// Begins to wait for signals.
    fn start(&mut self) -> io::Result<()> {
        if !self.has_default {
            register_default()?;
            self.has_default = true;
        }
        let deliveries = Deliveries::new([SIGINT, SIGTERM])?;
        let handle = deliveries.handle();
        let thread = ThreadBuilder::new().name("allhome-signals".to_string());
        thread.spawn(move || watch(deliveries))?;
        self.watch = Some(handle);
        FREE.store(false, Ordering::SeqCst);
        Ok(())
    }

    /// Makes the signals do their default action again, and ends the thread.
    fn stop(&mut self) {
        FREE.store(true, Ordering::SeqCst);
        if let Some(watch) = self.watch.take() {
            watch.close();
        }
    }
}

/// Registers the handler that stays, for both signals or for none.
fn register_default() -> io::Result<()> {
    let first = register_conditional_default(SIGINT, &FREE)?;
    if let Err(error) = register_conditional_default(SIGTERM, &FREE) {
        unregister(first);
        return Err(error);
    }
    Ok(())
}

/// Waits for signals until no token is left.
fn watch(mut deliveries: Deliveries) {
    deliveries.forever().for_each(deliver);
    // These came while the last `Signals` was dropped. If there is another by now, they were not
    // meant for that one, which has a thread of its own.
    for signal in deliveries.pending() {
        if FREE.load(Ordering::SeqCst) {
            end(signal);
        }
    }
}

/// Raises what can be raised, and ends the process if nothing can.
fn deliver(signal: i32) {
    // Cloned: wakers and callbacks run with no lock held.
    let mut taken: Vec<Taken> = WATCHED.lock().tokens.values().cloned().collect();
    taken.retain(|taken| taken.token.level() < Level::Aborted);
    if taken.is_empty() {
        end(signal);
    }
    let name = signal_name(signal).unwrap_or("a signal");
    for Taken { token, location } in taken {
        token.escalate(Reason::of(ReasonKind::Signal, name.to_string(), None, location));
    }
}

/// Does the default action, which is to end the process.
fn end(signal: i32) {
    // An error means that the signal has no default action, and these two have one.
    let _ = emulate_default_handler(signal);
}
