//! Programs that do not compile, and what the compiler says: the code of its error and, where we
//! have one, our own sentence. The rest of its text is its own, and changes; so the programs are not
//! files with an expected output each, but bins of one package, which is checked once.

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

struct Program {
    name: &'static str,
    code: &'static str,
    /// A part of the error's message.
    says: &'static str,
    body: &'static str,
}

const PROGRAMS: [Program; 10] = [
    Program {
        name: "unit",
        code: "E0277",
        says: "`()` cannot be the error of a nursery",
        body: "nursery().run(async |_| Err::<u8, ()>(()))",
    },
    Program {
        name: "box_without_send",
        code: "E0277",
        says: "`Box<dyn std::error::Error>` cannot be the error of a nursery",
        body: "nursery().run(async |_: Nursery<Box<dyn std::error::Error>>| Ok(1))",
    },
    Program {
        name: "arc_of_two_kinds",
        code: "E0283",
        says: "AsError<_>",
        body: "nursery().run(async |_: Nursery<std::sync::Arc<dyn std::error::Error + Send + Sync>>| Ok(1))",
    },
    Program {
        name: "number_in_the_simulator",
        code: "E0277",
        says: "`u32` cannot be the error of a nursery",
        body: "allhome::Simulator::new().check(async |_: Nursery<u32>| Ok(1))",
    },
    Program {
        name: "two_error_types",
        code: "E0271",
        says: "",
        body: "nursery().run(async |n| {
            n.spawn(async { Ok::<(), std::io::Error>(()) });
            n.spawn(async { Ok::<(), std::fmt::Error>(()) });
            Ok(1)
        })",
    },
    Program {
        name: "children_that_borrow",
        code: "E0597",
        says: "",
        body: "nursery().run(async |n: Nursery| {
            let text = String::new();
            let text = &text;
            n.spawn(async move { Ok(drop(text.len())) });
            Ok(1)
        })",
    },
    Program {
        name: "nothing_names_the_error",
        code: "E0283",
        says: "",
        body: "nursery().run(async |_| Ok(1))",
    },
    // The method by its public path.
    Program {
        name: "go_with_a_result",
        code: "E0271",
        says: "`allhome::Nursery::<E>::go`",
        body: "nursery().run(async |n: Nursery| {
            n.go(async { Ok::<(), String>(()) });
            Ok(1)
        })",
    },
    Program {
        name: "fork_without_a_result",
        code: "E0271",
        says: "`allhome::Nursery::<E>::fork`",
        body: "nursery().run(async |n: Nursery| Ok(n.fork(async { 7 }).await?))",
    },
    Program {
        name: "an_implementation_elsewhere",
        code: "E0277",
        says: "Sealed",
        body: "{
            struct Own;
            struct Marker;
            impl allhome::error::AsError<Marker> for Own {
                fn view(&self) -> allhome::error::ErrorView<'_> { allhome::error::ErrorView::Text(\"own\") }
            }
        }",
    },
];

/// The same, of scopes in place.
const SCOPES: [Program; 7] = [
    Program {
        name: "scope_borrows_from_the_body",
        code: "E0373",
        says: "may outlive borrowed value `own`",
        body: "scope().run(async |s: Scope<'_>| {
            let own = String::new();
            s.go(async { drop(own.len()) });
            Ok(1)
        })",
    },
    Program {
        name: "scope_borrows_twice",
        code: "E0499",
        says: "cannot borrow `*total` as mutable more than once at a time",
        body: "{
            let mut total = 0;
            let _ = scope().run(async |s: Scope<'_>| {
                let total = &mut total;
                let (one, other) = (&mut *total, &mut *total);
                s.go(async move { *one += 1 });
                s.go(async move { *other += 1 });
                Ok(1)
            });
        }",
    },
    Program {
        name: "scope_outlives_what_it_borrows",
        code: "E0505",
        says: "cannot move out of `text` because it is borrowed",
        body: "{
            let text = String::new();
            let run = scope().run(async |s: Scope<'_>| {
                s.go(async { drop(text.len()) });
                Ok(1)
            });
            drop(text);
            allhome::block_on(run)
        }",
    },
    Program {
        name: "scope_in_a_static_task",
        code: "E0597",
        says: "`text` does not live long enough",
        body: "{
            fn task<F: Future + Send + 'static>(_: F) {}
            let text = String::new();
            let text = &text;
            task(scope().run(async move |s: Scope<'_>| {
                s.go(async move { drop(text.len()) });
                Ok(1)
            }))
        }",
    },
    Program {
        name: "scope_of_what_is_not_send",
        code: "E0277",
        says: "`Rc<u8>` cannot be sent between threads safely",
        body: "scope().run(async |s: Scope<'_>| {
            let ready = std::future::ready(Ok(std::rc::Rc::new(1u8)));
            Ok(*s.fork(ready).await?)
        })",
    },
    Program {
        name: "scope_local_in_a_send_task",
        code: "E0277",
        says: "cannot be sent between threads safely",
        body: "{
            fn task<F: Future + Send>(_: F) {}
            task(scope().local().run(async |_: LocalScope<'_>| Ok(1)))
        }",
    },
    Program {
        name: "scope_with_no_error",
        code: "E0277",
        says: "`()` cannot be the error of a nursery",
        body: "scope().run(async |_| Err::<u8, ()>(()))",
    },
];

/// A program that compiles stands beside them, so that the package is known to be sound.
const SOUND: &str = "nursery().run(async |_: Nursery| Ok(1))";

fn write(folder: &Path, name: &str, body: &str) {
    let text = format!(
        "#![allow(unused)]\nuse allhome::{{Nursery, Scope, in_place::LocalScope, nursery, scope}};\nfn main() {{\n    let _ = {body};\n}}\n"
    );
    fs::write(folder.join("src/bin").join(format!("{name}.rs")), text).unwrap();
}

/// Checks the programs, and returns the compiler's messages, each with the name of its program.
fn check(folder: &Path) -> Vec<(String, Value)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let core = root.join("core");
    fs::create_dir_all(folder.join("src/bin")).unwrap();
    let manifest = format!(
        "[package]\nname = \"refused\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n\
         [dependencies]\nallhome = {{ path = {core:?}, features = [\"executors\"] }}\n"
    );
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let programs = PROGRAMS.iter().chain(&SCOPES);
    programs.for_each(|program| write(folder, program.name, program.body));
    write(folder, "sound", SOUND);
    let mut cargo = Command::new(std::env::var("CARGO").unwrap_or("cargo".to_string()));
    cargo.args(["check", "--offline", "--bins", "--keep-going", "--message-format=json"]);
    cargo.current_dir(folder).env("CARGO_TARGET_DIR", folder.join("target"));
    // A sanitizer's flags, say, are for the tests and not for these.
    for flags in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET"] {
        cargo.env_remove(flags);
    }
    let output = cargo.output().expect("cargo is there");
    let text = String::from_utf8(output.stdout).unwrap();
    let messages = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let messages: Vec<_> = messages
        .filter(|message| {
            message["reason"] == "compiler-message" && message["message"]["level"] == "error"
        })
        .map(|message| (message["target"]["name"].as_str().unwrap().to_string(), message))
        .collect();
    assert!(!messages.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    messages
}

/// What the compiler says of all of them, once. None: it is not the stable one.
fn messages() -> Option<&'static [(String, Value)]> {
    static MESSAGES: OnceLock<Option<Vec<(String, Value)>>> = OnceLock::new();
    MESSAGES.get_or_init(find_messages).as_deref()
}

fn find_messages() -> Option<Vec<(String, Value)>> {
    let rustc = Command::new("rustc").arg("--version").output().expect("rustc is there");
    let version = String::from_utf8_lossy(&rustc.stdout);
    if ["-nightly", "-beta", "-dev"].iter().any(|other| version.contains(other)) {
        println!("skipped: {} is not the stable compiler", version.trim());
        return None;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("refused");
    let messages = check(&folder);
    assert!(messages.iter().all(|(name, _)| name != "sound"), "{messages:#?}");
    Some(messages)
}

fn are_refused(programs: &[Program]) {
    let Some(messages) = messages() else { return };
    for Program { name, code, says, .. } in programs {
        let of: Vec<_> = messages.iter().filter(|(program, _)| program == name).collect();
        let fits = |message: &Value| {
            let text = message["message"]["rendered"].as_str().unwrap_or_default();
            message["message"]["code"]["code"] == *code && text.contains(says)
        };
        assert!(of.iter().any(|(_, message)| fits(message)), "{name}: {code}, {says}: {of:#?}");
    }
}

#[test]
fn f39_what_the_compiler_refuses() {
    are_refused(&PROGRAMS);
}

#[test]
fn i21_what_the_compiler_refuses_of_a_scope() {
    are_refused(&SCOPES);
}
