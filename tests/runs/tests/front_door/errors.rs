//! The error of a nursery and that of a join, in the texts, chains and types that users look at.

use super::{Load, boot, joined, on_fire};
use allhome::error::PanicPolicy;
use allhome::runtime::ThreadPool;
use allhome::{BoxError, GroupError, JoinError, Nursery, Policy, block_on, nursery};
use anyhow::Context;
use std::error::Error;
use std::fmt::Debug;
use std::future::pending;
use std::io;
use std::mem::size_of;
use std::sync::{Arc, Mutex};

const PREFIX: &str = "nursery `boot`: task `config` failed: ";

/// What a log shows of it: alone, in `eyre`, in a box and in `anyhow`, with `{}` and with `{:#}`.
#[track_caller]
fn shows(error: impl Error + Send + Sync + 'static, short: &str, long: &str) {
    assert_eq!((error.to_string(), format!("{error:#}")), (short.into(), long.into()));
    let report = eyre::Report::new(error);
    assert_eq!((report.to_string(), format!("{report:#}")), (short.into(), long.into()));
    let boxed = BoxError::from(report);
    assert_eq!(boxed.to_string(), short);
    let error = anyhow::Error::from_boxed(boxed);
    assert_eq!((error.to_string(), format!("{error:#}")), (short.into(), long.into()));
}

/// `{:#}` shows each text of the chain once, whatever the error type; `{}` the first.
#[test]
fn f37_text_and_chain_with_every_error_type() {
    let own = format!("{PREFIX}cannot load the configuration");
    let all = format!("{own}: disk on fire");
    shows(boot(Load(on_fire())), &own, &all);
    shows(boot(Arc::new(Load(on_fire()))), &own, &all);
    shows(boot(BoxError::from(Load(on_fire()))), &own, &all);
    let context = "cannot load the configuration";
    shows(boot(anyhow::Error::from(on_fire()).context(context)), &own, &all);
    shows(boot(eyre::Report::from(on_fire()).wrap_err(context)), &own, &all);

    let fire = format!("{PREFIX}disk on fire");
    shows(boot(on_fire()), &fire, &fire);
    shows(boot(Arc::new(on_fire())), &fire, &fire);
    shows(boot(anyhow::Error::from(on_fire())), &fire, &fire);
    shows(boot("disk on fire".to_string()), &fire, &fire);
    shows(boot("disk on fire"), &fire, &fire);
}

#[test]
fn f37_anyhow_prints_the_text_and_then_the_causes() {
    let text = format!("{:?}", anyhow::Error::from(boot(Load(on_fire()))));
    let expected = format!("{PREFIX}cannot load the configuration\n\nCaused by:\n    disk on fire");
    assert!(text.starts_with(&expected), "{text}");
    let error = Err::<(), _>(boot(Load(on_fire()))).context("start-up").unwrap_err();
    let all = format!("start-up: {PREFIX}cannot load the configuration: disk on fire");
    assert_eq!(format!("{error:#}"), all);
}

#[derive(Debug, thiserror::Error)]
enum App {
    #[error(transparent)]
    Group(#[from] GroupError<Load>),
    #[error(transparent)]
    Join(#[from] JoinError<Load>),
    #[error("the application failed")]
    Source(#[source] GroupError<Load>),
    #[error(transparent)]
    Whole(JoinError<Self>),
    #[error("of our own")]
    Own,
}

#[test]
fn f37_as_a_part_of_other_errors() {
    let source = |app: &App| app.source().map(ToString::to_string);
    let (group, join) = (App::from(boot(Load(on_fire()))), App::from(joined(Load(on_fire()))));
    let own = "cannot load the configuration";
    assert_eq!(
        (group.to_string(), source(&group)),
        (format!("{PREFIX}{own}"), Some("disk on fire".into()))
    );
    assert_eq!(join.to_string(), format!("task `config` failed: {own}"));
    assert_eq!(source(&join).as_deref(), Some("disk on fire"));
    let app = anyhow::Error::from(App::Source(boot(Load(on_fire()))));
    assert_eq!(format!("{app:#}"), format!("the application failed: {PREFIX}{own}: disk on fire"));
}

/// A report of a line for each failure, as `main` prints it.
#[test]
fn f37_report_of_many_lines() {
    let open = || nursery().on(ThreadPool::global()).policy(Policy::WaitAll);
    let run = open().name("boot").keep_failures(3).panics(PanicPolicy::Report).run(async |n| {
        n.task("config").fork::<(), _>(async { Err(Load(on_fire())) }).await.unwrap_err();
        let panics = n.task("cache").fork::<(), _>(async { panic!("left:\nright:") });
        panics.await.unwrap_err();
        for _ in 0..3 {
            n.task("late").fork::<(), _>(async { Err(Load(on_fire())) }).await.unwrap_err();
        }
        n.spawn(pending());
        n.cancel();
        Ok(())
    });
    let text = format!("Error: {:?}", block_on(run).unwrap_err());
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].starts_with("Error: nursery `boot` (at "), "{text}");
    assert!(lines[0].ends_with(") failed"), "{text}");
    let failed = "failed: cannot load the configuration: disk on fire";
    assert_eq!(lines[1], format!("  task `config` {failed}"));
    assert!(lines[2].starts_with("  task `cache` panicked"), "{text}");
    assert_eq!(lines[3], "  right:", "a text of two lines stays below its task: {text}");
    assert_eq!(lines[4], format!("  task `late` {failed}"));
    assert_eq!(lines[5..], ["  and 2 more", "cancelled: 1 task"]);
}

#[test]
fn f37_report_says_what_followed() {
    let text = format!("{:?}", boot(Load(on_fire())));
    assert!(text.ends_with("\ncancelled because of that: 1 task"), "{text}");
}

/// The two that convert keep the kind and the text; the whole error is inside.
#[test]
fn f17_conversions() {
    let error = io::Error::from(boot(on_fire()));
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert_eq!(error.to_string(), format!("{PREFIX}disk on fire"));
    assert!(error.get_ref().unwrap().is::<GroupError<io::Error>>());
    let error = io::Error::from(joined(on_fire()));
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert!(error.get_ref().unwrap().is::<JoinError<io::Error>>());
    assert_eq!(String::from(boot("no".to_string())), format!("{PREFIX}no"));
    assert_eq!(String::from(joined("no".to_string())), "task `config` failed: no");

    let late = nursery().on(ThreadPool::global()).deadline(std::time::Duration::ZERO);
    let late = late.run(async |_: Nursery<io::Error>| pending::<Result<(), _>>().await);
    let late = block_on(late).unwrap_err();
    assert!(late.is_timeout() && late.is_cancel());
    assert_eq!(io::Error::from(late).kind(), io::ErrorKind::TimedOut);
    assert!(!boot(on_fire()).is_cancel());
    // A child that the deadline cancels or refuses. Its handle is awaited outside.
    let late = nursery().on(ThreadPool::global()).deadline(std::time::Duration::ZERO);
    let late = late.run(async |n: Nursery<io::Error>| Ok(n.fork::<(), _>(pending())));
    let error = io::Error::from(block_on(async { late.await.unwrap().await.unwrap_err() }));
    assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{error}");
}

#[test]
fn e19_join_error_names_the_child() {
    let error = joined(Load(on_fire()));
    assert_eq!(error.to_string(), "task `config` failed: cannot load the configuration");
    assert_eq!(format!("{error:#}"), format!("{error}: disk on fire"));
    assert_eq!(error.source().unwrap().to_string(), "disk on fire");
    let report = format!("{error:#}\n  spawned at {}", error.location().unwrap());
    assert_eq!(format!("{error:?}"), report);
    assert_eq!((error.name(), error.task().is_some()), (Some("config"), true));
    assert!(error.location().unwrap().file().ends_with("front_door/main.rs"));
    assert!(error.error().is_some_and(|Load(inner)| inner.kind() == io::ErrorKind::StorageFull));
    shows(joined("no"), "task `config` failed: no", "task `config` failed: no");
}

/// What is no error of the child's has its own words.
#[test]
fn e19_join_error_of_other_ends() {
    let run =
        nursery().on(ThreadPool::global()).panics(PanicPolicy::Report).policy(Policy::Isolate);
    let run = run.run(async |n: Nursery| {
        let panicked = n.task("a").fork::<(), _>(async { panic!("no") }).await.unwrap_err();
        assert!(
            panicked.panic().is_some() && panicked.to_string().starts_with("task `a` panicked")
        );
        let waits = n.fork::<(), _>(pending());
        let id = waits.id();
        waits.cancel_with(allhome::Reason::new("bye"));
        let cancelled = waits.await.unwrap_err();
        assert_eq!((cancelled.task(), cancelled.name()), (id, None));
        assert_eq!(cancelled.reason().unwrap().message(), "bye");
        let text = cancelled.to_string();
        assert!(text.starts_with("task ") && text.contains("spawned at "), "{text}");
        assert!(text.contains(" was cancelled: cancel requested: bye"), "{text}");

        let mut twice = n.task("b").fork(async { Ok(()) });
        (&mut twice).await.unwrap();
        let taken = twice.await.unwrap_err();
        assert!(taken.is_taken() && taken.location().is_none() && taken.task().is_none());
        assert_eq!(taken.to_string(), "the child's outcome was taken before");
        n.close();
        let refused = n.task("c").fork(async { Ok(()) }).await.unwrap_err();
        assert_eq!((refused.task(), refused.name()), (None, Some("c")));
        assert!(refused.reason().is_some() && refused.location().is_some());
        assert!(refused.to_string().starts_with("child `c` was refused: "), "{refused}");
        let refused = n.fork(async { Ok(()) }).await.unwrap_err().to_string();
        assert!(refused.starts_with("child (spawned at "), "{refused}");
        Ok(())
    });
    // Those that panicked or were cancelled are the joiner's.
    block_on(run).unwrap();
}

/// A body that returns the error of its join is an echo with a share of the child's error.
#[test]
fn e02_the_error_by_value_or_the_whole() {
    let fails = |kept: Option<Arc<Mutex<Option<JoinError<App>>>>>| {
        let run = nursery().on(ThreadPool::global()).run(async move |n: Nursery<App>| {
            let child = n.task("a").fork::<(), _>(async { Err(App::Own) });
            let error = child.await.unwrap_err();
            match kept {
                Some(kept) => {
                    *kept.lock().unwrap() = Some(error);
                    Ok(())
                }
                None => Err(App::Whole(error)),
            }
        });
        block_on(run).unwrap_err()
    };
    let error = fails(None);
    assert_eq!(error.echoes().len(), 1);
    assert!(matches!(error.into_error(), Ok(App::Own)));

    let kept = Arc::default();
    let error = fails(Some(Arc::clone(&kept)));
    let shown = format!("{error:?}");
    let whole = error.into_error().unwrap_err();
    assert_eq!(format!("{whole:?}"), shown);
    drop(kept);
    assert!(matches!(whole.into_error(), Ok(App::Own)));

    let cancelled = nursery().on(ThreadPool::global()).run(async |n: Nursery<App>| {
        n.cancel();
        pending::<Result<(), _>>().await
    });
    let whole = block_on(cancelled).unwrap_err().into_error().unwrap_err();
    assert!(whole.is_cancel(), "{whole}");
}

#[test]
fn errors_are_as_small_as_a_pointer() {
    let word = size_of::<usize>();
    assert_eq!(size_of::<GroupError<Load>>(), word);
    assert_eq!(size_of::<JoinError<[u64; 9]>>(), word);
    assert_eq!(size_of::<Nursery>(), word);
    assert_eq!(size_of::<Result<(), JoinError<Load>>>(), word);
}

/// Nothing is asked of `E` but what a nursery asks.
#[test]
fn e19_no_bound_on_the_error_type() {
    fn is_error<T: Error + Debug + Send + Sync + 'static>() {}
    struct NoError;
    is_error::<GroupError<NoError>>();
    is_error::<JoinError<NoError>>();
    is_error::<allhome::error::Failure<NoError>>();
    is_error::<allhome::sim::SimError<NoError>>();
}
