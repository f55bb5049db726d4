//! A folder to work in, and a program to watch.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take before the test gives up: long enough for a very busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// An example's executable.
pub(crate) fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let deps = test.parent().unwrap();
    let program = deps.parent().unwrap().join("examples").join(name);
    assert!(program.exists(), "build it first: cargo build -p allhome-examples --examples");
    program
}

/// Bytes as text, to be read by people.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Looks again and again until it is so.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < PATIENCE, "waited too long until {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

fn send(signal: &str, process: u32) {
    let sent = Command::new("kill").args(["-s", signal, &process.to_string()]).status().unwrap();
    assert!(sent.success());
}

/// A folder that goes away in the end.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Scratch {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn treehash(&self, runtime: &str) -> Command {
        let mut command = Command::new(program("treehash"));
        command.args(["--runtime", runtime]).current_dir(&self.0);
        command
    }

    pub(crate) fn write(&self, path: impl AsRef<Path>, content: &[u8]) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Makes a file that takes minutes to hash, and hardly any space.
    pub(crate) fn endless(&self, path: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let file = File::create(path).unwrap();
        file.set_len(200 << 30).unwrap();
        file.write_all_at(b"x", 0).unwrap();
    }

    /// Adds a file and a folder that no process can read, not even root's: their paths are longer
    /// than the system takes (4096 bytes). Returns these paths.
    pub(crate) fn add_unreadable(&self, dir: &str) -> [String; 2] {
        const DEPTH: usize = 16;
        let long = "n".repeat(250);
        let ends = ["f".repeat(100), "g".repeat(100)];
        let short = |depth| self.0.join(dir).join("s/".repeat(depth));
        let deepest = short(DEPTH);
        fs::create_dir_all(deepest.join(&ends[1])).unwrap();
        fs::write(deepest.join(&ends[0]), b"").unwrap();
        // From the inside out, so that each path that is used here is short.
        for depth in (0..DEPTH).rev() {
            fs::rename(short(depth).join("s"), short(depth).join(&long)).unwrap();
        }
        ends.map(|end| format!("{dir}/{}{end}", format!("{long}/").repeat(DEPTH)))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left over goes with the target folder.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A program under way; killed if the test fails meanwhile.
pub(crate) struct Running(Option<Child>);

impl Running {
    pub(crate) fn start(command: &mut Command) -> Running {
        Running::start_with(command, Stdio::piped())
    }

    pub(crate) fn start_with(command: &mut Command, stdout: Stdio) -> Running {
        let command = command.stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped());
        Running(Some(command.spawn().unwrap()))
    }

    pub(crate) fn take_stdout(&mut self) -> ChildStdout {
        self.child().stdout.take().unwrap()
    }

    pub(crate) fn take_stderr(&mut self) -> ChildStderr {
        self.child().stderr.take().unwrap()
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child().try_wait().unwrap().is_some()
    }

    /// Returns `true` if it has a file of that name open.
    pub(crate) fn has_open(&self, name: &str) -> bool {
        let Ok(files) = fs::read_dir(self.proc("fd")) else { return false };
        let mut files = files.flatten().filter_map(|file| fs::read_link(file.path()).ok());
        files.any(|file| file.file_name().is_some_and(|found| found == name))
    }

    /// Returns `true` if its main thread waits in a write to a pipe: in `pipe_write`, `pipe_wait`
    /// or `anon_pipe_write`, which depends on the kernel.
    pub(crate) fn waits_for_a_reader(&self) -> bool {
        fs::read_to_string(self.proc("wchan")).is_ok_and(|place| place.contains("pipe_w"))
    }

    pub(crate) fn send(&self, signal: &str) {
        send(signal, self.id());
    }

    /// Waits for its end, and reads meanwhile what it writes.
    pub(crate) fn end(mut self) -> Output {
        let child = self.0.take().expect("taken here only");
        let id = child.id();
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || sender.send(child.wait_with_output()));
        match receiver.recv_timeout(PATIENCE) {
            Ok(output) => output.unwrap(),
            Err(_) => {
                send("KILL", id);
                panic!("waited too long for the program's end");
            }
        }
    }

    fn child(&mut self) -> &mut Child {
        self.0.as_mut().expect("taken at the end only")
    }

    fn id(&self) -> u32 {
        self.0.as_ref().expect("taken at the end only").id()
    }

    fn proc(&self, file: &str) -> PathBuf {
        format!("/proc/{}/{file}", self.id()).into()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
