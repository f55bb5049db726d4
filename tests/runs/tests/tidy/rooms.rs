//! The core's modules in layers: who may know whom, read from the paths in the sources.
//!
//! A *room* is a module of `core/src/layers`, with all files below it. An *arrow* goes from a file to
//! another whose item, or whose module, it names. A name that a file only passes on (`pub use`)
//! leads to the file that it comes from.

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
    &[("lending", "the slot of a child of a bounded nursery, and to whom it is lent")],
    &[("nursery", "what users hold: builder, future, handles, errors, the tree")],
    &[
        ("shutdown", "shutting down step by step"),
        ("signals", "the token that the process's signals raise"),
        ("sim", "the simulator's side of nurseries"),
    ],
];

/// Circles of files that are right as they are, each with the reason.
const CIRCLES: &[(&[&str], &str)] = &[];

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
    fn room(&self) -> &str {
        let rooms = self.module.iter().map(String::as_str).skip_while(|name| *name == ROOMS);
        rooms.into_iter().next().unwrap_or_default()
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
        for file in &self.files {
            if !file.module.is_empty() && file.room() != "" && layer(file.room()).is_none() {
                complaints.push(format!("{}:1: no layer has the room {}", file.path, file.room()));
            }
        }
        complaints.extend(self.up().into_iter().map(|arrow| self.say(arrow)));
        complaints.extend(self.circles().iter().filter(|circle| !is_right(circle)).map(|circle| {
            let arrows = self.inside(circle);
            format!("{}: these files know each other:\n    {arrows}", circle.join(", "))
        }));
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
    /// concept: arrows between the two make no circle.
    fn circles(&self) -> Vec<Vec<String>> {
        let apart = |arrow: &&Arrow| !self.files[arrow.from].is_kin(&self.files[arrow.to]);
        let arrows = self.arrows.iter().filter(apart).map(|arrow| (arrow.from, arrow.to)).collect();
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
        let mut rooms = BTreeMap::new();
        for file in self.files.iter().filter(|file| file.room() != "") {
            let next = rooms.len();
            rooms.entry(file.room()).or_insert(next);
        }
        let room = |index: usize| rooms[self.files[index].room()];
        let between: BTreeSet<_> = self.arrows.iter().map(|a| (room(a.from), room(a.to))).collect();
        let between: BTreeSet<_> = between.into_iter().filter(|(from, to)| from != to).collect();
        let files: BTreeSet<_> = self.arrows.iter().map(|arrow| (arrow.from, arrow.to)).collect();
        let up: BTreeSet<_> = self.up().iter().map(|a| (room(a.from), room(a.to))).collect();
        let sizes = |circles: &[usize]| match circles {
            [] => "none".to_string(),
            sizes => sizes.iter().map(usize::to_string).collect::<Vec<_>>().join(" + "),
        };
        let circles_of_rooms: Vec<_> =
            circles(rooms.len(), &between).iter().map(Vec::len).collect();
        let circles_of_files: Vec<_> = self.circles().iter().map(Vec::len).collect();
        let mut text = String::new();
        for (what, number) in [
            ("modules", rooms.len().to_string()),
            ("files", self.files.len().to_string()),
            ("arrows between modules", between.len().to_string()),
            ("arrows between files", files.len().to_string()),
            ("arrows up, between modules", up.len().to_string()),
            ("arrows up, in files", self.up().len().to_string()),
            ("circles of modules", sizes(&circles_of_rooms)),
            ("circles of files", sizes(&circles_of_files)),
        ] {
            writeln!(text, "{what:<28}{number}").expect("a string");
        }
        text
    }
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
