//! The simulator: its schedules, clock and faults, the bugs that it finds, and nurseries on it.

mod bugs;
mod nurseries;
mod schedules;
