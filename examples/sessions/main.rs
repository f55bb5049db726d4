//! A session a user: a second login ends the first session, and begins when that one has said
//! goodbye; a logout ends it, and so does an hour without a message.
//!
//! ```sh
//! cargo run --example sessions
//! ```
//!
//! It runs in the simulator, so that its times are the same in each run; on any other runtime the
//! code is the same.

use allhome::join::RaceExt;
use allhome::many::KeyedNursery;
use allhome::time::{Instant, now, sleep_until};
use allhome::{Nursery, Simulator, cancelled, shield, sleep};
use std::convert::Infallible;
use std::error::Error;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

/// What a client does, so many minutes after the start.
enum Event {
    LogsIn(&'static str, &'static str),
    LogsOut(&'static str),
}

use Event::{LogsIn, LogsOut};

const DAY: [(u32, Event); 6] = [
    (0, LogsIn("ada", "phone")),
    (5, LogsIn("bob", "laptop")),
    (10, LogsIn("ada", "laptop")),
    (20, LogsOut("bob")),
    (25, LogsOut("eve")),
    (90, LogsIn("bob", "phone")),
];

/// Prints a line with the time since the start.
#[derive(Clone, Copy)]
struct Log(Instant);

impl Log {
    fn line(self, text: &str) {
        println!("{:>3} min  {text}", (now() - self.0).as_secs() / 60);
    }
}

/// A session: it ends when it is cancelled, or by itself after an hour. To say goodbye takes a
/// minute, which a cancel does not cut short.
async fn session(user: &'static str, device: &'static str, log: Log) -> Result<(), Infallible> {
    log.line(&format!("{user} is in on the {device}"));
    let why = match sleep(HOUR).until(cancelled()).await {
        Ok(()) => "an hour has passed".to_string(),
        Err(reason) => reason.message().to_string(),
    };
    shield(2 * MINUTE, sleep(MINUTE)).await;
    log.line(&format!("{user} is out on the {device}: {why}"));
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    Simulator::new().run(async |n: Nursery<Infallible>| {
        let (log, sessions) = (Log(now()), KeyedNursery::<str, (), _>::new(&n));
        for (minute, event) in DAY {
            sleep_until(log.0 + minute * MINUTE).await;
            match event {
                // The new session waits until the old one is gone.
                LogsIn(user, device) => {
                    sessions.replace_after(user, session(user, device, log));
                }
                LogsOut(user) => {
                    if !sessions.cancel(user) {
                        log.line(&format!("{user} was not in"));
                    }
                }
            }
        }
        log.line(&format!("sessions left: {}", sessions.len()));
        n.idle().await;
        log.line(&format!("sessions left: {}", sessions.len()));
        Ok(())
    })?;
    Ok(())
}
