//! Names at the root of a crate: few, so that a reader sees them at a glance.

/// How many names the root of the core may have, beside its modules. Two of them are of the scopes in
/// place; one more is for the local nursery that is to come.
pub(crate) const MOST_NAMES: usize = 30;

/// Returns the names that a `lib.rs` exports at its root.
pub(crate) fn names(lib: &str) -> Vec<String> {
    let mut names = Vec::new();
    for item in lib.split("\npub use ").skip(1) {
        let path = item.split(';').next().unwrap_or_default();
        let last = path.rsplit("::").next().unwrap_or_default();
        let list = path.split_once('{').map_or(last, |(_, list)| list.trim_end_matches('}'));
        let parts = list.split(',').map(str::trim).filter(|name| !name.is_empty());
        // `self` brings the module, which is none of them.
        names.extend(parts.filter(|name| *name != "self").map(str::to_string));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn what_is_in_a_module_is_not_at_the_root() {
        let lib =
            "\npub use a::One;\npub use a::b::{\n    Two,\n    three,\n};\npub use c::{self, Four};
pub mod d {\n    pub use a::Five;\n}\n";
        assert_eq!(names(lib), ["One", "Two", "three", "Four"]);
    }
}
