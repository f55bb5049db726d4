//! A server with axum, each request a child of the nursery.

use super::pool::Pool;
use allhome::{Nursery, see};
use axum::Router;
use axum::extract::{RawQuery, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::convert::Infallible;
use std::sync::Arc;

pub(crate) fn router(n: Nursery<Infallible>, pool: Arc<Pool>) -> Router {
    // If the client goes away, axum drops the request, and that cancels the child.
    let as_child = move |request: Request, next: Next| {
        let task = n.task(format!("{} {}", request.method(), request.uri().path()));
        let child = task.fork(async { Ok(next.run(request).await) }).cancel_on_drop();
        async { child.await.unwrap_or(StatusCode::SERVICE_UNAVAILABLE.into_response()) }
    };
    Router::new()
        .route("/users", get(users))
        .layer(from_fn(as_child))
        // Beside the layer: it answers whatever the nursery does.
        .route("/debug/allhome", get(debug))
        .with_state(pool)
}

async fn users(State(pool): State<Arc<Pool>>) -> Result<String, StatusCode> {
    let names = pool.query("select name from users").await;
    names.map_err(|_| StatusCode::BAD_GATEWAY)
}

async fn debug(RawQuery(query): RawQuery) -> Response {
    let page = see::page(&query.unwrap_or_default());
    let status = StatusCode::from_u16(page.status).unwrap_or_default();
    (status, [(CONTENT_TYPE, page.content_type)], page.body).into_response()
}
