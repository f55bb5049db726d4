//! `growth SITUATION N`: brings about a situation with N nurseries, children or waits, and then
//! does in [`measured`] what must not cost more for each of them when there are more. `growth
//! --list` prints the situations. For callgrind, which counts what happens in `measured`; see
//! `growth.sh`.

use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use allhome::shutdown::Shutdown;
use allhome::{
    Builder, CancelToken, Child, GroupError, Nursery, Policy, Semaphore, nursery, shield,
};
use allhome_benches::stepped::Stepped;

/// What is given up, ended or closed first: the newest or the oldest.
#[derive(Clone, Copy)]
enum Order {
    Newest,
    Oldest,
}

use Order::{Newest, Oldest};

impl Order {
    fn sort<T>(self, mut items: Vec<T>) -> Vec<T> {
        if let Newest = self {
            items.reverse();
        }
        items
    }
}

type Situation = (&'static str, fn(usize));

const SITUATIONS: &[Situation] = &[
    ("nested-closed/newest-first", |n| nested(n, Newest)),
    ("nested-closed/oldest-first", |n| nested(n, Oldest)),
    ("child-aborted/newest-first", |n| aborts(n, Newest)),
    ("child-aborted/oldest-first", |n| aborts(n, Oldest)),
    ("child-grace-ends/newest-first", |n| graces(n, Newest)),
    ("child-grace-ends/oldest-first", |n| graces(n, Oldest)),
    ("abort-past-shields/parked", |n| abort_past_shields(n, false)),
    ("abort-past-shields/woken", |n| abort_past_shields(n, true)),
    ("shields-lowered", shields_lowered),
    ("shutdown-given-up/one-at-a-time", shutdowns_in_turn),
    ("shutdown-given-up/newest-first", |n| shutdowns(n, Newest)),
    ("shutdown-given-up/oldest-first", |n| shutdowns(n, Oldest)),
    ("reserve-given-up/newest-first", |n| reserves(n, Newest)),
    ("reserve-given-up/oldest-first", |n| reserves(n, Oldest)),
    ("acquire-given-up/newest-first", |n| acquires(n, Newest)),
    ("acquire-given-up/oldest-first", |n| acquires(n, Oldest)),
    ("token-wait-given-up/newest-first", |n| token_waits(n, Newest)),
    ("token-wait-given-up/oldest-first", |n| token_waits(n, Oldest)),
    ("roots-among-orphans", roots_among_orphans),
    ("orphans-end", orphans_end),
];

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args().skip(1).collect();
    if args == ["--list"] {
        SITUATIONS.iter().for_each(|(name, _)| println!("{name}"));
        return ExitCode::SUCCESS;
    }
    let [name, n] = &args[..] else { return usage() };
    let Ok(n) = n.parse() else { return usage() };
    let Some((_, run)) = SITUATIONS.iter().find(|(known, _)| known == name) else { return usage() };
    run(n);
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!("usage: growth SITUATION N");
    eprintln!("       growth --list");
    ExitCode::from(2)
}

/// Callgrind counts between the call and the return of this function, which it knows by its name.
#[inline(never)]
fn measured(what: &mut dyn FnMut()) {
    what();
}

/// A nursery's future.
type Run = Pin<Box<dyn Future<Output = Result<(), GroupError<Infallible>>> + Send>>;

/// Opens a nursery whose body waits until the nursery is ended.
fn open(builder: Builder) -> (Run, Nursery<Infallible>) {
    let handle = Arc::new(OnceLock::new());
    let kept = handle.clone();
    let mut run: Run = Box::pin(builder.run(async move |n: Nursery<Infallible>| {
        kept.get_or_init(|| n);
        pending().await
    }));
    poll_once(&mut run);
    let n = handle.get().expect("the body was called").clone();
    (run, n)
}

/// Polls once, with a waker of its own.
fn poll_once<F: Future + ?Sized>(future: &mut Pin<Box<F>>) {
    struct Own;
    impl Wake for Own {
        fn wake(self: Arc<Self>) {}
    }
    let waker = Waker::from(Arc::new(Own));
    assert!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending(), "it waits");
}

/// Lets futures wait until it is opened.
#[derive(Clone, Default)]
struct Gate {
    open: Arc<AtomicBool>,
    waiting: Arc<Mutex<Vec<Waker>>>,
}

impl Gate {
    async fn pass(self) {
        poll_fn(|cx| {
            if self.open.load(Relaxed) {
                return Poll::Ready(());
            }
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    fn open(&self) {
        self.open.store(true, Relaxed);
        self.wake();
    }

    fn wake(&self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let wakers = std::mem::take(&mut *waiting);
        drop(waiting);
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// Spawns a child in a shield, which waits at the gate.
fn spawn_shielded(n: &Nursery<Infallible>, gate: &Gate) {
    let gate = gate.clone();
    n.spawn(async move {
        // Outside of a nursery a shield fails; here it cannot.
        let _ = shield(Duration::MAX, gate.pass()).await;
        Ok(())
    });
}

/// A body has `n` nurseries open, and closes them.
fn nested(n: usize, order: Order) {
    let mut root: Run = Box::pin(nursery().on(Stepped::new().runtime()).run(async move |_| {
        let gate = Gate::default();
        let inner = || {
            let gate = gate.clone();
            Box::pin(nursery().run(async move |_: Nursery<Infallible>| {
                gate.pass().await;
                Ok(())
            }))
        };
        let mut runs: Vec<_> = (0..n).map(|_| inner()).collect();
        poll_fn(|_| {
            runs.iter_mut().for_each(poll_once);
            Poll::Ready(())
        })
        .await;
        gate.open();
        let mut runs = order.sort(runs);
        poll_fn(|cx| {
            measured(&mut || {
                for run in &mut runs {
                    assert!(run.as_mut().poll(cx).is_ready(), "nothing is left in it");
                }
            });
            Poll::Ready(())
        })
        .await;
        Ok(())
    }));
    assert!(root.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
}

/// Forks `n` children that wait.
fn fork(n: usize, nursery: &Nursery<Infallible>) -> Vec<Child<(), Infallible>> {
    (0..n).map(|_| nursery.fork(pending())).collect()
}

/// `n` children of twice as many are aborted, each on its own.
fn aborts(n: usize, order: Order) {
    let stepped = Stepped::new();
    let (_run, nursery) = open(nursery().on(stepped.runtime()).policy(Policy::WaitAll));
    let _bystanders = fork(n, &nursery);
    let children = order.sort(fork(n, &nursery));
    stepped.settle();
    measured(&mut || {
        for child in &children {
            child.abort();
        }
        stepped.settle();
    });
}

/// `n` children of twice as many were cancelled, each on its own, and their graces end.
fn graces(n: usize, order: Order) {
    const GRACE: Duration = Duration::from_secs(1_000_000);
    let stepped = Stepped::new();
    let builder = nursery().on(stepped.runtime()).policy(Policy::WaitAll).grace(GRACE);
    let (mut run, nursery) = open(builder);
    let _bystanders = fork(n, &nursery);
    let children = order.sort(fork(n, &nursery));
    stepped.settle();
    for child in &children {
        child.cancel();
        stepped.pass(Duration::from_secs(1));
    }
    stepped.settle();
    poll_once(&mut run);
    let before = nursery.tree().tasks();
    measured(&mut || {
        while stepped.tick() {
            poll_once(&mut run);
            stepped.settle();
        }
    });
    assert_eq!(before - nursery.tree().tasks(), n, "their graces are over");
}

/// An abort of `n` children with a shield and `n` without; either all wait, or all were woken.
fn abort_past_shields(n: usize, woken: bool) {
    let (stepped, gate) = (Stepped::new(), Gate::default());
    let (_run, nursery) = open(nursery().on(stepped.runtime()).policy(Policy::WaitAll));
    for _ in 0..n {
        spawn_shielded(&nursery, &gate);
    }
    for _ in 0..n {
        let gate = gate.clone();
        nursery.spawn(async move {
            gate.pass().await;
            Ok(())
        });
    }
    stepped.settle();
    if woken {
        gate.wake();
    }
    measured(&mut || assert!(nursery.abort()));
    // The body's end is seen at the next poll of the future.
    assert!(nursery.tree().tasks() >= n, "the shields hold");
}

/// `n` children have a shield in an aborted nursery, and come to its end.
fn shields_lowered(n: usize) {
    let (stepped, gate) = (Stepped::new(), Gate::default());
    let (_run, nursery) = open(nursery().on(stepped.runtime()).policy(Policy::WaitAll));
    (0..n).for_each(|_| spawn_shielded(&nursery, &gate));
    stepped.settle();
    nursery.abort();
    gate.open();
    measured(&mut || stepped.settle());
}

/// A shutdown of a nursery that has one child, which waits for ever.
fn shutdown(nursery: &Nursery<Infallible>) -> Pin<Box<Shutdown>> {
    let never = Duration::MAX;
    Box::pin(nursery.shutdown().drain(never).cancel(never).abort(never))
}

fn shutdowns_in_turn(n: usize) {
    let (_run, nursery) = open(nursery().on(Stepped::new().runtime()));
    nursery.spawn(pending());
    measured(&mut || (0..n).for_each(|_| poll_once(&mut shutdown(&nursery))));
}

fn shutdowns(n: usize, order: Order) {
    let (_run, nursery) = open(nursery().on(Stepped::new().runtime()));
    nursery.spawn(pending());
    measured(&mut || {
        let mut futures: Vec<_> = (0..n).map(|_| shutdown(&nursery)).collect();
        futures.iter_mut().for_each(poll_once);
        order.sort(futures).into_iter().for_each(drop);
    });
}

/// `n` futures wait in one line and are dropped.
fn given_up<F: Future>(n: usize, order: Order, wait: impl Fn() -> F) {
    measured(&mut || {
        let mut futures: Vec<_> = (0..n).map(|_| Box::pin(wait())).collect();
        futures.iter_mut().for_each(poll_once);
        order.sort(futures).into_iter().for_each(drop);
    });
}

fn reserves(n: usize, order: Order) {
    let (_run, nursery) = open(nursery().on(Stepped::new().runtime()).limit(1));
    let _slot = nursery.try_reserve();
    given_up(n, order, || nursery.reserve());
}

fn acquires(n: usize, order: Order) {
    let semaphore = Semaphore::new(1);
    let _permit = semaphore.try_acquire();
    given_up(n, order, || semaphore.acquire());
}

fn token_waits(n: usize, order: Order) {
    let token = CancelToken::new();
    given_up(n, order, || token.cancelled());
}

/// Leaves `n` orphans: tasks in a shield whose root nurseries were dropped.
fn orphans(n: usize, stepped: &Stepped) -> Gate {
    let gate = Gate::default();
    for _ in 0..n {
        let (run, nursery) = open(nursery().on(stepped.runtime()));
        spawn_shielded(&nursery, &gate);
        stepped.settle();
        drop(run);
    }
    assert_eq!(allhome::task::orphans().len(), n, "the shields hold");
    gate
}

/// `n` root nurseries are opened and end, one after the other, while there are `n` orphans.
fn roots_among_orphans(n: usize) {
    let stepped = Stepped::new();
    let _gate = orphans(n, &stepped);
    let runtime = stepped.runtime();
    measured(&mut || {
        for _ in 0..n {
            let mut run =
                Box::pin(nursery().on(&runtime).run(async |_: Nursery<Infallible>| Ok(())));
            let end = run.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert!(end.is_ready(), "nothing is left in it");
        }
    });
}

fn orphans_end(n: usize) {
    let stepped = Stepped::new();
    let gate = orphans(n, &stepped);
    gate.open();
    measured(&mut || stepped.settle());
    assert!(allhome::task::orphans().is_empty(), "they have ended");
}
