//! Programs that are stopped in good order, or in which one child fails, and that have one outcome
//! in every schedule.

use crate::{begun, programs};
use allhome::cancel::{CancelExt, cancel_token, cancellable};
use allhome::{BoxError, Child, Nursery, Policy, checkpoint, nursery, shield, yield_now};
use std::future::pending;
use std::time::Duration;
use tokio::sync::mpsc::Receiver;

const MOMENT: Duration = Duration::from_micros(10);
const LONG: Duration = Duration::from_secs(60);

type Text = Result<u32, String>;

/// Waits for a child, and says why it has no value in its own words.
async fn use_of(child: Child<u32, String>) -> Text {
    child.await.map_err(|error| format!("no part: {error}"))
}

/// Works until it is told to stop.
async fn until_told() -> String {
    loop {
        if let Err(reason) = checkpoint().await {
            return reason.to_string();
        }
        yield_now().await;
    }
}

/// Reads until the other end is gone, which is too early.
async fn sink(mut receiver: Receiver<u32>) -> Result<(), String> {
    while receiver.recv().await.is_some() {}
    Err("the source has ended early".to_string())
}

programs! {
    joiner_with_text(on) -> r#""stopped""# {
        nursery().on(on).run(async |n: Nursery<String>| {
            let index = n.fork(pending::<Text>());
            n.spawn(async move { use_of(index).await.map(drop) });
            begun(&n).await;
            n.cancel();
            Ok("stopped")
        })
    }
    joiner_with_question_mark(on) -> r#""stopped""# {
        nursery().on(on).run(async |n: Nursery| {
            let index = n.fork(pending::<Result<u32, BoxError>>());
            n.spawn(async move {
                index.await?;
                Ok(())
            });
            begun(&n).await;
            n.cancel();
            Ok("stopped")
        })
    }
    joiner_with_value(on) -> r#""stopped""# {
        nursery().on(on).run(async |n: Nursery<String>| {
            let index = n.fork(pending::<Text>());
            n.spawn(async move {
                index.value().await;
                Ok(())
            });
            begun(&n).await;
            n.cancel();
            Ok("stopped")
        })
    }
    joiner_in_a_shutdown(on) -> r#""stopped""# {
        nursery().on(on).run(async |n: Nursery<String>| {
            let index = n.fork(pending::<Text>());
            n.spawn(async move { use_of(index).await.map(drop) });
            begun(&n).await;
            let shutdown = n.shutdown().drain(MOMENT).cancel(LONG).abort(LONG);
            shutdown.await.map_err(|error| error.to_string())?;
            Ok("stopped")
        })
    }
    joiner_of_joiners(on) -> r#""stopped""# {
        nursery().on(on).run(async |n: Nursery<String>| {
            let first = n.fork(pending::<Text>());
            let second = n.fork(use_of(first));
            let third = n.fork(use_of(second));
            n.spawn(async move {
                third.value().await;
                Ok(())
            });
            begun(&n).await;
            n.cancel();
            Ok("stopped")
        })
    }
    one_is_cancelled(on) -> r#""went on""# {
        nursery().on(on).run(async |n: Nursery<String>| {
            let job = n.fork(async {
                let run = nursery().run(async |m: Nursery<String>| {
                    let part = m.fork(pending::<Text>());
                    use_of(part).await
                });
                run.await.map_err(|error| error.to_string())
            });
            begun(&n).await;
            job.cancel();
            let _ = job.await;
            Ok("went on")
        })
    }
    one_is_cancelled_and_needs_a_value(on) -> r#""went on""# {
        nursery().on(on).run(async |n: Nursery| {
            let job = n.fork(async {
                let run = nursery().run(async |m: Nursery| {
                    let part = m.fork(pending::<Result<u32, BoxError>>());
                    m.spawn(pending());
                    Ok(part.value().await)
                });
                Ok(run.await?)
            });
            begun(&n).await;
            job.cancel();
            let _ = job.await;
            Ok("went on")
        })
    }
    children_s_deadline(on) -> "None" {
        nursery().on(on).children_deadline(Duration::from_millis(1)).run(
            async |n: Nursery<String>| {
                let slow = n.fork(pending::<Text>());
                let next = n.fork(async move { Ok(use_of(slow).await? + 1) });
                Ok(next.await.ok())
            },
        )
    }
    channel(on) -> r#""stopped""# {
        nursery().on(on).run(async |n: Nursery<String>| {
            let (sender, receiver) = tokio::sync::mpsc::channel::<u32>(1);
            n.spawn(async move {
                let _sender = sender;
                pending().await
            });
            n.spawn(sink(receiver));
            begun(&n).await;
            n.cancel();
            Ok("stopped")
        })
    }
    channel_to_a_nursery_inside(on) -> r#""stopped""# {
        nursery().on(on).run(async |n: Nursery<String>| {
            let (sender, receiver) = tokio::sync::mpsc::channel::<u32>(1);
            n.spawn(async move {
                let _sender = sender;
                pending().await
            });
            n.spawn(async move {
                let inside = nursery().run(async |m: Nursery<String>| {
                    m.spawn(sink(receiver));
                    pending::<Result<(), _>>().await
                });
                inside.await.map_err(|error| error.to_string())
            });
            begun(&n).await;
            n.cancel();
            Ok("stopped")
        })
    }
    channel_and_a_token(on) -> r#""stopped""# {
        let token = allhome::CancelToken::new();
        nursery().on(on).token(&token).run(async move |n: Nursery<String>| {
            let (sender, receiver) = tokio::sync::mpsc::channel::<u32>(1);
            let _callback = token.on_cancel(move |_| drop(sender));
            n.spawn(sink(receiver));
            begun(&n).await;
            token.cancel();
            Ok("stopped")
        })
    }
    guard(on) -> r#""stopped""# {
        nursery().on(on).run(async |n: Nursery<String>| {
            n.spawn(async {
                pending::<()>().until_cancelled(&cancel_token()).await.map_err(|why| why.to_string())
            });
            n.spawn(async { cancellable(pending::<()>()).await.map_err(|why| why.to_string()) });
            n.spawn(async { Err(until_told().await) });
            begun(&n).await;
            n.cancel();
            Ok("stopped")
        })
    }
    tidies_up_in_its_grace(on) -> r#""stopped""# {
        nursery().on(on).grace(LONG).run(async |n: Nursery<String>| {
            n.spawn(async {
                let why = until_told().await;
                yield_now().await;
                Err(why)
            });
            begun(&n).await;
            n.cancel();
            Ok("stopped")
        })
    }
    tidies_up_in_a_shield(on) -> r#""stopped""# {
        nursery().on(on).run(async |n: Nursery<String>| {
            n.spawn(async {
                let why = until_told().await;
                let _ = shield(LONG, yield_now()).await;
                Err(why)
            });
            begun(&n).await;
            n.cancel();
            Ok("stopped")
        })
    }
    one_failure_in_the_body(on) -> "task `reader` failed: no such file" {
        nursery().on(on).run(async |n: Nursery<String>| {
            let part = n.task("reader").fork(failing());
            use_of(part).await
        })
    }
    one_failure_with_question_mark(on) -> "task `reader` failed: no such file" {
        nursery().on(on).run(async |n: Nursery| {
            let part = n.task("reader").fork(async { Ok::<u32, _>(failing().await?) });
            Ok(part.await?)
        })
    }
    one_failure_for_a_value(on) -> "task `reader` failed: no such file" {
        nursery().on(on).run(async |n: Nursery<String>| {
            let part = n.task("reader").fork(failing());
            Ok(part.value().await)
        })
    }
    one_failure_for_a_chain(on) -> "task `reader` failed: no such file" {
        nursery().on(on).run(async |n: Nursery<String>| {
            let first = n.task("reader").fork(failing());
            let second = n.fork(use_of(first));
            let third = n.fork(async move { Ok(second.value().await + 1) });
            use_of(third).await
        })
    }
    one_failure_for_a_chain_that_waits_for_all(on) -> "task `reader` failed: no such file" {
        nursery().on(on).policy(Policy::WaitAll).run(async |n: Nursery<String>| {
            let first = n.task("reader").fork(failing());
            let second = n.fork(use_of(first));
            let third = n.fork(async move { Ok(second.value().await + 1) });
            let fourth = n.fork(use_of(third));
            use_of(fourth).await
        })
    }
    one_failure_for_a_nursery_inside(on) -> "task `reader` failed: no such file" {
        nursery().on(on).policy(Policy::WaitAll).run(async |n: Nursery<String>| {
            let part = n.task("reader").fork(failing());
            n.spawn(async {
                let inside = nursery().run(async |m: Nursery<String>| {
                    m.spawn(pending());
                    use_of(part).await
                });
                inside.await.map(drop).map_err(|error| error.to_string())
            });
            Ok(())
        })
    }
    one_failure_for_a_value_inside(on) -> "task `reader` failed: no such file" {
        nursery().on(on).policy(Policy::WaitAll).run(async |n: Nursery<String>| {
            let part = n.task("reader").fork(failing());
            n.spawn(async {
                let inside = nursery().run(async |m: Nursery<String>| {
                    m.spawn(pending());
                    Ok(part.value().await)
                });
                inside.await.map(drop).map_err(|error| error.to_string())
            });
            Ok(())
        })
    }
}

async fn failing() -> Text {
    yield_now().await;
    Err("no such file".to_string())
}
/// For real threads only: a job of the simulator is one step.
pub(crate) const ON_THREADS: &[crate::Program] = {
    mod blocking {
        use super::*;
        programs! {
            blocking_work(on) -> r#""stopped""# {
                nursery().on(on).run(async |n: Nursery<String>| {
                    let work = n.blocking::<(), _>(|cx| {
                        while !cx.is_cancelled() {
                            std::thread::yield_now();
                        }
                        Err("not told, and too late".to_string())
                    });
                    let _work = work;
                    n.cancel();
                    Ok("stopped")
                })
            }
        }
    }
    blocking::PROGRAMS
};
