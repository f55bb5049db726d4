//! What the hook for failures hears of echoes and missing values, and what `settle` keeps of them.

use crate::begun;
use allhome::error::{Cause, FailureInfo, PanicPolicy};
use allhome::runtime::ThreadPool;
use allhome::{Builder, Nursery, Policy, block_on, cancelled, nursery, yield_now};
use allhome_runs::{Opened, Stepped};
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

const POLICIES: [Policy; 4] =
    [Policy::FailFast, Policy::WaitAll, Policy::Isolate, Policy::Supervise];

type Text = Result<u32, String>;

/// What a hook has heard: each failure as a line, and whether it is an echo.
#[derive(Clone, Default)]
struct Heard {
    lines: Arc<Mutex<Vec<(String, bool)>>>,
    n: Arc<Mutex<Option<Nursery<String>>>>,
}

impl Heard {
    fn nursery(&self, policy: Policy) -> Builder {
        let heard = self.clone();
        let builder = nursery().on(ThreadPool::global()).policy(policy);
        builder.panics(PanicPolicy::Report).on_failure(move |failure| heard.note(failure))
    }

    fn note(&self, failure: &FailureInfo<'_>) {
        // It takes the nursery's lock, which would hang if the caller held it.
        if let Some(n) = &*self.n.lock().unwrap() {
            assert!(!n.tree().nurseries().is_empty());
        }
        self.lines.lock().unwrap().push((failure.to_string(), failure.is_echo()));
    }

    fn watch(&self, n: &Nursery<String>) {
        *self.n.lock().unwrap() = Some(n.clone());
    }

    /// Takes what was heard, in the order of the lines.
    fn take(&self) -> Vec<(String, bool)> {
        self.n.lock().unwrap().take();
        let mut lines = std::mem::take(&mut *self.lines.lock().unwrap());
        lines.sort();
        lines
    }
}

fn lines<const N: usize>(lines: [(&str, bool); N]) -> Vec<(String, bool)> {
    lines.map(|(line, echo)| (line.to_string(), echo)).to_vec()
}

/// Ends with an error after the cancel.
async fn late() -> Result<(), String> {
    cancelled().await;
    Err("an echo".to_string())
}

#[test]
fn f33_echoes_are_told_as_such_and_reports_as_failures() {
    for policy in POLICIES {
        let heard = Heard::default();
        let run = heard.nursery(policy).run(async |n: Nursery<String>| {
            heard.watch(&n);
            n.task("late").spawn(late());
            begun(&n).await;
            assert!(n.fail("real".to_string()));
            n.cancel();
            Err::<(), _>("once more".to_string())
        });
        let settled = block_on(run.settle());
        let expected = lines([
            ("task `late` failed: an echo", true),
            ("the body failed: once more", true),
            ("the body failed: real", false),
        ]);
        assert_eq!(heard.take(), expected, "{policy:?}");
        let mut echoes: Vec<_> = settled.echoes.iter().map(|echo| echo.to_string()).collect();
        echoes.sort();
        assert_eq!(echoes, ["task `late` failed: an echo", "the body failed: once more"]);
        let error = settled.error.expect("what is reported counts");
        assert_eq!((error.failures().len(), error.echoes().len()), (1, 2), "{policy:?}: {error:?}");
    }
}

#[test]
fn f35_settle_keeps_echoes_beside_the_value() {
    for policy in POLICIES {
        let heard = Heard::default();
        let run = heard.nursery(policy).run(async |n: Nursery<String>| {
            heard.watch(&n);
            n.task("late").spawn(late());
            begun(&n).await;
            n.cancel();
            Ok(7)
        });
        let settled = block_on(run.settle());
        assert_eq!((settled.value, settled.forgotten), (Some(7), 0), "an echo is no failure");
        assert!(settled.error.is_none(), "{policy:?}: {:?}", settled.error);
        let [echo] = &settled.echoes[..] else { panic!("{policy:?}: {:?}", settled.echoes) };
        assert_eq!(
            (echo.name(), echo.error().map(String::as_str)),
            (Some("late"), Some("an echo"))
        );
        assert_eq!(heard.take(), lines([("task `late` failed: an echo", true)]), "{policy:?}");
    }
}

#[test]
fn f33_a_missing_value_is_told() {
    let heard = Heard::default();
    let run = heard.nursery(Policy::WaitAll).run(async |n: Nursery<String>| {
        heard.watch(&n);
        let part = n.task("part").fork(pending::<Text>());
        part.cancel();
        n.task("user").spawn(async move {
            part.value().await;
            Ok(())
        });
        Ok(())
    });
    let error = block_on(run).unwrap_err();
    assert_eq!((error.failures().len(), error.echoes().len()), (1, 0), "{error:?}");
    let [(line, false)] = &heard.take()[..] else { panic!("one failure, and no echo") };
    let start = "task `user` needed a value, but task `part` was cancelled: cancel requested";
    assert!(line.starts_with(start), "{line}");
}

/// The nursery left it to the joiner, which hands it in.
#[test]
fn f33_a_failure_that_is_handed_in_is_told_once() {
    for policy in [Policy::Isolate, Policy::Supervise] {
        for in_body in [false, true] {
            let heard = Heard::default();
            let run = heard.nursery(policy).run(async |n: Nursery<String>| {
                heard.watch(&n);
                let part = n.task("part").fork(async {
                    yield_now().await;
                    Text::Err("bad".to_string())
                });
                if in_body {
                    return Ok(part.value().await);
                }
                n.fork(async move { Ok(part.value().await) }).await.map_err(|end| end.to_string())
            });
            let settled = block_on(run.settle());
            let told = heard.take();
            let handed = told.iter().filter(|(line, _)| line == "task `part` failed: bad");
            assert_eq!(handed.count(), 1, "{policy:?}: {told:?}");
            assert!(settled.value.is_none(), "{policy:?}: there is no value to go on with");
            let forgotten = usize::from(policy == Policy::Supervise);
            assert_eq!(settled.forgotten, forgotten, "{policy:?}");
        }
    }
}

/// A future that ends with an error after its cancel, and whose destructor panics.
struct PanicsInDrop(Pin<Box<dyn Future<Output = Result<(), String>> + Send>>);

impl Future for PanicsInDrop {
    type Output = Result<(), String>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl Drop for PanicsInDrop {
    fn drop(&mut self) {
        std::panic::resume_unwind(Box::new("in a destructor"))
    }
}

#[test]
fn f33_an_echo_before_a_panic_of_the_destructor_is_told() {
    for policy in [Policy::FailFast, Policy::WaitAll] {
        let heard = Heard::default();
        let run = heard.nursery(policy).run(async |n: Nursery<String>| {
            heard.watch(&n);
            n.task("late").spawn(PanicsInDrop(Box::pin(async {
                cancelled().await;
                Err("an echo".to_string())
            })));
            begun(&n).await;
            n.cancel();
            Ok(())
        });
        let settled = block_on(run.settle());
        assert_eq!(settled.echoes.len(), 1, "{policy:?}");
        let error = settled.error.expect("a panic is a failure in any case");
        assert!(matches!(error.first().cause(), Cause::Panic(_)), "{error:?}");
        let expected = lines([
            ("task `late` failed: an echo", true),
            ("task `late` panicked: in a destructor", false),
        ]);
        assert_eq!(heard.take(), expected, "{policy:?}");
    }
}

#[test]
fn f33_a_lost_child_is_told() {
    for policy in POLICIES {
        let (heard, stepped) = (Heard::default(), Stepped::new(1));
        let mut opened = Opened::fallible(heard.nursery(policy).on(stepped.runtime()));
        heard.watch(&opened.n);
        opened.n.task("one").spawn(pending());
        stepped.take().expect("its task is scheduled").discard();
        assert!(opened.n.is_empty());
        let expected = lines([("task `one` was lost: the runtime dropped it", false)]);
        assert_eq!(heard.take(), expected, "{policy:?}: told before it has left");
        stepped.run_until_stalled();
        opened.end.open();
        assert!(opened.poll().is_ready());
        assert!(heard.take().is_empty(), "{policy:?}: told once");
    }
}

#[test]
fn f33_a_stuck_task_is_told() {
    for policy in POLICIES {
        let heard = Heard::default();
        let (answer, question) = std::sync::mpsc::channel::<()>();
        let stuck = heard.nursery(policy).stuck_after(Duration::from_millis(1));
        let run = stuck.run(async |n: Nursery<String>| {
            heard.watch(&n);
            let (begun, begins) = tokio::sync::oneshot::channel();
            let deaf = n.task("deaf").blocking(move |_| {
                let _ = begun.send(());
                let _ = question.recv();
                Ok(())
            });
            let _ = begins.await;
            n.cancel();
            drop(deaf);
            Ok(())
        });
        let error = block_on(run).unwrap_err();
        assert!(matches!(error.first().cause(), Cause::Stuck), "{policy:?}: {error:?}");
        let line = "task `deaf` is stuck: it was cancelled, and still blocks its thread";
        assert_eq!(heard.take(), lines([(line, false)]), "{policy:?}");
        drop(answer);
    }
}

/// The panic of a child whose nursery's future was dropped goes to the nursery around, and to its
/// hook.
#[test]
fn f34_an_adopted_panic_is_told() {
    for policy in POLICIES {
        let (heard, own) = (Heard::default(), Heard::default());
        let run = heard.nursery(policy).run(async |n: Nursery<String>| {
            heard.watch(&n);
            let inside = own.nursery(Policy::FailFast).run(async |m: Nursery<String>| {
                m.task("inner").spawn(PanicsInDrop(Box::pin(pending())));
                begun(&m).await;
                pending::<Result<(), _>>().await
            });
            let mut inside = Box::pin(inside);
            poll_fn(|cx| {
                assert!(inside.as_mut().poll(cx).is_pending());
                let tree = n.tree();
                let mut tasks = tree.nurseries().iter().flat_map(|nursery| &nursery.tasks);
                if tasks.any(|task| task.polls > 0) { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            // What waits in it is destroyed by this.
            drop(inside);
            Ok(7)
        });
        let settled = block_on(run.settle());
        let line = "task `inner` panicked: in a destructor";
        assert_eq!(heard.take(), lines([(line, false)]), "{policy:?}");
        assert_eq!(settled.error.is_none(), policy == Policy::Supervise, "{policy:?}");
    }
}
