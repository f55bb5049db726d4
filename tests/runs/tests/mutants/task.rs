//! The honest executor's tasks: how they are spawned, woken and polled, and their faults.

use super::base::{Entry, IN_DROP, IN_POLL, Shared, with};
use super::driver::Driver;
use super::fault::Fault::*;
use super::unsound::Twin;
use allhome_rt::{Spawn, Task};
use std::collections::HashSet;
use std::mem::forget;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, ThreadId};

/// A task and its place. The waker of the task is its cell.
pub(crate) struct Cell_ {
    shared: Arc<Shared>,
    pub(crate) id: usize,
    task: Mutex<Option<Task>>,
    pub(crate) queued: AtomicBool,
    pub(crate) polling: AtomicBool,
    pub(crate) polls: AtomicUsize,
    wakes: AtomicUsize,
    pub(crate) over: AtomicBool,
    pub(crate) woken_elsewhere: AtomicBool,
    woken_by: Mutex<HashSet<ThreadId>>,
    twin: Mutex<Option<Twin>>,
}

impl Wake for Cell_ {
    fn wake(self: Arc<Self>) {
        if self.shared.is(WakeByValueLeaks) {
            forget(self.clone());
        }
        if !self.shared.is(WakeByValueIgnored) {
            self.woken();
        }
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.shared.is(WakeByRefIgnored) {
            self.woken();
        }
    }
}

impl Cell_ {
    pub(crate) fn take(&self) -> Option<Task> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn woken(self: &Arc<Self>) {
        let (shared, home) = (&self.shared, self.shared.at_home());
        let over = self.over.load(SeqCst);
        let polling = self.polling.load(SeqCst);
        assert!(!(shared.is(WakeAfterTaskPanics) && over), "a wake of no task");
        let (closed, closing) = {
            let state = shared.lock();
            (state.closed, state.closing)
        };
        if closing && shared.is(DropsUnderLock) {
            shared.deadlock();
        }
        if closed {
            assert!(!shared.is(WakeAfterEndPanics), "a wake without a queue");
            if shared.is(WakePollsAfterEnd) {
                poll(self, None);
            }
            if shared.is(LastWakerDestroys) {
                drop(self.take());
            }
            return;
        }
        let ignored = match shared.fault {
            WakesAreNothing => true,
            WakeInRootPollLost => home && shared.lock().in_root,
            EveryFiftiethWakeLost => self.wakes.fetch_add(1, SeqCst) % 50 == 49,
            WakesOfJobsLost => shared.jobs.on_worker(),
            WakeInOwnPollLost => polling && home,
            WakeInPollFromElsewhereLost => polling && !home,
            WakesRunOut => self.wakes.fetch_add(1, SeqCst) >= 100,
            WakeInPanicIgnored => thread::panicking(),
            ManyWakersLost => !home && self.is_contended(),
            _ => false,
        };
        if ignored || over {
            return;
        }
        if !home {
            self.woken_elsewhere.store(true, SeqCst);
        }
        match shared.fault {
            TwoPollAtOnce if polling && !home => self.poll_twin(),
            _ if shared.is(WakesNewest)
                || (shared.is(ManyClonesWakeNewest) && Arc::strong_count(self) > 200) =>
            {
                let newest = shared.lock().tasks.values().next_back().cloned();
                return newest.into_iter().for_each(Cell_::queue);
            }
            OneWakerForAll => {
                let all: Vec<_> = shared.lock().tasks.values().cloned().collect();
                return all.into_iter().for_each(Cell_::queue);
            }
            WakePollsInline if home && !polling => return poll(self, None),
            WakeInAPollPollsInline if home && IN_POLL.get() && !polling => return poll(self, None),
            SecondWakeTakesOut if self.queued.load(SeqCst) => {
                self.queued.store(false, SeqCst);
                let other =
                    |entry: &Entry| !matches!(entry, Entry::Task(cell) if cell.id == self.id);
                return shared.lock().queue.retain(other);
            }
            _ => {}
        }
        self.clone().queue();
    }

    /// Polls it although it is being polled, unless two others do so.
    fn poll_twin(self: &Arc<Self>) {
        let waker = Waker::from(self.clone());
        if let Ok(mut twin) = self.twin.try_lock() {
            if let Some(twin) = &mut *twin {
                twin.poll(&mut Context::from_waker(&waker));
            }
        }
    }

    /// Whether two threads have woken it since its last poll.
    fn is_contended(&self) -> bool {
        let mut woken_by = self.woken_by.lock().unwrap_or_else(PoisonError::into_inner);
        woken_by.insert(thread::current().id());
        if woken_by.len() > 1 {
            let other = |entry: &Entry| !matches!(entry, Entry::Task(cell) if cell.id == self.id);
            self.shared.lock().queue.retain(other);
        }
        woken_by.len() > 1
    }

    fn queue(self: Arc<Self>) {
        let shared = self.shared.clone();
        if self.queued.swap(true, SeqCst) && !shared.is(EachWakeIsQueued) {
            return;
        }
        let told = !shared.is(ForeignWakeNotTold) || shared.at_home();
        shared.push(Entry::Task(self), told);
    }
}

/// A waker that knows of which poll it is.
struct OfPoll(Arc<Cell_>, usize);

impl Wake for OfPoll {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let OfPoll(cell, poll) = &**self;
        let ignored = match cell.shared.fault {
            OnlyLatestWaker => *poll != cell.polls.load(SeqCst),
            LastCloneIgnored => Arc::strong_count(self) == 1,
            _ => false,
        };
        if !ignored {
            cell.woken();
        }
    }
}

/// Polls a task, and sees to what comes of it.
pub(crate) fn poll(cell: &Arc<Cell_>, driver: Option<&Driver>) {
    let shared = cell.shared.clone();
    cell.queued.store(false, SeqCst);
    let Some(mut task) = cell.take() else { return };
    let waker = match shared.fault {
        WakerOfEachPoll | OnlyLatestWaker | LastCloneIgnored => {
            Waker::from(Arc::new(OfPoll(cell.clone(), cell.polls.load(SeqCst) + 1)))
        }
        _ => Waker::from(cell.clone()),
    };
    cell.woken_by.lock().unwrap_or_else(PoisonError::into_inner).clear();
    if shared.is(TwoPollAtOnce) {
        // SAFETY: they part below; and rule R21 alone examines this, whose work is ready once.
        let twin = unsafe { Twin::of(&task) };
        *cell.twin.lock().unwrap_or_else(PoisonError::into_inner) = Some(twin);
    }
    cell.polling.store(true, SeqCst);
    cell.polls.fetch_add(1, SeqCst);
    shared.in_poll.store(0, SeqCst);
    if shared.is(BudgetIsForLife) {
        shared.used.fetch_add(1, SeqCst);
    }
    let poll = with(&IN_POLL, || {
        let mut poll = || std::pin::Pin::new(&mut task).poll(&mut Context::from_waker(&waker));
        catch_unwind(AssertUnwindSafe(|| match shared.is(ThinStacks) {
            true => on_thin_stack(poll),
            false => poll(),
        }))
    });
    drop(waker);
    cell.polling.store(false, SeqCst);
    let twin = cell.twin.lock().unwrap_or_else(PoisonError::into_inner).take();
    let task = match twin {
        Some(twin) => twin.part(task),
        None => Some(task),
    };
    let Some(task) = task else { return };
    let last = shared.is(PollsRunOut) && cell.polls.load(SeqCst) >= 200;
    if matches!(poll, Ok(Poll::Pending)) && !last {
        let before = cell.task.lock().unwrap_or_else(PoisonError::into_inner).replace(task);
        return drop(before);
    }
    cell.over.store(true, SeqCst);
    let record = shared.lock().tasks.remove(&cell.id);
    if shared.is(EndedTasksStay) {
        forget(record);
    }
    drop(task);
    if let Err(panic) = poll {
        if shared.is(PanicTakesOthersAlong) {
            let others = std::mem::take(&mut shared.lock().tasks);
            for other in others.into_values() {
                let _ = catch_unwind(AssertUnwindSafe(|| drop(other.take())));
            }
        }
        if shared.is(PanicLosesTheQueue) {
            let lost = std::mem::take(&mut shared.lock().queue);
            drop(lost);
        }
        let panics = shared.panics.fetch_add(1, SeqCst) + 1;
        let ends = shared.is(PanicEndsDriver) || (shared.is(PanicsRunOut) && panics == 10);
        if ends && driver.is_some() {
            resume_unwind(panic);
        }
    }
}

fn on_thin_stack(poll: impl FnOnce() -> Poll<()> + Send) -> Poll<()> {
    let thread = thread::Builder::new().stack_size(64 << 10);
    let polled = thread::scope(|scope| thread.spawn_scoped(scope, poll).expect("a thread").join());
    polled.unwrap_or_else(|panic| resume_unwind(panic))
}

/// The handle that tasks are spawned on.
pub(crate) struct Spawner(pub(crate) Arc<Shared>);

impl Spawn for Spawner {
    fn spawn(&self, task: Task) {
        let shared = &self.0;
        let home = shared.at_home();
        let in_poll = IN_POLL.get();
        let deadlock = match shared.fault {
            SpawnInPollDeadlocks => in_poll,
            SpawnInDropDeadlocks => IN_DROP.get(),
            ForeignSpawnWaitsForPoll => {
                !home && shared.lock().tasks.values().any(|c| c.polling.load(SeqCst))
            }
            QueueIsBounded => shared.lock().queue.len() >= 300,
            JobsHoldTheLock => !home && shared.jobs.on_worker(),
            _ => false,
        };
        if deadlock {
            shared.deadlock();
        }
        let mut state = shared.lock();
        if state.closing && shared.is(DropsUnderLock) {
            shared.deadlock();
        }
        if state.closed || state.closing {
            let closing = state.closing && !state.closed;
            drop(state);
            match shared.fault {
                SpawnAfterEndLeaks if !closing => forget(task),
                SpawnInEndLeaks if closing => forget(task),
                SpawnInTurnInEndLeaks if closing => {
                    thread_local! {
                        static DEPTH: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
                    }
                    let depth = DEPTH.replace(DEPTH.get() + 1);
                    if depth > 0 {
                        forget(task)
                    } else {
                        drop(task)
                    }
                    DEPTH.set(depth);
                }
                SpawnAfterEndPolls if !closing => {
                    let mut task = task;
                    let _ =
                        std::pin::Pin::new(&mut task).poll(&mut Context::from_waker(Waker::noop()));
                }
                _ => drop(task),
            }
            return;
        }
        let id = state.next;
        state.next += 1;
        let lost = match shared.fault {
            SpawnsOfAPollAreFewerThan300 if in_poll => shared.in_poll.fetch_add(1, SeqCst) >= 300,
            SpawnsOfJobsLost => shared.jobs.on_worker(),
            SpawnedBetweenDrivesLost => home && !state.driven && state.next > 0,
            LosesEveryHundredth => id % 100 == 99,
            QueueOf256 => state.queue.len() >= 256,
            TasksAreFewerThan400 => state.tasks.len() >= 400,
            ForeignSpawnsRace => !home && shared.progress.outside() > 1 && id % 2 == 1,
            _ => false,
        };
        if lost {
            return forget(task);
        }
        let cell = Arc::new(Cell_ {
            shared: shared.clone(),
            id,
            task: Mutex::new(Some(task)),
            queued: AtomicBool::new(true),
            polling: AtomicBool::new(false),
            polls: AtomicUsize::new(0),
            wakes: AtomicUsize::new(0),
            over: AtomicBool::new(false),
            woken_elsewhere: AtomicBool::new(false),
            woken_by: Mutex::default(),
            twin: Mutex::default(),
        });
        state.tasks.insert(id, cell.clone());
        drop(state);
        match shared.fault {
            SpawnPollsInline if home => poll(&cell, None),
            BornAsleep => cell.queued.store(false, SeqCst),
            ForeignSpawnNotTold => shared.push(Entry::Task(cell), home),
            SpawnInPollNotTold => shared.push(Entry::Task(cell), !in_poll),
            _ => shared.push(Entry::Task(cell), true),
        }
    }

    fn threads(&self) -> usize {
        if self.0.is(ClaimsTwoThreads) { 2 } else { 1 }
    }

    fn has_budget(&self) -> bool {
        match self.0.fault {
            BudgetIsForLife | CallsShareTheBudget => self.0.used.load(SeqCst) < 20,
            _ => true,
        }
    }

    fn with_budget(&self, poll: &mut dyn FnMut()) -> bool {
        poll();
        match self.0.fault {
            CallsShareTheBudget => drop(self.0.used.fetch_add(1, SeqCst)),
            CallsTwice => poll(),
            _ => {}
        }
        self.has_budget()
    }
}
