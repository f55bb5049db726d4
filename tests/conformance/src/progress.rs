//! How far a rule has got: its steps, which name a hang, and what each says of its cause.

use std::cell::RefCell;
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// How far a rule has got, and what it has running beside the runtime. Clones are the same one.
///
/// For a host that distinguishes a deadlock from a long wait.
#[derive(Clone, Default, Debug)]
pub struct Progress {
    inner: Arc<Inner>,
}

#[derive(Default, Debug)]
struct Inner {
    step: Mutex<Step>,
    outside: AtomicUsize,
    quick: AtomicBool,
    stuck: AtomicBool,
    echo: AtomicBool,
}

/// A step of a rule.
#[derive(Clone, Default, Debug)]
pub(crate) struct Step {
    pub(crate) text: String,
    /// Whether it comes before what the rule is about, and then which rules see to it; if none are
    /// named, those that the rule rests on.
    pub(crate) before: Option<Vec<String>>,
    /// The most likely cause of a failure in this step, if it is not the rule's own.
    pub(crate) cause: Option<String>,
}

thread_local! {
    static PROGRESS: RefCell<Progress> = RefCell::default();
}

impl Progress {
    /// Returns the progress of the rule that runs on this thread.
    pub fn current() -> Progress {
        PROGRESS.with_borrow(Progress::clone)
    }

    /// Returns how many threads the rule has running. They wait for nothing, so each will end.
    pub fn outside(&self) -> usize {
        self.inner.outside.load(Ordering::SeqCst)
    }

    /// Returns the last step that the rule took.
    pub fn step(&self) -> String {
        self.at().text
    }

    pub(crate) fn at(&self) -> Step {
        self.inner.step.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Says that a call of the rule's would never return: no step comes after this one.
    pub fn is_stuck(&self) {
        self.inner.stuck.store(true, Ordering::SeqCst);
    }

    fn note(&self, step: Step) {
        if self.inner.stuck.load(Ordering::SeqCst) {
            return;
        }
        if self.inner.echo.load(Ordering::SeqCst) {
            // In one piece: the watchdog may end the process meanwhile, and standard output has no
            // buffer then, so the last line could be cut in half.
            let _ = std::io::stdout().write_all(step.line().as_bytes());
        }
        *self.inner.step.lock().unwrap_or_else(PoisonError::into_inner) = step;
    }

    /// As [`step`], on whatever thread.
    pub(crate) fn takes(&self, text: &str) {
        self.note(Step { text: text.to_string(), ..Step::default() });
    }

    /// As [`before`], on whatever thread.
    pub(crate) fn before(&self, rules: &[&str], text: &str) {
        let rules = rules.iter().map(ToString::to_string).collect();
        self.note(Step { text: text.to_string(), before: Some(rules), cause: None });
    }

    /// As [`takes`](Progress::takes), for a step whose failure has a cause of its own.
    pub(crate) fn risks(&self, text: &str, cause: &str) {
        let cause = Some(cause.to_string());
        self.note(Step { text: text.to_string(), before: None, cause });
    }

    /// Counts a thread that the rule has beside the runtime.
    pub(crate) fn one_more(self) -> Beside {
        self.inner.outside.fetch_add(1, Ordering::SeqCst);
        Beside(self)
    }

    /// Makes this thread the rule's. In a quick run the numbers are small, and waits give up.
    pub(crate) fn enter(self, quick: bool, echo: bool) {
        self.inner.quick.store(quick, Ordering::SeqCst);
        self.inner.echo.store(echo, Ordering::SeqCst);
        PROGRESS.set(self);
    }

    pub(crate) fn quick(&self) -> bool {
        self.inner.quick.load(Ordering::SeqCst)
    }
}

/// The beginning of a line that reports to the parent process how far a rule has got.
const STEP: &str = "step: ";
const BEFORE: &str = "\tbefore:";
const CAUSE: &str = "\tcause:";

impl Step {
    fn line(&self) -> String {
        let before = self.before.iter().map(|rules| format!("{BEFORE}{}", rules.join(",")));
        let cause = self.cause.iter().map(|cause| format!("{CAUSE}{cause}"));
        format!("{STEP}{}{}\n", self.text, before.chain(cause).collect::<String>())
    }

    /// Returns the last step that the output of a child process has.
    pub(crate) fn last_of(output: &str) -> Step {
        let step = output.lines().rev().find_map(|line| line.strip_prefix(STEP)).unwrap_or("none");
        let (step, cause) = match step.split_once(CAUSE) {
            Some((step, cause)) => (step, Some(cause.to_string())),
            None => (step, None),
        };
        let (text, before) = match step.split_once(BEFORE) {
            Some((text, rules)) => (text, Some(rules)),
            None => (step, None),
        };
        let names =
            |rules: &str| rules.split(',').filter(|id| !id.is_empty()).map(Into::into).collect();
        Step { text: text.to_string(), before: before.map(names), cause }
    }
}

/// Notes how far the rule has got, so that a hang has a name.
pub(crate) fn step(text: &str) {
    Progress::current().takes(text);
}

/// As [`step`], before the step that the rule is about: a failure is none of this rule if one of
/// those that see to it is broken. They are those that the rule rests on, if none are named.
pub(crate) fn before(rules: &[&str], text: &str) {
    Progress::current().before(rules, text);
}

/// A thread of a rule, beside the runtime.
pub(crate) struct Beside(Progress);

impl Beside {
    /// Makes this thread that one.
    pub(crate) fn enter(self) -> Beside {
        PROGRESS.set(self.0.clone());
        self
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        self.0.inner.outside.fetch_sub(1, Ordering::SeqCst);
    }
}
