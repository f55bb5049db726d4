//! Cancelled means it did not happen: each await that we offer, cancelled in each window.

use allhome::cancel::{CancelExt, CancelStreamExt, cancel_token};
use allhome::runtime::Runtime;
use allhome::{Child, JoinError, Nursery, block_on, nursery, sleep};
use allhome_conformance::Counts;
use allhome_rt::{BoxSleep, Timer};
use allhome_runs::{Opened, Stepped};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// When the cancel comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Window {
    BeforeTheFirstPoll,
    Waiting,
    WokenAndNotPolled,
    ReadyForTheLastPoll,
}

const WINDOWS: [Window; 4] = [
    Window::BeforeTheFirstPoll,
    Window::Waiting,
    Window::WokenAndNotPolled,
    Window::ReadyForTheLastPoll,
];

/// Something that one may have: as soon as it is there.
#[derive(Clone, Default)]
struct Item(Arc<Mutex<(bool, Option<Waker>)>>);

impl Item {
    fn give(&self) {
        let waker = {
            let mut state = self.0.lock().unwrap();
            state.0 = true;
            state.1.take()
        };
        waker.into_iter().for_each(Waker::wake);
    }

    fn is_there(&self) -> bool {
        self.0.lock().unwrap().0
    }

    fn poll_take(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.0.lock().unwrap();
        if std::mem::take(&mut state.0) {
            return Poll::Ready(());
        }
        state.1 = Some(cx.waker().clone());
        Poll::Pending
    }

    async fn take(self) {
        poll_fn(|cx| self.poll_take(cx)).await;
    }
}

type Waits = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Cancels a task that waits in each window, and checks whether it has what it waited for. `left`
/// returns `true` if the next task can have it.
fn in_each_window<S>(
    runtime: impl Fn(&Stepped, &Item) -> Runtime,
    mut set_up: impl FnMut(&Stepped, &Item) -> (Waits, S),
    give: impl Fn(&Item, &S),
    left: impl Fn(&Item, S) -> bool,
) {
    for of_nursery in [true, false] {
        for window in WINDOWS {
            let (stepped, item) = (Stepped::new(1), Item::default());
            let (waits, state) = set_up(&stepped, &item);
            let runtime = runtime(&stepped, &item);
            let mut opened = Opened::new(nursery().on(runtime));
            let child = opened.n.fork(async move {
                waits.await;
                Ok(())
            });
            if window == Window::BeforeTheFirstPoll {
                give(&item, &state);
            } else {
                stepped.run_until_stalled();
            }
            if window == Window::WokenAndNotPolled {
                give(&item, &state);
            }
            assert!(if of_nursery { opened.n.cancel() } else { child.cancel() });
            if window == Window::ReadyForTheLastPoll {
                give(&item, &state);
            }
            stepped.run_until_stalled();
            let had = block_on(child).is_ok();
            if window == Window::Waiting {
                give(&item, &state);
            }
            let expected =
                window == Window::WokenAndNotPolled || window == Window::ReadyForTheLastPoll;
            assert_eq!(had, expected, "{window:?}");
            assert_eq!(left(&item, state), !expected, "{window:?}");
            assert!(matches!(opened.finish(), Poll::Ready(Ok(()))));
            stepped.shutdown();
        }
    }
}

fn plain(stepped: &Stepped, _: &Item) -> Runtime {
    stepped.runtime()
}

fn of_item<F: Future<Output = ()> + Send + 'static>(wait: impl Fn(Item) -> F) {
    let set_up = |_: &Stepped, item: &Item| (Box::pin(wait(item.clone())) as Waits, ());
    in_each_window(plain, set_up, |item, ()| item.give(), |item, ()| item.is_there());
}

#[test]
fn c20_await_of_anything() {
    of_item(Item::take);
    of_item(|item| async move {
        allhome::yield_now().await;
        item.take().await;
    });
}

#[test]
fn c20_guard_and_stream() {
    // On a token that is never cancelled, and on the task's own.
    of_item(|item| async move {
        let token = allhome::CancelToken::new();
        item.take().until_cancelled(&token).await.unwrap();
    });
    of_item(|item| async move {
        let token = cancel_token();
        if item.take().until_cancelled(&token).await.is_err() {
            std::future::pending::<()>().await;
        }
    });
    of_item(|item| async move {
        let items = futures_util::stream::poll_fn(|cx| item.poll_take(cx).map(Some));
        if pin!(items.until_cancelled(&cancel_token())).next().await.is_none() {
            std::future::pending::<()>().await;
        }
    });
    of_item(|item| async move {
        let parts: FuturesUnordered<_> =
            [item.take().until_cancelled(&cancel_token())].into_iter().collect();
        let ended: Vec<_> = parts.collect().await;
        if ended[0].is_err() {
            std::future::pending::<()>().await;
        }
    });
}

type Shared = Arc<Mutex<Option<Child<u32, Infallible>>>>;

/// Waits for a child without taking its handle.
fn join_shared(child: Shared) -> impl Future<Output = Result<u32, JoinError<Infallible>>> {
    poll_fn(move |cx| {
        let mut child = child.lock().unwrap();
        Pin::new(child.as_mut().unwrap()).poll(cx)
    })
}

#[test]
fn c20_join_leaves_the_value_to_the_next() {
    // The child has a runtime to itself, which runs when the item is given.
    let set_up = |_: &Stepped, item: &Item| {
        let stepped = Stepped::new(1);
        let other = Opened::new(nursery().on(stepped.runtime()));
        let item = item.clone();
        let child = other.n.fork(async move {
            item.take().await;
            Ok(7)
        });
        stepped.run_until_stalled();
        let child = Arc::new(Mutex::new(Some(child)));
        let joins = child.clone();
        let waits: Waits = Box::pin(async move {
            assert_eq!(join_shared(joins).await.unwrap(), 7);
        });
        (waits, (child, other, stepped))
    };
    type State = (Shared, Opened<Infallible>, Stepped);
    let give = |item: &Item, (_, _, stepped): &State| {
        item.give();
        assert!(stepped.run_until_stalled() > 0);
    };
    in_each_window(plain, set_up, give, |_, (child, other, _): State| {
        let child = child.lock().unwrap().take().unwrap();
        drop(other);
        match block_on(child) {
            Ok(value) => value == 7,
            Err(error) => !error.is_taken(),
        }
    });
}

/// A timer whose sleeps take the item to be over, which sets its clock.
struct ItemTimer {
    item: Item,
    sleeps: Counts,
    now: Arc<Mutex<Instant>>,
}

impl Timer for ItemTimer {
    fn now(&self) -> Instant {
        *self.now.lock().unwrap()
    }

    fn sleep_until(&self, at: Instant) -> BoxSleep {
        let (item, guard, now) = (self.item.clone(), self.sleeps.guard(), self.now.clone());
        Box::pin(async move {
            let _guard = guard;
            item.take().await;
            *now.lock().unwrap() = at;
        })
    }
}

#[test]
fn c20_sleep_that_is_cut_releases_its_timer() {
    let counts = Counts::new();
    let runtime = |stepped: &Stepped, item: &Item| {
        let parts = stepped.runtime();
        let now = Arc::new(Mutex::new(Instant::now()));
        parts_with(&parts, ItemTimer { item: item.clone(), sleeps: counts.clone(), now })
    };
    let set_up = |_: &Stepped, _: &Item| {
        let waits: Waits = Box::pin(async { sleep(Duration::from_secs(1)).await });
        (waits, counts.drops())
    };
    in_each_window(
        runtime,
        set_up,
        |item, _| item.give(),
        |item, before| {
            assert!(counts.drops() <= before + 1, "once, if it was asked for at all");
            item.is_there()
        },
    );
    // Of four windows, the first asks for no timer.
    assert_eq!(counts.drops(), 6);
}

/// Runs on the other, with this timer.
fn parts_with(other: &Runtime, timer: impl Timer + 'static) -> Runtime {
    struct Other(Runtime);
    impl allhome_rt::Spawn for Other {
        fn spawn(&self, task: allhome_rt::Task) {
            self.0.spawn(task);
        }
    }
    Runtime::builder("timed", Other(other.clone())).timer(timer).build()
}

/// The nursery inside ends by the cancel, and its owner gets that result: it is not cut off.
#[test]
fn c20_run_always_has_its_result() {
    for window in WINDOWS {
        let (stepped, item) = (Stepped::new(1), Item::default());
        let mut opened = Opened::new(nursery().on(stepped.runtime()));
        let takes = item.clone();
        let child = opened.n.fork(async move {
            let run = nursery().run(async |n: Nursery<Infallible>| {
                n.spawn(async move {
                    takes.take().await;
                    Ok(())
                });
                Ok(())
            });
            run.await.unwrap();
            Ok(allhome::is_cancelled())
        });
        if window != Window::BeforeTheFirstPoll {
            stepped.run_until_stalled();
        }
        if window == Window::WokenAndNotPolled {
            item.give();
        }
        assert!(opened.n.cancel());
        if window != Window::Waiting {
            item.give();
        }
        stepped.run_until_stalled();
        let happened = window != Window::BeforeTheFirstPoll;
        assert_eq!(block_on(child).ok(), happened.then_some(true), "{window:?}");
        let took = window == Window::WokenAndNotPolled || window == Window::ReadyForTheLastPoll;
        assert_eq!(item.is_there(), !took && window != Window::Waiting, "{window:?}");
        assert!(matches!(opened.finish(), Poll::Ready(Ok(()))));
    }
}
