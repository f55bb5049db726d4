//! A watchdog: looks at all nurseries now and then, and reports what has been wrong for too long.
//!
//! It is made of looks alone. So no task pays for it, and what is between two looks is not seen: a task
//! is *for so long* in a state if each look in that time has found it there, after the same poll.
//!
//! | alarm | each look finds |
//! |---|---|
//! | [`LateCancel`](AlarmKind::LateCancel) | the task, cancelled |
//! | [`NotPolled`](AlarmKind::NotPolled) | it queued, with as many polls |
//! | [`LongPoll`](AlarmKind::LongPoll) | it running, with as many polls |
//! | [`OnlyByCancel`](AlarmKind::OnlyByCancel) | that it waits, and that only a cancel ends it |
//! | [`Ring`](AlarmKind::Ring) | the ring; there is nothing to wait for |
//! | [`Many`](AlarmKind::Many) | more tasks of one place than there may be |

use super::dump::Dump;
use crate::layers::base::id::TaskId;
use crate::layers::base::outcome::TaskState;
use crate::layers::base::panic;
use crate::layers::base::sync::{Arc, GlobalBool, Ordering, Thread, ThreadBuilder, current_thread};
use crate::layers::base::tick::present;
use crate::layers::nursery::tree::info::{NextPoll, TaskInfo};
use crate::layers::nursery::tree::rings::Ring;
use allhome_rt::Instant;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::panic::Location;
use std::time::Duration;

/// Begins the settings of a watchdog: it reports what has been wrong for too long, in any nursery of
/// the process. What is not set is not watched for; [`start`](Watch::start) starts it.
///
/// # Examples
///
/// ```
/// use allhome::see;
/// use std::time::Duration;
///
/// let second = Duration::from_secs(1);
/// let _watching = see::watch()
///     .late_cancel(10 * second)
///     .long_poll(second)
///     .only_by_cancel(60 * second)
///     .many(100_000)
///     .start(|alarm| eprintln!("{alarm}"))?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn watch() -> Watch {
    Watch {
        every: Duration::from_secs(1),
        late_cancel: None,
        not_polled: None,
        long_poll: None,
        only_by_cancel: None,
        many: None,
    }
}

/// What a watchdog reports: see [`watch`].
#[derive(Debug, Clone)]
#[must_use = "it watches when it is started"]
pub struct Watch {
    every: Duration,
    late_cancel: Option<Duration>,
    not_polled: Option<Duration>,
    long_poll: Option<Duration>,
    only_by_cancel: Option<Duration>,
    many: Option<usize>,
}

impl Watch {
    /// Sets how long it waits between two looks: a second, if this is not called. A look at a million
    /// tasks takes some tenths of a second of its thread.
    pub fn every(mut self, pause: Duration) -> Watch {
        self.every = pause;
        self
    }

    /// Reports a task that was cancelled and is still there after this time: it holds its thread, a
    /// shield or a grace keeps it, or a nursery inside.
    pub fn late_cancel(mut self, after: Duration) -> Watch {
        self.late_cancel = Some(after);
        self
    }

    /// Reports a task that has been queued for this time without a poll: its runtime is overloaded, or
    /// stuck.
    pub fn not_polled(mut self, after: Duration) -> Watch {
        self.not_polled = Some(after);
        self
    }

    /// Reports a poll that takes longer than this: a loop without an await, or a call that blocks.
    /// Blocking work is no poll, and not reported.
    pub fn long_poll(mut self, after: Duration) -> Watch {
        self.long_poll = Some(after);
        self
    }

    /// Reports a task that has waited for this time and that only a cancel ends: no waker of it is
    /// left, or all are with such tasks. And reports each ring of tasks, at once.
    pub fn only_by_cancel(mut self, after: Duration) -> Watch {
        self.only_by_cancel = Some(after);
        self
    }

    /// Reports a place of the program whose spawns have more than so many tasks alive.
    pub fn many(mut self, most: usize) -> Watch {
        self.many = Some(most);
        self
    }

    /// Starts a thread that looks, and calls `tell` on it for each alarm. An alarm is told once, until
    /// what it is about has changed. A panic of `tell` ends the watch.
    ///
    /// # Errors
    ///
    /// Returns the system's error if the thread cannot be started; always where there are no threads.
    pub fn start(self, mut tell: impl FnMut(Alarm) + Send + 'static) -> io::Result<Watching> {
        let stop = Arc::new(GlobalBool::new(false));
        let (stopped, pause) = (stop.clone(), self.every);
        let thread = ThreadBuilder::new().name("allhome-watch".into()).spawn(move || {
            let mut dog = self.into_dog();
            while !stopped.load(Ordering::Relaxed) {
                let alarms = dog.look(present());
                if let Err(payload) = panic::catch(|| alarms.into_iter().for_each(&mut tell)) {
                    panic::discard(payload);
                    return;
                }
                park(pause);
            }
        })?;
        Ok(Watching { stop, thread: thread.thread().clone() })
    }

    /// Makes a watchdog that looks when it is told to: for a program that has a timer of its own, and
    /// for tests with a clock of their own.
    ///
    /// # Examples
    ///
    /// ```
    /// use allhome::see;
    /// use allhome::time::now;
    ///
    /// let mut dog = see::watch().many(1_000).into_dog();
    /// assert!(dog.look(now()).is_empty());
    /// ```
    pub fn into_dog(self) -> Watchdog {
        Watchdog { watch: self, seen: BTreeMap::new(), told: Told::default() }
    }
}

#[cfg(not(any(loom, target_family = "wasm")))]
fn park(pause: Duration) {
    crate::layers::base::sync::park_timeout_thread(pause);
}

#[cfg(any(loom, target_family = "wasm"))]
fn park(_: Duration) {}

/// A watchdog that was started: dropped, it stops, in the middle of a look at the latest after that.
#[must_use = "a watch ends when it is dropped"]
pub struct Watching {
    stop: Arc<GlobalBool>,
    thread: Thread,
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if current_thread().id() != self.thread.id() {
            self.thread.unpark();
        }
    }
}

impl fmt::Debug for Watching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watching").finish_non_exhaustive()
    }
}

/// Looks when it is told to: see [`Watch::into_dog`].
#[derive(Debug)]
pub struct Watchdog {
    watch: Watch,
    seen: BTreeMap<(TaskId, AlarmKind), Seen>,
    told: Told,
}

/// Of a task in a state that is watched for.
#[derive(Debug)]
struct Seen {
    polls: u32,
    since: Instant,
    told: bool,
}

/// What was reported, and is still so.
#[derive(Debug, Default)]
struct Told {
    rings: BTreeSet<Vec<TaskId>>,
    places: BTreeSet<(&'static str, u32, u32)>,
}

/// What an alarm is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum AlarmKind {
    /// A task was cancelled and is still there.
    LateCancel,
    /// A task is queued and was not polled.
    NotPolled,
    /// A poll takes long.
    LongPoll,
    /// A task waits, and only a cancel ends it.
    OnlyByCancel,
    /// Tasks need each other in a ring.
    Ring,
    /// One place has spawned many tasks that are alive.
    Many,
}

/// What a watchdog reports. Its text is for a log.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Alarm {
    /// What it is about.
    pub kind: AlarmKind,
    /// The tasks; of [`Many`](AlarmKind::Many) the oldest.
    pub tasks: Vec<TaskInfo>,
    /// How long it has been so, at least.
    pub lasts: Duration,
    text: String,
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Watchdog {
    /// Looks at all nurseries of the process, and returns what is to report at this moment. Moments do
    /// not go back.
    pub fn look(&mut self, now: Instant) -> Vec<Alarm> {
        self.look_at(&super::dump::dump(), now)
    }

    /// As [`look`](Watchdog::look), at what is in this dump: of those nurseries that one chooses, say.
    pub fn look_at(&mut self, dump: &Dump, now: Instant) -> Vec<Alarm> {
        let mut alarms = Vec::new();
        let before = std::mem::take(&mut self.seen);
        let tasks =
            || dump.trees().iter().flat_map(|tree| tree.nurseries()).flat_map(|of| &of.tasks);
        for task in tasks() {
            for (kind, after) in self.watch.states(task) {
                let key = (task.id, kind);
                let same = |seen: &&Seen| kind == AlarmKind::LateCancel || seen.polls == task.polls;
                let (since, told) = match before.get(&key).filter(same) {
                    Some(seen) => (seen.since, seen.told),
                    None => (now, false),
                };
                let lasts = now.saturating_duration_since(since);
                let tells = !told && lasts >= after;
                if tells {
                    alarms.push(Alarm::of(kind, task, lasts));
                }
                self.seen.insert(key, Seen { polls: task.polls, since, told: told || tells });
            }
        }
        if self.watch.only_by_cancel.is_some() {
            self.tell_rings(dump, &mut alarms);
        }
        if let Some(most) = self.watch.many {
            self.tell_places(tasks(), most, &mut alarms);
        }
        alarms
    }

    fn tell_rings(&mut self, dump: &Dump, alarms: &mut Vec<Alarm>) {
        let mut now = BTreeSet::new();
        for ring in dump.rings() {
            let ids: Vec<_> = ring.tasks().collect();
            if !self.told.rings.contains(&ids) {
                alarms.push(Alarm::of_ring(ring, dump));
            }
            now.insert(ids);
        }
        self.told.rings = now;
    }

    fn tell_places<'a>(
        &mut self,
        tasks: impl Iterator<Item = &'a TaskInfo>,
        most: usize,
        alarms: &mut Vec<Alarm>,
    ) {
        let mut places = BTreeMap::<_, (usize, &TaskInfo)>::new();
        for task in tasks {
            let of = place(task.location);
            places.entry(of).and_modify(|(count, _)| *count += 1).or_insert((1, task));
        }
        places.retain(|_, (count, _)| *count > most);
        for (of, (count, first)) in &places {
            if !self.told.places.contains(of) {
                let text =
                    format!("{count} tasks are alive that were spawned at {}", first.location);
                let (kind, tasks) = (AlarmKind::Many, vec![(*first).clone()]);
                alarms.push(Alarm { kind, tasks, lasts: Duration::ZERO, text });
            }
        }
        self.told.places = places.into_keys().collect();
    }
}

fn place(at: &'static Location<'static>) -> (&'static str, u32, u32) {
    (at.file(), at.line(), at.column())
}

impl Watch {
    /// Returns the states of a task that are watched for, and after how long each is reported.
    fn states(&self, task: &TaskInfo) -> impl Iterator<Item = (AlarmKind, Duration)> {
        let lost = task.is_unreachable() || task.next_poll == NextPoll::Dead;
        let waits = |state| task.state == state;
        [
            (AlarmKind::LateCancel, self.late_cancel.filter(|_| task.cancelled)),
            (AlarmKind::NotPolled, self.not_polled.filter(|_| waits(TaskState::Queued))),
            (
                AlarmKind::LongPoll,
                self.long_poll.filter(|_| waits(TaskState::Running) && !task.blocks()),
            ),
            (AlarmKind::OnlyByCancel, self.only_by_cancel.filter(|_| lost)),
        ]
        .into_iter()
        .filter_map(|(kind, after)| Some((kind, after?)))
    }
}

impl Alarm {
    fn of(kind: AlarmKind, task: &TaskInfo, lasts: Duration) -> Alarm {
        let what = match kind {
            AlarmKind::LateCancel => "was cancelled, and is still there",
            AlarmKind::NotPolled => "is queued, and is not polled",
            AlarmKind::LongPoll => "is in one poll",
            AlarmKind::OnlyByCancel => "waits, and only a cancel ends it",
            AlarmKind::Ring | AlarmKind::Many => "",
        };
        let text = format!("for {lasts:.1?} this {what}: {task}");
        Alarm { kind, tasks: vec![task.clone()], lasts, text }
    }

    fn of_ring(ring: &Ring, dump: &Dump) -> Alarm {
        let ids: BTreeSet<_> = ring.tasks().collect();
        let tasks = dump.trees().iter().flat_map(|tree| tree.nurseries()).flat_map(|of| &of.tasks);
        let tasks = tasks.filter(|task| ids.contains(&task.id)).cloned().collect();
        Alarm { kind: AlarmKind::Ring, tasks, lasts: Duration::ZERO, text: ring.to_string() }
    }
}
