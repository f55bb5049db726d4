//! The same server with hyper alone, each connection a child of the nursery.

use super::pool::Pool;
use allhome::{Nursery, see, sleep};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

pub(crate) async fn serve(n: Nursery<Infallible>, listener: TcpListener, pool: Arc<Pool>) {
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            // Too many open files, say. Clients wait in the listener's queue.
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        let pool = pool.clone();
        n.task(format!("connection of {peer}")).go(async move {
            let service = service_fn(|request| answer(request, &pool));
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            // An error is the client's: it has gone away, or sent rubbish.
            let _ = connection.await;
        });
    }
}

async fn answer(request: Request<Incoming>, pool: &Pool) -> Result<Response<String>, Infallible> {
    let path = request.uri().path();
    see::note(format!("{} {path}", request.method()));
    Ok(match path {
        "/users" => match pool.query("select name from users").await {
            Ok(names) => Response::new(names),
            Err(error) => with_status(StatusCode::BAD_GATEWAY, error.to_string()),
        },
        "/debug/allhome" => debug(request.uri().query().unwrap_or("")),
        _ => with_status(StatusCode::NOT_FOUND, "no such page\n".to_string()),
    })
}

fn with_status(status: StatusCode, text: String) -> Response<String> {
    let mut response = Response::new(text);
    *response.status_mut() = status;
    response
}

fn debug(query: &str) -> Response<String> {
    let page = see::page(query);
    let mut response =
        with_status(StatusCode::from_u16(page.status).unwrap_or_default(), page.body);
    let content_type = HeaderValue::from_static(page.content_type);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}
