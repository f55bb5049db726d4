//! An honest executor of one thread, and every place where it can be broken.
//!
//! It is small and safe, with a timer, a blocking pool, local tasks and an end. A [`Fault`] breaks
//! it in one way; what would hang in earnest panics here: a lock that is taken twice, and a driver
//! that finds nothing that will ever happen ([`Driver::stalled`]). So a broken one fails at once.

use super::fault::Fault::{self, *};
use super::jobs::Jobs;
use super::local::Locals;
use super::time::{Clock, Timers};
use super::unsound::{Twin, elsewhere};
use allhome_conformance::{Host, Progress, Root, Runtime};
use allhome_rt::{Spawn, SpawnLocal, Task};
use std::cell::Cell;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::mem::forget;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, ThreadId};
use std::time::Duration;

/// What the driver shares with wakers, sleeps and jobs.
pub(crate) struct Shared {
    pub(crate) fault: Fault,
    pub(crate) home: ThreadId,
    pub(crate) progress: Progress,
    state: Mutex<State>,
    changed: Condvar,
    pub(crate) timers: Mutex<Timers>,
    pub(crate) jobs: Jobs,
    /// A user's call came while a lock was held that it needs.
    deadlocked: AtomicBool,
    /// How many tasks have panicked.
    panics: AtomicUsize,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Entry>,
    /// What is queued, and nobody was told of it.
    unseen: VecDeque<Entry>,
    tasks: BTreeMap<usize, Arc<Cell_>>,
    next: usize,
    root_woken: bool,
    in_root: bool,
    closing: bool,
    closed: bool,
}

/// Something to be polled.
#[derive(Clone)]
pub(crate) enum Entry {
    Task(Arc<Cell_>),
    Local(usize),
}

thread_local! {
    /// Whether this thread is inside a poll of a task, and of the root.
    static IN_POLL: Cell<bool> = const { Cell::new(false) };
    static IN_ROOT: Cell<bool> = const { Cell::new(false) };
    static IN_DROP: Cell<bool> = const { Cell::new(false) };
}

/// Sets a flag of this thread around a call.
fn with<T>(flag: &'static thread::LocalKey<Cell<bool>>, f: impl FnOnce() -> T) -> T {
    let before = flag.replace(true);
    let result = catch_unwind(AssertUnwindSafe(f));
    flag.set(before);
    result.unwrap_or_else(|panic| resume_unwind(panic))
}

/// One flag for all executors of the process, as nobody should have it.
static SOMEBODY_ENDED: AtomicBool = AtomicBool::new(false);

impl Shared {
    pub(crate) fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn at_home(&self) -> bool {
        thread::current().id() == self.home
    }

    /// Tells the driver that there is something to see.
    pub(crate) fn tell(&self) {
        let mut state = self.lock();
        let unseen = std::mem::take(&mut state.unseen);
        state.queue.extend(unseen);
        drop(state);
        self.changed.notify_all();
    }

    pub(crate) fn push(&self, entry: Entry, told: bool) {
        let mut state = self.lock();
        if !told {
            return state.unseen.push_back(entry);
        }
        match (self.fault, &entry) {
            (WokenHasOnePlace, Entry::Task(cell)) if cell.polls.load(SeqCst) > 0 => {
                // Whoever else was woken and not polled yet is forgotten.
                let keep = |entry: &Entry| !matches!(entry, Entry::Task(other) if other.polls.load(SeqCst) > 0);
                state.queue.retain(keep);
                state.queue.push_back(entry);
            }
            (NewestFirst, _) => state.queue.push_front(entry),
            (PartnerFirst, Entry::Task(cell)) if IN_POLL.get() && !cell.polling.load(SeqCst) => {
                state.queue.push_front(entry);
            }
            (ForeignLast, _) if !self.at_home() => {
                // Looked at when there is nothing else: see `next`.
                state.unseen.push_back(entry);
            }
            _ => state.queue.push_back(entry),
        }
        drop(state);
        self.changed.notify_all();
    }

    /// A call that would wait for itself, in earnest: the driver is told, because a panic here could
    /// be one inside of a destructor.
    pub(crate) fn deadlock(&self) {
        self.deadlocked.store(true, SeqCst);
    }

    pub(crate) fn closed(&self) -> bool {
        self.lock().closed
    }
}

/// A task and its place. The waker of the task is its cell.
pub(crate) struct Cell_ {
    shared: Arc<Shared>,
    id: usize,
    task: Mutex<Option<Task>>,
    queued: AtomicBool,
    polling: AtomicBool,
    polls: AtomicUsize,
    wakes: AtomicUsize,
    over: AtomicBool,
    woken_elsewhere: AtomicBool,
    woken_by: Mutex<HashSet<ThreadId>>,
    twin: Mutex<Option<Twin>>,
}

impl Wake for Cell_ {
    fn wake(self: Arc<Self>) {
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
    fn take(&self) -> Option<Task> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn woken(self: &Arc<Self>) {
        let (shared, home) = (&self.shared, self.shared.at_home());
        let over = self.over.load(SeqCst);
        let polling = self.polling.load(SeqCst);
        assert!(!(shared.is(WakeAfterTaskPanics) && over), "a wake of nobody");
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
            WakesNewest => {
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
fn poll(cell: &Arc<Cell_>, driver: Option<&Driver>) {
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
    if matches!(poll, Ok(Poll::Pending)) {
        let before = cell.task.lock().unwrap_or_else(PoisonError::into_inner).replace(task);
        return drop(before);
    }
    cell.over.store(true, SeqCst);
    shared.lock().tasks.remove(&cell.id);
    drop(task);
    if let Err(panic) = poll {
        if shared.is(PanicTakesOthersAlong) {
            let others = std::mem::take(&mut shared.lock().tasks);
            for other in others.into_values() {
                let _ = catch_unwind(AssertUnwindSafe(|| drop(other.take())));
            }
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
}

struct RootWaker(Arc<Shared>);

impl Wake for RootWaker {
    fn wake(self: Arc<Self>) {
        let shared = &self.0;
        let home = shared.at_home();
        let ignored = match shared.fault {
            RootNotWokenFromElsewhere => !home,
            RootWakeInPollLost => home && IN_ROOT.get(),
            // As if it were the thread's own token, which the poll has used up.
            RootWakeIsThreadToken => !home && shared.lock().in_root,
            _ => false,
        };
        if !ignored {
            shared.lock().root_woken = true;
            shared.tell();
        }
    }
}

/// The executor: dropped, it ends.
pub(crate) struct Driver {
    shared: Arc<Shared>,
    locals: Rc<Locals>,
    polls: usize,
    idle: usize,
    waits: usize,
    /// How many jobs had begun at the last look.
    begun: usize,
    broken: bool,
}

impl Driver {
    pub(crate) fn new(fault: Fault) -> Driver {
        assert!(fault != StartPanics, "no threads left");
        if fault == EndIsGlobal {
            SOMEBODY_ENDED.store(false, SeqCst);
        }
        let shared = Arc::new(Shared {
            fault,
            home: thread::current().id(),
            progress: Progress::current(),
            state: Mutex::default(),
            changed: Condvar::new(),
            timers: Mutex::default(),
            jobs: Jobs::default(),
            deadlocked: AtomicBool::new(false),
            panics: AtomicUsize::new(0),
        });
        if fault == ThreadIsLeft {
            thread::spawn(|| {
                loop {
                    thread::park();
                }
            });
        }
        let locals = Rc::new(Locals::new(&shared));
        Driver { shared, locals, polls: 0, idle: 0, waits: 0, begun: 0, broken: false }
    }

    /// A turn was taken. Panics when a call waits for itself, and when this goes on for ever.
    fn turn(&mut self, ran: bool) {
        assert!(
            !self.shared.deadlocked.swap(false, SeqCst),
            "deadlock: a call that waits for itself"
        );
        self.polls += 1;
        assert!(self.polls < 400_000, "stalled: {} turns", self.polls);
        if ran {
            (self.idle, self.waits) = (0, 0);
        }
    }

    fn next(&self) -> Option<Entry> {
        let mut state = self.shared.lock();
        if self.shared.is(EndIsGlobal) && SOMEBODY_ENDED.load(SeqCst) {
            return None;
        }
        let next = state.queue.pop_front();
        if next.is_none() && self.shared.is(ForeignLast) {
            return state.unseen.pop_front();
        }
        next
    }

    fn run_one(&mut self) -> bool {
        let shared = self.shared.clone();
        if shared.is(TasksWaitForJobs) && shared.jobs.busy().0 {
            return false;
        }
        match self.next() {
            Some(Entry::Task(cell)) => poll(&cell, Some(self)),
            Some(Entry::Local(id)) => self.locals.poll(id),
            None => return false,
        }
        if shared.is(PollsAnybody) {
            let anybody = shared.lock().tasks.values().next().cloned();
            anybody.iter().for_each(|cell| poll(cell, Some(self)));
        }
        self.turn(true);
        true
    }

    fn drive(&mut self, mut root: Root<'_>) {
        let shared = self.shared.clone();
        assert!(!self.broken, "it was left in a state in which it cannot be used");
        if shared.is(WakesBetweenDrivesLost) {
            shared
                .lock()
                .queue
                .retain(|entry| matches!(entry, Entry::Task(cell) if cell.polls.load(SeqCst) == 0));
        }
        (self.polls, self.idle, self.waits) = (0, 0, 0);
        shared.lock().root_woken = true;
        let waker = Waker::from(Arc::new(RootWaker(shared.clone())));
        loop {
            let busy = shared.is(QueueBeforeRoot) && !shared.lock().queue.is_empty();
            let woken = !busy && std::mem::take(&mut shared.lock().root_woken);
            if (woken || shared.is(RootIsPolledAlways)) && !shared.is(RootIsNeverPolled) {
                shared.lock().in_root = true;
                let mut poll = || root.as_mut().poll(&mut Context::from_waker(&waker));
                let poll = || if shared.is(RootPolledElsewhere) { elsewhere(poll) } else { poll() };
                let poll = with(&IN_ROOT, poll);
                shared.lock().in_root = false;
                if poll.is_ready() || shared.is(DriveReturnsEarly) {
                    while shared.is(DriveRunsQueueDry) && self.run_one() {}
                    if shared.is(RootIsKept) {
                        // As if it lived on elsewhere. What it has borrowed is not touched.
                        forget(root);
                    }
                    return;
                }
            }
            if shared.is(RootAlone) && shared.lock().root_woken {
                self.rest();
                continue;
            }
            let starved = match shared.fault {
                TimersWhenIdle => !shared.lock().queue.is_empty(),
                TimersWithTheRoot => !woken,
                _ => false,
            };
            let fired = !starved && Timers::fire(&shared);
            let turns = shared.lock().queue.len().clamp(1, 64);
            let mut ran = fired;
            if fired {
                self.turn(true);
            }
            for _ in 0..turns {
                ran |= self.run_one();
                if shared.is(NewestFirst) || shared.is(PartnerFirst) {
                    break;
                }
            }
            if !ran {
                self.rest();
            }
        }
    }

    /// Nothing was run: waits for what may come, and panics when nothing will: no sleep that ends
    /// soon, no job, no thread of the rule's. A root that only asks again and again counts as
    /// nothing, and is asked without a pause a hundred times.
    ///
    /// A thread of the rule's waits for nobody, and a sleep to come will come: for these there are
    /// 10,000 waits of a millisecond. But a job may wait for a root that is not polled: 400. And a
    /// sleep whose instant is over may be one that nobody looks at: 100.
    fn rest(&mut self) {
        self.turn(false);
        let shared = &self.shared;
        let (soon, outside) = (Timers::soon(shared), shared.progress.outside() > 0);
        let (busy, begun) = shared.jobs.busy();
        self.idle += 1;
        if soon.is_none() && !outside && !busy {
            assert!(self.idle < 3_000, "stalled: nothing will ever happen");
            return;
        }
        if std::mem::replace(&mut self.begun, begun) != begun {
            self.waits = 0;
        }
        let state = shared.lock();
        if (state.root_woken || !state.queue.is_empty()) && self.idle < 100 {
            drop(state);
            return thread::yield_now();
        }
        let left = soon.filter(|left| !left.is_zero());
        let most = left.unwrap_or(Duration::MAX).min(Duration::from_millis(1));
        drop(shared.changed.wait_timeout(state, most));
        self.waits += match (left, busy) {
            _ if outside => 1,
            (Some(_), _) => 1,
            (None, true) => 25,
            (None, false) => 100,
        };
        assert!(self.waits < 10_000, "stalled: what was to come does not");
    }
}

impl Host for Driver {
    fn runtime(&self) -> Runtime {
        let shared = &self.shared;
        let mut builder = Runtime::builder("zoo", Spawner(shared.clone()));
        if !shared.is(TimerIsMissing) {
            builder = builder.timer(Clock(shared.clone()));
        }
        builder.blocking(super::jobs::Pool(shared.clone())).build()
    }

    fn block_on(&mut self, root: Root<'_>) {
        let result = catch_unwind(AssertUnwindSafe(|| self.drive(root)));
        if self.shared.is(EndOfDriveDropsTasks) {
            let tasks = std::mem::take(&mut self.shared.lock().tasks);
            tasks.into_values().for_each(|cell| drop(cell.take()));
        }
        if let Err(panic) = result {
            self.broken = self.shared.is(RootPanicBreaksIt);
            if !self.shared.is(RootPanicIsKept) || self.idle >= 3_000 {
                resume_unwind(panic);
            }
        }
    }

    fn threads(&self) -> usize {
        if self.shared.is(ClaimsTwoThreads) { 2 } else { 1 }
    }

    fn local(&self) -> Option<Rc<dyn SpawnLocal>> {
        Some(self.locals.clone())
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let shared = &self.shared;
        if shared.is(EndIsGlobal) {
            SOMEBODY_ENDED.store(true, SeqCst);
        }
        while shared.is(EndRunsQueue) && self.polls < 1_000 {
            self.polls += 1;
            let Some(Entry::Task(cell)) = self.next() else { break };
            poll(&cell, None);
        }
        shared.lock().closing = true;
        let tasks = {
            let mut state = shared.lock();
            (state.queue, state.unseen) = Default::default();
            std::mem::take(&mut state.tasks)
        };
        for cell in tasks.into_values() {
            let (queued, polled) = (cell.queued.load(SeqCst), cell.polls.load(SeqCst) > 0);
            let kept = match shared.fault {
                ForgetsWhoWaits => polled && !queued,
                ForgetsTheQueue => queued,
                ForgetsWhoIsWoken => cell.woken_elsewhere.load(SeqCst) && queued,
                _ => false,
            };
            if kept {
                forget(cell.take());
            }
            let left = match shared.fault {
                WakersKeepTasks | LastWakerDestroys => Arc::strong_count(&cell) > 1,
                WakePollsAfterEnd => true,
                _ => false,
            };
            if left {
                continue;
            }
            let task = cell.take();
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| with(&IN_DROP, || drop(task)))) {
                if shared.is(PanicEndsTheEnd) {
                    forget(std::mem::take(&mut shared.lock().tasks));
                    shared.lock().closed = true;
                    resume_unwind(panic);
                }
            }
            cell.over.store(!shared.is(WakeAfterEndPanics), SeqCst);
        }
        self.locals.end();
        shared.lock().closed = true;
        shared.jobs.end(shared);
        Timers::end(shared);
        let deadlocked = shared.deadlocked.load(SeqCst) && !thread::panicking();
        assert!(!deadlocked, "deadlock: a destructor calls, and the lock is held");
    }
}
