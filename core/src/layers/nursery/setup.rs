//! What a nursery is opened with: in which nursery, and on which runtime.
//!
//! | opened                                                | the runtime                      |
//! |-------------------------------------------------------|----------------------------------|
//! | by a builder that names one                           | that one                         |
//! | on a local runtime                                    | the one beside it                |
//! | by a handle, `n.nursery()`                            | that of `n`                      |
//! | in a task or body of a nursery, also in blocking work | that of the nursery              |
//! | else, inside of `block_on` or `run`                   | the global pool                  |
//! | else, in tokio's context                              | tokio's, if the feature is on    |
//! | else                                                  | none: an error that says so      |
//!
//! Our calls come before tokio's context, although that may be the inner one of the two. A crate
//! that knows nothing of tokio, and runs in a program where another has switched the feature on,
//! must not move to another runtime for it: a feature may turn the error of the last row into a
//! result, and nothing else. It is tempting to take tokio's first, so that its I/O works without a
//! word; but then the same program runs here or there as its dependencies please. tokio's own I/O
//! finds its context by itself, wherever it was created.

use super::condition::Condition;
use super::error::{Cause, GroupError};
use super::mode::{Here, NurseryMode};
use crate::layers::base::counted::{Strong, Weak};
use crate::layers::context::entered;
use crate::layers::context::scope::Around;
use crate::layers::context::{self, Frame, Kind, TaskFrame};
use crate::layers::group::Group;
use crate::layers::group::config::Config;
use crate::layers::group::registry::{Member, OpenedBy};
use allhome_rt::{NoRuntime, Runtime, RuntimeSource};
use std::ptr;

/// What a nursery is opened with, in, and on.
pub(crate) struct Setup<P: NurseryMode> {
    pub(crate) config: Config,
    /// None: in the one around.
    pub(crate) inside: Option<Strong<Group>>,
    /// Taken by the nursery's future.
    pub(crate) condition: Option<Box<Condition>>,
    /// None: the table above.
    pub(crate) runtime: Option<RuntimeSource>,
    /// Where the children run, if they are local.
    pub(crate) on: P::On,
}

/// The nursery that another is opened in, and the task or body of it that does so.
type Parent = (Weak<Group>, OpenedBy);

impl<P: NurseryMode> Setup<P> {
    /// Returns the nursery that it is opened in, if there is one.
    pub(super) fn parent(&self) -> Option<Parent> {
        let Some(inside) = &self.inside else {
            return context::task(|task| parent(task?));
        };
        let own = context::current(|mut at| {
            while let Some(frame) = at {
                match &frame.kind {
                    Kind::Task(task) => {
                        let (group, opener) = parent(task)?;
                        if ptr::eq(&*group, &**inside) {
                            return Some(opener);
                        }
                    }
                    Kind::Scope(_) | Kind::Values(_) | Kind::Slot(_) => {}
                }
                at = Frame::outer(frame);
            }
            None
        });
        Some((inside.weak(), own.unwrap_or(OpenedBy::None)))
    }

    /// Opens it.
    pub(super) fn open<E>(
        self,
        parent: Option<Parent>,
        around: Around,
        lends: bool,
    ) -> Result<Strong<Group>, GroupError<E>> {
        allhome_rt::refuse_holds_where(context::held);
        let Setup { config, inside, condition: _, runtime, on } = self;
        let location = config.place;
        let (beside, here) = P::place(on);
        let found = match (runtime.or(beside), inside) {
            (Some(named), _) => named.find(),
            (None, Some(inside)) => Ok(inside.owned().inherited.runtime.clone()),
            (None, None) => find(),
        };
        let runtime = match found {
            Ok(runtime) => runtime,
            Err(none) => {
                return Err(GroupError::unopened(
                    config.name,
                    location,
                    config.view,
                    Cause::NoRuntime(none),
                ));
            }
        };
        config.ask_timer(&runtime);
        let view = config.view;
        let own_thread = here.map(Here::settle);
        Group::open(config, runtime, own_thread, parent, around, lends).map_err(|(name, reason)| {
            GroupError::unopened(name, location, view, Cause::Cancelled(reason))
        })
    }
}

fn parent(task: &TaskFrame<'_>) -> Option<Parent> {
    let member = task.header().zip(task.task).map(|(header, ptr)| Member::new(header, ptr));
    Some((Group::of(task.group)?.weak(), member.map_or(OpenedBy::Body, OpenedBy::Task)))
}

/// Names both features whichever are on: with one, the call stands outside of what it brings.
const NONE_AROUND: &str = "no runtime is known here: name one with `nursery().on(..)`, or open it \
    in tokio's context (feature `tokio`) or inside `allhome::block_on` (feature `executors`)";

/// Finds the runtime that is known here.
fn find() -> Result<Runtime, NoRuntime> {
    if let Some(runtime) = context::task(|task| Some(task?.env.runtime.clone())) {
        return Ok(runtime);
    }
    if let Some(entered) = entered::find() {
        return entered;
    }
    let around = crate::AROUND.iter().find_map(|find| find());
    around.ok_or(NoRuntime::new(NONE_AROUND))
}
