//! Which package may depend on which (docs/ARCHITECTURE.md):
//! `rt <- {adapters/*, executors} <- core (optional, by feature) <- conformance <- {runs, benches, guide}`.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// A package of the workspace.
#[derive(Clone)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// Its folder, relative to the workspace's root.
    pub(crate) dir: String,
    published: bool,
    dependencies: Vec<Dependency>,
}

#[derive(Clone)]
struct Dependency {
    name: String,
    /// Only for tests and benches.
    dev: bool,
    optional: bool,
    /// `file:line` of the manifest.
    place: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Layer {
    Boundary,
    Runtime,
    Core,
    Conformance,
    User,
}

impl Package {
    fn layer(&self) -> Option<Layer> {
        Some(match self.dir.as_str() {
            "adapters/rt" => Layer::Boundary,
            "core" => Layer::Core,
            "executors" => Layer::Runtime,
            "tests/conformance" => Layer::Conformance,
            "tests/runs" | "benches" | "examples" | "docs/guide/programs" => Layer::User,
            dir if dir.starts_with("adapters/") => Layer::Runtime,
            _ => return None,
        })
    }

    fn manifest(&self) -> String {
        format!("{}/Cargo.toml:1", self.dir)
    }
}

/// Complains about each dependency that points the wrong way.
pub(crate) fn check(packages: &[Package]) -> Vec<String> {
    let mut complaints = Vec::new();
    for package in packages {
        let Some(layer) = package.layer() else {
            let at = package.manifest();
            complaints.push(format!("{at}: {} has no layer; give it one in tidy", package.name));
            continue;
        };
        if package.published == (layer == Layer::User) {
            let at = package.manifest();
            let not = if package.published { "not " } else { "" };
            complaints.push(format!("{at}: {} must {not}be published", package.name));
        }
        let needs_boundary = matches!(layer, Layer::Runtime | Layer::Core);
        if needs_boundary && !package.dependencies.iter().any(|d| d.name == "allhome-rt" && !d.dev)
        {
            complaints.push(format!("{}: does not depend on allhome-rt", package.manifest()));
        }
        for dependency in &package.dependencies {
            let target = packages.iter().find(|other| other.name == dependency.name);
            if let Some(why) = wrong(layer, package, dependency, target) {
                let Dependency { name, place, .. } = dependency;
                complaints.push(format!("{place}: {} depends on {name}: {why}", package.name));
            }
        }
    }
    complaints
}

fn wrong(
    layer: Layer,
    package: &Package,
    dependency: &Dependency,
    target: Option<&Package>,
) -> Option<&'static str> {
    let Some(target) = target else {
        // A crate from elsewhere.
        // For a clock on wasm32-unknown-unknown, where std has none.
        let clock = dependency.name == "web-time";
        let alone = layer == Layer::Boundary && !dependency.dev && !clock;
        return alone.then_some("the boundary depends on nothing");
    };
    if package.published && !target.published {
        return Some("a published crate cannot depend on one that is not");
    }
    let to = target.layer();
    match layer {
        Layer::Boundary => Some("the boundary depends on nothing"),
        // For tests either: a dev-dependency back on the core makes two copies of it.
        Layer::Runtime if to != Some(Layer::Boundary) => Some("a runtime knows only the boundary"),
        Layer::Core if to == Some(Layer::Runtime) && !dependency.optional && !dependency.dev => {
            Some("the core knows a runtime only by feature, so it must be optional")
        }
        Layer::Core if !matches!(to, Some(Layer::Boundary | Layer::Runtime)) => {
            Some("the core knows only the boundary and runtimes")
        }
        Layer::Conformance
            if !dependency.dev && !matches!(to, Some(Layer::Boundary | Layer::Core)) =>
        {
            Some("the suite knows only the boundary and the core")
        }
        _ => None,
    }
}

/// Asks cargo.
pub(crate) fn workspace() -> Vec<Package> {
    let metadata = metadata();
    let root = text(&metadata["workspace_root"]);
    let packages = metadata["packages"].as_array().expect("packages");
    packages.iter().map(|package| read(package, Path::new(&root))).collect()
}

/// What `cargo metadata` knows of the workspace's packages.
pub(crate) fn metadata() -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let run = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(&root)
        .output()
        .expect("cargo runs");
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "cargo metadata failed:\n{said}");
    serde_json::from_slice(&run.stdout).expect("metadata is JSON")
}

fn read(package: &Value, root: &Path) -> Package {
    let manifest = text(&package["manifest_path"]);
    let lines = fs::read_to_string(&manifest).expect("a manifest");
    let dir = Path::new(&manifest).parent().and_then(|dir| dir.strip_prefix(root).ok());
    let dir = dir.expect("a folder of the workspace").to_string_lossy().replace('\\', "/");
    let dependencies = package["dependencies"].as_array().expect("dependencies").iter();
    let dependencies = dependencies.map(|dependency| {
        let name = text(&dependency["name"]);
        let line = lines.lines().position(|line| line.starts_with(&name)).unwrap_or(0) + 1;
        Dependency {
            dev: dependency["kind"] == "dev",
            optional: dependency["optional"] == true,
            place: format!("{dir}/Cargo.toml:{line}"),
            name,
        }
    });
    Package {
        name: text(&package["name"]),
        // `publish` is null for "anywhere" and an empty list for `publish = false`.
        published: package["publish"].as_array().is_none_or(|list| !list.is_empty()),
        dependencies: dependencies.collect(),
        dir: dir.clone(),
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("a string").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Vec<Package> {
        let package = |name: &str, dir: &str, on: &[&str]| Package {
            name: name.into(),
            dir: dir.into(),
            published: !matches!(dir, "tests/runs" | "benches" | "examples"),
            dependencies: on.iter().map(|name| dependency(name)).collect(),
        };
        let mut packages = vec![
            package("allhome-rt", "adapters/rt", &[]),
            package("allhome-tokio", "adapters/tokio", &["allhome-rt", "tokio"]),
            package("allhome-executors", "executors", &["allhome-rt"]),
            package("allhome", "core", &["allhome-rt", "allhome-tokio", "slab"]),
            package("allhome-conformance", "tests/conformance", &["allhome-rt", "allhome"]),
            package("allhome-runs", "tests/runs", &["allhome-conformance", "allhome"]),
        ];
        packages[3].dependencies[1].optional = true;
        packages
    }

    fn dependency(name: &str) -> Dependency {
        Dependency { name: name.into(), dev: false, optional: false, place: "x:1".into() }
    }

    fn with(package: usize, name: &str, dev: bool) -> Vec<String> {
        let mut packages = good();
        packages[package].dependencies.push(Dependency { dev, ..dependency(name) });
        check(&packages)
    }

    #[test]
    fn the_layers_of_the_design_pass() {
        assert_eq!(check(&good()), Vec::<String>::new());
    }

    #[test]
    fn every_wrong_direction_is_found() {
        for (package, name, dev, why) in [
            (0, "serde", false, "depends on nothing"),
            (0, "allhome", true, "depends on nothing"),
            (1, "allhome", false, "knows only the boundary"),
            (1, "allhome", true, "knows only the boundary"),
            (2, "allhome", false, "knows only the boundary"),
            (2, "allhome-tokio", false, "knows only the boundary"),
            (3, "allhome-executors", false, "must be optional"),
            (3, "allhome-conformance", true, "the core knows only"),
            (4, "allhome-tokio", false, "the suite knows only"),
            (4, "allhome-runs", true, "cannot depend on one that is not"),
        ] {
            let found = with(package, name, dev);
            assert_eq!(found.len(), 1, "{package} on {name}: {found:?}");
            assert!(found[0].starts_with("x:1: ") && found[0].contains(why), "{found:?}");
        }
        assert!(with(3, "allhome-executors", true).is_empty());
        assert!(with(5, "allhome-tokio", true).is_empty());
    }

    #[test]
    fn a_runtime_without_the_boundary_is_found() {
        let mut packages = good();
        packages[2].dependencies.clear();
        assert!(check(&packages)[0].contains("does not depend on allhome-rt"));
    }

    #[test]
    fn publishing_what_is_not_ours_to_publish_is_found() {
        let mut packages = good();
        packages[5].published = true;
        assert!(check(&packages)[0].contains("must not be published"));
        packages[5].published = false;
        packages[1].published = false;
        assert!(check(&packages).iter().any(|found| found.contains("must be published")));
    }

    #[test]
    fn a_package_of_no_layer_is_found() {
        let mut packages = good();
        packages[2].dir = "tools".into();
        assert!(check(&packages)[0].contains("has no layer"));
    }
}
