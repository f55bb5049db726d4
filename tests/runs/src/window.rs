//! When a cancel comes to a task that waits in a queue.

/// When the cancel comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// Before its first poll.
    BeforeItJoinsTheLine,
    /// While it waits.
    InLine,
    /// It was given what it waits for, and does not know yet.
    GrantedAndNotPolled,
    /// It has it.
    Polled,
}

/// Each window, from the first to the last.
pub const WINDOWS: [Window; 4] =
    [Window::BeforeItJoinsTheLine, Window::InLine, Window::GrantedAndNotPolled, Window::Polled];
