//! The text of a tree: what is inside stands below what opened it.

use allhome::task::Tree;
use allhome::{Nursery, Simulator, nursery, sleep};
use futures_util::future::{Either, select};
use std::convert::Infallible;
use std::future::pending;
use std::pin::pin;
use std::time::Duration;

type Never = Nursery<Infallible>;

const SECOND: Duration = Duration::from_secs(1);

/// Returns its text with the nurseries' names for their ids, and without the places and ages.
fn text(tree: &Tree) -> String {
    let mut text: Vec<_> = tree.to_string().lines().map(str::to_string).collect();
    for line in &mut text {
        assert!(line.contains(", at "), "each line has a place");
        let ends = [", at ", ", the last ", ", opened 1.0 s ago"].map(|end| line.find(end));
        line.truncate(ends.into_iter().flatten().min().unwrap_or(0));
        for nursery in tree.nurseries() {
            let name = nursery.name.as_deref().unwrap_or("root");
            *line = line.replace(&format!("task {}.", nursery.id), &format!("task {name}."));
            *line = line.replace(&format!("nursery {}", nursery.id), "nursery");
        }
    }
    text.join("\n")
}

/// A body that has a child and never ends.
async fn holds(inside: Never) -> Result<(), Infallible> {
    inside.task("query").go(pending());
    pending().await
}

#[test]
fn o28_a_nursery_is_shown_below_what_opened_it() {
    let tree = Simulator::new().run(async |n: Never| {
        let warm_up = nursery().name("warm-up").run(holds);
        n.task("idle").go(pending());
        for request in ["one", "two"] {
            let outer = n.clone();
            n.task(request).go(async move {
                let run = nursery().name(format!("of {request}")).run(async |own: Never| {
                    // To `outer`, a child of another nursery is a foreign task.
                    own.task("log").go(async move {
                        drop(outer.nursery().name(format!("audit of {request}")).run(holds).await);
                    });
                    pending::<Result<(), _>>().await
                });
                drop(run.await);
            });
        }
        let look = async {
            sleep(SECOND).await;
            n.tree()
        };
        let tree = match select(pin!(warm_up), pin!(look)).await {
            Either::Left(_) => panic!("it holds"),
            Either::Right((tree, _)) => tree,
        };
        n.abort();
        Ok(tree)
    });
    let expected = "\
nursery
    nursery `warm-up`, opened by the body
      task warm-up.1 `query` waiting, 1 poll
    nursery `audit of one`, opened from outside
      task audit of one.1 `query` waiting, 1 poll
    nursery `audit of two`, opened from outside
      task audit of two.1 `query` waiting, 1 poll
  task root.1 `idle` waiting, 1 poll
  task root.2 `one` waiting for nursery, 1 poll
    nursery `of one`
      task of one.1 `log` waiting for nursery, 1 poll
  task root.3 `two` waiting for nursery, 1 poll
    nursery `of two`
      task of two.1 `log` waiting for nursery, 1 poll";
    assert_eq!(text(&tree.unwrap()), expected);
}
