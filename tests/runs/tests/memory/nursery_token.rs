//! What is left on a token of nurseries that were opened with it, and have ended: nothing.

use allhome::cancel::cancel_token;
use allhome::{CancelToken, cancelled, nursery};
use allhome_runs::{Opened, Stepped};
use allocation_counter::measure;
use futures_util::FutureExt;
use std::task::Poll;

#[test]
fn c15_nothing_is_left_on_the_token() {
    let (stepped, token) = (Stepped::new(1), CancelToken::new());
    let open = |number| {
        let mut opened = Opened::new(nursery().on(stepped.runtime()).token(&token));
        let n = opened.n.clone();
        opened.n.spawn(async move {
            let own = cancel_token();
            own.on_cancel(move |_| drop(n)).keep();
            assert!(cancelled().now_or_never().is_none());
            Ok(())
        });
        stepped.run_until_stalled();
        if number % 2 == 0 {
            assert!(matches!(opened.finish(), Poll::Ready(Ok(()))));
        }
        drop(opened);
        stepped.run_until_stalled();
    };
    (0..100).for_each(open);
    let grown = measure(|| (0..20_000).for_each(open)).bytes_current;
    assert!(grown < 1024, "grown by {grown} bytes");
    // Nor of the tasks of a nursery that is still there.
    let mut opened = Opened::new(nursery().on(stepped.runtime()).token(&token));
    let task = |_| {
        opened.n.spawn(async {
            drop(cancel_token());
            Ok(())
        });
        stepped.run_until_stalled();
    };
    (0..100).for_each(task);
    let grown = measure(|| (0..20_000).for_each(task)).bytes_current;
    assert!(grown < 1024, "grown by {grown} bytes");
    assert!(opened.finish().is_ready());
    assert!(token.cancel());
}
