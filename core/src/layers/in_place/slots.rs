//! The children that the scope's future owns, each in a slot.
//!
//! | slot    | from                        | to                                             |
//! |---------|-----------------------------|------------------------------------------------|
//! | free    | -                           | new: a child is taken from the inbox           |
//! | new     | free                        | waiting: polled; free: cancelled before that   |
//! | waiting | new, waiting                | waiting: polled; free: returned, panicked, cut |
//!
//! A child whose future was dropped leaves its slot before its outcome is given out.

use super::control::{BODY, Core};
use super::mode::Mode;
use super::part::Part;
use crate::layers::base::outcome::Ending;
use crate::layers::base::sync::Arc;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A child that no poll has seen yet.
pub(super) struct New<'a, M: Mode> {
    pub(super) core: Arc<Core>,
    pub(super) task: Task<'a, M>,
    pub(super) join: Option<Arc<M::Join<'a>>>,
}

/// A child's future.
pub(super) struct Task<'a, M: Mode>(pub(super) Pin<Box<M::Task<'a>>>);

impl<M: Mode> Future for Task<'_, M> {
    type Output = Ending;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ending> {
        self.0.as_mut().poll(cx).map(|done| done.0)
    }
}

pub(super) struct Slot<'a, M: Mode> {
    pub(super) part: Part,
    pub(super) task: Option<Task<'a, M>>,
    pub(super) join: Option<Arc<M::Join<'a>>>,
    pub(super) started: bool,
    /// Its own grace has begun.
    pub(super) graced: bool,
}

pub(super) struct Slots<'a, M: Mode> {
    slots: Vec<Option<Slot<'a, M>>>,
    free: Vec<u32>,
}

impl<'a, M: Mode> Slots<'a, M> {
    pub(super) fn new() -> Slots<'a, M> {
        Slots { slots: Vec::new(), free: Vec::new() }
    }

    /// Takes a child in. Returns where it is.
    pub(super) fn insert(&mut self, new: New<'a, M>) -> u32 {
        let New { core, task, join } = new;
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).expect("no four thousand million children")
        });
        assert!(index != BODY, "no four thousand million children");
        core.set_index(index);
        let slot =
            Slot { part: Part::new(core), task: Some(task), join, started: false, graced: false };
        self.slots[index as usize] = Some(slot);
        index
    }

    pub(super) fn get(&mut self, index: u32) -> Option<&mut Slot<'a, M>> {
        self.slots.get_mut(index as usize)?.as_mut()
    }

    pub(super) fn remove(&mut self, index: u32) -> Option<Slot<'a, M>> {
        let slot = self.slots.get_mut(index as usize)?.take();
        if slot.is_some() {
            self.free.push(index);
        }
        slot
    }

    /// Returns where children may be: below this.
    pub(super) fn end(&self) -> u32 {
        self.slots.len() as u32
    }
}
