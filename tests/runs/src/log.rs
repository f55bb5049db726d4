//! Lines that a test writes down and compares.

use allhome::is_cancelled;
use std::sync::{Arc, Mutex, PoisonError};

/// Lines that a test writes down. Clones are the same log.
#[derive(Clone, Default, Debug)]
pub struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    /// Returns `true` if nothing is written.
    pub fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Writes a line.
    pub fn note(&self, line: impl Into<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line.into());
    }

    /// Returns what was written so far, and forgets it.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns a guard that writes, when it is dropped, whether the task was cancelled.
    pub fn on_drop(&self, line: &'static str) -> OnDrop {
        OnDrop(self.clone(), line)
    }
}

/// Writes when it is dropped; made by [`Log::on_drop`].
#[derive(Debug)]
pub struct OnDrop(Log, &'static str);

impl Drop for OnDrop {
    fn drop(&mut self) {
        let seen = if is_cancelled() { "cancelled" } else { "not cancelled" };
        self.0.note(format!("{} dropped, {seen}", self.1));
    }
}
