//! The list of cases.

mod abort;
mod ambient;
mod churn;
mod crowd;
mod in_place;
mod local;
mod lone;
mod many;
mod memory;
mod parked;
mod ping_pong;
mod semaphore;
mod simulator;
mod spawn;
mod spread;
mod threads;
mod timeout;
mod timer;
mod token;

use crate::case::Case;
pub use abort::until_gone as abort;
pub use in_place::count as count_in_place;
pub use many::count as count_many;
pub use semaphore::count as count_semaphore;
pub use semaphore::count_children;
pub use semaphore::line::line as semaphore_line;
pub use spawn::{fork_join, spawn_join, spawn_join_pool, wake};
pub use timeout::{count as count_timeout, of as timeout};
pub use timer::change as timer_change;
pub use token::count as count_token;

/// Returns every case, in the order in which they run.
pub fn all() -> Vec<Case> {
    let mut cases = spawn::cases();
    cases.extend(lone::cases());
    cases.extend(spread::cases());
    cases.extend(crowd::cases());
    cases.extend(memory::cases());
    cases.extend(abort::cases());
    cases.extend(token::cases());
    cases.extend(semaphore::cases());
    cases.extend(ambient::cases());
    cases.extend(timeout::cases());
    cases.extend(local::cases());
    cases.extend(in_place::cases());
    cases.extend(many::cases());
    cases.extend(threads::cases());
    cases.extend(parked::cases());
    cases.extend(ping_pong::cases());
    cases.extend(timer::cases());
    cases.extend(simulator::cases());
    cases.extend(churn::cases());
    cases
}

const SIZES: [(&str, usize); 3] = [("1k", 1_000), ("100k", 100_000), ("1m", 1_000_000)];
