//! Runs one rule or clause: on a thread of its own, or in a process of its own.
//!
//! A thread that hangs cannot be ended, a stack that overflows ends its process, and what
//! one rule leaves behind must not disturb the next. So the suite runs its own binary again for
//! each, with its name in [`RULE`]. The child says on its standard output how far it
//! has got, and on its standard error what was wrong.

use crate::candidate::{Candidate, Capabilities};
use crate::fixture::Fixture;
use crate::progress::{Progress, Step};
use crate::report::Outcome;
use crate::rule::Rule;
use crate::subject::Subject;
use std::cell::RefCell;
use std::io::Read;
use std::panic::{self, AssertUnwindSafe};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The variable that names the rule which a child process runs.
pub(crate) const RULE: &str = "ALLHOME_CONFORMANCE_RULE";

/// The variable that says how long the rule may take, in milliseconds.
const WITHIN: &str = "ALLHOME_CONFORMANCE_WITHIN";

/// A child's exit codes, apart from 0: the rule is broken; it hangs, and is busy; it hangs, and sleeps.
const BROKEN: i32 = 101;
const HANGS: i32 = 102;
const SLEEPS: i32 = 103;

/// The outcome of a rule, and the last step that it took.
#[derive(Clone)]
pub(crate) struct RuleResult {
    pub(crate) outcome: Outcome,
    pub(crate) step: Step,
}

impl RuleResult {
    /// It was not asked, because this rule does not hold.
    pub(crate) fn unasked(rule: &'static str) -> RuleResult {
        RuleResult { outcome: Outcome::Unasked(rule), step: Step::default() }
    }
}

/// Runs a rule on a thread of its own. Its candidate must not hang.
pub(crate) fn in_process(
    rule: &Rule,
    candidate: &Candidate,
    declared: Capabilities,
    quick: bool,
) -> RuleResult {
    let progress = Progress::default();
    let run = || {
        progress.clone().enter(quick, false);
        caught(|| (rule.run)(&mut Fixture::new(candidate, declared)))
    };
    // Rules may nest polls on purpose.
    let thread = thread::Builder::new().stack_size(8 << 20);
    let result = thread::scope(|scope| thread.spawn_scoped(scope, run).expect("a thread").join());
    let outcome = match result {
        Ok(Ok(())) => Outcome::Pass,
        Ok(Err(message)) => Outcome::Fail(message),
        Err(_) => Outcome::Fail("the rule's thread panicked".into()),
    };
    RuleResult { outcome, step: progress.at() }
}

/// Runs a rule in a process of its own, which is this binary once more.
pub(crate) fn in_child(full_name: &str, limit: Duration) -> RuleResult {
    let program = std::env::current_exe().expect("a running program has a path");
    let mut child = Command::new(program)
        .env(RULE, full_name)
        .env(WITHIN, limit.as_millis().to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the suite's own binary runs");
    let stdout = read(child.stdout.take());
    let stderr = read(child.stderr.take());
    // For a child whose watchdog hangs as well: it may need longer than the limit by this clock.
    let status = wait(&mut child, limit * 2 + Duration::from_secs(10));
    let output = stdout.join().unwrap_or_default();
    let message = stderr.join().unwrap_or_default().trim().to_string();
    let step = Step::last_of(&output);
    let outcome = match status.map(|status| (status, status.code())) {
        Some((_, Some(0))) => Outcome::Pass,
        Some((_, Some(BROKEN))) => Outcome::Fail(message),
        Some((_, Some(SLEEPS))) => {
            Outcome::Hang("all of its threads sleep, and nothing will come".into())
        }
        None | Some((_, Some(HANGS))) => Outcome::Hang("it is busy, and comes to no end".into()),
        Some((status, _)) => {
            let text = format!("the process ended with {status}\n{message}");
            Outcome::Crash(text.trim_end().to_string())
        }
    };
    RuleResult { outcome, step }
}

fn read(from: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut from) = from {
            let _ = from.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Waits for the child, and kills it if it does not end itself.
fn wait(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let start = Instant::now();
    let mut pause = Duration::from_micros(500);
    while start.elapsed() < limit {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        // For another process, which cannot notify this one; no rule's time depends on it.
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(8));
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}

/// Runs the rule or clause of a child process, under a watchdog.
pub(crate) fn child(full_name: &str, candidates: &[Candidate]) -> ExitCode {
    let Some((candidate, subject)) = Subject::of(full_name, candidates) else {
        eprintln!("no rule {full_name}");
        return ExitCode::FAILURE;
    };
    let within = std::env::var(WITHIN).ok().and_then(|millis| millis.parse().ok());
    let limit = within.map_or(subject.limit(candidate), Duration::from_millis);
    // A clause may have ten thousand children, on a slow machine and under a sanitizer.
    let at_work = if subject.is_clause() { limit * 2 / 3 } else { limit / 4 };
    thread::spawn(move || {
        let code = watch(limit, at_work);
        // If this hangs as well, the parent has a limit of its own.
        std::process::exit(code);
    });
    Progress::default().enter(false, true);
    let declared = candidate.capabilities();
    match caught(|| subject.run(candidate, declared)) {
        Ok(()) => std::process::exit(0),
        Err(message) => {
            eprintln!("{message}");
            std::process::exit(BROKEN)
        }
    }
}

/// The watchdog: returns how the rule hangs when it is not done in time. A rule that holds has ended
/// the process long before.
///
/// A machine that is busy must not decide whether a rule holds, so where it can be asked how long
/// the process was at work, it may take the whole limit only while it waits for a core. At work it
/// may be for as long as given, and asleep for an eighth of the limit. It counts its looks, and no time: what
/// keeps the watchdog from looking, such as a machine that stands still, keeps the rule as well.
fn watch(limit: Duration, at_work: Duration) -> i32 {
    const LOOK: Duration = Duration::from_millis(50);
    let looks = |time: Duration| time.as_millis() / LOOK.as_millis();
    let most = at_work.max(Duration::from_millis(500));
    let rest = looks((limit / 8).max(Duration::from_millis(750)));
    let mut asleep = 0;
    for _ in 0..looks(limit) {
        // It watches threads that may hang, and so notify nothing; it counts looks, and no time.
        thread::sleep(LOOK);
        // That a thread could go on, if it had a core, is no sleep.
        asleep = if running().is_some_and(|threads| threads <= 1) { asleep + 1 } else { 0 };
        if asleep > rest {
            return SLEEPS;
        }
        if worked().is_some_and(|worked| worked > most) {
            return HANGS;
        }
    }
    HANGS
}

/// How many threads of this process run or would run, this one among them, where that can be asked.
fn running() -> Option<usize> {
    let threads = std::fs::read_dir("/proc/self/task").ok()?;
    let stats =
        threads.filter_map(|entry| std::fs::read_to_string(entry.ok()?.path().join("stat")).ok());
    // Or waits for a disk, or for memory that was swapped out.
    let runs = |stat: &String| {
        stat.rsplit_once(')').is_some_and(|(_, fields)| fields.trim_start().starts_with(['R', 'D']))
    };
    Some(stats.filter(runs).count())
}

/// How long this process was at work, where that can be asked.
fn worked() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // Behind the program's name, which may have spaces: the state, ten others, and the two times.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11).map_while(|field| field.parse::<u64>().ok());
    Some(Duration::from_millis(10 * (times.next()? + times.next()?)))
}

thread_local! {
    /// What panicked on this thread, if it belongs to a rule: many panic on purpose, so it is shown
    /// on failure only.
    static PANICS: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// How many runs are under way. Meanwhile no other code in this process reports panics: what panics
/// on a runtime's own threads was thrown by a rule.
pub(crate) static SILENT: AtomicUsize = AtomicUsize::new(0);

/// Keeps panics on this thread, instead of printing them.
pub(crate) fn quietly() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let kept = PANICS.try_with(|panics| {
                panics.try_borrow_mut().ok()?.as_mut()?.push(info.to_string());
                Some(())
            });
            if !matches!(kept, Ok(Some(()))) && SILENT.load(Ordering::SeqCst) == 0 {
                before(info);
            }
        }));
    });
    PANICS.set(Some(Vec::new()));
}

/// Runs this; returns the messages of the panics, if it panicked.
pub(crate) fn caught(f: impl FnOnce()) -> Result<(), String> {
    quietly();
    let result = panic::catch_unwind(AssertUnwindSafe(f));
    let mut panics = PANICS.take().unwrap_or_default();
    result.map_err(|payload| {
        // A rule may let many tasks panic on purpose, all alike.
        panics.dedup();
        if panics.is_empty() {
            // It panicked on another thread, which has passed it on.
            let text = payload.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
            panics.push(text.unwrap_or("a panic that is no text").to_string());
        }
        panics.join("\n")
    })
}
