//! Which other crates a public API shows, by rustdoc's JSON. A type of theirs in ours would tie our
//! versions to theirs.

use std::collections::BTreeSet;

use serde_json::Value;

const STD: [&str; 3] = ["alloc", "core", "std"];

/// Crates, by their names in code, and what their APIs may show beside std.
pub(crate) const ALLOWED: &[(&str, &[&str])] = &[
    ("allhome_rt", &[]),
    ("allhome_tokio", &["allhome_rt", "tokio"]),
    ("allhome_smol", &["allhome_rt", "async_executor"]),
    ("allhome_async_std", &["allhome_rt"]),
    ("allhome_executors", &["allhome_rt"]),
    // `Stream` is futures_core's; the others are ours, and show what is allowed to them.
    (
        "allhome",
        &[
            "allhome_async_std",
            "allhome_executors",
            "allhome_rt",
            "allhome_smol",
            "allhome_tokio",
            "futures_core",
        ],
    ),
];

/// Complains about each type and trait of a crate that is not allowed.
pub(crate) fn check(krate: &str, api: &Value, allowed: &[&str]) -> Vec<String> {
    let items = api["index"].as_object().expect("an index");
    let mut complaints = BTreeSet::new();
    for item in items.values().filter(|item| item["crate_id"] == 0 && !is_generated(item)) {
        let mut ids = BTreeSet::new();
        references(&item["inner"], &mut ids);
        for id in ids {
            let path = &api["paths"][&id];
            let Some(of) = path["crate_id"].as_u64() else { continue };
            let of = api["external_crates"][of.to_string()]["name"].as_str().unwrap_or(krate);
            let path = joined(path);
            // What a macro of theirs writes, such as pin_project_lite's impl of `Unpin`.
            let private = path.contains("::__private::");
            if of != krate && !private && !STD.contains(&of) && !allowed.contains(&of) {
                complaints.insert(format!("{}: {} shows {path}", place(item), name(item)));
            }
        }
    }
    complaints.into_iter().collect()
}

/// Returns `true` for an impl that is there for every type, or that the compiler derived: `Send`.
fn is_generated(item: &Value) -> bool {
    let of = &item["inner"]["impl"];
    of["is_synthetic"] == true || !of["blanket_impl"].is_null()
}

/// Collects the ids of the types and traits that a signature names: an object with a path and an
/// id, or a re-export.
fn references(value: &Value, ids: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            let named = ["path", "source"].iter().any(|key| fields.contains_key(*key));
            if let (true, Some(id)) = (named, fields.get("id").and_then(Value::as_u64)) {
                ids.insert(id.to_string());
            }
            fields.values().for_each(|field| references(field, ids));
        }
        Value::Array(values) => values.iter().for_each(|value| references(value, ids)),
        _ => {}
    }
}

fn name(item: &Value) -> &str {
    item["name"].as_str().unwrap_or("an impl")
}

fn place(item: &Value) -> String {
    let span = &item["span"];
    let (file, line) = (span["filename"].as_str(), span["begin"][0].as_u64());
    format!("{}:{}", file.unwrap_or("?"), line.unwrap_or(0))
}

fn joined(path: &Value) -> String {
    let parts = path["path"].as_array().map_or(&[][..], Vec::as_slice).iter();
    parts.filter_map(Value::as_str).collect::<Vec<_>>().join("::")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// An API of one function that takes a `Handle` of tokio.
    fn api() -> Value {
        let argument = json!({ "resolved_path": { "path": "Handle", "id": 7, "args": null } });
        json!({
            "index": { "1": {
                "crate_id": 0, "name": "on",
                "span": { "filename": "src/lib.rs", "begin": [3, 1] },
                "inner": { "function": { "sig": { "inputs": [["handle", argument]] } } },
            } },
            "paths": { "7": { "crate_id": 20, "path": ["tokio", "runtime", "Handle"] } },
            "external_crates": { "20": { "name": "tokio" } },
        })
    }

    #[test]
    fn a_type_of_another_crate_is_named() {
        let complaints = check("allhome", &api(), &[]);
        assert_eq!(complaints, ["src/lib.rs:3: on shows tokio::runtime::Handle"]);
    }

    #[test]
    fn what_is_allowed_is_fine() {
        assert_eq!(check("allhome_tokio", &api(), &["tokio"]), [""; 0]);
        let mut std = api();
        std["external_crates"]["20"]["name"] = "std".into();
        assert_eq!(check("allhome", &std, &[]), [""; 0]);
    }

    #[test]
    fn what_the_compiler_derives_is_not_looked_at() {
        let mut derived = api();
        let of = json!({ "is_synthetic": true, "trait": { "path": "T", "id": 7 } });
        derived["index"]["1"]["inner"] = json!({ "impl": of });
        assert_eq!(check("allhome", &derived, &[]), [""; 0]);
    }

    #[test]
    fn what_a_macro_writes_is_not_looked_at() {
        let mut hidden = api();
        hidden["paths"]["7"]["path"] = json!(["pin_project_lite", "__private", "PinnedFieldsOf"]);
        assert_eq!(check("allhome", &hidden, &[]), [""; 0]);
    }

    #[test]
    fn a_reexport_counts() {
        let mut reexport = api();
        let source = json!({ "source": "tokio::runtime::Handle", "name": "Handle", "id": 7 });
        reexport["index"]["1"]["inner"] = json!({ "use": source });
        assert_eq!(check("allhome", &reexport, &[]).len(), 1);
    }
}
