//! What a scope's handle says of its children, and does with one or with all of them.

use super::Scope;
use crate::layers::base::id::TaskId;
use crate::layers::base::outcome::Ending;
use crate::layers::base::reason::{Level, Reason, ReasonKind};
use crate::layers::base::sync::Arc;
use crate::layers::base::who::Who;
use crate::layers::context;
use crate::layers::context::new_reason::by_caller;
use crate::layers::group::config::Policy;
use crate::layers::group::describe;
use crate::layers::group::registry::report::Entry;
use crate::layers::in_place::mode::Mode;
use crate::layers::nursery::tree::Tree;
use allhome_rt::Instant;
use std::panic::Location;

impl<'a, E: Send + Sync + 'static, M: Mode> Scope<'a, E, M> {
    /// Returns a snapshot of the children that have not ended.
    ///
    /// What they have opened, scopes and nurseries, stands in the [tree](crate::Nursery::tree) of
    /// the nursery around, with this scope.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Scope, block_on, scope};
    ///
    /// let run = scope().name("pages").run(async |s: Scope<'_>| {
    ///     s.task("fetch").spawn(std::future::pending());
    ///     let tree = s.tree();
    ///     s.cancel_children();
    ///     Ok(tree)
    /// });
    /// let tree = block_on(run)?;
    /// assert!(tree.to_string().contains("`fetch` queued, 0 polls"));
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn tree(&self) -> Tree {
        Tree::of_scope(&*self.shared.control)
    }

    /// Returns how far the scope is on its way to its end. It is draining when it was closed, when it
    /// has ended, and when its [children's time](crate::in_place::ScopeBuilder::children_deadline) is
    /// over.
    pub fn level(&self) -> Level {
        self.shared.control.level()
    }

    /// Returns the instant at which the scope's time is over, for its children.
    pub fn deadline(&self) -> Option<Instant> {
        self.shared.control.deadline_for(true)
    }

    /// Cancels the child with this id. Returns `false` if it has ended, was cancelled before, or is
    /// no child of this scope.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Scope, block_on, scope};
    ///
    /// let run = scope().run(async |s: Scope<'_>| {
    ///     let id = s.go(std::future::pending::<()>()).id().expect("it was admitted");
    ///     Ok((s.cancel_task(id), s.cancel_task(id)))
    /// });
    /// assert_eq!(block_on(run)?, (true, false));
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn cancel_task(&self, id: TaskId) -> bool {
        let reason = by_caller(ReasonKind::Requested, Location::caller());
        let control = &self.shared.control;
        id.nursery == control.id && control.cancel_each(&reason, |number| number == id.number) == 1
    }

    /// Cancels every child that there is, each alone, and leaves the body and the scope: the body
    /// goes on, and may spawn other children. Returns how many there were that were not cancelled.
    ///
    /// To wait until they are gone, await [`idle`](Scope::idle). A child that calls this is one of
    /// them.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Scope, block_on, scope};
    ///
    /// let run = scope().run(async |s: Scope<'_>| {
    ///     for _ in 0..3 {
    ///         s.go(std::future::pending::<()>());
    ///     }
    ///     assert_eq!(s.cancel_children(), 3);
    ///     s.idle().await;
    ///     Ok(s.fork(async { Ok(7) }).await?)
    /// });
    /// assert_eq!(block_on(run)?, 7);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn cancel_children(&self) -> usize {
        let reason = by_caller(ReasonKind::Requested, Location::caller());
        self.shared.control.cancel_each(&reason, |_| true)
    }

    /// Reports a failure of the child, or body, that calls it, which goes on. It counts in any case:
    /// also after a cancel, when an error that a child returns is an
    /// [echo](crate::GroupError::echoes) of that.
    ///
    /// What follows is what follows from the failure of a child: by default the others are cancelled.
    /// Returns `false` if the scope has ended: the error is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Scope, block_on, scope};
    ///
    /// let run = scope().run(async |s: Scope<'_, String>| {
    ///     s.fail("3 records lost".to_string());
    ///     Ok(())
    /// });
    /// assert_eq!(block_on(run).unwrap_err().into_error().unwrap(), "3 records lost");
    /// # }
    /// ```
    #[track_caller]
    pub fn fail(&self, error: E) -> bool {
        let (who, ending) = (self.caller(Location::caller()), Ending::Err(Arc::new(error)));
        let (message, control) = (describe(&ending), &self.shared.control);
        let (task, place) = (who.task, who.place);
        let kept = self.shared.hand_in(Entry::new(ending, who));
        if kept && control.policy == Policy::FailFast {
            let kind = task.map_or(ReasonKind::BodyFailed, |_| ReasonKind::ChildFailed);
            control.cancel(Reason::of(kind, message, task, place));
        }
        kept
    }

    /// Returns which child calls, or that it is the body, or another task at this place.
    fn caller(&self, place: &'static Location<'static>) -> Who {
        let control = &self.shared.control;
        let own = context::current(|mut at| {
            while let Some(frame) = at {
                match frame.in_place().filter(|inside| inside.scope() == control.id) {
                    Some(inside) => return Some(inside.cancel.who()),
                    None => at = frame.outer(),
                }
            }
            None
        });
        let name = control.name.clone();
        own.unwrap_or(Who { task: None, name, place, finalizer: false })
    }
}
