//! A server whose database is stuck, and what it says of that: on a page, and at a signal.
//!
//! ```sh
//! cargo run --example stuck [axum | hyper] [port]
//! ```
//!
//! It makes forty requests of itself. Then look at `/debug/allhome` in a browser, or send SIGUSR1.

mod pool;
mod with_axum;
mod with_hyper;

use allhome::see::{self, Signal};
use allhome::{Nursery, Policy, nursery};
use pool::Pool;
use std::convert::Infallible;
use std::error::Error;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let with_hyper = arguments.iter().any(|argument| argument == "hyper");
    let port = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(3_000);

    let _clock = see::clock();
    let _dumps = see::dump_on_signal(Signal::Usr1)?;

    let listener = std::net::TcpListener::bind(("127.0.0.1", port))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let _clients = requests(address, 40)?;
    println!("look at http://{address}/debug/allhome, or `kill -USR1 {}`", std::process::id());

    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let pool = Arc::new(Pool::new()?);
        let server = nursery().name("server").policy(Policy::Supervise);
        let served = server.run(async |n: Nursery<Infallible>| {
            match with_hyper {
                true => with_hyper::serve(n, listener, pool).await,
                false => drop(axum::serve(listener, with_axum::router(n, pool)).await),
            }
            Ok(())
        });
        served.await?;
        Ok(())
    })
}

/// Makes requests, and does not wait for the answers.
fn requests(address: SocketAddr, count: usize) -> std::io::Result<Vec<TcpStream>> {
    let request = b"GET /users HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let clients = (0..count).map(|_| {
        let mut client = TcpStream::connect(address)?;
        client.write_all(request)?;
        Ok(client)
    });
    clients.collect()
}
