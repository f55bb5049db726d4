//! What a token keeps of children, waiters and callbacks that have gone: nothing.

use allhome::CancelToken;
use cap::Cap;
use std::alloc::System;
use std::pin::pin;
use std::task::{Context, Waker};

#[global_allocator]
static ALLOCATED: Cap<System> = Cap::new(System, usize::MAX);

#[test]
fn k17_memory_is_of_live_tokens() {
    let before = ALLOCATED.allocated();
    let root = CancelToken::new();
    let mut early = 0;
    for number in 0..100_000 {
        if number == 100 {
            early = ALLOCATED.allocated();
        }
        let child = root.child();
        let leaf = CancelToken::any([&child.child(), &root]);
        drop(child);
        let mut waiting = pin!(leaf.cancelled());
        let waits = waiting.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(waits.is_pending());
        assert!(root.on_cancel(|_| ()).remove());
    }
    let grown = ALLOCATED.allocated().saturating_sub(early);
    assert!(grown < 1024, "grown by {grown} bytes");

    let middle = root.child();
    let children: Vec<_> = (0..1_000).map(|_| middle.child()).collect();
    drop(middle);
    root.cancel();
    drop((children, root));
    let left = ALLOCATED.allocated().saturating_sub(before);
    assert!(left < 1024, "{left} bytes are left");
}
