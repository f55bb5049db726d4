//! A wake that has won the claim, against a root nursery whose future and whose last carrier go.

use crate::home::Fault;
use crate::manual::Manual;
use crate::model;
use allhome::nursery;
use loom::sync::Mutex;
use loom::thread;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

#[test]
fn wake_versus_drop_of_run_and_carrier() {
    model(|| {
        let (mut manual, runtime) = Manual::new(1);
        let left: Arc<Mutex<Option<Waker>>> = Arc::default();
        let kept = left.clone();
        let mut run = Box::pin(nursery().on(&runtime).run(move |n: allhome::Nursery<Fault>| {
            n.spawn(poll_fn(move |cx| {
                *kept.lock().unwrap() = Some(cx.waker().clone());
                Poll::<Result<(), Fault>>::Pending
            }));
            drop(n);
            std::future::pending::<Result<(), Fault>>()
        }));
        assert!(run.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        let job = manual.parked();
        let waker = left.lock().unwrap().take().unwrap();
        let other = thread::spawn(move || waker.wake());
        if std::env::var_os("TRACE").is_some() {
            eprintln!("---- main drops");
        }
        drop(run);
        if std::env::var_os("TRACE").is_some() {
            eprintln!("run dropped");
        }
        drop(job);
        if std::env::var_os("TRACE").is_some() {
            eprintln!("job dropped");
        }
        other.join().unwrap();
        manual.turns();
        manual.check();
    });
}
