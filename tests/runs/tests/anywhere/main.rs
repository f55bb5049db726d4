//! Nurseries wherever a runtime is known, inside of another from any task, and as values.

mod idle;
mod inside;
mod lookup;
mod many;
mod owner;
mod owner_odd;
mod programs;

use allhome::error::AsError;
use allhome::runtime::Runtime;
use allhome::{GroupError, Nursery, Owner, nursery};
use std::convert::Infallible;

/// A nursery that is a value.
type Opened = (Nursery<Infallible>, Owner<Infallible>);

/// Opens one there.
fn open(runtime: &Runtime) -> Opened {
    open_as(runtime).expect("the runtime is known")
}

fn open_as<E: AsError<M>, M>(runtime: &Runtime) -> Result<(Nursery<E>, Owner<E>), GroupError<E>> {
    nursery().on(runtime).name("opened").open()
}
