//! docs/PERFORMANCE.md is written by a command, which it names at its top; and it shows each
//! picture of its folder, so that none is left over from an earlier command.

/// Where its pictures are.
const PICTURES: &str = "docs/performance/";

/// Complains about the page. `manifest` is the benches', `paths` all files.
pub(crate) fn check(page: &str, manifest: &str, paths: &[&str]) -> Vec<String> {
    let mut complaints = Vec::new();
    let top = page.lines().take(5).find_map(|line| line.split('`').find_map(binary));
    match top {
        None => complaints.push("the first lines name no command that writes the page".into()),
        Some(name) if manifest.contains(&format!("name = \"{name}\"")) => {}
        Some(name) => complaints.push(format!("benches/Cargo.toml has no binary `{name}`")),
    }
    let pictures = paths.iter().filter_map(|path| path.strip_prefix(PICTURES));
    let shown = |file: &&str| page.contains(&format!("](performance/{file})"));
    complaints.extend(
        pictures.filter(|file| !shown(file)).map(|file| format!("{PICTURES}{file} is not shown")),
    );
    complaints
}

/// The binary that a command runs.
fn binary(command: &str) -> Option<&str> {
    let (_, name) = command.strip_prefix("cargo run ")?.split_once("--bin ")?;
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# P\n\n`cargo run -p b --bin page` writes it.\n![x](performance/x.svg)";
    const MANIFEST: &str = "[[bin]]\nname = \"page\"";

    #[test]
    fn a_page_with_its_command_and_its_pictures_passes() {
        assert_eq!(check(PAGE, MANIFEST, &["docs/performance/x.svg", "docs/y.svg"]), [""; 0]);
    }

    #[test]
    fn a_page_without_its_command_or_a_picture_is_found() {
        assert_eq!(check("# P", MANIFEST, &[]).len(), 1);
        assert_eq!(check(PAGE, "", &[]), ["benches/Cargo.toml has no binary `page`"]);
        let left = check(PAGE, MANIFEST, &["docs/performance/old.svg"]);
        assert_eq!(left, ["docs/performance/old.svg is not shown"]);
    }
}
