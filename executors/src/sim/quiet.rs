//! Runs of which the panic hook says nothing: those that make a failing schedule shorter. Each
//! panics as the first has, up to some hundred times.
//!
//! The hook is the process's, and tests run side by side. So it is replaced once, by one that asks
//! the thread first and then calls the hook that was there before. A program that sets its own
//! afterwards sees all panics.

use std::cell::Cell;
use std::panic::{set_hook, take_hook};
use std::sync::Once;
use std::thread;

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// While it exists, the hook prints no panic of this thread.
pub(super) struct Quiet {
    before: bool,
}

impl Quiet {
    pub(super) fn begin() -> Quiet {
        static REPLACED: Once = Once::new();
        // A thread that panics must not change the hook.
        if !thread::panicking() {
            REPLACED.call_once(|| {
                let told = take_hook();
                set_hook(Box::new(move |panic| {
                    if !Quiet::is_on() {
                        told(panic);
                    }
                }));
            });
        }
        Quiet { before: QUIET.replace(true) }
    }

    /// Returns `true` if this thread is quiet. A thread that works for it then is, too.
    pub(super) fn is_on() -> bool {
        QUIET.try_with(Cell::get).unwrap_or(false)
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        QUIET.set(self.before);
    }
}
