//! What the tests share: an executor that is driven step by step and can be made to misbehave, a
//! blocking pool that is driven likewise, polls that count wakes, children that stay inside a poll
//! for as long as a test likes, the places that children are spawned in, the moments at which a
//! cancel may come, and a program that uses a bit of everything.

#![forbid(unsafe_code)]

pub mod budget;
mod clock;
mod everywhere;
mod hold;
mod jobs;
mod log;
mod manner;
pub mod place;
mod program;
mod root;
mod stepped;
pub mod table;
mod window;

pub use clock::{Clock, SECOND, in_body, world};
pub use everywhere::{Boxed, MOMENT, everywhere, in_all_schedules, on_threads};
pub use hold::{Hold, within};
pub use jobs::Jobs;
pub use log::{Log, OnDrop};
pub use manner::{AtSpawn, AtWake, Manner};
pub use program::program;
pub use root::{Opened, Wakes, poll_once};
pub use stepped::{Scheduled, Stepped};
pub use window::{WINDOWS, Window};
