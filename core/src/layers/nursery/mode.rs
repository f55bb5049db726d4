//! Whether a nursery's children are `Send`. Their types are erased, and with them the auto traits,
//! so the builder's type, and that of the nursery's future, has to say it.

use super::Nursery;
use super::local::LocalNursery;
use crate::layers::group::own_thread::OwnThread;
use allhome_rt::{LocalRuntime, RuntimeSource};

/// Whether the children of a nursery are `Send`: [`Sendable`] or [`Local`]. No other type has it.
pub trait Mode: sealed::Sealed {
    /// The handle that the body gets.
    type Handle<E: Send + Sync + 'static>;
    #[doc(hidden)]
    type On;
    #[doc(hidden)]
    fn handle<E: Send + Sync + 'static>(nursery: Nursery<E>) -> Self::Handle<E>;
    /// Returns the runtime, and the thread of the children, if it has one.
    #[doc(hidden)]
    fn place(on: Self::On) -> (Option<RuntimeSource>, Option<Here>);
}

/// The children are `Send`, and run where the runtime likes.
#[derive(Debug)]
pub enum Sendable {}

/// The children need not be `Send`, and run on the thread that opens the nursery.
#[derive(Debug)]
pub enum Local {}

/// The present thread, as that of a nursery's children.
#[derive(Debug)]
pub struct Here(LocalRuntime);

impl Here {
    pub(super) fn settle(self) -> OwnThread {
        OwnThread::new(self.0.spawner().clone())
    }
}

impl Mode for Sendable {
    type Handle<E: Send + Sync + 'static> = Nursery<E>;
    type On = ();

    fn handle<E: Send + Sync + 'static>(nursery: Nursery<E>) -> Nursery<E> {
        nursery
    }

    fn place((): ()) -> (Option<RuntimeSource>, Option<Here>) {
        (None, None)
    }
}

impl Mode for Local {
    type Handle<E: Send + Sync + 'static> = LocalNursery<E>;
    type On = LocalRuntime;

    fn handle<E: Send + Sync + 'static>(nursery: Nursery<E>) -> LocalNursery<E> {
        LocalNursery::new(nursery)
    }

    fn place(on: LocalRuntime) -> (Option<RuntimeSource>, Option<Here>) {
        (Some(on.runtime()), Some(Here(on)))
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Sendable {}
    impl Sealed for super::Local {}
}
