//! Standard output, and the progress bar beside it.

use crate::hash::Line;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

/// How much is collected before it is written, in bytes.
const BUFFER: usize = 64 * 1024;

/// Where the lines go.
pub(crate) struct Output {
    lines: Vec<u8>,
    files: u64,
    /// Hidden unless standard error is a terminal. Its position is in bytes.
    progress: ProgressBar,
    is_terminal: bool,
    /// Set by the first error, which is reported once: after it, nothing more is written.
    is_broken: bool,
}

impl Output {
    pub(crate) fn new() -> Output {
        let progress = if io::stderr().is_terminal() { spinner() } else { ProgressBar::hidden() };
        Output {
            lines: Vec::with_capacity(BUFFER),
            files: 0,
            progress,
            is_terminal: io::stdout().is_terminal(),
            is_broken: false,
        }
    }

    pub(crate) fn progress(&self) -> &ProgressBar {
        &self.progress
    }

    pub(crate) fn print(&mut self, line: &Line) -> io::Result<()> {
        line.append_to(&mut self.lines);
        self.files += 1;
        if !self.progress.is_hidden() {
            self.progress.set_message(format!("{} files", self.files));
        }
        if self.is_terminal || self.lines.len() >= BUFFER {
            self.flush()?;
        }
        Ok(())
    }

    /// Writes what is left, and takes the progress bar away.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.progress.finish_and_clear();
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.is_broken {
            return Ok(());
        }
        // Both may be the same terminal.
        let written = self.progress.suspend(|| {
            let mut stdout = io::stdout().lock();
            stdout.write_all(&self.lines)?;
            stdout.flush()
        });
        self.lines.clear();
        self.is_broken = written.is_err();
        written
    }
}

fn spinner() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {msg}, {bytes}, {bytes_per_sec}");
    let progress = ProgressBar::new_spinner().with_style(style.expect("the template is right"));
    progress.set_message("0 files");
    progress.enable_steady_tick(Duration::from_millis(100));
    progress
}
