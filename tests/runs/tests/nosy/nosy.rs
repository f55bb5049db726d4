//! A value that is nosy: whatever is done with it calls back into what it was given to, and may panic
//! on top. And what leads it through every path of that.
//!
//! A *program* is what a test does with the thing, step by step, with nosy values as its wakers, keys,
//! callbacks, clocks, futures and jobs. [`at_each_call`] runs it once for each call of theirs that
//! there is, and has that call panic. A lock that is held when one of them is called is found in each
//! of these runs: by a debug assertion, and so without a hang (`core/src/layers/base/guarded.rs` and
//! `executors/src/guarded.rs`).

use super::raw;
use std::any::Any;
use std::cell::Cell;
use std::cmp::Ordering;
use std::fmt;
use std::future::Future;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, set_hook};
use std::pin::Pin;
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::panicking;

/// What is thrown by the call that is to panic.
struct Told;

thread_local! {
    /// A nosy value looks just now: what it makes the thing do is not looked at again.
    static LOOKS: Cell<bool> = const { Cell::new(false) };
}

/// Panics as a call of a nosy value does.
pub(crate) fn panics() -> ! {
    panic_any(Told)
}

/// What all nosy values of one run have in common.
pub(crate) struct Watch {
    look: Mutex<Option<Arc<dyn Fn() + Send + Sync>>>,
    calls: Mutex<Vec<&'static str>>,
    /// The number of the call that panics.
    strike: Option<usize>,
}

/// The nosy value. Clones look at the same thing.
pub(crate) struct Nosy(Arc<Watch>);

impl Watch {
    fn new(strike: Option<usize>) -> Arc<Watch> {
        Arc::new(Watch { look: Mutex::default(), calls: Mutex::default(), strike })
    }

    /// Says what a nosy value does when it is called: it uses the thing that it was given to.
    pub(crate) fn looks(&self, look: impl Fn() + Send + Sync + 'static) {
        // What it was is dropped with no lock held: that runs code of the thing's, and of the test's.
        let before = lock(&self.look).replace(Arc::new(look));
        drop(before);
    }

    /// Makes a value.
    pub(crate) fn nosy(self: &Arc<Self>) -> Nosy {
        Nosy(self.clone())
    }

    /// Makes a waker that is one.
    pub(crate) fn waker(self: &Arc<Self>) -> Waker {
        raw::waker(self.nosy())
    }

    /// Does a step of the program. None: it is the one in which a call panics, and that came out.
    pub(crate) fn step<R>(&self, step: impl FnOnce() -> R) -> Option<R> {
        match catch_unwind(AssertUnwindSafe(step)) {
            Ok(result) => Some(result),
            Err(payload) if payload.is::<Told>() => None,
            Err(payload) => std::panic::resume_unwind(payload),
        }
    }

    /// Tells whether the call that panics has been.
    pub(crate) fn has_struck(&self) -> bool {
        self.strike.is_some_and(|number| number < lock(&self.calls).len())
    }

    fn called(&self, call: &'static str) {
        if LOOKS.get() {
            return;
        }
        let number = {
            let mut calls = lock(&self.calls);
            calls.push(call);
            calls.len() - 1
        };
        let look = lock(&self.look).clone();
        if let Some(look) = look {
            LOOKS.set(true);
            let looked = catch_unwind(AssertUnwindSafe(|| look()));
            LOOKS.set(false);
            // The hook has noted it.
            drop(looked);
        }
        if self.strike == Some(number) && !panicking() {
            panic_any(Told);
        }
    }
}

impl Nosy {
    pub(crate) fn called(&self, call: &'static str) {
        self.0.called(call);
    }

    /// A future that is ready when it was polled so often. It wakes itself.
    pub(crate) fn future(self, polls: usize) -> impl Future<Output = ()> + Send {
        Polled { nosy: self, left: polls }
    }
}

struct Polled {
    nosy: Nosy,
    left: usize,
}

impl Future for Polled {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.nosy.called("poll");
        if self.left == 0 {
            return Poll::Ready(());
        }
        self.left -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Clone for Nosy {
    fn clone(&self) -> Nosy {
        self.called("clone");
        Nosy(self.0.clone())
    }
}

impl Drop for Nosy {
    fn drop(&mut self) {
        self.called("drop");
    }
}

impl Hash for Nosy {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.called("hash");
        7.hash(state);
    }
}

impl PartialEq for Nosy {
    fn eq(&self, _: &Nosy) -> bool {
        self.called("compare");
        true
    }
}

impl Eq for Nosy {}

impl PartialOrd for Nosy {
    fn partial_cmp(&self, other: &Nosy) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Nosy {
    fn cmp(&self, _: &Nosy) -> Ordering {
        self.called("compare");
        Ordering::Equal
    }
}

impl fmt::Display for Nosy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.called("display");
        f.write_str("nosy")
    }
}

impl fmt::Debug for Nosy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Nosy {}

/// Panics that no call was told to raise, in the whole process: in a look, under a lock, anywhere.
static UNTOLD: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Runs a program once, and then once for each call of a nosy value in it, which panics. Returns which
/// calls there were.
///
/// # Panics
///
/// If anything but such a call does, on whichever thread, and wherever it was caught.
#[track_caller]
pub(crate) fn at_each_call(name: &str, program: impl Fn(&Arc<Watch>)) -> Vec<&'static str> {
    note_panics();
    let run = |strike| {
        // What a test that has failed had noted.
        drop(std::mem::take(&mut *lock(&UNTOLD)));
        let watch = Watch::new(strike);
        let done = catch_unwind(AssertUnwindSafe(|| program(&watch)));
        let look = lock(&watch.look).take();
        drop(look);
        let calls = lock(&watch.calls).clone();
        let untold = std::mem::take(&mut *lock(&UNTOLD));
        let at = strike.and_then(|number| Some((number, *calls.get(number)?)));
        if !untold.is_empty() || done.is_err() {
            // Printed here: the hook notes panics, and prints none.
            eprintln!("{name}, panic in {at:?} of {calls:?}: {}", untold.join("; "));
        }
        assert!(untold.is_empty() && done.is_ok(), "see above");
        calls
    };
    let calls = run(None);
    (0..calls.len()).for_each(|number| drop(run(Some(number))));
    calls
}

fn note_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        set_hook(Box::new(|info| {
            if !info.payload().is::<Told>() {
                let payload = info.payload();
                let text = payload.downcast_ref::<String>().map(String::as_str);
                let text = text.or(payload.downcast_ref::<&str>().copied()).unwrap_or("no text");
                let place = info.location().map(ToString::to_string).unwrap_or_default();
                lock(&UNTOLD).push(format!("{text} ({place})"));
            }
        }));
    });
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All sequences of so many steps of these.
pub(crate) fn sequences<S: Copy>(steps: &[S], length: usize) -> impl Iterator<Item = Vec<S>> + '_ {
    (0..steps.len().pow(length as u32)).map(move |number| {
        let digit = |place: usize| number / steps.len().pow(place as u32) % steps.len();
        (0..length).map(|place| steps[digit(place)]).collect()
    })
}

/// What is kept of a step's result, to be dropped later.
pub(crate) type Kept = Box<dyn Any>;
