//! The page of all.

use super::parts::{Html, Line, begin, end, show_places};
use super::tree::Nurseries;
use crate::layers::see::dump::Dump;
use crate::layers::see::dump::count::{Count, thousands};
use crate::layers::see::dump::findings::{Finding, findings};
use crate::layers::see::dump::format::process;
use crate::layers::see::dump::lots::{Lot, lots};
use crate::layers::see::dump::show::{Head, NO_AGES, Since};
use crate::layers::see::dump::stacks::Where;
use std::fmt::{self, Display, Formatter};

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
    writeln!(f, "<section class=\"finding\"><h2>{}</h2>", Html(&finding.title))?;
    match &finding.lines[..] {
        [] => show_places(f, &finding.parts)?,
        lines => {
            f.write_str("<ul class=\"places\">\n")?;
            lines.iter().try_for_each(|line| writeln!(f, "<li>{}</li>", Html(line)))?;
            f.write_str("</ul>\n")?;
        }
    }
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
        if !lot.stacks.is_empty() {
            writeln!(f, "<pre>{}</pre>", Html(Where(&lot.doing, &lot.stacks)))?;
        }
        show_places(f, &lot.places)?;
        f.write_str("</details>\n")?;
    }
    if lots.len() > MOST_LOTS {
        writeln!(f, "<p class=\"more\">.. {} lots more</p>", thousands(lots.len() - MOST_LOTS))?;
    }
    f.write_str("</section>\n")
}
