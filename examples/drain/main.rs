//! A server that drains before it stops: at SIGTERM or Ctrl-C it accepts no more, lets its requests
//! finish, cancels those that take too long, and reports which were late.
//!
//! ```text
//! cargo run --example drain [hang | stubborn]
//! ```
//!
//! Each further signal takes the next step at once. With `hang` one of the requests never ends by
//! itself, with `stubborn` it does not even if it is cancelled.

use allhome::runtime::ThreadPool;
use allhome::shutdown::signals;
use allhome::{Nursery, block_on, cancelled, draining, nursery, shield, sleep};
use std::convert::Infallible;
use std::error::Error;
use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::process::ExitCode;
use std::task::Poll;
use std::time::Duration;

/// What a request takes; a new one comes in half that time.
const REQUEST: Duration = Duration::from_millis(100);

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let extra = std::env::args().nth(1);
    let signals = signals()?;
    let server = nursery().on(ThreadPool::global()).name("server");
    let server = server.token(signals.token());
    let report = block_on(server.run(async |n: Nursery<Infallible>| {
        match extra.as_deref() {
            Some("hang") => drop(n.task("hang").spawn(pending())),
            Some("stubborn") => drop(n.task("stubborn").spawn(stubborn())),
            _ => {}
        }
        let listener = n.task("listener").fork(listen(n.clone()));
        let shutdown = n.shutdown().when_raised();
        println!("serving; stop it with Ctrl-C");
        let report = shutdown.await;
        let served = listener.await.unwrap_or(0);
        println!("{served} requests were served");
        Ok(report)
    }))??;
    println!("{report}");
    Ok(if report.stragglers().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Takes in requests until the server drains.
async fn listen(n: Nursery<Infallible>) -> Result<usize, Infallible> {
    let mut served = 0;
    let mut stop = pin!(draining());
    loop {
        let mut request = pin!(sleep(REQUEST / 2));
        let stopped = poll_fn(|cx| match stop.as_mut().poll(cx) {
            Poll::Ready(_) => Poll::Ready(true),
            Poll::Pending => request.as_mut().poll(cx).map(|_| false),
        });
        if stopped.await {
            println!("no more requests");
            return Ok(served);
        }
        served += 1;
        n.task(format!("request {served}")).spawn(async {
            sleep(REQUEST).await;
            Ok(())
        });
    }
}

/// Hears that it is to leave, and stays.
async fn stubborn() -> Result<(), Infallible> {
    cancelled().await;
    println!("told to leave");
    shield(Duration::MAX, pending::<()>()).await;
    Ok(())
}
