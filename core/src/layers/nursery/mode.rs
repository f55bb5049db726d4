//! What it makes of a nursery whether its children are `Send`.

use super::Nursery;
use super::local::LocalNursery;
use crate::layers::base::mode::{Local, Sealed, Sendable};
use crate::layers::group::own_thread::OwnThread;
use allhome_rt::{LocalRuntime, RuntimeSource};

/// Whether the children of a nursery are `Send`: [`Sendable`] or [`Local`]. No other type has it.
pub trait NurseryMode: Sealed {
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

/// The present thread, as that of a nursery's children.
#[derive(Debug)]
pub struct Here(LocalRuntime);

impl Here {
    pub(super) fn settle(self) -> OwnThread {
        OwnThread::new(self.0.spawner().clone())
    }
}

impl NurseryMode for Sendable {
    type Handle<E: Send + Sync + 'static> = Nursery<E>;
    type On = ();

    fn handle<E: Send + Sync + 'static>(nursery: Nursery<E>) -> Nursery<E> {
        nursery
    }

    fn place((): ()) -> (Option<RuntimeSource>, Option<Here>) {
        (None, None)
    }
}

impl NurseryMode for Local {
    type Handle<E: Send + Sync + 'static> = LocalNursery<E>;
    type On = LocalRuntime;

    fn handle<E: Send + Sync + 'static>(nursery: Nursery<E>) -> LocalNursery<E> {
        LocalNursery::new(nursery)
    }

    fn place(on: LocalRuntime) -> (Option<RuntimeSource>, Option<Here>) {
        (Some(on.runtime()), Some(Here(on)))
    }
}
