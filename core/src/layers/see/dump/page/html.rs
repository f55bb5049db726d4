//! The page of all.

use super::tree::Nurseries;
use crate::layers::nursery::tree::info::TaskInfo;
use crate::layers::see::dump::Dump;
use crate::layers::see::dump::findings::{Finding, findings};
use crate::layers::see::dump::format::process;
use crate::layers::see::dump::lots::{Lot, lots};
use crate::layers::see::dump::show::{Count, Head, NO_AGES, Named, One, Since, thousands};
use std::fmt::{self, Display, Formatter, Write};

const STYLE: &str = include_str!("page.css");

/// So many places of a lot are shown.
const MOST_PLACES: usize = 32;

/// So many lots are shown.
const MOST_LOTS: usize = 200;

/// So many tasks are listed.
const MOST_TASKS: usize = 2_000;

/// The page.
pub(super) struct All<'a> {
    pub(super) dump: &'a Dump,
    /// Whether the tasks are listed.
    pub(super) tasks: bool,
}

/// A text with what is markup in HTML escaped.
pub(super) struct Html<T>(pub(super) T);

impl<T: Display> Display for Html<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(Inside(f), "{}", self.0)
    }
}

struct Inside<'a, 'b>(&'a mut Formatter<'b>);

impl Write for Inside<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                '&' => self.0.write_str("&amp;")?,
                '<' => self.0.write_str("&lt;")?,
                '>' => self.0.write_str("&gt;")?,
                '"' => self.0.write_str("&quot;")?,
                '\'' => self.0.write_str("&#39;")?,
                c => self.0.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// A link to the page of a task, with this text.
pub(super) struct Link<'a, T>(pub(super) &'a TaskInfo, pub(super) T);

impl<T: Display> Display for Link<'_, T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "<a href=\"?id={}\">{}</a>", self.0.id, Html(&self.1))
    }
}

/// A task, with a link to its page, and what it does; the rest is dim.
pub(super) struct Line<'a>(pub(super) &'a TaskInfo);

impl Display for Line<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Line(task) = self;
        let (name, does) = (Link(task, Named(task)), Html(Doing(task)));
        write!(
            f,
            "{name} {does} <span class=\"dim\">{}",
            Count(task.polls as usize, "poll", "polls")
        )?;
        if let Some(age) = task.since_poll {
            write!(f, ", the last {age} ago")?;
        }
        if let Some(age) = task.age {
            write!(f, ", spawned {age} ago")?;
        }
        write!(f, ", at {}</span>", Html(task.location))
    }
}

/// What a task does, and why.
pub(super) struct Doing<'a>(pub(super) &'a TaskInfo);

impl Display for Doing<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.show_state(f)?;
        if self.0.cancelled { f.write_str(" [cancelled]") } else { Ok(()) }
    }
}

/// What each page begins with.
pub(super) fn begin(f: &mut Formatter<'_>, title: impl Display) -> fmt::Result {
    let title = Html(title);
    write!(
        f,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n"
    )
}

/// What each page ends with.
pub(super) fn end(f: &mut Formatter<'_>) -> fmt::Result {
    f.write_str("</body>\n</html>\n")
}

impl Display for All<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let dump = self.dump;
        let findings = findings(dump);
        begin(f, Head(dump, findings.len()))?;
        write!(f, "<header><h1>{}</h1>\n<p>", Html(Head(dump, findings.len())))?;
        if let Some(id) = process() {
            write!(f, "process {id} · ")?;
        }
        let tasks = if self.tasks { "?\">without tasks" } else { "?tasks=1\">all tasks" };
        writeln!(
            f,
            "<a href=\"?\">again</a> · <a href=\"{tasks}</a> · <a href=\"?format=text\">text</a> \
             · <a href=\"?format=json\">JSON</a></p></header>"
        )?;
        findings.iter().try_for_each(|finding| show_finding(f, finding))?;
        show_lots(f, &lots(dump.all_tasks()))?;
        write!(f, "{}", Nurseries(dump))?;
        if self.tasks {
            self.show_tasks(f)?;
        }
        if dump.nurseries().next().is_some() && dump.nurseries().all(|one| one.age.is_none()) {
            writeln!(f, "<p class=\"dim\">{}</p>", Html(NO_AGES))?;
        }
        end(f)
    }
}

impl All<'_> {
    fn show_tasks(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("<section><h2>Tasks</h2>\n<ul class=\"tasks\">\n")?;
        for task in self.dump.all_tasks().take(MOST_TASKS) {
            writeln!(f, "<li>{}</li>", Line(task))?;
        }
        f.write_str("</ul>\n")?;
        let rest = self.dump.tasks().saturating_sub(MOST_TASKS);
        if rest > 0 {
            let rest = Count(rest, "task more", "tasks more");
            let all = "<a href=\"?format=json&amp;tasks=1\">JSON</a>";
            writeln!(f, "<p class=\"more\">.. {rest}: the {all} has all</p>")?;
        }
        f.write_str("</section>\n")
    }
}

fn show_finding(f: &mut Formatter<'_>, finding: &Finding<'_>) -> fmt::Result {
    write!(f, "<section class=\"finding\"><h2>{}</h2>\n", Html(&finding.title))?;
    show_places(f, &finding.parts)?;
    f.write_str("</section>\n")
}

fn show_lots(f: &mut Formatter<'_>, lots: &[Lot<'_>]) -> fmt::Result {
    let Some(most) = lots.first().map(|lot| lot.tasks.len()) else { return Ok(()) };
    f.write_str("<section><h2>Tasks, by what they wait for</h2>\n")?;
    for lot in lots.iter().take(MOST_LOTS) {
        let (count, permille) = (lot.tasks.len(), lot.tasks.len() * 1_000 / most);
        writeln!(
            f,
            "<details class=\"lot\"><summary><b>{}</b> <span class=\"what\">{}\
             <span class=\"dim\">{}</span><span class=\"bar\" style=\"width:{}.{}%\"></span></span>\
             </summary>",
            thousands(count),
            Html(&lot.doing),
            Html(Since(&lot.tasks)),
            permille / 10,
            permille % 10,
        )?;
        show_places(f, &lot.places)?;
        f.write_str("</details>\n")?;
    }
    if lots.len() > MOST_LOTS {
        writeln!(f, "<p class=\"more\">.. {} lots more</p>", thousands(lots.len() - MOST_LOTS))?;
    }
    f.write_str("</section>\n")
}

/// Shows tasks by the place of their spawns: one by its name, several by their number.
pub(super) fn show_places(f: &mut Formatter<'_>, places: &[Vec<&TaskInfo>]) -> fmt::Result {
    f.write_str("<ul class=\"places\">\n")?;
    for tasks in places.iter().take(MOST_PLACES) {
        match &tasks[..] {
            [one] => {
                let place = Html(one.location);
                let task = Link(one, One(one));
                writeln!(f, "<li>{task} <span class=\"dim\">spawned at {place}</span></li>")?;
            }
            [first, ..] => {
                let (count, place) = (thousands(tasks.len()), Html(first.location));
                let first = Link(first, Named(first));
                writeln!(
                    f,
                    "<li><b>{count}</b> <span class=\"dim\">spawned at {place}, the first:</span> \
                     {first}</li>"
                )?;
            }
            [] => {}
        }
    }
    if places.len() > MOST_PLACES {
        let rest = thousands(places.len() - MOST_PLACES);
        writeln!(f, "<li class=\"more\">.. and at {rest} more places</li>")?;
    }
    f.write_str("</ul>\n")
}
