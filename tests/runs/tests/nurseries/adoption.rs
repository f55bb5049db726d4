//! What becomes of children whose nursery's future is dropped before its end.
//!
//! The executor has one thread by its own account, so children are polled in the order of their
//! spawning: a child that is held in its poll is spawned last.

use allhome::error::PanicPolicy;
use allhome::task::{Opener, TaskState, Tree, orphans};
use allhome::{GroupError, Nursery, Policy, nursery};
use allhome_conformance::{Counts, DropPanics, Gate};
use allhome_runs::{Hold, Stepped, Wakes, poll_once, within};
use futures_util::future::select;
use std::convert::Infallible;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::thread::{self, JoinHandle};

const WAITING: usize = 3;

/// How the child that is held in its poll is to leave it.
#[derive(Clone, Copy, PartialEq)]
enum Leaves {
    Waiting,
    Panicking,
    PanickingInDrop,
}

/// A nursery tree with a child that can be held in its poll.
#[derive(Clone, Default)]
struct Scene {
    waiting: Counts,
    busy: Counts,
    hold: Hold,
    cut: Gate,
    went_on: Counts,
}

impl Scene {
    /// Spawns children that wait, and at the end one that is held in its first poll.
    fn fill(&self, n: &Nursery<Infallible>, leaves: Leaves) {
        for _ in 0..WAITING {
            n.task("waiting").spawn(self.waiting.parked().child());
        }
        let last = (leaves == Leaves::PanickingInDrop).then(|| DropPanics("in the destructor"));
        n.task("busy").spawn(self.hold.child(&self.busy, move |_| {
            let _inside = &last;
            assert!(leaves != Leaves::Panicking, "at the end of its poll");
            Poll::Pending
        }));
    }

    /// Opens the nursery `inner`, and drops its future when the scene is cut.
    async fn cut_off(self, leaves: Leaves) -> Result<(), Infallible> {
        let inner = nursery().name("inner").run(async |n: Nursery<Infallible>| {
            self.fill(&n, leaves);
            pending::<Result<(), _>>().await
        });
        select(Box::pin(inner), pin!(self.cut.wait())).await;
        self.went_on.polled();
        Ok(())
    }

    /// As [`cut_off`](Scene::cut_off), with the nursery `middle` round the nursery `inner`, which
    /// its body opens, or else a child.
    async fn cut_off_deep(self, in_body: bool) -> Result<(), Infallible> {
        let scene = self.clone();
        let inner = async move {
            let n = nursery().name("inner");
            let run = n.run(async |n: Nursery<Infallible>| {
                scene.fill(&n, Leaves::Waiting);
                pending::<Result<(), _>>().await
            });
            run.await.map_err(|_| unreachable!("it never ends by itself"))
        };
        let middle = nursery().name("middle").run(async |n: Nursery<Infallible>| {
            if in_body {
                inner.await
            } else {
                n.task("opener").spawn(inner);
                pending().await
            }
        });
        select(Box::pin(middle), pin!(self.cut.wait())).await;
        self.went_on.polled();
        Ok(())
    }

    /// Steps on another thread until the last child is in its poll, and the waiting ones before it.
    fn hold_the_last(&self, stepped: &Stepped) -> JoinHandle<()> {
        let (stepped, busy) = (stepped.clone(), self.busy.clone());
        let thread = thread::spawn(move || {
            while busy.polls() == 0 {
                assert!(stepped.step());
            }
        });
        self.hold.wait_entered();
        assert_eq!(self.waiting.polls(), WAITING);
        thread
    }

    fn counts(&self) -> [(usize, usize); 2] {
        [&self.waiting, &self.busy].map(|counts| (counts.polls(), counts.drops()))
    }
}

type Root = Pin<Box<dyn Future<Output = Result<(), GroupError<Infallible>>> + Send>>;

/// Opens the nursery `outer`, whose one child is the task, and returns its handle too.
fn outer<F>(stepped: &Stepped, panics: PanicPolicy, task: F) -> (Root, Nursery<Infallible>)
where
    F: Future<Output = Result<(), Infallible>> + Send + 'static,
{
    let kept = Arc::new(Mutex::new(None));
    let keep = kept.clone();
    let builder = nursery().on(stepped.runtime()).name("outer").panics(panics);
    let mut root: Root = Box::pin(builder.run(async move |n: Nursery<Infallible>| {
        *keep.lock().unwrap() = Some(n.clone());
        n.task("task").spawn(task);
        Ok(())
    }));
    assert!(poll_once(&mut root, &Wakes::new()).is_pending());
    let n = kept.lock().unwrap().take().unwrap();
    (root, n)
}

fn picture(tree: &Tree) -> Vec<(&str, bool, Vec<&str>)> {
    let nurseries = tree.nurseries().iter();
    nurseries
        .map(|nursery| {
            let tasks = nursery.tasks.iter().map(|task| task.name.as_deref().unwrap());
            (nursery.name.as_deref().unwrap(), nursery.adopted, tasks.collect())
        })
        .collect()
}

#[test]
fn o05_child_being_polled_is_adopted() {
    within(|| {
        let (stepped, scene, wakes) = (Stepped::new(1), Scene::default(), Wakes::new());
        let task = scene.clone().cut_off(Leaves::Waiting);
        let (mut root, n) = outer(&stepped, PanicPolicy::Resume, task);
        let thread = scene.hold_the_last(&stepped);
        scene.cut.open();
        stepped.run_until_stalled();
        assert_eq!(scene.went_on.polls(), 1, "the drop waited for no child");
        assert_eq!(scene.counts(), [(WAITING, WAITING), (0, 0)]);
        let tree = n.tree();
        assert_eq!(picture(&tree), [("outer", false, vec![]), ("inner", true, vec!["busy"])]);
        assert_eq!(tree.nurseries()[1].tasks[0].state, TaskState::Running);
        assert_eq!(tree.nurseries()[1].opened_by, Opener::Outside, "the opener has ended");
        assert!(poll_once(&mut root, &wakes).is_pending(), "a child is out");
        assert_eq!(wakes.count(), 0);
        scene.hold.release();
        thread.join().unwrap();
        assert_eq!(wakes.count(), 1);
        assert_eq!(scene.counts(), [(WAITING, WAITING), (1, 1)], "and it was not polled again");
        assert!(matches!(poll_once(&mut root, &wakes), Poll::Ready(Ok(()))));
        stepped.run_until_stalled();
        assert_eq!(stepped.tasks(), 0);
    });
}

#[test]
fn o05_adopted_over_two_levels() {
    for in_body in [true, false] {
        within(move || {
            let (stepped, scene, wakes) = (Stepped::new(1), Scene::default(), Wakes::new());
            let task = scene.clone().cut_off_deep(in_body);
            let (mut root, n) = outer(&stepped, PanicPolicy::Resume, task);
            let thread = scene.hold_the_last(&stepped);
            scene.cut.open();
            stepped.run_until_stalled();
            assert_eq!(scene.went_on.polls(), 1, "the drop waited for no child");
            assert_eq!(scene.counts(), [(WAITING, WAITING), (0, 0)]);
            let left =
                [("outer", false, vec![]), ("middle", true, vec![]), ("inner", true, vec!["busy"])];
            assert_eq!(picture(&n.tree()), left);
            assert!(poll_once(&mut root, &wakes).is_pending(), "a grandchild is out");
            scene.hold.release();
            thread.join().unwrap();
            assert_eq!(scene.counts(), [(WAITING, WAITING), (1, 1)]);
            assert_eq!((wakes.count(), n.tree().nurseries().len()), (1, 1));
            assert!(matches!(poll_once(&mut root, &wakes), Poll::Ready(Ok(()))));
            stepped.run_until_stalled();
            assert_eq!(stepped.tasks(), 0);
        });
    }
}

/// A body that was cancelled is held by a nursery that it has dropped, until that one has closed;
/// not until its siblings, here one more child in its poll, are home.
#[test]
fn c02_held_body_is_cut_when_its_nursery_closes() {
    within(|| {
        let (stepped, scene, body) = (Stepped::new(1), Scene::default(), Counts::new());
        let (hold, sibling) = (Hold::new(), Counts::new());
        let (wakes, kept) = (Wakes::new(), Arc::new(Mutex::new(None)));
        let (inner, keep, guard) = (scene.clone(), kept.clone(), body.guard());
        let child = hold.child(&sibling, |_| Poll::Pending);
        let builder = nursery().on(stepped.runtime());
        let mut root = Box::pin(builder.run(async move |n: Nursery<Infallible>| {
            let _guard = guard;
            n.spawn(child);
            *keep.lock().unwrap() = Some(n);
            inner.cut_off(Leaves::Waiting).await?;
            pending::<Result<(), _>>().await
        }));
        assert!(poll_once(&mut root, &wakes).is_pending());
        let n = kept.lock().unwrap().take().unwrap();
        let sibling_thread = stepped.step_on_a_thread();
        hold.wait_entered();
        let thread = scene.hold_the_last(&stepped);
        scene.cut.open();
        assert!(poll_once(&mut root, &wakes).is_pending());
        n.cancel();
        assert!(poll_once(&mut root, &wakes).is_pending());
        assert_eq!((scene.busy.drops(), body.drops()), (0, 0), "held");
        let before = wakes.count();
        scene.hold.release();
        thread.join().unwrap();
        assert_eq!((scene.busy.drops(), wakes.count() - before), (1, 1));
        assert!(poll_once(&mut root, &wakes).is_pending());
        assert_eq!((sibling.drops(), body.drops()), (0, 1));
        hold.release();
        sibling_thread.join().unwrap();
        assert!(poll_once(&mut root, &wakes).is_ready());
        stepped.shutdown();
    });
}

/// Alone in its file with orphans: their list is the process's.
#[test]
fn o06_dropped_root_lists_orphans() {
    within(|| {
        assert!(orphans().is_empty());
        let (stepped, scene) = (Stepped::new(1), Scene::default());
        let body = scene.clone();
        let mut root = Box::pin(nursery().on(stepped.runtime()).name("root").run(
            async move |n: Nursery<Infallible>| {
                body.fill(&n, Leaves::Waiting);
                pending::<Result<(), _>>().await
            },
        ));
        assert!(poll_once(&mut root, &Wakes::new()).is_pending());
        let thread = scene.hold_the_last(&stepped);
        assert!(orphans().is_empty(), "its root is there");
        drop(root);
        assert_eq!(scene.counts(), [(WAITING, WAITING), (0, 0)]);
        let trees = orphans();
        assert_eq!(trees.len(), 1);
        assert_eq!(picture(&trees[0]), [("root", true, vec!["busy"])]);
        scene.hold.release();
        thread.join().unwrap();
        assert!(orphans().is_empty());
        assert_eq!(scene.counts(), [(WAITING, WAITING), (1, 1)]);
        stepped.run_until_stalled();
        assert_eq!(stepped.tasks(), 0);
    });
}

/// Lets an adopted child leave in this way, and returns what the adopter has to say.
fn adopter_of(leaves: Leaves, panics: PanicPolicy, deep: bool) -> Result<(), String> {
    within(move || {
        let (stepped, scene, wakes) = (Stepped::new(1), Scene::default(), Wakes::new());
        let inner = scene.clone().cut_off(leaves);
        let task = async move {
            if !deep {
                return inner.await;
            }
            // Only its panics go on upwards; it itself is there to take them over.
            let middle =
                nursery().panics(PanicPolicy::Report).run(async |n: Nursery<Infallible>| {
                    n.spawn(inner);
                    Ok(())
                });
            let error = middle.await.expect_err("it has adopted a panic");
            assert_eq!(error.panics().count(), 1);
            Ok(())
        };
        let (mut root, _) = outer(&stepped, panics, task);
        let thread = scene.hold_the_last(&stepped);
        scene.cut.open();
        stepped.run_until_stalled();
        scene.hold.release();
        thread.join().unwrap();
        stepped.run_until_stalled();
        assert_eq!((stepped.tasks(), scene.busy.drops()), (0, 1));
        let polled = catch_unwind(AssertUnwindSafe(|| poll_once(&mut root, &wakes)));
        match polled {
            Ok(Poll::Ready(result)) => result.map_err(|error| error.to_string()),
            Ok(Poll::Pending) => Err("it is not ready".to_string()),
            Err(payload) => Err(payload.downcast_ref::<&str>().unwrap().to_string()),
        }
    })
}

#[test]
fn o18_panic_of_an_adopted_child_reaches_the_adopter() {
    let report = |leaves| adopter_of(leaves, PanicPolicy::Report, false).unwrap_err();
    assert_eq!(
        report(Leaves::Panicking),
        "nursery `outer`: task `busy` panicked: at the end of its poll"
    );
    assert_eq!(
        report(Leaves::PanickingInDrop),
        "nursery `outer`: task `busy` panicked: in the destructor"
    );
    let resumed = adopter_of(Leaves::Panicking, PanicPolicy::Resume, false);
    assert_eq!(resumed.unwrap_err(), "at the end of its poll");
    assert_eq!(adopter_of(Leaves::Waiting, PanicPolicy::Report, false), Ok(()));
    assert_eq!(adopter_of(Leaves::Panicking, PanicPolicy::Report, true), Ok(()), "the nearest has");
}

#[test]
fn o19_drop_of_run_in_every_phase() {
    for polls in 0..=4 {
        let (stepped, wakes) = (Stepped::new(1), Wakes::new());
        let (body, child, end) = (Counts::new(), Counts::new(), Gate::new());
        let (call, gate) = (body.guard(), end.clone());
        let (in_body, in_child) = (body.clone(), child.clone());
        let builder = nursery().on(stepped.runtime()).policy(Policy::WaitAll);
        let mut run = Box::pin(builder.run(async move |n: Nursery<Infallible>| {
            let _call = call;
            n.spawn(in_child.parked().child());
            in_body.polled();
            gate.wait().await;
            n.spawn(in_child.parked().child());
            Ok(in_body.guard())
        }));
        // Unpolled; its child queued; its child waiting; joining; joining, and all waiting.
        for poll in 1..=polls {
            assert!(poll_once(&mut run, &wakes).is_pending());
            if poll == 2 {
                end.open();
            } else {
                stepped.run_until_stalled();
            }
        }
        let before = (body.drops(), child.polls());
        drop(run);
        assert_eq!(child.polls(), before.1, "in phase {polls}: a drop polls no child");
        let spawned = [0, 1, 1, 2, 2][polls];
        assert_eq!(child.drops(), spawned, "in phase {polls}");
        assert_eq!(body.drops(), if polls < 3 { 1 } else { 2 }, "in phase {polls}");
        stepped.run_until_stalled();
        assert_eq!((stepped.tasks(), child.polls()), (0, before.1), "in phase {polls}");
    }
}

#[test]
fn o19_drop_of_run_that_is_ready() {
    let (stepped, wakes, value) = (Stepped::new(1), Wakes::new(), Counts::new());
    let mut run = Box::pin(nursery().on(stepped.runtime()).run(async |n: Nursery<Infallible>| {
        n.spawn(async { Ok(()) });
        Ok(value.guard())
    }));
    assert!(poll_once(&mut run, &wakes).is_pending());
    stepped.run_until_stalled();
    let Poll::Ready(result) = poll_once(&mut run, &wakes) else { panic!("all are home") };
    drop(run);
    assert_eq!((stepped.tasks(), value.drops()), (0, 0), "the value is the caller's");
    drop(result);
    assert_eq!(value.drops(), 1);
}
