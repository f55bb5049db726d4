//! Parts of a task: deadlines, shields, sleeps, and the token of a task.

mod odd_timer;
mod scopes;
mod shield;
mod task_tokens;
mod time;
