//! Names of functions and paths of sources, made short.

/// Returns a function's name without what says nothing: generic arguments, closures, and, of `<A as
/// B>::poll`, all but `A`.
pub(super) fn short(name: &str) -> String {
    let name = name.replace("::{{closure}}", "");
    let name = of_trait(&name).unwrap_or(name);
    let mut depth = 0_usize;
    let mut last = ' ';
    let mut plain = String::new();
    for c in name.chars() {
        match c {
            '<' => depth += 1,
            // Not of an arrow.
            '>' if last != '-' => depth = depth.saturating_sub(1),
            c if depth == 0 => plain.push(c),
            _ => {}
        }
        last = c;
    }
    // `{async_fn#0}`, `{closure#1}`: alone it says what it is.
    while let Some((before, rest)) = plain.split_once('{') {
        let Some((kind, after)) = rest.split_once('}') else { break };
        let alone = before.is_empty() && after.is_empty();
        let kind = if kind.starts_with("async") { "async" } else { "closure" };
        plain = if alone { kind.into() } else { format!("{before}{after}") };
    }
    while plain.contains("::::") {
        plain = plain.replace("::::", "::");
    }
    plain.trim_matches(':').to_string()
}

/// Of `<A as B>::method` it returns `A::method`, and `A` if that is `poll`; of `<A>::method` the same.
fn of_trait(name: &str) -> Option<String> {
    let rest = name.strip_prefix('<')?;
    let mut depth = 0_usize;
    for (at, c) in rest.char_indices() {
        match c {
            '<' => depth += 1,
            // `<A<T>>::method`, as newer compilers name what is no trait's.
            '>' if depth == 0 => return Some(format!("{}{}", &rest[..at], &rest[at + 1..])),
            '>' => depth -= 1,
            ' ' if depth == 0 && rest[at..].starts_with(" as ") => {
                let method = rest.rsplit("::").next().unwrap_or_default();
                return Some(match method {
                    "poll" => rest[..at].to_string(),
                    method => format!("{}::{method}", &rest[..at]),
                });
            }
            _ => {}
        }
    }
    None
}

/// Returns a source's path from its package on, if it is in cargo's folder of packages.
pub(super) fn package_path(file: &str) -> Option<&str> {
    let rest = ["/registry/src/", "/git/checkouts/"]
        .iter()
        .find_map(|folder| file.split_once(folder))
        .map(|(_, rest)| rest)?;
    Some(rest.split_once('/').map_or(rest, |(_, rest)| rest))
}

/// Returns the module of a package's source: `../tokio-1.49.0/src/sync/mutex.rs` is
/// `tokio::sync::mutex`.
pub(super) fn module(file: &str) -> Option<String> {
    let (folder, file) = file.rsplit_once("/src/")?;
    let package = folder.rsplit('/').next()?;
    let package = match package.rsplit_once('-') {
        Some((name, version)) if version.starts_with(|c: char| c.is_ascii_digit()) => name,
        _ => package,
    };
    // The core's own folder is not named for its package.
    let package = if package == "core" { "allhome" } else { package };
    let file = file.strip_suffix(".rs")?;
    let file = file.trim_end_matches("/mod").trim_start_matches("layers/");
    let path = format!("{package}::{}", file.replace('/', "::")).replace('-', "_");
    Some(path.trim_end_matches("::lib").to_string())
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{module, package_path, short};

    #[test]
    fn names_are_made_short() {
        for (name, expected) in [
            ("shop::page::{{closure}}::{{closure}}", "shop::page"),
            ("shop::go::{async_fn#0}::{closure#1}", "shop::go"),
            ("{async_fn#0}", "async"),
            ("{async_fn#0}<u32>", "async"),
            ("{async_closure#0}", "async"),
            ("<tokio::time::Sleep as core::future::Future>::poll", "tokio::time::Sleep"),
            ("<a::B<C> as d::E<F>>::poll_next", "a::B::poll_next"),
            (
                "tokio::sync::mpsc::Receiver<T>::recv::{{closure}}",
                "tokio::sync::mpsc::Receiver::recv",
            ),
            ("f::<fn() -> u8>::g", "f::g"),
            ("<a::b::Mutex<i32>>::lock::{closure#0}", "a::b::Mutex::lock"),
            ("<a::B>::go::<u8>", "a::B::go"),
        ] {
            assert_eq!(short(name), expected, "{name}");
        }
    }

    #[test]
    fn sources_of_packages() {
        let file = "/home/u/.cargo/registry/src/index.crates.io-1/tokio-1.49.0/src/sync/mutex.rs";
        assert_eq!(package_path(file), Some("tokio-1.49.0/src/sync/mutex.rs"));
        assert_eq!(module(file).as_deref(), Some("tokio::sync::mutex"));
        assert_eq!(package_path("/home/u/shop/src/main.rs"), None);
        assert_eq!(module("/x/h2-0.4.1/src/lib.rs").as_deref(), Some("h2"));
    }
}
