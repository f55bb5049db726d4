//! What becomes of children that their runtime throws away.

use allhome::cancel::ReasonKind;
use allhome::error::Cause;
use allhome::runtime::{IntoRuntime, Runtime, ThreadPool};
use allhome::{Child, GroupError, JoinError, Nursery, Policy, Tokio, block_on, nursery};
use allhome_conformance::{Counts, Gate, eventually};
use allhome_runs::{AtSpawn, Manner, Opened, Stepped, within};
use std::convert::Infallible;
use std::future::pending;
use std::task::Poll;
use std::thread;

fn is_lost<T: std::fmt::Debug>(mut child: Child<T, Infallible>) -> bool {
    let joined: Result<T, JoinError<Infallible>> = child.try_join().expect("it has ended");
    joined.expect_err("it gave no value").is_lost()
}

/// Returns how many failures there were, all of them losses.
fn losses<R>(result: Result<R, GroupError<Infallible>>) -> usize {
    let Err(error) = result else { panic!("no child was lost") };
    assert!(error.failures().all(|failure| matches!(failure.cause(), Cause::Lost)), "{error:?}");
    error.failures().len() + error.omitted_count()
}

#[test]
fn e05_lost_when_the_runtime_drops_the_task() {
    for polled in [false, true] {
        let (stepped, gate) = (Stepped::new(1), Gate::new());
        let mut opened = Opened::new(nursery().on(stepped.runtime()));
        let (lost, sibling) = (Counts::new(), Counts::new());
        let (guard, count, wait) = (lost.guard(), lost.clone(), gate.clone());
        let child = opened.n.task("one").fork(async move {
            count.polled();
            wait.wait().await;
            Ok(guard)
        });
        if polled {
            stepped.run_until_stalled();
            opened.n.spawn(sibling.parked().child());
            stepped.run_until_stalled();
            gate.open();
        }
        stepped.take().expect("its task is scheduled").discard();
        assert_eq!((lost.polls(), lost.drops()), (usize::from(polled), 1));
        assert!(is_lost(child));
        assert_eq!(sibling.drops(), usize::from(polled), "they shared the task");
        let Poll::Ready(Err(error)) = opened.poll() else { panic!("it has not ended") };
        assert!(matches!(error.first().cause(), Cause::Lost));
        assert_eq!(error.first().name(), Some("one"));
        assert_eq!((error.failures().len(), error.cancelled_count()), (1 + usize::from(polled), 0));
        stepped.run_until_stalled();
        assert_eq!(stepped.tasks(), 0);
    }
}

/// A child that is woken often and alone has the carrier for its own. Those that wait beside it have
/// another, by which they hear of the runtime's end.
#[test]
fn e11_children_beside_one_that_has_a_task_of_its_own() {
    for threads in [1, 4] {
        let stepped = Stepped::new(threads);
        let builder = nursery().on(stepped.runtime()).policy(Policy::WaitAll);
        let mut opened = Opened::new(builder);
        let gates: Vec<_> = (0..40).map(|_| Gate::new()).collect();
        let waits = gates.clone();
        let often = opened.n.fork(async move {
            for gate in waits {
                gate.wait().await;
            }
            pending::<Result<(), _>>().await
        });
        let beside = opened.n.fork(pending::<Result<(), _>>());
        stepped.run_until_stalled();
        for gate in gates {
            gate.open();
            stepped.run_until_stalled();
        }
        opened.end.open();
        assert!(opened.poll().is_pending());
        stepped.shutdown();
        assert!(is_lost(often));
        assert!(is_lost(beside));
        let Poll::Ready(ended) = opened.poll() else { panic!("it waits for a child that is lost") };
        assert_eq!(losses(ended), 2);
    }
}

#[test]
fn e05_loss_is_the_reason_of_the_cancel() {
    let (stepped, sibling) = (Stepped::new(1), Counts::new());
    let mut opened = Opened::new(nursery().on(stepped.runtime()));
    opened.n.spawn(sibling.parked().child());
    stepped.run_until_stalled();
    let child = opened.n.fork(async { Ok(()) });
    stepped.take().expect("its task is scheduled").discard();
    let reason = opened.n.reason().unwrap();
    assert_eq!((reason.kind(), reason.by()), (ReasonKind::ChildFailed, child.id()));
    assert_eq!((sibling.polls(), sibling.drops()), (1, 1), "they shared the task");
    stepped.run_until_stalled();
    assert!(matches!(opened.poll(), Poll::Ready(Err(_))));
}

const EACH: usize = 3;

/// Children that are done soon, and others that wait for ever.
struct Scene {
    done: Vec<Child<usize, Infallible>>,
    waiting: Vec<Child<(), Infallible>>,
    counts: Counts,
}

impl Scene {
    fn new(n: &Nursery<Infallible>) -> Scene {
        let counts = Counts::new();
        let done = (0..EACH).map(|i| n.fork(async move { Ok(i) })).collect();
        let waiting = (0..EACH).map(|_| n.fork(counts.parked().child())).collect();
        Scene { done, waiting, counts }
    }

    fn is_there(&self) -> bool {
        self.counts.polls() == EACH && self.done.iter().all(Child::is_ended)
    }

    fn check(self) {
        for (i, mut child) in self.done.into_iter().enumerate() {
            assert_eq!(child.try_join().unwrap().unwrap(), i);
        }
        assert!(self.waiting.into_iter().all(is_lost));
        assert_eq!((self.counts.polls(), self.counts.drops()), (EACH, EACH));
    }
}

#[test]
fn e11_runtime_shut_down_half_way() {
    let stepped = Stepped::new(1);
    let builder = nursery().on(stepped.runtime()).policy(Policy::WaitAll);
    let mut opened = Opened::new(builder);
    let scene = Scene::new(&opened.n);
    stepped.run_until_stalled();
    assert!(scene.is_there());
    let unpolled = Counts::new();
    let queued: Vec<_> = (0..EACH).map(|_| opened.n.fork(unpolled.parked().child())).collect();
    stepped.shutdown();
    assert!(queued.into_iter().all(is_lost));
    assert_eq!((unpolled.polls(), unpolled.drops()), (0, EACH));
    scene.check();
    let Poll::Ready(result) = opened.finish() else { panic!("no child is left") };
    assert_eq!(losses(result), 2 * EACH);
    assert_eq!(stepped.tasks(), 0);
}

#[test]
fn e11_with_fail_fast() {
    let stepped = Stepped::new(1);
    let mut opened = Opened::new(nursery().on(stepped.runtime()));
    let scene = Scene::new(&opened.n);
    stepped.run_until_stalled();
    let unpolled = Counts::new();
    opened.n.spawn(unpolled.parked().child());
    stepped.shutdown();
    assert_eq!((unpolled.polls(), unpolled.drops()), (0, 1));
    scene.check();
    let Poll::Ready(Err(error)) = opened.poll() else { panic!("no child is left") };
    assert!(matches!(error.first().cause(), Cause::Lost));
    assert_eq!(error.failures().len() + error.cancelled_count(), EACH + 1);
}

/// Runs the same on a real runtime: gives it turns until all is as it should be, and drops it while
/// the nursery is polled on another thread.
fn drop_early<H>(host: H, runtime: &Runtime, turns: impl Fn(&H, &Scene), drop: impl Fn(H)) {
    let builder = nursery().on(runtime).policy(Policy::WaitAll);
    let Opened { run, n, end, .. } = Opened::new(builder);
    let scene = Scene::new(&n);
    let joiner = thread::spawn(move || block_on(run));
    turns(&host, &scene);
    let last = Counts::new();
    let child = n.fork(last.parked().child());
    drop(host);
    assert!(is_lost(child), "it was queued, or waiting");
    scene.check();
    assert_eq!((last.drops(), n.len()), (1, 0));
    end.open();
    assert_eq!(losses(joiner.join().unwrap()), EACH + 1);
}

#[test]
fn e11_on_real_runtimes() {
    within(|| {
        let current = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let runtime = Tokio::on(current.handle()).into_runtime().unwrap();
        let turns = |host: &tokio::runtime::Runtime, scene: &Scene| {
            host.block_on(async {
                while !scene.is_there() {
                    tokio::task::yield_now().await;
                }
            });
        };
        drop_early(current, &runtime, turns, drop);

        let multi = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        let runtime = Tokio::on(multi.handle()).into_runtime().unwrap();
        drop_early(multi, &runtime, turns, drop);

        let pool = ThreadPool::new(2).unwrap();
        let runtime = (&pool).into_runtime().unwrap();
        let turns = |_: &ThreadPool, scene: &Scene| block_on(eventually(|| scene.is_there()));
        drop_early(pool, &runtime, turns, |pool| pool.shutdown());
    });
}

/// Opens a nursery whose children get no turn, or just one each, and returns how many were lost.
fn lose_all(stepped: &Stepped, counts: &Counts) -> usize {
    let run = nursery().on(stepped.runtime()).policy(Policy::WaitAll).run(
        async |n: Nursery<Infallible>| {
            for _ in 0..EACH {
                n.spawn(counts.parked().child());
                let error = n.fork(counts.parked().child()).await.unwrap_err();
                assert!(error.is_lost());
            }
            let inner = nursery().run(async |inner: Nursery<Infallible>| {
                inner.spawn(counts.parked().child());
                pending::<Result<(), _>>().await
            });
            assert_eq!(losses(inner.await), 1);
            Ok(())
        },
    );
    let lost = losses(stepped.drive(run));
    stepped.run_until_stalled();
    assert_eq!((stepped.tasks(), counts.drops()), (0, 2 * EACH + 1));
    lost
}

#[test]
fn e12_runtime_that_drops_every_task() {
    for threads in [1, 4] {
        let counts = Counts::new();
        let manner = Manner { at_spawn: AtSpawn::Drop, ..Manner::default() };
        assert_eq!(lose_all(&Stepped::with(threads, manner), &counts), 2 * EACH);
        assert_eq!(counts.polls(), 0);
    }
}

#[test]
fn e12_runtime_that_drops_every_task_after_one_poll() {
    for threads in [1, 4] {
        let counts = Counts::new();
        let manner = Manner { one_poll_each: true, ..Manner::default() };
        assert_eq!(lose_all(&Stepped::with(threads, manner), &counts), 2 * EACH);
        assert_eq!(counts.polls(), 2 * EACH + 1);
    }
}

#[test]
fn e12_runtime_that_drops_tasks_between_children() {
    const MANY: usize = 100;
    let stepped = Stepped::new(1);
    let builder = nursery().on(stepped.runtime()).policy(Policy::WaitAll);
    let mut opened = Opened::new(builder);
    let children: Vec<_> = (0..MANY).map(|i| opened.n.fork(async move { Ok(i) })).collect();
    assert!(stepped.step());
    let done = children.iter().filter(|child| child.is_ended()).count();
    assert!((1..MANY).contains(&done), "the others have been given a turn");
    while let Some(task) = stepped.take() {
        task.discard();
    }
    let lost = children.into_iter().filter_map(|mut child| child.try_join().unwrap().err());
    assert_eq!(lost.map(|error| assert!(error.is_lost())).count(), MANY - done);
    let Poll::Ready(result) = opened.finish() else { panic!("no child is left") };
    assert_eq!((losses(result), stepped.tasks()), (MANY - done, 0));
}

fn spawn_on_the_dead(runtime: &Runtime) {
    let counts = Counts::new();
    let run = nursery().on(runtime).run(async |n: Nursery<Infallible>| {
        let child = n.fork(counts.parked().child());
        assert!(child.await.unwrap_err().is_lost());
        assert_eq!((counts.polls(), counts.drops()), (0, 1));
        pending::<Result<(), _>>().await
    });
    assert_eq!(losses(block_on(run)), 1);
}

#[test]
fn e14_spawn_after_the_runtime_is_gone() {
    within(|| {
        let stepped = Stepped::new(1);
        stepped.shutdown();
        spawn_on_the_dead(&stepped.runtime());

        let current = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let runtime = Tokio::on(current.handle()).into_runtime().unwrap();
        drop(current);
        spawn_on_the_dead(&runtime);

        let multi = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let runtime = Tokio::on(multi.handle()).into_runtime().unwrap();
        drop(multi);
        spawn_on_the_dead(&runtime);

        let pool = ThreadPool::new(1).unwrap();
        let runtime = (&pool).into_runtime().unwrap();
        pool.shutdown();
        spawn_on_the_dead(&runtime);
    });
}
