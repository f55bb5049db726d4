//! Parts of a task: deadlines, shields, sleeps, and the token of a task.

mod clock_of_runtime;
mod condition;
mod odd_timer;
mod own_end;
mod scopes;
mod shield;
mod task_tokens;
mod time;
