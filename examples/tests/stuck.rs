//! The example `stuck`: a dump names the pool, with axum and with hyper, and the page has it.

#[path = "../stuck/pool.rs"]
mod pool;
#[path = "../stuck/with_axum.rs"]
mod with_axum;
#[path = "../stuck/with_hyper.rs"]
mod with_hyper;

use crate::support::{Running, program, wait_until};
use allhome::see::Dump;
use allhome::{CancelToken, Nursery, nursery, see};
use pool::Pool;
use std::convert::Infallible;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::thread;

#[derive(Clone, Copy)]
enum With {
    Axum,
    Hyper,
}

/// Sends a request.
fn send(address: SocketAddr, path: &str) -> TcpStream {
    let mut client = TcpStream::connect(address).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    client.write_all(request.as_bytes()).unwrap();
    client
}

/// Sends one, and returns the answer, with its head.
fn ask(address: SocketAddr, path: &str) -> String {
    let mut answer = String::new();
    send(address, path).read_to_string(&mut answer).unwrap();
    answer
}

/// Serves until the token is cancelled.
fn serve(with: With, name: &str, listener: TcpListener, stop: &CancelToken) {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
    listener.set_nonblocking(true).unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let server = nursery().name(name).token(stop);
        let run = server.run(async |n: Nursery<Infallible>| {
            let pool = Arc::new(Pool::new().unwrap());
            match with {
                With::Hyper => with_hyper::serve(n, listener, pool).await,
                With::Axum => drop(axum::serve(listener, with_axum::router(n, pool)).await),
            }
            Ok(())
        });
        assert!(run.await.is_err(), "it was cancelled");
    });
}

/// Returns the dump of one root: tests run in parallel.
fn dump_of(name: &str) -> String {
    let mut trees = see::trees();
    trees.retain(|tree| tree.root().name.as_deref() == Some(name));
    Dump::of(trees).to_string()
}

/// Makes ten requests, and looks at the dump and at the page.
fn is_named_and_shown(with: With, name: &'static str) -> (String, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancelToken::new();
    let stopped = stop.clone();
    let server = thread::spawn(move || serve(with, name, listener, &stopped));
    let clients: Vec<_> = (0..10).map(|_| send(address, "/users")).collect();
    let waiting = ["6 waiting for a permit of `database`", "4 waiting for `the database's answer`"];
    wait_until("all wait", || {
        let dump = dump_of(name);
        waiting.iter().all(|waiting| dump.contains(waiting))
    });
    let (dump, page) = (dump_of(name), ask(address, "/debug/allhome"));
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
    assert!(page.contains("content-type: text/html; charset=utf-8\r\n"), "{page}");
    for path in ["/debug/allhome?id=9999999.1", "/debug/allhome?format=pdf"] {
        let status = if path.contains("pdf") { "HTTP/1.1 400 " } else { "HTTP/1.1 404 " };
        assert!(ask(address, path).starts_with(status));
    }
    drop(clients);
    stop.cancel();
    server.join().unwrap();
    (dump, page)
}

#[test]
fn u30_with_axum_the_pool_is_named_and_on_the_page() {
    let (dump, page) = is_named_and_shown(With::Axum, "stuck axum");
    assert!(dump.contains("`GET /users`"), "{dump}");
    assert!(page.contains("waiting for a permit of `database`"), "{page}");
}

#[test]
fn u30_with_hyper_the_pool_is_named_and_on_the_page() {
    let (dump, page) = is_named_and_shown(With::Hyper, "stuck hyper");
    assert!(dump.contains("\"GET /users\""), "{dump}");
    assert!(page.contains("waiting for a permit of `database`"), "{page}");
}

#[test]
fn u37_one_signal_prints_each_wait() {
    for with in ["axum", "hyper"] {
        let mut running = Running::start(Command::new(program("stuck")).args([with, "0"]));
        let mut line = String::new();
        BufReader::new(running.take_stdout()).read_line(&mut line).unwrap();
        let (_, address) = line.split_once("http://").unwrap();
        let address = address.split_once('/').unwrap().0.parse().unwrap();
        let waiting = "36 waiting for a permit of `database`";
        wait_until("all wait", || ask(address, "/debug/allhome?format=text").contains(waiting));
        running.send("USR1");
        let mut lines = BufReader::new(running.take_stderr()).lines();
        assert!(lines.any(|line| line.unwrap().contains(waiting)), "{with}");
    }
}
