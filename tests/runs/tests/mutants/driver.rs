//! What drives the honest executor: its root, its turns, its waits and its end, and their faults.

use super::base::{Entry, IN_DROP, IN_POLL, Shared, with};
use super::fault::Fault::{self, *};
use super::jobs::{Pool, leave};
use super::local::Locals;
use super::task::{Spawner, poll};
use super::time::{Clock, Timers};
use super::unsound::elsewhere;
use allhome_conformance::{Host, Root, Runtime};
use allhome_rt::SpawnLocal;
use std::cell::Cell;
use std::mem::forget;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

thread_local! {
    /// Whether this thread is inside a poll of the root.
    static IN_ROOT: Cell<bool> = const { Cell::new(false) };
}

/// One flag for all executors of the process, as no executor should have it.
static ONE_HAS_ENDED: AtomicBool = AtomicBool::new(false);

/// The waker of a root, of this drive.
struct RootWaker(Arc<Shared>, usize);

impl Wake for RootWaker {
    fn wake(self: Arc<Self>) {
        let shared = &self.0;
        let home = shared.at_home();
        let over = self.1 != shared.lock().drives || !shared.lock().driven;
        assert!(!(over && shared.is(OldRootWakerPanics)), "a wake of no root");
        let ignored = match shared.fault {
            WakesOfJobsLost => shared.jobs.on_worker(),
            RootNotWokenFromElsewhere => !home,
            RootWakeByTaskLost => home && IN_POLL.get(),
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
            ONE_HAS_ENDED.store(false, SeqCst);
        }
        let shared = Arc::new(Shared::new(fault));
        if fault == ThreadIsLeft {
            thread::spawn(leave);
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
        if self.shared.is(EndIsGlobal) && ONE_HAS_ENDED.load(SeqCst) {
            return None;
        }
        let oldest = |entry: &Entry| match entry {
            Entry::Task(cell) => cell.id,
            Entry::Local(id) => *id,
        };
        let first = match self.shared.is(OldestFirst) {
            true => (0..state.queue.len()).min_by_key(|at| oldest(&state.queue[*at])),
            false => Some(0),
        };
        let next = first.and_then(|at| state.queue.remove(at));
        if next.is_none() && (self.shared.is(ForeignLast) || self.shared.is(LocalsLast)) {
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
        if shared.is(PollsAnyTask) {
            let any = shared.lock().tasks.values().next().cloned();
            any.iter().for_each(|cell| poll(cell, Some(self)));
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
        let drive = {
            let mut state = shared.lock();
            (state.root_woken, state.driven) = (true, true);
            state.drives += 1;
            state.drives
        };
        let waker = Waker::from(Arc::new(RootWaker(shared.clone(), drive)));
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
                    if shared.is(RootIsKept) || shared.is(RootIsDroppedLate) {
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
                if matches!(
                    shared.fault,
                    NewestFirst | PartnerFirst | SpawnedInPollFirst | LocalsFirst
                ) {
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
    /// A thread of a rule never waits, and a sleep to come will come: for these there are 10,000
    /// waits of a millisecond. But a job may wait for a root that is not polled: 400. And the
    /// executor may never look at a sleep whose instant is over: 100.
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
        let builder = Runtime::builder("mutants", Spawner(shared.clone()));
        builder.timer(Clock(shared.clone())).blocking(Pool(shared.clone())).build()
    }

    fn block_on(&mut self, root: Root<'_>) {
        let result = catch_unwind(AssertUnwindSafe(|| self.drive(root)));
        self.shared.lock().driven = false;
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
        let left = !shared.lock().tasks.is_empty() && !thread::panicking();
        assert!(!(left && shared.is(EndPanics)), "tasks are left");
        if shared.is(EndIsGlobal) {
            ONE_HAS_ENDED.store(true, SeqCst);
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
