//! What a rule is: its name, its requirement, what it needs, and the message when it is broken.

use crate::fixture::Fixture;
use std::fmt;

/// How strictly a rule must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// A nursery is not sound, or not usable, without it.
    Must,
    /// Quality: a failure is reported, and fails the run only with `--strict`.
    Should,
}

/// What a rule is about, or relies on. It is skipped for a candidate without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// [`Capabilities::local`](crate::Capabilities::local).
    Local,
    /// [`Capabilities::shutdown`](crate::Capabilities::shutdown).
    Shutdown,
    /// [`Capabilities::joins_threads`](crate::Capabilities::joins_threads).
    JoinsThreads,
    /// A clock that goes on beside busy tasks: not a
    /// [virtual](crate::Capabilities::virtual_clock) one.
    RealClock,
    /// Jobs that may wait for tasks: not those that are called
    /// [in turn](crate::Capabilities::jobs_in_turn) with them.
    ParallelJobs,
    /// At least two [`Capabilities::threads`](crate::Capabilities::threads).
    TwoThreads,
    /// That the process can be asked how much memory it has, and what is freed can be used again: not
    /// under a sanitizer.
    Memory,
}

impl Need {
    /// Returns why a rule that needs it was skipped.
    pub(crate) fn missing(self) -> String {
        let not_testable = match self {
            Need::RealClock => "the clock is virtual, and stands still while tasks are busy",
            Need::ParallelJobs => "jobs are called in turn with tasks, and must not wait for them",
            Need::TwoThreads => "it takes two threads that poll",
            Need::Memory => {
                "the memory of the process cannot be asked for, or a sanitizer keeps it"
            }
            _ => return format!("not declared: {self}"),
        };
        format!("not testable: {not_testable}")
    }
}

/// A rule of a runtime, or a clause of the core. docs/SPEC.md has it under its [`id`](Rule::id).
pub struct Rule {
    pub(crate) name: &'static str,
    pub(crate) group: &'static str,
    pub(crate) requirement: Requirement,
    pub(crate) needs: &'static [Need],
    pub(crate) intent: &'static str,
    pub(crate) cause: &'static str,
    pub(crate) run: fn(&mut Fixture),
}

impl Rule {
    /// Returns all rules of a runtime, in order.
    pub fn all() -> impl Iterator<Item = &'static Rule> {
        crate::rules::GROUPS.iter().copied().flatten()
    }

    /// Returns its number in docs/SPEC.md, such as `R31`.
    pub fn id(&self) -> String {
        id(self.name)
    }

    /// Returns its name, such as `r31_wake_during_own_poll`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns its topic, such as `wake`.
    pub fn group(&self) -> &'static str {
        self.group
    }

    /// Returns how strictly it must hold.
    pub fn requirement(&self) -> Requirement {
        self.requirement
    }

    /// Returns the capabilities without which it is skipped.
    pub fn needs(&self) -> &'static [Need] {
        self.needs
    }

    /// Returns its purpose.
    pub fn intent(&self) -> &'static str {
        self.intent
    }

    /// Returns the most likely cause of a failure.
    pub fn cause(&self) -> &'static str {
        self.cause
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The number that a test's name begins with.
pub(crate) fn id(name: &str) -> String {
    name.split('_').next().unwrap_or(name).to_uppercase()
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Requirement::Must => "MUST",
            Requirement::Should => "SHOULD",
        })
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Need::Local => "local",
            Need::Shutdown => "shutdown",
            Need::JoinsThreads => "joins_threads",
            Need::RealClock => "real_clock",
            Need::ParallelJobs => "parallel_jobs",
            Need::TwoThreads => "two_threads",
            Need::Memory => "memory",
        })
    }
}

/// Lists a topic's rules: `requirement name [needs] "intent" "most likely cause"`.
macro_rules! rules {
    ($group:literal: $($requirement:ident $name:ident [$($need:ident),*] $intent:literal $cause:literal;)*) => {
        pub(super) const RULES: &[$crate::rule::Rule] = &[$($crate::rule::Rule {
            name: stringify!($name),
            group: $group,
            requirement: $crate::rule::Requirement::$requirement,
            needs: &[$($crate::rule::Need::$need),*],
            intent: $intent,
            cause: $cause,
            run: $name,
        },)*];
    };
}
pub(crate) use rules;
