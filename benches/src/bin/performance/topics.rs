//! What is measured for docs/PERFORMANCE.md.

use crate::figures::{Figures, Line, Panel, Point};
use allhome_benches::case::Case;
use allhome_benches::cases;
use allhome_benches::host::{FLAVORS, Flavor};
use allhome_benches::measure::{self, Plan};

/// One picture: some panels.
#[derive(Debug)]
pub(crate) struct Topic {
    /// The name of the picture's file.
    pub(crate) file: &'static str,
    heading: &'static str,
    sentence: &'static str,
    n_is: &'static str,
    panels: Vec<(String, Vec<(u64, Case)>)>,
}

/// Returns all topics, up to so many children.
pub(crate) fn all(most: u64) -> Vec<Topic> {
    vec![
        Topic {
            file: "spawn_join",
            heading: "Spawn and join",
            sentence: "What it costs to spawn a child that does nothing and to wait for all of \
                       them.",
            n_is: "children",
            panels: spawn_join(most),
        },
        Topic {
            file: "fork_join",
            heading: "Fork and join",
            sentence: "What it costs to get a value from a child, by awaiting each child's handle.",
            n_is: "children",
            panels: by_flavor(most, |flavor, n| cases::fork_join(flavor, &n.to_string(), n)),
        },
        Topic {
            file: "wake",
            heading: "Wakes",
            sentence: "What a child costs that is woken 3, 8 or 64 times before it ends, together \
                       with all the others.",
            n_is: "children",
            panels: wakes(most),
        },
        Topic {
            file: "abort",
            heading: "Abort",
            sentence: "What it costs to abort a child that waits, until the runtime has no task \
                       left.",
            n_is: "children",
            panels: by_flavor(most, |flavor, n| cases::abort(flavor, &n.to_string(), n)),
        },
        Topic {
            file: "timer",
            heading: "Timers",
            sentence: "What it costs to cancel one of many sleeps and to add another.",
            n_is: "sleeps at a time",
            panels: vec![panel("a thread of our pool", most, |n| {
                cases::timer_change(&n.to_string(), n)
            })],
        },
        Topic {
            file: "timeout",
            heading: "Timeouts",
            sentence: "What a deadline of an hour costs a future that waits for so many polls: \
                       made, polled and dropped, on tokio unless it says otherwise.",
            n_is: "polls that find it waiting",
            panels: vec![panel("one task", most.min(1_000), |n| cases::timeout(n as u32))],
        },
        Topic {
            file: "semaphore",
            heading: "Semaphore",
            sentence: "What it costs a task of tokio's to get the only permit, to yield and to \
                       give it back, while the others stand in line.",
            n_is: "tasks",
            // With a million, one pass takes seconds.
            panels: by_flavor(most.min(100_000), cases::semaphore_line),
        },
    ]
}

fn name(flavor: Flavor) -> &'static str {
    match flavor {
        Flavor::CurrentThread => "tokio, one thread",
        Flavor::MultiThread => "tokio, two threads",
        Flavor::EightThreads => "tokio, eight threads",
    }
}

fn panel(title: &str, most: u64, case: impl Fn(usize) -> Case) -> (String, Vec<(u64, Case)>) {
    let sizes = (0..=6).map(|power| 10_u64.pow(power)).filter(|n| *n <= most);
    (title.to_string(), sizes.map(|n| (n, case(n as usize))).collect())
}

fn by_flavor(most: u64, case: impl Fn(Flavor, usize) -> Case) -> Vec<(String, Vec<(u64, Case)>)> {
    FLAVORS.map(|flavor| panel(name(flavor), most, |n| case(flavor, n))).into()
}

fn spawn_join(most: u64) -> Vec<(String, Vec<(u64, Case)>)> {
    let mut panels = by_flavor(most, |flavor, n| cases::spawn_join(flavor, &n.to_string(), n));
    panels
        .push(panel("our pool, two threads", most, |n| cases::spawn_join_pool(&n.to_string(), n)));
    panels
}

fn wakes(most: u64) -> Vec<(String, Vec<(u64, Case)>)> {
    let mut panels = Vec::new();
    for (times, fits) in [(3, 1_000_000), (8, 100_000), (64, 10_000)] {
        panels.extend(FLAVORS.map(|flavor| {
            let title = format!("{times} wakes; {}", name(flavor));
            panel(&title, most.min(fits), |n| cases::wake(flavor, times, n))
        }));
    }
    panels
}

impl Topic {
    /// Measures it. `progress` hears of each size.
    pub(crate) fn measure(self, mut progress: impl FnMut(&str)) -> Figures {
        let panels = self.panels.into_iter().map(|(title, cases)| {
            let mut lines: Vec<Line> = Vec::new();
            for (n, case) in cases {
                progress(&format!("{}, {title}: {n}", self.heading));
                for (name, point) in points(n, &case) {
                    match lines.iter_mut().find(|line| line.name == name) {
                        Some(line) => line.points.push(point),
                        None => lines.push(Line { name, points: vec![point] }),
                    }
                }
            }
            Panel { title, lines }
        });
        Figures {
            file: self.file.to_string(),
            heading: self.heading.to_string(),
            sentence: self.sentence.to_string(),
            n_is: self.n_is.to_string(),
            panels: panels.collect(),
        }
    }
}

/// The figure of each side, ours first.
fn points(n: u64, case: &Case) -> Vec<(String, Point)> {
    let rows = measure::compare(case, Plan::of_sweep(case));
    let ours =
        rows.first().map(|row| ("ours".to_string(), Point { n, ns: row.ours.ns, ratio: 1.0 }));
    let theirs = rows
        .iter()
        .map(|row| (row.peer.to_string(), Point { n, ns: row.theirs.ns, ratio: row.ratio }));
    ours.into_iter().chain(theirs).collect()
}
