//! The manners of a runtime: what it does with a task that is spawned, woken or polled.

/// How an executor treats its tasks. The default is the polite one: it does nothing by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    /// What `spawn` does.
    pub at_spawn: AtSpawn,
    /// What `wake` does.
    pub at_wake: AtWake,
    /// Whether a task is dropped when it was polled once and is not done.
    pub one_poll_each: bool,
    /// Whether each step polls every task, woken or not.
    pub spurious: bool,
}

/// What an executor does with a task that is spawned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AtSpawn {
    /// It puts it in the queue.
    #[default]
    Queue,
    /// It polls it before `spawn` returns.
    Poll,
    /// It polls it on a new thread.
    Thread,
    /// It drops it.
    Drop,
}

/// What an executor does with a task that is woken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AtWake {
    /// It puts it in the queue.
    #[default]
    Queue,
    /// It polls it before `wake` returns; if it is being polled, right after that poll.
    Poll,
    /// It polls it on a new thread.
    Thread,
    /// It forgets about it until the test makes it remember.
    Hold,
    /// It puts it in the queue and panics.
    Panic,
}
