//! What a nursery is opened with.

use super::body_watch::BodyWatch;
use super::hooks::Hooks;
use super::registry::report::Forgets;
use crate::layers::base::as_error::{ErrorView, View};
use crate::layers::base::sync::Arc;
use crate::layers::base::who::Who;
use crate::layers::cancel::CancelToken;
use crate::layers::limit::Semaphore;
use allhome_rt::Instant;
use std::panic::Location;
use std::time::Duration;

/// What a nursery is opened with.
pub(crate) struct Config {
    pub(crate) name: Option<Box<str>>,
    pub(crate) place: &'static Location<'static>,
    pub(crate) policy: Policy,
    /// None: as the policy says.
    pub(crate) panics: Option<PanicPolicy>,
    pub(crate) hooks: Hooks,
    pub(crate) keep: usize,
    pub(crate) deadline: Option<When>,
    /// When the deadline has passed, the body stays, and gets what the children had.
    pub(crate) partial: bool,
    pub(crate) grace: Option<Duration>,
    pub(crate) token: Option<CancelToken>,
    pub(crate) blocking_limit: usize,
    pub(crate) limiter: Option<Arc<Semaphore>>,
    pub(crate) stuck_after: Option<Duration>,
    /// A guard was asked for. Of an outermost nursery alone.
    pub(crate) guarded: bool,
    /// Watches the body, for a guard.
    pub(crate) watch: Option<Arc<BodyWatch>>,
    /// Whether its polls are looked at; none: as around it.
    pub(crate) stacks: Option<bool>,
    /// How an error of the children is shown: set with their error type.
    pub(crate) view: View,
}

impl Config {
    /// Returns the defaults, for a nursery that is opened here.
    pub(crate) fn new(place: &'static Location<'static>) -> Config {
        Config {
            name: None,
            place,
            policy: Policy::default(),
            panics: None,
            hooks: Hooks::default(),
            keep: 64,
            deadline: None,
            partial: false,
            grace: None,
            token: None,
            blocking_limit: usize::MAX,
            limiter: None,
            stuck_after: None,
            guarded: false,
            watch: None,
            stacks: None,
            view: |_| ErrorView::Text("an error"),
        }
    }

    pub(crate) fn panics(&self) -> PanicPolicy {
        let default = if self.policy == Policy::Supervise {
            PanicPolicy::Report
        } else {
            PanicPolicy::Resume
        };
        self.panics.unwrap_or(default)
    }

    /// Returns `true` if a panic aborts the process.
    pub(crate) fn aborts(&self) -> bool {
        self.panics() == PanicPolicy::Abort
    }

    /// Returns the body, as a failure of it names it.
    pub(crate) fn body(&self) -> Who {
        Who { task: None, name: self.name.clone(), place: self.place, finalizer: false }
    }

    /// Returns which failures of children are only counted.
    pub(crate) fn forgets(&self) -> Forgets {
        match (self.policy, self.panics()) {
            (Policy::Supervise, PanicPolicy::Resume) => Forgets::AllButPanics,
            (Policy::Supervise, _) => Forgets::All,
            _ => Forgets::Nothing,
        }
    }
}

/// A moment, as a nursery is given it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum When {
    After(Duration),
    At(Instant),
}

/// What the failure of one child means for its siblings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Policy {
    /// The first failure, of a child or of the body, cancels all others. (Go's `errgroup` with a
    /// context; Trio's nursery; Kotlin's `coroutineScope`.)
    #[default]
    FailFast,
    /// A failure cancels nothing, even if it is the body's. All failures are reported at the end.
    /// (Go's `WaitGroup`.) A body that gives up calls [`cancel`](crate::Nursery::cancel) itself.
    WaitAll,
    /// The failure of a child cancels nothing. If the child has a [`Child`](crate::Child), its
    /// failure goes to the joiner alone; a failure that is never joined is reported at the end. The
    /// failure of the body cancels all children. (Kotlin's `supervisorScope`.)
    Isolate,
    /// For servers, which outlive the failures of their children: as [`Isolate`](Policy::Isolate),
    /// but a failure of a child that no joiner takes is told to the hook of
    /// [`on_failure`](crate::Builder::on_failure), counted, and forgotten. So the nursery's result
    /// is that of its body, and a million failed children need no memory. (Erlang's supervisors,
    /// without the restart.)
    ///
    /// A panic of a child is a failure like any other: the default is [`PanicPolicy::Report`]. With
    /// [`PanicPolicy::Resume`] panics are not forgotten, and the first is resumed at the end.
    ///
    /// | | child of `spawn` fails | child of `fork` fails | body fails | the result is an error by |
    /// |--|--|--|--|--|
    /// | `FailFast` | cancels all, listed | the same | cancels all | the first failure |
    /// | `WaitAll` | listed | listed | listed | any failure |
    /// | `Isolate` | listed | its joiner's; unseen: listed | cancels all | what is listed |
    /// | `Supervise` | told, counted, forgotten | its joiner's; unseen: told, counted, forgotten | cancels all | the body, a finalizer, a task that is [stuck](crate::Builder::stuck_after) |
    Supervise,
}

impl Policy {
    /// Returns `true` if the failure of a child that is joined is its joiner's alone.
    pub(crate) fn isolates(self) -> bool {
        matches!(self, Policy::Isolate | Policy::Supervise)
    }
}

/// What happens to a panic of a child or of the body, besides being a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum PanicPolicy {
    /// When all children have ended, the first panic is resumed in the task that awaits the
    /// nursery. The default, but for [`Policy::Supervise`].
    #[default]
    Resume,
    /// The panic is reported in the [`GroupError`](crate::GroupError), like an error. The default of
    /// [`Policy::Supervise`].
    Report,
    /// The process is aborted at once, after the `on_panic` hook was called.
    Abort,
}
