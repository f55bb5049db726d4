//! What users can make as long as they like is taken apart, printed and looked at without
//! recursion.

use allhome::runtime::ThreadPool;
use allhome::{Nursery, Reason, block_on, nursery};
use allhome_conformance::Gate;
use std::convert::Infallible;
use std::error::Error;
use std::future::{Future, pending};
use std::iter::successors;
use std::pin::Pin;

const LONG: usize = 200_000;

fn chain(links: usize) -> Reason {
    (0..links).fold(Reason::new("first"), |cause, link| {
        Reason::new(format!("link {link}")).caused_by(cause)
    })
}

#[test]
fn c21_long_chain_of_reasons_is_dropped_without_recursion() {
    let whole = chain(LONG);
    let (shared, other) = (whole.cause().unwrap().clone(), Reason::new("other"));
    drop(whole);
    assert_eq!(shared.message(), format!("link {}", LONG - 2), "what is shared stays");
    // Replacing a cause drops the old one.
    let replaced = shared.caused_by(other);
    assert_eq!(successors(Some(&replaced), |reason| Reason::cause(reason)).count(), 2);
}

#[test]
fn c21_long_chain_of_reasons_is_printed_without_recursion() {
    let whole = chain(LONG);
    assert!(whole.to_string().starts_with(&format!("cancel requested: link {}", LONG - 1)));
    for text in [format!("{whole:?}"), format!("{whole:#?}")] {
        assert!(text.contains("link 199998"), "{text}");
        assert!(text.len() < 10_000, "{} bytes", text.len());
        assert!(text.contains("and 199984 more"), "{text}");
    }
    let short = format!("{:?}", chain(2));
    assert!(short.contains("link 0") && short.contains("first"), "{short}");
    assert!(!short.contains("more"), "{short}");
}

#[test]
fn c21_long_chain_of_reasons_is_walked_by_source() {
    let whole = chain(LONG);
    let (mut at, mut causes): (&dyn Error, usize) = (&whole, 0);
    while let Some(source) = at.source() {
        (at, causes) = (source, causes + 1);
    }
    assert_eq!((causes, at.to_string().contains("first")), (LONG, true));
}

type Link = Pin<Box<dyn Future<Output = Result<(), Infallible>> + Send>>;

/// A task that opens a nursery with such a task in it, and so on.
fn down(depth: usize, bottom: Gate) -> Link {
    Box::pin(async move {
        let inside = nursery().name("inside").run(async |n: Nursery<Infallible>| {
            match depth {
                0 => bottom.open(),
                _ => drop(n.spawn(down(depth - 1, bottom))),
            }
            pending::<Result<(), _>>().await
        });
        let _cancelled = inside.await;
        Ok(())
    })
}

#[test]
fn o22_deep_tree_is_printed() {
    const DEPTH: usize = 20_000;
    let bottom = Gate::new();
    let run = nursery().on(ThreadPool::global()).run(async |n: Nursery<Infallible>| {
        n.spawn(down(DEPTH, bottom.clone()));
        bottom.wait().await;
        let tree = n.tree().to_string();
        n.abort();
        Ok(tree)
    });
    let tree = block_on(run).unwrap();
    assert_eq!(tree.lines().count(), 2 * DEPTH + 3);
    let longest = tree.lines().map(str::len).max().unwrap();
    assert!(longest < 500, "{longest} bytes in a line");
    assert!(tree.contains("depth 20001"), "one that is deeper than it is printed says so");
}
