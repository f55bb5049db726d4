//! A record that no nursery has admitted yet.

#![allow(unsafe_code)]

use super::layout::{self, Joined, Plain};
use super::{Handle, Header, Ptr};
use crate::layers::base::panic;
use crate::layers::base::stays::LocalFuture;
use crate::layers::base::sync::panicking;
use std::future::Future;
use std::panic::Location;

/// A record that no nursery has admitted yet. It is created claimed.
#[must_use]
pub(crate) struct Unadmitted(Ptr);

impl Unadmitted {
    /// Creates the record of a child that is not joined, in one allocation.
    pub(crate) fn new<F, T, E>(
        future: F,
        name: Option<Box<str>>,
        location: &'static Location<'static>,
    ) -> Unadmitted
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: Send + Sync + 'static,
    {
        Unadmitted(Ptr(layout::allocate::<F, T, E, Plain>(
            Header::new(name, location, false),
            future,
        )))
    }

    /// Creates the record of a child and its handle, in one allocation.
    pub(crate) fn with_handle<F, T, E>(
        future: F,
        name: Option<Box<str>>,
        location: &'static Location<'static>,
    ) -> (Unadmitted, Handle<T, E>)
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: Send + Sync + 'static,
    {
        Unadmitted::joined(future, name, location)
    }

    /// Creates the record of a child of a local nursery, and its handle. The value need not be
    /// `Send`: the future gives it on one thread alone, and it leaves the record by the handle,
    /// which is `Send` only if the value is, or is dropped there by the child's carrier.
    pub(crate) fn with_local_handle<F, T, E>(
        future: LocalFuture<F>,
        name: Option<Box<str>>,
        location: &'static Location<'static>,
    ) -> (Unadmitted, Handle<T, E>)
    where
        F: Future<Output = Result<T, E>> + 'static,
        T: 'static,
        E: Send + Sync + 'static,
    {
        Unadmitted::joined(future, name, location)
    }

    fn joined<F, T, E>(
        future: F,
        name: Option<Box<str>>,
        location: &'static Location<'static>,
    ) -> (Unadmitted, Handle<T, E>)
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: 'static,
        E: Send + Sync + 'static,
    {
        let header = Header::new(name, location, true);
        let unadmitted = Unadmitted(Ptr(layout::allocate::<F, T, E, Joined>(header, future)));
        let handle = Handle::new(unadmitted.0);
        (unadmitted, handle)
    }

    /// Gives the record to a registry, whose lists hold LINKED from now on.
    #[inline]
    pub(crate) fn into_ptr(self) -> Ptr {
        let ptr = self.0;
        std::mem::forget(self);
        ptr
    }
}

impl Drop for Unadmitted {
    /// The child is refused: its future is dropped unpolled. A handle that was created keeps the
    /// memory.
    fn drop(&mut self) {
        // SAFETY: only this token and its handle, which does not claim, point to it.
        let claimed = unsafe { self.0.claimed() };
        // SAFETY: the claim is ours, and `Unadmitted` is the record's first holder.
        if let Err(payload) = unsafe { claimed.refuse() } {
            // A second panic in one unwinding would abort the process.
            if panicking() {
                panic::discard(payload);
            } else {
                panic::resume(payload);
            }
        }
    }
}
