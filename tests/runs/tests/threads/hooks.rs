//! What is called on each thread.

use crate::Calm;
use allhome::runtime::ThreadPool;
use allhome::{nursery, thread_scope};
use allhome_conformance::Counts;
use allhome_runs::within;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};

thread_local!(static INSIDE: Cell<bool> = const { Cell::new(false) });

fn enter(work: &mut dyn FnMut()) {
    INSIDE.set(true);
    work();
    INSIDE.set(false);
}

#[test]
fn i49_it_is_around_the_work_of_each_thread() {
    within(|| {
        let (meet, inside) = (Barrier::new(3), AtomicUsize::new(0));
        let run = thread_scope().threads(3).each_thread(enter).run(async |s: Calm<'_>| {
            for _ in 0..3 {
                s.go(async {
                    meet.wait();
                    inside.fetch_add(usize::from(INSIDE.get()), Ordering::Relaxed);
                });
            }
            Ok(INSIDE.get())
        });
        assert_eq!((run.unwrap(), inside.into_inner()), (true, 3));
        assert!(!INSIDE.get(), "it is over");
    });
}

#[test]
fn i49_it_is_around_each_piece_on_a_runtime() {
    within(|| {
        let pool = ThreadPool::new(1).expect("it starts");
        let (meet, inside) = (Barrier::new(2), AtomicUsize::new(0));
        let scope = nursery().on(&pool).thread_scope().each_thread(enter);
        let run = scope.run(async |s: Calm<'_>| {
            for _ in 0..2 {
                s.go(async {
                    meet.wait();
                    inside.fetch_add(usize::from(INSIDE.get()), Ordering::Relaxed);
                });
            }
            Ok(())
        });
        assert_eq!((run.is_ok(), inside.into_inner()), (true, 2));
    });
}

#[test]
fn i49_one_that_does_not_call_back_is_told() {
    let counts = Counts::new();
    let guard = counts.guard();
    let unwound = within(move || {
        catch_unwind(AssertUnwindSafe(|| {
            let _ = thread_scope().each_thread(|_| {}).run(async |_: Calm<'_>| {
                drop(guard);
                Ok(())
            });
        }))
    });
    let payload = unwound.unwrap_err();
    let text = payload.downcast_ref::<&str>().copied().unwrap_or_default();
    assert!(text.contains("has not called"), "{text}");
    assert_eq!(counts.drops(), 1);
}

#[test]
fn i49_its_panic_goes_on_in_the_caller() {
    for after in [false, true] {
        let children = Arc::new(AtomicUsize::new(0));
        let counted = children.clone();
        let unwound = within(move || {
            catch_unwind(AssertUnwindSafe(|| {
                let hook = move |work: &mut dyn FnMut()| {
                    if after {
                        work();
                    }
                    resume_unwind(Box::new(7));
                };
                let _ = thread_scope().threads(2).each_thread(hook).run(async |s: Calm<'_>| {
                    s.go(async {
                        counted.fetch_add(1, Ordering::Relaxed);
                    });
                    Ok(())
                });
            }))
        });
        assert_eq!(unwound.unwrap_err().downcast_ref(), Some(&7));
        assert_eq!(children.load(Ordering::Relaxed), usize::from(after));
    }
}

#[test]
fn i49_no_panic_of_a_child_goes_through_it() {
    for contains in [false, true] {
        let (unwound, inside) = within(move || {
            let hook = move |work: &mut dyn FnMut()| match contains {
                true => drop(catch_unwind(AssertUnwindSafe(|| enter(work)))),
                false => enter(work),
            };
            let scope = thread_scope().threads(2).each_thread(hook);
            let unwound = catch_unwind(AssertUnwindSafe(|| {
                let _ = scope.run(async |s: Calm<'_>| {
                    s.go(async { resume_unwind(Box::new(7)) });
                    Ok(())
                });
            }));
            (unwound, INSIDE.get())
        });
        assert_eq!(unwound.unwrap_err().downcast_ref(), Some(&7));
        assert!(!inside, "the hook has come to its end");
    }
}

#[test]
fn i49_called_twice_it_does_the_work_once() {
    let run = within(|| {
        let hook = |work: &mut dyn FnMut()| {
            work();
            work();
        };
        let scope = thread_scope().threads(2).each_thread(hook);
        scope.run(async |s: Calm<'_>| Ok(s.fork(async { Ok(7) }).await.unwrap_or(0))).ok()
    });
    assert_eq!(run, Some(7));
}
