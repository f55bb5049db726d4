//! A dump as coloured text, and as JSON.

use allhome::see::{self, Color, Dump};
use allhome::{Nursery, Semaphore, Simulator, nursery, sleep};
use allhome_runs::{Opened, Stepped, world};
use serde_json::Value;
use std::convert::Infallible;
use std::future::pending;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

type Never = Nursery<Infallible>;

/// What tries to be a line, a colour, markup and the end of a string.
const HOSTILE: &str =
    "a\"b\\c\n! 1 task\r\t\0\u{7f}\u{1b}[31m\u{9b}31m\u{202e}\u{2028}</script><b>&'ü🦀";

fn dump_of(name: &str) -> Dump {
    let mut trees = see::trees();
    trees.retain(|tree| tree.root().name.as_deref() == Some(name));
    Dump::of(trees)
}

fn written(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Returns the JSON, and checks that each object of a great array has a line.
fn json_of(dump: &Dump) -> Value {
    let text = written(|out| dump.write_json(out));
    let json: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let arrays = ["findings", "lots", "nurseries", "tasks"];
    let objects: usize = arrays.iter().map(|key| json[key].as_array().unwrap().len()).sum();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 1 + objects, "{text}");
    for line in &lines[1..] {
        assert!(line.starts_with(" {"), "{line}");
    }
    json
}

/// Opens a nursery in which there is each kind of thing.
fn everything(name: &str) -> (Stepped, Opened<Infallible>) {
    let (stepped, _, runtime) = world();
    let opened = Opened::new(nursery().name(name).on(&runtime));
    let n = opened.n.clone();
    let db = Arc::new(Semaphore::new(1).named("db"));
    std::mem::forget(db.try_acquire());
    for _ in 0..3 {
        let db = db.clone();
        n.task(HOSTILE).go(async move {
            see::note(HOSTILE);
            drop(db.acquire().await);
        });
    }
    n.task("lost").go(pending());
    n.go(async {
        let run = nursery().name(HOSTILE).run(async |n: Never| {
            n.go(see::waiting_on("a \"socket\"\n", sleep(Duration::from_secs(1))));
            Ok(())
        });
        drop(run.await);
    });
    (stepped, opened)
}

#[test]
fn u31_the_coloured_text_is_the_plain_one_with_colours() {
    let (stepped, mut opened) = everything("u31");
    stepped.run_until_stalled();
    let dump = dump_of("u31");
    let plain = dump.to_string();
    assert_eq!(written(|out| dump.write_text(out, Color::Never)), plain);
    assert!(!plain.contains('\x1b'), "{plain}");
    let coloured = written(|out| dump.write_text(out, Color::Always));
    assert!(coloured.contains("\x1b[1;31m! 1 task waits, with no waker left"), "{coloured}");
    // Each colour ends on its line, and without the colours it is the same.
    let mut bare = coloured.clone();
    for line in coloured.lines() {
        assert_eq!(line.matches("\x1b[").count(), 2 * line.matches("\x1b[0m").count(), "{line}");
    }
    for code in ["\x1b[1;31m", "\x1b[1m", "\x1b[2m", "\x1b[0m"] {
        bare = bare.replace(code, "");
    }
    assert_eq!(bare, plain);
    opened.n.abort();
    assert!(opened.finish().is_ready());
}

#[test]
fn u32_json_has_all_that_is_known_and_any_name() {
    let (stepped, mut opened) = everything("u32");
    stepped.run_until_stalled();
    let dump = dump_of("u32");
    let json = json_of(&dump);
    assert_eq!(json["allhome"], 1);
    assert_eq!(json["counts"], serde_json::json!({"tasks": 6, "nurseries": 2, "findings": 1}));
    assert_eq!(json["pid"], std::process::id());

    let root = dump.trees()[0].root();
    let tasks = json["tasks"].as_array().unwrap();
    assert_eq!(tasks.len(), 6);
    let first = tasks[0].as_object().unwrap();
    assert_eq!(first["id"], root.tasks[0].id.to_string());
    assert_eq!((&first["name"], &first["note"]), (&HOSTILE.into(), &HOSTILE.into()));
    assert_eq!(first["at"], root.tasks[0].location.to_string());
    #[cfg(target_pointer_width = "64")]
    assert_eq!(first["waits"], serde_json::json!({"kind": "permit", "name": "db"}));
    assert_eq!((&first["state"], &first["next_poll"]), (&"waiting".into(), &"by_waker".into()));
    assert_eq!((&first["polls"], &first["wakers"]), (&1.into(), &1.into()));
    // No clock is kept, and it is not cancelled.
    for unknown in ["age_ms", "age_at_least_ms", "since_poll_ms", "cancelled"] {
        assert!(!first.contains_key(unknown), "{unknown}");
    }

    let lost = root.tasks[3].id.to_string();
    let finding = &json["findings"][0];
    assert_eq!(
        (&finding["kind"], &finding["tasks"]),
        (&"only_by_cancel".into(), &Value::from([lost]))
    );

    let lot = &json["lots"][0];
    assert_eq!((&lot["count"], &lot["places"][0]["first"]), (&3.into(), &first["id"]));
    assert_eq!(lot["places"][0]["count"], 3);
    let all = json["lots"].as_array().unwrap().iter().map(|lot| lot["count"].as_u64().unwrap());
    assert_eq!(all.sum::<u64>(), 6);

    let nurseries = json["nurseries"].as_array().unwrap();
    assert_eq!((&nurseries[0]["name"], &nurseries[0]["tasks"]), (&"u32".into(), &5.into()));
    assert!(nurseries[0].get("parent").is_none());
    assert_eq!(
        (&nurseries[1]["parent"], &nurseries[1]["name"]),
        (&nurseries[0]["id"], &HOSTILE.into())
    );
    assert_eq!(nurseries[1]["opened_by"], root.tasks[4].id.to_string());
    opened.n.abort();
    assert!(opened.finish().is_ready());
}

#[test]
fn u32_json_of_nothing_and_of_ages() {
    let json = json_of(&Dump::of(Vec::new()));
    assert_eq!(json["counts"]["tasks"], 0);
    let dump = Simulator::new().run(async |n: Never| {
        n.go(sleep(Duration::from_secs(60)));
        sleep(Duration::from_secs(3)).await;
        let dump = Dump::of(vec![n.tree()]);
        n.abort();
        Ok(dump)
    });
    let json = json_of(&dump.unwrap());
    let task = &json["tasks"][0];
    assert_eq!((&task["age_ms"], &task["since_poll_ms"]), (&3_000.into(), &3_000.into()));
    let lot = &json["lots"][0];
    assert_eq!((&lot["oldest_ms"], &lot["youngest_ms"]), (&3_000.into(), &3_000.into()));
    assert_eq!(json["nurseries"][0]["age_ms"], 3_000);
}

/// Takes so many bytes, and then fails; notes the greatest piece.
struct Narrow {
    left: usize,
    most: usize,
}

impl Write for Narrow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.left < bytes.len() {
            return Err(io::Error::other("the disk is full"));
        }
        self.left -= bytes.len();
        self.most = self.most.max(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn u33_it_is_written_in_pieces_and_the_writers_error_comes_back() {
    let (stepped, _, runtime) = world();
    let mut opened = Opened::new(nursery().name("u33").on(&runtime));
    for _ in 0..5_000 {
        opened.n.go(pending());
    }
    stepped.run_until_stalled();
    let dump = dump_of("u33");
    let mut all = Narrow { left: usize::MAX, most: 0 };
    dump.write_json(&mut all).unwrap();
    assert!(usize::MAX - all.left > 500_000 && all.most <= 8_192, "{} {}", all.left, all.most);
    for left in [0, 10_000] {
        let mut full = Narrow { left, most: 0 };
        let failed = dump.write_json(&mut full).unwrap_err();
        assert_eq!(failed.to_string(), "the disk is full");
    }
    let mut full = Narrow { left: 0, most: 0 };
    assert!(dump.write_text(&mut full, Color::Always).is_err());
    opened.n.abort();
    assert!(opened.finish().is_ready());
}
