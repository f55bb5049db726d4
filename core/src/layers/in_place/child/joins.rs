//! A child's handle for the joiners of many.

use super::{Inner, ScopeChild, hand_in};
use crate::layers::base::as_error::View;
use crate::layers::base::outcome::Ending;
use crate::layers::base::reason::Reason;
use crate::layers::group::no_value::Lack;
use crate::layers::in_place::lack::Lacking;
use crate::layers::in_place::seats::Reach;
use crate::layers::nursery::join::joinable::{Joinable, sealed::Sealed};
use crate::layers::nursery::join::joined::{Home, Joined, Missed, NoValue, OfOther};
use crate::layers::record::joiner::{SharedList, SharedTally};
use std::mem;
use std::panic::Location;

impl<T, E: Send + Sync + 'static> Joinable for ScopeChild<T, E> {
    type Value = T;
    type Error = E;
}

impl<T, E: Send + Sync + 'static> Sealed for ScopeChild<T, E> {
    type Gives = T;
    type Fails = E;

    fn key(&self) -> Option<usize> {
        match &self.inner {
            Inner::Admitted { cell, is_taken: false, .. } => cell.key(),
            Inner::Admitted { .. } | Inner::Refused(_) => None,
        }
    }

    fn enter(&mut self, list: &SharedList) -> bool {
        match &mut self.inner {
            Inner::Admitted { cell, .. } => cell.enter(list),
            Inner::Refused(_) => false,
        }
    }

    fn enter_tally(&mut self, tally: &SharedTally) -> bool {
        match &mut self.inner {
            Inner::Admitted { cell, .. } => cell.enter_tally(tally),
            Inner::Refused(_) => false,
        }
    }

    fn take_value(&mut self) -> Option<Result<T, NoValue<E>>> {
        Some(ScopeChild::take(self)?.map_err(|(error, lack)| {
            let home = Box::new(self.home());
            NoValue(Missed::OfOther(Box::new(OfOther { error, lack, home })))
        }))
    }

    fn take(&mut self, index: usize) -> Option<Joined<T, E>> {
        let (id, place) = (self.id(), self.location());
        let name = self.name().map(Box::from);
        let result = self.take_value()?.map_err(|NoValue(missed)| missed);
        Some(Joined::new(index, id, name, place, result))
    }

    fn cancel_for(&self, reason: &Reason) -> bool {
        self.core().is_some_and(|core| core.cancel(reason.clone()))
    }

    fn lose(mut self) {
        let Inner::Admitted { core, cell, is_taken } = &mut self.inner else { return };
        if mem::replace(is_taken, true) {
            return;
        }
        if let Some(ending @ (Ending::Panicked(_) | Ending::Lost)) = cell.let_go() {
            hand_in(core, ending);
        }
    }
}

/// The scope of a child that has no value, and the child.
struct InScope {
    child: Option<Reach>,
    view: View,
}

impl<T, E> ScopeChild<T, E> {
    fn home(&self) -> InScope {
        let child = match &self.inner {
            Inner::Admitted { core, .. } => Some(core.clone()),
            Inner::Refused(_) => None,
        };
        InScope { child, view: self.view }
    }
}

impl Home for InScope {
    fn tell(&self, lack: Lack) {
        Lacking { child: self.child.as_deref(), lack, view: self.view }.tell();
    }

    fn end_joiner(&self, lack: Lack, place: &'static Location<'static>) {
        Lacking { child: self.child.as_deref(), lack, view: self.view }.end_joiner(place);
    }

    fn hand_in(&self, ending: Ending) {
        if let Some(child) = &self.child {
            hand_in(child, ending);
        }
    }
}
