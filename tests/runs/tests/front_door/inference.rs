//! Programs as they are written: which error type their nurseries have is found out by the children,
//! by the body, or by the function that the result goes to. Where it is not, `n: Nursery` says so.

use super::{a_moment, on_fire};
use allhome::error::AsError;
use allhome::runtime::ThreadPool;
use allhome::{BoxError, GroupError, JoinError, Nursery, block_on, nursery, sim};
use anyhow::Context;
use std::convert::Infallible;
use std::error::Error;
use std::fs;
use std::future::Future;
use std::io;
use std::pin::Pin;

fn open() -> allhome::Builder {
    nursery().on(ThreadPool::global())
}

/// A body with `?` on `io::Error`; the children are blocks.
async fn sizes(folder: &str) -> io::Result<u64> {
    let total = open().run(async |n| {
        let mut children = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            children.push(n.fork(async move { Ok(fs::metadata(path)?.len()) }));
        }
        let mut total = 0;
        for child in children {
            total += child.await?;
        }
        Ok(total)
    });
    Ok(total.await?)
}

#[test]
fn f39_i01_body_with_question_marks() {
    assert!(block_on(sizes("src")).unwrap() > 0);
    assert_eq!(block_on(sizes("no such folder")).unwrap_err().kind(), io::ErrorKind::NotFound);
}

async fn fetch(id: u32) -> anyhow::Result<u32> {
    Ok(id)
}

#[test]
fn f39_i02_named_functions() {
    async fn both() -> anyhow::Result<u32> {
        let sum = open().run(async |n| {
            let (a, b) = (n.fork(fetch(1)), n.fork(fetch(2)));
            Ok(a.await? + b.await?)
        });
        Ok(sum.await?)
    }
    assert_eq!(block_on(both()).unwrap(), 3);
}

#[test]
fn f39_i03_nothing_joined() {
    async fn touch(fails: bool) -> io::Result<()> {
        if fails { Err(on_fire()) } else { Ok(()) }
    }
    async fn all() -> io::Result<()> {
        let run = open().run(async |n| {
            for i in 0..3 {
                n.spawn(touch(i == 2));
            }
            Ok(())
        });
        Ok(run.await?)
    }
    assert_eq!(block_on(all()).unwrap_err().kind(), io::ErrorKind::StorageFull);
}

#[derive(Debug, thiserror::Error)]
enum Oops {
    #[error("io")]
    Io(#[from] io::Error),
    #[error("join")]
    Join(#[from] JoinError<Oops>),
    #[error("empty")]
    Empty,
}

#[test]
fn f39_i04_enum_of_a_library() {
    async fn part(i: u32) -> Result<u32, Oops> {
        if i > 9 { Err(Oops::Empty) } else { Ok(i) }
    }
    async fn all(last: u32) -> Result<u32, GroupError<Oops>> {
        let run = open().run(async |n| {
            let a = n.fork(part(1));
            let b = n.fork(async move {
                fs::metadata("src")?;
                part(last).await
            });
            Ok(a.await? + b.value().await)
        });
        run.await
    }
    assert_eq!(block_on(all(2)).unwrap(), 3);
    assert!(block_on(all(10)).unwrap_err().errors().any(|oops| matches!(oops, Oops::Empty)));
}

/// Nothing names an error where none can happen.
#[test]
fn f39_i05_children_that_cannot_fail() {
    let run = open().run(async |n: Nursery| {
        for _ in 0..3 {
            n.go(a_moment());
        }
        Ok(())
    });
    block_on(run).unwrap();
    let named: Result<(), GroupError<Infallible>> = block_on(open().run(async |n| {
        n.spawn(async { Ok(()) });
        Ok(())
    }));
    named.unwrap();
}

#[test]
fn f39_i06_text() {
    async fn part(i: u32) -> Result<u32, String> {
        if i > 9 { Err("no luck".to_string()) } else { Ok(i) }
    }
    async fn all(i: u32) -> Result<u32, String> {
        let sum = open().name("all").run(async |n| Ok(n.task("part").fork(part(i)).await? + 1));
        Ok(sum.await?)
    }
    assert_eq!(block_on(all(1)), Ok(2));
    let text = block_on(all(10)).unwrap_err();
    assert!(text.starts_with("nursery `all`: task `part` failed: no luck"), "{text}");
}

/// Blocks with `?` on different errors: nothing says what they become.
#[test]
fn f39_i07_blocks_with_question_marks() {
    async fn all() -> anyhow::Result<()> {
        let run = open().run(async |n: Nursery| {
            n.spawn(async {
                fs::metadata("src")?;
                Ok(())
            });
            n.spawn(async {
                let _: u32 = "7".parse()?;
                Ok(())
            });
            Ok(())
        });
        run.await?;
        // With the function's own error type all the way, the last line says so.
        let run = open().run(async |n| {
            n.spawn(async {
                fs::metadata("no such file")?;
                Ok(())
            });
            anyhow::Ok(())
        });
        Ok(run.await?)
    }
    assert!(block_on(all()).unwrap_err().to_string().contains("failed: "));
}

#[test]
fn f39_i08_nested() {
    async fn branch(i: u32) -> anyhow::Result<u32> {
        let run = nursery().run(async |n| {
            let (a, b) = (n.fork(fetch(i)), n.fork(fetch(i + 1)));
            Ok(a.await? + b.await?)
        });
        Ok(run.await?)
    }
    let run = open().run(async |n| {
        let (a, b) = (n.fork(branch(1)), n.fork(branch(5)));
        Ok(a.await? * b.await?)
    });
    assert_eq!(block_on(run).unwrap(), 33);
}

/// A wrapper over every `Error`: the marker is found by the bound, and the future is `Send`.
#[test]
fn f39_i09_generic_wrapper() {
    async fn both<A, B, E>(
        a: impl Future<Output = Result<A, E>> + Send + 'static,
        b: impl Future<Output = Result<B, E>> + Send + 'static,
    ) -> Result<(A, B), GroupError<E>>
    where
        A: Send + 'static,
        B: Send + 'static,
        E: Error + Send + Sync + 'static,
    {
        let run = open().run(async move |n| {
            let (a, b) = (n.fork(a), n.fork(b));
            Ok((a.value().await, b.value().await))
        });
        run.await
    }
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let run = is_send(both(async { Ok::<_, io::Error>(1) }, async { Ok(2) }));
    assert_eq!(block_on(run).unwrap(), (1, 2));
}

#[test]
fn f39_i10_in_a_task_of_a_runtime() {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let task = async {
        let run = nursery().on(allhome::Tokio).run(async |n| {
            a_moment().await;
            Ok(n.fork(fetch(3)).await?)
        });
        run.await
    };
    assert_eq!(tokio.block_on(async { tokio::spawn(task).await.unwrap() }).unwrap(), 3);
}

/// The signature in the trait names it.
#[test]
fn f39_i11_trait_with_a_nursery() {
    trait Service {
        fn start(&self, n: Nursery) -> impl Future<Output = Result<u32, BoxError>> + Send;
    }
    struct Parser(&'static str);
    impl Service for Parser {
        async fn start(&self, n: Nursery) -> Result<u32, BoxError> {
            let text = self.0;
            Ok(n.fork(async move { Ok(text.parse()?) }).await?)
        }
    }
    let service = Parser("7");
    assert_eq!(block_on(open().run(async |n| service.start(n).await)).unwrap(), 7);
}

type Boxed<T> = Pin<Box<dyn Future<Output = anyhow::Result<T>> + Send>>;

#[test]
fn f39_i12_recursion() {
    fn walk(depth: u32) -> Boxed<u32> {
        Box::pin(async move {
            if depth == 0 {
                return Ok(1);
            }
            let run = nursery().run(async |n| {
                let (a, b) = (n.fork(walk(depth - 1)), n.fork(walk(depth - 1)));
                Ok(a.await? + b.await?)
            });
            Ok(run.await?)
        })
    }
    let run = open().run(async |n| Ok(n.fork(walk(4)).await?));
    assert_eq!(block_on(run).unwrap(), 16);
}

/// Children of two error types: `?` takes both into the one that is named.
#[test]
fn f39_i13_two_error_types() {
    async fn parse(text: &str) -> Result<u32, std::num::ParseIntError> {
        text.parse()
    }
    async fn read() -> io::Result<u32> {
        Err(on_fire())
    }
    let run = open().run(async |n: Nursery| {
        let number = n.fork(async { Ok(parse("7").await?) });
        n.spawn(async {
            let _: u32 = read().await?;
            Ok(())
        });
        Ok(number.await?)
    });
    let error = block_on(run).unwrap_err();
    assert_eq!(error.find::<io::Error>().unwrap().kind(), io::ErrorKind::StorageFull);
}

#[test]
fn f39_i14_function_as_body() {
    struct Server {
        n: Nursery<io::Error>,
    }
    impl Server {
        fn accept(&self, i: u32) {
            self.n.task(format!("conn {i}")).spawn(async {
                fs::metadata("src")?;
                Ok(())
            });
        }
    }
    async fn body(n: Nursery<io::Error>) -> io::Result<u32> {
        let server = Server { n };
        (1..3).for_each(|i| server.accept(i));
        Ok(2)
    }
    assert_eq!(block_on(open().run(body)).unwrap(), 2);
}

#[test]
fn f39_i15_error_of_the_nursery_returned() {
    async fn copy() -> Result<u64, GroupError<io::Error>> {
        let run = open().run(async |n| {
            let length = n.blocking(|_| Ok(fs::metadata("src")?.len()));
            let one = n.fork(async {
                a_moment().await;
                Ok(1)
            });
            Ok(length.await?.min(1) + one.await?)
        });
        run.await
    }
    assert_eq!(block_on(copy()).unwrap(), 2);
}

/// A wrapper over every error type carries the marker; here are all kinds of them.
#[test]
fn f39_i16_wrapper_over_any_error() {
    async fn named<R, E, M, F, Fut>(name: &str, body: F) -> Result<R, GroupError<E>>
    where
        F: FnOnce(Nursery<E>) -> Fut,
        Fut: Future<Output = Result<R, E>>,
        E: AsError<M>,
    {
        open().name(name).run(body).await
    }
    macro_rules! texts {
        ($($error:expr => $text:literal)*) => { $({
            let run = named("i16", async |_| Err::<(), _>($error));
            let expected = concat!("nursery `i16`: the body failed: ", $text);
            assert_eq!(block_on(run).unwrap_err().to_string(), expected);
        })* };
    }
    texts! {
        on_fire() => "disk on fire"
        Box::new(on_fire()) => "disk on fire"
        std::sync::Arc::new(on_fire()) => "disk on fire"
        Oops::Io(on_fire()) => "io"
        Err::<(), _>(on_fire()).context("anyhow").unwrap_err() => "anyhow"
        eyre::Report::from(on_fire()).wrap_err("eyre") => "eyre"
        BoxError::from("boxed") => "boxed"
        "text" => "text"
        String::from("string") => "string"
        std::borrow::Cow::Borrowed("cow") => "cow"
        Box::<str>::from("box") => "box"
        std::sync::Arc::<str>::from("arc") => "arc"
    }
}

/// The simulator opens nurseries as well, with the same words.
#[test]
fn f39_in_the_simulator() {
    let program = async |n| {
        let child = Nursery::fork(&n, fetch(2));
        Ok(child.await? + 1)
    };
    assert_eq!(allhome::Simulator::new().run(program).unwrap(), 3);
    let explored = allhome::Simulator::new().schedules(4).explore(program);
    assert!(explored.failure().is_none());
    assert!(sim::inject(|| (program, || {})).runs() > 1);
}

/// Each of these has one `From` with a nursery's or a join's error, by which `?` finds the error type
/// of the nursery: with a second one, this would not compile.
#[test]
fn f17_one_conversion_for_each_target() {
    fn target<T>(_: fn(T) -> io::Error) {}
    fn text<T>(_: fn(T) -> String) {}
    target(|error: GroupError<_>| error.into());
    target(|error: JoinError<_>| error.into());
    text(|error: GroupError<_>| error.into());
    text(|error: JoinError<_>| error.into());
}
