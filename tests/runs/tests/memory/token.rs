//! What a token keeps of children, waiters and callbacks that have gone: nothing.

use allhome::CancelToken;
use allocation_counter::measure;
use std::pin::pin;
use std::task::{Context, Waker};

/// Makes what a token can have below it or on it, and drops it.
fn come_and_go(root: &CancelToken, times: usize) {
    for _ in 0..times {
        let child = root.child();
        let leaf = CancelToken::any([&child.child(), root]);
        drop(child);
        let mut waiting = pin!(leaf.cancelled());
        let waits = waiting.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(waits.is_pending());
        assert!(root.on_cancel(|_| ()).remove());
    }
}

#[test]
fn k17_memory_is_of_live_tokens() {
    let left = measure(|| {
        let root = CancelToken::new();
        come_and_go(&root, 100);
        let grown = measure(|| come_and_go(&root, 100_000)).bytes_current;
        assert_eq!(grown, 0);

        let middle = root.child();
        let children: Vec<_> = (0..1_000).map(|_| middle.child()).collect();
        drop(middle);
        root.cancel();
        drop((children, root));
    });
    assert_eq!(left.bytes_current, 0);
}
