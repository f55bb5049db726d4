//! The simulator: its schedules, clock and faults, the bugs that it finds, and nurseries on it.

mod bugs;
mod cancel_safe;
mod nurseries;
mod schedules;
