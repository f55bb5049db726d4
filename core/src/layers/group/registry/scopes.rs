//! The scopes in place that are open in a nursery's tasks, or in its body.

use crate::layers::context::shown::OpenScope;
use slab::Slab;

/// In a box: most nurseries have none.
#[derive(Default)]
pub(crate) struct Scopes(Option<Box<Slab<OpenScope>>>);

impl Scopes {
    pub(crate) fn add(&mut self, scope: OpenScope) -> u32 {
        let key = self.0.get_or_insert_default().insert(scope);
        u32::try_from(key).expect("fewer than 2^32 scopes are open in one nursery")
    }

    pub(crate) fn remove(&mut self, key: u32) -> Option<OpenScope> {
        self.0.as_mut()?.try_remove(key as usize)
    }

    /// Returns all of them, those that were opened first at the front.
    pub(crate) fn all(&self) -> Vec<OpenScope> {
        let open = self.0.iter().flat_map(|scopes| scopes.iter());
        let mut all = Vec::from_iter(open.map(|(_, scope)| scope.clone()));
        all.sort_unstable_by_key(|open| open.scope.id());
        all
    }
}
