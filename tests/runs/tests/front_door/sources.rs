//! A search by type, along the sources and through the errors of nurseries and joins.

use super::{Load, boot, joined, on_fire};
use allhome::runtime::ThreadPool;
use allhome::{BoxError, GroupError, Nursery, block_on, nursery};
use std::error::Error;
use std::io;
use std::sync::{Arc, Mutex};

#[test]
fn f38_find_looks_at_the_error_and_behind_it() {
    assert!(boot(Load(on_fire())).find::<Load>().is_some());
    assert!(boot(Load(on_fire())).find::<io::Error>().is_some());
    assert!(boot(on_fire()).find::<io::Error>().is_some());
    assert!(boot(anyhow::Error::from(on_fire())).find::<io::Error>().is_some());
    assert!(boot(anyhow::Error::from(Load(on_fire())).context("no")).find::<Load>().is_some());
    assert!(boot(eyre::Report::from(on_fire()).wrap_err("no")).find::<io::Error>().is_some());
    assert!(boot(BoxError::from(on_fire())).find::<io::Error>().is_some());
    assert!(boot("text").find::<io::Error>().is_none());
    assert!(joined(on_fire()).find::<io::Error>().is_some());
    assert!(boot(Load(on_fire())).first().find::<io::Error>().is_some());
}

/// The errors of nurseries and joins have the user's type in theirs; the search goes on in them,
/// whatever wraps them.
#[test]
fn f38_find_sees_through_nurseries_and_joins() {
    #[derive(Debug, thiserror::Error)]
    #[error(transparent)]
    struct Transparent(#[from] GroupError<io::Error>);

    let inner = || anyhow::Error::from(boot(on_fire()));
    assert!(boot(boot(boot(on_fire()))).find::<io::Error>().is_some());
    assert!(boot(inner()).find::<io::Error>().is_some());
    assert!(boot(boot(inner().context("no"))).find::<io::Error>().is_some());
    assert!(boot(anyhow::Error::from(joined(inner()))).find::<io::Error>().is_some());
    assert!(joined(BoxError::from(joined(on_fire()))).find::<io::Error>().is_some());
    assert!(boot(Transparent(boot(on_fire()))).find::<io::Error>().is_some());
    // A conversion finds the one that has the text of all, whose kind is the same.
    let found = boot(io::Error::from(boot(on_fire())));
    assert_eq!(found.find::<io::Error>().unwrap().kind(), io::ErrorKind::StorageFull);
    assert!(boot(boot("text")).find::<GroupError<&str>>().is_some());
}

/// The search leaves no trace: the sources are what they were, also if an error panics in it.
#[test]
fn f38_find_leaves_the_sources_alone() {
    #[derive(Debug, thiserror::Error)]
    #[error("panics")]
    struct Panics;

    struct Asked;
    impl std::fmt::Debug for Asked {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            Ok(())
        }
    }
    impl std::fmt::Display for Asked {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            Ok(())
        }
    }
    impl Error for Asked {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            panic!("no source")
        }
    }

    let error = boot(on_fire());
    assert!(error.find::<Panics>().is_none());
    assert!(error.source().is_none(), "it is in the text");
    let asked = joined(Asked);
    let search = std::panic::AssertUnwindSafe(|| asked.find::<Panics>().is_some());
    assert!(std::panic::catch_unwind(search).is_err());
    assert!(error.source().is_none(), "it is in the text");
}

#[test]
fn f38_find_in_the_second_failure() {
    let run = nursery().on(ThreadPool::global()).policy(allhome::Policy::WaitAll).run(
        async |n: Nursery| {
            n.fork::<(), _>(async { Err("text".into()) }).await.unwrap_err();
            n.fork::<(), _>(async { Err(on_fire().into()) }).await.unwrap_err();
            Ok(())
        },
    );
    let error = block_on(run).unwrap_err();
    assert!(error.find::<io::Error>().is_some() && error.first().find::<io::Error>().is_none());
}

/// The hook for failures has no type of the error, and finds it like the errors do.
#[test]
fn f38_find_in_what_the_hook_is_told() {
    let found = Arc::new(Mutex::new(Vec::new()));
    let note = found.clone();
    let server = nursery().on(ThreadPool::global()).policy(allhome::Policy::Supervise);
    let server = server.on_failure(move |failure| {
        let load = failure.find::<Load>().is_some();
        note.lock().unwrap().push((load, failure.find::<io::Error>().is_some()));
    });
    let inside = boot(Load(on_fire()));
    let run = server.run(async move |n: Nursery| {
        assert!(n.fork::<(), _>(async { Err(Load(on_fire()).into()) }).await.is_err());
        for error in [Load(on_fire()).into(), on_fire().into(), inside.into(), "text".into()] {
            n.spawn(async { Err(error) });
            while !n.is_empty() {
                allhome::yield_now().await;
            }
        }
        n.spawn(async { panic!("a bug") });
        Ok(())
    });
    block_on(run).unwrap();
    let expected = [(true, true), (false, true), (true, true), (false, false), (false, false)];
    assert_eq!(*found.lock().unwrap(), expected);
}
