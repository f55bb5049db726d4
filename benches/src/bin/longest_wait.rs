//! `longest_wait [SECONDS]`: how long one spawn takes when eight threads spawn into one nursery, one
//! of them at a low priority; beside it, into tokio-util's `TaskTracker`. `longest_wait.sh` compares
//! two commits.

use std::process::ExitCode;
use std::time::Duration;

use allhome_benches::waits::{self, Into, Times};

fn main() -> ExitCode {
    let seconds = std::env::args().nth(1).map_or(Ok(1.0), |text| text.parse());
    let Ok(Ok(long)) = seconds.map(Duration::try_from_secs_f64) else {
        eprintln!("usage: longest_wait [SECONDS]");
        return ExitCode::from(2);
    };
    println!(
        "{:<28} {:>9} {:>8} {:>8} {:>8} {:>8} {:>9}   (microseconds)",
        "", "calls", "50 %", "99 %", "99.9 %", "99.99 %", "longest"
    );
    for (name, into) in [("nursery", Into::Nursery), ("TaskTracker", Into::TaskTracker)] {
        let waits = waits::measure(into, long);
        print(&format!("{name}, usual priority"), &waits.usual);
        print(&format!("{name}, low priority"), &waits.low);
    }
    ExitCode::SUCCESS
}

fn print(name: &str, times: &Times) {
    let micros = |nanos: u64| nanos as f64 / 1_000.0;
    let [half, most, nearly, all] = [0.5, 0.99, 0.999, 0.9999].map(|s| micros(times.within(s)));
    let (calls, longest) = (times.count(), micros(times.longest()));
    println!(
        "{name:<28} {calls:>9} {half:>8.2} {most:>8.2} {nearly:>8.2} {all:>8.1} {longest:>9.0}"
    );
}
