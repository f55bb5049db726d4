//! Random trees of tokens against a plain model of them.

#![cfg(not(loom))]

use allhome::cancel::{Level, Registration};
use allhome::{CancelToken, Reason};
use proptest::prelude::*;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};

/// One step; the numbers choose among the tokens that are there.
#[derive(Debug, Clone)]
enum Op {
    New,
    Child(usize),
    Any(Vec<usize>),
    Clone(usize),
    Drop(usize),
    Raise(usize, Level),
    Wait(usize),
    /// Polls or drops a waiter.
    Poll(usize),
    Leave(usize),
    Register(usize),
    Remove(usize),
}

fn op() -> impl Strategy<Value = Op> {
    let at = any::<u16>().prop_map(usize::from);
    let level = prop_oneof![
        1 => Just(Level::Draining),
        5 => Just(Level::Cancelled),
        1 => Just(Level::Aborted),
    ];
    prop_oneof![
        1 => Just(Op::New),
        8 => at.clone().prop_map(Op::Child),
        2 => prop::collection::vec(at.clone(), 0..4).prop_map(Op::Any),
        2 => at.clone().prop_map(Op::Clone),
        5 => at.clone().prop_map(Op::Drop),
        1 => (at.clone(), level).prop_map(|(at, level)| Op::Raise(at, level)),
        3 => at.clone().prop_map(Op::Wait),
        2 => at.clone().prop_map(Op::Poll),
        2 => at.clone().prop_map(Op::Leave),
        3 => at.clone().prop_map(Op::Register),
        2 => at.prop_map(Op::Remove),
    ]
}

/// What a token is expected to be; nodes of the model are never removed.
struct Expected {
    parents: Vec<usize>,
    level: Level,
    reason: Option<String>,
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

struct Waiter {
    future: Pin<Box<dyn Future<Output = Reason>>>,
    node: usize,
    woken: Arc<Count>,
}

struct Callback {
    registration: Registration,
    node: usize,
    ran: Arc<AtomicUsize>,
    born_cancelled: bool,
}

#[derive(Default)]
struct World {
    nodes: Vec<Expected>,
    handles: Vec<(usize, CancelToken)>,
    waiters: Vec<Waiter>,
    callbacks: Vec<Callback>,
    escalations: usize,
}

impl World {
    fn add(&mut self, parents: Vec<usize>, token: CancelToken) {
        let level = parents.iter().map(|&at| self.nodes[at].level).max().unwrap_or(Level::Running);
        let reason = parents.iter().find_map(|&at| self.nodes[at].reason.clone());
        self.handles.push((self.nodes.len(), token));
        self.nodes.push(Expected { parents, level, reason });
    }

    fn cancelled(&self, node: usize) -> bool {
        self.nodes[node].level >= Level::Cancelled
    }

    fn escalate_to(&mut self, top: usize, level: Level, text: &str) -> bool {
        if self.nodes[top].level >= level {
            return false;
        }
        // The reason that goes down is the one that the top keeps.
        let kept = self.nodes[top].reason.clone().unwrap_or_else(|| text.to_string());
        let mut below = vec![false; self.nodes.len()];
        for at in top..self.nodes.len() {
            // Parents are older than children. A token that is there already stops the rise.
            below[at] = (at == top || self.nodes[at].parents.iter().any(|&parent| below[parent]))
                && self.nodes[at].level < level;
            if below[at] {
                self.nodes[at].level = level;
                if level >= Level::Cancelled {
                    self.nodes[at].reason.get_or_insert_with(|| kept.clone());
                }
            }
        }
        true
    }

    fn step(&mut self, op: Op) {
        let handle = |world: &World, at: usize| {
            let (node, token) = &world.handles[at % world.handles.len()];
            (*node, token.clone())
        };
        match op {
            Op::New => self.add(Vec::new(), CancelToken::new()),
            _ if self.handles.is_empty() => self.add(Vec::new(), CancelToken::new()),
            Op::Child(at) => {
                let (node, token) = handle(self, at);
                self.add(vec![node], token.child());
            }
            Op::Any(all) => {
                let (nodes, tokens): (Vec<_>, Vec<_>) =
                    all.into_iter().map(|at| handle(self, at)).unzip();
                self.add(nodes, CancelToken::any(tokens));
            }
            Op::Clone(at) => {
                let copy = handle(self, at);
                self.handles.push(copy);
            }
            Op::Drop(at) => drop(self.handles.swap_remove(at % self.handles.len())),
            Op::Raise(at, level) => {
                let (node, token) = handle(self, at);
                self.escalations += 1;
                let text = self.escalations.to_string();
                let expected = self.escalate_to(node, level, &text);
                assert_eq!(token.escalate_to(level, Reason::new(text)), expected);
            }
            Op::Wait(at) => {
                let (node, token) = handle(self, at);
                let future = Box::pin(token.cancelled_owned());
                let mut waiter = Waiter { future, node, woken: Arc::default() };
                assert_eq!(self.poll(&mut waiter), self.cancelled(node));
                if !self.cancelled(node) {
                    self.waiters.push(waiter);
                }
            }
            Op::Poll(_) if self.waiters.is_empty() => (),
            Op::Poll(at) => {
                let mut waiter = self.waiters.swap_remove(at % self.waiters.len());
                if !self.poll(&mut waiter) {
                    self.waiters.push(waiter);
                }
            }
            Op::Leave(_) if self.waiters.is_empty() => (),
            Op::Leave(at) => drop(self.waiters.swap_remove(at % self.waiters.len())),
            Op::Register(at) => {
                let (node, token) = handle(self, at);
                let ran = Arc::new(AtomicUsize::new(0));
                let counted = ran.clone();
                let registration = token.on_cancel(move |_| {
                    counted.fetch_add(1, SeqCst);
                });
                let born_cancelled = self.cancelled(node);
                self.callbacks.push(Callback { registration, node, ran, born_cancelled });
            }
            Op::Remove(_) if self.callbacks.is_empty() => (),
            Op::Remove(at) => {
                let callback = self.callbacks.swap_remove(at % self.callbacks.len());
                let Callback { registration, node, ran, .. } = callback;
                assert_eq!(registration.remove(), !self.cancelled(node));
                assert_eq!(ran.load(SeqCst), usize::from(self.cancelled(node)));
                assert_eq!(Arc::strong_count(&ran), 1, "the closure is gone");
            }
        }
    }

    /// Polls a waiter and sees that it is ready when it should be.
    fn poll(&self, waiter: &mut Waiter) -> bool {
        let waker = Waker::from(waiter.woken.clone());
        let poll = waiter.future.as_mut().poll(&mut Context::from_waker(&waker));
        let expected = &self.nodes[waiter.node];
        match poll {
            Poll::Pending => assert!(expected.level < Level::Cancelled),
            Poll::Ready(reason) => assert_eq!(Some(reason.message()), expected.reason.as_deref()),
        }
        expected.level >= Level::Cancelled
    }

    fn check(&self) {
        for (node, token) in &self.handles {
            let expected = &self.nodes[*node];
            assert_eq!(token.level(), expected.level);
            let reason = token.reason();
            assert_eq!(reason.as_ref().map(Reason::message), expected.reason.as_deref());
        }
        for waiter in &self.waiters {
            let woken = waiter.woken.0.load(SeqCst);
            assert_eq!(woken, usize::from(self.cancelled(waiter.node)), "woken once");
        }
        for callback in &self.callbacks {
            let expected = callback.born_cancelled || self.cancelled(callback.node);
            assert_eq!(callback.ran.load(SeqCst), usize::from(expected), "called once");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn random_operations(ops in prop::collection::vec(op(), 1..120)) {
        let mut world = World::default();
        for op in ops {
            world.step(op);
            world.check();
        }
    }
}
