//! Going through a nursery and all that are inside it.

use super::Group;
use super::registry::{OpenedBy, Registry};
use crate::layers::base::counted::Weak;
use crate::layers::base::id::{NurseryId, TaskId};
use crate::layers::context::shown::{OpenScope, ScopeOpener, Shown};
use std::collections::BTreeMap;

/// One nursery, or scope in place, on the way.
pub(crate) struct Visit<'a> {
    pub(crate) at: At<'a>,
    /// How deep it is; 0 for the one that the walk began at.
    pub(crate) depth: usize,
    /// What opened it.
    pub(crate) opened_by: Opener,
}

pub(crate) enum At<'a> {
    /// Its lock is held.
    Nursery(&'a Weak<Group>, &'a mut Registry),
    /// No lock is.
    Scope(&'a dyn Shown),
}

/// What opened a nursery, or a scope in place, of a [`Tree`](crate::task::Tree).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Opener {
    /// The body of the nursery, or scope, around it.
    Body,
    /// This task of the nursery, or scope, around it.
    Task(TaskId),
    /// A task that is not in the tree: it has ended, or is a foreign one that has a handle. The
    /// outermost nursery's opener is never in its tree.
    Outside,
}

/// What is still to be visited.
enum Next {
    Nursery(Weak<Group>),
    Scope(OpenScope),
}

impl Group {
    /// Calls `f` for each nursery of the tree, with its lock held.
    pub(crate) fn walk_registries(&self, mut f: impl FnMut(&mut Registry)) {
        self.walk(|visit| {
            if let At::Nursery(_, registry) = visit.at {
                f(registry);
            }
        });
    }

    /// Calls `visit` for each nursery and scope of the tree, outer ones first: one lock after the
    /// other. A loop, not a recursion: the tree may be thousands deep.
    pub(crate) fn walk(&self, mut visit: impl FnMut(Visit<'_>)) {
        let mut found = vec![(Next::Nursery(self.weak()), 0, Opener::Outside)];
        // Scopes in scopes, until the one around is visited.
        let mut inner = BTreeMap::<NurseryId, Vec<(Opener, OpenScope)>>::new();
        while let Some((next, depth, opened_by)) = found.pop() {
            let id = match next {
                Next::Nursery(group) => {
                    let scopes = group.locked(|registry| {
                        visit(Visit { at: At::Nursery(&group, registry), depth, opened_by });
                        registry.nested.each(|nested, opened_by| {
                            let opener = opener(group.id, opened_by);
                            found.push((Next::Nursery(nested.clone()), depth + 1, opener));
                        });
                        registry.scopes.all()
                    });
                    for open in scopes {
                        let opener = match open.opener {
                            ScopeOpener::Body => Opener::Body,
                            ScopeOpener::Task(number) => {
                                Opener::Task(TaskId { nursery: group.id, number })
                            }
                            ScopeOpener::Scope(around, task) => {
                                let opener = task.map_or(Opener::Body, Opener::Task);
                                inner.entry(around).or_default().push((opener, open));
                                continue;
                            }
                        };
                        found.push((Next::Scope(open), depth + 1, opener));
                    }
                    continue;
                }
                Next::Scope(open) => {
                    visit(Visit { at: At::Scope(&*open.scope), depth, opened_by });
                    open.scope.id()
                }
            };
            for (opener, open) in inner.remove(&id).unwrap_or_default() {
                found.push((Next::Scope(open), depth + 1, opener));
            }
        }
    }
}

fn opener(nursery: NurseryId, opened_by: OpenedBy) -> Opener {
    match opened_by {
        OpenedBy::Body => Opener::Body,
        OpenedBy::Task(task) => Opener::Task(TaskId { nursery, number: task.number() }),
        OpenedBy::None => Opener::Outside,
    }
}
