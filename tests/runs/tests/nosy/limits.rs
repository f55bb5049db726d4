//! Limits: each kind, with two waiters and one holder.

use super::alone;
use super::nosy::{Kept, Nosy, Watch, at_each_call, sequences};
use allhome::Semaphore;
use allhome::limit::{AcquireBoth, KeyedSemaphore, Rate, RateLimiter};
use allhome_rt::{BoxSleep, Runtime, Timer};
use allhome_runs::Stepped;
use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

#[derive(Clone, Copy, Debug)]
enum Step {
    /// That one polls, with a waker of its own each time.
    Poll(usize),
    Leave(usize),
    /// Gives back the oldest held permit.
    Give,
    Try,
    Less,
    More,
    Close,
}

const STEPS: [Step; 9] = [
    Step::Poll(0),
    Step::Poll(1),
    Step::Leave(0),
    Step::Leave(1),
    Step::Give,
    Step::Try,
    Step::Less,
    Step::More,
    Step::Close,
];

type Acquire = Pin<Box<dyn Future<Output = Option<Kept>>>>;

/// A limit, as the steps see it.
struct Subject {
    acquire: Box<dyn Fn(usize) -> Acquire>,
    take: Box<dyn Fn() -> Option<Kept>>,
    resize: Box<dyn Fn(usize)>,
    close: Box<dyn Fn()>,
    waiters: Box<dyn Fn() -> usize>,
    /// Returns `true` if no permits are held.
    all_there: Box<dyn Fn() -> bool>,
    look: Arc<dyn Fn() + Send + Sync>,
}

fn kept<T: 'static, E>(result: Result<T, E>) -> Option<Kept> {
    result.ok().map(|value| Box::new(value) as Kept)
}

fn poll(future: impl Future) {
    let _ = Box::pin(future).as_mut().poll(&mut Context::from_waker(Waker::noop()));
}

fn look(semaphore: &Arc<Semaphore>) {
    let _ = (semaphore.waiters(), semaphore.holders(), format!("{semaphore:?}"));
    drop(semaphore.try_acquire());
    drop(semaphore.try_acquire_many(0));
    poll(semaphore.acquire());
    poll(semaphore.acquire_many_owned(2));
    semaphore.resize(semaphore.capacity());
}

fn plain(semaphore: Semaphore) -> Subject {
    let semaphore = Arc::new(semaphore);
    let rest = of(&semaphore);
    let acquire = move |count| -> Acquire {
        let acquire = semaphore.acquire_many_owned(count);
        Box::pin(async { kept(acquire.await) })
    };
    Subject { acquire: Box::new(acquire), ..rest }
}

/// Keys that are nosy: they are hashed, and never kept.
fn keyed(watch: &Arc<Watch>) -> Subject {
    let semaphore = KeyedSemaphore::<Nosy>::new(1);
    let (keys, watch) = (semaphore.clone(), watch.clone());
    let rest = of(semaphore.semaphore());
    let acquire = move |count| -> Acquire {
        let acquire = keys.acquire_many_owned(&watch.nosy(), count);
        Box::pin(async { kept(acquire.await) })
    };
    Subject { acquire: Box::new(acquire), ..rest }
}

/// All of it but how it is acquired.
fn of(semaphore: &Arc<Semaphore>) -> Subject {
    let [b, c, d, e, f, g] = [(); 6].map(|()| semaphore.clone());
    Subject {
        acquire: Box::new(|_| unreachable!("it is replaced")),
        take: Box::new(move || kept(b.try_acquire_owned())),
        resize: Box::new(move |capacity| c.resize(capacity)),
        close: Box::new(move || _ = d.close()),
        waiters: Box::new(move || e.waiters()),
        all_there: Box::new(move || g.available() == g.capacity() && g.holders().is_empty()),
        look: Arc::new(move || look(&f)),
    }
}

/// A timer that is nosy: its clock, its sleeps, their polls and drops. Its sleeps are never over.
struct Clock {
    start: Instant,
    nosy: Nosy,
}

struct Sleep(Nosy, Option<Waker>);

impl Timer for Clock {
    fn now(&self) -> Instant {
        self.nosy.called("now");
        self.start
    }

    fn sleep_until(&self, _: Instant) -> BoxSleep {
        self.nosy.called("sleep");
        Box::pin(Sleep(self.nosy.clone(), None))
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.called("poll");
        self.1 = Some(cx.waker().clone());
        Poll::Pending
    }
}

fn limiter(watch: &Arc<Watch>) -> Arc<RateLimiter> {
    let clock = Clock { start: Instant::now(), nosy: watch.nosy() };
    let runtime = Runtime::builder("nosy", Stepped::new(1).spawner()).timer(clock).build();
    Arc::new(RateLimiter::new(&runtime, Rate::new(1, Duration::from_secs(9)), 1))
}

fn rate(watch: &Arc<Watch>) -> Subject {
    let limiter = limiter(watch);
    let [a, b, c, d, e, f] = [(); 6].map(|()| limiter.clone());
    Subject {
        acquire: Box::new(move |count| {
            let limiter = a.clone();
            Box::pin(async move { kept(limiter.acquire_many(count).await) })
        }),
        take: Box::new(move || kept(b.try_acquire())),
        resize: Box::new(move |burst| c.resize(burst)),
        close: Box::new(move || _ = d.close()),
        waiters: Box::new(move || e.waiters()),
        // They are spent.
        all_there: Box::new(|| true),
        look: Arc::new(move || {
            let _ = (f.waiters(), f.rate(), format!("{f:?}"));
            f.set_rate(f.rate());
            let _ = f.try_acquire_many(0);
            poll(f.acquire());
        }),
    }
}

/// A semaphore and a rate limiter: a task that leaves returns the permits of the first.
fn both(watch: &Arc<Watch>) -> Subject {
    let (limiter, semaphore) = (limiter(watch), Arc::new(Semaphore::new(1)));
    let (a, b, c) = (limiter.clone(), semaphore.clone(), semaphore.clone());
    let (often, often_looked) = (limiter.clone(), limiter.clone());
    let rest = of(&semaphore);
    Subject {
        acquire: Box::new(move |count| {
            let (often, at_once) = (a.clone(), b.clone());
            Box::pin(async move {
                let both = AcquireBoth::new(often.acquire(), at_once.acquire_many(count));
                both.expect("they are two").await.ok().map(|_| Box::new(()) as Kept)
            })
        }),
        resize: Box::new(move |burst| often.resize(burst)),
        waiters: Box::new(move || limiter.waiters() + semaphore.waiters()),
        look: Arc::new(move || {
            let _ = (often_looked.waiters(), format!("{often_looked:?}"));
            look(&c);
        }),
        ..rest
    }
}

fn play(steps: &[Step], watch: &Arc<Watch>, subject: &Subject) {
    let look = subject.look.clone();
    watch.looks(move || look());
    let mut held: Vec<Kept> = Vec::new();
    held.extend(watch.step(|| (subject.take)()).flatten());
    let mut waiting: [Option<Acquire>; 2] = [None, None];
    for step in steps {
        watch.step(|| match *step {
            Step::Poll(which) => {
                let waker = watch.waker();
                let acquire = waiting[which].get_or_insert_with(|| (subject.acquire)(1));
                let mut cx = Context::from_waker(&waker);
                if let Poll::Ready(permit) = acquire.as_mut().poll(&mut cx) {
                    waiting[which] = None;
                    held.extend(permit);
                }
            }
            Step::Leave(which) => waiting[which] = None,
            Step::Give if held.is_empty() => (),
            Step::Give => drop(held.remove(0)),
            Step::Try => held.extend((subject.take)()),
            Step::Less => (subject.resize)(0),
            Step::More => (subject.resize)(3),
            Step::Close => (subject.close)(),
        });
        // An acquire that has panicked is over, as any future that has.
        for place in &mut waiting {
            watch.step(|| drop(place.take_if(|_| watch.has_struck())));
        }
    }
    watch.step(|| drop(held));
    for place in &mut waiting {
        watch.step(|| *place = None);
    }
    assert_eq!((subject.waiters)(), 0, "every waiter that is gone has left the line");
    assert!((subject.all_there)(), "every holder that is gone has returned its permits");
    watch.looks(|| ());
}

/// Each sequence of steps at each kind of limit; a panic in each call.
fn go_through(make: impl Fn(&Arc<Watch>) -> Subject) -> Vec<&'static str> {
    let _alone = alone();
    let mut seen = BTreeSet::new();
    for steps in sequences(&STEPS, 4) {
        let name = format!("{steps:?}");
        seen.extend(at_each_call(&name, |watch| {
            // Made while nothing strikes: the limit's life is tested.
            if let Some(subject) = watch.step(|| make(watch)) {
                play(&steps, watch, &subject);
                watch.step(|| drop(subject));
            }
        }));
    }
    Vec::from_iter(seen)
}

#[test]
fn s09_s10_semaphores_hold_no_lock_and_stay_whole() {
    assert_eq!(go_through(|_| plain(Semaphore::new(1))), ["clone", "drop", "wake"]);
    let booked = || plain(Semaphore::new(1).time_holders(true));
    assert_eq!(go_through(|_| booked()), ["clone", "drop", "wake"]);
}

#[test]
fn s09_s10_semaphores_with_keys_hold_no_lock_and_stay_whole() {
    assert_eq!(go_through(keyed), ["clone", "drop", "hash", "wake"]);
}

#[test]
fn q14_rate_limiters_hold_no_lock_and_stay_whole() {
    assert_eq!(go_through(rate), ["clone", "drop", "now", "poll", "sleep", "wake"]);
}

#[test]
fn q14_both_hold_no_lock_and_stay_whole() {
    assert_eq!(go_through(both), ["clone", "drop", "now", "poll", "sleep", "wake"]);
}
