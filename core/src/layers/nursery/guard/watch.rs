//! The thread that looks at the nurseries that are guarded.

use super::is_closed;
use crate::layers::base::counted::Weak;
use crate::layers::base::deadlock::Deadlock;
use crate::layers::base::guarded::{Foreign, GlobalGuarded};
use crate::layers::base::panic;
use crate::layers::base::sync::ThreadBuilder;
#[cfg(not(any(loom, target_family = "wasm")))]
use crate::layers::base::sync::park_timeout_thread;
use crate::layers::base::tick::present;
use crate::layers::group::Group;
use crate::layers::nursery::tree::rings::Waiter;
use crate::layers::nursery::tree::{NextPoll, Tree};
use allhome_rt::Instant;
use std::time::Duration;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// A look may cost so much of the time until the next one.
const SHARE: u32 = 100;

/// What the thread has not seen yet, and whether it is there.
struct Inbox {
    new: Vec<Weak<Group>>,
    runs: bool,
}

static INBOX: GlobalGuarded<Inbox> = GlobalGuarded::new(Inbox { new: Vec::new(), runs: false });

/// Has the thread look at it until it has ended.
pub(super) fn add(group: Weak<Group>) {
    let starts = INBOX.locked(|inbox| {
        inbox.new.push(group);
        !std::mem::replace(&mut inbox.runs, true)
    });
    if starts {
        let started = ThreadBuilder::new().name("allhome-guard".into()).spawn(run);
        if started.is_err() {
            // There is no guard, then: the next nursery tries again.
            drop(INBOX.locked(|inbox| {
                inbox.runs = false;
                std::mem::take(&mut inbox.new)
            }));
        }
    }
}

/// A nursery that is looked at.
struct Watched {
    group: Weak<Group>,
    next: Instant,
    /// Those that are stuck, with their polls, and since when that has been so.
    stuck: Option<(Vec<(Waiter, u32)>, Instant)>,
    judged: Option<(Deadlock, Instant)>,
}

fn run() {
    let mut watched: Vec<Watched> = Vec::new();
    loop {
        let (new, ends) = INBOX.locked(|inbox| {
            let new = std::mem::take(&mut inbox.new);
            inbox.runs = !(new.is_empty() && watched.is_empty());
            (new, !inbox.runs)
        });
        if ends {
            return;
        }
        let begin = present();
        watched.extend(new.into_iter().map(|group| Watched {
            group,
            next: begin + PAUSE,
            stuck: None,
            judged: None,
        }));
        watched.retain_mut(|one| {
            // What is the user's in a look may panic.
            let looked = panic::catch(|| one.look(begin));
            looked.unwrap_or_else(|payload| {
                panic::discard(payload);
                false
            })
        });
        #[cfg(not(any(loom, target_family = "wasm")))]
        park_timeout_thread(PAUSE);
    }
}

impl Watched {
    /// Returns whether it is looked at again.
    fn look(&mut self, now: Instant) -> bool {
        if is_closed(&self.group) {
            return false;
        }
        if let Some((verdict, at)) = &self.judged {
            let Some(patience) = self.group.patience() else { return false };
            if now < *at + patience {
                return true;
            }
            // What was to poll the nursery's future does not: it cannot be told there.
            eprintln!("allhome: a nursery is not polled, and could not end if it were: {verdict}");
            return false;
        }
        if now < self.next {
            return true;
        }
        let begin = present();
        let tree = Tree::of(&self.group);
        match Verdict::of(&tree) {
            Verdict::None => self.stuck = None,
            Verdict::Certain => self.judge(&tree),
            Verdict::AsItSeems(stuck) => match &self.stuck {
                Some((before, since)) if *before == stuck => {
                    let patience = self.group.patience().unwrap_or_default();
                    if begin.saturating_duration_since(*since) >= patience {
                        self.judge(&tree);
                    }
                }
                _ => self.stuck = Some((stuck, begin)),
            },
        }
        let took = present().saturating_duration_since(begin);
        self.next = begin + PAUSE.max(took.saturating_mul(SHARE));
        true
    }

    fn judge(&mut self, tree: &Tree) {
        let tasks: Vec<_> = tree.stuck().iter().filter_map(|waiter| waiter.task()).collect();
        let waiting = match (tree.root().body.is_some(), tasks.len()) {
            (true, 0) => "the body waits".to_string(),
            (true, 1) => "the body and 1 task wait".to_string(),
            (true, count) => format!("the body and {count} tasks wait"),
            (false, 1) => "1 task waits".to_string(),
            (false, count) => format!("{count} tasks wait"),
        };
        let text = format!("deadlock: {waiting}, and nothing is left to wake any:\n{tree}");
        let verdict = Deadlock::new(tasks, text.trim_end().to_string());
        self.judged = Some((verdict.clone(), present()));
        let waker = self.group.judge(verdict);
        waker.into_iter().for_each(Foreign::wake);
    }
}

enum Verdict {
    None,
    Certain,
    AsItSeems(Vec<(Waiter, u32)>),
}

impl Verdict {
    /// The table of the [guard](super).
    fn of(tree: &Tree) -> Verdict {
        let root = tree.root();
        let waiters = tree.tasks() + usize::from(root.body.is_some());
        let stuck = tree.stuck();
        let no_way_out = root.reason.is_none() && !root.is_timed();
        if waiters == 0 || stuck.len() != waiters || !no_way_out {
            return Verdict::None;
        }
        let tasks = || tree.nurseries().iter().flat_map(|nursery| &nursery.tasks);
        let dead = |next| matches!(next, NextPoll::Dead | NextPoll::OnlyByCancel);
        let body_is_dead = root.body.is_none() || tree.dead().contains(&Waiter::Body(root.id));
        let held = tree.nurseries().iter().any(|nursery| nursery.is_held())
            || tasks().any(|task| task.is_held());
        if body_is_dead && !held && tasks().all(|task| dead(task.next_poll)) {
            return Verdict::Certain;
        }
        let mut polls: Vec<_> = tasks().map(|task| (Waiter::Task(task.id), task.polls)).collect();
        polls.extend(root.body.as_ref().map(|body| (Waiter::Body(root.id), body.turn())));
        Verdict::AsItSeems(polls)
    }
}
