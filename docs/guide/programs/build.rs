//! Takes the programs out of README.md and the guide's chapters, and makes a module of each.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

#[allow(dead_code, reason = "the test uses the rest")]
mod chapters {
    include!("chapters.rs");
}

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let mut modules = String::new();
    let mut list = String::new();
    for path in markdown() {
        println!("cargo::rerun-if-changed={}", path.display());
        let text = fs::read_to_string(&path).expect("a chapter is text");
        for program in chapters::programs(&text) {
            let name = program.name;
            fs::write(out.join(format!("{name}.rs")), program.code).expect("OUT_DIR is writable");
            writeln!(modules, "program!({name}, {:?});", format!("/{name}.rs")).expect("a string");
            writeln!(list, "    ({name:?}, {name}::start),").expect("a string");
        }
    }
    let all = format!("{modules}\nconst PROGRAMS: &[(&str, Start)] = &[\n{list}];\n");
    fs::write(out.join("programs.rs"), all).expect("OUT_DIR is writable");
    println!("cargo::rerun-if-changed=chapters.rs");
}

/// README.md and the chapters, in order.
fn markdown() -> Vec<PathBuf> {
    let root = Path::new("../../..");
    let chapters =
        fs::read_dir("../src").expect("the chapters").map(|entry| entry.expect("a chapter").path());
    let mut files: Vec<_> = chapters.chain([root.join("README.md")]).collect();
    println!("cargo::rerun-if-changed=../src");
    files.sort();
    files
}
