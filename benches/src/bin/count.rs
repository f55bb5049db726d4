//! `count ours|fork|fork/all|fork/next|joinset|joinset/values|tracker|bare N`: spawn and join of N
//! children that do nothing, once, on tokio's current-thread runtime; with `fork`, each by its handle,
//! all by `join_all`, or as they end. Or
//! `count bounded|bounded/one|bounded/plain N`: the same in a nursery with a limit. Or `count
//! token|wait|cancel[_peer] N`: a token's child made and dropped, a waiter entered and dropped, a
//! child with a waiter cancelled, N times. Or `count
//! SEMAPHORE/1|5|try|handoff N`: so many permits acquired and given back, one tried for, one handed
//! on; SEMAPHORE is semaphore (ours), tokio, async-lock, futures-intrusive or mea, or nothing, for
//! what the bench itself costs. Or `count children/semaphore|children/tokio N`: N turns of 64 children
//! of a nursery at one permit, over a yield each; of 64 tasks of tokio's at one of its own.
//! Or `count timeout/PENDING[/pool|/tokio] N`: timeouts of futures that are
//! ready after so many polls; `timeout/poll`: further polls; `timeout/sleep`: sleeps that are made, polled
//! once and dropped. Or `count wake/TIMES[/joinset|/tracker] N`: spawn and join of N
//! children, each woken so many times. Or `count abort[/joinset] N`: N children are spawned, wait,
//! and are aborted. Or `count fork N`: N children, each joined by its handle. Or `count pool N`: so many tasks of `ThreadPool`, with no nursery. For
//! callgrind; see `rmw.sh`. Or `count lone[/bare] N`: one child, or a task of the runtime, that gives
//! the others a turn N times. Or `count in_place/fork|spawn|yield|unordered|buffered N`: N children of a
//! scope in place, a thousand at a time: each joined by its handle; without one; woken once; and the
//! same of `FuturesUnordered` and of futures-buffered, boxed.

use std::process::ExitCode;

use allhome_benches::host::{Flavor, Host};
use allhome_benches::ours::Slots;
use allhome_benches::work::{Noop, Woken};
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
        "fork" => drop(host.run(ours::fork_join(n, Noop))),
        "fork/all" => drop(host.run(ours::fork_join_all(n, Noop))),
        "fork/next" => drop(host.run(ours::fork_join_next(n, Noop))),
        "joinset/values" => drop(host.run(peers::join_set_values(n, Noop))),
        "joinset" => drop(host.run(peers::join_set(n, Noop))),
        "tracker" => drop(host.run(peers::task_tracker(n, Noop))),
        "bare" => drop(host.run(peers::bare(n, Noop))),
        "bounded" => host.run(ours::bounded(n, Slots::Free, Noop)),
        "bounded/one" => host.run(ours::bounded(n, Slots::One, Noop)),
        "bounded/plain" => host.run(ours::bounded(n, Slots::Plain, Noop)),
        "lone" => host.run(ours::lone(n)),
        "lone/bare" => host.run(peers::lone_bare(n)),
        "abort" => drop(host.run(ours::abort(n))),
        "abort/joinset" => drop(host.run(peers::shutdown_join_set(n))),
        _ if wake(&host, side, n) => return ExitCode::SUCCESS,
        _ if cases::count_token(side, n) => return ExitCode::SUCCESS,
        _ if cases::count_children(side, n) => return ExitCode::SUCCESS,
        _ if cases::count_semaphore(side, n) => return ExitCode::SUCCESS,
        _ if cases::count_in_place(side, n) => return ExitCode::SUCCESS,
        _ if cases::count_timeout(side, n) => return ExitCode::SUCCESS,
        _ => return usage(),
    };
    ExitCode::SUCCESS
}

/// Spawns, wakes and joins. Returns `false` if `side` names no such side.
fn wake(host: &Host, side: &str, n: usize) -> bool {
    let Some(side) = side.strip_prefix("wake/") else { return false };
    let (times, by) = side.split_once('/').unwrap_or((side, "ours"));
    let Ok(times) = times.parse() else { return false };
    match by {
        "ours" => drop(host.run(ours::wake(n, times))),
        "fork/next" => drop(host.run(ours::fork_join_next(n, Noop))),
        "joinset/values" => drop(host.run(peers::join_set_values(n, Noop))),
        "joinset" => drop(host.run(peers::wake_join_set(n, times, Woken(times)))),
        "tracker" => drop(host.run(peers::wake_task_tracker(n, times, Woken(times)))),
        _ => return false,
    }
    true
}

fn usage() -> ExitCode {
    eprintln!(
        "usage: count ours|fork[/all]|bounded[/one|/plain]|joinset|tracker|bare|pool|token|wait N"
    );
    eprintln!("       count cancel[_peer] N");
    eprintln!("       count wake/TIMES[/joinset|/tracker]|abort[/joinset] N");
    eprintln!("       count SEMAPHORE/1|5|try|handoff|children/semaphore|children/tokio N");
    eprintln!("       count in_place/fork|spawn|yield|unordered|buffered N");
    eprintln!("       count timeout/PENDING|poll|sleep[/pool|/tokio] N");
    ExitCode::from(2)
}
