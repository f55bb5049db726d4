//! Programs that must compile inside `tokio::spawn`: the scope's future is `Send`.

use allhome::error::AsError;
use allhome::{BoxError, Scope, scope, yield_now};
use std::convert::Infallible;
use std::future::Future;

trait Fetch: Sync {
    fn fetch(&self, page: &str) -> impl Future<Output = Result<usize, BoxError>> + Send;
}

struct Lengths;

impl Fetch for Lengths {
    async fn fetch(&self, page: &str) -> Result<usize, BoxError> {
        yield_now().await;
        Ok(page.len())
    }
}

async fn plain(words: Vec<String>) -> usize {
    let run = scope().run(async |s: Scope<'_>| {
        let first = s.fork(async { Ok(words.first().map_or(0, String::len)) });
        s.go(async {
            yield_now().await;
        });
        Ok(first.await?)
    });
    run.await.unwrap()
}

async fn generic<F: Fetch>(fetch: &F, pages: &[&str]) -> Result<usize, BoxError> {
    let run = scope().run(async |s: Scope<'_>| {
        let mut sum = 0;
        let all: Vec<_> = pages.iter().map(|page| s.fork(fetch.fetch(page))).collect();
        for one in all {
            sum += one.await?;
        }
        Ok(sum)
    });
    Ok(run.await?)
}

async fn any_error<E: AsError<M> + Clone, M>(error: E) -> Option<E> {
    let run = scope().run(async |s: Scope<'_, E>| {
        s.spawn(async { Err(error.clone()) });
        Ok(())
    });
    run.await.err()?.into_error().ok()
}

async fn nested(depth: u8) -> u8 {
    let run = scope().run(async |s: Scope<'_, Infallible>| {
        let inner = s.fork(async {
            let own = [depth, 1];
            let run = scope().run(async |s: Scope<'_, Infallible>| {
                let (again, own) = (s.clone(), &own);
                let sum = s.fork(async move {
                    again.go(yield_now());
                    Ok(own.iter().sum::<u8>())
                });
                Ok(sum.value().await)
            });
            Ok(run.await.unwrap())
        });
        Ok(inner.value().await)
    });
    run.await.unwrap()
}

struct Service {
    pages: Vec<&'static str>,
}

impl Service {
    async fn total(&mut self) -> usize {
        let mut lengths = vec![0; self.pages.len()];
        let run = scope().run(async |s: Scope<'_, Infallible>| {
            for (place, page) in lengths.iter_mut().zip(&self.pages) {
                s.go(async move { *place = page.len() });
            }
            Ok(())
        });
        run.await.unwrap();
        lengths.into_iter().sum()
    }
}

#[test]
fn i21_programs_that_are_send() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let words = vec!["seven".to_string()];
        assert_eq!(tokio::spawn(plain(words)).await.unwrap(), 5);
        let sum = async { generic(&Lengths, &["a", "bc"]).await.unwrap() };
        assert_eq!(tokio::spawn(sum).await.unwrap(), 3);
        let error = tokio::spawn(any_error("no".to_string())).await.unwrap();
        assert_eq!(error.as_deref(), Some("no"));
        assert_eq!(tokio::spawn(nested(2)).await.unwrap(), 3);
        let mut service = Service { pages: vec!["a", "bc", "def"] };
        assert_eq!(tokio::spawn(async move { service.total().await }).await.unwrap(), 6);
    });
}
