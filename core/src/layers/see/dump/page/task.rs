//! The page of one task.

use super::parts::{Doing, Html, Link, begin, end};
use super::tree::around;
use crate::layers::base::escaped::Escaped;
use crate::layers::group::walk::Opener;
use crate::layers::nursery::tree::info::{NextPoll, TaskInfo};
use crate::layers::see::dump::Dump;
use crate::layers::see::dump::count::Count;
use crate::layers::see::dump::findings::findings;
use crate::layers::see::dump::show::Named;
use std::fmt::{self, Display, Formatter};

/// The page of this task.
pub(super) struct One<'a> {
    pub(super) dump: &'a Dump,
    pub(super) task: &'a TaskInfo,
}

impl Display for One<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let One { dump, task } = self;
        begin(f, Named(task))?;
        write!(f, "<header><h1>{}</h1>\n<p><a href=\"?\">all tasks</a>", Html(Named(task)))?;
        let id = task.id;
        write!(f, " · <a href=\"?id={id}\">again</a>")?;
        writeln!(f, " · <a href=\"?format=json&amp;id={id}\">JSON</a></p></header>")?;
        for finding in findings(dump).iter().filter(|one| one.tasks().any(|one| one.id == id)) {
            writeln!(f, "<section class=\"finding\"><h2>{}</h2></section>", Html(&finding.title))?;
        }
        f.write_str("<section><dl>\n")?;
        row(f, "state", Doing(task))?;
        row(f, "next poll", next_poll(task))?;
        row(f, "polls", task.polls)?;
        known(f, "last poll", task.since_poll.map(|age| format!("{age} ago")))?;
        known(f, "spawned", task.age.map(|age| format!("{age} ago")))?;
        row(f, "spawned at", task.location)?;
        known(f, "wakers", task.wakers)?;
        known(f, "note", task.note.as_ref().map(|note| Escaped(note)))?;
        f.write_str("</dl></section>\n")?;
        self.show_around(f)?;
        end(f)
    }
}

impl One<'_> {
    /// Shows the nurseries around it, from the outermost, and those that it has opened.
    fn show_around(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("<section><h2>Inside of</h2>\n<ul>\n")?;
        for nursery in around(self.dump, self.task.id.nursery()) {
            match nursery.opened_by {
                Opener::Task(id) => match self.dump.all_tasks().find(|task| task.id == id) {
                    Some(task) => {
                        writeln!(f, "<li>{}</li>", Link(task, Named(task)))?;
                    }
                    None => writeln!(f, "<li>task {id}</li>")?,
                },
                Opener::Body | Opener::Outside => {}
            }
            writeln!(f, "<li>{}</li>", Html(nursery))?;
        }
        f.write_str("</ul></section>\n")?;
        let opened =
            self.dump.nurseries().filter(|one| one.opened_by == Opener::Task(self.task.id));
        let mut opened = opened.peekable();
        if opened.peek().is_some() {
            f.write_str("<section><h2>Has opened</h2>\n<ul>\n")?;
            for nursery in opened {
                let count = Count(nursery.tasks.len(), "task", "tasks");
                writeln!(f, "<li>{}: {count}</li>", Html(nursery))?;
            }
            f.write_str("</ul></section>\n")?;
        }
        Ok(())
    }
}

fn row(f: &mut Formatter<'_>, key: &str, value: impl Display) -> fmt::Result {
    writeln!(f, "<dt>{key}</dt><dd>{}</dd>", Html(value))
}

fn known(f: &mut Formatter<'_>, key: &str, value: Option<impl Display>) -> fmt::Result {
    value.map_or(Ok(()), |value| row(f, key, value))
}

fn next_poll(task: &TaskInfo) -> &'static str {
    match task.next_poll {
        NextPoll::Due => "is due, or under way",
        NextPoll::ByWaker => "by a wake, or a cancel",
        NextPoll::OnlyByCancel => "by a cancel, and nothing else: no waker of it is left",
        NextPoll::Dead => "by a cancel, and nothing else: it waits for tasks that cannot go on",
        NextPoll::Cancelled => "it was cancelled, and a shield, a grace or a nursery keeps it",
        NextPoll::Unknown => "not known: its wakers are not counted",
    }
}
