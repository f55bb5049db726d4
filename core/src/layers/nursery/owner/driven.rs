//! The future of a nursery that is a value: what polls it, and what becomes of it.
//!
//! A task of the runtime, the *driver*, polls it. The future is taken out of the lock to be polled,
//! and put back; no code of the user's, and nothing of the nursery's, runs under the lock.
//!
//! | what happens                  | Resting                  | Polled                               | Ended           | Gone    |
//! |-------------------------------|--------------------------|--------------------------------------|-----------------|---------|
//! | the driver polls              | takes it: Polled         | cannot be (1)                        | ends            | ends    |
//! | that poll was pending         | –                        | Resting; Polled again if it was woken (2) | –          | drops it |
//! | that poll was ready, panicked | –                        | Ended, and wakes `close`             | –               | drops the result |
//! | `close` is polled             | waits                    | waits                                | Gone, and ready | –       |
//! | the owner is dropped          | Gone, and drops it       | Gone, and aborts what is in it       | Gone, and drops the result | – |
//! | the runtime drops the driver  | wakes poll it (2)        | cannot be (1)                        | nothing         | nothing |
//!
//! To drop the future is what it is for any nursery: what waits in it is destroyed at once.
//!
//! A driver that the runtime has dropped is *lost*. Nothing but a wake is left then to poll the
//! future, so its waker polls it in place: the children of a runtime that has ended are lost, the
//! nursery closes, and the nursery around does not wait for an owner that is kept.
//!
//! # Invariants
//!
//! 1. A runtime polls a task in one place at a time, and does not drop it meanwhile. Until the
//!    driver is lost, it alone polls the future; afterwards the wakes do, one at a time: one that
//!    finds the future Polled sets `again`.
//! 2. `again` is cleared, and the future put back, in one hold of the lock. So a wake finds either
//!    the future, or a poll that looks once more.

use crate::layers::base::counted::Strong;
use crate::layers::base::guarded::{Foreign, Guarded};
use crate::layers::base::invariant::Invariant;
use crate::layers::base::panic::{self, Payload};
use crate::layers::base::reason::{Level, ReasonKind};
use crate::layers::base::sync::{Arc, AtomicBool, Ordering, Weak};
use crate::layers::context;
use crate::layers::group::Group;
use crate::layers::nursery::Nursery;
use crate::layers::nursery::condition::Condition;
use crate::layers::nursery::error::GroupError;
use crate::layers::nursery::run::Run;
use std::future::Future;
use std::marker::PhantomData;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, Wake, Waker};

/// The nursery's future; its body is never called, but made.
type BoxedRun<E> = Pin<Box<Run<E, (), fn(Nursery<E>) -> Body<E>, Body<E>>>>;

/// The future, out of the lock or on its way.
type Taken<E> = Foreign<BoxedRun<E>>;

/// How the future ended: ready, or by a panic that goes on in `close`.
type End<E> = Result<Result<(), GroupError<E>>, Payload>;

/// The body: it is ready when the owner closes, once it is polled again.
pub(super) struct Body<E> {
    ends: Arc<AtomicBool>,
    error: Invariant<E>,
}

impl<E> Future for Body<E> {
    type Output = Result<(), E>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), E>> {
        // Acquire: pairs with `let_end`.
        if self.ends.load(Ordering::Acquire) { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
}

/// What the owner and the driver share.
pub(super) struct Driven<E> {
    /// The owner closes.
    ends: Arc<AtomicBool>,
    state: Guarded<State<E>>,
}

struct State<E> {
    stage: Stage<E>,
    /// The driver is lost, and wakes poll in its place.
    lost: bool,
    /// It was woken while a wake polled it.
    again: bool,
    /// Of the driver's task.
    driver: Option<Foreign<Waker>>,
    closer: Option<Foreign<Waker>>,
}

enum Stage<E> {
    Resting(Taken<E>),
    Polled,
    Ended(Foreign<End<E>>),
    Gone,
}

/// What a poll leaves to do, with no lock held.
#[must_use]
enum Left<E> {
    /// It rests.
    Nothing,
    /// It is polled again.
    Again(BoxedRun<E>),
    /// It has ended, and `close` is woken.
    Ended(Option<Foreign<Waker>>),
    /// The owner is gone: what is here goes, too.
    Gone(Stage<E>),
}

impl<E: Send + Sync + 'static> Driven<E> {
    /// Makes it of a nursery that was opened.
    pub(super) fn new(group: Strong<Group>, condition: Option<Box<Condition>>) -> Arc<Driven<E>> {
        let ends = Arc::new(AtomicBool::new(false));
        let body = Body { ends: ends.clone(), error: PhantomData };
        let run = Box::pin(Run::opened(group, body, condition));
        let state = State {
            stage: Stage::Resting(Foreign::new(run)),
            lost: false,
            again: false,
            driver: None,
            closer: None,
        };
        Arc::new(Driven { ends, state: Guarded::new(state) })
    }

    /// The owner closes: the body ends.
    pub(super) fn let_end(self: &Arc<Self>) {
        // Release: pairs with the body's load.
        self.ends.store(true, Ordering::Release);
        let (lost, driver) = self.state.locked(|state| (state.lost, state.driver.take()));
        driver.into_iter().for_each(Foreign::wake);
        if lost {
            self.drive_in_place();
        }
    }

    /// Returns the result once it is there, and resumes a panic; otherwise keeps the waker.
    pub(super) fn poll_end(&self, waker: &Waker) -> Poll<Result<(), GroupError<E>>> {
        let waker = Foreign::cloned(waker);
        let (end, old) =
            self.state.locked(|state| match mem::replace(&mut state.stage, Stage::Gone) {
                Stage::Ended(end) => (Some(end), Some(waker)),
                stage => {
                    state.stage = stage;
                    (None, state.closer.replace(waker))
                }
            });
        drop(old);
        match end.map(Foreign::into_inner) {
            None => Poll::Pending,
            Some(Ok(result)) => Poll::Ready(result),
            Some(Err(payload)) => panic::resume(payload),
        }
    }

    /// The owner was dropped.
    pub(super) fn abandon(&self, group: &Group) {
        let (stage, driver, closer) = self.state.locked(|state| {
            let stage = mem::replace(&mut state.stage, Stage::Gone);
            (stage, state.driver.take(), state.closer.take())
        });
        match stage {
            // What polls it drops it.
            Stage::Polled => {
                let place = group.config.place;
                let reason = group.reason(ReasonKind::ScopeDropped, String::new(), None, place);
                group.raise_tree(Level::Aborted, &reason);
            }
            stage => drop(stage),
        }
        drop(closer);
        driver.into_iter().for_each(Foreign::wake);
    }

    /// Polls the nursery. Ready if there is nothing to poll any more.
    fn drive(&self, waker: &Waker) -> Poll<()> {
        let kept = Foreign::cloned(waker);
        let (taken, old) = self.state.locked(|state| state.take(kept));
        drop(old);
        let mut run = match taken {
            Poll::Ready(Some(run)) => run.into_inner(),
            Poll::Ready(None) => return Poll::Ready(()),
            Poll::Pending => return Poll::Pending,
        };
        let mut cx = Context::from_waker(waker);
        loop {
            let polled = panic::catch(|| context::nowhere(|| run.as_mut().poll_owned(&mut cx)));
            let stage = match polled {
                Ok(Poll::Pending) => Stage::Resting(Foreign::new(run)),
                Ok(Poll::Ready(result)) => Stage::Ended(Foreign::new(Ok(result))),
                Err(payload) => Stage::Ended(Foreign::new(Err(payload))),
            };
            match self.state.locked(|state| state.put_back(stage)) {
                Left::Again(again) => run = again,
                Left::Nothing => return Poll::Pending,
                Left::Ended(closer) => {
                    closer.into_iter().for_each(Foreign::wake);
                    return Poll::Ready(());
                }
                Left::Gone(stage) => {
                    drop(stage);
                    return Poll::Ready(());
                }
            }
        }
    }

    /// The runtime has dropped the driver.
    fn lose(self: &Arc<Self>) {
        drop(self.state.locked(|state| {
            state.lost = true;
            state.driver.take()
        }));
        self.drive_in_place();
    }

    fn drive_in_place(self: &Arc<Self>) {
        let waker = Waker::from(Arc::new(InPlace(Arc::downgrade(self))));
        let _ = self.drive(&waker);
    }
}

impl<E> State<E> {
    /// Takes the future, to be polled with this waker; none if it is gone. Pending if it is being
    /// polled. Returns a waker to drop, too.
    fn take(&mut self, waker: Foreign<Waker>) -> (Poll<Option<Taken<E>>>, Option<Foreign<Waker>>) {
        match mem::replace(&mut self.stage, Stage::Polled) {
            Stage::Resting(run) => {
                let old = if self.lost { Some(waker) } else { self.driver.replace(waker) };
                (Poll::Ready(Some(run)), old)
            }
            Stage::Polled => {
                self.again = true;
                (Poll::Pending, Some(waker))
            }
            over => {
                self.stage = over;
                (Poll::Ready(None), Some(waker))
            }
        }
    }

    /// Puts back what a poll has left.
    fn put_back(&mut self, stage: Stage<E>) -> Left<E> {
        let again = mem::take(&mut self.again);
        match (&self.stage, stage) {
            (Stage::Polled, Stage::Resting(run)) if again => Left::Again(run.into_inner()),
            (Stage::Polled, Stage::Ended(end)) => {
                self.stage = Stage::Ended(end);
                Left::Ended(self.closer.take())
            }
            (Stage::Polled, stage) => {
                self.stage = stage;
                Left::Nothing
            }
            (_, stage) => Left::Gone(stage),
        }
    }
}

/// The task that polls the nursery.
pub(super) struct Driver<E: Send + Sync + 'static>(Option<Arc<Driven<E>>>);

impl<E: Send + Sync + 'static> Driver<E> {
    pub(super) fn new(driven: Arc<Driven<E>>) -> Driver<E> {
        Driver(Some(driven))
    }
}

impl<E: Send + Sync + 'static> Future for Driver<E> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(driven) = &self.0 else { return Poll::Ready(()) };
        let polled = driven.drive(cx.waker());
        if polled.is_ready() {
            self.0 = None;
        }
        polled
    }
}

impl<E: Send + Sync + 'static> Drop for Driver<E> {
    fn drop(&mut self) {
        if let Some(driven) = self.0.take() {
            driven.lose();
        }
    }
}

/// The waker of a nursery whose driver is lost. It keeps nothing: the owner does.
struct InPlace<E: Send + Sync + 'static>(Weak<Driven<E>>);

impl<E: Send + Sync + 'static> Wake for InPlace<E> {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if let Some(driven) = self.0.upgrade() {
            driven.drive_in_place();
        }
    }
}
