//! What a local executor allocates for a task: its future.

use allhome::runtime::LocalExecutor;
use allhome::yield_now;
use allhome_conformance::Counts;
use allocation_counter::measure;

const TASKS: usize = 500;

/// Spawns tasks, and runs them to their end. Returns how many bytes they hold before that.
fn round(executor: &LocalExecutor, counts: &Counts) -> usize {
    let held = measure(|| {
        for _ in 0..TASKS {
            let guard = counts.guard();
            executor.spawn_future(async move {
                for _ in 0..10 {
                    yield_now().await;
                }
                drop(guard);
            });
        }
    });
    executor.run(async {
        while executor.tasks() > 0 {
            yield_now().await;
        }
    });
    usize::try_from(held.bytes_current).expect("it holds its tasks")
}

#[test]
fn z08_a_warm_executor_allocates_a_future_and_nothing_else() {
    let (executor, counts) = (LocalExecutor::new(), Counts::new());
    let cold = round(&executor, &counts);
    let warm: Vec<_> = (0..10).map(|_| round(&executor, &counts)).collect();
    let future = warm[0] / TASKS;
    assert_eq!(warm, [future * TASKS; 10]);
    assert!(future <= 48, "{future} bytes for a future");
    assert!(cold > warm[0] + TASKS * 48, "the first have made their seats: {cold}, {warm:?}");
    assert_eq!(counts.drops(), 11 * TASKS);
}
