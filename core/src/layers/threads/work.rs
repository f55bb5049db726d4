//! What each thread does until the scope has ended.
//!
//! The caller's thread polls the nursery's future when that was woken, and is a hand of the crew
//! besides: so a scope on a runtime of one thread, called on that thread, ends even so. The two
//! have a waker each, so that neither is polled for the other's wake.

use super::crew::{Crew, Hand};
use super::loan::Ledger;
use crate::layers::base::guarded::{Foreign, Guarded};
use crate::layers::base::panic::{self, Payload};
use crate::layers::base::sync::{
    Arc, GlobalBool, Ordering, ScopedJoinHandle, Thread, ThreadBuilder, ThreadsScope,
    current_thread, park_thread,
};
use allhome_rt::{NoRuntime, Runtime, Task};
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Wake, Waker};

/// Called on each thread of a scope with that thread's work.
pub(super) type Hook = Arc<dyn Fn(&mut dyn FnMut()) + Send + Sync>;

/// The panics of the hook, and of the nursery's future, of which the first goes on in the caller.
#[derive(Clone)]
pub(super) struct Panics(Arc<Guarded<Option<Foreign<Payload>>>>);

impl Panics {
    pub(super) fn new() -> Panics {
        Panics(Arc::new(Guarded::new(None)))
    }

    /// Calls the hook with what it shall call. Returns `false` if it has panicked.
    fn call(&self, hook: Option<&Hook>, work: &mut dyn FnMut()) -> bool {
        let Some(hook) = hook else {
            work();
            return true;
        };
        let Err(payload) = panic::catch(|| hook(work)) else { return true };
        self.note(payload);
        false
    }

    fn note(&self, payload: Payload) {
        let mut payload = Some(Foreign::new(payload));
        self.0.locked(|first| {
            if first.is_none() {
                *first = payload.take();
            }
        });
    }

    pub(super) fn resume(&self) {
        if let Some(payload) = self.0.locked(Option::take) {
            panic::resume(payload.into_inner());
        }
    }
}

const NO_THREAD: NoRuntime = NoRuntime::new("the system could not start a thread of the scope");

/// Starts the scope's own threads, all but the caller's.
///
/// # Errors
///
/// Those that were started end with the crew.
pub(super) fn start<'s>(
    scope: &'s ThreadsScope<'s, '_>,
    crew: &Arc<Crew>,
    threads: usize,
    name: &str,
    (hook, panics): (Option<&Hook>, &Panics),
) -> Result<Vec<ScopedJoinHandle<'s, ()>>, NoRuntime> {
    let (mut started, name) = (Vec::new(), name.replace('\0', " "));
    for at in 1..threads {
        let (hand, hook, panics) = (crew.hand(), hook.cloned(), panics.clone());
        let work = move || {
            let mut hand = Some(hand);
            panics.call(hook.as_ref(), &mut || {
                if let Some(hand) = hand.take() {
                    block_on(pin!(hand));
                }
            });
        };
        let named = ThreadBuilder::new().name(format!("{name}-{at}"));
        started.push(named.spawn_scoped(scope, work).map_err(|_| NO_THREAD)?);
    }
    Ok(started)
}

/// Has a runtime poll hands, as its tasks.
pub(super) fn join_in(
    crew: &Arc<Crew>,
    hands: usize,
    runtime: &Runtime,
    (hook, panics): (Option<&Hook>, &Panics),
) {
    for _ in 0..hands {
        let (hand, hook, panics) = (crew.hand(), hook.cloned(), panics.clone());
        runtime.spawn(Task::from_future(Hooked { hand, hook, panics }));
    }
}

/// A hand, each poll of which is in the hook.
struct Hooked {
    hand: Hand,
    hook: Option<Hook>,
    panics: Panics,
}

impl Future for Hooked {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Hooked { hand, hook, panics } = &mut *self;
        // A hook that does not call back has nothing done on this thread.
        let mut polled = Poll::Ready(());
        panics.call(hook.as_ref(), &mut || polled = Pin::new(&mut *hand).poll(cx));
        polled
    }
}

/// Polls the scope's nursery on the caller's thread, in the hook, until all is over. None: there
/// was a panic.
pub(super) fn run<T>(
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
    (crew, ledger): (&Arc<Crew>, &Ledger),
    (hook, panics): (Option<&Hook>, &Panics),
) -> Option<T> {
    let (mut output, mut is_called) = (None, false);
    let called = panics.call(hook, &mut || {
        if !std::mem::replace(&mut is_called, true) {
            // The panic of a child goes on when the hook has returned.
            match panic::catch(|| drive(&mut poll, crew, ledger)) {
                Ok(driven) => output = Some(driven),
                Err(payload) => panics.note(payload),
            }
        }
    });
    assert!(
        is_called || !called,
        "the hook of `each_thread` has returned, and has not called what it was given"
    );
    output
}

fn drive<T>(
    poll: &mut impl FnMut(&mut Context<'_>) -> Poll<T>,
    crew: &Arc<Crew>,
    ledger: &Ledger,
) -> T {
    let [run_wake, hand_wake] = [Parked::new(), Parked::new()];
    let [run_waker, hand_waker] = [&run_wake, &hand_wake].map(|wake| Waker::from(wake.clone()));
    let mut hand = crew.own_hand();
    let mut output = None;
    loop {
        if output.is_none() && run_wake.is_woken() {
            // The body may take its time.
            hand.pass_on();
            hand_wake.wake_by_ref();
            if let Poll::Ready(ready) = poll(&mut Context::from_waker(&run_waker)) {
                output = Some(ready);
                ledger.close();
            }
        }
        if ledger.is_settled() {
            if let Some(output) = output {
                return output;
            }
        }
        if hand_wake.is_woken() {
            let _ = Pin::new(&mut hand).poll(&mut Context::from_waker(&hand_waker));
        } else if output.is_some() || !run_wake.is_set() {
            park_thread();
        }
    }
}

/// Polls a future on the present thread, which sleeps while that waits.
fn block_on(mut future: Pin<&mut impl Future<Output = ()>>) {
    let wake = Parked::new();
    let waker = Waker::from(wake.clone());
    loop {
        if !wake.is_woken() {
            park_thread();
        } else if future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            return;
        }
    }
}

/// The waker of something that a thread polls. It is woken at first.
struct Parked {
    thread: Thread,
    woken: GlobalBool,
}

impl Parked {
    fn new() -> Arc<Parked> {
        Arc::new(Parked { thread: current_thread(), woken: GlobalBool::new(true) })
    }

    /// Takes the wake back.
    fn is_woken(&self) -> bool {
        // Acquire: what was written before the wake is read after it.
        self.is_set() && self.woken.swap(false, Ordering::Acquire)
    }

    fn is_set(&self) -> bool {
        self.woken.load(Ordering::Relaxed)
    }
}

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        Parked::wake_by_ref(&self);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Release: pairs with `is_woken`. If it was woken before, so was the thread, or it is busy
        // and looks again.
        if !self.woken.swap(true, Ordering::Release) {
            self.thread.unpark();
        }
    }
}
