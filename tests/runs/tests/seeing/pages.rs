//! The page: what it shows, what it escapes and folds, and what it says to a query that is rubbish.

use allhome::see::{self, Dump, Page};
use allhome::{Nursery, Semaphore, nursery};
use allhome_runs::{Opened, world};
use std::convert::Infallible;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;

type Never = Nursery<Infallible>;

fn dump_of(name: &str) -> Dump {
    let mut trees = see::trees();
    trees.retain(|tree| tree.root().name.as_deref() == Some(name));
    Dump::of(trees)
}

fn html(dump: &Dump, query: &str) -> String {
    let Page { status, content_type, body, .. } = dump.page(query);
    assert_eq!((status, content_type), (200, "text/html; charset=utf-8"), "{body}");
    // Nothing is fetched, and nothing runs.
    for part in ["<script", "src=", "<link", "@import", "url(", "http:", "https:", "<img"] {
        assert!(!body.contains(part), "{part}: {body}");
    }
    is_well_formed(&body);
    body
}

/// Each element that is opened is closed, in the reverse order; these have no end.
fn is_well_formed(body: &str) {
    let mut open: Vec<&str> = Vec::new();
    let body = body.strip_prefix("<!doctype html>").expect("a document");
    for tag in body.split('<').skip(1) {
        let tag = tag.split_once('>').expect("a tag has an end").0;
        let name = tag.split(' ').next().unwrap();
        match name.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "{body}"),
            None if name == "meta" => {}
            None => open.push(name),
        }
    }
    assert_eq!(open, [""; 0]);
}

#[test]
fn u34_the_page_has_findings_lots_and_nurseries_and_escapes_names() {
    let (stepped, _, runtime) = world();
    let mut opened = Opened::new(nursery().name("u34").on(&runtime));
    let n = opened.n.clone();
    let db = Arc::new(Semaphore::new(1).named("<db>&'\""));
    let held = db.try_acquire().unwrap();
    for _ in 0..1_200 {
        let db = db.clone();
        n.task("query").go(async move { drop(db.acquire().await) });
    }
    n.task("<script>alert(1)</script>\n\u{1b}\u{202e}").go(async {
        see::note("\"><img onerror=f()>");
        pending().await
    });
    stepped.run_until_stalled();
    let dump = dump_of("u34");
    let body = html(&dump, "");
    let at = |part: &str| body.find(part).unwrap_or_else(|| panic!("{part}: {body}"));
    let finding = at("1 task waits, with no waker left");
    let count = at("<b>1,200</b>");
    assert!(finding < count && count < at("<h2>Nurseries</h2>"), "findings come first");
    #[cfg(target_pointer_width = "64")]
    at("waiting for a permit of `&lt;db&gt;&amp;&#39;&quot;`");
    at("`&lt;script&gt;alert(1)&lt;/script&gt;\\n\\u{1b}\\u{202e}`");
    assert!(body.chars().all(|c| c == '\n' || !c.is_control()), "{body}");

    let task = dump.unreachable().next().unwrap().id;
    let one = html(&dump, &format!("id={task}"));
    assert!(one.contains("<dt>wakers</dt><dd>0</dd>") && one.contains("&lt;script&gt;"), "{one}");
    assert!(one.contains("only a cancel ends it") && one.contains("`u34`"), "{one}");
    let json = dump.page(&format!("format=json&id={task}"));
    let json: serde_json::Value = serde_json::from_str(&json.body).unwrap();
    assert_eq!(json["task"]["id"], task.to_string());
    let text = dump.page(&format!("format=text&id={task}"));
    assert_eq!(text.body.lines().count(), 1, "{}", text.body);

    let all = html(&dump, "tasks=1");
    assert_eq!(
        all.matches("<a href=\"?id=").count() - body.matches("<a href=\"?id=").count(),
        1_201
    );
    drop(held);
    opened.n.abort();
    assert!(opened.finish().is_ready());
    html(&Dump::of(Vec::new()), "");
}

#[test]
fn u35_what_is_not_understood_is_400_and_a_task_that_is_gone_404() {
    let (stepped, _, runtime) = world();
    let mut opened = Opened::new(nursery().name("u35").on(&runtime));
    let spawned = opened.n.go(async {});
    let id = spawned.id().expect("it was admitted");
    assert_eq!(dump_of("u35").page(&format!("id={id}")).status, 200);
    stepped.run_until_stalled();
    for query in [format!("id={id}"), "id=0.0".into(), format!("id={}.{}", u64::MAX, u64::MAX)] {
        let page = dump_of("u35").page(&query);
        assert_eq!((page.status, page.content_type), (404, "text/plain; charset=utf-8"));
    }
    for query in
        ["id=1", "id=-1.2", "format=pdf", "<script>", "%3Cscript%3E", "tasks=1&tasks=1", "\0"]
    {
        let page = see::page(query);
        assert_eq!((page.status, page.content_type), (400, "text/plain; charset=utf-8"), "{query}");
        assert!(page.body.contains("not understood"), "{}", page.body);
    }
    assert!(opened.finish().is_ready());
}

#[test]
fn u36_the_tree_is_folded_at_twenty_and_of_bounded_size() {
    let (stepped, _, runtime) = world();
    let mut opened = Opened::new(nursery().name("u36").on(&runtime));
    let n = opened.n.clone();
    for _ in 0..999 {
        n.go(pending());
    }
    // The last of all opens a nursery, which is shown, and that one another, 60 deep.
    n.task("opens").go(async { nested(60).await });
    stepped.run_until_stalled();
    let dump = dump_of("u36");
    let body = html(&dump, "");
    assert!(body.contains(".. 980 more, by place"), "{body}");
    assert!(body.contains("`opens`") && body.contains("`depth 60`"), "{body}");
    assert!(body.contains("`depth 30`") && !body.contains("`depth 1`"), "{body}");
    assert!(body.contains("nurseries are not shown"), "{body}");
    assert!(body.len() < 60_000, "{}", body.len());
    opened.n.abort();
    assert!(opened.finish().is_ready());
}

fn nested(depth: u32) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        if depth > 0 {
            let run = nursery().name(format!("depth {depth}")).run(async |n: Never| {
                n.go(nested(depth - 1));
                Ok(())
            });
            drop(run.await);
        }
        pending().await
    })
}
