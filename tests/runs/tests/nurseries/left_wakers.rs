//! A future that is dropped while it waits takes its waker with it.

use allhome::cancel::{CancelExt, CancelStreamExt, cancellable};
use allhome::limit::{AcquireBoth, KeyedSemaphore, Rate, RateLimiter};
use allhome::runtime::{IntoRuntime, ThreadPool};
use allhome::shutdown::Shutdown;
use allhome::{
    CancelToken, Nursery, Semaphore, block_on, cancelled, draining, fail_after, join_all,
    move_on_after, nursery, shield, sleep,
};
use allhome_runs::{Opened, SECOND, Stepped, Wakes, poll_once, world};
use futures_util::{FutureExt, StreamExt};
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(3_600);
fn patient(n: &Nursery<Infallible>) -> Shutdown {
    n.shutdown().drain(Duration::MAX).cancel(Duration::MAX).abort(Duration::MAX)
}

/// Wakes no task; its count is the number of wakers.
struct Counted;

impl Wake for Counted {
    fn wake(self: Arc<Self>) {}
}

type Waits = Pin<Box<dyn Future<Output = ()>>>;

/// What the futures wait for. Nothing of it comes, and all of it outlives them.
struct World {
    n: Nursery<Infallible>,
    /// Another nursery, with all its slots taken.
    other: Opened<Infallible>,
    token: CancelToken,
    full: Arc<Semaphore>,
    keyed: KeyedSemaphore<str>,
    slow: RateLimiter,
    inner: RefCell<Option<Nursery<Infallible>>>,
    _kept: Box<dyn Any>,
}

impl World {
    fn new(n: Nursery<Infallible>) -> World {
        let stepped = Stepped::new(1);
        let other = Opened::new(nursery().on(stepped.runtime()).limit(1));
        let slot = other.n.try_reserve().unwrap();
        let full = Arc::new(Semaphore::new(1));
        let keyed = KeyedSemaphore::new(1);
        let timer = ThreadPool::global().into_runtime().unwrap();
        let slow = RateLimiter::new(&timer, Rate::new(1, LONG), 1);
        slow.try_acquire().unwrap();
        let permits = [&full, keyed.semaphore()].map(|full| full.try_acquire_owned().unwrap());
        let (token, inner) = (CancelToken::new(), RefCell::default());
        World {
            n,
            other,
            token,
            full,
            keyed,
            slow,
            inner,
            _kept: Box::new((slot, permits, stepped)),
        }
    }
}

type Case = (&'static str, fn(Rc<World>) -> Waits);

/// Makes a case of a future of the world.
macro_rules! cases {
    ($($name:literal: $world:pat => $future:expr;)*) => {
        &[$(($name, |world: Rc<World>| Box::pin(async move {
            let $world = &*world;
            let _ended = $future.await;
        }))),*]
    };
}

const CASES: &[Case] = cases! {
    "Child": world => world.n.fork(pending::<Result<(), _>>());
    "JoinAll": world => join_all((0..3).map(|_| world.n.fork(pending::<Result<(), _>>())));
    "Value": world => world.n.fork(pending::<Result<(), _>>()).value();
    "Values": world => {
        join_all((0..3).map(|_| world.n.fork(pending::<Result<(), _>>()))).values()
    };
    "Cancelled": world => world.token.cancelled();
    "CancelledOwned": world => world.token.clone().cancelled_owned();
    "Draining": world => world.token.draining();
    "UntilCancelled": world => pending::<()>().until_cancelled(&world.token);
    "UntilCancelledStream": world => {
        Box::pin(futures_util::stream::pending::<()>().until_cancelled(&world.token)).into_future()
    };
    "TaskCancelled": _ => cancelled();
    "TaskDraining": _ => draining();
    "the nursery's token": world => world.n.token().cancelled_owned();
    "Acquire": world => world.full.acquire();
    "AcquireOwned": world => world.full.acquire_owned();
    "Acquire with a key": world => world.keyed.acquire("key");
    "AcquireRate": world => world.slow.acquire();
    "AcquireBoth": world => AcquireBoth::new(world.full.acquire(), world.slow.acquire()).unwrap();
    "Reserve": world => world.other.n.reserve();
    "Shutdown": world => patient(&world.other.n);
    "Shutdown when raised": world => patient(&world.other.n).when_raised();
    "Sleep": _ => sleep(LONG);
    "MoveOnAfter": _ => move_on_after(LONG, pending::<()>());
    "FailAfter": _ => fail_after(LONG, pending::<()>()).named("long");
    "Shield": _ => shield(LONG, pending::<()>());
    "Cancellable": _ => cancellable(pending::<()>());
    "Run": world => nursery().run(async |n: Nursery<Infallible>| {
        *world.inner.borrow_mut() = Some(n);
        pending::<Result<(), _>>().await
    });
};

/// Polls it with one waker, and then with another. Returns how many are left of each when it was
/// dropped.
fn left(mut waits: Waits) -> [usize; 2] {
    let counts = [Arc::new(Counted), Arc::new(Counted)];
    for count in &counts {
        let waker = Waker::from(count.clone());
        assert!(waits.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    drop(waits);
    counts.map(|count| Arc::strong_count(&count) - 1)
}

#[test]
fn x17_what_is_dropped_takes_its_waker_with_it() {
    let run = nursery().on(ThreadPool::global()).run(async |n: Nursery<Infallible>| {
        let world = Rc::new(World::new(n));
        let leaves = CASES.iter().map(|(name, case)| (*name, left(case(world.clone()))));
        let wrong: Vec<_> = leaves.filter(|(_, left)| *left != [0, 0]).collect();
        assert!(wrong.is_empty(), "wakers of these are left: {wrong:?}");
        world.n.abort();
        Ok(())
    });
    block_on(run).unwrap();
}

#[test]
fn x17_a_scope_that_waits_for_a_nursery_inside_takes_its_waker_with_it() {
    let (stepped, clock, runtime) = world();
    let (over, seen) = (Cell::new(false), RefCell::new(Vec::new()));
    let counts = [Arc::new(Counted), Arc::new(Counted)];
    let left = || counts.each_ref().map(|count| Arc::strong_count(count) - 1);
    let run = nursery().on(runtime).run(async |_: Nursery<Infallible>| {
        // A nursery that is opened inside, and given away: it does not go with the scope.
        let inner = RefCell::new(Box::pin(nursery().run(async |n: Nursery<Infallible>| {
            n.spawn(shield(Duration::MAX, pending::<()>()).map(|_| Ok(())));
            pending::<Result<(), _>>().await
        })));
        let opens = poll_fn(|_| {
            let mut noop = Context::from_waker(Waker::noop());
            assert!(inner.borrow_mut().as_mut().poll(&mut noop).is_pending());
            Poll::<()>::Pending
        });
        let mut scope = Some(Box::pin(move_on_after(SECOND, opens)));
        poll_fn(|_| {
            if over.get() {
                seen.borrow_mut().push(left());
                scope = None;
                seen.borrow_mut().push(left());
                return Poll::Ready(Ok(()));
            }
            for count in &counts {
                let (waker, scope) = (Waker::from(count.clone()), scope.as_mut().unwrap());
                assert!(scope.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            }
            Poll::Pending
        })
        .await
    });
    let (mut run, wakes) = (Box::pin(run), Wakes::new());
    assert!(poll_once(&mut run, &wakes).is_pending());
    stepped.run_until_stalled();
    clock.advance(2 * SECOND);
    assert!(poll_once(&mut run, &wakes).is_pending());
    over.set(true);
    assert!(poll_once(&mut run, &wakes).is_pending(), "the shielded child is not home");
    assert_eq!(
        *seen.borrow(),
        [[0, 1], [0, 0]],
        "it waits with the last waker, and takes it along"
    );
}
