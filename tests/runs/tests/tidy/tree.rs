//! The workspace's files.

use std::fs;
use std::path::{Path, PathBuf};

use crate::layers;
use crate::source::Source;

/// The workspace on disk. Paths are relative to its root, with `/`.
pub(crate) struct Tree {
    root: PathBuf,
}

impl Tree {
    pub(crate) fn new() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        Self { root: root.canonicalize().expect("the workspace's root") }
    }

    pub(crate) fn exists(&self, path: &str) -> bool {
        self.root.join(path).exists()
    }

    pub(crate) fn read(&self, path: &str) -> String {
        let file = self.root.join(path);
        fs::read_to_string(file).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// All Rust files of the workspace's packages.
    pub(crate) fn sources(&self) -> Vec<Source> {
        let packages = layers::workspace();
        let of_package =
            |path: &str| packages.iter().any(|p| path.starts_with(&format!("{}/", p.dir)));
        let rust = self.texts().into_iter();
        rust.filter(|(path, _)| path.ends_with(".rs") && of_package(path))
            .map(|(path, text)| Source::new(&path, &text))
            .collect()
    }

    /// All files that are text, with their paths.
    pub(crate) fn texts(&self) -> Vec<(String, String)> {
        let mut texts = Vec::new();
        let mut folders = vec![self.root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("a folder of the workspace") {
                let entry = entry.expect("an entry of a folder");
                let kind = entry.file_type().expect("the type of a file");
                let built = [".git", "target"].iter().any(|name| entry.file_name() == *name);
                if kind.is_dir() && !built {
                    folders.push(entry.path());
                } else if kind.is_file() {
                    texts.extend(self.text(&entry.path()));
                }
            }
        }
        texts.sort();
        texts
    }

    fn text(&self, file: &Path) -> Option<(String, String)> {
        let path = file.strip_prefix(&self.root).expect("a file of the workspace");
        let path = path.to_str()?.replace('\\', "/");
        Some((path, fs::read_to_string(file).ok()?))
    }
}
