//! Clauses c13..: the tokens of nurseries and tasks, and what waits for a cancel or asks for an
//! end.

use super::{Nursery, nursery};
use crate::probe::{Counts, Gate, all_wait, eventually};
use allhome::cancel::{CancelExt, Level, ReasonKind, cancel_token};
use allhome::error::Cause;
use allhome::runtime::Runtime;
use allhome::task::exit;
use allhome::{CancelToken, Reason, cancelled, checkpoint, is_cancelled};
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::convert::Infallible;
use std::future::{Future, pending};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

pub(super) async fn c13_token_and_nursery_rise_together(runtime: Runtime) {
    for by_token in [true, false] {
        let token = nursery()
            .on(&runtime)
            .run(async |n: Nursery<Infallible>| {
                let token = n.token();
                assert!(token.same(&n.token()) && token.level() == Level::Running);
                assert!(if by_token {
                    token.escalate_to(Level::Draining, Reason::new(""))
                } else {
                    n.close()
                });
                assert_eq!((token.level(), n.level()), (Level::Draining, Level::Draining));
                let reason = Reason::new("together");
                assert!(if by_token { token.cancel_with(reason) } else { n.cancel_with(reason) });
                assert_eq!((token.level(), n.level()), (Level::Cancelled, Level::Cancelled));
                assert!(token.reason().unwrap().same(&n.reason().unwrap()));
                assert!(!token.cancel() && !n.cancel());
                assert!(if by_token {
                    token.escalate_to(Level::Aborted, Reason::new(""))
                } else {
                    n.abort()
                });
                assert_eq!((token.level(), n.level()), (Level::Aborted, Level::Aborted));
                assert_eq!(token.reason().unwrap().message(), "together");
                Ok(token)
            })
            .await;
        assert_eq!(token.unwrap().level(), Level::Aborted);
    }
}

pub(super) async fn c13_token_is_born_with_the_level(runtime: Runtime) {
    nursery()
        .on(&runtime)
        .run(async |n: Nursery<Infallible>| {
            n.close();
            assert_eq!(n.token().level(), Level::Draining);
            Ok(())
        })
        .await
        .unwrap();
    nursery()
        .on(&runtime)
        .run(async |n: Nursery<Infallible>| {
            n.cancel_with(Reason::new("before"));
            assert!(n.token().reason().unwrap().same(&n.reason().unwrap()));
            let inner =
                nursery().token(&CancelToken::new()).run(async |inner: Nursery<Infallible>| {
                    assert!(inner.token().reason().unwrap().same(&n.reason().unwrap()));
                    Ok(())
                });
            inner.await.unwrap();
            n.abort();
            assert_eq!(n.token().level(), Level::Aborted);
            Ok(())
        })
        .await
        .unwrap();
}

/// Cancels a task in one of many ways, and gives what its token says in the last poll.
async fn token_in_last_poll(runtime: &Runtime, cancel: Way) -> (Reason, bool) {
    let ready = Counts::new();
    let (tell, seen) = (ready.clone(), Arc::new(Mutex::new(None)));
    let note = seen.clone();
    let run = nursery().on(runtime).run(async |n: Nursery<Infallible>| {
        let task = async move {
            let token = cancel_token();
            assert!(!token.is_cancelled());
            tell.polled();
            let reason = cancelled().await;
            assert!(is_cancelled() && token.is_cancelled() && cancel_token().is_cancelled());
            let same = token.reason().unwrap().same(&reason);
            *note.lock().unwrap() = Some((reason, same));
            Ok(())
        };
        let child = match cancel {
            Way::Ancestor => n.fork(async move {
                let inner = nursery().run(async |inner: Nursery<Infallible>| {
                    inner.spawn(task);
                    pending::<Result<(), _>>().await
                });
                inner.await.unwrap_err();
                Ok(())
            }),
            _ => n.fork(task),
        };
        // A poll that is under way may see the cancel before the tokens below the task's own do.
        eventually(|| ready.polls() == 1 && all_wait(&n.tree())).await;
        let reason = Reason::new("on its way");
        match cancel {
            Way::Child => child.cancel_with(reason),
            Way::Token => n.token().cancel_with(reason),
            Way::Nursery | Way::Ancestor => n.cancel_with(reason),
        };
        Ok(())
    });
    run.await.unwrap();
    let seen = seen.lock().unwrap().take();
    seen.expect("it came to that")
}

#[derive(Clone, Copy)]
enum Way {
    Child,
    Nursery,
    Token,
    Ancestor,
}

pub(super) async fn c14_task_token_is_cancelled_with_the_task(runtime: Runtime) {
    for way in [Way::Child, Way::Nursery, Way::Token, Way::Ancestor] {
        let (reason, same) = token_in_last_poll(&runtime, way).await;
        assert!(reason.message() == "on its way" && same);
    }
}

pub(super) async fn c14_cancelling_it_cancels_what_hangs_on_it(runtime: Runtime) {
    nursery()
        .on(runtime)
        .run(async |n: Nursery<Infallible>| {
            let child = n.fork(async {
                let token = cancel_token();
                assert!(token.cancel() && token.child().is_cancelled());
                assert!(!is_cancelled() && checkpoint().await.is_ok());
                assert!(!cancel_token().is_cancelled(), "each call returns a new token");
                Ok(7)
            });
            assert_eq!(child.await.unwrap(), 7);
            assert!(cancel_token().cancel() && !n.is_cancelled() && !n.token().is_cancelled());
            Ok(())
        })
        .await
        .unwrap();
    let nobodys = cancel_token();
    assert!(!nobodys.is_cancelled() && nobodys.cancel() && !cancel_token().is_cancelled());
}

pub(super) async fn c15_nursery_hangs_on_a_token(runtime: Runtime) {
    let token = CancelToken::new();
    let counts = Counts::new();
    let run = nursery().on(&runtime).token(&token).run(async |n: Nursery<Infallible>| {
        n.spawn(counts.parked().child());
        eventually(|| counts.polls() == 1).await;
        assert!(!n.token().same(&token));
        token.cancel_with(Reason::new("from outside"));
        assert_eq!(n.reason().unwrap().message(), "from outside");
        pending::<Result<(), _>>().await
    });
    let error = run.await.unwrap_err();
    assert!(error.reason().unwrap().same(&token.reason().unwrap()));
    assert_eq!((counts.polls(), counts.drops()), (2, 1));
    // It was cancelled before this one is opened.
    let run = nursery().on(&runtime).token(&token).run(async |n: Nursery<Infallible>| {
        assert!(n.spawn(counts.parked().child()).refused().unwrap().same(&n.reason().unwrap()));
        Ok(n.level())
    });
    assert_eq!(run.await.unwrap(), Level::Cancelled);
    token.escalate_to(Level::Aborted, Reason::new(""));
    let run = nursery().on(&runtime).token(&token);
    run.run(async |_: Nursery<Infallible>| pending::<Result<(), _>>().await).await.unwrap_err();
    let other = CancelToken::new();
    let run = nursery().on(runtime).token(&other).run(async |n: Nursery<Infallible>| {
        assert!(n.cancel() && !other.is_cancelled(), "a cancel goes down only");
        Ok(())
    });
    run.await.unwrap();
}

/// Polls its parts when their own wakers are woken, and at no other time.
async fn first_of<T>(parts: impl IntoIterator<Item = impl Future<Output = T>>) -> T {
    let mut parts: FuturesUnordered<_> = parts.into_iter().collect();
    parts.next().await.expect("there is a part")
}

pub(super) async fn c16_cancelled_is_heard_deep_inside(runtime: Runtime) {
    let counts = Counts::new();
    for own in [true, false] {
        let ready = Counts::new();
        nursery()
            .on(&runtime)
            .run(async |n: Nursery<Infallible>| {
                let (count, tell) = (counts.clone(), ready.clone());
                let child = n.fork(async move {
                    let parts = (0..10).map(|_| async {
                        tell.polled();
                        let inner = [async { cancelled().await.message().to_string() }];
                        assert_eq!(first_of(inner).await, "x");
                        count.polled();
                    });
                    futures_util::future::join_all(parts).await;
                    count.polled();
                    Ok(())
                });
                eventually(|| ready.polls() == 10).await;
                let reason = Reason::new("x");
                assert!(if own { child.cancel_with(reason) } else { n.cancel_with(reason) });
                Ok(())
            })
            .await
            .unwrap();
    }
    assert_eq!(counts.polls(), 22, "each once, and the whole of it");
}

pub(super) async fn c16_cancelled_in_a_body(runtime: Runtime) {
    let run = nursery().on(runtime).run(async |n: Nursery<Infallible>| {
        let other = n.clone();
        n.spawn(async move {
            other.cancel_with(Reason::new("by a child"));
            Ok(())
        });
        Ok(first_of([async { cancelled().await }]).await)
    });
    assert_eq!(run.await.unwrap().message(), "by a child");
}

pub(super) async fn c17_checkpoint_gives_a_turn_and_tells(runtime: Runtime) {
    let turns = Arc::new(AtomicUsize::new(0));
    assert!(checkpoint().await.is_ok(), "outside of any nursery");
    nursery()
        .on(runtime)
        .run(async |n: Nursery<Infallible>| {
            for _ in 0..2 {
                let turns = turns.clone();
                n.spawn(async move {
                    while let Ok(()) = checkpoint().await {
                        turns.fetch_add(1, Ordering::SeqCst);
                    }
                    assert!(checkpoint().await.is_err() && is_cancelled());
                    Ok(())
                });
            }
            eventually(|| turns.load(Ordering::SeqCst) > 100).await;
            n.cancel_with(Reason::new("enough"));
            assert_eq!(checkpoint().await.unwrap_err().message(), "enough");
            Ok(())
        })
        .await
        .unwrap();
}

async fn deep(level: u32) -> Result<u32, Infallible> {
    if level == 0 {
        match exit().await {}
    }
    Box::pin(deep(level - 1)).await
}

pub(super) async fn c18_exit_ends_the_task_from_any_depth(runtime: Runtime) {
    let (counts, gate) = (Counts::new(), Gate::new());
    nursery()
        .on(runtime)
        .run(async |n: Nursery<Infallible>| {
            let waits = gate.clone();
            let sibling = n.fork(async move {
                waits.wait().await;
                Ok(is_cancelled())
            });
            let plain = n.fork(async { deep(0).await });
            let (outer, inner) = (counts.guard(), counts.guard());
            let within = n.fork(async move {
                let _outer = outer;
                allhome::yield_now().await;
                let parts = [async move {
                    let _inner = inner;
                    deep(20).await
                }];
                first_of(parts).await
            });
            for child in [plain, within] {
                let id = child.id();
                let ended = child.await.unwrap_err();
                let reason = ended.reason().unwrap();
                assert_eq!((reason.kind(), reason.by()), (ReasonKind::Exited, id));
                assert!(reason.location().file().ends_with("token.rs"));
            }
            assert_eq!(counts.drops(), 2);
            assert!(!n.is_cancelled(), "it is no failure");
            gate.open();
            assert!(!sibling.await.unwrap());
            Ok(())
        })
        .await
        .unwrap();
}

pub(super) async fn c18_exit_of_a_body_waits_for_the_children(runtime: Runtime) {
    let (counts, gate) = (Counts::new(), Gate::new());
    let spawn = |n: &Nursery<Infallible>| {
        let (guard, gate) = (counts.guard(), gate.clone());
        n.spawn(async move {
            let _guard = guard;
            gate.wait().await;
            assert!(!is_cancelled());
            Ok(())
        });
    };
    let run = nursery().on(runtime).run(async |n: Nursery<Infallible>| {
        let inner = nursery().run(async |inner: Nursery<Infallible>| {
            spawn(&inner);
            let opens = gate.clone();
            inner.spawn(async move {
                opens.open();
                Ok(())
            });
            deep(3).await
        });
        let error = inner.await.unwrap_err();
        assert_eq!(counts.drops(), 1);
        assert!(matches!(error.first().cause(), Cause::Cancelled(reason) if reason.kind() == ReasonKind::Exited));
        assert!(error.reason().is_none() && !n.is_cancelled(), "it ends that body alone");
        Ok(())
    });
    run.await.unwrap();
}

pub(super) async fn c19_until_cancelled_on_the_own_token(runtime: Runtime) {
    let ready = Counts::new();
    nursery()
        .on(runtime)
        .run(async |n: Nursery<Infallible>| {
            let tell = ready.clone();
            let child = n.fork(async move {
                let token = cancel_token();
                tell.polled();
                let cut = first_of([pending::<()>().until_cancelled(&token)]).await;
                let value = async { 7 }.until_cancelled(&token).await;
                Ok((cut.unwrap_err().message().to_string(), value.unwrap()))
            });
            eventually(|| ready.polls() == 1).await;
            child.cancel_with(Reason::new("cut"));
            assert_eq!(child.await.unwrap(), ("cut".to_string(), 7));
            Ok(())
        })
        .await
        .unwrap();
}
