//! What a task says of itself.

use crate::layers::context;
use crate::layers::group::Group;
use crate::layers::group::registry::BODY;
use crate::layers::record::Header;

/// Sets what the task that calls it, or the nursery's body, is working on: trees and dumps show it
/// beside the name. It replaces the note before; an empty text takes that away. Outside of any nursery
/// it does nothing.
///
/// A name is for what a task is, and given when it is spawned; a note is for what it does now. It
/// stands in a map of the nursery, under the nursery's lock, and goes with the task: a note costs an
/// allocation and an entry there, and a task without one costs nothing. What is sent to a dump is text
/// of the program's: mind what is in it.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{Nursery, block_on, nursery, see};
/// use std::convert::Infallible;
///
/// block_on(nursery().run(async |n: Nursery<Infallible>| {
///     n.task("connection").go(async {
///         for path in ["/", "/login"] {
///             see::note(format!("GET {path}"));
///             allhome::yield_now().await;
///         }
///         std::future::pending().await
///     });
///     while n.tree().root().tasks[0].note.as_deref() != Some("GET /login") {
///         allhome::yield_now().await;
///     }
///     n.abort();
///     Ok(())
/// }))?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn note(text: impl Into<Box<str>>) {
    let text = text.into();
    let old = context::task(|task| {
        let task = task?;
        let group = Group::of(task.group)?;
        let number = task.header().map_or(BODY, Header::number);
        group.locked(|registry| registry.notes.set(number, text))
    });
    drop(old);
}
