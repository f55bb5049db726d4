//! The events of a run: no addresses, no wall clock, no order of a hash table.

use std::fmt;
use std::time::Duration;

/// The events of a run, step by step. The same program, settings and seed give the same text, to
/// the byte, in every process.
///
/// It always has a digest of all events. It has the events themselves if
/// [`Simulator::trace`](super::Simulator::trace) was called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    digest: u64,
    count: u64,
    events: Option<Vec<Event>>,
}

/// One event. Tasks have numbers in the order in which they were spawned; the root is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A task was spawned, by that task or from outside.
    Spawn(u64, Option<u64>),
    /// A task was polled and waits.
    Wait(u64),
    /// A task was polled and is done.
    Done(u64),
    /// A task was polled and panicked.
    Panic(u64),
    /// A task was dropped by the runtime before it was done.
    Drop(u64),
    /// A task was woken, by that task or from outside.
    Wake(u64, Option<u64>),
    /// A task was woken without a waker's call: a fault that the settings asked for.
    Spurious(u64),
    /// A blocking job was called.
    Job(u64),
    /// The clock was moved to that time since the start.
    Time(Duration),
    /// The runtime was shut down: a fault that the settings asked for.
    Shutdown,
}

impl Trace {
    pub(super) fn new(keep: bool) -> Trace {
        // The offset basis of FNV-1a.
        Trace { digest: 0xcbf2_9ce4_8422_2325, count: 0, events: keep.then(Vec::new) }
    }

    pub(super) fn note(&mut self, event: Event) {
        let by = |task: Option<u64>| task.map_or(0, |task| task + 1);
        let words = match event {
            Event::Spawn(task, from) => [1, task, by(from)],
            Event::Wait(task) => [2, task, 0],
            Event::Done(task) => [3, task, 0],
            Event::Panic(task) => [4, task, 0],
            Event::Drop(task) => [5, task, 0],
            Event::Wake(task, from) => [6, task, by(from)],
            Event::Spurious(task) => [7, task, 0],
            Event::Job(job) => [8, job, 0],
            Event::Time(at) => [9, at.as_secs(), u64::from(at.subsec_nanos())],
            Event::Shutdown => [10, 0, 0],
        };
        for word in words {
            // FNV-1a, by words instead of bytes.
            self.digest = (self.digest ^ word).wrapping_mul(0x0000_0100_0000_01b3);
        }
        self.count += 1;
        if let Some(events) = &mut self.events {
            events.push(event);
        }
    }

    /// Returns a number that is the same for the same events.
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// Returns how many events there were.
    pub fn len(&self) -> u64 {
        self.count
    }

    /// Returns `true` if nothing has happened.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns the events, if they were kept.
    pub fn events(&self) -> &[Event] {
        self.events.as_deref().unwrap_or_default()
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for event in self.events() {
            writeln!(f, "{event}")?;
        }
        writeln!(f, "{} events, digest {:016x}", self.count, self.digest)
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = |task: Option<u64>| task.map_or("outside".to_owned(), |task| task.to_string());
        match *self {
            Event::Spawn(task, from) => write!(f, "spawn {task} by {}", by(from)),
            Event::Wait(task) => write!(f, "poll {task} waits"),
            Event::Done(task) => write!(f, "poll {task} done"),
            Event::Panic(task) => write!(f, "poll {task} panics"),
            Event::Drop(task) => write!(f, "drop {task}"),
            Event::Wake(task, from) => write!(f, "wake {task} by {}", by(from)),
            Event::Spurious(task) => write!(f, "wake {task} by a fault"),
            Event::Job(job) => write!(f, "job {job}"),
            Event::Time(at) => write!(f, "time {at:?}"),
            Event::Shutdown => f.write_str("shutdown"),
        }
    }
}
