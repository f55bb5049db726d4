//! Which workers sleep, and which one is woken when there is work.
//!
//! A worker without work puts itself on the list, looks once more, and parks. A thread that adds
//! work takes one worker off the list and unparks it. That worker *searches* until it has found
//! work or sleeps again. While it searches, no other worker is woken; when it has found work, it
//! wakes the next if there is more. So a burst of wakes costs one unpark, and workers come up one
//! by one as long as there is work for them.
//!
//! # The watchman
//!
//! Two tasks that wake each other by turns would cost an unpark each time, and the other worker
//! would find nothing, or take the task to another processor. A worker that wakes one task, with
//! its queue otherwise empty, will poll that task next; so it notifies no other worker, **if** the
//! task cannot wait for ever behind a poll that keeps its thread. One of the sleepers sees to that,
//! the watchman. While another worker is awake, the watchman looks now and then whether something
//! stands in a queue, at first after [`FIRST_LOOK`], then less and less often. When all sleep it
//! goes off duty: an idle pool takes no time. (Go has a thread for this, the system monitor.)
//!
//! # Invariants
//!
//! 1. A worker that is taken off the list gets a token, and only such a worker (at the end of the
//!    pool every worker gets one).
//! 2. At most one worker searches, the last one taken off the list. `searching` is set under the
//!    list's lock and cleared by that worker alone.
//! 3. No work is missed. A thread that adds work (the adder) reads `sleeping` and `searching` after
//!    it has held the lock of the queue that it added to. A worker writes them before its last look
//!    into each queue, under the queue's lock. So either the look comes second and sees the work,
//!    or the adder does and sees the sleeper. Work that an adder leaves to the searching worker is
//!    seen by that worker's look after it has cleared `searching`. Work that is left to the
//!    watchman is seen by the watchman's next look, or, when the watchman is taken off the list, as
//!    by any worker that searches: `watched` is cleared before that. A worker that takes itself off
//!    the list, because its look has found something, may have had two pieces of work left to it:
//!    by an adder that saw its search, which it has ended by then, and by one that saw it watch. It
//!    takes one, and looks whether there is more.
//! 4. The watchman is on the list. It goes off duty by itself only when all workers sleep: then no
//!    worker is in a poll that could have added something.
//!
//! # Memory ordering
//!
//! `sleeping`, `searching` and `watched` are Relaxed: the locks of the queues order them (invariant
//! 3), or the list's own.
//!
//! # Lock order
//!
//! The list's lock is released before a parker's is taken.

use crate::parker::Parker;
use allhome_rt::Instant;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// How long the watchman waits before its first look: the longest that a task waits because no
/// worker was notified.
const FIRST_LOOK: Duration = Duration::from_millis(1);

/// The longest between two looks. What keeps its thread for long is rarely news.
const LAST_LOOK: Duration = Duration::from_millis(16);

pub(super) struct Idle {
    list: Mutex<List>,
    /// The length of the list, for a look without the lock.
    sleeping: AtomicUsize,
    searching: AtomicBool,
    /// A watchman is on duty.
    watched: AtomicBool,
    parkers: Box<[Parker]>,
}

struct List {
    sleepers: Vec<usize>,
    watchman: Option<usize>,
}

/// Why a worker does not sleep any more.
pub(super) enum Unparked {
    /// It was taken off the list: there is work.
    ByToken,
    /// It is the watchman, and still on the list.
    ToLook,
}

impl Idle {
    pub(super) fn new(workers: usize) -> Idle {
        Idle {
            list: Mutex::new(List { sleepers: Vec::with_capacity(workers), watchman: None }),
            sleeping: AtomicUsize::new(0),
            searching: AtomicBool::new(false),
            watched: AtomicBool::new(false),
            parkers: (0..workers).map(|_| Parker::default()).collect(),
        }
    }

    /// Wakes a worker if one sleeps and none searches. Call it after work was added.
    pub(super) fn notify(&self) {
        if self.sleeping.load(Ordering::Relaxed) == 0 || self.searching.load(Ordering::Relaxed) {
            return;
        }
        let mut list = self.list.lock();
        if self.searching.load(Ordering::Relaxed) {
            return;
        }
        // The watchman stays on duty if there is another.
        let rest = list.sleepers.iter().rev().find(|&&index| list.watchman != Some(index));
        let Some(&index) = rest.or(list.sleepers.last()) else { return };
        self.strike_off(&mut list, index);
        self.searching.store(true, Ordering::Relaxed);
        drop(list);
        self.parkers[index].unpark();
    }

    /// As [`notify`](Idle::notify), for what the calling worker polls next if it gets to it.
    pub(super) fn notify_unless_watched(&self) {
        if !self.watched.load(Ordering::Relaxed) {
            self.notify();
        }
    }

    /// Returns `false` if it was not on the list.
    fn strike_off(&self, list: &mut List, index: usize) -> bool {
        let Some(at) = list.sleepers.iter().position(|&listed| listed == index) else {
            return false;
        };
        list.sleepers.remove(at);
        self.sleeping.store(list.sleepers.len(), Ordering::Relaxed);
        if list.watchman == Some(index) {
            self.appoint(list, None);
        }
        true
    }

    fn appoint(&self, list: &mut List, watchman: Option<usize>) {
        list.watchman = watchman;
        self.watched.store(watchman.is_some(), Ordering::Relaxed);
    }

    /// Gives every worker a token: the pool ends.
    pub(super) fn wake_all(&self) {
        for parker in &self.parkers {
            parker.unpark();
        }
    }

    /// Ends the search of a worker that has found work. It must then look whether there is more.
    pub(super) fn end_search(&self) {
        self.searching.store(false, Ordering::Relaxed);
    }

    /// Puts a worker on the list and ends its search. It must then look for work once more.
    pub(super) fn enlist(&self, index: usize, searching: bool) {
        let mut list = self.list.lock();
        list.sleepers.push(index);
        self.sleeping.store(list.sleepers.len(), Ordering::Relaxed);
        if searching {
            self.searching.store(false, Ordering::Relaxed);
        }
        if list.watchman.is_none() && list.sleepers.len() < self.parkers.len() {
            self.appoint(&mut list, Some(index));
        }
    }

    /// Takes a worker that has changed its mind off the list. Returns `false` if another thread did
    /// so before: then its token is on the way and it must park to take it.
    pub(super) fn withdraw(&self, index: usize) -> bool {
        self.strike_off(&mut self.list.lock(), index)
    }

    /// Sleeps until the token of a worker that is, or was, on the list comes; the watchman only
    /// until its next look, of which it has had so many since it went to sleep.
    pub(super) fn sleep(&self, index: usize, looks: u32) -> Unparked {
        if self.is_on_duty(index) {
            if !self.parkers[index].park_until(Instant::now() + wait_before_look(looks)) {
                return Unparked::ToLook;
            }
        } else {
            self.parkers[index].park();
        }
        Unparked::ByToken
    }

    /// Returns `true` if that worker is the watchman and is needed. If all workers sleep, it goes
    /// off duty.
    fn is_on_duty(&self, index: usize) -> bool {
        let mut list = self.list.lock();
        if list.watchman == Some(index) && list.sleepers.len() == self.parkers.len() {
            self.appoint(&mut list, None);
        }
        list.watchman == Some(index)
    }
}

fn wait_before_look(looks: u32) -> Duration {
    FIRST_LOOK.saturating_mul(1 << looks.min(8)).min(LAST_LOOK)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns `true` if that worker was taken off the list, and puts all back as it was.
    fn was_told(idle: &Idle, index: usize) -> bool {
        let notified = !idle.withdraw(index);
        idle.end_search();
        notified
    }

    #[test]
    fn first_sleeper_while_another_works_then_it_is_the_watchman_and_looks() {
        let idle = Idle::new(2);
        idle.enlist(0, false);
        idle.notify_unless_watched();
        assert!(matches!(idle.sleep(0, 0), Unparked::ToLook));
        assert!(!was_told(&idle, 0));
    }

    #[test]
    fn watchman_is_taken_off_the_list_then_nobody_watches() {
        let idle = Idle::new(3);
        idle.enlist(0, false);
        idle.notify();
        assert!(matches!(idle.sleep(0, 0), Unparked::ByToken));
        idle.end_search();
        assert!(!idle.watched.load(Ordering::Relaxed));
    }

    #[test]
    fn all_sleep_then_nobody_watches() {
        let idle = Idle::new(2);
        idle.enlist(0, false);
        idle.enlist(1, false);
        assert!(!idle.is_on_duty(0) && !idle.is_on_duty(1));
        idle.notify_unless_watched();
        assert!(was_told(&idle, 1));
    }

    #[test]
    fn another_sleeps_beside_the_watchman_then_that_one_is_told() {
        let idle = Idle::new(3);
        idle.enlist(0, false);
        idle.enlist(1, false);
        idle.notify();
        assert!(!was_told(&idle, 0));
        assert!(was_told(&idle, 1));
    }

    #[test]
    fn waits_between_looks_are_longer_each_time_and_bounded() {
        let waits: Vec<_> = (0..40).map(wait_before_look).collect();
        assert_eq!(waits[..3], [1, 2, 4].map(Duration::from_millis));
        assert!(waits.iter().all(|wait| (FIRST_LOOK..=LAST_LOOK).contains(wait)));
    }
}
