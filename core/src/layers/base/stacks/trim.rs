//! What of a captured stack is shown: the program's own frames, and of each library what the program
//! calls.
//!
//! Of each frame it is told whose code it is, by the path of its source where that is known, and else
//! by its name. Of a run of library frames the outermost stays, which is what the program awaits; what
//! combinators and macros are made of does not. The top of the stack up to the lens, and the bottom
//! from the lens's poll on, are cut off.

use super::names::{module, package_path, short};
use super::stack::{Frame, Stack};

/// A frame, as std writes it.
#[derive(Clone, Default)]
struct Raw<'a> {
    name: &'a str,
    file: Option<String>,
    line: Option<u32>,
    column: Option<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Owner {
    /// std, and the C library.
    Std,
    /// The files of this folder.
    Lens,
    /// What polls tasks, in this crate.
    Engine,
    /// The rest of it, and its adapters and executors.
    Ours,
    Library,
    Program,
}

/// The path of this crate's sources, as the compiler was given it, and within it the folder's.
const HERE: &str = file!();
const FOLDER: &str = "/layers/base/stacks/";

/// Well-known crates, for programs without the paths of their sources.
const LIBRARIES: &[&str] = &[
    "async_channel",
    "async_io",
    "async_lock",
    "async_std",
    "axum",
    "event_listener",
    "event_listener_strategy",
    "flume",
    "futures_channel",
    "futures_core",
    "futures_lite",
    "futures_util",
    "h2",
    "hyper",
    "hyper_util",
    "pin_project_lite",
    "reqwest",
    "smol",
    "sqlx_core",
    "tokio",
    "tokio_stream",
    "tokio_util",
    "tonic",
    "tower",
    "tower_http",
    "tracing",
];

/// What combinators and macros are made of, by path and by name.
const GLUE_FILES: &[&str] = &[
    "/poll_fn.rs",
    "/maybe_done.rs",
    "/join_mod.rs",
    "/select_mod.rs",
    "/macros/select.rs",
    "/macros/join.rs",
    "/event-listener-strategy",
    "/macros/support.rs",
    "/future/select.rs",
    "/future/select_all.rs",
    "/future/join.rs",
    "/future/try_join.rs",
    "/future/join_all.rs",
    "/future/try_join_all.rs",
];
const GLUE_NAMES: &[&str] = &[
    "poll_fn::PollFn",
    "maybe_done::MaybeDone",
    "macros::support",
    "future::select::Select",
    "future::select_all::SelectAll",
    "future::join::Join",
    "future::try_join::TryJoin",
    "future::join_all::JoinAll",
    "future::try_join_all::TryJoinAll",
    // What a child is wrapped in: all of its own is inlined there.
    "allhome::layers::nursery::cannot_fail::",
    "allhome::layers::record::",
];

/// Returns what is shown of a stack, by std's text of it and its addresses, which serve if the program
/// has no symbols.
pub(super) fn trim(text: &str, addresses: &[usize]) -> Stack {
    let frames = parse(text);
    let owner = |frame: &Raw<'_>| owner(frame);
    let top = frames.iter().position(|frame| owner(frame) == Owner::Lens);
    let Some(top) = top else { return unnamed(addresses) };
    let rest = &frames[top..];
    let is_above = |frame: &Raw<'_>| matches!(owner(frame), Owner::Lens | Owner::Std);
    let start = rest.iter().position(|frame| !is_above(frame));
    let rest = &rest[start.unwrap_or(rest.len())..];
    let end = rest.iter().position(|frame| owner(frame) == Owner::Lens);
    let mut shown = Shown::default();
    for frame in &rest[..end.unwrap_or(rest.len())] {
        shown.take(frame, owner(frame));
    }
    shown.finish()
}

/// Collects what is shown.
#[derive(Default)]
struct Shown<'a> {
    stack: Vec<Frame>,
    leaf: Option<Box<str>>,
    /// The outermost frame of the present run of a library's.
    called: Option<Raw<'a>>,
    innermost: Option<Raw<'a>>,
}

impl<'a> Shown<'a> {
    fn take(&mut self, frame: &Raw<'a>, owner: Owner) {
        match owner {
            Owner::Std | Owner::Lens | Owner::Engine => {}
            Owner::Ours | Owner::Library => {
                self.innermost.get_or_insert_with(|| frame.clone());
                if !is_glue(frame) || self.called.is_none() {
                    self.called = Some(frame.clone());
                }
            }
            Owner::Program => {
                if let Some(called) = self.called.take() {
                    if self.stack.is_empty() {
                        self.leaf = Some(shown(&called, true).function);
                    } else if !is_glue(&called) {
                        self.stack.push(shown(&called, true));
                    }
                }
                let frame = shown(frame, false);
                let same = |last: &Frame| {
                    last.function == frame.function
                        && (last.file.is_none()
                            || (&last.file, last.line, last.column)
                                == (&frame.file, frame.line, frame.column))
                };
                // A closure and its call, or a future and its `poll`.
                if !self.stack.last().is_some_and(same) {
                    self.stack.push(frame);
                }
            }
        }
    }

    fn finish(self) -> Stack {
        let mut leaf = self.leaf;
        if self.stack.is_empty() {
            // All of it is a library's: the task's own future, most likely.
            let frame = [self.called, self.innermost].into_iter().flatten().find(|it| !is_glue(it));
            leaf = frame.map(|frame| shown(&frame, true).function);
        }
        Stack { leaf, frames: self.stack }
    }
}

/// Returns the addresses, for a program without symbols.
fn unnamed(addresses: &[usize]) -> Stack {
    let base = super::scan::program();
    let frame = |address: &usize| Frame {
        function: format!("{:#x}", address.wrapping_sub(base)).into(),
        file: None,
        line: None,
        column: None,
        is_library: false,
    };
    Stack { leaf: None, frames: addresses.iter().map(frame).collect() }
}

/// Reads std's text: a line with a number and a name, and one with `at` and a place, if that is known.
fn parse(text: &str) -> Vec<Raw<'_>> {
    let here = std::env::current_dir().ok();
    let mut frames: Vec<Raw<'_>> = Vec::new();
    for line in text.lines().map(str::trim) {
        if let (Some(place), Some(last)) = (line.strip_prefix("at "), frames.last_mut()) {
            let mut parts = place.rsplitn(3, ':');
            let (column, number) = (parts.next(), parts.next());
            if let Some(file) = parts.next() {
                last.column = column.and_then(|column| column.parse().ok());
                last.line = number.and_then(|number| number.parse().ok());
                // std says `./` for the current directory.
                last.file = Some(match (file.strip_prefix("./"), &here) {
                    (Some(rest), Some(here)) => here.join(rest).display().to_string(),
                    _ => file.to_string(),
                });
            }
            continue;
        }
        let name = match line.split_once(": ") {
            Some((number, name)) if number.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => continue,
        };
        if name != "<unknown>" {
            frames.push(Raw { name, ..Raw::default() });
        }
    }
    frames
}

fn owner(frame: &Raw<'_>) -> Owner {
    let krate = krate(frame.name);
    let lens = frame.name.trim_start_matches('<').starts_with("allhome::layers::base::stacks::");
    let Some(file) = frame.file.as_deref() else {
        return match krate {
            _ if lens => Owner::Lens,
            // Inlined, and of a place that is not known; or a function of C.
            _ if !frame.name.contains("::") => Owner::Std,
            "std" | "core" | "alloc" | "start_thread" | "clone3" | "" => Owner::Std,
            _ if krate.starts_with('_') => Owner::Std,
            "allhome" if is_engine(frame.name) => Owner::Engine,
            "allhome" => Owner::Ours,
            _ if krate.starts_with("allhome_") && is_of_adapter(krate) => Owner::Ours,
            _ if LIBRARIES.contains(&krate) => Owner::Library,
            _ => Owner::Program,
        };
    };
    let file = file.replace('\\', "/");
    // Up to `layers/base/stacks/trim.rs`: of the crate, below its `src`.
    let own = HERE.replace('\\', "/");
    let own = own.split("layers/base/").next().unwrap_or_default().trim_start_matches("./");
    let is_own = !own.is_empty() && file.contains(own);
    match () {
        () if lens || is_own && file.contains(FOLDER) => Owner::Lens,
        () if file.contains("/rustc/") || file.contains("/library/std/") => Owner::Std,
        () if file.contains("sysdeps/") || file.starts_with("nptl/") => Owner::Std,
        () if is_own && is_engine(&file) => Owner::Engine,
        () if is_own || is_of_adapter(krate) => Owner::Ours,
        () if package_path(&file).is_some() => {
            let package = module(&file).unwrap_or_default();
            let package = package.split("::").next().unwrap_or_default();
            // A function of another crate with a line of this one is the inside of a macro.
            let inside = frame.name.contains("::") && !frame.name.contains('<') && krate != package;
            if inside { Owner::Std } else { Owner::Library }
        }
        () => Owner::Program,
    }
}

/// Returns `true` for what polls tasks, by its name or its path.
fn is_engine(at: &str) -> bool {
    let at = at.split_once("layers").map_or("", |(_, at)| at.trim_start_matches([':', '/']));
    ["record", "group", "base"].iter().any(|room| at.starts_with(room))
}

/// Returns `true` for the crates of this workspace below the core.
fn is_of_adapter(krate: &str) -> bool {
    matches!(
        krate,
        "allhome_rt" | "allhome_tokio" | "allhome_smol" | "allhome_async_std" | "allhome_executors"
    )
}

/// Returns the name's first part: its crate, if the name has one.
fn krate(name: &str) -> &str {
    let name = name.trim_start_matches(['<', '&', '*']).trim_start_matches("mut ");
    let name = name.trim_start_matches("dyn ");
    let end = name.find(|c: char| !(c.is_alphanumeric() || c == '_'));
    &name[..end.unwrap_or(name.len())]
}

fn is_glue(frame: &Raw<'_>) -> bool {
    let file = frame.file.as_deref().unwrap_or_default();
    GLUE_FILES.iter().any(|glue| file.contains(glue))
        || GLUE_NAMES.iter().any(|glue| frame.name.contains(glue))
}

fn shown(frame: &Raw<'_>, is_library: bool) -> Frame {
    let mut function = short(frame.name);
    if !function.contains("::") {
        // Without the names of the modules: the file's has them, of a library.
        if let Some(module) = frame.file.as_deref().filter(|_| is_library).and_then(module) {
            function = match &*function {
                "poll" | "async" => module,
                name => format!("{module}::{name}"),
            };
        }
    }
    let function = function.replace("allhome::layers::", "allhome::");
    let here = std::env::current_dir().ok().map(|here| format!("{}/", here.display()));
    let below = |file| here.as_deref().and_then(|here| str::strip_prefix(file, here));
    let file = frame.file.as_deref();
    let file = file.map(|file| package_path(file).or(below(file)).unwrap_or(file));
    Frame {
        function: function.into(),
        file: file.map(Box::from),
        line: frame.line,
        column: frame.column,
        is_library,
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::trim;

    const TOP: &str = "\
   0: std::backtrace::Backtrace::force_capture
   1: allhome::layers::base::stacks::book::stack
   2: allhome::layers::base::stacks::lens::clone
   3: <core::task::wake::Waker as core::clone::Clone>::clone
";
    const BOTTOM: &str = "\
  20: <core::pin::Pin<P> as core::future::future::Future>::poll
  21: allhome::layers::record::vtable::poll
  22: allhome::layers::base::stacks::lens::poll
  23: allhome::layers::group::poll::Group::poll_once
  24: tokio::runtime::task::core::Core<T,S>::poll
  25: main
";

    fn shown(middle: &str) -> String {
        trim(&format!("{TOP}{middle}{BOTTOM}"), &[]).to_string()
    }

    #[test]
    fn the_programs_frames_and_what_they_call() {
        let middle = "\
   4: tokio::sync::batch_semaphore::Acquire::poll
             at /home/u/.cargo/registry/src/index.crates.io-1/tokio-1.49.0/src/sync/batch_semaphore.rs:10:5
   5: tokio::sync::mutex::Mutex<T>::lock::{{closure}}
             at /home/u/.cargo/registry/src/index.crates.io-1/tokio-1.49.0/src/sync/mutex.rs:20:9
   6: shop::load_user::{{closure}}
             at /home/u/shop/src/main.rs:26:34
   7: <core::future::poll_fn::PollFn<F> as core::future::future::Future>::poll
             at /rustc/0123/library/core/src/future/poll_fn.rs:151:9
   8: shop::page::{{closure}}
             at /home/u/shop/src/main.rs:30:5
";
        assert_eq!(
            shown(middle),
            "tokio::sync::mutex::Mutex::lock\n\
             shop::load_user at /home/u/shop/src/main.rs:26:34\n\
             shop::page at /home/u/shop/src/main.rs:30:5"
        );
    }

    #[test]
    fn names_alone_and_bare_names_with_lines() {
        let middle = "\
   4: <async_lock::mutex::AcquireSlow<B,T> as event_listener_strategy::EventListenerFuture>::poll_with_strategy
   5: shop::page::{{closure}}
";
        assert_eq!(shown(middle), "async_lock::mutex::AcquireSlow::poll_with_strategy\nshop::page");
        let middle = "\
   4: poll<()>
             at /home/u/.cargo/registry/src/index.crates.io-1/tokio-1.49.0/src/sync/oneshot.rs:10:5
   5: {async_fn#0}
             at /home/u/shop/src/main.rs:67:8
";
        assert_eq!(shown(middle), "tokio::sync::oneshot\nasync at /home/u/shop/src/main.rs:67:8");
    }

    #[test]
    fn a_task_of_a_library_and_no_symbols_at_all() {
        let middle = "   4: hyper::server::conn::http1::Connection<I,S,E>::poll\n";
        assert_eq!(shown(middle), "hyper::server::conn::http1::Connection::poll");
        let unnamed = trim("   0: <unknown>\n   1: <unknown>\n", &[0x10, 0x20]);
        assert_eq!(unnamed.frames.len(), 2);
    }
}
