//! Opening a nursery as a value.

use super::Builder;
use crate::layers::base::as_error::AsError;
use crate::layers::context::scope::Around;
use crate::layers::group::registry;
use crate::layers::nursery::Nursery;
use crate::layers::nursery::error::GroupError;
use crate::layers::nursery::owner::Owner;

impl Builder {
    /// Opens the nursery now, as a value: for a field of a struct whose background work ends with
    /// it. The [`Owner`] closes it, or, dropped, ends what is in it at once.
    ///
    /// A task of the runtime polls the nursery meanwhile. So its deadline, its grace, a cancel and
    /// its finalizers take effect while no one awaits anything. Where a function can await the
    /// work, use [`run`](Builder::run): it costs less, and its body's value comes out.
    ///
    /// Opened in a task or body of another nursery, it is inside of that *nursery*: it is listed
    /// there, cancelled with it and waited for. The task that opens it may end before, so neither its
    /// own cancel nor the cancel scopes and shields around the call concern it.
    ///
    /// # Errors
    ///
    /// Returns the error of a nursery that was not opened, as [`run`](Builder::run) does: no runtime
    /// is known, or the nursery that it is opened in takes no more: it drains, say, and this one
    /// could outlive all that it waits for. Work of a child that drains uses [`run`](Builder::run),
    /// which ends before its child does and is never refused for that.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{BoxError, GroupError, Nursery, Owner, nursery};
    /// use std::sync::mpsc::{Sender, channel};
    ///
    /// /// A client whose background work is its own.
    /// struct Client {
    ///     n: Nursery,
    ///     owner: Owner,
    ///     wire: Sender<&'static str>,
    /// }
    ///
    /// impl Client {
    ///     fn connect(wire: Sender<&'static str>) -> Result<Client, GroupError<BoxError>> {
    ///         let (n, owner) = nursery().name("client").open()?;
    ///         Ok(Client { n, owner, wire })
    ///     }
    ///
    ///     fn send(&self, message: &'static str) {
    ///         let wire = self.wire.clone();
    ///         self.n.spawn(async move { Ok(wire.send(message)?) });
    ///     }
    ///
    ///     /// Waits until all is sent; fails if something could not be.
    ///     async fn close(self) -> Result<(), GroupError<BoxError>> {
    ///         self.owner.close().await
    ///     }
    /// }
    ///
    /// let (wire, sent) = channel();
    /// allhome::block_on(async {
    ///     let client = Client::connect(wire)?;
    ///     client.send("hello");
    ///     client.close().await
    /// })?;
    /// assert_eq!(sent.recv(), Ok("hello"));
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open<E: AsError<M>, M>(self) -> Result<(Nursery<E>, Owner<E>), GroupError<E>> {
        let mut setup = self.setup::<E, M>();
        let condition = setup.condition.take();
        let parent = setup.parent().map(|(group, _)| (group, registry::OpenedBy::None));
        let group = setup.open(parent, Around::default(), false)?;
        let nursery = Nursery::new(group);
        let owner = Owner::new(nursery.clone(), condition);
        Ok((nursery, owner))
    }
}
