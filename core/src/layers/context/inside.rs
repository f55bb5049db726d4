//! A cancel scope that code runs inside, and the child in place whose it may be.

use super::in_place::InPlace;
use super::scope::Scope;
use std::ops::Deref;

/// A cancel scope that the present thread is in, and whose it is if it is a child's or the body's.
#[derive(Clone, Copy)]
pub(crate) struct Inside<'a> {
    scope: &'a Scope,
    place: Option<&'a InPlace<'a>>,
}

impl<'a> Inside<'a> {
    pub(crate) fn of(scope: &'a Scope, place: &'a InPlace<'a>) -> Inside<'a> {
        Inside { scope, place: Some(place) }
    }

    pub(crate) fn in_place(&self) -> Option<&'a InPlace<'a>> {
        self.place
    }
}

impl<'a> From<&'a Scope> for Inside<'a> {
    fn from(scope: &'a Scope) -> Inside<'a> {
        Inside { scope, place: None }
    }
}

impl Deref for Inside<'_> {
    type Target = Scope;

    fn deref(&self) -> &Scope {
        self.scope
    }
}
