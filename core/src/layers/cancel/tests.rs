//! The listener, which cannot be reached through the public interface.

use super::{CancelToken, Listener, Rest};
use crate::layers::base::reason::{Level, Reason};
use crate::layers::base::sync::{Arc, GlobalMutex};

type Log = Arc<GlobalMutex<Vec<(&'static str, Level, Reason)>>>;

struct Ear(&'static str, Log);

impl Listener for Ear {
    fn raised(&self, level: Level, reason: &Reason) -> Option<Rest> {
        self.1.lock().push((self.0, level, reason.clone()));
        None
    }
}

fn ear(name: &'static str, log: &Log) -> Arc<dyn Listener> {
    Arc::new(Ear(name, log.clone()))
}

fn names(log: &Log) -> Vec<(&'static str, Level)> {
    log.lock().iter().map(|(name, level, _)| (*name, *level)).collect()
}

#[test]
fn listeners_hear_every_rise_deepest_first() {
    let (log, root) = (Log::default(), CancelToken::new());
    let (top_ear, low_ear) = (ear("top", &log), ear("low", &log));
    let top = root.child_with(Arc::downgrade(&top_ear));
    let low = top.child().child_with(Arc::downgrade(&low_ear));
    root.escalate_to(Level::Draining, Reason::new("drain"));
    assert_eq!(names(&log), [("low", Level::Draining), ("top", Level::Draining)]);
    assert_eq!(log.lock()[0].2.message(), "drain");
    log.lock().clear();
    low.cancel_with(Reason::new("own"));
    top.escalate_to(Level::Aborted, Reason::new("abort"));
    let expected = [("low", Level::Cancelled), ("low", Level::Aborted), ("top", Level::Aborted)];
    assert_eq!(names(&log), expected);
    let texts: Vec<_> = log.lock().iter().map(|heard| heard.2.message().to_string()).collect();
    assert_eq!(texts, ["own", "own", "abort"], "the reason that the node keeps");
}

#[test]
fn listener_hears_nothing_of_the_level_it_was_born_with() {
    let (log, root) = (Log::default(), CancelToken::new());
    root.cancel();
    let ear = ear("late", &log);
    let child = root.child_with(Arc::downgrade(&ear));
    assert_eq!((child.level(), names(&log).len()), (Level::Cancelled, 0));
    root.escalate_to(Level::Aborted, Reason::new(""));
    assert_eq!(names(&log), [("late", Level::Aborted)]);
}

#[test]
fn listener_that_is_gone_or_panics_harms_nobody() {
    struct Bad;
    impl Listener for Bad {
        fn raised(&self, _: Level, _: &Reason) -> Option<Rest> {
            panic!("a listener's");
        }
    }
    let (log, root) = (Log::default(), CancelToken::new());
    let bad: Arc<dyn Listener> = Arc::new(Bad);
    let good = ear("good", &log);
    let gone = ear("gone", &log);
    let _tokens = [&bad, &good, &gone].map(|listener| root.child_with(Arc::downgrade(listener)));
    drop(gone);
    assert!(root.cancel());
    assert_eq!(names(&log), [("good", Level::Cancelled)]);
}

#[test]
fn listener_is_first_and_last_with_callbacks_between() {
    struct Twice(Log);
    impl Listener for Twice {
        fn raised(&self, level: Level, reason: &Reason) -> Option<Rest> {
            let (log, reason) = (self.0.clone(), reason.clone());
            log.lock().push(("first", level, reason.clone()));
            Some(Box::new(move || log.lock().push(("last", level, reason))))
        }
    }
    let (log, root) = (Log::default(), CancelToken::new());
    let twice: Arc<dyn Listener> = Arc::new(Twice(log.clone()));
    let child = root.child_with(Arc::downgrade(&twice));
    for token in [&root, &child] {
        let log = log.clone();
        let note = move |reason: &Reason| {
            log.lock().push(("callback", Level::Cancelled, reason.clone()));
        };
        token.on_cancel(note).keep();
    }
    root.cancel();
    let order = names(&log).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(order, ["first", "callback", "callback", "last"]);
}
