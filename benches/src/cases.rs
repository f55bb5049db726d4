//! The list of cases.

mod abort;
mod ambient;
mod churn;
mod local;
mod memory;
mod parked;
mod ping_pong;
mod semaphore;
mod simulator;
mod spawn;
mod timeout;
mod timer;
mod token;

use crate::case::Case;
pub use semaphore::count as count_semaphore;
pub use semaphore::count_children;
pub use timeout::count as count_timeout;
pub use token::count as count_token;

/// Returns every case, in the order in which they run.
pub fn all() -> Vec<Case> {
    let mut cases = spawn::cases();
    cases.extend(memory::cases());
    cases.extend(abort::cases());
    cases.extend(token::cases());
    cases.extend(semaphore::cases());
    cases.extend(ambient::cases());
    cases.extend(timeout::cases());
    cases.extend(local::cases());
    cases.extend(parked::cases());
    cases.extend(ping_pong::cases());
    cases.extend(timer::cases());
    cases.extend(simulator::cases());
    cases.extend(churn::cases());
    cases
}

const SIZES: [(&str, usize); 3] = [("1k", 1_000), ("100k", 100_000), ("1m", 1_000_000)];
