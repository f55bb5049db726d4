//! How a nursery ends: finalizers, grace, shutdown, and tasks that do not let it.

mod finalizers;
mod grace;
mod overdue;
mod shutdown;
mod stuck;
