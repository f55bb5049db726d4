//! Keeps the layout honest: what docs/DESIGN.md, docs/SPEC.md and docs/ARCHITECTURE.md promise
//! about the workspace is checked here, file by file.
//!
//! Each check is a function from text to complaints, so that the tests below it can feed it what
//! is wrong and see it complain.

#[path = "tidy/boundary.rs"]
mod boundary;
#[path = "tidy/circles.rs"]
mod circles;
#[path = "tidy/figures.rs"]
mod figures;
#[path = "tidy/front.rs"]
mod front;
#[path = "tidy/layers.rs"]
mod layers;
#[path = "tidy/links.rs"]
mod links;
#[path = "tidy/named.rs"]
mod named;
#[path = "tidy/paths.rs"]
mod paths;
#[path = "tidy/published.rs"]
mod published;
#[path = "tidy/rooms.rs"]
mod rooms;
#[path = "tidy/rules.rs"]
mod rules;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/spec.rs"]
mod spec;
#[path = "tidy/tree.rs"]
mod tree;
#[path = "tidy/ways.rs"]
mod ways;
#[path = "tidy/words.rs"]
mod words;

use layers::Package;
use rooms::Map;
use rules::Unsafe;
use source::Source;
use tree::Tree;

/// Files that may be longer than [`rules::MOST_LINES`], each with the reason.
const LONG_FILES: &[(&str, &str)] = &[];

/// Crates that hold unsafe code, in files that docs/ARCHITECTURE.md lists; every other forbids it.
const MAY_BE_UNSAFE: &[&str] = &["allhome", "allhome-benches"];

#[test]
fn dependencies_point_one_way() {
    let packages = layers::workspace();
    assert!(packages.len() > 5, "cargo metadata knows only {} packages", packages.len());
    report("the dependency directions of docs/DESIGN.md", layers::check(&packages));
}

/// `cargo test -p allhome-runs --test tidy -- --nocapture layers` prints the picture.
#[test]
fn layers_of_the_core_point_down() {
    let map = Map::new(&Tree::new().sources());
    println!("{}", map.picture());
    report("the layers of docs/ARCHITECTURE.md", map.check());
}

#[test]
fn the_ways_lead_through_code_that_exists() {
    let tree = Tree::new();
    let complaints = ways::check(&tree.read("docs/ARCHITECTURE.md"), |path| {
        tree.exists(path).then(|| tree.read(path))
    });
    report("the ways of docs/ARCHITECTURE.md", complaints);
}

#[test]
fn every_clause_has_a_test_and_every_test_a_clause() {
    let tree = Tree::new();
    let sources: Vec<_> = tree.sources().into_iter().filter(Source::holds_clause_tests).collect();
    let checks =
        spec::check("docs/SPEC.md", &tree.read("docs/SPEC.md"), &sources, |path| tree.exists(path));
    report("docs/SPEC.md and the tests", checks);
}

#[test]
fn features_are_named_in_lib_rs_only() {
    report("cfg(feature = ..) outside of a lib.rs", each_source(rules::features));
}

#[test]
fn only_sync_rs_names_where_synchronization_comes_from() {
    report(
        "synchronization not taken from crate::layers::base::sync",
        each_source(rules::sync_imports),
    );
}

#[test]
fn the_core_reads_no_clock_of_the_system() {
    report("clocks of the system", each_source(rules::clocks));
}

#[test]
fn unsafe_code_is_where_the_architecture_says() {
    let tree = Tree::new();
    let listed = Unsafe::listed(&tree.read("docs/ARCHITECTURE.md"));
    let mut complaints = listed.check(&tree.sources());
    for Package { name, dir, .. } in layers::workspace() {
        if !MAY_BE_UNSAFE.contains(&name.as_str()) {
            // These have no library; the roots of their programs count.
            let root = match dir.as_str() {
                "examples" => "examples/treehash/main.rs".to_string(),
                "docs/guide/programs" => format!("{dir}/main.rs"),
                dir => format!("{dir}/src/lib.rs"),
            };
            complaints.extend(rules::forbids_unsafe(&Source::new(&root, &tree.read(&root))));
        }
    }
    report("unsafe code", complaints);
}

#[test]
fn files_are_short() {
    report("long files", each_source(|source| rules::length(source, LONG_FILES)));
    let tree = Tree::new();
    for (path, _) in LONG_FILES {
        assert!(tree.exists(path), "{path} is excused for its length and does not exist");
    }
}

#[test]
fn root_of_the_core_has_few_names() {
    let names = front::names(&Tree::new().read("core/src/lib.rs"));
    assert!(names.len() > 20, "only {names:?} were found");
    let too_many = names.len().saturating_sub(front::MOST_NAMES);
    assert_eq!(too_many, 0, "put the less common ones into a module: {names:?}");
}

#[test]
fn published_packages_have_what_their_readers_need() {
    let tree = Tree::new();
    let metadata = layers::metadata();
    let complaints = published::check(&metadata, |path| tree.exists(path).then(|| tree.read(path)));
    report("published packages", complaints);
}

#[test]
#[ignore = "`.ci/deep boundary` runs it, which writes rustdoc's JSON"]
fn no_api_shows_types_of_other_crates() {
    let folder = std::env::var("API_JSON").expect("API_JSON is the folder of rustdoc's JSON");
    let mut complaints = Vec::new();
    for (krate, allowed) in boundary::ALLOWED {
        let text = std::fs::read_to_string(format!("{folder}/{krate}.json"));
        let api = serde_json::from_str(&text.expect("a file for each crate")).expect("JSON");
        complaints.extend(boundary::check(krate, &api, allowed));
    }
    report("types of other crates", complaints);
}

#[test]
fn nothing_is_left_to_do() {
    let tree = Tree::new();
    let texts = tree.texts();
    assert!(texts.len() > 20, "only {} files were found", texts.len());
    let left = texts.iter().flat_map(|(path, text)| rules::leftovers(path, text)).collect();
    report("things left to do", left);
}

#[test]
fn documents_name_files_that_exist() {
    let texts = Tree::new().texts();
    let paths: Vec<&str> = texts.iter().map(|(path, _)| &**path).collect();
    let documents =
        texts.iter().filter(|(path, _)| path.ends_with(".md") && !path.ends_with("CHANGELOG.md"));
    let gone = documents.flat_map(|(path, text)| named::check(path, text, &paths)).collect();
    report("files that documents name", gone);
}

#[test]
fn links_lead_somewhere() {
    let tree = Tree::new();
    let texts = tree.texts();
    let documents: Vec<_> = texts.iter().filter(|(path, _)| path.ends_with(".md")).collect();
    let read = |path: &str| tree.exists(path).then(|| tree.read(path));
    let check =
        |(path, text): &&(String, String)| links::check(path, text, read, |path| tree.exists(path));
    let mut complaints: Vec<_> = documents.iter().flat_map(check).collect();
    let chapters: Vec<&str> = documents.iter().map(|(path, _)| &**path).collect();
    let summary = tree.read("docs/guide/src/SUMMARY.md");
    complaints.extend(links::check_summary(&summary, &chapters));
    report("links of documents", complaints);
}

#[test]
fn the_page_of_figures_names_its_command_and_shows_its_pictures() {
    let tree = Tree::new();
    let texts = tree.texts();
    let paths: Vec<&str> = texts.iter().map(|(path, _)| &**path).collect();
    let (page, manifest) = (tree.read("docs/PERFORMANCE.md"), tree.read("benches/Cargo.toml"));
    report("docs/PERFORMANCE.md", figures::check(&page, &manifest, &paths));
}

#[test]
fn sentences_name_their_actors() {
    let texts = Tree::new().texts();
    let mut complaints: Vec<_> =
        texts.iter().flat_map(|(path, text)| words::check(path, text)).collect();
    complaints.extend(words::idle_excuses(&texts));
    report("words that hide the actor", complaints);
}

fn each_source(rule: impl Fn(&Source) -> Vec<String>) -> Vec<String> {
    let sources = Tree::new().sources();
    assert!(sources.len() > 10, "only {} source files were found", sources.len());
    sources.iter().flat_map(rule).collect()
}

fn report(what: &str, complaints: Vec<String>) {
    assert!(complaints.is_empty(), "{what}:\n  {}\n", complaints.join("\n  "));
}
