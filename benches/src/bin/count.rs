//! `count ours|joinset|tracker|bare N`: spawn and join of N children that do nothing, once, on
//! tokio's current-thread runtime. Or `count bounded|bounded/one|bounded/plain N`: the same in a nursery
//! with a limit. Or `count token|wait|cancel[_peer] N`: a token's child made and
//! dropped, a waiter entered and dropped, a child with a waiter cancelled, N times. Or
//! `count SEMAPHORE/1|5|try|handoff N`: so many permits acquired and given back, one tried for, one
//! handed on; SEMAPHORE is semaphore (ours), tokio, async-lock, futures-intrusive or mea, or nothing,
//! for what the bench itself costs. Or `count pool N`: so many tasks of `ThreadPool`, with no nursery.
//! For callgrind; see `rmw.sh`.

use std::process::ExitCode;

use allhome_benches::host::{Flavor, Host};
use allhome_benches::ours::Slots;
use allhome_benches::work::Noop;
use allhome_benches::{cases, ours, peers};

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let [side, n] = &args[..] else { return usage() };
    let Ok(n) = n.parse() else { return usage() };
    if side == "pool" {
        ours::pool_tasks(n);
        return ExitCode::SUCCESS;
    }
    let host = Host::new(Flavor::CurrentThread);
    match side.as_str() {
        "ours" => drop(host.run(ours::spawn_join(n, Noop))),
        "joinset" => drop(host.run(peers::join_set(n, Noop))),
        "tracker" => drop(host.run(peers::task_tracker(n, Noop))),
        "bare" => drop(host.run(peers::bare(n, Noop))),
        "bounded" => host.run(ours::bounded(n, Slots::Free, Noop)),
        "bounded/one" => host.run(ours::bounded(n, Slots::One, Noop)),
        "bounded/plain" => host.run(ours::bounded(n, Slots::Plain, Noop)),
        _ if cases::count_token(side, n) => return ExitCode::SUCCESS,
        _ if cases::count_semaphore(side, n) => return ExitCode::SUCCESS,
        _ => return usage(),
    };
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!("usage: count ours|bounded|joinset|tracker|bare|pool|token|wait|cancel[_peer] N");
    eprintln!("       count SEMAPHORE/1|5|try|handoff N");
    ExitCode::from(2)
}
