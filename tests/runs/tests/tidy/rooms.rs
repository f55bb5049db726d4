//! The core's modules in layers: which room may use which, read from the paths in the sources.
//!
//! A *room* is a module of `core/src/layers`, with all files below it. An *arrow* goes from a file to
//! another whose item, or whose module, it names. A name that a file only passes on (`pub use`)
//! leads to the file that it comes from. Unit tests, and the facades of `lib.rs`, do not count.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::circles::circles;
use crate::paths::{Named, Path, named, without_tests};
use crate::source::{Source, has_word};

const SOURCES: &str = "core/src/";

/// The module that the rooms stand in.
const ROOMS: &str = "layers";

/// The layers from the lowest up. A room knows those of lower layers, and not its neighbour.
const LAYERS: &[&[(&str, &str)]] = &[
    &[("base", "words and tools that know of no task: locks, lists, ids, reasons, outcomes")],
    &[
        ("record", "the memory of one child"),
        ("cancel", "the tree of tokens, which knows of no nursery"),
    ],
    &[("context", "whose poll this is, and what may be asked about it")],
    &[("time", "clocks and sleeps"), ("limit", "permits and rates, which know of no nursery")],
    &[("scope", "futures that bound a part of a task")],
    &[("group", "the engine: what the handles, the future and the carriers of a nursery share")],
    &[("lending", "the slot of a child of a bounded nursery, and to which tasks it is lent")],
    &[("nursery", "what users hold: builder, future, handles, errors, the tree")],
    &[
        ("in_place", "scopes whose children borrow, polled by the caller's own task"),
        ("threads", "scopes whose children borrow, on threads while the caller's waits"),
        ("see", "looking at all that is running, and why it waits"),
        ("entry", "`block_on` and `run`, which enter the global pool"),
        ("many", "a future for each of many items, so many at once"),
        ("shutdown", "shutting down step by step"),
        ("signals", "the token that the process's signals raise"),
        ("sim", "the simulator's side of nurseries"),
    ],
    &[("dump_signal", "a signal that has the dump printed")],
];

/// Circles of files that are right as they are, each with the reason.
const CIRCLES: &[(&[&str], &str)] = &[
    (
        &["limit/acquire.rs", "limit/permit.rs", "limit/semaphore.rs"],
        "a guard borrows the semaphore that makes it",
    ),
    (
        &["limit/locked.rs", "limit/permits.rs"],
        "the permits, and the same while their lock is held",
    ),
];

/// An arrow, from the file of one index to that of another.
struct Arrow {
    from: usize,
    to: usize,
    /// `file:line`
    place: String,
    path: String,
}

pub(crate) struct Map {
    files: Vec<File>,
    arrows: Vec<Arrow>,
    /// Paths that name no room.
    strange: Vec<String>,
}

struct File {
    path: String,
    module: Vec<String>,
}

impl File {
    /// The room that it stands in; none of the sources of a package stands in none, but for `lib.rs`.
    fn room(&self) -> &str {
        match &self.module[..] {
            [parent, room, ..] if parent == ROOMS => room,
            _ => "",
        }
    }

    /// Whether one of them is the module that the other is in.
    fn is_kin(&self, other: &File) -> bool {
        self.module.starts_with(&other.module) || other.module.starts_with(&self.module)
    }
}

impl Map {
    pub(crate) fn new(sources: &[Source]) -> Map {
        let mut files = Vec::new();
        let mut tests = BTreeSet::new();
        let mut code = Vec::new();
        for source in sources.iter().filter(|source| source.path.starts_with(SOURCES)) {
            let module = module(&source.path);
            let (text, modules) = without_tests(source);
            tests.extend(modules.into_iter().map(|name| [&module[..], &[name]].concat()));
            files.push(File { path: source.path.clone(), module });
            code.push(text);
        }
        let names = Names::new(&files, &code);
        let (mut arrows, mut strange) = (Vec::new(), Vec::new());
        for (from, file) in files.iter().enumerate() {
            if file.module.is_empty() || tests.contains(&file.module) {
                continue;
            }
            for path in &names.paths[from] {
                let place = format!("{}:{}", file.path, path.line + 1);
                let passed_on = path.exported
                    && !path.name.as_ref().is_some_and(|name| has_word(&names.rest[from], name));
                let Some(to) = names.file(&path.segments).filter(|_| !passed_on) else { continue };
                let path = path.segments.join("::");
                // The list of the runtimes that are features, which only lib.rs names.
                if files[to].module.is_empty() && path == "AROUND" {
                    continue;
                }
                if files[to].module.is_empty() {
                    strange
                        .push(format!("{place}: crate::{path} stands in no room: name its module"));
                } else if to != from {
                    arrows.push(Arrow { from, to, place, path });
                }
            }
        }
        Map { files, arrows, strange }
    }

    /// Complains about each arrow that runs up or to a neighbour, and about each circle of files.
    pub(crate) fn check(&self) -> Vec<String> {
        let mut complaints = self.strange.clone();
        let homeless = |file: &&File| !file.module.is_empty() && layer(file.room()).is_none();
        complaints.extend(self.files.iter().filter(homeless).map(|file| {
            format!("{}:1: it stands in no room of {SOURCES}{ROOMS} that LAYERS has", file.path)
        }));
        complaints.extend(self.up().into_iter().map(|arrow| self.say(arrow)));
        complaints.extend(self.circles(false).iter().filter(|circle| !is_right(circle)).map(
            |circle| {
                let arrows = self.inside(circle);
                format!("{}: these files know each other:\n    {arrows}", circle.join(", "))
            },
        ));
        complaints
    }

    fn up(&self) -> Vec<&Arrow> {
        let wrong = |arrow: &&Arrow| {
            let (from, to) = (self.files[arrow.from].room(), self.files[arrow.to].room());
            from != to && layer(from) <= layer(to)
        };
        self.arrows.iter().filter(wrong).collect()
    }

    fn say(&self, arrow: &Arrow) -> String {
        let (from, to) = (self.files[arrow.from].room(), self.files[arrow.to].room());
        let Arrow { place, path, .. } = arrow;
        let up = if layer(from) == layer(to) { "to its neighbour" } else { "up to" };
        format!(
            "{place}: crate::{path} is an arrow from `{from}` {up} `{to}`.\n    `{from}` is for {}; \
             `{to}` is for {}. Move the function to `{to}`, or what it needs down; or let `{from}` \
             ask through a trait of its own, as `cancel/listener.rs` does.",
            purpose(from),
            purpose(to),
        )
    }

    /// The circles of files, each by its paths below the rooms. A module and what is in it are one
    /// concept: arrows between the two make no circle, but with `all`.
    fn circles(&self, all: bool) -> Vec<Vec<String>> {
        let counts = |arrow: &&Arrow| all || !self.files[arrow.from].is_kin(&self.files[arrow.to]);
        let arrows =
            self.arrows.iter().filter(counts).map(|arrow| (arrow.from, arrow.to)).collect();
        let short = |index: usize| {
            let path = self.files[index].path.trim_start_matches(SOURCES);
            path.trim_start_matches(ROOMS).trim_start_matches('/').to_string()
        };
        let circles = circles(self.files.len(), &arrows).into_iter();
        circles.map(|circle| circle.into_iter().map(short).collect()).collect()
    }

    fn inside(&self, circle: &[String]) -> String {
        let within =
            |index: usize| circle.iter().any(|path| self.files[index].path.ends_with(path));
        let arrows = self.arrows.iter().filter(|arrow| within(arrow.from) && within(arrow.to));
        let arrows = arrows.map(|arrow| format!("{}: crate::{}", arrow.place, arrow.path));
        arrows.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join("\n    ")
    }

    /// The picture in numbers.
    pub(crate) fn picture(&self) -> String {
        let rooms: Vec<_> =
            self.files.iter().map(File::room).collect::<BTreeSet<_>>().into_iter().collect();
        let number = |file: usize| {
            rooms.binary_search(&self.files[file].room()).expect("the room is one of them")
        };
        let room = |arrow: &Arrow| (number(arrow.from), number(arrow.to));
        let mut between: BTreeSet<_> = self.arrows.iter().map(room).collect();
        between.retain(|(from, to)| from != to);
        let files: BTreeSet<_> = self.arrows.iter().map(|arrow| (arrow.from, arrow.to)).collect();
        let up: BTreeSet<_> = self.up().into_iter().map(room).collect();
        let mut text = String::new();
        for (what, number) in [
            // `lib.rs` is in none.
            ("modules", (rooms.len() - 1).to_string()),
            ("files", self.files.len().to_string()),
            ("arrows between modules", between.len().to_string()),
            ("arrows between files", files.len().to_string()),
            ("arrows up, between modules", up.len().to_string()),
            ("arrows up, in files", self.up().len().to_string()),
            ("circles of modules", sizes(&circles(rooms.len(), &between))),
            ("circles of files", sizes(&self.circles(false))),
            ("  with their parents", sizes(&self.circles(true))),
        ] {
            writeln!(text, "{what:<28}{number}").expect("a string");
        }
        text
    }
}

fn sizes<T>(circles: &[Vec<T>]) -> String {
    let sizes: Vec<_> = circles.iter().map(|circle| circle.len().to_string()).collect();
    if sizes.is_empty() { "none".to_string() } else { sizes.join(" + ") }
}

fn module(path: &str) -> Vec<String> {
    let path = path.trim_start_matches(SOURCES).trim_end_matches(".rs");
    if path == "lib" { Vec::new() } else { path.split('/').map(String::from).collect() }
}

fn layer(room: &str) -> Option<usize> {
    LAYERS.iter().position(|rooms| rooms.iter().any(|(name, _)| *name == room))
}

fn purpose(room: &str) -> &'static str {
    let mut rooms = LAYERS.iter().copied().flatten();
    rooms.find(|(name, _)| *name == room).map_or("(no layer has it)", |(_, purpose)| purpose)
}

fn is_right(circle: &[String]) -> bool {
    CIRCLES.iter().any(|(files, _)| circle == *files)
}

/// What names stand for.
struct Names {
    /// The file of each module.
    modules: BTreeMap<Vec<String>, usize>,
    /// What each file names.
    paths: Vec<Vec<Path>>,
    /// The code of each file without its `use` declarations.
    rest: Vec<String>,
    /// The path of each name that a `use` brings into a file.
    brought: BTreeMap<(usize, String), Vec<String>>,
}

impl Names {
    fn new(files: &[File], code: &[String]) -> Names {
        let modules =
            files.iter().enumerate().map(|(at, file)| (file.module.clone(), at)).collect();
        let (mut paths, mut rest, mut brought) = (Vec::new(), Vec::new(), BTreeMap::new());
        for (at, (file, code)) in files.iter().zip(code).enumerate() {
            let Named { paths: named, rest: other } = named(&file.module, code);
            for Path { segments, name, .. } in &named {
                if let Some(name) = name {
                    brought.entry((at, name.clone())).or_insert_with(|| segments.clone());
                }
            }
            paths.push(named);
            rest.push(other);
        }
        Names { modules, paths, rest, brought }
    }

    /// The file that the path leads to.
    fn file(&self, path: &[String]) -> Option<usize> {
        let mut path = path.to_vec();
        // No name is passed on so often, but for one that leads to itself.
        for _ in 0..16 {
            let known =
                (0..=path.len()).rev().find(|end| self.modules.contains_key(&path[..*end]))?;
            let file = self.modules[&path[..known]];
            let name = path.get(known).and_then(|name| self.brought.get(&(file, name.clone())));
            match name {
                Some(brought) => path = [&brought[..], &path[known + 1..]].concat(),
                None => return Some(file),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(files: &[(&str, &str)]) -> Map {
        let source = |(path, text): &(&str, &str)| Source::new(&format!("core/src/{path}"), text);
        Map::new(&files.iter().map(source).collect::<Vec<_>>())
    }

    /// What is wrong in the file of a room, beside some that others may name.
    fn found(path: &str, text: &str) -> Vec<String> {
        map(&[
            ("lib.rs", "mod layers {} pub use layers::base::id::Id; pub use std::fmt;"),
            ("layers/base/id.rs", "pub struct Id;"),
            ("layers/cancel.rs", "mod token; pub(crate) use token::Token;"),
            ("layers/cancel/token.rs", "pub(crate) struct Token;"),
            ("layers/record.rs", "pub(crate) struct Record;"),
            ("layers/group.rs", "pub(crate) struct Group;"),
            (path, text),
        ])
        .check()
    }

    #[test]
    fn arrows_down_and_inside_of_a_room_are_fine() {
        for text in [
            "use crate::layers::{base::id::Id, cancel::Token};\nuse super::clock;",
            "use std::fmt;\nfn f() { crate::layers::record::Record }",
            "use crate::Id;",
            "#[cfg(test)]\nmod tests { use crate::layers::nursery::Nursery; }",
            "// crate::layers::nursery::Nursery",
        ] {
            assert_eq!(found("layers/group/clock.rs", text), [""; 0], "in {text}");
        }
    }

    #[test]
    fn an_arrow_up_is_found_and_told_where_it_belongs() {
        for (text, line) in [
            ("use crate::layers::group::Group;", 1),
            ("\nuse crate::layers::{\n  group::{Group},\n};", 2),
            ("use super::super::record;\n\nfn f(x: super::super::group::Group) {}", 3),
            ("fn f() { mod a { use super::super::super::group::Group; } }", 1),
        ] {
            let found = found("layers/context/task.rs", text);
            assert_eq!(found.len(), 1, "{found:?}");
            let start = format!("core/src/layers/context/task.rs:{line}: crate::layers::group");
            assert!(found[0].starts_with(&start), "{found:?}");
            assert!(found[0].contains("from `context` up to `group`"), "{found:?}");
            assert!(found[0].contains("`context` is for whose poll this is"), "{found:?}");
            assert!(found[0].contains("a trait of its own"), "{found:?}");
        }
    }

    #[test]
    fn a_neighbour_is_found_also_by_a_name_that_is_passed_on() {
        let found = found("layers/record/stack.rs", "use crate::layers::cancel::Token;");
        assert!(found[0].contains("from `record` to its neighbour `cancel`"), "{found:?}");
    }

    #[test]
    fn what_stands_in_no_room_is_found() {
        assert!(found("util.rs", "")[0].contains("core/src/util.rs:1: it stands in no room"));
        assert!(found("layers/util.rs", "")[0].contains("it stands in no room"));
        let found = found("layers/group/clock.rs", "use crate::fmt;");
        assert!(found[0].contains("clock.rs:1: crate::fmt stands in no room"), "{found:?}");
    }

    #[test]
    fn circles_of_files_are_found_but_with_their_parents() {
        let of = |group: &str, bell: &str, clock: &str| {
            map(&[
                ("layers/group.rs", group),
                ("layers/group/bell.rs", bell),
                ("layers/group/clock.rs", clock),
            ])
        };
        let fine =
            of("use bell::Bell; type A = Bell;", "use super::Group;", "use super::bell::Bell;");
        assert_eq!((fine.check().len(), fine.circles(true).len()), (0, 1));
        let wrong = of("", "use super::clock::Clock;", "\nuse super::bell::Bell;").check();
        let (files, place) =
            ("group/bell.rs, group/clock.rs", "clock.rs:2: crate::layers::group::bell");
        assert!(wrong[0].starts_with(files) && wrong[0].contains(place), "{wrong:?}");
    }

    #[test]
    fn the_picture_has_the_numbers() {
        let map = map(&[
            ("lib.rs", ""),
            ("layers/base.rs", "use super::group::Group;"),
            ("layers/group.rs", "use super::base;\nuse super::base::Id;"),
        ]);
        let picture = map.picture().split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(picture.starts_with("modules 2 files 3 arrows between modules 2"), "{picture}");
        assert!(picture.contains("up, between modules 1 arrows up, in files 1"), "{picture}");
        assert!(picture.contains("circles of modules 2 circles of files 2"), "{picture}");
    }
}
