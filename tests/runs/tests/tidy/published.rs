//! What every published package has: the licences, a README, and what crates.io and docs.rs show.

use std::path::Path;

use serde_json::Value;

/// Cargo packs only what is below the package's folder, so each has a copy.
const LICENCES: [&str; 2] = ["LICENSE-APACHE", "LICENSE-MIT"];

/// Complains about what a published package lacks. `read` returns a file's text, by its path from
/// the workspace's root.
pub(crate) fn check(metadata: &Value, read: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let root = metadata["workspace_root"].as_str().expect("a root");
    let packages = metadata["packages"].as_array().expect("packages").iter();
    let mut complaints = Vec::new();
    // `publish` is null for "anywhere" and an empty list for `publish = false`.
    for package in packages.filter(|package| package["publish"].is_null()) {
        let manifest = package["manifest_path"].as_str().expect("a path");
        let dir = Path::new(manifest).parent().and_then(|dir| dir.strip_prefix(root).ok());
        let dir = dir.expect("a folder of the workspace").to_string_lossy().replace('\\', "/");
        let lacks = fields(package).into_iter().chain(files(package, &dir, &read));
        complaints.extend(lacks.map(|what| format!("{dir}/Cargo.toml:1: {what}")));
    }
    complaints
}

/// The fields of the manifest that are missing.
fn fields(package: &Value) -> Vec<String> {
    let name = package["name"].as_str().expect("a name");
    let mut lacks = Vec::new();
    for field in ["description", "repository", "license", "rust_version", "readme"] {
        if package[field].is_null() {
            lacks.push(format!("there is no `{field}`"));
        }
    }
    for field in ["keywords", "categories"] {
        if package[field].as_array().is_none_or(Vec::is_empty) {
            lacks.push(format!("there are no `{field}`"));
        }
    }
    let documentation = format!("https://docs.rs/{name}");
    if package["documentation"] != documentation.as_str() {
        lacks.push(format!("`documentation` is not {documentation}"));
    }
    let docs = &package["metadata"]["docs"]["rs"];
    if docs["all-features"] != true || docs["targets"].is_null() {
        lacks.push("[package.metadata.docs.rs] does not set `all-features` and `targets`".into());
    }
    lacks
}

/// The files that are missing, or that are not what they should be.
fn files(package: &Value, dir: &str, read: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut lacks = Vec::new();
    for licence in LICENCES {
        let original = read(licence).unwrap_or_else(|| panic!("{licence} is at the root"));
        if read(&format!("{dir}/{licence}")).is_none_or(|copy| copy != original) {
            lacks.push(format!("{licence} is not a copy of the one at the root"));
        }
    }
    let readme = package["readme"].as_str().unwrap_or("README.md");
    if read(&format!("{dir}/{readme}")).is_none_or(|text| !text.starts_with("# allhome")) {
        lacks.push(format!("{readme} is missing, or does not begin with the crate's name"));
    }
    lacks
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn good() -> Value {
        json!({ "workspace_root": "/w", "packages": [{
            "name": "allhome-x", "manifest_path": "/w/x/Cargo.toml", "publish": null,
            "description": "d", "repository": "r", "license": "l", "rust_version": "1.85",
            "readme": "README.md", "keywords": ["k"], "categories": ["c"],
            "documentation": "https://docs.rs/allhome-x",
            "metadata": { "docs": { "rs": { "all-features": true, "targets": ["t"] } } },
        }] })
    }

    fn checked(metadata: &Value) -> Vec<String> {
        check(metadata, |path| match path {
            "x/README.md" => Some("# allhome-x\n".into()),
            path => Some(path.trim_start_matches("x/").into()),
        })
    }

    #[test]
    fn a_complete_package_is_fine() {
        assert_eq!(checked(&good()), [""; 0]);
    }

    #[test]
    fn what_is_missing_is_named() {
        for (field, complaint) in [
            ("description", "no `description`"),
            ("readme", "no `readme`"),
            ("keywords", "no `keywords`"),
            ("documentation", "not https://docs.rs/allhome-x"),
            ("metadata", "docs.rs"),
        ] {
            let mut metadata = good();
            metadata["packages"][0][field] = Value::Null;
            let complaints = checked(&metadata);
            assert_eq!(complaints.len(), 1, "{complaints:?}");
            assert!(complaints[0].contains(complaint), "{complaints:?}");
        }
    }

    #[test]
    fn a_licence_is_a_copy() {
        let complaints = check(&good(), |path| Some(format!("# allhome {path}")));
        assert_eq!(complaints.len(), 2, "{complaints:?}");
    }

    #[test]
    fn what_is_not_published_needs_nothing() {
        let mut metadata = good();
        metadata["packages"][0] = json!({ "publish": [], "manifest_path": "/w/x/Cargo.toml" });
        assert_eq!(checked(&metadata), [""; 0]);
    }
}
