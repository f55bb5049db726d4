//! A signal that has the dump printed.

use crate::layers::base::sync::ThreadBuilder;
use crate::layers::see::dump::color::Color;
use crate::layers::see::dump::dump;
use signal_hook::consts::{SIGUSR1, SIGUSR2};
use signal_hook::iterator::{Handle, Signals as Deliveries};
use std::{fmt, io};

/// Prints the [`dump`](crate::see::dump) to standard error whenever the process receives this signal,
/// as long as the [`DumpOnSignal`] that it returns is kept.
///
/// ```sh
/// kill -USR1 $(pidof server)
/// ```
///
/// A thread waits for the signal, and prints: the signal's handler only wakes it. So it works also
/// while each thread of the runtime is stuck in a poll, and holds up no task. The text is coloured if
/// standard error is a terminal: see [`Color::of`](crate::see::Color::of). Signals that come while it
/// prints lead to one dump more.
///
/// With the feature `signals`, on Unix. Handlers of other libraries for the same signal are called,
/// too.
///
/// # Errors
///
/// Returns an error if the operating system refuses the handler or the thread.
///
/// # Examples
///
/// ```
/// use allhome::see::{self, Signal};
///
/// let dumps = see::dump_on_signal(Signal::Usr1)?;
/// // .. the server runs ..
/// drop(dumps);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn dump_on_signal(signal: Signal) -> io::Result<DumpOnSignal> {
    let number = match signal {
        Signal::Usr1 => SIGUSR1,
        Signal::Usr2 => SIGUSR2,
    };
    let mut deliveries = Deliveries::new([number])?;
    let handle = deliveries.handle();
    let thread = ThreadBuilder::new().name("allhome-dump".to_string());
    thread.spawn(move || deliveries.forever().for_each(|_| print()))?;
    Ok(DumpOnSignal { signal, handle })
}

/// A signal for [`dump_on_signal`]: one of the two that are a program's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Signal {
    /// SIGUSR1.
    Usr1,
    /// SIGUSR2.
    Usr2,
}

/// Has a signal print the dump for as long as it is kept: what [`dump_on_signal`] returns. When it is
/// dropped its thread ends, after the dump that it prints, if it does. The signal does nothing then: it
/// does not end the process, as it would have without the call.
#[must_use = "dropping it ends the dumps; keep it for as long as the program runs"]
pub struct DumpOnSignal {
    signal: Signal,
    handle: Handle,
}

impl Drop for DumpOnSignal {
    fn drop(&mut self) {
        self.handle.close();
    }
}

impl fmt::Debug for DumpOnSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DumpOnSignal").field("signal", &self.signal).finish_non_exhaustive()
    }
}

/// Standard error is not locked for all of it: no other thread waits for a terminal that is slow.
fn print() {
    // An error means that there is nothing to print to.
    let _ = dump().write_text(&mut io::stderr(), Color::of(&io::stderr()));
}
