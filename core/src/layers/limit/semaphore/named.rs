//! A semaphore's name, and what a wait for it says.

use super::Semaphore;
use crate::layers::base::names::Named;
use crate::layers::base::wait_mark::{self, Kind};
use std::borrow::Cow;

impl Semaphore {
    /// Sets its name, which `Debug` and dumps show.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(allhome::Semaphore::new(8).named("db").name(), Some("db"));
    /// ```
    pub fn named(mut self, name: impl Into<Cow<'static, str>>) -> Semaphore {
        self.name = Named::new(name.into());
        self
    }

    /// Returns its name, if it has one.
    pub fn name(&self) -> Option<&str> {
        self.name.name()
    }

    /// Returns the number of its name: 0 if it has none.
    pub(crate) fn name_number(&self) -> u64 {
        self.name.number()
    }

    /// A wait for its permits is pending.
    #[cold]
    pub(in crate::layers::limit) fn mark(&self) {
        wait_mark::on(Kind::Permit, self.name.number());
    }
}
