//! Programs as users write them: a library for any runtime, a handler of a web server.

use allhome::{BoxError, GroupError, Nursery, nursery};
use allhome_runs::within;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// A library: it names no runtime and asks for none.
mod library {
    use allhome::{BoxError, Nursery, nursery};

    pub(crate) async fn word_count(texts: Vec<&'static str>) -> Result<usize, BoxError> {
        let counts = nursery().name("word_count").run(async |n: Nursery| {
            let mut children = Vec::new();
            for text in texts {
                let child = n.blocking(move |_| match text {
                    "" => Err("there is no text".into()),
                    text => Ok(text.split_whitespace().count()),
                });
                children.push(child);
            }
            let mut sum = 0;
            for child in children {
                sum += child.await?;
            }
            Ok(sum)
        });
        Ok(counts.await?)
    }
}

#[test]
fn a19_a_library_under_any_runtime() {
    within(|| {
        let texts = || vec!["one two", "three"];
        let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert_eq!(tokio.block_on(library::word_count(texts())).unwrap(), 3);
        assert_eq!(allhome::block_on(library::word_count(texts())).unwrap(), 3);
        let spawned = tokio.spawn(library::word_count(texts()));
        assert_eq!(tokio.block_on(spawned).unwrap().unwrap(), 3);
        let inside = allhome::run(async |n: Nursery| {
            let child = n.fork(library::word_count(texts()));
            Ok(child.await? + library::word_count(texts()).await?)
        });
        assert_eq!(inside.unwrap(), 6);
        let error = tokio.block_on(library::word_count(vec![""])).unwrap_err();
        assert!(error.to_string().contains("there is no text"), "{error}");
    });
}

/// What a web server makes of a handler: a future that it polls in a task of its own, or drops.
type Handler = Arc<dyn Fn(App) -> Pin<Box<dyn Future<Output = String> + Send>> + Send + Sync>;
type App = Nursery<BoxError>;

async fn part(number: u32) -> Result<u32, BoxError> {
    allhome::yield_now().await;
    Ok(number)
}

async fn page(app: App) -> String {
    let page = app.nursery().name("GET /page").deadline(Duration::from_secs(60));
    let page = page.run(async |n: Nursery| {
        let (a, b) = (n.fork(part(1)), n.fork(part(2)));
        Ok(format!("{} {}", a.await?, b.await?))
    });
    page.await.unwrap_or_else(|error: GroupError<BoxError>| error.to_string())
}

/// A handler under a server that spawns it on tokio, and a client that goes away.
#[test]
fn a19_a_handler_of_a_web_server() {
    within(|| {
        let tokio = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_time()
            .build()
            .unwrap();
        let handler: Handler = Arc::new(|app| Box::pin(page(app)));
        let kept = tokio.block_on(async {
            let server = nursery().name("server").run(async |n: App| {
                let requests: Vec<_> = (0..50).map(|_| tokio::spawn(handler(n.clone()))).collect();
                for request in requests {
                    assert_eq!(request.await?, "1 2");
                }
                // The client goes away: the server drops the future, and what is in it.
                let gone = n.clone();
                let waits =
                    tokio::spawn(async move { gone.attach(std::future::pending::<()>()).await });
                while n.tree().nurseries().len() == 1 {
                    allhome::yield_now().await;
                }
                waits.abort();
                n.idle().await;
                assert_eq!(n.tree().nurseries().len(), 1);
                Ok(n.clone())
            });
            server.await.unwrap()
        });
        let late = tokio.block_on(tokio.spawn(handler(kept))).unwrap();
        assert!(late.contains("`GET /page`") && late.contains("takes no more"), "{late}");
    });
}
