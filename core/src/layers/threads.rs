//! Thread scopes: children that borrow from the caller and run in parallel, while the caller's
//! thread waits for them.
//!
//! A thread scope is a nursery on a runtime of its own, the *crew*, whose *hands* are the caller's
//! thread and others. Everything that a nursery does is the nursery's. What is added is the loan of
//! the borrowed futures, and that the caller's thread works while it waits.
//!
//! | file      | what it is                                                                    |
//! |-----------|-------------------------------------------------------------------------------|
//! | `loan`    | futures that borrow, lent to the nursery: the unsafe part, with its argument  |
//! | `crew`    | the runtime: a queue of tasks, and the hands that poll them                    |
//! | `job`     | a task of the crew                                                            |
//! | `work`    | the caller's thread and the scope's own: what each does until the end          |
//! | `outside` | the deadlines of the cancel scopes around the call                           |
//! | `builder`, `handle`, `task_builder`, `reserve`, `child` | what users hold                 |
//!
//! # The end of a scope
//!
//! | step | what has ended then                                                                |
//! |------|------------------------------------------------------------------------------------|
//! | the nursery's future is ready, or dropped by a panic | the children are home, but for those that are being polled, and those that a shield keeps |
//! | the loans are closed, and the caller's thread works on until all are back | every borrowed future is destroyed |
//! | the crew is closed                                   | its tasks are dropped; hands find that out |
//! | the scope's own threads are joined                   | no thread is left                  |
//! | `loan::with` returns                                 | it has waited for the loans itself: this is what the borrows rely on |

pub(crate) mod builder;
pub(crate) mod child;
mod crew;
pub(crate) mod handle;
mod job;
mod loan;
#[cfg(all(test, loom))]
mod models;
mod outside;
pub(crate) mod reserve;
pub(crate) mod task_builder;
mod work;
