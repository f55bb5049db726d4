//! The examples, run as programs.
//!
//! Cargo has no variable for the path of an example, but `cargo test` builds a package's examples
//! before it runs the package's tests, and puts them in a folder beside the tests' own. (`cargo
//! test --test examples` alone does not build them: what it finds may be missing or old.)

#![cfg(target_os = "linux")]

mod drain;
mod links;
mod replicas;
mod sessions;
mod stuck;
mod support;
mod treehash;
mod words;
