//! A link checker: the links come as a stream, page by page; three are asked for at once, and no more
//! than ten in a second.
//!
//! ```sh
//! cargo run --example links
//! ```
//!
//! It runs in the simulator, so that its times are the same in each run; on any other runtime the
//! code is the same.

use allhome::limit::{Rate, RateLimiter};
use allhome::many::ConcurrentStreamExt;
use allhome::time::now;
use allhome::{Nursery, Simulator, fail_after, sleep};
use futures_util::stream::{self, Stream, StreamExt};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

type Failure = Box<dyn Error + Send + Sync>;

/// A link, and how the server behind it behaves: after so many milliseconds it gives this status.
#[derive(Clone, Copy)]
struct Link {
    to: &'static str,
    ms: u64,
    status: u16,
}

const fn link(to: &'static str, ms: u64, status: u16) -> Link {
    Link { to, ms, status }
}

const PAGES: [&[Link]; 3] = [
    &[link("/guide", 30, 200), link("/old", 20, 404), link("/slow", 9_000, 200)],
    &[link("/news", 40, 200), link("/jobs", 250, 200)],
    &[link("/map", 10, 500), link("/about", 10, 200), link("/faq", 10, 200)],
];

/// The links of the site. A page is fetched when the links of the one before were taken.
fn links() -> impl Stream<Item = Link> + Unpin + Send {
    let pages = stream::iter(PAGES).then(async |page| {
        sleep(Duration::from_millis(100)).await;
        stream::iter(page.iter().copied())
    });
    Box::pin(pages.flatten())
}

/// Asks for the page behind a link. Returns what is wrong with it.
async fn check(link: Link, rate: Arc<RateLimiter>) -> (Link, Option<String>) {
    if rate.acquire().await.is_err() {
        return (link, Some("not asked".to_string()));
    }
    let request = async {
        sleep(Duration::from_millis(link.ms)).await;
        link.status
    };
    let wrong = match fail_after(Duration::from_secs(1), request).await {
        Ok(200) => None,
        Ok(status) => Some(format!("status {status}")),
        Err(late) => Some(late.to_string()),
    };
    (link, wrong)
}

fn main() -> Result<(), Box<dyn Error>> {
    Simulator::new().run(async |n: Nursery<Failure>| {
        let (rate, start) = (RateLimiter::new(n.runtime(), Rate::per_second(10), 1), now());
        let rate = Arc::new(rate);
        let checks = links().map_concurrent(3, move |link| check(link, rate.clone()));
        let mut checks = checks.unordered().on(&n);
        let (mut all, mut broken) = (0, 0);
        while let Some((link, wrong)) = checks.next().await {
            all += 1;
            broken += u32::from(wrong.is_some());
            let ms = (now() - start).as_millis();
            println!("{ms:>5} ms  {:7} {}", link.to, wrong.as_deref().unwrap_or("ok"));
        }
        println!("{all} links, {broken} of them broken");
        Ok(())
    })?;
    Ok(())
}
